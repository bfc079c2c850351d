import { type FilePlace, placeOf } from "./haproxy-files.ts";
import { refuseUneditable } from "./haproxy-guard.ts";
import { type ConfigFile, type ConfigLine, groupBy, readFiles } from "./haproxy-lines.ts";
import { type FormerSection, type Memory, merge, placesFor, sameness, withEnds } from "./haproxy-places.ts";
import { bySection, key, serverLines, serversOfHost, where, type ServerLine } from "./haproxy-servers.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { maskLine } from "./show.ts";
import { joinLines } from "./text-lines.ts";

/** See `restoreHost`; a section is found by its title and by which of that title it is. */
export function restoreFormer(
  files: readonly ConfigFile[],
  former: readonly ConfigFile[],
  host: HostIdentity,
): { files: ConfigFile[]; restored: FilePlace[] } {
  const now = readFiles(files);
  const before = readFiles(former);
  const present = groupBy(now, (line) => key(line.section));
  const lines = groupBy(before, (line) => key(line.section));
  const servers = bySection(serversOfHost(serverLines(before), host));
  const sections = [...servers].map(([of, ofHost]) => ({
    path: ofHost[0]?.line.file.path ?? "",
    lines: lines.get(of) ?? [],
    gaps: new Set<ConfigLine>(),
    servers: ofHost,
    present: present.get(of) ?? [],
  }));
  return putBack(files, now, sections, host, { whole: true, sameness });
}

/**
 * Puts back what the sections lack of the host, each line where it stood among those that are still there.
 * @throws Refusal as `restoreHost`, and when a remembered line's place is between `.if` and `.endif` now.
 */
export function putBack(
  files: readonly ConfigFile[],
  now: readonly ConfigLine[],
  sections: readonly FormerSection[],
  host: HostIdentity,
  memory: Memory,
): { files: ConfigFile[]; restored: FilePlace[] } {
  const servers = bySection(serverLines(now));
  const lacking = sections
    .map((section) => ({ ...section, missing: missingOf(section, servers, host, memory) }))
    .filter(({ missing }) => missing.length > 0);
  for (const { missing } of lacking) refuseUneditable(missing, host);
  const texts = groupBy(lacking.length > 0 ? now : [], (line) => line.file);
  const added = lacking.flatMap((section) => {
    const [header] = section.present;
    if (!header) return refuseGone(section, host, memory);
    return placesFor(section, section.missing, texts.get(header.file) ?? [], host, memory);
  });
  const merged = new Map(
    [...groupBy(added, ({ put }) => put.file)].map(([file, some]) => [file, merge(texts.get(file) ?? [], some)]),
  );
  const numbers = new Map([...merged.values()].flatMap((lines) => lines.map((line, at) => [line, at + 1])));
  return {
    files: files.map((file) => {
      const lines = merged.get(file);
      return lines ? { ...file, text: joinLines(withEnds(lines)) } : file;
    }),
    restored: added.map(({ server, put }) => ({ ...placeOf({ ...server, line: put }), line: numbers.get(put) ?? 0 })),
  };
}

function missingOf(
  { servers: former, present: [header] }: FormerSection,
  servers: ReadonlyMap<string, ServerLine[]>,
  host: HostIdentity,
  { whole }: Memory,
): ServerLine[] {
  const now = (header && servers.get(key(header.section))) ?? [];
  const present = serversOfHost(now, host);
  if (!whole && present.length >= former.length) return [];
  const ofHost = new Set(present);
  const others = groupBy(
    now.filter((each) => !ofHost.has(each)),
    (each) => each.name,
  );
  return former.filter((server) => {
    const taken = others.get(server.name)?.[0];
    if (!taken) return !present.some((each) => each.name === server.name || each.address === server.address);
    throw new Refusal(
      `${where(taken.line)} already has a server ${taken.name} at ${taken.address}, which is not ${host.name}; ` +
        `rename one of them, then put ${server.address} back by hand`,
    );
  });
}

function refuseGone({ path, servers: [first] }: FormerSection, host: HostIdentity, { whole }: Memory): never {
  throw new Refusal(
    `${first?.section.title ?? ""} is no longer in ${path}, so "${maskLine(first?.line.body.trim() ?? "")}" of ${host.name} ` +
      `${whole ? `(line ${first?.line.number ?? 0} of the former file) ` : ""}has no place; put it back by hand`,
  );
}
