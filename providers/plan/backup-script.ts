/**
 * Pure: the scripts that pack a master's files (vendor's 5.2.1.1 and 5.2.1.2) on its host, and the readers of what they print. `prepare` counts, lists
 * the packages and announces a size; `streamScript` is the one pass of tar, to the host's own copy and to standard output at once.
 */
import { attributes, opening, resuming } from "./backup-shell.ts";
import type { BackupEnding, BackupPlace } from "./backup-names.ts";
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
    "/etc/sysconfig/docker-network",
    "/etc/sysconfig/docker-storage",
    "/etc/sysconfig/flanneld",
  ],
  packages: true,
};

export const etcdConfigContent: ArchiveContent = {
  paths: ["/etc/etcd"],
  noted: ["/etc/etcd/ca", "/etc/etcd/generated_certs"],
  packages: false,
};

/** MiB up to which an archive is compressed whatever is in it; a larger one only where that at least halves a sample of its largest files. */
const alwaysCompressed = 64;

/** Counts, lists and announces; `parsePrepared` reads what it prints. Leaves its scratch folder for `streamScript`. */
export function prepareScript(place: BackupPlace, content: ArchiveContent): string {
  const relative = (paths: readonly string[]) => paths.map((path) => path.replace(/^\/+|\/+$/g, ""));
  return [
    opening(place),
    sh`cd / && : >"$work/absent.txt" || die "$work cannot be written"
for path in ${relative([...content.paths, ...content.noted])}; do
  [ -e "$path" ] || [ -L "$path" ] || echo "/$path" >>"$work/absent.txt" || die "$work cannot be written"
done
set --
for path in ${relative(content.paths)}; do`,
    // A path that is a link to another disk: the link alone would save nothing.
    String.raw`  [ -e "$path" ] || [ -L "$path" ] || continue
  set -- "$@" "$path"
  [ -L "$path" ] && target=$(readlink -e -- "$path" | cut -c 2-) && case $target in "" | -*) ;; *) set -- "$@" "$target" ;; esac
done
[ $# -gt 0 ] || die "none of the paths to save is there; is this the right host?"
printf '%s\n' "$@" >"$work/paths"
announced=$(find "$@" -printf '%y %s %b\n' 2>/dev/null | awk '{ n++; b += 1536; if ($1 == "f") { s = $2; if ($3 * 512 < s) s = $3 * 512; b += s + 512 } } END { printf "%d %.0f", n, b + 131072 }')
count=$(echo "$announced" | cut -d ' ' -f 1); need=$(echo "$announced" | cut -d ' ' -f 2)
room "$folder" "$((need / 1024))"
ending=tar.gz`,
    sh`if [ "$need" -gt ${alwaysCompressed * 2 ** 20} ]; then`,
    String.raw`  find "$@" -type f -printf '%s %p\n' 2>/dev/null | sort -nr | head -n 40 | cut -d ' ' -f 2- | while IFS= read -r file; do head -c 65536 -- "$file" 2>/dev/null; done >"$work/sample"
  [ "$(gzip -1 <"$work/sample" | wc -c)" -gt "$(($(stat -c %s "$work/sample") / 2))" ] && ending=tar
  rm -f -- "$work/sample"
fi`,
    content.packages ? packageList : "packages=0; own=absent.txt",
    String.raw`printf '%s\n' $own >"$work/own"
printf 'announced %s\ncount %s\nending %s\npackages %s\n' "$need" "$count" "$ending" "$packages"
printf 'machine %s\n' "$(cat /etc/machine-id 2>/dev/null)"
for tool in tar gzip openssl; do printf 'tool %s: %s\n' $tool "$($tool $([ $tool = openssl ] && echo version || echo --version) 2>/dev/null | head -n 1)"; done
printf 'tool kernel: %s\n' "$(uname -r)"
sed -n 's/^PRETTY_NAME=/tool system: /p' /etc/os-release 2>/dev/null
sed 's/^/absent /' "$work/absent.txt"
sed 's/^/path /' "$work/paths"
landed=yes`,
  ].join("\n");
}

