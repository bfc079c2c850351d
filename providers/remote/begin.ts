/** Sends a command over the host's connection, and puts what goes wrong with it into words. */
import { performance } from "node:perf_hooks";
import type { FaultKind } from "../plan/faults.ts";
import { messageOf } from "../plan/refusal.ts";
import { sudoRefusal } from "./command.ts";
import { NoConnection } from "./connect.ts";
import { RemoteError, type RemoteFailure } from "./errors.ts";
import { refusedChannel, start, StartTimeout, type Ending, type Running } from "./exec.ts";
import type { Line } from "./line.ts";
import { type Moment, now } from "./moment.ts";
import type { Journal } from "./record/journal.ts";
import type { SshSettings } from "./settings.ts";

/** What a host needs of the world. */
export interface HostContext {
  readonly name: string;
  readonly settings: SshSettings;
  /** The connection there is, or a new one. */
  readonly open: () => Promise<Line>;
  /** One that nobody else uses. */
  readonly openAside: () => Promise<Line>;
  /** May what was decided at that moment still be sent? Undefined = yes; else it is known when this resolves. */
  readonly guard: (decided: Moment) => Promise<void> | undefined;
  /** A command was sent; in a lab its answer may be about to get lost, or the connection to break. */
  readonly sent: (what: string) => FaultKind | undefined;
  /** What its journal is still to be told. */
  readonly journal: Journal;
}

/** What is to be sent. */
export interface Intent {
  readonly what: string;
  /** What the caller wrote, for messages. */
  readonly script: string;
  /** What goes over the wire. */
  readonly line: string;
  /** Seconds the host may take to begin. */
  readonly deadline: number;
  readonly secrets?: readonly string[] | undefined;
}

/** A command that was sent; it knows its name and its age. */
export interface Begun {
  readonly running: Running;
  /** performance.now() when it was sent. */
  readonly since: number;
  readonly fail: (f: Pick<RemoteFailure, "outcome" | "seen" | "remedy" | "exit" | "output" | "cause">) => RemoteError;
  /** It ended when it should not have, with that code, or without any. */
  readonly failEnded: (end: Ending, output: string) => RemoteError;
}

/** Times that a session is asked for again which the host refused although none of ours is open there, and milliseconds between: the last one may not have ended yet. */
const tries = 10;
const between = 200;

/**
 * Sends a command, waiting for its turn. A connection lost before that is replaced; afterwards nothing is sent twice.
 * @throws RemoteError `not-done` or `unknown`; Refusal
 */
export async function begin(context: HostContext, intent: Intent): Promise<Begun> {
  const { settings } = context;
  const secrets = [
    ...(intent.secrets ?? []),
    ...(settings.sshPassphrase === undefined ? [] : [settings.sshPassphrase]),
  ];
  const decided = now();
  const base = { host: context.name, what: intent.what, command: intent.script, secrets };
  for (let refusals = 0; ;) {
    const connection = await context.open().catch((cause: unknown) => {
      if (!(cause instanceof NoConnection)) throw cause;
      throw new RemoteError({ ...base, outcome: "not-done", seen: cause.message, remedy: cause.remedy, cause });
    });
    await connection.enter();
    const since = performance.now();
    const took = () => performance.now() - since;
    try {
      await context.guard(decided)?.catch((cause: unknown) => {
        throw new Forbidden(messageOf(cause), { cause });
      });
      if (isLost(connection)) throw new Unsent();
      const sent = await start(connection, intent.line, intent.deadline * 1000);
      const fault = context.sent(intent.what);
      if (fault === "drop-link") void connection.break();
      const running = fault === "lose-answer" ? unheard(sent) : sent;
      void running.ended.then(() => connection.leave());
      const fail: Begun["fail"] = (f) => new RemoteError({ ...base, ...f, took: took() });
      return { running, since, fail, failEnded: (end, output) => fail(inWords(end, output, settings)) };
    } catch (cause) {
      const refused = refusedChannel(cause) && !isLost(connection);
      const again = cause instanceof Unsent || (refused && connection.narrow());
      connection.leave();
      if (again) continue;
      if (refused && (refusals += 1) <= tries) {
        await new Promise((resolve) => setTimeout(resolve, between));
        continue;
      }
      throw new RemoteError({
        ...base,
        outcome: refused || cause instanceof Forbidden ? "not-done" : "unknown",
        seen: notBegun(cause),
        took: took(),
        cause,
      });
    }
  }
}

/** What the host did is done; nobody here hears of it. */
const unheard = (running: Running): Running => ({
  ...running,
  ended: running.ended.then(() => ({ code: null, lost: new Error("fault: the answer was lost") })),
});

/** What permitted it is no longer so. */
class Forbidden extends Error {}

/** The connection was lost while we waited for our turn. */
class Unsent extends Error {}

/** A question of its own, because the answer changes between two awaits. */
function isLost(line: Line): boolean {
  return line.lost !== undefined;
}

function inWords(
  end: Ending,
  output: string,
  settings: SshSettings,
): Pick<RemoteFailure, "outcome" | "seen" | "remedy" | "exit" | "output" | "cause"> {
  if (end.lost)
    return { outcome: "unknown", seen: `the connection was lost (${end.lost.message})`, output, cause: end.lost };
  const sudo = settings.become && end.code !== 0 ? sudoRefusal(output, settings.user) : undefined;
  if (sudo) return { outcome: "not-done", exit: end.code, output, ...sudo };
  if (end.code !== null) return { outcome: "failed", seen: `exit ${end.code}`, exit: end.code, output };
  return {
    outcome: "unknown",
    seen: end.signal === undefined ? "no exit code came" : `killed by ${end.signal}`,
    output,
  };
}

function notBegun(cause: unknown): string {
  if (cause instanceof Forbidden) return cause.message;
  if (cause instanceof StartTimeout) return "the host did not begin the command in time";
  return cause instanceof Error ? `the command could not be sent (${cause.message})` : String(cause);
}
