/** A host through its connection: its commands, and what counts as their failure. */
import { performance } from "node:perf_hooks";
import type { ClientChannel } from "ssh2";
import { begin, type Begun, type HostContext } from "./begin.ts";
import { collect, firstLine, tail, watched, type Stall } from "./collect.ts";
import { commandLine, sudoRefusal } from "./command.ts";
import { deferred } from "./deferred.ts";
import { RemoteError } from "./errors.ts";
import { stop } from "./exec.ts";
import { tampered } from "./fault.ts";
import { type Carried, nothing } from "./record/journal.ts";
import { begins, outcomeOf, recorded, type Sent } from "./record/open-step.ts";
import type { BytesResult, Held, HoldOptions, RemoteHost, Result, RunOptions, StreamOptions } from "./remote-host.ts";
import type { Target } from "./settings.ts";

const defaultLimit = 4 * 1024 * 1024;

export class Host implements RemoteHost {
  readonly name: string;
  readonly address: string;
  readonly #context: HostContext;

  constructor(target: Target, context: HostContext) {
    this.name = target.name;
    this.address = target.address;
    this.#context = context;
  }

  async run(script: string, o: RunOptions): Promise<Result> {
    const result = await this.runBytes(script, o);
    return { ...result, stdout: result.stdout.toString("utf8") };
  }

