/** Pure: what an edit of an inventory did to what it means. No values are told: any may be a secret. */
import type { Value, Variables } from "./inventory-groups.ts";
import type { Resolved, ResolvedGroup, ResolvedHost } from "./inventory-resolve.ts";
import { Refusal } from "./refusal.ts";

/** What may change. */
export interface Intended {
  /** The names that leave. */
  readonly leaving: ReadonlySet<string>;
  /** Those that move to the front of a group: their order is not compared. */
  readonly moved?: ReadonlySet<string>;
}

/**
 * The leaving hosts are gone, and nothing else is different: every other host has its groups and variables, every group
 * its variables, parents and order.
 * @throws Refusal naming the first difference
 */
export function proved(before: Resolved, after: Resolved, intended: Intended): void {
  const difference = differenceOf(before, after, intended);
  if (difference !== undefined)
    throw new Refusal(
      `taking out ${[...intended.leaving].join(", ")} would change the inventory otherwise: ${difference}; edit it by hand`,
    );
}

/** The first difference that was not intended, in words. */
export function differenceOf(before: Resolved, after: Resolved, intended: Intended): string | undefined {
  const compared = new Map<Variables, Variables>();
  for (const [name, host] of before.hosts) {
    const now = after.hosts.get(name);
    if (intended.leaving.has(name)) {
      if (now) return `${name} would still be in ${now.groups.filter((group) => group !== "all").join(", ")}`;
      continue;
    }
    const change = now ? ofHost(host, now, compared) : "would be gone";
    if (change !== undefined) return `${name} ${change}`;
  }
  const added = [...after.hosts.keys()].find((name) => !before.hosts.has(name));
  if (added !== undefined) return `${added} would be added`;
  for (const [name, group] of before.groups) {
    const now = after.groups.get(name);
    const change = now ? ofGroup(group, now, intended) : "would be gone";
    if (change !== undefined) return `the group ${name} ${change}`;
  }
  return undefined;
}

/** @param compared what the hosts before have inherited from their groups, and those now, when the same */
function ofHost(before: ResolvedHost, after: ResolvedHost, compared: Map<Variables, Variables>): string | undefined {
  const lost = before.groups.find((group) => !after.groups.includes(group));
  if (lost !== undefined) return `would leave the group ${lost}`;
  const joined = after.groups.find((group) => !before.groups.includes(group));
  if (joined !== undefined) return `would join the group ${joined}`;
  const isKnown = compared.get(before.inherited) === after.inherited;
  const key = otherKey(before.own, after.own) ?? (isKnown ? undefined : otherKey(before.inherited, after.inherited));
  if (key === undefined) compared.set(before.inherited, after.inherited);
  return key === undefined ? undefined : `would have another value of ${key}`;
}

function ofGroup(before: ResolvedGroup, after: ResolvedGroup, { leaving, moved }: Intended): string | undefined {
  const key = otherKey(before.variables, after.variables);
  if (key !== undefined) return `would have another value of ${key}`;
  if (before.priority !== after.priority) return "would have another priority";
  if (!isSame(before.parents.toSorted(), after.parents.toSorted())) return "would have other parents";
  const order = (names: readonly string[]): string[] =>
    names.filter((name) => !leaving.has(name) && moved?.has(name) !== true);
  return isSame(order(before.hosts), order(after.hosts)) ? undefined : "would have its hosts in another order";
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((each, at) => each === b[at]);

/** A key that has not the same value in both. */
export function otherKey(before: Variables, after: Variables): string | undefined {
  if (before === after) return undefined;
  const gone = [...after.keys()].find((key) => !before.has(key));
  if (gone !== undefined) return gone;
  for (const [key, value] of before) if (!isSameValue(value, after.get(key))) return key;
  return undefined;
}

/** With all that it takes the place of, so that it is the same whatever Ansible's `hash_behaviour` is. */
const isSameValue = (a: Value | undefined, b: Value | undefined): boolean =>
  a === b || (a !== undefined && a.text === b?.text && a.form === b.form && isSameValue(a.over, b.over));
