/** What a host's journal is still to be told: it goes in front of the next command that is sent there, and so costs none of its own. */
import { randomBytes } from "node:crypto";
import { journalFlaw, journalScript } from "../../plan/journal-script.ts";
import { escapeControls } from "../../plan/quote.ts";

/** No host knows it beforehand. */
const mark = `openshift-masters-journal-${randomBytes(6).toString("hex")}`;

/** Lines that go with one command; the whole of it must fit into one word of the host's command line, of 128 KiB. */
const mostAtOnce = 20;

/** Lines on their way. */
export interface Carried {
  /** In front of the script. */
  readonly script: string;
  /** Takes the journal's own complaint out of what the command said. */
  readonly heard: (stderr: string) => string;
  /** Nothing was sent. */
  readonly back: () => void;
}

export const nothing: Carried = { script: "", heard: (stderr) => stderr, back: () => undefined };

export class Journal {
  /** The host's name. */
  readonly host: string;
  readonly #flawed: (host: string, seen: string) => void;
  #waiting: string[] = [];
  #broken = false;

  /** @param flawed told once that it cannot be written; it gets no more lines then */
  constructor(host: string, flawed: (host: string, seen: string) => void) {
    this.host = host;
    this.#flawed = flawed;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(line: string): void {
    if (!this.#broken) this.#waiting.push(line);
  }

  take(): Carried {
    if (this.#waiting.length === 0) return nothing;
    const lines = this.#waiting.splice(0, mostAtOnce);
    return {
      script: journalScript(lines, mark),
      heard: (stderr) => this.#heard(stderr),
      back: () => this.#waiting.unshift(...(this.#broken ? [] : lines)),
    };
  }

  /** Gives it up. */
  fail(seen: string): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#waiting = [];
    this.#flawed(this.host, escapeControls(seen));
  }

  #heard(stderr: string): string {
    const { flaw, rest } = journalFlaw(stderr, mark);
    if (flaw !== undefined) this.fail(flaw);
    return rest;
  }
}
