/** The three ways to use a command's output: all of it, as a stream, or its first line. Plain functions over a Running. */
import { PassThrough, type Readable } from "node:stream";
import { deferred } from "./deferred.ts";
import { stop, type Ending, type Running } from "./exec.ts";

/** How `collect` ended: whole, or cut off by us. */
export type Collected = Ending & {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly cut?: "deadline" | "limit";
  /** What went wrong with the stream that fed it; the command was ended then, or had ended by itself. */
  readonly unfed?: Error;
};

/** Feeds a command and keeps its output, at most `limit` bytes and until `deadline` (milliseconds from now). Never rejects. */
export async function collect(
  running: Running,
  o: { stdin?: string | Buffer | (() => Readable) | undefined; deadline: number; limit: number },
): Promise<Collected> {
  const { channel, ended } = running;
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let size = 0;
  let cut: "deadline" | "limit" | undefined;
  const stopped = deferred<Ending>();
  const cutOff = (why: "deadline" | "limit") => {
    cut ??= why;
    void stop(running).then(() => stopped.resolve({ code: null }));
  };
  const keep = (into: Buffer[]) => (chunk: Buffer) => {
    if (cut === "limit") return;
    size += chunk.length;
    if (size > o.limit) cutOff("limit");
    else into.push(chunk);
  };
  channel.on("data", keep(stdout));
  channel.stderr.on("data", keep(stderr));
  let unfed: Error | undefined;
  if (typeof o.stdin === "function") {
    const source = o.stdin();
    source.once("error", (error: Error) => {
      unfed = error;
      void stop(running).then(() => stopped.resolve({ code: null }));
    });
    // not `pipeline`: at a failure it would destroy the channel, and with it the exit code and what the command said
    source.pipe(channel);
    void ended.then(() => source.destroy());
  } else if (o.stdin !== undefined) channel.end(o.stdin);
  const timer = setTimeout(() => cutOff("deadline"), o.deadline);
  // sshd does not close the channel before the command has ended, however often it is asked to.
  const end = await Promise.race([ended, stopped.promise]);
  clearTimeout(timer);
  return {
    ...end,
    stdout: Buffer.concat(stdout),
    stderr: Buffer.concat(stderr),
    ...(cut === undefined ? {} : { cut }),
    ...(unfed === undefined ? {} : { unfed }),
  };
}

/** Why a stream was given up. */
export type Stall = "deadline" | "idle" | "reader";

/**
 * The command's output with back-pressure, watched: `stalled` is called at most once, when `deadline` or `idle`
 * (milliseconds) has passed or the reader went away; the command is then ended.
 */
export function watched(
  running: Running,
  o: { deadline: number; idle: number },
  stalled: (why: Stall) => void,
): { stdout: PassThrough; stderr: () => string } {
  const { channel, ended } = running;
  const stdout = new PassThrough();
  let over = false;
  const giveUp = (why: Stall) => {
    if (over) return;
    over = true;
    void stop(running);
    stalled(why);
  };
  let quiet = 0;
  // Counted in steps, so that a reader who is not ready for more does not look like a silent host.
  const step = Math.max(10, Math.min(1000, o.idle / 4));
  const pulse = setInterval(() => {
    quiet = stdout.writableNeedDrain ? 0 : quiet + step;
    if (quiet > o.idle) giveUp("idle");
  }, step);
  const timer = setTimeout(() => giveUp("deadline"), o.deadline);
  channel.on("data", () => (quiet = 0));
  const stderr = tail(channel.stderr, () => (quiet = 0));
  // The stream itself is ended by the caller, once the exit code is known to be there.
  channel.pipe(stdout, { end: false });
  stdout.on("error", () => undefined);
  stdout.once("close", () => giveUp("reader"));
  void ended.then(() => {
    over = true;
    clearInterval(pulse);
    clearTimeout(timer);
  });
  return { stdout, stderr };
}

/** The last 64 KiB of a stream, as text. */
export function tail(stream: Readable, heard: () => void = () => undefined): () => string {
  let kept = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    heard();
    kept = Buffer.concat([kept, chunk]).subarray(-65_536);
  });
  return () => kept.toString("utf8");
}

/** The first line of a stream, without its end; undefined when 64 KiB hold none. The rest is read and dropped. */
export function firstLine(stream: Readable): Promise<{ text: string } | undefined> {
  return new Promise((resolve) => {
    let text = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => {
      if (text.length > 65_536) return;
      text = Buffer.concat([text, chunk]);
      const end = text.indexOf(10);
      if (end >= 0) resolve({ text: text.toString("utf8", 0, end) });
      else if (text.length > 65_536) resolve(undefined);
    });
  });
}
