/** May etcd's membership be changed now? Asked before the chain begins, and anew before each removal. */
import { observedMembers, viewOfSurvivors } from "../members.ts";
import type { Change, World } from "../steps.ts";
import { decide } from "../topology.ts";
import { names } from "./judgement.ts";

/** Everything that speaks against it, one sentence each; empty: it may be done. */
export function etcdRefusals(world: World, change: Change): string[] {
  const view = viewOfSurvivors(world, change);
  if (view === undefined) return ["no master that stays could say who the etcd members are"];
  return decide({
    members: observedMembers(world, change, view.etcd),
    leaving: names(change.leaving),
    acknowledge: change.settings.acknowledge,
  }).reasons;
}
