/**
 * The members of etcd (vendor's 5.2.1.4): leadership off a leaving member, removal by id through a survivor, the proof that the rest is
 * healthy, then its static pod off and ETCD_INITIAL_CLUSTER of the survivors. Its data stays where it is. delete forgets.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { isReachable } from "./plan/facts.ts";
import { memberIds, viewOfSurvivors } from "./plan/members.ts";
import { planMembership } from "./plan/plans.ts";
import { faultTolerance } from "./plan/topology.ts";

export interface EtcdMembershipArgs {
  /** Host name → peer URL. */
  readonly members: Readonly<Record<string, string>>;
}

export class EtcdMembership extends ChainResource {
  declare readonly etcd: pulumi.Output<{
    members: Record<string, { id: string; peerURL: string }>;
    leader: string;
    faultTolerance: number;
  }>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: EtcdMembershipArgs, options: pulumi.CustomResourceOptions) {
    super("EtcdMembership", name, args, ["etcd"], options);
  }
}

export const etcdMembership = {
  type: "EtcdMembership",
  list: "members",
  plan: planMembership,
  facts: (world, change) => {
    const members = memberIds(world, change);
    const view = viewOfSurvivors(world, change);
    const leader = Object.entries(members).find(([, member]) => member.id === view?.etcd.status?.leaderId)?.[0] ?? "";
    const healthy = Object.keys(members).every((name) => {
      const facts = world.masters[name];
      return isReachable(facts) && facts.etcd?.healthy === true;
    });
    return healthy ? { etcd: { members, leader, faultTolerance: faultTolerance(view?.etcd.members.length ?? 0) } } : {};
  },
} satisfies Kind;
