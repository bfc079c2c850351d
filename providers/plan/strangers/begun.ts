/** Whether the retirement of a master that nobody declares has begun: by what cannot come of an administrator's maintenance. */
import { type BalancerFacts, type MasterFacts, type NodeSeen, isReachable } from "../facts.ts";
import { serversIn } from "../haproxy.ts";
import { addressPart } from "../haproxy-servers.ts";
import { apiLines, identityThere } from "../plans/balancer.ts";
import { Refusal } from "../refusal.ts";
import { canonicalAddress } from "../same-host.ts";
import { type Change, type World, entries } from "../steps.ts";
import type { KeptFile } from "./facts.ts";
import type { Stranger } from "./who.ts";

/** Its API's manifest lies in `disabled/`: the first thing on the host itself that a retirement does. */
export const isOff = ({ pods, disabledPods }: MasterFacts): boolean =>
  !pods.includes("apiserver.yaml") && disabledPods.includes("apiserver.yaml");

/** haproxies whose pool of the API has no line of it. */
export const poolsWithout = ({ sightings }: Stranger, world: World, change: Change): string[] =>
  entries(world.balancers).flatMap(([name, facts]) => {
    const isIn = sightings.some(({ place, at }) => place === "server" && at === name);
    return !isIn && isReachable<BalancerFacts>(facts) && hasPool(facts, change) ? [name] : [];
  });

const hasPool = (facts: BalancerFacts, change: Change): boolean =>
  orNo(() =>
    Object.keys(change.survivors).some(
      (host) => apiLines(facts.files, identityThere(facts, host, change.survivors)).length > 0,
    ),
  );

/** Of those pools, each whose last edit by this program took its line out: load balancer → the kept file that has it. */
export function takenOut(stranger: Stranger, world: World, change: Change): Record<string, string> {
  const own = new Set([stranger.name, ...stranger.addresses].map(canonicalAddress));
  const created = nodeOf(stranger, world)?.created ?? 0;
  // a master that was set up after that copy was kept has not been taken out since
  const hasIt = ({ at, path, text }: KeptFile) =>
    created <= at &&
    orNo(() => serversIn([{ path, text }]).some((one) => own.has(canonicalAddress(addressPart(one.address)))));
  return Object.fromEntries(
    poolsWithout(stranger, world, change).flatMap((name) => {
      const copy = (world.strangers?.kept[name] ?? []).find(hasIt);
      return copy === undefined ? [] : [[name, copy.path]];
    }),
  );
}

export const nodeOf = ({ name }: Stranger, world: World): NodeSeen | undefined =>
  isReachable(world.cluster) ? world.cluster.nodes.find((one) => one.name === name) : undefined;

/** etcd has no member of it, and had one: masters without etcd exist. */
export const hasLostMember = ({ sightings }: Stranger, host: MasterFacts): boolean =>
  !sightings.some(({ place }) => place === "member") && (host.etcdData || host.disabledPods.includes("etcd.yaml"));

/**
 * Only what nobody does to a master that is to stay: a run of ours took it out of a pool; or its API is off and it has left another place too. A Node that is cordoned,
 * a server that is disabled, an API that does not answer are an administrator's own affair.
 */
export function isBegun(stranger: Stranger, host: MasterFacts, world: World, change: Change): boolean {
  if (Object.keys(takenOut(stranger, world, change)).length > 0) return true;
  const hasNode = stranger.sightings.some(({ place }) => place === "node");
  const hasPools = Object.values(change.settings.loadBalancers).some(({ kind }) => kind === "haproxy");
  const left =
    hasLostMember(stranger, host) ||
    !hasNode ||
    (hasPools ? poolsWithout(stranger, world, change).length > 0 : nodeOf(stranger, world)?.unschedulable === true);
  return isOff(host) && left;
}

function orNo(ask: () => boolean): boolean {
  try {
    return ask();
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}
