/**
 * Which lines name a server. Source: haproxy configuration manual, "Proxies", "Server and default-server options",
 * "Using ACLs and fetching samples". `nbsrv(api)` counts servers and names none.
 */
import type { ConfigLine } from "./haproxy-lines.ts";
import { optionsOf, servesIn, type ServerLine } from "./haproxy-servers.ts";

/** What only a section with servers may have; elsewhere haproxy ignores it, or does not start. */
const OWN = /^(?:server|server-template|use-server|stick)$/;

/** The servers that a line names, as `backend/server`; a name that says no backend and may be of any is `?/server`. */
export function mentionsOf(line: ConfigLine): string[] {
  const { section, keyword } = line;
  const isOfAny = /^(?:frontend|defaults)$/.test(section.kind) && !OWN.test(keyword);
  const here = servesIn(section) ? section.name : isOfAny ? "?" : undefined;
  return namesIn(line).flatMap((name) => {
    if (name.includes("/")) return [name];
    return here === undefined ? [] : [`${here}/${name}`];
  });
}

function namesIn(line: ConfigLine): string[] {
  const { keyword, body } = line;
  if (/^(?:server|default-server|server-template)$/.test(keyword)) {
    return body.includes("track") ? behind(line.words, "track") : [];
  }
  if (!body.includes("srv") && !/^(?:bind|use-server|stick)$/.test(keyword)) return [];
  const { words } = line;
  switch (keyword) {
    case "bind":
      return words.slice(1, 2).flatMap((address) => /^(?:rhttp|rev)@(.+)$/.exec(address)?.[1] ?? []);
    case "use-server":
      return [...words.slice(1, 2), ...askedServers(line, words)];
    case "stick":
      return [...words.slice(1), ...askedServers(line, words)];
    default:
      return askedServers(line, words);
  }
}

function askedServers({ body }: ConfigLine, words: readonly string[]): string[] {
  if (!body.includes("srv")) return [];
  return [...calledServers(words.join(" ")), ...patternsOf(words, "srv_name"), ...behind(words, "attach-srv")];
}

const behind = (words: readonly string[], option: string): string[] =>
  words.filter((_, at) => words[at - 1] === option);

/** The servers that `srv_is_up(backend/name)` and its kin ask about, and the converter `str(backend/name),srv_queue`. */
function calledServers(text: string): string[] {
  const calls = text.matchAll(/\bsrv_\w+\(\s*["']?([^),\s"']+)|\bstr\(\s*["']?([^),\s"']+)["']?\s*\),srv_queue\b/g);
  return [...calls].map(([, asked, converted]) => asked ?? converted ?? "");
}

/** What a server's name or number is compared with: `acl x srv_name m1 m2`, `{ srv_name -m str m1 }`. */
function patternsOf(words: readonly string[], fetch: string): string[] {
  return words.flatMap((word, at) => {
    if (word !== fetch && !word.startsWith(`${fetch},`)) return [];
    const end = words.indexOf("}", at);
    return words.slice(at + 1, end < 0 ? undefined : end);
  });
}

/** The numbers that a line compares a server's with: `acl x srv_id 3`; undefined stands for a range or `gt 2`. */
export function testedNumbers(line: ConfigLine): (number | undefined)[] {
  if (!line.body.includes("srv_id")) return [];
  const patterns = patternsOf(line.words, "srv_id");
  const numbers = patterns.map((pattern) => (/^\d+$/.test(pattern) ? Number(pattern) : undefined));
  return patterns.some((pattern) => /^(?:[gl][et]|\d*:\d*)$/.test(pattern))
    ? [undefined]
    : numbers.filter((number) => number !== undefined);
}

/** The numbers that mean another server, or none, when some leave the section. */
export function staleNumbers(servers: readonly ServerLine[], leaving: ReadonlySet<ServerLine>): Set<number> {
  const before = numbered(servers);
  const after = numbered(servers.filter((server) => !leaving.has(server)));
  return new Set([...before].flatMap(([number, server]) => (after.get(number) === server ? [] : [number])));
}

/** haproxy gives a server without `id` the lowest number that is free behind the one before it. */
function numbered(servers: readonly ServerLine[]): Map<number, ServerLine> {
  const numbers = new Map<number, ServerLine>();
  for (const server of servers) {
    const own = behind(optionsOf(server), "id")[0];
    if (own !== undefined) numbers.set(Number(own), server);
  }
  const fixed = new Set(numbers.values());
  let next = 1;
  for (const server of servers) {
    if (fixed.has(server)) continue;
    while (numbers.has(next)) next++;
    numbers.set(next++, server);
  }
  return numbers;
}
