/** Pure: the script that packs a master's files (vendor's 5.2.1.1 and 5.2.1.2) on its host, and the reader of what it prints. */
import { landing, opening, packed, packing } from "./backup-shell.ts";
import type { BackupPlace } from "./backup-names.ts";
import { escapeControls, sh } from "./quote.ts";
import { Refusal } from "./refusal.ts";

/** What goes into an archive, with the vendor's layout: `etc/origin/…`. */
export interface ArchiveContent {
  readonly paths: readonly string[];
  /** Parts of those that one would miss: named in absent.txt when they are not there. */
  readonly noted: readonly string[];
  /** Put packages.txt in. */
  readonly packages: boolean;
}

export const masterContent: ArchiveContent = {
  paths: [
    "/etc/origin",
    "/etc/sysconfig",
    "/etc/etcd",
    "/etc/cni",
    "/etc/dnsmasq.conf",
    "/etc/dnsmasq.d",
    "/etc/pki/ca-trust/source/anchors",
  ],
  noted: [
    "/etc/etcd/ca",
    "/etc/etcd/generated_certs",
    "/etc/sysconfig/iptables",
    "/etc/sysconfig/docker",
    "/etc/sysconfig/flanneld",
  ],
  packages: true,
};

export const etcdConfigContent: ArchiveContent = {
  paths: ["/etc/etcd"],
  noted: ["/etc/etcd/ca", "/etc/etcd/generated_certs"],
  packages: false,
};

/** The script; `parseTaken` reads what it prints. */
export function archiveScript(place: BackupPlace, content: ArchiveContent): string {
  const relative = (paths: readonly string[]) => paths.map((path) => path.replace(/^\//, ""));
  return [
    opening(place),
    packing,
    sh`cd / && : >"$work/absent.txt" || die "$work cannot be written"
for path in ${relative([...content.paths, ...content.noted])}; do
  [ -e "$path" ] || [ -L "$path" ] || echo "/$path" >>"$work/absent.txt"
done
set --
for path in ${relative(content.paths)}; do`,
    // A path that is a link to another disk: the link alone would save nothing.
    String.raw`  [ -e "$path" ] || [ -L "$path" ] || continue
  set -- "$@" "$path"
  [ -L "$path" ] && target=$(readlink -e -- "$path") && set -- "$@" "$(printf %s "$target" | cut -c 2-)"
done
[ $# -gt 0 ] || die "none of the paths to save is there; is this the right host?"
need=$(du -skc -- "$@" | tail -n 1 | cut -f 1) && room "$folder" "$need"`,
    content.packages ? packageList : "packages=0; own=absent.txt",
    String.raw`pack -C "$work" $own -C / "$@"`,
    landing,
    packed,
    String.raw`printf 'packages %s\n' "$packages"
sed 's/^/absent /' "$work/absent.txt"`,
  ].join("\n");
}

/** rpm where it manages the host (it may be there as a mere tool), else dpkg. */
const packageList = String.raw`rpm -qa >"$work/packages" 2>/dev/null || : >"$work/packages"
[ -s "$work/packages" ] || dpkg-query -W >"$work/packages" 2>/dev/null || echo "neither rpm nor dpkg lists packages here" >"$work/packages"
sort "$work/packages" >"$work/packages.txt" && packages=$(wc -l <"$work/packages.txt") || die "packages.txt cannot be written"
own="packages.txt absent.txt"`;

/** What is on the host now, under its final name. */
export interface Taken {
  readonly bytes: number;
  readonly sha256: string;
  /** All entries of the archive, folders too. */
  readonly entries: number;
  /** Entries that are no folders. */
  readonly files: number;
  readonly packages: number;
  readonly absent: readonly string[];
  /** What tar reported: sockets left out, files that changed while they were read. Safe to show. */
  readonly notes: readonly string[];
}

/** @throws Refusal when a number or the hash is missing */
export function parseTaken(stdout: string): Taken {
  const words = printed(stdout);
  return {
    ...parseLanded(stdout),
    entries: numberOf(words, "entries"),
    files: numberOf(words, "files"),
    packages: words.has("packages") ? numberOf(words, "packages") : 0,
    absent: words.get("absent") ?? [],
    notes: words.get("note") ?? [],
  };
}

/** Size and hash alone. @throws Refusal when one is missing */
export function parseLanded(stdout: string): { bytes: number; sha256: string } {
  const words = printed(stdout);
  const sha256 = words.get("sha256")?.[0] ?? "";
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Refusal(`the host printed no hash of the backup it took`);
  return { bytes: numberOf(words, "bytes"), sha256 };
}

/** Lines `word rest`, by word. */
export function printed(stdout: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const line of stdout.split("\n")) {
    const [, word = "", rest = ""] = /^([a-z0-9]+) (.*)$/.exec(line) ?? [];
    if (word !== "") found.set(word, [...(found.get(word) ?? []), escapeControls(rest)]);
  }
  return found;
}

function numberOf(words: ReadonlyMap<string, readonly string[]>, word: string): number {
  const text = words.get(word)?.[0] ?? "";
  if (!/^\d{1,15}$/.test(text)) throw new Refusal(`the host printed no ${word} of the backup it took, but "${text}"`);
  return Number(text);
}
