import type { ConfigLine } from "./haproxy-lines.ts";
import { addressPart, key, type ServerLine, where } from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { isAddressOf } from "./same-host.ts";

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
  for (const { section, line } of leaving) {
    const staying = servers.filter((each) => key(each.section) === key(section) && !leaving.includes(each));
    if (staying.some((server) => serves(server) && !hasOption(server, "backup"))) continue;
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
  for (const { section, line } of leaving) {
    const staying = servers.filter((each) => key(each.section) === key(section) && !leaving.includes(each));
    if (staying.some(serves)) continue;
    throw new Refusal(
      `${where(line)} is ${host.name}, the last enabled server of ${section.title}; enable another master there first`,
    );
  }
}

function serves(server: ServerLine): boolean {
  const weight = server.options.findIndex((word) => word.value === "weight");
  return !server.disabled && (weight < 0 || server.options[weight + 1]?.value !== "0");
}

function hasOption(server: ServerLine, name: string): boolean {
  return server.options.some((word) => word.value === name);
}

/**
 * No other line of the file needs the leaving servers by name: haproxy would not start, or a rule would change its
 * meaning in silence.
 * @throws Refusal naming the line that does.
 */
export function refuseReferences(
  lines: readonly ConfigLine[],
  leaving: readonly ServerLine[],
  host: HostIdentity,
): void {
  const staying = lines.filter((line) => !leaving.some((server) => server.line === line));
  for (const server of leaving) {
    const by = staying.find((line) => refersTo(line, server));
    if (!by) continue;
    throw new Refusal(
      `${where(by)} refers to ${server.name} of ${server.section.title} (${host.name}, line ${server.line.number}): ` +
        `"${by.body.trim()}"; change that line first`,
    );
  }
}

/**
 * No `server-template` makes servers of the host: taking its static lines out would leave it in the pool.
 * @throws Refusal naming the first that does.
 */
export function refuseTemplates(lines: readonly ConfigLine[], host: HostIdentity): void {
  for (const line of lines) {
    const [keyword, , , address] = line.words.map((word) => word.value);
    if (keyword !== "server-template" || !isAddressOf(host, addressPart(address ?? ""))) continue;
    throw new Refusal(
      `${where(line)} makes servers of ${host.name} from a template: "${line.body.trim()}"; change that line first`,
    );
  }
}

function refersTo(line: ConfigLine, server: ServerLine): boolean {
  const words = line.words.map((word) => word.value);
  const here = line.section.name === server.section.name && /^(?:backend|listen)$/.test(line.section.kind);
  const names = new Set([`${server.section.name}/${server.name}`, ...(here ? [server.name] : [])]);
  const named = (word: string | undefined): boolean => names.has(word ?? "");
  if (/^(?:use-server|stick|acl)$/.test(words[0] ?? "") && words.slice(1).some(named)) return true;
  if (/^(?:server|default-server|server-template)$/.test(words[0] ?? "")) return tracked(words).some(named);
  return (
    calledServers(words.join(" ")).some(named) ||
    (line.unbalanced && [...names].some((name) => line.body.includes(name)))
  );
}

function tracked(words: readonly string[]): string[] {
  return words.filter((_, at) => words[at - 1] === "track");
}

/** The servers that `srv_is_up(backend/name)` and its kin ask about. */
function calledServers(text: string): string[] {
  return [...text.matchAll(/\bsrv_\w+\(\s*([^),\s]+)/g)].map(([, name = ""]) => name);
}
