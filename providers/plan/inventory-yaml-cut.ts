/** Pure: which bytes of a YAML inventory a host's pair takes, in block and in flow, and what stands there without it. */
import { isScalar } from "yaml";
import { refuse } from "./inventory-ini.ts";
import { patternsWithout } from "./inventory-ranges.ts";
import { anchorsIn, handedOn } from "./inventory-yaml-anchor.ts";
import type { HostPair, YamlInventory } from "./inventory-yaml-read.ts";
import { lineEnd, lineStart, type Splice } from "./inventory-yaml-splice.ts";

/**
 * The pair without the hosts that leave: nothing, or the rest of its range with its variables repeated.
 * @throws Refusal when it cannot be taken out without changing what is not the host's
 */
export function cutOf(
  file: YamlInventory,
  pair: HostPair,
  names: ReadonlySet<string>,
  leaving: readonly HostPair[],
): Splice[] {
  const { text } = file;
  const place = placeOf(file, pair);
  const isWhole = pair.names.every((name) => names.has(name));
  if (isWhole) {
    return [...handedOn(file, pair, leaving), ...removal(text, place)];
  }
  const { patternAt } = pair;
  if (patternAt === undefined) return refuse(pair.line, "holds the host in a range with escapes", "write it without");
  const anchor = anchorsIn(pair)[0]?.anchor;
  const rest = patternsWithout(pair.pattern, (name) => names.has(name));
  if (anchor !== undefined && rest.length > 1)
    refuse(
      pair.line,
      `holds the host with the anchor &${anchor}, which cannot be there twice`,
      "move the anchor first",
    );
  refuseDoubled(pair, rest);
  const as = (pattern: string): string =>
    text.slice(place.from, patternAt) + pattern + text.slice(patternAt + pair.pattern.length, place.to);
  return [{ from: place.from, to: place.to, text: joined(text, place, rest.map(as)) }];
}

/** Where a pair stands: whole lines in block, else from its key to the end of its value. */
export interface PairPlace {
  readonly from: number;
  readonly to: number;
  readonly flow: boolean;
}

export function placeOf({ text }: YamlInventory, { written, start, lastContent, line }: HostPair): PairPlace {
  if (written === undefined)
    return refuse(line, "gives the host as the only one, without a mapping", "write `hosts:` with the host below it");
  if (written.map.flow === true) return { from: start, to: lastContent, flow: true };
  const from = lineStart(text, start);
  if (text.slice(from, start).trim() !== "")
    refuse(line, "holds the host behind other text", "write it on a line of its own");
  return { from, to: lineEnd(text, lastContent), flow: false };
}

/** Pairs one behind the other, as the place has them. */
export function joined(text: string, { flow }: PairPlace, pairs: readonly string[]): string {
  if (flow) return pairs.join(", ");
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  return pairs.map((each, at) => (at < pairs.length - 1 && !each.endsWith("\n") ? each + eol : each)).join("");
}

/** In flow the comma goes too: the one behind it, or that in front of the last; lines of its own go whole. */
export function removal(text: string, { from, to, flow }: PairPlace): Splice[] {
  if (!flow) return [{ from, to, text: "" }];
  const behind = /^\s*,/.exec(text.slice(to))?.[0].length;
  const end = to + (behind ?? 0);
  const start = lineStart(text, from);
  const tail = /^[ \t]*(?:#[^\r\n]*)?(\r?\n|$)/.exec(text.slice(end, lineEnd(text, end)));
  const isAlone = text.slice(start, from).trim() === "" && tail !== null && start > 0;
  const own = isAlone
    ? { from: start, to: end + tail[0].length, text: "" }
    : { from, to: end + (behind === undefined ? 0 : (/^[ \t]*/.exec(text.slice(end))?.[0].length ?? 0)), text: "" };
  if (behind !== undefined) return [own];
  const comma = commaBefore(text, from);
  if (comma === undefined) return [own];
  return isAlone ? [{ from: comma, to: comma + 1, text: "" }, own] : [{ ...own, from: comma }];
}

/** The comma in front of a pair, over spaces and lines of comment. */
function commaBefore(text: string, from: number): number | undefined {
  let at = from;
  for (;;) {
    at = text.slice(0, at).trimEnd().length;
    if (text.charAt(at - 1) === ",") return at - 1;
    const start = lineStart(text, at);
    const comment = /(^|[\s,])#/.exec(text.slice(start, at));
    if (comment === null) return undefined;
    at = start + comment.index + (comment[1]?.length ?? 0);
  }
}

/** A mapping has a key once: what is left of the range must not be there already. */
function refuseDoubled({ written, line, pattern }: HostPair, rest: readonly string[]): void {
  const there = (written?.map.items ?? []).map(({ key }) => (isScalar(key) ? key.value : undefined));
  const twice = rest.find((each) => each !== pattern && there.includes(each));
  if (twice !== undefined)
    refuse(line, `holds the host in a range beside ${twice}, which cannot be there twice`, "write that range out");
}
