/** Asks every host that can be reached, and the cluster, who still names the hosts that leave. Reads only. */
import {
  type BalancerFacts,
  type Hosts,
  type MasterFacts,
  type NodeFacts,
  type Unreachable,
  isReachable,
} from "../plan/facts.ts";
import { clusterSweep, clusterSweepScript } from "../plan/sweep-cluster.ts";
import { type Sweep, hostSweep, sweepScript } from "../plan/sweep.ts";
import { lookedFor } from "../plan/sweep-findings.ts";
import type { Change, World } from "../plan/steps.ts";
import { askHost } from "./ask-host.ts";
import { pooled } from "./pool.ts";
import type { Session } from "./session.ts";

/** Hosts that are asked at the same time: there may be hundreds of nodes. */
const atOnce = 20;

/** The World's part `sweep`, when somebody leaves. Never throws: a host that cannot be asked is told as such. */
export async function sweep(session: Session, world: World, change: Change): Promise<Partial<World>> {
  const looked = lookedFor(world, change);
  if (looked.length === 0) return {};
  const names = looked.map(({ name }) => name);
  const words = looked.map((one) => one.words);
  const seen: Readonly<Record<string, Reached | Unreachable | undefined>> = {
    ...world.nodes,
    ...world.balancers,
    ...world.masters,
  };
  const script = sweepScript(words);
  const asked = pooled(Object.entries(visited(session, change)), atOnce, async ([name, address]) => {
    const facts = seen[name];
    // it has just been tried: another time-out would tell nothing new
    const answer = isReachable(facts)
      ? await askHost(session.host(name, address), script, looking(30), (stdout) => hostSweep(stdout, names))
      : { unreachable: facts?.unreachable ?? "it was not looked at" };
    return [name, answer] as const;
  });
  const [hosts, cluster] = await Promise.all([asked, askCluster(session, world, change, names, words)]);
  return { sweep: { hosts: Object.fromEntries(hosts), cluster } };
}

type Reached = MasterFacts | BalancerFacts | NodeFacts;

/** Masters that stay, load balancers that are hosts, and nodes. */
function visited(session: Session, change: Change): Hosts {
  const { loadBalancers, nodes } = session.settings;
  const balancers = Object.entries(loadBalancers).flatMap(([name, entry]) =>
    entry.kind === "haproxy" ? [[name, entry.address] as const] : [],
  );
  const others = Object.entries(nodes).map(([name, { address }]) => [name, address] as const);
  return Object.fromEntries([...Object.entries(change.survivors), ...balancers, ...others]);
}

const looking = (deadline: number) => ({
  what: "looking for who names the leaving hosts",
  deadline,
  limit: 2 ** 20,
});

/** Through a master that stays and answers; a second one is asked when the first cannot tell all. */
async function askCluster(
  session: Session,
  world: World,
  change: Change,
  names: readonly string[],
  words: Parameters<typeof clusterSweepScript>[0],
): Promise<Sweep["cluster"]> {
  const script = clusterSweepScript(words);
  const through = Object.entries(change.survivors).filter(([name]) => isReachable(world.masters[name]));
  let last: Sweep["cluster"] = { unreachable: "no master to ask" };
  for (const [name, address] of through.slice(0, 2)) {
    last = await askHost(session.host(name, address), script, looking(90), (stdout) => clusterSweep(stdout, names));
    if (isReachable(last) && last.unknown.length === 0) return last;
  }
  return last;
}
