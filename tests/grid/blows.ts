/** Which fault is due at which step: every kind in every phase that makes sense, at every step of a decommission. */
import { type FaultKind, type Phase, faultKinds, phasesOf } from "../../providers/plan/faults.ts";

export interface Blow {
  readonly phase: Phase;
  readonly kind: FaultKind;
}

/** Steps of a removal whose leaving host is there, leads etcd, and may hold the certificate authorities. */
export const steps = [
  "MasterBackup:backup",
  "EtcdSnapshot:backup",
  "EtcdSnapshot:snapshot",
  "CertificateAuthority:hand-over",
  "LoadBalancerPool:balance",
  "NodeDrain:cordon",
  "NodeDrain:drain",
  "StaticPods:disable-manifest",
  "EtcdMembership:move-leader",
  "EtcdMembership:remove-member",
  "EtcdMembership:disable-manifest",
  "EtcdMembership:edit",
  "MasterConfig:put-back",
  "MasterConfig:edit",
  "MasterConfig:restart-master",
  "FlannelNetwork:edit",
  "FlannelNetwork:restart-flannel",
  "ServiceEndpoints:await-endpoints",
  "NodeRemoval:stop-node-service",
  "NodeRemoval:delete-node",
  "AnsibleInventory:edit-inventory",
  "RetirementReport:report",
] as const;

/** Not there in every decommission, or nothing is sent by which they could be struck in the middle. */
export const rare: readonly string[] = [
  "MasterConfig:put-back",
  "ServiceEndpoints:await-endpoints",
  "AnsibleInventory:edit-inventory",
  "RetirementReport:report",
];

const leaves = (phase: Phase, kind: FaultKind): boolean =>
  phase === "before" || (phase === "in" && ["fail", "hang", "disk-full"].includes(kind));

/** `kinds`: every kind once at each step, in the middle of it, where most can go wrong; an hour instead of two. */
const phases =
  process.env["OPENSHIFT_MASTERS_GRID"] === "kinds" ? (["in"] as const) : (["before", "in", "after"] as const);

/** Those first after which the step is still to be done: one and the same step meets them one after the other. Each of the others may be its last. */
export const blows: readonly Blow[] = phases
  .flatMap((phase) => faultKinds.filter((kind) => phasesOf(kind).includes(phase)).map((kind) => ({ phase, kind })))
  .toSorted((a, b) => rank(a) - rank(b));

function rank({ phase, kind }: Blow): number {
  if (leaves(phase, kind)) return kind === "drop-link" ? 1 : 0;
  if (kind === "lose-answer") return 2;
  if (phase === "in" && kind === "drop-link") return 3;
  return phase === "after" && kind === "kill-engine" ? 4 : 5;
}

/** `kill-engine before EtcdMembership 1 (remove-member)`, as a run prints it. */
export function pointIn(met: string): Blow & { readonly step: string } {
  const [, kind, phase, resource = "", does = ""] = /^(\S+) (before|in|after) (\S+) \d+ \((.*)\)$/.exec(met) ?? [];
  const known = faultKinds.find((one) => one === kind);
  if (known === undefined) throw new Error(`no fault is told by "${met}"`);
  return { kind: known, phase: phase as Phase, step: `${resource}:${does}` };
}

/** What is still to be met, step by step. */
export class Schedule {
  readonly #left = new Map<string, Blow[]>(steps.map((step) => [step, [...blows]]));

  /** For the next run: the next fault of each step, kinds that it has not met before the others. */
  next(): string[] {
    return [...this.#left].flatMap(([step, left]) => {
      const whole = (kind: FaultKind) => left.filter((one) => one.kind === kind).length === phasesOf(kind).length;
      const next = left.find(({ kind }) => whole(kind)) ?? left[0];
      return next === undefined ? [] : [`${step}:${next.phase}:${next.kind}`];
    });
  }

  /** Is anything left to be met at one of these steps? */
  isDue(at: readonly string[]): boolean {
    return at.some((step) => (this.#left.get(step) ?? []).length > 0);
  }

  /** It was met, and is not asked for again. */
  met({ step, phase, kind }: Blow & { readonly step: string }): void {
    const left = this.#left.get(step) ?? [];
    this.#left.set(
      step,
      left.filter((one) => one.phase !== phase || one.kind !== kind),
    );
  }

  /** Steps at which something was not met; `in hang, after fail`. */
  unmet(): [step: string, blows: string][] {
    return [...this.#left].flatMap(([step, left]) =>
      left.length === 0 ? [] : [[step, left.map(({ phase, kind }) => `${phase} ${kind}`).join(", ")]],
    );
  }
}