/** rpm where it manages the host (it may be there as a mere tool), else dpkg. */
const packageList = String.raw`rpm -qa >"$work/packages" 2>/dev/null || : >"$work/packages"
[ -s "$work/packages" ] || dpkg-query -W >"$work/packages" 2>/dev/null || echo "neither rpm nor dpkg lists packages here" >"$work/packages"
sort "$work/packages" >"$work/packages.txt" && packages=$(wc -l <"$work/packages.txt") || die "packages.txt cannot be written"
own="packages.txt absent.txt"`;

/**
 * `copy`: standard input to $part and to standard output. coreutils' tee takes 8 KiB at a time, which costs a third of the speed; where there is
 * a perl, it takes 256.
 */
const copy = String.raw`copy() {
  if command -v perl >/dev/null 2>&1; then perl -e 'use strict; my $b; open(my $f, ">", $ARGV[0]) or die "$!\n";
    sub put { my ($h, $o) = (shift, 0); while ($o < length $b) { my $n = syswrite($h, $b, length($b) - $o, $o); die "$!\n" unless defined $n; $o += $n } }
    while (1) { my $n = sysread(STDIN, $b, 262144); die "$!\n" unless defined $n; last if $n == 0; put($f); put(\*STDOUT) } close($f) or die "$!\n"' "$part"
  else tee -- "$part"; fi
}`;

/** The one pass: to $part, and to standard output. `parseStreamed` reads what it says on standard error at its end. */
export function streamScript(place: BackupPlace, ending: BackupEnding): string {
  return [
    resuming(place),
    attributes,
    copy,
    String.raw`cd / && : >"$part" && chmod 600 -- "$part" || die "$part cannot be written"
pass() {
  tar $kept --numeric-owner --sparse -b 128 -v --index-file="$work/list" -cf - -C "$work" $(cat "$work/own") -C / -T "$work/paths" 2>"$work/said"
  echo $? >"$work/code"
}`,
    `pass | ${ending === "tar.gz" ? "gzip -1 | " : ""}copy || die "writing $part failed; is its disk full?"`,
    String.raw`code=$(cat "$work/code")
[ "$code" -le 1 ] || { tail -n 6 "$work/said" >&2; die "tar gave up with exit $code"; }
printf '\nentries %s\nfiles %s\n' "$(wc -l <"$work/list")" "$(grep -vc '/$' "$work/list")" >&2
head -n 40 "$work/said" | cut -c 1-300 | sed 's/^/note /' >&2
landed=yes`,
  ].join("\n");
}

/** What `prepareScript` announced. */
export interface Prepared {
  /** Bytes of the archive before compression, at most. */
  readonly announced: number;
  /** Entries that were there a moment ago, folders too. */
  readonly count: number;
  readonly ending: "tar" | "tar.gz";
  readonly packages: number;
  readonly machineId: string;
  /** `tar: tar (GNU tar) 1.34`. */
  readonly tools: readonly string[];
  readonly absent: readonly string[];
  /** What is saved, absolute. */
  readonly paths: readonly string[];
}

/** @throws Refusal when a number is missing */
export function parsePrepared(stdout: string): Prepared {
  const words = printed(stdout);
  return {
    announced: numberOf(words, "announced"),
    count: numberOf(words, "count"),
    ending: words.get("ending")?.[0] === "tar" ? "tar" : "tar.gz",
    packages: numberOf(words, "packages"),
    machineId: words.get("machine")?.[0] ?? "",
    tools: words.get("tool") ?? [],
    absent: words.get("absent") ?? [],
    paths: (words.get("path") ?? []).map((path) => `/${path}`),
  };
}

/** What the host counted of an archive. */
export interface Counted {
  /** All entries of the archive, folders too. */
  readonly entries: number;
  /** Entries that are no folders. */
  readonly files: number;
  /** What tar reported: sockets left out, files that changed while they were read. Safe to show. */
  readonly notes: readonly string[];
}

/** @throws Refusal when a number is missing */
export function parseCounted(output: string): Counted {
  const words = printed(output);
  return { entries: numberOf(words, "entries"), files: numberOf(words, "files"), notes: words.get("note") ?? [] };
}

/** Size and hash of a backup that lies on the host. @throws Refusal when one is missing */
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
