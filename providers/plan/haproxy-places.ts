/** Where a line that comes back stands: among the lines of its section that are still there. */
import { alignLines } from "./align-lines.ts";
import { type ConfigLine, lineAt } from "./haproxy-lines.ts";
import { type ServerLine, where } from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { maskLine } from "./show.ts";
import type { TextLine } from "./text-lines.ts";

/** A section as it was when the host had servers there, and what it is now. */
export interface FormerSection {
  /** Of its file. */
  readonly path: string;
  readonly lines: readonly ConfigLine[];
  /** The lines behind which others may have been forgotten. */
  readonly gaps: ReadonlySet<ConfigLine>;
  /** Those of the host. */
  readonly servers: readonly ServerLine[];
  /** Empty when the section is gone. */
  readonly present: readonly ConfigLine[];
}

/** What was kept of the former files, and so what can be compared. */
export interface Memory {
  /** All of it: numbers and line ends of former lines are true. */
  readonly whole: boolean;
  /** Equal for a former and a present line that are the same. */
  readonly sameness: (line: ConfigLine) => string;
}

/** A server line that comes back, and the line of the present file behind which it goes. */
export interface Addition {
  readonly server: ServerLine;
  readonly put: ConfigLine;
  readonly behind: ConfigLine;
}

/** A server stays the same line when its options were changed in between. */
export function sameness(line: ConfigLine): string {
  return line.keyword === "server" ? `server\n${line.words[1] ?? ""}` : line.body;
}

/**
 * A place for each of the missing servers: behind the nearest line above that is still there, else in front of the
 * nearest below, else behind the section's last server.
 * @param text the section's file.
 * @throws Refusal naming the line above, when only a sketch is left and the place is between `.if` and `.endif`.
 */
export function placesFor(
  section: FormerSection,
  missing: readonly ServerLine[],
  text: readonly ConfigLine[],
  host: HostIdentity,
  memory: Memory,
): Addition[] {
  const { lines, present } = section;
  const stands = standing(section, missing, memory);
  const indexes = new Map(lines.map((line, at) => [line, at]));
  return missing.flatMap((server) => {
    const at = indexes.get(server.line) ?? 0;
    const behind = lineAbove(at, stands, present);
    if (!behind) return [];
    if (!memory.whole) refuseConditional(behind, text[behind.number], server, host);
    stands[at] = behind;
    return { server, behind, put: putBehind(text, behind, server.line, memory) };
  });
}

/** A section's end is a place like a line, one that both have. */
const END = "\n";

/** For each former line the line that it is now. The header is no anchor: it says nothing about the order. */
function standing(
  { lines, gaps, present }: FormerSection,
  missing: readonly ServerLine[],
  memory: Memory,
): (ConfigLine | undefined)[] {
  const lost = new Set(missing.map(({ line }) => line));
  const kept = lines.filter((line) => !lost.has(line));
  const loose = new Set<number>();
  let at = -1;
  for (const line of lines) {
    if (!lost.has(line)) at++;
    if (gaps.has(line)) loose.add(at);
  }
  const aligned = alignLines([...kept.map(sameness), END], [...present.map(memory.sameness), END], loose);
  const found = new Map(kept.map((line, at) => [line, aligned[at]]));
  return lines.map((line) => (found.get(line) ? present[found.get(line) ?? 0] : undefined));
}

/** The present line behind which former line `at` goes. */
function lineAbove(
  at: number,
  stands: readonly (ConfigLine | undefined)[],
  present: readonly ConfigLine[],
): ConfigLine | undefined {
  const above = stands.slice(0, at).findLast((line) => line !== undefined);
  const below = stands.slice(at + 1).find((line) => line !== undefined);
  return above ?? (below ? present[present.indexOf(below) - 1] : lastServer(present));
}

function lastServer(section: readonly ConfigLine[]): ConfigLine | undefined {
  return section.findLast((line) => line.keyword === "server") ?? section.findLast((line) => line.keyword !== "");
}

function putBehind(
  text: readonly ConfigLine[],
  { file, number, section, eol: above }: ConfigLine,
  { body, eol }: ConfigLine,
  { whole }: Memory,
): ConfigLine {
  const lent = number === text.length && whole ? "" : above || text[number]?.eol || endOf(text);
  return lineAt({ body, eol: eol || lent }, { file, number, section });
}

/** The file's lines with those that come back. */
export function merge(text: readonly ConfigLine[], added: readonly Addition[]): ConfigLine[] {
  const behind = new Map<ConfigLine, ConfigLine[]>();
  for (const each of added) behind.set(each.behind, [...(behind.get(each.behind) ?? []), each.put]);
  return text.flatMap((line) => [line, ...(behind.get(line) ?? [])]);
}

const endOf = (text: readonly TextLine[]): string => text.find((line) => line.eol !== "")?.eol ?? "\n";

/** Only a file's last line may lack its end: one that no longer is the last is lent one. */
export function withEnds(text: readonly TextLine[]): readonly TextLine[] {
  const last = text.length - 1;
  return text.map((line, at) =>
    line.eol === "" && at < last ? { body: line.body, eol: text[at + 1]?.eol || endOf(text) } : line,
  );
}

function refuseConditional(
  above: ConfigLine,
  below: ConfigLine | undefined,
  { line }: ServerLine,
  host: HostIdentity,
): void {
  const isInside = below ? below.conditional : above.keyword !== ".endif";
  if (!above.conditional || !isInside) return;
  throw new Refusal(
    `${where(above)} stands between .if and .endif, and "${maskLine(line.body.trim())}" of ${host.name} has its place ` +
      `behind it; put it back by hand`,
  );
}
