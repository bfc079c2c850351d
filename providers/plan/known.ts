/** Who the hosts were at the last `up`: the machine ids of masters and load balancers, and the ids of the masters' etcd members. */
import { type Hosts, isReachable } from "./facts.ts";
import { memberOf, viewOfSurvivors } from "./members.ts";
import { Refusal } from "./refusal.ts";
import { type Change, type World, entries } from "./steps.ts";

export interface KnownHost {
  /** Of /etc/machine-id, hexadecimal; absent: never told. */
  readonly machine?: string;
  /** Of its etcd member, hexadecimal; absent: it never had one. */
  readonly member?: string;
}
export type Known = Readonly<Record<string, KnownHost>>;

/** Risks by which a host is accepted that is another than it was. */
export const changedRisk = { machine: "machine-changed", member: "member-changed" } as const;
export const isAcknowledged = (change: Change, what: keyof KnownHost, name: string): boolean =>
  change.settings.acknowledge.includes(`${changedRisk[what]}:${name}`);

/** Of a state's inputs; what is no such map is none. */
export function knownIn(value: unknown): Known {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>).flatMap(([name, one]) => {
      if (typeof one !== "object" || one === null) return [];
      const { machine, member } = one as Record<string, unknown>;
      return [[name, { ...(isId(machine) && { machine }), ...(isId(member) && { member }) }]];
    }),
  );
}
const isId = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f]{1,64}$/.test(value);

/** As they show themselves now. */
export function seenHosts(world: World, change: Change): Known {
  const hosts: Hosts = { ...change.leaving, ...change.survivors };
  const members = viewOfSurvivors(world, change)?.etcd.members ?? [];
  const all = [
    ...entries<object>(world.masters).filter(([name]) => name in hosts),
    ...entries<object>(world.balancers),
  ];
  return Object.fromEntries(
    all.map(([name, facts]) => {
      const machine =
        isReachable(facts) && "identity" in facts ? (facts.identity as { machineId: string }).machineId : "";
      const member = name in hosts ? idOf(() => memberOf(name, hosts, members)?.id) : undefined;
      return [name, { ...(isId(machine) && { machine }), ...(isId(member) && { member }) }];
    }),
  );
}

function idOf(ask: () => string | undefined): string | undefined {
  try {
    return ask();
  } catch (error) {
    // two members fit: that is refused as such
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** What is to be remembered: what was first seen, until another is acknowledged. Nobody is forgotten who cannot be asked, or has left. */
export function remembered(world: World, change: Change, before: Known): Known {
  const seen = seenHosts(world, change);
  const kept = Object.keys({ ...before, ...seen }).map((name) => {
    const [was, is] = [before[name] ?? {}, seen[name] ?? {}];
    const one = (what: keyof KnownHost) =>
      was[what] === undefined || isAcknowledged(change, what, name) ? (is[what] ?? was[what]) : was[what];
    const [machine, member] = [one("machine"), one("member")];
    return [name, { ...(machine !== undefined && { machine }), ...(member !== undefined && { member }) }] as const;
  });
  return Object.fromEntries(kept);
}
