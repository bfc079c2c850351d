/**
 * Faults on purpose, as `OPENSHIFT_MASTERS_FAULT` names them: `<resource>:<step>:<before|in|after>:<kind>`, several joined by commas.
 * The step is its number among those that are left, or what it does (`remove-member`).
 */
import { Refusal } from "./refusal.ts";

const phases = ["before", "in", "after"] as const;
const kinds = ["kill-engine", "lose-answer"] as const;

/** `before` the step, `in` it (its first command that changes something was sent), or `after` it was proved. */
export type Phase = (typeof phases)[number];
/** `kill-engine`: pulumi dies by SIGKILL; `lose-answer`: the link breaks when the host has done what it was told (`in` only). */
export type FaultKind = (typeof kinds)[number];

export interface Fault {
  readonly resource: string;
  readonly step: string;
  readonly phase: Phase;
  readonly kind: FaultKind;
}

/** Where the run is. */
export interface Point {
  readonly resource: string;
  /** From 1, among the steps that were left when the resource began. */
  readonly number: number;
  readonly does: string;
}

/** @throws Refusal quoting what is not understood */
export function faultsFrom(text: string): Fault[] {
  return text
    .split(",")
    .filter((one) => one !== "")
    .map((one) => {
      const [resource = "", step = "", phase, kind, ...more] = one.split(":");
      const isFault = phases.some((each) => each === phase) && kinds.some((each) => each === kind) && more.length === 0;
      if (!isFault || resource === "" || step === "" || (kind === "lose-answer" && phase !== "in"))
        throw new Refusal(
          `OPENSHIFT_MASTERS_FAULT: "${one}" is not <resource>:<step>:<before|in|after>:<${kinds.join("|")}>`,
        );
      return { resource, step, phase: phase as Phase, kind: kind as FaultKind };
    });
}

/** The fault that is due there; `*` fits every resource. */
export const faultAt = (faults: readonly Fault[], at: Point, phase: Phase): Fault | undefined =>
  faults.find(
    (fault) =>
      fault.phase === phase &&
      (fault.resource === "*" || fault.resource === at.resource) &&
      (fault.step === String(at.number) || fault.step === at.does),
  );
