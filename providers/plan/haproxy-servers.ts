import { type ConfigLine, groupBy, type Section } from "./haproxy-lines.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { canonicalAddress, isIpLiteral } from "./same-host.ts";

/** A `server` line of a `backend` or `listen` section. */
export interface ServerLine {
  readonly line: ConfigLine;
  readonly section: Section;
  readonly name: string;
  /** As written, quotes undone: `192.168.55.12:8443`, `[fd00::12]:8443`, `ipv4@master-1.example.com:8443`. */
  readonly address: string;
  /** The address without port and decoration, one spelling for each; empty for a socket. */
  readonly machine: string;
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
 * Every `server` line of the backends and listens, in file order.
 * @throws Refusal when such a line has an open quote or lacks its address.
 */
export function serverLines(lines: readonly ConfigLine[]): ServerLine[] {
  const noted = new Map<Section, boolean>();
  const inherited = (section: Section | undefined): boolean =>
    section !== undefined && (noted.get(section) ?? inherited(section.defaults));
  return lines.flatMap((line) => {
    const { keyword } = line;
    if (keyword === "default-server") {
      noted.set(line.section, isDisabled(line.words, inherited(line.section), 1));
    }
    return keyword === "server" && servesIn(line.section) ? [serverOf(line, inherited(line.section))] : [];
  });
}

/** A section of a kind that has servers to send clients to. */
export const servesIn = ({ kind }: Section): boolean => kind === "backend" || kind === "listen";

function serverOf(line: ConfigLine, inherited: boolean): ServerLine {
  const { words } = line;
  const [, name, address] = words;
  if (line.unbalanced) throw new Refusal(`${where(line)} has a quote that is never closed; close it, then try again`);
  if (!name || !address)
    throw new Refusal(`${where(line)} is a server line without a name and an address; mend it first`);
  return {
    line,
    section: line.section,
    name,
    address,
    machine: canonicalAddress(addressPart(address)),
    disabled: isDisabled(words, inherited, 3),
  };
}

/** `haproxy.cfg line 12 (backend mgmt8443)`: how every refusal names its place. */
export function where({ file, number, section }: ConfigLine): string {
  return `${file.path} line ${number}${section.title === "" ? "" : ` (${section.title})`}`;
}

/** `line 12` seen from a line of the same file, else with the path. */
export function lineSeenFrom(from: ConfigLine, { file, number }: ConfigLine): string {
  return file.path === from.file.path ? `line ${number}` : `${file.path} line ${number}`;
}

/** One string per section of all files. */
export function key(section: Section): string {
  return `${section.title}\n${section.occurrence}`;
}

/** The servers of each section, under its `key`. */
export const bySection = (servers: readonly ServerLine[]): Map<string, ServerLine[]> =>
  groupBy(servers, ({ section }) => key(section));

/** What stands behind name and address. */
export const optionsOf = ({ line }: ServerLine): string[] => line.words.slice(3);

/** Whether a server's option is the mark `disabled`, not the value of the option before it. */
export function isMark(options: readonly string[], at: number): boolean {
  return options[at] === "disabled" && !TAKES_VALUE.test(options[at - 1] ?? "");
}

/** Options begin at word `from`; the last mark holds. */
function isDisabled(words: readonly string[], inherited: boolean, from: number): boolean {
  for (let at = words.length - 1; at >= from; at--) {
    if (words[at] === "enabled") return false;
    if (isMark(words, at)) return true;
  }
  return inherited;
}

/** The address of `address[:port]`: family prefix, brackets and port taken off; empty for a socket path. */
export function addressPart(written: string): string {
  const bare = written.replace(FAMILY, "");
  if (bare.includes("/") || bare.includes("@")) return "";
  const bracketed = /^\[([^\]]*)\](?::[^:]*)?$/.exec(bare);
  return bracketed?.[1] ?? bare.replace(/:[^:]*$/, "");
}

/** The port of `address:port`, of a range the first; undefined when there is none, or none that the text tells. */
export function portPart(written: string): number | undefined {
  const bare = written.replace(FAMILY, "");
  const port = bare.includes("/") || bare.includes("@") ? undefined : /:(\d+)(?:-\d+)?$/.exec(bare)?.[1];
  return port === undefined ? undefined : Number(port);
}

/** Whether a canonical address is one of the host's; asked of many, the host's own are made canonical once. */
export function isMachine(host: HostIdentity): (machine: string) => boolean {
  const known = new Set([host.name, ...host.addresses].map(canonicalAddress));
  return (machine) => machine !== "" && known.has(machine);
}

/**
 * The server lines that stand for the host: by the address, or by the very host name as the server's name.
 * A stock `master1` is a position and names no host when the line's own address says otherwise.
 * @throws Refusal when name and address contradict each other, or when the address comes from the environment.
 */
export function serversOfHost(servers: readonly ServerLine[], host: HostIdentity): ServerLine[] {
  const isHost = isMachine(host);
  const byAddress = servers.filter(({ machine }) => isHost(machine));
  const byName = servers.filter((server) => server.name === host.name && !isHost(server.machine));
  const foreign = new Set(byName.filter((server) => saysAnotherMachine(server, host)));
  refuseContradictions([...foreign], byAddress, host);
  const named = byName.filter((server) => !foreign.has(server) || !POSITION.test(host.name));
  const found = new Set([...byAddress, ...named]);
  refuseUnknown(servers, found, host);
  return servers.filter((server) => found.has(server));
}

function saysAnotherMachine(server: ServerLine, host: HostIdentity): boolean {
  return isIpLiteral(addressPart(server.address)) && host.addresses.some(isIpLiteral);
}

function refuseContradictions(
  foreign: readonly ServerLine[],
  byAddress: readonly ServerLine[],
  host: HostIdentity,
): void {
  if (foreign.length === 0 || POSITION.test(host.name)) return;
  const sections = bySection(byAddress);
  for (const { line, section, address } of foreign) {
    const other = sections.get(key(section))?.find((each) => each.name !== host.name);
    if (!other) continue;
    throw new Refusal(
      `${where(line)} calls ${address} by the name ${host.name}, but line ${other.line.number} ` +
        `gives ${host.name}'s address ${other.address} to ${other.name}; correct the one that is wrong, then try again`,
    );
  }
}

/** haproxy puts its environment into addresses, quoted or not; that of a port says nothing about the machine. */
function refuseUnknown(servers: readonly ServerLine[], found: ReadonlySet<ServerLine>, host: HostIdentity): void {
  const unknown = servers.filter(({ address }) => address.includes("$") && addressPart(address).includes("$"));
  if (unknown.length === 0) return;
  const known = new Set([...found].map((server) => key(server.section)));
  const first = unknown.find((server) => !known.has(key(server.section)));
  if (!first) return;
  throw new Refusal(
    `${where(first.line)} takes the address ${first.address} from haproxy's environment, so it cannot be told ` +
      `whether it is ${host.name}; write the address out, then try again`,
  );
}
