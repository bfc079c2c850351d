import type { HostIdentity } from "./host.ts";
import { type Declaration, type Inventory, namesOfHost } from "./inventory-groups.ts";
import { refuse } from "./inventory-ini.ts";
import { patternsWithout } from "./inventory-ranges.ts";
import { type HostPair, readYamlPairs } from "./inventory-yaml-read.ts";

/** A YAML inventory's groups and hosts. @throws Refusal naming the line that cannot be understood. */
export function readYaml(text: string): Inventory {
  const { pairs, declared, children } = readYamlPairs(text);
  return { hosts: pairs.flatMap(declarationsOf), declared, children, varsOf: [] };
}

function declarationsOf({ group, line, names, variables, port }: HostPair): Declaration[] {
  return names.map((name) => ({ group, name, line, variables, port }));
}

/** Takes the host's lines out of a YAML inventory; see `dropHost` of inventory.ts. */
export function dropFromYaml(
  text: string,
  host: HostIdentity,
): { text: string; dropped: { group: string; line: number }[] } {
  const names = namesOfHost(readYaml(text), host);
  const leaving = readYamlPairs(text).pairs.filter((pair) => pair.names.some((name) => names.has(name)));
  // Through an alias one pair is in several groups, but it is written, and taken out, once.
  const byPlace = new Map(leaving.map((pair) => [pair.start, pair]));
  const ordered = [...byPlace.values()].toSorted((a, b) => b.start - a.start);
  const dropped = leaving.map(({ group, line }) => ({ group, line })).sort((a, b) => a.line - b.line);
  return { text: ordered.reduce((now, pair) => cutPair(now, pair, names), text), dropped };
}

function cutPair(text: string, pair: HostPair, names: ReadonlySet<string>): string {
  const from = text.lastIndexOf("\n", pair.start - 1) + 1;
  const nextLine = text.indexOf("\n", pair.lastContent);
  const to = nextLine < 0 ? text.length : nextLine + 1;
  refuseUncuttable(text.slice(from, pair.start), pair);
  const rest = pair.names.every((name) => names.has(name)) ? [] : restOf(pair, names, text);
  const before = text.slice(from, pair.start);
  const behind = text.slice(pair.start + pair.pattern.length, to);
  const lineEnd = text.includes("\r\n") ? "\r\n" : "\n";
  const lines = rest.map((pattern, at) => {
    const whole = before + pattern + behind;
    return at < rest.length - 1 && !whole.endsWith("\n") ? whole + lineEnd : whole;
  });
  return text.slice(0, from) + lines.join("") + text.slice(to);
}

function restOf(pair: HostPair, names: ReadonlySet<string>, text: string): string[] {
  if (!text.startsWith(pair.pattern, pair.start))
    refuse(pair.line, "holds the host in a quoted range", "write it without quotes");
  return patternsWithout(pair.pattern, (name) => names.has(name));
}

function refuseUncuttable(indent: string, { line, inBraces, anchor }: HostPair): void {
  if (inBraces || indent.trim() !== "") {
    refuse(line, "holds the host between braces or behind other text", "write it on a line of its own");
  }
  if (anchor !== undefined)
    refuse(line, `holds the host with the anchor &${anchor}, which other lines may need`, "move the anchor first");
}
