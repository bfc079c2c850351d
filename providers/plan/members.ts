/** Who is who in etcd: declared hosts and live members. */
import { isCensus, revisionOf } from "./census.ts";
import { authorityOf } from "./etcd-conf.ts";
import type { EndpointStatus, ListedMember } from "./etcdctl.ts";
import { type EtcdFacts, type Hosts, isReachable } from "./facts.ts";
import { Refusal } from "./refusal.ts";
import { isAddressOf } from "./same-host.ts";
import type { ObservedMember } from "./topology.ts";
import { type Change, type World, entries, identityOf } from "./steps.ts";

/** The etcd facts of the first survivor that could ask, in the order declared. */
export function viewOfSurvivors(world: World, change: Change): { host: string; etcd: EtcdFacts } | undefined {
  for (const host of Object.keys(change.survivors)) {
    const facts = world.masters[host];
    if (isReachable(facts) && facts.etcd?.healthy === true) return { host, etcd: facts.etcd };
  }
  return undefined;
}

/** Every member that fits a host: by the exact host of its peer URL first, then by name. */
export function membersOf(name: string, hosts: Hosts, members: readonly ListedMember[]): ListedMember[] {
  const identity = identityOf(name, hosts);
  const byUrl = members.filter((member) =>
    member.peerURLs.some((url) => isAddressOf(identity, authorityOf(url)?.host ?? "")),
  );
  return byUrl.length > 0 ? byUrl : members.filter((member) => member.name === name);
}

/**
 * The member of a host, as `membersOf` finds it.
 * @throws Refusal when two members fit
 */
export function memberOf(name: string, hosts: Hosts, members: readonly ListedMember[]): ListedMember | undefined {
  const found = membersOf(name, hosts, members);
  if (found.length > 1)
    throw new Refusal(
      `refusing to choose: ${found.length} etcd members fit ${name}: ${found.map((member) => member.id).join(", ")}; remove the wrong one by hand first`,
    );
  return found[0];
}

/** Every host's member id that is known: name → id. */
export function memberIds(world: World, change: Change): Record<string, { id: string; peerURL: string }> {
  const members = viewOfSurvivors(world, change)?.etcd.members ?? [];
  return Object.fromEntries(
    entries(change.survivors).flatMap(([name]) => {
      const member = memberOf(name, change.survivors, members);
      return member === undefined ? [] : [[name, { id: member.id, peerURL: member.peerURLs[0] ?? "" }]];
    }),
  );
}

/** Every live member under its declared name (its own where nothing is declared), with health as each host tells it. */
export function observedMembers(world: World, change: Change, etcd: EtcdFacts): ObservedMember[] {
  const hosts = { ...change.leaving, ...change.survivors };
  const nameOf = new Map(
    Object.keys(hosts).flatMap((name) => {
      const member = memberOf(name, hosts, etcd.members);
      return member === undefined ? [] : [[member.id, name] as const];
    }),
  );
  return etcd.members.map((member) => {
    const name = nameOf.get(member.id) ?? (member.name || member.id);
    const facts = world.masters[name];
    const counted = isCensus(world.census) ? world.census.members[name] : undefined;
    const status = counted?.id === member.id ? counted.status : undefined;
    return {
      name,
      id: member.id,
      started: member.started,
      healthy: isReachable(facts) && facts.etcd?.healthy === true,
      leader: etcd.status?.leaderId === member.id,
      learner: member.learner,
      alarms: etcd.alarms.filter((alarm) => alarm.memberId === member.id).map((alarm) => alarm.alarm),
      version: versionOf(status ?? (isReachable(facts) ? facts.etcd?.status : undefined)),
      // only the census asks all at one moment: those of a busy cluster would differ by the time between two questions
      revision: revisionOf(status),
    };
  });
}

/** Empty when it is no version. */
const versionOf = (status: EndpointStatus | undefined): string =>
  /^\d+\.\d+[\w.+-]{0,40}$/.test(status?.version ?? "") ? (status?.version ?? "") : "";
