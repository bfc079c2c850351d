/** No line may need a server that leaves. */
import type { ConfigLine } from "./haproxy-lines.ts";
import { mentionsOf, staleNumbers, testedNumbers } from "./haproxy-mentions.ts";
import { bySection, lineSeenFrom, type ServerLine, where } from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { maskLine } from "./show.ts";

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
      `"${maskLine(by.body.trim())}"; change that line first`,
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
        `${first.name} (${host.name}, ${lineSeenFrom(by.line, first.line)}): "${maskLine(by.line.body.trim())}"; change that line first`,
    );
  }
}
