/** Pure: a host becomes the first of a group of a YAML inventory; see inventory-first.ts. */
import type { Move } from "./inventory-first.ts";
import { refuse } from "./inventory-ini.ts";
import { patternsWithout } from "./inventory-ranges.ts";
import { joined, placeOf, removal } from "./inventory-yaml-cut.ts";
import type { HostPair, YamlInventory } from "./inventory-yaml-read.ts";
import { lineStart, type Splice, spliced } from "./inventory-yaml-splice.ts";

/** @throws Refusal naming the line that cannot be split or moved */
export function toFrontOfYaml(file: YamlInventory, { owner, name }: Move): string {
  const { text, pairs } = file;
  const own = pairs.filter((pair) => pair.group === owner);
  const [first] = own;
  const from = own.find(({ names }) => names.includes(name));
  if (!first || !from) return text;
  if (first.written?.map !== from.written?.map)
    refuse(from.line, `has ${name} in another mapping than the first of ${owner}`, "put it in front by hand");
  const after = spliced(text, moved(file, first, from, name));
  return text.endsWith("\n") ? after : after.replace(/\r?\n$/, "");
}

function moved(file: YamlInventory, first: HostPair, from: HostPair, name: string): Splice[] {
  const { text } = file;
  const place = placeOf(file, from);
  const { patternAt, pattern } = from;
  const as = (other: string): string => {
    if (patternAt === undefined) return refuse(from.line, "has the host in a range with escapes", "write it without");
    return text.slice(place.from, patternAt) + other + text.slice(patternAt + pattern.length, place.to);
  };
  const rest = patternsWithout(pattern, (each) => each === name);
  if (first === from) return [{ ...place, text: joined(text, place, [name, ...rest].map(as)) }];
  const target = placeOf(file, first);
  if (rest.length > 0) {
    const put = joined(text, place, [as(name), ""]);
    return [
      { from: target.from, to: target.from, text: put },
      { ...place, text: joined(text, place, rest.map(as)) },
    ];
  }
  const start = place.flow ? place.from : commentsAbove(text, place.from);
  const at = target.flow ? target.from : frontOf(text, target.from);
  const put = joined(text, place, [text.slice(start, place.to), ""]);
  return [{ from: at, to: at, text: put }, ...removal(text, { ...place, from: start })];
}

/** Where the comments right above a pair begin. */
function commentsAbove(text: string, at: number): number {
  let start = at;
  while (start > 0 && /^[ \t]*#/.test(text.slice(lineStart(text, start - 1), start)))
    start = lineStart(text, start - 1);
  return start;
}

/** In front of the first pair: those right below `hosts:` are the group's, those behind a blank line the pair's. */
function frontOf(text: string, at: number): number {
  const start = commentsAbove(text, at);
  return start > 0 && text.slice(lineStart(text, start - 1), start).trim() === "" ? start : at;
}
