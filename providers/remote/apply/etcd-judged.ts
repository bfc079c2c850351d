/** May a member go now? What preview saw may be minutes old, and a removal before this one has changed it. */
import { isReachable } from "../../plan/facts.ts";
import { observedMembers, viewOfSurvivors } from "../../plan/members.ts";
import { etcdRefusals } from "../../plan/preflight/etcd-health.ts";
import type { ObservedMember } from "../../plan/topology.ts";
import type { Context } from "./context.ts";

/** Seconds that what may pass is waited for: etcd says `unhealthy cluster` for about 5 s after any restart. */
export const patience = 90;

/** 1, 2, 4, 8, 16, 16 … seconds between two tries. */
export const growing = (tries: number): number => Math.min(2 ** tries, 16);

export interface Judged {
  readonly refusals: readonly string[];
  /** They do not pass by themselves. */
  readonly lasting: boolean;
  /** As the first healthy survivor lists them; empty when there is none. */
  readonly members: readonly ObservedMember[];
  /** The leaving host answers. */
  readonly reachable: boolean;
}

/** Looks at everything anew. */
export async function judgedNow({ session, change: asked }: Context, of: string): Promise<Judged> {
  session.forget();
  const { world, change } = await session.look(asked, new Set(), ["census"]);
  const view = viewOfSurvivors(world, change);
  const members = view === undefined ? [] : observedMembers(world, change, view.etcd);
  const alarms = Object.values(world.masters).flatMap((facts) =>
    isReachable(facts) ? (facts.etcd?.alarms ?? []) : [],
  );
  return {
    // the plan's order was the best one then: with a member that has died since, another may be
    refusals: etcdRefusals(world, change, [of]),
    lasting: alarms.length > 0,
    members,
    reachable: isReachable(world.masters[of]),
  };
}
