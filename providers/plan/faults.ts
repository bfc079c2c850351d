/**
 * Faults on purpose, as `OPENSHIFT_MASTERS_FAULT` names them: `<resource>:<step>:<before|in|after>:<kind>`, several joined by commas.
 * The step is its number among those that are left, or what it does (`remove-member`).
 */
import { Refusal } from "./refusal.ts";

const phases = ["before", "in", "after"] as const;

/** `before` the step, `in` it (its first command that changes something), or `after` it was proved. */
export type Phase = (typeof phases)[number];

const always = { phases, why: "" };
const sent = (why: string) => ({ phases: ["in"] as readonly Phase[], why });

/** When each can happen, and why not at another time. */
const kinds = {
  /** pulumi dies by SIGKILL; its provider stays. */
  "kill-engine": always,
  /** The process that carries the steps out dies by SIGKILL; pulumi stays. */
  "kill-provider": always,
  /** The TCP connection to the step's host is destroyed. */
  "drop-link": always,
  /** The host has done what it was told, and its answer does not come. */
  "lose-answer": sent("no command was sent whose answer could get lost"),
  /** `in`: the host's command ends with 1 before it does anything; else the step itself throws. */
  fail: always,
  /** The command does nothing on the host, and does not end: its deadline has to end it. */
  hang: sent("no command was sent that could hang"),
  /** No command of the step gets another byte into a file of its host. */
  "disk-full": sent("nothing is written"),
} as const satisfies Readonly<Record<string, { readonly phases: readonly Phase[]; readonly why: string }>>;

export type FaultKind = keyof typeof kinds;
export const faultKinds = Object.keys(kinds) as FaultKind[];

/** The phases in which a kind is something that can happen. */
export const phasesOf = (kind: FaultKind): readonly Phase[] => kinds[kind].phases;

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

/** @throws Refusal quoting what is not understood, or cannot happen */
export const faultsFrom = (text: string): Fault[] =>
  text
    .split(",")
    .filter((one) => one !== "")
    .map(faultFrom);

function faultFrom(text: string): Fault {
  const [resource = "", step = "", phaseWord, kindWord, ...more] = text.split(":");
  const phase = phases.find((one) => one === phaseWord);
  const kind = faultKinds.find((one) => one === kindWord);
  if (phase === undefined || kind === undefined || resource === "" || step === "" || more.length > 0)
    throw new Refusal(
      `OPENSHIFT_MASTERS_FAULT: "${text}" is not <resource>:<step>:<${phases.join("|")}>:<${faultKinds.join("|")}>`,
    );
  if (!phasesOf(kind).includes(phase))
    throw new Refusal(
      `OPENSHIFT_MASTERS_FAULT: "${text}" cannot happen: ${phase} a step ${kinds[kind].why}; ${kind} goes with ${phasesOf(kind).join(", ")}`,
    );
  return { resource, step, phase, kind };
}

/** The fault that is due there; `*` fits every resource. */
export const faultAt = <F extends Fault>(faults: readonly F[], at: Point, phase: Phase): F | undefined =>
  faults.find(
    (fault) =>
      fault.phase === phase &&
      (fault.resource === "*" || fault.resource === at.resource) &&
      (fault.step === String(at.number) || fault.step === at.does),
  );

/** Seconds after which a command that hangs on purpose is ended, where its own deadline is longer: nobody wants to wait for two minutes. */
const hangs = 3;

/** What a host is told in the place of a command, and in how many seconds it has to end. */
export interface Told {
  readonly script: string;
  readonly deadline: number;
}

/** Kinds that change the command itself, before it is sent. */
export const spoiling = ["fail", "hang", "disk-full"] as const satisfies readonly FaultKind[];

/** The command as the fault makes it. */
export function spoilt(kind: (typeof spoiling)[number], { script, deadline }: Told): Told {
  switch (kind) {
    case "fail":
      return { script: "echo 'fault: the command ends before it does anything' >&2; exit 1", deadline };
    case "hang":
      return { script: "exec sleep 86400", deadline: Math.min(deadline, hangs) };
    case "disk-full":
      // the signal would kill whoever writes; ignored, the write itself fails as on a full disk, but with EFBIG for ENOSPC
      return { script: `trap '' XFSZ; ulimit -f 0\n${script}`, deadline };
  }
}
