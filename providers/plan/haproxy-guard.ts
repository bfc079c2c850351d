import type { ConfigLine } from "./haproxy-lines.ts";
import { mentionsOf, staleNumbers, testedNumbers } from "./haproxy-references.ts";
import {
  addressPart,
  bySection,
  isMachine,
  key,
  lineSeenFrom,
  optionsOf,
  type ServerLine,
  where,
} from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { canonicalAddress } from "./same-host.ts";

/**
 * The lines can be edited one by one: none is conditional or continued.
 * @throws Refusal naming the first that is not.
 */
export function refuseUneditable(servers: readonly ServerLine[], host: HostIdentity): void {
  for (const { line } of servers) {
    if (line.conditional) {
      throw new Refusal(`${where(line)} names ${host.name} between .if and .endif; edit that block by hand`);
    }
    if (line.body.trimEnd().endsWith("\\")) {
      throw new Refusal(
        `${where(line)} names ${host.name} and ends with a backslash, which haproxy does not join; mend it first`,
      );
    }
  }
}

/**
 * No section loses its last server that takes traffic. A disabled, backup or weight-0 server does not count, nor does
 * a `server-template`, whose servers only DNS knows.
 * @throws Refusal naming the section, the first leaving line and what would be left.
 */
export function refuseEmptied(
  servers: readonly ServerLine[],
  leaving: readonly ServerLine[],
  host: HostIdentity,
): void {
  for (const { section, line, staying } of stayingWith(servers, leaving)) {
    if (staying.some((server) => serves(server) && !optionsOf(server).includes("backup"))) continue;
    const rest = staying.map((server) => `${server.name} (${server.disabled ? "disabled" : "backup or weight 0"})`);
    throw new Refusal(
      `${where(line)} is ${host.name}, and without it ${section.title} would have no server that takes traffic` +
        `${rest.length > 0 ? `, only ${rest.join(", ")}` : ""}; add or enable another master there first`,
    );
  }
}

/**
 * Disabling the lines leaves each section an enabled server (a backup one counts: it takes over).
 * @throws Refusal naming the section and the line.
 */
export function refuseAllDisabled(
  servers: readonly ServerLine[],
  leaving: readonly ServerLine[],
  host: HostIdentity,
): void {
  for (const { section, line, staying } of stayingWith(servers, leaving)) {
    if (staying.some(serves)) continue;
    throw new Refusal(
      `${where(line)} is ${host.name}, the last enabled server of ${section.title}; enable another master there first`,
    );
  }
}

/** Each section's first leaving server, with those of its section that stay. */
function stayingWith(
  servers: readonly ServerLine[],
  leaving: readonly ServerLine[],
): (ServerLine & { readonly staying: readonly ServerLine[] })[] {
  const going = new Set(leaving);
  const staying = bySection(servers.filter((server) => !going.has(server)));
  const firsts = [...bySection(leaving).values()].flatMap((group) => group.slice(0, 1));
  return firsts.map((first) => ({ ...first, staying: staying.get(key(first.section)) ?? [] }));
}

function serves(server: ServerLine): boolean {
  const options = optionsOf(server);
  const weight = options.indexOf("weight");
  return !server.disabled && (weight < 0 || options[weight + 1] !== "0");
}

/**
 * No other line of the files needs the leaving servers by name or number: haproxy would not start, or a rule would
 * change its meaning in silence.
 * @throws Refusal naming the line that does.
 */
export function refuseReferences(
  lines: readonly ConfigLine[],
  servers: readonly ServerLine[],
  leaving: readonly ServerLine[],
  host: HostIdentity,
): void {
  if (leaving.length === 0) return;
  const going = new Set(leaving.map(({ line }) => line));
  const staying = lines.filter((line) => !going.has(line));
  const mentions = firstMentions(staying);
  const open = staying.filter((line) => line.unbalanced);
  for (const server of leaving) {
    const { section, name } = server;
    const by =
      mentions.get(`${section.name}/${name}`) ??
      mentions.get(`?/${name}`) ??
      open.find((line) => line.body.includes(line.section === section ? name : `${section.name}/${name}`));
    if (by) refuseReference(by, server, host);
  }
  refuseNumbers(staying, servers, leaving, host);
}

