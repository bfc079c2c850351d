/** Pure: the sweep's findings as people read them, bounded: places of many hosts in one sentence, and where nobody could look. */
import { isReachable } from "./facts.ts";
import { shortened } from "./quote.ts";
import { type World, entries } from "./steps.ts";
import type { Finding, Outcome } from "./sweep-findings.ts";

/** Hosts and files that could not be looked into, and what of the cluster could not be asked; one line each, bounded. */
export function notSwept(world: World): string[] {
  const { sweep } = world;
  if (sweep === undefined) return [];
  const hosts = entries(sweep.hosts).flatMap(([name, facts]) =>
    isReachable(facts)
      ? [
          ...(facts.cut === "" ? [] : [`${name}, of which only a part was told (${facts.cut})`]),
          ...(facts.unread.length === 0 ? [] : [`${name}: ${shortened(facts.unread, 3)}`]),
        ]
      : [`${name} (${facts.unreachable})`],
  );
  const cluster = isReachable(sweep.cluster)
    ? sweep.cluster.unknown.map((one) => `the cluster: ${one}`)
    : [`the cluster's objects (${sweep.cluster.unreachable})`];
  const all = [...hosts, ...cluster];
  return all.length <= 12 ? all : [...all.slice(0, 12), `${all.length - 12} more`];
}

/** Sentences that are told at most. */
const mostTold = 20;

/** Those of one place on several hosts in one: `/etc/hosts:7 on master-0, master-1: delete the line …`. */
export function inWords(some: readonly Finding[], say: (outcome: Outcome) => string): string[] {
  const groups = new Map<string, { what: string; on: string[]; say: string }>();
  for (const one of some) {
    const what = one.lines.length === 0 ? one.what : `${one.what}:${shortened(one.lines.map(String), 5)}`;
    const key = `${what}\0${say(one.outcome)}`;
    const group = groups.get(key) ?? { what, on: [], say: say(one.outcome) };
    groups.set(key, { ...group, on: [...group.on, one.on] });
  }
  const told = [...groups.values()].map(
    ({ what, on, say }) =>
      `${what}${on[0] === "the cluster" ? "" : ` on ${shortened(on, 6)}`}${say === "" ? "" : `: ${say}`}`,
  );
  return told.length <= mostTold ? told : [...told.slice(0, mostTold), `${told.length - mostTold} more places`];
}
