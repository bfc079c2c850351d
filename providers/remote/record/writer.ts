/** Writes the lines of one run. What cannot be written is told at once and counted: whoever begins something new has to ask for it. */
import { type Entry, type Said, journalLineOf, lineOf } from "../../plan/record.ts";
import { messageOf } from "../../plan/refusal.ts";
import type { Journal } from "./journal.ts";
import { Transcript, transcriptIn } from "./transcript.ts";

export class Writer {
  readonly #run: string;
  readonly #transcript: Transcript;
  readonly #say: (text: string) => void;
  /** The run's own line for the hosts' journals, and those that have it. */
  #first: Entry | undefined;
  readonly #introduced = new WeakSet<Journal>();
  #numbered = 0;
  #missed = 0;
  #flaw = "";

  constructor(archive: string, run: string, say: (text: string) => void) {
    this.#run = run;
    this.#transcript = new Transcript(transcriptIn(archive));
    this.#say = say;
  }

  get path(): string {
    return this.#transcript.path;
  }

  /** A number for a step or a command. */
  next(): number {
    return (this.#numbered += 1);
  }

  /** @throws what the file system says */
  prepare(): void {
    this.#transcript.prepare();
  }

  /** The run's first line, which outlives a power failure. @throws what the file system says */
  open(said: Said): void {
    const first = this.#entry(said);
    this.#transcript.append(lineOf(first), true);
    this.#first = first;
  }

  /** Never throws. */
  write(said: Said, lasting = false): Entry {
    const entry = this.#entry(said);
    try {
      if (this.#missed > 0)
        this.#transcript.append(lineOf(this.#entry({ kind: "gap", state: "end", missed: this.#missed })));
      this.#missed = 0;
      this.#transcript.append(lineOf(entry), lasting);
    } catch (error) {
      this.#missing(error);
    }
    return entry;
  }

  #missing(error: unknown): void {
    this.#missed += 1;
    this.#flaw = messageOf(error);
    if (this.#missed > 1) return;
    this.#say(
      `THE RECORD OF THIS RUN HAS A GAP: ${this.path} cannot be written (${this.#flaw}); the step in hand goes on, and no other is begun`,
    );
  }

  /** @throws Error when lines are missing */
  require(): void {
    if (this.#missed === 0) return;
    throw new Error(
      `the record of this run cannot be written to ${this.path} (${this.#flaw}): no further step is begun; make it writable, and run \`pulumi up\` again`,
    );
  }

  /** For a host's journal, which hears first whose run it is. */
  tell(journal: Journal, entry: Entry): void {
    if (this.#first !== undefined && !this.#introduced.has(journal)) journal.add(journalLineOf(this.#first));
    this.#introduced.add(journal);
    journal.add(journalLineOf(entry));
  }

  #entry(said: Said): Entry {
    return { at: new Date().toISOString(), run: this.#run, ...said };
  }
}
