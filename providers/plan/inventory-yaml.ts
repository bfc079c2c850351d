import { cutOf } from "./inventory-yaml-cut.ts";
import type { YamlInventory } from "./inventory-yaml-read.ts";
import { spliced } from "./inventory-yaml-splice.ts";

/** Takes the pairs of these names out of a YAML inventory; see `dropHost` of inventory.ts. */
export function dropFromYaml(
  file: YamlInventory,
  names: ReadonlySet<string>,
): { text: string; dropped: { group: string; line: number }[] } {
  const leaving = file.pairs.filter((pair) => pair.names.some((name) => names.has(name)));
  const dropped = leaving.map(({ group, line }) => ({ group, line })).sort((a, b) => a.line - b.line);
  // Through an alias one pair is in several groups, but it is written, and taken out, once.
  const byPlace = [...new Map(leaving.map((pair) => [pair.start, pair])).values()];
  const whole = leaving.filter((pair) => pair.names.every((name) => names.has(name)));
  const splices = byPlace.flatMap((pair) => cutOf(file, pair, names, whole));
  return { text: spliced(file.text, splices), dropped };
}
