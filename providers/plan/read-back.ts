/**
 * A step was begun, and how far it came is not known. What the hosts show decides: the plan that is made anew says what is still due, and where the plan does not ask
 * for all that the step proves, that is asked here.
 */
import { type MasterFacts, isReachable } from "./facts.ts";
import { isUp } from "./plans/balancer.ts";
import { isCalled } from "./same-host.ts";
import type { Change, Step, World } from "./steps.ts";

/** What was seen, and what is still to be done by it. */
export interface Seen {
  readonly world: World;
  readonly change: Change;
  readonly due: readonly Step[];
}

/** Why the hosts do not show that the step was done; undefined: they do. */
export const openStill = (step: Step, { world, change, due }: Seen): string | undefined =>
  due.some((one) => deedOf(one) === deedOf(step)) ? "the hosts show it undone" : unproved(step, world, change);

/** What makes two steps of two plans the same, whatever their titles say. */
function deedOf(step: Step): string {
  const of = "node" in step ? step.node : "";
  return JSON.stringify([
    step.do,
    step.host,
    typeof of === "string" ? of : of.name,
    "edit" in step ? step.edit.before.path : "",
    "manifest" in step ? step.manifest : "",
    "member" in step ? step.member : "",
    "balancer" in step ? step.balancer : "",
    "authority" in step ? step.authority : "",
  ]);
}

/** What a plan takes for granted once the deed itself is seen. */
function unproved(step: Step, world: World, change: Change): string | undefined {
  if (step.do === "restart-master")
    return onMaster(world, step.host, ({ readiness, listeners }) => {
      const { ready, asked, seen } = readiness;
      if (step.components.includes("api") && !ready) return `its API is not ready (${asked}: ${seen})`;
      const listens = listeners.some(({ port }) => port === 8444);
      return step.components.includes("controllers") && !listens ? "its controllers do not listen" : undefined;
    });
  if (step.do === "restart-flannel") {
    const facts = world.masters[step.host] ?? world.nodes[step.host];
    if (!isReachable(facts)) return "it cannot be asked";
    return facts.flanneld?.active === true ? undefined : "flanneld is not active";
  }
  if (step.do === "disable-manifest" && step.lease) return leaseHeld(step.host, world);
  if (step.do === "balance") {
    const facts = world.balancers[step.host];
    const rows = isReachable(facts) ? (facts.stats ?? []) : [];
    const down = step.up.filter((server) => !isUp(rows, server));
    return down.length === 0 ? undefined : `not seen UP: ${down.map(({ server }) => server).join(", ")}`;
  }
  return step.do === "remove-member" ? unsettled(step, world, change) : undefined;
}

const onMaster = (world: World, host: string, ask: (facts: MasterFacts) => string | undefined): string | undefined => {
  const facts = world.masters[host];
  return isReachable(facts) ? ask(facts) : "it cannot be asked";
};

/** Another master must hold the controllers' lease. */
function leaseHeld(leaves: string, { cluster }: World): string | undefined {
  const holder = isReachable(cluster) ? cluster.controllers : "";
  if (holder !== "" && !isCalled(holder, leaves)) return undefined;
  return `the controllers' lease is with ${holder === "" ? "nobody that can be asked" : holder}`;
}

/** Every master that stays must be well, and list the member no more. */
function unsettled(
  { member }: Extract<Step, { do: "remove-member" }>,
  world: World,
  change: Change,
): string | undefined {
  const wrong = Object.keys(change.survivors).flatMap((host) => {
    const seen = onMaster(world, host, ({ etcd, etcdSeen }) => {
      if (etcd === undefined) return etcdSeen;
      if (etcd.members.some(({ id }) => id === member)) return `its etcd still lists ${member}`;
      return etcd.healthy ? undefined : etcd.detail;
    });
    return seen === undefined ? [] : [`${host}: ${seen}`];
  });
  return wrong.length === 0 ? undefined : wrong.join("; ");
}
