import { refuseUneditable } from "./haproxy-guard.ts";
import { readConfig, type ConfigLine } from "./haproxy-lines.ts";
import { key, serverLines, serversOfHost, where, type ServerLine } from "./haproxy-servers.ts";
import type { ServerPlace } from "./haproxy.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { alignLines, insertLine, joinLines } from "./text-lines.ts";

/**
 * Puts a host's server lines back into `config` where they stood in `previous`: behind the nearest line above that
 * both have in that section, else in front of the nearest below, else behind the section's last server. A section
 * that has the host already stays as it is; `line` counts in the returned text.
 * @throws Refusal naming line and section, when the section is gone or the server's name now stands for another host.
 */
export function restoreHost(
  config: string,
  previous: string,
  host: HostIdentity,
): { text: string; restored: ServerPlace[] } {
  const before = readConfig(previous);
  const missing = serversOfHost(serverLines(before), host).filter((server) => !isThere(config, server, host));
  refuseUneditable(missing, host);
  const text = missing.reduce((now, server) => restoreLine(now, before, server, host), config);
  const lines = serverLines(readConfig(text));
  return { text, restored: missing.map((server) => placeIn(lines, server)) };
}

function isThere(config: string, server: ServerLine, host: HostIdentity): boolean {
  const servers = serverLines(readConfig(config)).filter((each) => key(each.section) === key(server.section));
  const present = serversOfHost(servers, host);
  const taken = servers.find((each) => each.name === server.name && !present.includes(each));
  if (!taken) return present.some((each) => each.name === server.name || each.address === server.address);
  throw new Refusal(
    `${where(taken.line)} already has a server ${taken.name} at ${taken.address}, which is not ${host.name}; ` +
      `rename one of them, then put ${server.address} back by hand`,
  );
}

function restoreLine(config: string, before: readonly ConfigLine[], server: ServerLine, host: HostIdentity): string {
  const now = readConfig(config);
  const old = before.filter((line) => key(line.section) === key(server.section));
  const section = now.filter((line) => key(line.section) === key(server.section));
  const first = section[0];
  if (!first) {
    throw new Refusal(
      `${server.section.title} is no longer in haproxy.cfg, so "${server.line.body.trim()}" of ${host.name} ` +
        `(line ${server.line.number} of the former file) has no place; put it back by hand`,
    );
  }
  return joinLines(insertLine(now, first.number - 1 + placeFor(old, section, server), server.line));
}

/** Index in `section` in front of which the line goes. The header is no anchor: it says nothing about the order. */
function placeFor(old: readonly ConfigLine[], section: readonly ConfigLine[], server: ServerLine): number {
  const aligned = alignLines(old.map(sameness), section.map(sameness));
  const at = old.indexOf(server.line);
  const above = aligned.slice(1, at).findLast((index) => index !== undefined);
  const below = aligned.slice(at + 1).find((index) => index !== undefined);
  return above !== undefined ? above + 1 : (below ?? behindServers(section));
}

/** A server stays the same line when its options were changed in between. */
function sameness(line: ConfigLine): string {
  const [keyword, name] = line.words.map((word) => word.value);
  return keyword === "server" ? `server\n${name ?? ""}` : line.body;
}

function behindServers(section: readonly ConfigLine[]): number {
  const last = section.findLastIndex((line) => line.words[0]?.value === "server");
  return last >= 0 ? last + 1 : section.findLastIndex((line) => line.words.length > 0) + 1;
}

function placeIn(lines: readonly ServerLine[], wanted: ServerLine): ServerPlace {
  const found = lines.find((each) => key(each.section) === key(wanted.section) && each.name === wanted.name);
  return { section: wanted.section.title, server: wanted.name, line: found?.line.number ?? wanted.line.number };
}
