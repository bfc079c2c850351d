/**
 * Does what `OPENSHIFT_MASTERS_FAULT` asks for, once each, and only on a stack whose configuration says that it is a lab: so that tests meet an
 * interruption at a certain point and not near it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import {
  type Fault,
  type FaultKind,
  type Phase,
  type Point,
  faultAt,
  faultKinds,
  faultsFrom,
  spoiling,
  spoilt,
} from "../plan/faults.ts";
import { onlyLooks } from "../plan/record.ts";

let faults: Fault[] = [];

/** What is struck in a step is told to the host that the step is about, not to a load balancer that it takes that host out of. */
interface Place extends Point {
  readonly host: string;
}

/** A step under way. */
interface Under {
  readonly point: Place;
  /** Nothing gets into a file of its host any more. */
  full: boolean;
}
const here = new AsyncLocalStorage<Under>();

/** What can befall a command once it was sent. */
const sentKinds = ["kill-engine", "kill-provider", "drop-link", "lose-answer"] as const satisfies readonly FaultKind[];
/** There is no link to this machine. */
export const linkless = ["kill-engine", "kill-provider"] as const satisfies readonly FaultKind[];

/** Where it is no lab, nothing is listened to. @throws Refusal for faults that are not understood */
export function armFaults(isLab: boolean): void {
  faults = isLab ? faultsFrom(process.env["OPENSHIFT_MASTERS_FAULT"] ?? "") : [];
}

/**
 * Runs a step, with the faults that are due at it.
 * @param cut breaks the connection to the step's host
 */
export async function atPoint<T>(point: Place, work: () => Promise<T>, cut: () => Promise<void>): Promise<T> {
  await aside(point, "before", cut);
  const done = await here.run({ point, full: false }, work);
  await aside(point, "after", cut);
  return done;
}

async function aside(point: Point, phase: "before" | "after", cut: () => Promise<void>): Promise<void> {
  const kind = strike(point, phase, faultKinds);
  if (kind === "drop-link") await cut();
  if (kind === "fail") throw new Error(`fault: the step failed on purpose, ${phase} it was done`);
}

/** The step under way, if the command is its own and changes something. */
function stepOf(host: string, what: string): Under | undefined {
  const under = here.getStore();
  return under?.point.host === host && !onlyLooks(what) ? under : undefined;
}

/** What a host is sent in the place of a command, and its options; mostly the very same. */
export function tampered<O extends { what: string; deadline: number }>(
  host: string,
  script: string,
  o: O,
): [string, O] {
  const under = stepOf(host, o.what);
  if (under === undefined) return [script, o];
  const kind = under.full ? "disk-full" : strike(under.point, "in", spoiling);
  if (kind === undefined) return [script, o];
  under.full = kind === "disk-full";
  const told = spoilt(kind, { script, deadline: o.deadline });
  return [told.script, { ...o, deadline: told.deadline }];
}

/** A command was sent. What is given back has to be done to its connection, or to its answer. */
export function commandSent(
  host: string,
  what: string,
  kinds: readonly FaultKind[] = sentKinds,
): FaultKind | undefined {
  const under = stepOf(host, what);
  return under && strike(under.point, "in", kinds);
}

function strike<K extends FaultKind>(point: Point, phase: Phase, kinds: readonly K[]): K | undefined {
  const among = faults.filter((one): one is Fault & { kind: K } => kinds.some((kind) => kind === one.kind));
  const fault = faultAt(among, point, phase);
  if (fault === undefined) return undefined;
  faults = faults.filter((one) => one !== fault);
  console.log(`fault: ${fault.kind} ${phase} ${point.resource} ${point.number} (${point.does})`);
  if (fault.kind === "kill-engine") {
    // pulumi prints what it has read of us; killed at once it took that line with it (seen once in thirty runs), and a test could not tell what was met
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    killEngine();
  }
  if (fault.kind === "kill-provider") process.kill(process.pid, "SIGKILL");
  return fault.kind;
}

/** The nearest ancestor of the name `pulumi`. */
function killEngine(): void {
  for (let pid = process.ppid; pid > 1;) {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/.exec(stat) ?? [];
    if (name === "pulumi") {
      process.kill(pid, "SIGKILL");
      return;
    }
    pid = Number(parent);
  }
  throw new Error("fault: no pulumi above this process");
}
