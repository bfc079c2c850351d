/**
 * Pure: a host comes back into a YAML inventory. What taking it out of the former file does is done the other way round, where the
 * lines of both files that are at the same path stand for each other: so a pair, a rest of a range, a flow mapping and an anchor come back to the byte.
 */
import { alignLines } from "./align-lines.ts";
import type { GroupPlace } from "./inventory-file.ts";
import { type Insertion, withInsertions } from "./inventory-insert.ts";
import { otherKey } from "./inventory-proof.ts";
import { expandPattern, patternsWithout } from "./inventory-ranges.ts";
import { cutOf, joined, placeOf } from "./inventory-yaml-cut.ts";
import { type Hunk, hunksOf, textOfRest } from "./inventory-yaml-hunks.ts";
import { type PlacedLine, placed } from "./inventory-yaml-lines.ts";
import { type HostPair, type YamlInventory, readYamlPairs } from "./inventory-yaml-read.ts";
import { spliced } from "./inventory-yaml-splice.ts";
import { Refusal, unlessRefused } from "./refusal.ts";
import { joinLines, splitLines } from "./text-lines.ts";

/** See `restoreNames` of inventory.ts. */
export function restoreToYaml(
  text: string,
  previous: string,
  names: ReadonlySet<string>,
): { text: string; restored: GroupPlace[] } {
  const now = readYamlPairs(text);
  const former = readYamlPairs(previous);
  const missing = missingIn(now, former, names);
  if (missing.length === 0) return { text, restored: [] };
  try {
    return proved(broughtBack(text, former, missing), missing);
  } catch (error) {
    if (!(error instanceof Refusal) || missing.every(({ rest }) => rest.length === 0)) throw error;
    const own = unlessRefused(() => {
      const apart = readYamlPairs(writtenApart(former, missing));
      return proved(broughtBack(text, apart, missingIn(now, apart, names)), missing);
    });
    if (own === undefined) throw error;
    return own;
  }
}

/** A pair of the former file with the host, in a group that has it no more. */
interface Missing {
  readonly pair: HostPair;
  /** The host's, of those that the pair stands for. */
  readonly names: ReadonlySet<string>;
  /** What the pair is without them. */
  readonly rest: readonly string[];
}

function missingIn(now: YamlInventory, former: YamlInventory, all: ReadonlySet<string>): Missing[] {
  const there = new Set(now.inventory.hosts.filter(({ name }) => all.has(name)).map(({ group }) => group));
  return former.pairs.flatMap((pair) => {
    const names = new Set(pair.names.filter((name) => all.has(name)));
    if (names.size === 0 || there.has(pair.group)) return [];
    const isWhole = names.size === pair.names.length;
    return [{ pair, names, rest: isWhole ? [] : patternsWithout(pair.pattern, (name) => names.has(name)) }];
  });
}

/** Through an alias one pair is in several groups. */
const byPlace = (missing: readonly Missing[]): Missing[] => [
  ...new Map(missing.map((one) => [one.pair.start, one])).values(),
];

function broughtBack(text: string, former: YamlInventory, missing: readonly Missing[]): string {
  const whole = missing.filter(({ rest }) => rest.length === 0).map(({ pair }) => pair);
  const splices = byPlace(missing).flatMap(({ pair, names }) => cutOf(former, pair, names, whole));
  const hunks = hunksOf(former.text, splices);
  const base = placed(textOfRest(former.text, hunks));
  const lines = placed(text);
  const aligned = alignLines(
    base.map(({ key }) => key),
    lines.map(({ key }) => key),
  );
  const then = placed(former.text);
  const insertions = hunks.map((hunk) => insertionOf(hunk, { base, lines, aligned, then }));
  return joinLines(withInsertions(splitLines(text), insertions));
}

interface Aligned {
  readonly base: readonly PlacedLine[];
  readonly lines: readonly PlacedLine[];
  readonly aligned: readonly (number | undefined)[];
  readonly then: readonly PlacedLine[];
}

function insertionOf(hunk: Hunk, so: Aligned): Insertion {
  const { rest, at, lines } = hunk;
  if (rest.length === 0) return { at: placeFor(hunk, so), replaced: 0, lines };
  const first = so.aligned[at];
  if (first !== undefined && rest.every(({ body }, n) => so.lines[first + n]?.body === body))
    return { at: first, replaced: rest.length, lines };
  throw new Refusal(
    `line ${hunk.from + 1} of the former file was "${shown(lines[0]?.body)}" and would be "${shown(rest[0]?.body)}" without it, and the inventory has neither now`,
  );
}

