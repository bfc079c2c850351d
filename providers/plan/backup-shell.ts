/**
 * Pure: the pieces of shell that all backup scripts share. They speak through variables: $folder, $part, $work. Where one says no, its
 * last line on stderr says why, and nothing is left but what had its final name before. A backup gets its final name in `sealScript`
 * only, when it is verified here and there.
 */
import type { BackupPlace } from "./backup-names.ts";
import { sh } from "./quote.ts";

/** What a killed run left, by our own naming: whoever takes a backup holds the cluster's lock, so nobody is at work on it. */
const leftovers = ["work", "part"].map((ending) => `"$folder"/*-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]-*.${ending}`);

/** Says why, and ends; `landed` is set when $part is to stay for the copy. */
const voice = sh`set -u; umask 077
die() { printf '%s\\n' "$*" >&2; exit 1; }
landed=`;

/**
 * Private folder, private files, everything temporary removed however it ends (KILL excepted: the next run removes it then).
 * @param scratch other paths to remove at the beginning and at the end
 */
export function opening(place: BackupPlace, scratch: readonly string[] = []): string {
  return [
    voice,
    sh`folder=${place.folder}; part=${place.part}; work=${place.work}
clean() { rm -rf -- ${scratch}; [ -n "$landed" ] || rm -rf -- "$work" "$part"; }`,
    String.raw`mkdir -p -- "$folder" || die "the folder cannot be made"
[ -d "$folder" ] && [ ! -L "$folder" ] && [ "$(stat -c %u -- "$folder")" = "$(id -u)" ] || die "$folder is not our own folder; see who made it and move it away"
trap clean EXIT; ${signals}
chmod 700 -- "$folder" && rm -rf -- ${leftovers.join(" ")} && clean && mkdir -- "$work" || die "$folder cannot be written"
left() { df -Pk -- "$1" | { read -r _; read -r _ _ _ k _; echo "$k"; }; }
room() { has=$(left "$1"); [ "$has" -ge $(($2 * 2)) ] || die "$1 has $has KiB free, twice the need of $2 KiB is wanted; free some, or name another backup directory"; }`,
  ].join("\n");
}

/** An end by signal goes through the EXIT trap. */
const signals = `trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 141' PIPE; trap 'exit 143' TERM`;

/** The same variables for a later script of the same run. */
export const resuming = (place: BackupPlace): string =>
  [
    voice,
    sh`folder=${place.folder}; part=${place.part}; work=${place.work}`,
    `clean() { [ -n "$landed" ] || rm -rf -- "$work" "$part"; }
trap clean EXIT; ${signals}`,
  ].join("\n");

/** sha256 of standard input; openssl's is several times as fast as coreutils' on machines of the last ten years. */
export const sum = `sum() { if command -v openssl >/dev/null 2>&1; then openssl dgst -sha256 -r | cut -c 1-64; else sha256sum | cut -c 1-64; fi; }`;

/**
 * Which attributes this tar can keep. Told apart by trying: RHEL 7's 1.26 knows all three, others were built without.
 */
export const attributes = String.raw`kept=
for option in --xattrs --acls --selinux; do tar $option -cf /dev/null -T /dev/null 2>/dev/null && kept="$kept $option"; done`;

/**
 * `pack <tar arguments>`: into $part, then read back whole. Sets $entries, $files (entries that are no folders), $code (1 = tar saw
 * files change).
 */
export const packing = String.raw`${attributes}
pack() {
  { tar $kept --numeric-owner --sparse -cf - "$@" 2>"$work/said"; echo $? >"$work/code"; } | gzip -1 >"$part" || die "writing $part failed; is its disk full?"
  code=$(cat "$work/code")
  [ "$code" -le 1 ] || { tail -n 6 "$work/said" >&2; die "tar gave up with exit $code"; }
  tar -tzf "$part" >"$work/list" || die "the archive just written cannot be read back"
  entries=$(wc -l <"$work/list"); files=$(grep -vc '/$' "$work/list")
}`;

/** On disk, then told: size and hash of $part, which stays for the copy. */
export const settling = String.raw`${sum}
chmod 600 -- "$part" && { sync -- "$part" 2>/dev/null || sync; } || die "$part cannot be brought to disk"
bytes=$(stat -c %s -- "$part") && hash=$(sum <"$part") && [ -n "$hash" ] || die "$part cannot be read back"
printf 'bytes %s\nsha256 %s\n' "$bytes" "$hash"
landed=yes`;

/** The archive's numbers, and what tar had to say (sockets, files that changed), at most 40 lines of it. */
export const packed = String.raw`printf 'entries %s\nfiles %s\n' "$entries" "$files"
head -n 40 "$work/said" | cut -c 1-300 | sed 's/^/note /'`;

export interface Seal {
  readonly place: BackupPlace;
  /** Backups of this kind and host that stay, this one included. */
  readonly keep: number;
  /** Names that count; `namePattern`. */
  readonly pattern: string;
}

/** Brings $part to the host's disk and reads it back: prints its `bytes` and `sha256`. */
export const verifyScript = (place: BackupPlace): string =>
  [resuming(place), sh`[ -f "$part" ] && [ ! -L "$part" ] || die "$part is not there any more"`, settling].join("\n");

/**
 * $part is what arrived off the host, as `verifyScript` told: it gets its final name, and the oldest finished backups of its kind beyond `keep` are
 * removed. Prints `sealed`, and `removed <name>` for each.
 */
export const sealScript = (o: Seal): string =>
  [
    resuming(o.place),
    sh`mv -fT -- "$part" ${o.place.path} || die "$part cannot be renamed"
landed=yes; rm -rf -- "$work"
sync -- "$folder" 2>/dev/null || sync
echo sealed
cd -- "$folder" && ls -1 | grep -xE ${o.pattern} | sed 's/^\\(.*\\)\\(-[0-9]\\{8\\}-[0-9]\\{6\\}-[0-9a-f]\\{6\\}\\)\\(.*\\)$/\\2 \\1\\2\\3/' | sort -r | tail -n +${o.keep + 1} | cut -d ' ' -f 2 |
  while IFS= read -r old; do rm -f -- "$old" && echo "removed $old"; done`,
  ].join("\n");

/** Removes what a run that was broken off left of this backup. */
export const discardScript = (place: BackupPlace): string => sh`rm -rf -- ${place.work} ${place.part}`;
