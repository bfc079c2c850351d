/** One planner for each resource of the chain: from what was seen and what is wanted to the steps that are still to be done. */
import type { Planner } from "./plans/asked.ts";
import { planBalancer } from "./plans/balancer.ts";
import { planNodeRemoval } from "./plans/node.ts";
import { planMembership } from "./plans/membership.ts";
import { planMasterConfig } from "./plans/master-config.ts";
import { planFlannel, planEndpoints } from "./plans/network.ts";
import { planStaticPods } from "./plans/static-pods.ts";
import { planInventory } from "./plans/inventory.ts";
import type { Change, World } from "./steps.ts";

export type { Planner } from "./plans/asked.ts";
export { planAuthority } from "./plans/authority.ts";
export { planBackups, planSnapshot, endpointOf } from "./plans/backup.ts";
export {
  apiLines,
  backendOf,
  canSetState,
  checkCommand,
  disabledEdits,
  homeless,
  identityThere,
  isMaintained,
  isRowOf,
  isUp,
  ownLines,
  peersOf,
  planBalancer,
  rememberedLines,
  runtimeCommand,
} from "./plans/balancer.ts";
export { isEvictable } from "./drain-rehearsal.ts";
export { planDrain, planReturn, standingInWords, standingOf } from "./plans/drain.ts";
export { planNodeRemoval } from "./plans/node.ts";
export { planStaticPods } from "./plans/static-pods.ts";
export { planMembership } from "./plans/membership.ts";
export { planMasterConfig } from "./plans/master-config.ts";
export { planFlannel, planEndpoints, unaskedNodes } from "./plans/network.ts";
export { inventoryForm, planInventory } from "./plans/inventory.ts";

/** The chain's planners whose plans follow from what the hosts show, each with its resource's type, in the chain's order. */
export const chainPlanners = (change: Change): { readonly type: string; readonly plan: Planner }[] => [
  ...Object.keys(change.settings.loadBalancers).map((name) => ({ type: "LoadBalancerPool", plan: planBalancer(name) })),
  { type: "StaticPods", plan: planStaticPods },
  { type: "EtcdMembership", plan: planMembership },
  { type: "MasterConfig", plan: planMasterConfig },
  { type: "FlannelNetwork", plan: planFlannel },
  { type: "ServiceEndpoints", plan: planEndpoints },
  { type: "NodeRemoval", plan: planNodeRemoval },
  { type: "AnsibleInventory", plan: planInventory },
];

/** Of these, each whose plan names what a leaving host still holds in the cluster: what runs on the host itself is not asked. */
export const clusterPlanners = (change: Change): Planner[] =>
  chainPlanners(change).flatMap(({ type, plan }) => (type === "StaticPods" ? [] : [plan]));

/** Does anything in the cluster still name the leaving hosts? Asked without visiting the hosts themselves; what cannot be told counts as yes. */
export const isLeft = (world: World, change: Change): boolean =>
  clusterPlanners(change).some((plan) => {
    try {
      // a server that is out of service names nobody: an administrator may have taken it out
      return plan(world, change).some((step) => step.do !== "put-back");
    } catch {
      return true;
    }
  });
