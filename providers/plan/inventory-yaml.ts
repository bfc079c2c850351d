import type { HostIdentity } from "./host.ts";
import { type Inventory, namesOfHost } from "./inventory-groups.ts";
import { resolve } from "./inventory-resolve.ts";
import { cutOf, spliced } from "./inventory-yaml-cut.ts";
import { readYamlPairs } from "./inventory-yaml-read.ts";

/** A YAML inventory's groups and hosts. @throws Refusal naming the line that cannot be understood. */
export const readYaml = (text: string): Inventory => readYamlPairs(text).inventory;

/** Takes the host's lines out of a YAML inventory; see `dropHost` of inventory.ts. */
export function dropFromYaml(
  text: string,
  host: HostIdentity,
): { text: string; dropped: { group: string; line: number }[] } {
  const file = readYamlPairs(text);
  const names = namesOfHost(file.inventory, resolve([file.inventory]), host);
  const leaving = file.pairs.filter((pair) => pair.names.some((name) => names.has(name)));
  const dropped = leaving.map(({ group, line }) => ({ group, line })).sort((a, b) => a.line - b.line);
  // Through an alias one pair is in several groups, but it is written, and taken out, once.
  const byPlace = [...new Map(leaving.map((pair) => [pair.start, pair])).values()];
  const whole = leaving.filter((pair) => pair.names.every((name) => names.has(name)));
  return { text: spliced(text, byPlace.flatMap((pair) => cutOf(file, pair, names, whole))), dropped };
}
