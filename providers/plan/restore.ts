/** Pure: what of an archive's entries is put back on a host, what is left out or refused, and what that changes there. */
import type { ArchiveEntry } from "./archive.ts";
import { escapeControls } from "./quote.ts";
import { Refusal } from "./refusal.ts";
import { isOwn, isUnreadable } from "./restore-archive.ts";

export interface Wish {
  /** Absolute names of files and folders; empty = everything. */
  readonly files: readonly string[];
  /** Links are left out instead of refused. */
  readonly skipLinks: boolean;
}

export interface Choice {
  /** Files and folders, each folder before what is in it. */
  readonly chosen: readonly ArchiveEntry[];
  /** What is not put back though it was asked for, one line each, safe to show. */
  readonly leftOut: readonly string[];
}

/**
 * @param entries of an archive without objections
 * @throws Refusal that names every wish the archive has nothing for, every link, and what can only be put back by hand
 */
export function choose(entries: readonly ArchiveEntry[], wish: Wish): Choice {
  const wanted = wish.files.map(relative);
  const isBelow = (path: string, one: string) => path === one || path.startsWith(`${one}/`);
  const missing = wanted.filter((one) => !entries.some((entry) => isBelow(entry.path, one)));
  const inside = entries.filter(
    ({ path }) => !isOwn(path) && (wanted.length === 0 || wanted.some((one) => isBelow(path, one))),
  );
  // the folders above, where the host has lost them
  const above = entries.filter(
    ({ path, type }) => type === "folder" && wanted.some((one) => one.startsWith(`${path}/`)),
  );
  const byPath = new Map([...above, ...inside].map((entry) => [entry.path, entry]));
  const all = [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const isLink = ({ type }: ArchiveEntry) => type === "symlink" || type === "link";
  const refused = [
    ...missing.map((one) => `/${escapeControls(one)}: the archive has nothing of that name`),
    ...(wish.skipLinks ? [] : all.filter(isLink).map((entry) => `${linkOf(entry)}; --skip-links leaves links out`)),
    ...all.flatMap((entry) =>
      unmanageable(entry).map((why) => `${shown(entry)}: ${why}; put it back by hand, with tar`),
    ),
  ];
  if (refused.length > 0) throw new Refusal(`refusing to put this back, nothing was touched:\n${bullets(refused)}`);
  const isGood = (entry: ArchiveEntry) => !isLink(entry) && !isUnreadable(entry.path);
  return {
    chosen: all.filter(isGood),
    leftOut: [
      ...all.filter(isLink).map(linkOf),
      ...all.filter(({ path }) => isUnreadable(path)).map((entry) => `${shown(entry)}: its name is no UTF-8`),
    ],
  };
}

export const bullets = (lines: readonly string[], most = 40): string =>
  [...lines.slice(0, most), ...(lines.length > most ? [`and ${lines.length - most} more`] : [])]
    .map((line) => `  - ${line}`)
    .join("\n");

const shown = (entry: ArchiveEntry): string => `/${escapeControls(entry.path)}`;
const linkOf = (entry: ArchiveEntry): string =>
  `${shown(entry)}: a ${entry.type === "link" ? "hard link" : "link"} to ${escapeControls(entry.target ?? "")}`;

function relative(file: string): string {
  const path = file.replace(/\/+$/, "");
  if (!path.startsWith("/") || path.split("/").some((part, n) => n > 0 && ["", ".", ".."].includes(part)))
    throw new Refusal(`--files takes absolute names without "." and "..", not ${JSON.stringify(file)}`);
  return path.slice(1);
}

/** Bytes of the longest name that a file system takes, less what is put around it. */
const longestName = 255 - 50;

function unmanageable(entry: ArchiveEntry): string[] {
  if (entry.type !== "file" || isUnreadable(entry.path)) return [];
  const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
  return [
    ...(entry.sha256 === undefined ? ["it has no hash to be proved by"] : []),
    ...(new TextEncoder().encode(name).length > longestName
      ? ["its name is too long to keep the old one beside it"]
      : []),
  ];
}

/** What the host has under a chosen name. */
export type Seen =
  | { readonly is: "absent" }
  /** Octal mode without leading zeros. */
  | { readonly is: "folder"; readonly mode: string; readonly uid: number; readonly gid: number }
  | { readonly is: "file"; readonly mode: string; readonly uid: number; readonly gid: number; readonly sha256: string }
  /** A link, a device; or the folder above is reached through a link. */
  | { readonly is: "other"; readonly what: string };

export interface Difference {
  readonly entry: ArchiveEntry;
  readonly state: "new" | "differs" | "same";
  readonly seen: Exclude<Seen, { is: "other" }>;
  /** In what: `content`, `mode 0644`, `owner 0:0`, as the host has it. */
  readonly in: readonly string[];
}

/**
 * What putting back would change.
 * @param seen of each chosen entry, in the same order
 * @throws Refusal for names that are something else on the host
 */
export function compare(chosen: readonly ArchiveEntry[], seen: readonly Seen[]): Difference[] {
  const refused = chosen.flatMap((entry, n) => clash(entry, seen[n] ?? { is: "absent" }));
  if (refused.length > 0) throw new Refusal(`refusing to put this back, nothing was touched:\n${bullets(refused)}`);
  return chosen.map((entry, n) => difference(entry, seen[n] as Difference["seen"]));
}

function clash(entry: ArchiveEntry, seen: Seen): string[] {
  if (seen.is === "other") return [`${shown(entry)}: on the host ${seen.what}; see what it is and move it away`];
  if (seen.is === "absent" || seen.is === entry.type) return [];
  return [`${shown(entry)}: a ${entry.type} in the archive, a ${seen.is} on the host`];
}

function difference(entry: ArchiveEntry, seen: Difference["seen"]): Difference {
  if (seen.is === "absent") return { entry, state: "new", seen, in: [] };
  const changes = [
    ...(seen.is === "file" && seen.sha256 !== entry.sha256 ? ["content"] : []),
    ...(Number.parseInt(seen.mode, 8) !== Number.parseInt(entry.mode, 8) ? [`mode ${seen.mode.padStart(4, "0")}`] : []),
    ...(seen.uid !== entry.uid || seen.gid !== entry.gid ? [`owner ${seen.uid}:${seen.gid}`] : []),
  ];
  return { entry, state: changes.length === 0 ? "same" : "differs", seen, in: changes };
}

/** A line for people: `differs  0600 0:0  /etc/etcd/etcd.conf  (there: content, mode 0644)`. */
export function lineOf({ entry, state, in: changes }: Difference): string {
  const there = changes.length === 0 ? "" : `  (there: ${changes.join(", ")})`;
  return `${state.padEnd(8)} ${entry.mode} ${entry.uid}:${entry.gid}  ${shown(entry)}${entry.type === "folder" ? "/" : ""}${there}`;
}

/** Folders whose every file some daemon takes for its own (dot files excepted): the kubelet would start a second etcd. */
const takenWhole = /(^|\/)(pods|dnsmasq\.d|anchors|net\.d|network-scripts|[a-z]+\.d)$/;

export interface Names {
  /** Relative to `/`, as all of them. */
  readonly folder: string;
  /** The new file is prepared under it, with a run id behind. */
  readonly stem: string;
  /** The old file is kept under it. */
  readonly kept: string;
}

export function namesFor(path: string, run: string): Names {
  const at = path.lastIndexOf("/");
  const folder = path.slice(0, Math.max(at, 0));
  const name = path.slice(at + 1);
  const beside = (file: string) => (folder === "" ? file : `${folder}/${file}`);
  const dot = takenWhole.test(folder) && !name.startsWith(".") ? "." : "";
  return { folder, stem: beside(`.${name}.restore-`), kept: beside(`${dot}${name}.before-restore-${run}`) };
}

/** What reads the files, and how it is made to read them anew; nothing of that is done here. */
const readers: readonly [below: RegExp, advice: string][] = [
  [/^etc\/etcd(\/|$)/, "etcd, one master after the other: /usr/local/bin/master-restart etcd"],
  [
    /^etc\/origin\/master(\/|$)/,
    "API and controllers, one master after the other: /usr/local/bin/master-restart api; /usr/local/bin/master-restart controllers",
  ],
  [/^etc\/origin\/node\/pods(\/|$)/, "nothing: the node service has seen the static pods' manifests by itself"],
  [
    /^etc\/(origin\/node(?!\/pods(\/|$))|cni)(\/|$)/,
    "the node service: systemctl restart origin-node (atomic-openshift-node)",
  ],
  [/^etc\/sysconfig\/flanneld$/, "flannel: systemctl restart flanneld"],
  [/^etc\/sysconfig\/docker/, "docker: systemctl restart docker (it restarts every container)"],
  [/^etc\/sysconfig\/iptables/, "iptables: systemctl restart iptables, then docker and the node service"],
  [/^etc\/dnsmasq\./, "dnsmasq: systemctl restart dnsmasq"],
  [/^etc\/pki\/ca-trust(\/|$)/, "the trust store: update-ca-trust extract"],
];

/** One line for each thing that reads one of these paths. */
export const restartAdvice = (paths: readonly string[]): string[] =>
  readers.filter(([below]) => paths.some((path) => below.test(path))).map(([, advice]) => advice);
