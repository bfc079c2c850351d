/** What leads to a host besides its server lines. */
import { type ConfigFile, type ConfigLine, readFiles } from "./haproxy-lines.ts";
import { addressPart, isMachine, type ServerLine, where } from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { maskLine } from "./show.ts";
import { canonicalAddress } from "./same-host.ts";

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
    throw new Refusal(
      `${where(line)} ${detour.does(host.name)}: "${maskLine(line.body.trim())}"; change that line first`,
    );
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

/** Every `server-template`, by its place and the name that its servers are made from. */
export const templatesIn = (
  files: readonly ConfigFile[],
): { file: string; line: number; section: string; address: string }[] =>
  readFiles(files)
    .filter(({ keyword }) => keyword === "server-template")
    .map(({ file, number, section, words }) => ({
      file: file.path,
      line: number,
      section: section.title,
      address: words[3] ?? "",
    }));