  runBytes(script: string, o: RunOptions): Promise<BytesResult> {
    return recorded(this.#sent(script, o), () => this.#runBytes(script, o));
  }

  async #runBytes(asked: string, wanted: RunOptions): Promise<BytesResult> {
    const [script, o] = tampered(this.name, asked, wanted);
    const begun = await this.#begin(script, o, { deadline: o.deadline, stdin: o.stdin !== undefined });
    const limit = o.limit ?? defaultLimit;
    const left = begun.since + o.deadline * 1000 - performance.now();
    const got = await collect(begun.running, { stdin: o.stdin, deadline: left, limit });
    const took = performance.now() - begun.since;
    const stderr = begun.carried.heard(got.stderr.toString("utf8"));
    const output = said(got.stdout, stderr);
    if (got.cut === "limit")
      throw begun.fail({ outcome: "unknown", seen: `more than ${limit} bytes of output, so it was ended`, output });
    // The host's own `timeout` may have been a little faster than our timer.
    if (got.cut === "deadline" || (got.code !== 0 && !got.lost && took >= o.deadline * 1000))
      throw begun.fail({ outcome: "unknown", seen: `not finished within ${o.deadline} s, so it was ended`, output });
    if (got.unfed !== undefined)
      throw begun.fail({
        outcome: "unknown",
        seen: `what was to be sent to it could not be read here (${got.unfed.message}), so it was ended`,
        output,
        cause: got.unfed,
      });
    if (got.code === null || this.#stoppedBySudo(got.code, stderr) || !accepted(got.code, o.ok))
      throw begun.failEnded(got, output);
    return { code: got.code, stdout: got.stdout, stderr, took };
  }

  async stream(script: string, o: StreamOptions): ReturnType<RemoteHost["stream"]> {
    const ended = begins(this.#sent(script, o));
    try {
      const streaming = await this.#stream(script, o);
      streaming.done.then(
        ({ code }) => ended({ outcome: "done", exit: code }),
        (error: unknown) => ended(outcomeOf(error)),
      );
      return streaming;
    } catch (error) {
      ended(outcomeOf(error));
      throw error;
    }
  }

  async #stream(asked: string, wanted: StreamOptions): ReturnType<RemoteHost["stream"]> {
    const [script, o] = tampered(this.name, asked, wanted);
    const begun = await this.#begin(script, o, { deadline: o.deadline, stdin: false });
    const seen: Record<Stall, string> = {
      deadline: `not finished within ${o.deadline} s, so it was ended`,
      idle: `no byte for ${o.idle} s, so it was ended`,
      reader: "nobody read on, so it was ended",
    };
    const stalled = deferred<never>();
    const limits = { deadline: o.deadline * 1000, idle: o.idle * 1000 };
    const { stdout, stderr: heard } = watched(begun.running, limits, (why) =>
      stalled.reject(begun.fail({ outcome: "unknown", seen: seen[why], output: stderr() })),
    );
    const stderr = () => begun.carried.heard(heard());
    const finished = begun.running.ended.then((end) => {
      if (end.code === null || this.#stoppedBySudo(end.code, stderr())) throw begun.failEnded(end, stderr());
      return { code: end.code, stderr: stderr() };
    });
    const done = Promise.race([finished, stalled.promise]);
    done.then(
      () => stdout.end(),
      (error: unknown) => stdout.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    return { stdout, done };
  }

  async hold(script: string, o: HoldOptions): Promise<Held> {
    // a connection of its own: where sshd allows one session (MaxSessions 1), it would leave none for the commands
    const aside = { ...this.#context, open: this.#context.openAside };
    const begun = await this.#begin(script, o, { stdin: true }, nothing, aside);
    const { channel, ended } = begun.running;
    const stderr = tail(channel.stderr);
    const late = deferred<"late">();
    const timer = setTimeout(() => late.resolve("late"), o.deadline * 1000);
    const line = await Promise.race([firstLine(channel), late.promise, ended.then((end) => ({ end }))]);
    clearTimeout(timer);
    if (typeof line === "object" && "end" in line) throw begun.failEnded(line.end, stderr());
    if (line === "late" || line === undefined) {
      void stop(begun.running);
      channel.end();
      const seen =
        line === "late" ? `no answer within ${o.deadline} s, so it was ended` : "64 KiB without an end of line";
      throw begun.fail({ outcome: "unknown", seen, output: stderr() });
    }
    return { line: line.text, ask: asking(channel), ...letGo(begun, stderr) };
  }

  /** What its journal is still to be told goes in front. */
  async #begin(
    script: string,
    o: { what: string; deadline: number; secrets?: readonly string[] },
    w: { deadline?: number; stdin: boolean },
    carried = this.#context.journal.take(),
    context = this.#context,
  ): Promise<Begun & { carried: Carried }> {
    const line = commandLine(carried.script + script, { become: this.#context.settings.become, ...w });
    const intent = { what: o.what, script, line, deadline: o.deadline, secrets: o.secrets };
    const begun = await begin(context, intent).catch((error: unknown) => {
      if (error instanceof RemoteError && error.outcome === "not-done") carried.back();
      throw error;
    });
    return { ...begun, carried };
  }

  #sent(script: string, o: Omit<Sent, "host" | "journal" | "script">): Sent {
    const { sshPassphrase } = this.#context.settings;
    const secrets = [...(o.secrets ?? []), ...(sshPassphrase === undefined ? [] : [sshPassphrase])];
    return { host: this.name, journal: this.#context.journal, script, what: o.what, looks: o.looks, secrets };
  }

  #stoppedBySudo(code: number, stderr: string): boolean {
    const { become, user } = this.#context.settings;
    return become && code !== 0 && sudoRefusal(stderr, user) !== undefined;
  }
}

function accepted(code: number, ok: RunOptions["ok"]): boolean {
  return ok === "any" || (ok ?? [0]).includes(code);
}

/** What a failed command said: stderr, or the end of stdout when it kept silent there. */
function said(stdout: Buffer, stderr: string): string {
  return stderr.trim() === "" ? stdout.toString("utf8", Math.max(0, stdout.length - 65_536)) : stderr;
}

/** Every line that comes from now on answers the oldest question that is open. */
function asking(channel: ClientChannel): Held["ask"] {
  const open: (() => void)[] = [];
  channel.on("data", (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) open.shift()?.();
  });
  return (text) =>
    new Promise((resolve) => {
      open.push(resolve);
      channel.write(text);
    });
}

function letGo(begun: Begun, stderr: () => string): Pick<Held, "lost" | "release"> {
  const { channel, ended } = begun.running;
  let released = false;
  const lost = deferred<RemoteError>();
  void ended.then((end) => {
    if (!released) lost.resolve(begun.failEnded(end, stderr()));
  });
  const release = () => {
    if (released) return;
    released = true;
    channel.end();
    const hurry = setTimeout(() => channel.close(), 1000);
    void ended.then(() => clearTimeout(hurry));
  };
  return { lost: lost.promise, release };
}
