/**
 * May the change be done? Everything is asked before anything is touched, and every refusal is told at once.
 * - always refused: a survivor that cannot be reached, is not ready or not a healthy member; an unknown or unstarted member; an alarm;
 *   several versions of etcd, differing data, a member that stays and is far behind or whose certificates end within a week; a load
 *   balancer or inventory that is not understood; masters added and removed at once; a certificate authority that can
 *   neither be handed over nor taken from an archive; clocks that are a minute apart; too little room for the backups;
 *   a manifest of etcd that leads to another host; a budget that would block the drain
 * - refused at adoption: a master that nobody declares, unless its retirement has begun
 * - refused unless acknowledged by name: another machine or member than before, fewer than three masters, an even number, a leaving host that is gone, bare pods, local data
 * Work that an interrupted run has already done is no reason to refuse.
 */
import type { Hosts } from "./facts.ts";
import type { Known } from "./known.ts";
import { declaredIsThere } from "./preflight/adoption.ts";
import { clocks } from "./preflight/clocks.ts";
import { direction, survivors, members, quorumAndRisks } from "./preflight/cluster.ts";
import type { Judgement, Check } from "./preflight/judgement.ts";
import { etcdHealth } from "./preflight/etcd-health.ts";
import { drains } from "./preflight/drain.ts";
import { gone, lease, returned } from "./preflight/gone.ts";
import { sameHosts } from "./preflight/known.ts";
import { leavingHosts, authority } from "./preflight/leaving.ts";
import { inventory } from "./preflight/inventory.ts";
import { balancers, nodes, room, editable, endpoints } from "./preflight/places.ts";
import { named } from "./preflight/sweep.ts";
import { undeclared } from "./preflight/undeclared.ts";
import type { Change, World } from "./steps.ts";

export type { Judgement } from "./preflight/judgement.ts";
export { toleranceInWords } from "./preflight/cluster.ts";

/**
 * @param before the masters of the last `up`; undefined when the cluster is adopted
 * @param known who the hosts were then
 */
export function judge(world: World, change: Change, before: Hosts | undefined, known: Known = {}): Judgement {
  const checks: Check[] = [
    direction,
    survivors,
    clocks,
    members,
    undeclared,
    quorumAndRisks,
    etcdHealth,
    declaredIsThere,
    balancers,
    leavingHosts,
    drains,
    authority,
    inventory,
    nodes,
    room,
    endpoints,
    editable,
    named,
    lease,
    gone,
    returned,
  ];
  const found = [...checks.map((check) => check(world, change, before)), sameHosts(world, change, known)];
  return {
    refusals: [...new Set(found.flatMap((one) => one.refusals ?? []))],
    passing: [...new Set(found.flatMap((one) => one.passing ?? []))],
    notes: [...new Set(found.flatMap((one) => one.notes ?? []))],
  };
}
