/** A step as it is written down: every host that it changes hears of its beginning before that, of its commands' ends, and of its own. */
import { escapeControls } from "../../plan/quote.ts";
import { type StepBegins, type StepResult, ends, maskedReason } from "../../plan/record.ts";
import { messageOf } from "../../plan/refusal.ts";
import type { Journal } from "./journal.ts";
import type { Ended, OpenStep, Sent } from "./open-step.ts";
import type { Writer } from "./writer.ts";

/** What was thrown, in one line that may be kept. */
export const reasonOf = (error: unknown): string => escapeControls(maskedReason(messageOf(error)));

export const clean = (text: string): string => ends(escapeControls(text), 400, " … ");

/** Since a `performance.now()`, to the millisecond. */
export const secondsSince = (then: number): number => Math.round(performance.now() - then) / 1000;

export type About = Omit<StepBegins, "kind" | "state">;

export class WrittenStep implements OpenStep {
  readonly #writer: Writer;
  readonly #about: About;
  readonly #since = performance.now();
  readonly #begins;
  readonly #touched = new Set<Journal>();

  /** Writes its beginning. */
  constructor(writer: Writer, about: About) {
    this.#writer = writer;
    this.#about = about;
    this.#begins = writer.write({ kind: "step", state: "begin", ...about });
  }

  command({ host, journal, what, script: command }: Sent): (ended: Ended) => void {
    const about = { id: this.#writer.next(), step: this.#about.step, host, what: clean(what) } as const;
    const since = performance.now();
    this.#writer.write({ kind: "command", state: "begin", ...about, command });
    if (journal !== undefined && !this.#touched.has(journal)) this.#writer.tell(journal, this.#begins);
    if (journal !== undefined) this.#touched.add(journal);
    return (ended) => {
      const end = { kind: "command", state: "end", ...about, ...ended, seconds: secondsSince(since) } as const;
      const { at, run } = this.#writer.write(end);
      if (journal !== undefined) this.#writer.tell(journal, { at, run, ...end, command });
    };
  }

  end(result: StepResult, error?: unknown): void {
    const reason = error === undefined ? {} : { reason: reasonOf(error) };
    const seconds = secondsSince(this.#since);
    const end = this.#writer.write({ kind: "step", state: "end", ...this.#about, result, ...reason, seconds });
    for (const journal of this.#touched) this.#writer.tell(journal, end);
  }
}
