import { bySection, key, optionsOf, type ServerLine, where } from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";

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

const serves = (server: ServerLine): boolean => !server.disabled && !isWeightless(server);

/** `weight 0`: it takes no new traffic. */
export function isWeightless(server: ServerLine): boolean {
  const options = optionsOf(server);
  const weight = options.indexOf("weight");
  return weight >= 0 && options[weight + 1] === "0";
}
