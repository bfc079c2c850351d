/** Pure: whether an archive may be put back at all. It lies on a disk and came from a host: nothing in it is believed. */
import type { ArchiveEntry } from "./archive.ts";
import { escapeControls } from "./quote.ts";

export interface ArchiveFacts {
  /** As read from the archive itself. */
  readonly entries: readonly ArchiveEntry[];
  /** Absolute paths that the backup holds; below them, and nowhere else, it may have entries. */
  readonly paths: readonly string[];
  /** What the manifest lists; undefined when there is no manifest. */
  readonly listed: readonly ArchiveEntry[] | undefined;
}

/** The backup's own words, beside the paths. They are never put back. */
const own: readonly string[] = ["packages.txt", "absent.txt"];
export const isOwn = (path: string): boolean => own.includes(path);

/** A name that is no UTF-8 has lost its bytes when it was read: it can be told, and not named. */
export const isUnreadable = (path: string): boolean => path.includes("\ufffd");

/** Every reason for which nothing at all of the archive is put back; empty = none. Names in them are safe to show. */
export function objections(a: ArchiveFacts): string[] {
  const kinds = new Map(a.entries.map((entry) => [entry.path, entry.type]));
  const reasons = a.entries.flatMap((entry) => against(entry, a.paths, kinds).map((why) => told(entry.path, why)));
  return [...reasons, ...doubles(a.entries), ...(a.listed === undefined ? [] : differing(a.entries, a.listed))];
}

const told = (path: string, why: string): string => `${escapeControls(path.slice(0, 200))}: ${why}`;

function against(entry: ArchiveEntry, paths: readonly string[], kinds: ReadonlyMap<string, string>): string[] {
  const { path, type } = entry;
  if (path.startsWith("/")) return ["an absolute name"];
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..") || path.includes("\0"))
    return ['a name with ".", ".." or an empty part'];
  if (type === "other") return ["neither a file, a folder nor a link: a device or a pipe"];
  if (!isOwn(path) && !paths.some((one) => `/${path}` === one || `/${path}`.startsWith(`${one.replace(/\/+$/, "")}/`)))
    return ["outside the paths of this backup"];
  const above = parts
    .map((_, n) => parts.slice(0, n).join("/"))
    .find((one) => (kinds.get(one) ?? "folder") !== "folder");
  return above === undefined ? [] : [`below ${escapeControls(above)}, which is no folder in this archive`];
}

/** A path that nested backup paths bring twice is harmless, unless the two are not the same. */
function doubles(entries: readonly ArchiveEntry[]): string[] {
  const first = new Map<string, string>();
  return entries.flatMap((entry) => {
    if (isUnreadable(entry.path)) return [];
    const before = first.get(entry.path);
    first.set(entry.path, wordsOf(entry));
    return before === undefined || before === wordsOf(entry) ? [] : [told(entry.path, "there twice, and not the same")];
  });
}

function differing(entries: readonly ArchiveEntry[], listed: readonly ArchiveEntry[]): string[] {
  const wanted = countOf(listed);
  const found = countOf(entries);
  const names = (more: ReadonlyMap<string, number>, less: ReadonlyMap<string, number>) =>
    [...more].filter(([words, count]) => (less.get(words) ?? 0) < count).map(([words]) => words.split("\0")[0] ?? "");
  return [
    ...names(found, wanted).map((path) => told(path, "not as the manifest lists it")),
    ...names(wanted, found).map((path) => told(path, "listed in the manifest, and not so in the archive")),
  ];
}

function countOf(entries: readonly ArchiveEntry[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const entry of entries) counts.set(wordsOf(entry), (counts.get(wordsOf(entry)) ?? 0) + 1);
  return counts;
}

/** All that is to be the same, in one text. */
function wordsOf(e: ArchiveEntry): string {
  return [e.path, e.type, e.mode, e.uid, e.gid, e.size, e.sha256 ?? "", e.target ?? ""].join("\0");
}
