/** Where clients reach the servers: which `bind` leads to which section. */
import { type ConfigFile, type ConfigLine, readFiles, type Section } from "./haproxy-lines.ts";
import { addressPart, portPart, serverLines, serversOfHost } from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";

/** One address that haproxy listens on. */
export interface Bind {
  /** Path. */
  readonly file: string;
  readonly section: string;
  /** 1-based, within the file. */
  readonly line: number;
  /** As written, without brackets: an IP address, a name, `*`, `::`, or empty for any. */
  readonly address: string;
  /** Of a range the first; undefined when the text does not tell it. */
  readonly port: number | undefined;
}

/**
 * The TCP addresses of the frontends and listens that lead to a section in which one of the hosts has a server: by
 * `default_backend` (their own or that of `defaults`), by `use_backend` with a literal name, or because the listen is
 * that section. One for each of several comma-separated addresses, in file order; sockets are left out.
 * @throws Refusal as `dropFrom`, when it cannot be told which lines are a host's.
 */
export function bindsFor(files: readonly ConfigFile[], hosts: readonly HostIdentity[]): Bind[] {
  const lines = readFiles(files);
  const servers = serverLines(lines);
  const wanted = new Set(hosts.flatMap((host) => serversOfHost(servers, host)).map(({ section }) => section));
  const leads = leadersTo(wanted, lines);
  return lines.filter((line) => leads(line.section)).flatMap(bindsOf);
}

function leadersTo(wanted: ReadonlySet<Section>, lines: readonly ConfigLine[]): (section: Section) => boolean {
  const names = new Set([...wanted].map(({ name }) => name));
  const used = new Set<Section>();
  const fallback = new Map<Section, string>();
  for (const line of lines) {
    if (line.keyword !== "use_backend" && line.keyword !== "default_backend") continue;
    const name = line.words[1] ?? "";
    if (line.keyword === "default_backend") fallback.set(line.section, name);
    else if (names.has(name)) used.add(line.section);
  }
  const byDefault = (section: Section | undefined): string =>
    section ? (fallback.get(section) ?? byDefault(section.defaults)) : "";
  return (section) =>
    /^(?:frontend|listen)$/.test(section.kind) &&
    (wanted.has(section) || used.has(section) || names.has(byDefault(section)));
}

/** haproxy 1.5 takes the addresses on the section's own line too: `listen api *:8443`. */
function bindsOf({ file, number, section, keyword, words }: ConfigLine): Bind[] {
  const [, first = "", second = ""] = words;
  const written = keyword === "bind" ? first : keyword === section.kind && second.includes(":") ? second : "";
  return written
    .split(",")
    .filter(isTcp)
    .map((one) => ({
      file: file.path,
      section: section.title,
      line: number,
      address: addressPart(one),
      port: portPart(one),
    }));
}

const isTcp = (written: string): boolean =>
  written !== "" && !written.includes("/") && !/^(?!(?:stream\+)?(?:ipv[46]|(?:mp)?tcp[46]?)@)[^[]*@/.test(written);