/** No values: any may be a secret. */
const shown = (body = ""): string => /^\s*([^:{[]*)/.exec(body)?.[1]?.trimEnd() ?? "";

/** Behind the nearest host above that both files have in that mapping, else in front of the nearest below, else behind the last one. */
function placeFor({ from, at }: Hunk, { base, lines, aligned, then }: Aligned): number {
  const own = then[from];
  if (own === undefined) return lines.length;
  const [left, right] = [aligned[at - 1], aligned[at]];
  const isSame = (n: number, now = aligned[n]): boolean => now !== undefined && lines[now]?.indent === base[n]?.indent;
  if (left !== undefined && right === left + 1 && isSame(at - 1) && isSame(at)) return right;
  const isWithin = ({ path }: PlacedLine): boolean => path === own.path || path.startsWith(`${own.path}\0`);
  const known = base
    .map((line, n) => ({ line, n, now: aligned[n] }))
    .filter((one): one is { line: PlacedLine; n: number; now: number } => one.now !== undefined);
  const above = known.findLast(({ line, n }) => n < at && isWithin(line));
  const below = known.find(({ line, n }) => n >= at && line.path === own.path && line.indent === own.indent);
  const header = known.find(({ line }) => line.owns === own.path);
  const near = above ?? below ?? header;
  if (near === undefined)
    throw new Refusal(`the mapping of line ${from + 1} of the former file is no longer there, so it has no place`);
  const isIndented =
    (near === header ? near.line.indent < own.indent : true) && lines[near.now]?.indent === near.line.indent;
  if (!isIndented)
    throw new Refusal(
      `the mapping of line ${from + 1} of the former file is now indented otherwise, so it has no place`,
    );
  if (near === below) return near.now;
  return behind(lines, near.now, own.indent - (near === header ? 1 : 0));
}

/** Behind what is further in than `indent`, below a line. */
function behind(lines: readonly PlacedLine[], from: number, indent: number): number {
  let end = from + 1;
  for (let at = end; at < lines.length; at += 1) {
    const line = lines[at];
    if (line === undefined || line.body.trim() === "") continue;
    if (line.indent <= indent) break;
    end = at + 1;
  }
  return end;
}

/** The former file with the host as a pair of its own, out of its ranges. */
function writtenApart(former: YamlInventory, missing: readonly Missing[]): string {
  const { text } = former;
  return spliced(
    text,
    byPlace(missing).flatMap(({ pair, names, rest }) => {
      if (rest.length === 0 || pair.patternAt === undefined) return [];
      const { patternAt, pattern } = pair;
      const place = placeOf(former, pair);
      const all = [
        ...rest.map((one) => ({ one, first: expandPattern(one)[0] ?? one })),
        ...[...names].map((one) => ({ one, first: one })),
      ];
      const order = all.toSorted((a, b) => pair.names.indexOf(a.first) - pair.names.indexOf(b.first));
      const as = (other: string): string =>
        text.slice(place.from, patternAt) + other + text.slice(patternAt + pattern.length, place.to);
      return [
        {
          from: place.from,
          to: place.to,
          text: joined(
            text,
            place,
            order.map(({ one }) => as(one)),
          ),
        },
      ];
    }),
  );
}

/** The host is in every group again where it was missing, with its variables. */
function proved(text: string, missing: readonly Missing[]): { text: string; restored: GroupPlace[] } {
  const { pairs } = understood(text);
  const restored = missing.flatMap(({ pair: { group, variables, port }, names }) =>
    [...names].map((name) => {
      const there = pairs.filter((one) => one.group === group && one.names.includes(name));
      const same = there.find((one) => one.port === port && otherKey(variables, one.variables) === undefined);
      if (same !== undefined) return { group, line: same.line };
      const key = otherKey(variables, there[0]?.variables ?? new Map());
      throw new Refusal(
        there.length === 0
          ? `with its former lines ${name} would not be in ${group}`
          : `with its former lines ${name} would have another value of ${key ?? "ansible_port"} than it had`,
      );
    }),
  );
  return { text, restored: restored.toSorted((a, b) => a.line - b.line) };
}

function understood(text: string): YamlInventory {
  try {
    return readYamlPairs(text);
  } catch (error) {
    if (error instanceof Refusal)
      throw new Refusal(`with its former lines it would not be understood (${error.message})`);
    throw error;
  }
}
