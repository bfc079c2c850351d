import type { Readable } from "node:stream";
import type { RemoteError } from "./errors.ts";

/** How a command is run. */
export interface RunOptions {
  /** What it is for, as a participle for error messages: `reading haproxy.cfg`. */
  readonly what: string;
  /** Seconds it may take once it is sent. Then it is ended, here and on the host. */
  readonly deadline: number;
  /** Bytes for its standard input, or what opens their source once the command runs; without them it reads /dev/null. Never shown in messages. */
  readonly stdin?: string | Buffer | (() => Readable);
  /** Bytes of output, both streams together, that are still taken; default 4 MiB. More is an error. */
  readonly limit?: number;
  /** Exit codes that are no error; default [0]. */
  readonly ok?: readonly number[] | "any";
  /** Values that must not appear in error messages. */
  readonly secrets?: readonly string[];
  /** It changes nothing, although its `what` does not begin with asking, looking, …: it is not in the record. */
  readonly looks?: boolean;
}

/** What a command gave; the texts are decoded as UTF-8, for show and for parsing ASCII. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds from sending to the end of output. */
  readonly took: number;
}

/** The same with stdout as it came. */
export interface BytesResult extends Omit<Result, "stdout"> {
  readonly stdout: Buffer;
}

export interface StreamOptions {
  readonly what: string;
  /** Seconds the whole may take. */
  readonly deadline: number;
  /** Seconds without a byte, while the reader was ready for one, after which it is given up. */
  readonly idle: number;
}

export interface HoldOptions {
  readonly what: string;
  /** Seconds until the first line. What follows has no end of its own. */
  readonly deadline: number;
}

/** Something that stays as long as its command runs. */
export interface Held {
  /** The first line it printed. */
  readonly line: string;
  /** Resolves if the command ends, or the connection is lost, before `release`. Never rejects. */
  readonly lost: Promise<RemoteError>;
  /** Writes to its standard input; resolves when the line came that answers it, the nth after the first for the nth question; never, if none comes. */
  ask(text: string): Promise<void>;
  /** Closes the command's standard input, and a second later its channel. Safe to call twice. */
  release(): void;
}

/** A host that scripts of POSIX sh are run on, as root or as the user configured, with LC_ALL=C. */
export interface RemoteHost {
  readonly name: string;
  readonly address: string;
  /**
   * Runs a script to its end.
   * @throws RemoteError: outcome `not-done` (no connection), `failed` (exit code not in `ok`), `unknown` (deadline,
   *   signal, connection lost, too much output); Refusal for settings that cannot work (key, known_hosts)
   */
  run(script: string, o: RunOptions): Promise<Result>;
  /** `run` for output that is not text. */
  runBytes(script: string, o: RunOptions): Promise<BytesResult>;
  /**
   * Output too big to keep. Whoever reads it must also await `done`, whatever its code: only that says it is whole.
   * @throws RemoteError as `run` does; after the start, `stdout` is destroyed and `done` rejects with it
   */
  stream(
    script: string,
    o: StreamOptions,
  ): Promise<{ stdout: Readable; done: Promise<{ code: number; stderr: string }> }>;
  /**
   * Starts a script that holds something (a lock) for us: it prints a line once it has it, then must read its standard input
   * and let go at the end of it: that is what `release`, and the death of this process, look like over there.
   * @throws RemoteError when it ends, or the deadline passes, before the first line
   */
  hold(script: string, o: HoldOptions): Promise<Held>;
}
