/** What a stack remembers of haproxy's files: enough to put a lost line back, nothing that is secret. */
import { hash } from "node:crypto";
import type { FilePlace } from "./haproxy-files.ts";
import { type ConfigFile, type ConfigLine, groupBy, lineAt, readFiles, type Section } from "./haproxy-lines.ts";
import { type FormerSection, sameness } from "./haproxy-places.ts";
import { putBack } from "./haproxy-restore.ts";
import { bySection, key, serverLines, serversOfHost } from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";
import { maskLine } from "./show.ts";

/**
 * What is remembered of the sections in which the hosts have servers, so that lost lines can come back where they
 * were. Key: `<path> <section title>`, with ` #2` for the second of the same title in that file; value: lines joined by
 * `\n`. A server line is there as it is, a line near one as `~` and four hex digits of its hash: its place can be found
 * again, and a secret cannot be guessed from it.
 */
export type Sketch = Readonly<Record<string, string>>;

/** Lines above and below a server line that are remembered. */
const NEAR = 3;

/**
 * The same files and hosts give the same sketch.
 * @throws Refusal as `dropFrom`, when it cannot be told which lines are a host's.
 */
export function sketchOf(files: readonly ConfigFile[], hosts: readonly HostIdentity[]): Sketch {
  const lines = readFiles(files);
  const servers = serverLines(lines);
  const wanted = new Set(hosts.flatMap((host) => serversOfHost(servers, host)).map(({ section }) => section));
  const shorten = shortener();
  return Object.fromEntries(
    [...sectionsOf(lines)]
      .filter(([, [header]]) => header && wanted.has(header.section))
      .map(([of, section]) => [of, sketchLines(section, shorten).join("\n")]),
  );
}

/**
 * Puts a host's lost server lines back as `restoreHost` does, with the line end of their neighbours. A line that is
 * remembered as a hash only stays lost.
 * @throws Refusal naming file, section and line, when the section is gone or the server's name now stands for another
 *   host.
 */
export function restoreIn(
  files: readonly ConfigFile[],
  sketch: Sketch,
  host: HostIdentity,
): { files: ConfigFile[]; restored: FilePlace[] } {
  const now = readFiles(files);
  const present = sectionsOf(now);
  const former = Object.entries(sketch).map(([of, text], at) => formerSection(of, text, at));
  const servers = bySection(serversOfHost(serverLines(former.flatMap(({ lines }) => lines)), host));
  const sections = former.flatMap(({ of, path, lines }): FormerSection[] => {
    const ofHost = lines[0] && servers.get(key(lines[0].section));
    return ofHost ? [{ path, lines, gaps: gapsIn(lines), servers: ofHost, present: present.get(of) ?? [] }] : [];
  });
  const shorten = shortener();
  return putBack(files, now, sections, host, {
    whole: false,
    sameness: (line) => (isShown(line) ? sameness(line) : shorten(line.body)),
  });
}

/** Each backend and listen under its key of the sketch. */
function sectionsOf(lines: readonly ConfigLine[]): Map<string, ConfigLine[]> {
  const seen = new Map<string, number>();
  const sections = [...groupBy(lines, (line) => line.section).values()];
  return new Map(
    sections.map((section) => {
      const of = `${section[0]?.file.path ?? ""} ${section[0]?.section.title ?? ""}`;
      const nth = (seen.get(of) ?? 0) + 1;
      seen.set(of, nth);
      return [nth > 1 ? `${of} #${nth}` : of, section];
    }),
  );
}

function sketchLines(section: readonly ConfigLine[], shorten: (body: string) => string): string[] {
  const isNear = new Uint8Array(section.length);
  section.forEach((line, at) => {
    if (isServer(line)) isNear.fill(1, Math.max(0, at - NEAR), at + NEAR + 1);
  });
  return section.filter((_, at) => isNear[at] === 1).map((line) => (isShown(line) ? line.body : shorten(line.body)));
}

const isServer = (line: ConfigLine): boolean => line.keyword === "server";
const isShown = (line: ConfigLine): boolean => isServer(line) && maskLine(line.body) === line.body;

/** `~3f0a` for a line's body. A section may repeat a line thousands of times. */
function shortener(): (body: string) => string {
  const known = new Map<string, string>();
  return (body) => {
    const short = known.get(body) ?? `~${hash("sha256", body).slice(0, 4)}`;
    known.set(body, short);
    return short;
  };
}

/** A section of the sketch as lines; a refusal cannot name their numbers in the file, and says so. */
function formerSection(
  of: string,
  text: string,
  occurrence: number,
): { of: string; path: string; lines: ConfigLine[] } {
  const [, path = of, kind = "", name = ""] = /^(.+?) (backend|listen) (.*?)(?: #\d+)?$/.exec(of) ?? [];
  const file = { path: `what is remembered of ${path},`, text: "" };
  const section: Section = { kind, name, title: `${kind} ${name}`, occurrence, defaults: undefined };
  const lines = text.split("\n").map((body, at) => lineAt({ body, eol: "" }, { file, number: at + 1, section }));
  return { of, path, lines };
}

/**
 * What lies further than three lines from any server line was left out: between two of them behind the third line, and
 * at the end. Among more than six, one is a server line that is not shown.
 */
function gapsIn(lines: readonly ConfigLine[]): Set<ConfigLine> {
  const gaps = new Set<ConfigLine>();
  let since = 0;
  lines.forEach((line, at) => {
    since = isServer(line) ? 0 : since + 1;
    const until = lines.slice(at + 1, at + 1 + NEAR).findIndex(isServer);
    if (since >= NEAR && until < 0) gaps.add(line);
  });
  return gaps;
}
