/**
 * The record of a run: what is about to be done is written before it is done, so that a run that was killed is in it. Only a run that
 * changes something has one. A line that cannot be written is told at once and stops no step half-way; no other step is begun then.
 */
import { escapeControls } from "../../plan/quote.ts";
import type { RunResult } from "../../plan/record.ts";
import { Refusal, messageOf } from "../../plan/refusal.ts";
import { within } from "./open-step.ts";
import { originOf, programOf } from "./origin.ts";
import { WrittenStep, clean, reasonOf, secondsSince } from "./written-step.ts";
import { Writer } from "./writer.ts";

/** A step's place in the run. */
export interface Place {
  readonly resource: string;
  /** From 1. */
  readonly number: number;
  readonly of: number;
}

/** What a step is, as far as it is written down. */
export interface Work {
  readonly do: string;
  readonly host: string;
  readonly title: string;
  readonly apart?: true;
}

/** Whom the run is about: names. */
export interface Subject {
  readonly leaves: readonly string[];
  readonly stays: readonly string[];
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class RunRecord {
  readonly #writer: Writer;
  #since = 0;
  #begun: Promise<void> | undefined;
  #isOpen = false;
  #underWay = 0;
  #failed = false;

  /**
   * @param archive folder of the backups on this machine
   * @param run its id
   * @param say told, in one line, what cannot be written
   */
  constructor(archive: string, run: string, say: (text: string) => void = console.log) {
    this.#writer = new Writer(archive, run, (text) => say(`[record] ${escapeControls(text)}`));
  }

  /** Before anything is touched. @throws Refusal when the transcript cannot be written */
  prepare(): void {
    try {
      this.#writer.prepare();
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  /** The run's first line, whoever asks first. @throws Refusal when it cannot be written */
  begin(subject: Subject): Promise<void> {
    this.#begun ??= this.#begin(subject).catch((error: unknown) => {
      this.#begun = undefined;
      throw this.#refusal(error);
    });
    return this.#begun;
  }

  async #begin(subject: Subject): Promise<void> {
    const program = await programOf();
    this.#since = performance.now();
    this.#writer.open({ kind: "run", state: "begin", ...originOf(), program, ...subject });
    this.#isOpen = true;
    for (const signal of signals) process.once(signal, this.#signalled);
  }

  /** The engine ends its providers by SIGINT when it has done with them; whoever else sends one ends the run. */
  readonly #signalled = (signal: NodeJS.Signals): void => {
    this.end();
    process.kill(process.pid, signal);
  };

  #refusal(cause: unknown): Refusal {
    return new Refusal(
      `the record of this run cannot be written to ${this.#writer.path} (${messageOf(cause)}): nothing was touched; make it writable, or name another folder in backup.archive`,
    );
  }

  /** @throws Error when lines are missing: nobody may go on then */
  require(): void {
    this.#writer.require();
  }

  /**
   * Does a step with its beginning, its commands and its end written down.
   * @throws what the work throws; Error when the beginning cannot be written: nothing of the step was done
   */
  async step<T>(place: Place, step: Work, work: () => Promise<T>): Promise<T> {
    const { do: does, host, title } = step;
    const about = { step: this.#writer.next(), ...place, does, host, title: clean(title) };
    const written = new WrittenStep(this.#writer, about);
    this.require();
    this.#underWay += 1;
    try {
      const done = await within(written, work);
      written.end("done");
      return done;
    } catch (error) {
      written.end(step.apart === true ? "left behind" : "failed", error);
      throw error;
    } finally {
      this.#underWay -= 1;
    }
  }

  /** A resource has done what it could; `error` is what it failed with. */
  ended(resource: string, error?: unknown): void {
    if (!this.#isOpen) return;
    this.#failed ||= error !== undefined;
    const failed =
      error === undefined ? { result: "done" as const } : { result: "failed" as const, reason: reasonOf(error) };
    this.#writer.write({ kind: "resource", state: "end", resource, ...failed });
  }

  leftBehind(resource: string, host: string, why: string): void {
    if (this.#isOpen) this.#writer.write({ kind: "host", state: "left behind", resource, host, reason: reasonOf(why) });
  }

  /** The answer of a step that is written down as failed was lost, and the host shows it done. */
  readBack(resource: string, { host, title }: { readonly host: string; readonly title: string }): void {
    if (this.#isOpen)
      this.#writer.write({
        kind: "host",
        state: "read back",
        resource,
        host,
        reason: `it shows done: ${clean(title)}`,
      });
  }

  /** The run's last line; once, and only of one that has begun. */
  end(result: RunResult = this.#result()): void {
    if (!this.#isOpen) return;
    this.#writer.write({ kind: "run", state: "end", result, seconds: secondsSince(this.#since) }, true);
    this.#isOpen = false;
    for (const signal of signals) process.removeListener(signal, this.#signalled);
  }

  #result(): RunResult {
    if (this.#underWay > 0) return "interrupted";
    return this.#failed ? "failed" : "done";
  }
}