function firstMentions(lines: readonly ConfigLine[]): Map<string, ConfigLine> {
  const mentions = new Map<string, ConfigLine>();
  for (const line of lines) {
    for (const name of mentionsOf(line)) if (!mentions.has(name)) mentions.set(name, line);
  }
  return mentions;
}

function refuseReference(by: ConfigLine, { section, name, line }: ServerLine, host: HostIdentity): never {
  throw new Refusal(
    `${where(by)} refers to ${name} of ${section.title} (${host.name}, ${lineSeenFrom(by, line)}): ` +
      `"${by.body.trim()}"; change that line first`,
  );
}

/** `srv_id 3` asks for a position among the servers, and positions move up when one leaves. */
function refuseNumbers(
  staying: readonly ConfigLine[],
  servers: readonly ServerLine[],
  leaving: readonly ServerLine[],
  host: HostIdentity,
): void {
  const tests = staying
    .map((line) => ({ line, tested: testedNumbers(line) }))
    .filter(({ tested }) => tested.length > 0);
  if (tests.length === 0) return;
  const going = new Set(leaving);
  const all = bySection(servers);
  for (const [of, [first]] of bySection(leaving)) {
    if (!first) continue;
    const stale = staleNumbers(all.get(of) ?? [], going);
    const by = tests.find(
      ({ line, tested }) =>
        (line.section === first.section || /^(?:frontend|defaults)$/.test(line.section.kind)) &&
        tested.some((number) => (number === undefined ? stale.size > 0 : stale.has(number))),
    );
    if (!by) continue;
    throw new Refusal(
      `${where(by.line)} asks for a server by its number, which ${first.section.title} counts anew without ` +
        `${first.name} (${host.name}, ${lineSeenFrom(by.line, first.line)}): "${by.line.body.trim()}"; change that line first`,
    );
  }
}

/**
 * Nothing else leads to the host: a `server-template`, a `dispatch`, a `set-dst`, or the health check of a server that
 * stays. Without its server lines the host would still be asked.
 * @throws Refusal naming the first line that does.
 */
export function refuseDetours(lines: readonly ConfigLine[], leaving: readonly ServerLine[], host: HostIdentity): void {
  const isHost = isMachine(host);
  const going = new Set(leaving.map(({ line }) => line));
  for (const line of lines) {
    const detour = going.has(line) ? undefined : detourOf(line);
    if (!detour || !isHost(canonicalAddress(addressPart(detour.to)))) continue;
    throw new Refusal(`${where(line)} ${detour.does(host.name)}: "${line.body.trim()}"; change that line first`);
  }
}

interface Detour {
  readonly to: string;
  readonly does: (name: string) => string;
}

function detourOf(line: ConfigLine): Detour | undefined {
  const { keyword, body } = line;
  const sends = (to = ""): Detour => ({ to, does: (name) => `sends traffic to ${name}` });
  switch (keyword) {
    case "server-template":
      return { to: line.words[3] ?? "", does: (name) => `makes servers of ${name} from a template` };
    case "dispatch":
      return sends(line.words[1]);
    case "tcp-request":
    case "http-request":
      return body.includes("set-dst") ? sends(/\bset-dst\s+\w+\(([^)]*)\)/.exec(body)?.[1]) : undefined;
    case "server":
    case "default-server":
    case "tcp-check":
    case "http-check":
      return body.includes("addr") ? checks(line.words) : undefined;
    default:
      return undefined;
  }
}

function checks(words: readonly string[]): Detour {
  const at = words.findIndex((word, index) => index > 0 && /^(?:agent-)?addr$/.test(word));
  return { to: words[at + 1] ?? "", does: (name) => `has the health of another server asked of ${name}` };
}
