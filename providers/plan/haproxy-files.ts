import { refuseDetours } from "./haproxy-detours.ts";
import { refuseAllDisabled, refuseEmptied, isWeightless, refuseUneditable } from "./haproxy-guard.ts";
import { type ConfigFile, type ConfigLine, readFiles } from "./haproxy-lines.ts";
import { refuseReferences } from "./haproxy-references.ts";
import { isMark, portPart, serverLines, serversOfHost, where, type ServerLine } from "./haproxy-servers.ts";
import { wordsOf } from "./haproxy-words.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";

/** Where a server line of a host stands: `{ section: "backend mgmt8443", server: "master0", line: 42 }` (1-based). */
export interface ServerPlace {
  readonly section: string;
  readonly server: string;
  readonly line: number;
}

/** A server of a backend or listen section; `address` is `host:port` as written, without quotes. */
export interface ServerEntry extends ServerPlace {
  readonly address: string;
  readonly disabled: boolean;
}

/** `file` is a path; `line` counts within that file. */
export interface FilePlace extends ServerPlace {
  readonly file: string;
}

/** `port` as written behind the address; undefined when there is none, when it is relative (`+1000`) or no number. */
export interface FileEntry extends ServerEntry {
  readonly file: string;
  readonly port: number | undefined;
  /** Disabled by `disableIn`; what an administrator disabled is not ours to enable. */
  readonly marked: boolean;
  /** `weight 0`: haproxy calls it drained, always. */
  readonly weightless: boolean;
}

/**
 * Takes a host's `server` lines out of every backend and listen section of the files; every other byte stays, and a
 * file without such a line is the object given. Source: OpenShift 3.11 Day Two Operations Guide, "Decommissioning a
 * master host".
 * @throws Refusal naming file, line and section, when a section would keep no server that takes traffic, when another
 *   line needs the server by name or leads to the host, or when it cannot be told what a line means.
 */
export function dropFrom(
  files: readonly ConfigFile[],
  host: HostIdentity,
): { files: ConfigFile[]; dropped: FilePlace[] } {
  const { lines, servers, ofHost } = read(files, host);
  refuseUneditable(ofHost, host);
  refuseEmptied(servers, ofHost, host);
  refuseReferences(lines, servers, ofHost, host);
  refuseDetours(lines, ofHost, host);
  const edits = new Map(ofHost.map(({ line }) => [line, undefined]));
  return { files: rewrite(files, lines, edits), dropped: ofHost.map(placeOf) };
}

/**
 * Every server of the backends and listens, in file order.
 * @throws Refusal naming a server line that cannot be read.
 */
export function serversIn(files: readonly ConfigFile[]): FileEntry[] {
  return serverLines(readFiles(files)).map(entryOf);
}

/**
 * The servers that stand for one host, in file order.
 * @throws Refusal as `dropFrom`, when that cannot be told.
 */
export function serversOfHostIn(files: readonly ConfigFile[], host: HostIdentity): FileEntry[] {
  return read(files, host).ofHost.map(entryOf);
}

/** What `disableIn` writes: haproxy's word, and a comment by which it is told from an administrator's own. */
const ourMark = " disabled #openshift-masters";
const isOurs = ({ line }: ServerLine): boolean => line.body.includes(ourMark);

/**
 * Marks a host's server lines `disabled`, or takes that very mark off again: what a reload uses for a drain where the
 * stats socket is not admin-level. On and off again gives the same bytes; a line that somebody else disabled stays so.
 * @param only which of the host's server lines are meant, e.g. those of one port; default all.
 * @throws Refusal naming file, line and section, when a section would keep no enabled server, or when it cannot be told
 *   what a line means.
 */
export function disableIn(
  files: readonly ConfigFile[],
  host: HostIdentity,
  disabled: boolean,
  only: (entry: FileEntry) => boolean = () => true,
): { files: ConfigFile[]; changed: FilePlace[] } {
  const { lines, servers, ofHost } = read(files, host);
  const meant = ofHost.filter((server) => only(entryOf(server)) && (disabled ? !server.disabled : isOurs(server)));
  refuseUneditable(meant, host);
  if (disabled) refuseAllDisabled(servers, meant, host);
  const edits = new Map(
    meant.map((server) => [server.line, disabled ? marked(server, ourMark) : server.line.body.replace(ourMark, "")]),
  );
  return { files: rewrite(files, lines, edits), changed: meant.map(placeOf) };
}

/** The same with nothing but haproxy's word, whoever wrote it. @throws Refusal also for a mark of a `default-server` line */
export function switchIn(
  files: readonly ConfigFile[],
  host: HostIdentity,
  disabled: boolean,
): { files: ConfigFile[]; changed: FilePlace[] } {
  const { lines, servers, ofHost } = read(files, host);
  refuseUneditable(ofHost, host);
  if (disabled) refuseAllDisabled(servers, ofHost, host);
  const changing = ofHost.filter((server) => server.disabled !== disabled);
  const edits = new Map(
    changing.map((server) => [server.line, disabled ? marked(server, " disabled") : unmarked(server, host)]),
  );
  return { files: rewrite(files, lines, edits), changed: changing.map(placeOf) };
}

function read(
  files: readonly ConfigFile[],
  host: HostIdentity,
): { lines: ConfigLine[]; servers: ServerLine[]; ofHost: ServerLine[] } {
  const lines = readFiles(files);
  const servers = serverLines(lines);
  return { lines, servers, ofHost: serversOfHost(servers, host) };
}

export const placeOf = ({ line, name }: ServerLine): FilePlace => ({
  file: line.file.path,
  section: line.section.title,
  server: name,
  line: line.number,
});

const entryOf = (server: ServerLine): FileEntry => ({
  ...placeOf(server),
  address: server.address,
  port: portPart(server.address),
  disabled: server.disabled,
  marked: isOurs(server),
  weightless: isWeightless(server),
});

/** The files with other bodies for some lines, or without them; a file without an edit is the object given. */
function rewrite(
  files: readonly ConfigFile[],
  lines: readonly ConfigLine[],
  edits: ReadonlyMap<ConfigLine, string | undefined>,
): ConfigFile[] {
  const edited = new Set([...edits.keys()].map((line) => line.file));
  return files.map((file) =>
    edited.has(file)
      ? {
          ...file,
          text: textOf(
            file,
            lines.filter((line) => line.file === file),
            edits,
          ),
        }
      : file,
  );
}

/** What is not edited is cut from the text as it is. */
function textOf(
  { text }: ConfigFile,
  lines: readonly ConfigLine[],
  edits: ReadonlyMap<ConfigLine, string | undefined>,
): string {
  let [result, from, to] = ["", 0, 0];
  for (const line of lines) {
    const next = to + line.body.length + line.eol.length;
    if (edits.has(line)) {
      const body = edits.get(line);
      result += text.slice(from, to) + (body === undefined ? "" : body + line.eol);
      from = next;
    }
    to = next;
  }
  return result + text.slice(from);
}

function marked({ line }: ServerLine, mark: string): string {
  const end = wordsOf(line.body).words.at(-1)?.end ?? line.body.length;
  return `${line.body.slice(0, end)}${mark}${line.body.slice(end)}`;
}

function unmarked({ line }: ServerLine, host: HostIdentity): string {
  const values = line.words;
  const marks = wordsOf(line.body).words.filter((_, at) => at >= 3 && isMark(values, at));
  if (marks.length === 0) {
    throw new Refusal(`${where(line)}: ${host.name} is disabled by a default-server line; enable it there by hand`);
  }
  return marks.reduceRight((body, { start, end }) => body.slice(0, start).trimEnd() + body.slice(end), line.body);
}
