/**
 * Does what `OPENSHIFT_MASTERS_FAULT` asks for, once each, and only on a stack whose configuration says that it is a lab: so that tests meet an
 * interruption at a certain point and not near it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { type Fault, type FaultKind, type Phase, type Point, faultAt, faultsFrom } from "../plan/faults.ts";
import { onlyLooks } from "../plan/record.ts";

let faults: Fault[] = [];
const here = new AsyncLocalStorage<Point>();

/** Where it is no lab, nothing is listened to. @throws Refusal for faults that are not understood */
export function armFaults(isLab: boolean): void {
  faults = isLab ? faultsFrom(process.env["OPENSHIFT_MASTERS_FAULT"] ?? "") : [];
}

/** Runs a step, with the faults that are due at it. */
export async function atPoint<T>(point: Point, work: () => Promise<T>): Promise<T> {
  strike(point, "before");
  const done = await here.run(point, work);
  strike(point, "after");
  return done;
}

/** A command was sent. */
export function commandSent(what: string): FaultKind | undefined {
  const point = here.getStore();
  if (point === undefined || onlyLooks(what)) return undefined;
  return strike(point, "in");
}

function strike(point: Point, phase: Phase): FaultKind | undefined {
  const fault = faultAt(faults, point, phase);
  if (fault === undefined) return undefined;
  faults = faults.filter((one) => one !== fault);
  console.log(`fault: ${fault.kind} ${phase} ${point.resource} ${point.number} (${point.does})`);
  if (fault.kind === "kill-engine") killEngine();
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
