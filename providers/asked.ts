/** Pure: the change that a resource's inputs ask for, beside those of before. */
import type { Inputs, Kind } from "./kind.ts";
import type { Hosts } from "./plan/facts.ts";
import type { Settings } from "./plan/settings.ts";
import type { Change } from "./plan/steps.ts";

/** `https://192.168.55.8:2380`, `192.168.55.8:8443`, `192.168.55.8` → `192.168.55.8`. */
export const addressIn = (value: string): string =>
  /^(?:https?:\/\/)?(?:\[([^\]]+)\]|([^:[\]]+|[0-9a-f:]+))(?::\d+)?$/i.exec(value)?.slice(1).find(Boolean) ?? value;

export const mapOf = (value: unknown): Record<string, string> =>
  typeof value === "object" && value !== null ? (value as Record<string, string>) : {};
export const listOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
export const addresses = (value: unknown): Record<string, string> =>
  Object.fromEntries(Object.entries(mapOf(value)).map(([name, one]) => [name, addressIn(one)]));
export const without = (hosts: Hosts, gone: Hosts): Record<string, string> =>
  Object.fromEntries(Object.entries(hosts).filter(([name]) => !(name in gone)));

export interface Asked {
  readonly change: Change;
  readonly retired: ReadonlySet<string>;
}

/**
 * The change that these inputs ask for: masters of the old list that the new one has not, and those retired before.
 * @param unfinished of the latter, those that a resource without an old list has to treat as leaving now
 */
export function changeOf(
  kind: Kind,
  settings: Settings,
  news: Inputs,
  olds: Inputs = {},
  unfinished: Hosts = {},
): Asked {
  const survivors = addresses(news[kind.list]);
  const before = { ...mapOf(olds["retired"]), ...mapOf(news["retired"]) };
  const leaving = without({ ...before, ...addresses(olds[kind.list]) }, survivors);
  const now = without(kind.list in olds ? addresses(olds[kind.list]) : unfinished, survivors);
  return {
    change: { survivors, leaving, settings },
    retired: new Set(Object.keys(leaving).filter((name) => !(name in now))),
  };
}

/** JSON with sorted keys: maps are equal whatever their order. */
export const sorted = (value: unknown): string =>
  JSON.stringify(value ?? null, (_key, one: unknown) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
