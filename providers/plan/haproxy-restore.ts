import { alignLines } from "./align-lines.ts";
import { type FilePlace, placeOf } from "./haproxy-files.ts";
import { refuseUneditable } from "./haproxy-guard.ts";
import { type ConfigFile, type ConfigLine, groupLines, lineAt, readFiles } from "./haproxy-lines.ts";
import { bySection, key, serverLines, serversOfHost, where, type ServerLine } from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { joinLines, type TextLine } from "./text-lines.ts";

/** A section as it was when the host had servers there, and what it is now. */
export interface FormerSection {
  readonly lines: readonly ConfigLine[];
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

/** See `restoreHost`; a section is found by its title and by which of that title it is. */
export function restoreFormer(
  files: readonly ConfigFile[],
  former: readonly ConfigFile[],
  host: HostIdentity,
): { files: ConfigFile[]; restored: FilePlace[] } {
  const now = readFiles(files);
  const before = readFiles(former);
  const present = groupLines(now, (line) => key(line.section));
  const lines = groupLines(before, (line) => key(line.section));
  const servers = bySection(serversOfHost(serverLines(before), host));
  const sections = [...servers].map(([of, ofHost]) => ({
    lines: lines.get(of) ?? [],
    servers: ofHost,
    present: present.get(of) ?? [],
  }));
  return putBack(files, now, sections, host, { whole: true, sameness });
}

/** A server stays the same line when its options were changed in between. */
export function sameness(line: ConfigLine): string {
  return line.keyword === "server" ? `server\n${line.words[1]?.value ?? ""}` : line.body;
}

/**
 * Puts back what the sections lack of the host, each line where it stood among those that are still there.
 * @throws Refusal as `restoreHost`, and when a line's place is between `.if` and `.endif` now.
 */
export function putBack(
  files: readonly ConfigFile[],
  now: readonly ConfigLine[],
  sections: readonly FormerSection[],
  host: HostIdentity,
  memory: Memory,
): { files: ConfigFile[]; restored: FilePlace[] } {
  const servers = bySection(serverLines(now));
  const lacking = sections
    .map((section) => ({ ...section, missing: missingOf(section, servers, host) }))
    .filter(({ missing }) => missing.length > 0);
  for (const { missing } of lacking) refuseUneditable(missing, host);
  const texts = groupLines(lacking.length > 0 ? now : [], (line) => line.file);
  const restored = lacking.flatMap((section) => insertAll(section, section.missing, texts, host, memory));
  const touched = new Set(restored.map(({ line }) => line.file));
  return {
    files: files.map((file) =>
      touched.has(file) ? { ...file, text: joinLines(withEnds(texts.get(file) ?? [])) } : file,
    ),
    restored: restored.map((server) => ({ ...placeOf(server), line: numberIn(texts, server.line) })),
  };
}

const numberIn = (texts: ReadonlyMap<ConfigFile, ConfigLine[]>, line: ConfigLine): number =>
  (texts.get(line.file) ?? []).indexOf(line) + 1;

function missingOf(
  { servers: former, present: [header] }: FormerSection,
  servers: ReadonlyMap<string, ServerLine[]>,
  host: HostIdentity,
): ServerLine[] {
  const now = (header && servers.get(key(header.section))) ?? [];
  const present = serversOfHost(now, host);
  if (present.length >= former.length) return [];
  const others = new Map(now.filter((each) => !present.includes(each)).map((each) => [each.name, each]));
  return former.filter((server) => {
    const taken = others.get(server.name);
    if (!taken) return !present.some((each) => each.name === server.name || each.address === server.address);
    throw new Refusal(
      `${where(taken.line)} already has a server ${taken.name} at ${taken.address}, which is not ${host.name}; ` +
        `rename one of them, then put ${server.address} back by hand`,
    );
  });
}

/** Inserts a section's missing lines into `texts`; the servers come back with their new lines, numbers yet unknown. */
function insertAll(
  { lines, present }: FormerSection,
  missing: readonly ServerLine[],
  texts: ReadonlyMap<ConfigFile, ConfigLine[]>,
  host: HostIdentity,
  memory: Memory,
): ServerLine[] {
  const [header] = present;
  if (!header) return refuseGone(missing, host, memory);
  const text = texts.get(header.file) ?? [];
  const stands = standing(lines, missing, present, memory);
  return missing.map((server) => {
    const above = lineAbove(lines.indexOf(server.line), stands, present);
    const put = insertBehind(text, above, server.line, header, memory);
    refuseConditional(text, put, host);
    stands[lines.indexOf(server.line)] = put;
    return { ...server, line: put };
  });
}

/** For each former line the line that it is now. The header is no anchor: it says nothing about the order. */
function standing(
  lines: readonly ConfigLine[],
  missing: readonly ServerLine[],
  present: readonly ConfigLine[],
  memory: Memory,
): (ConfigLine | undefined)[] {
  const lost = new Set(missing.map(({ line }) => line));
  const kept = lines.filter((line) => !lost.has(line));
  const aligned = alignLines(kept.map(sameness), present.map(memory.sameness));
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

function insertBehind(
  text: ConfigLine[],
  above: ConfigLine | undefined,
  { body, eol }: ConfigLine,
  { file, section }: ConfigLine,
  { whole }: Memory,
): ConfigLine {
  const at = above ? text.indexOf(above) + 1 : 0;
  const isLast = at === text.length;
  const lent = isLast && whole ? "" : ([above, ...text.slice(at)].find((each) => each?.eol)?.eol ?? endOf(text));
  const put = lineAt({ file, number: at + 1, body, eol: eol || lent, section, conditional: false });
  text.splice(at, 0, put);
  return put;
}

const endOf = (text: readonly TextLine[]): string => text.find((line) => line.eol !== "")?.eol ?? "\n";

/** Only a file's last line may lack its end: one that no longer is the last is lent one. */
function withEnds(text: readonly TextLine[]): readonly TextLine[] {
  const last = text.length - 1;
  return text.map((line, at) =>
    line.eol === "" && at < last ? { body: line.body, eol: text[at + 1]?.eol || endOf(text) } : line,
  );
}

function refuseConditional(text: readonly ConfigLine[], put: ConfigLine, host: HostIdentity): void {
  const at = text.indexOf(put);
  const [above, below] = [text[at - 1], text[at + 1]];
  const isInside = below ? below.conditional : above?.keyword !== ".endif";
  if (!above?.conditional || !isInside) return;
  throw new Refusal(
    `${where(above)} stands between .if and .endif, and "${put.body.trim()}" of ${host.name} has its place ` +
      `behind it; put it back by hand`,
  );
}

function refuseGone([first]: readonly ServerLine[], host: HostIdentity, { whole }: Memory): never {
  const [line, section] = [first?.line, first?.section];
  throw new Refusal(
    `${section?.title ?? ""} is no longer in ${line?.file.path ?? ""}, so "${line?.body.trim() ?? ""}" of ${host.name} ` +
      `${whole ? `(line ${line?.number ?? 0} of the former file) ` : ""}has no place; put it back by hand`,
  );
}
