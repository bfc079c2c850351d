import {
  refuseAllDisabled,
  refuseEmptied,
  refuseReferences,
  refuseTemplates,
  refuseUneditable,
} from "./haproxy-guard.ts";
import { readConfig, type ConfigLine } from "./haproxy-lines.ts";
import { disabledWords, serverLines, serversOfHost, where, type ServerLine } from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { joinLines } from "./text-lines.ts";

export { restoreHost } from "./haproxy-restore.ts";
export { statsOf, type ServerStats } from "./haproxy-stats.ts";

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

/**
 * Takes a host's `server` lines out of every backend and listen section; every other byte stays. Nothing dropped:
 * the text is the one given. Source: OpenShift 3.11 Day Two Operations Guide, "Decommissioning a master host".
 * @throws Refusal naming line and section, when a section would keep no server that takes traffic, when another line
 *   needs the server by name, or when it cannot be told what a line means.
 */
export function dropHost(config: string, host: HostIdentity): { text: string; dropped: ServerPlace[] } {
  const { lines, servers, leaving } = read(config, host);
  refuseUneditable(leaving, host);
  refuseEmptied(servers, leaving, host);
  refuseReferences(lines, leaving, host);
  refuseTemplates(lines, host);
  const gone = new Set(leaving.map((server) => server.line));
  return { text: joinLines(lines.filter((line) => !gone.has(line))), dropped: leaving.map(placeOf) };
}

/**
 * Every server of the file's backend and listen sections, in file order.
 * @throws Refusal naming a server line that cannot be read.
 */
export function serversOf(config: string): ServerEntry[] {
  return serverLines(readConfig(config)).map(entryOf);
}

/**
 * The servers that stand for one host, in file order.
 * @throws Refusal as `dropHost`, when that cannot be told.
 */
export function serversFor(config: string, host: HostIdentity): ServerEntry[] {
  return read(config, host).leaving.map(entryOf);
}

const entryOf = (server: ServerLine): ServerEntry => ({
  ...placeOf(server),
  address: server.address,
  disabled: server.disabled,
});

/**
 * Whether any backend or listen section still has the host.
 * @throws Refusal as `dropHost`, when that cannot be told.
 */
export function hasHost(config: string, host: HostIdentity): boolean {
  return serversFor(config, host).length > 0;
}

/**
 * Marks a host's server lines `disabled`, or takes the mark off again: what a reload uses for a drain where the stats
 * socket is not admin-level. On and off again gives the same bytes.
 * @throws Refusal naming line and section, when a section would keep no enabled server, when the mark comes from a
 *   `default-server` line, or when it cannot be told what a line means.
 */
export function setDisabled(
  config: string,
  host: HostIdentity,
  disabled: boolean,
): { text: string; changed: ServerPlace[] } {
  const { lines, servers, leaving } = read(config, host);
  refuseUneditable(leaving, host);
  if (disabled) refuseAllDisabled(servers, leaving, host);
  const changing = leaving.filter((server) => server.disabled !== disabled);
  const bodies = new Map(changing.map((server) => [server.line, disabled ? marked(server) : unmarked(server, host)]));
  const text = joinLines(lines.map((line) => ({ body: bodies.get(line) ?? line.body, eol: line.eol })));
  return { text, changed: changing.map(placeOf) };
}

function read(
  config: string,
  host: HostIdentity,
): { lines: ConfigLine[]; servers: ServerLine[]; leaving: ServerLine[] } {
  const lines = readConfig(config);
  const servers = serverLines(lines);
  return { lines, servers, leaving: serversOfHost(servers, host) };
}

function placeOf({ line, name }: ServerLine): ServerPlace {
  return { section: line.section.title, server: name, line: line.number };
}

function marked({ line }: ServerLine): string {
  const end = line.words.at(-1)?.end ?? line.body.length;
  return `${line.body.slice(0, end)} disabled${line.body.slice(end)}`;
}

function unmarked({ line, options }: ServerLine, host: HostIdentity): string {
  const marks = disabledWords(options);
  if (marks.length === 0) {
    throw new Refusal(`${where(line)}: ${host.name} is disabled by a default-server line; enable it there by hand`);
  }
  return marks.reduceRight((body, { start, end }) => body.slice(0, start).trimEnd() + body.slice(end), line.body);
}
