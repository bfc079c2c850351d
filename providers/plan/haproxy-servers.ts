import type { ConfigLine, Section, Word } from "./haproxy-lines.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { isAddressOf, isIpLiteral } from "./same-host.ts";

/** A `server` line of a `backend` or `listen` section. */
export interface ServerLine {
  readonly line: ConfigLine;
  readonly section: Section;
  readonly name: string;
  /** As written, quotes undone: `192.168.55.12:8443`, `[fd00::12]:8443`, `ipv4@master-1.example.com:8443`. */
  readonly address: string;
  readonly options: readonly Word[];
  /** Its own `disabled`/`enabled`, else what the `default-server` lines above it say. */
  readonly disabled: boolean;
}

const FAMILY = /^(?:stream\+|dgram\+)?(?:ipv[46]|(?:mp)?tcp[46]?|udp[46]?|quic[46])@/;
/** Server options whose next word is a value of their own, so that `cookie disabled` disables nothing. */
const TAKES_VALUE =
  /^(?:cookie|track|redir|name|sni|id|observe|on-error|on-marked-down|on-marked-up|agent-send|namespace)$/;
/** The names a stock installation gives to positions, whatever host stands there: roles/openshift_loadbalancer. */
const POSITION = /^master\d+$/;

/**
 * Every `server` line of the file's backends and listens, in file order.
 * @throws Refusal when such a line has an open quote or lacks its address.
 */
export function serverLines(lines: readonly ConfigLine[]): ServerLine[] {
  const defaults = { file: false, section: false, of: "" };
  return lines.flatMap((line) => {
    const keyword = line.words[0]?.value;
    if (keyword === "default-server") noteDefault(defaults, line);
    if (keyword !== "server" || !/^(?:backend|listen)$/.test(line.section.kind)) return [];
    const inherited = defaults.of === key(line.section) ? defaults.section : defaults.file;
    return [serverOf(line, inherited)];
  });
}

function noteDefault(defaults: { file: boolean; section: boolean; of: string }, line: ConfigLine): void {
  if (line.section.kind === "defaults") defaults.file = isDisabled(line.words.slice(1), false);
  else {
    const before = defaults.of === key(line.section) ? defaults.section : defaults.file;
    Object.assign(defaults, { section: isDisabled(line.words.slice(1), before), of: key(line.section) });
  }
}

function serverOf(line: ConfigLine, inherited: boolean): ServerLine {
  const [, name, address, ...options] = line.words;
  if (line.unbalanced) throw new Refusal(`${where(line)} has a quote that is never closed; close it, then try again`);
  if (!name || !address)
    throw new Refusal(`${where(line)} is a server line without a name and an address; mend it first`);
  const disabled = isDisabled(options, inherited);
  return { line, section: line.section, name: name.value, address: address.value, options, disabled };
}

/** `haproxy.cfg line 12 (backend mgmt8443)`: how every refusal names its place. */
export function where(line: ConfigLine): string {
  return `haproxy.cfg line ${line.number} (${line.section.title})`;
}

/** One string per section of the file. */
export function key(section: Section): string {
  return `${section.title}\n${section.occurrence}`;
}

/** The `disabled` words of a server's options; the value of another option is none. */
export function disabledWords(options: readonly Word[]): Word[] {
  return options.filter((word, at) => word.value === "disabled" && !TAKES_VALUE.test(options[at - 1]?.value ?? ""));
}

function isDisabled(options: readonly Word[], inherited: boolean): boolean {
  const marks = disabledWords(options);
  return options.reduce((state, word) => (word.value === "enabled" ? false : marks.includes(word) || state), inherited);
}

/** The address of `address[:port]`: family prefix, brackets and port taken off; empty for a socket path. */
export function addressPart(written: string): string {
  const bare = written.replace(FAMILY, "");
  if (bare.includes("/") || bare.includes("@")) return "";
  const bracketed = /^\[([^\]]*)\](?::[^:]*)?$/.exec(bare);
  return bracketed?.[1] ?? bare.replace(/:[^:]*$/, "");
}

/**
 * The server lines that stand for the host: by the address, or by the very host name as the server's name.
 * A stock `master1` is a position and names no host when the line's own address says otherwise.
 * @throws Refusal when name and address contradict each other, or when the address comes from the environment.
 */
export function serversOfHost(servers: readonly ServerLine[], host: HostIdentity): ServerLine[] {
  const byAddress = servers.filter((server) => isAddressOf(host, addressPart(server.address)));
  const byName = servers.filter((server) => server.name === host.name && !byAddress.includes(server));
  const foreign = byName.filter((server) => saysAnotherMachine(server, host));
  for (const server of foreign) refuseContradiction(server, byAddress, host);
  const found = [...byAddress, ...byName.filter((server) => !foreign.includes(server) || !POSITION.test(host.name))];
  refuseUnknown(servers, found, host);
  return servers.filter((server) => found.includes(server));
}

function saysAnotherMachine(server: ServerLine, host: HostIdentity): boolean {
  return isIpLiteral(addressPart(server.address)) && host.addresses.some(isIpLiteral);
}

function refuseContradiction(server: ServerLine, byAddress: readonly ServerLine[], host: HostIdentity): void {
  const other = byAddress.find((each) => key(each.section) === key(server.section) && each.name !== host.name);
  if (!other || POSITION.test(host.name)) return;
  throw new Refusal(
    `${where(server.line)} calls ${server.address} by the name ${host.name}, but line ${other.line.number} ` +
      `gives ${host.name}'s address ${other.address} to ${other.name}; correct the one that is wrong, then try again`,
  );
}

function refuseUnknown(servers: readonly ServerLine[], found: readonly ServerLine[], host: HostIdentity): void {
  const known = new Set(found.map((server) => key(server.section)));
  const unknown = servers.find((server) => server.line.words[2]?.fromEnvironment && !known.has(key(server.section)));
  if (!unknown) return;
  throw new Refusal(
    `${where(unknown.line)} takes the address ${unknown.address} from haproxy's environment, so it cannot be told ` +
      `whether it is ${host.name}; write the address out, then try again`,
  );
}
