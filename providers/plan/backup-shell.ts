/**
 * Pure: the pieces of shell that all backup scripts share. They speak through variables: $folder, $final, $part, $work. Where one
 * says no, its last line on stderr says why, and nothing is left but what had its final name before.
 */
import type { BackupPlace } from "./backup-names.ts";
import { sh } from "./quote.ts";

/**
 * Private folder, private files, everything temporary removed however it ends (KILL excepted: the next run removes it then).
 * @param scratch other paths to remove at the beginning and at the end
 */
export function opening(place: BackupPlace, scratch: readonly string[] = []): string {
  return [
    sh`set -u; umask 077
die() { printf '%s\\n' "$*" >&2; exit 1; }
folder=${place.folder}; final=${place.path}; part=$final.part; work=$final.work
clean() { rm -rf -- "$part" "$work" ${scratch}; }`,
    String.raw`mkdir -p -- "$folder" || die "the folder cannot be made"
[ -d "$folder" ] && [ ! -L "$folder" ] && [ "$(stat -c %u -- "$folder")" = "$(id -u)" ] || die "$folder is not our own folder; see who made it and move it away"
trap clean EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 141' PIPE; trap 'exit 143' TERM
chmod 700 -- "$folder" && clean && mkdir -- "$work" || die "$folder cannot be written"
left() { df -Pk -- "$1" | { read -r _; read -r _ _ _ k _; echo "$k"; }; }
room() { has=$(left "$1"); [ "$has" -ge $(($2 * 2)) ] || die "$1 has $has KiB free, twice the need of $2 KiB is wanted; free some, or name another backup directory"; }`,
  ].join("\n");
}

/**
 * `pack <tar arguments>`: from standard output of tar into $part, then read back whole. Sets $entries, $files (entries that
 * are no folders), $code (1 = tar saw files change). Attributes are kept as far as this tar can; `-1` because keys and
 * certificates do not compress any better with more work.
 */
export const packing = String.raw`kept=
for option in --xattrs --acls --selinux; do tar $option -cf /dev/null -T /dev/null 2>/dev/null && kept="$kept $option"; done
pack() {
  { tar $kept --numeric-owner --sparse -cf - "$@" 2>"$work/said"; echo $? >"$work/code"; } | gzip -1 >"$part" || die "writing $part failed; is its disk full?"
  code=$(cat "$work/code")
  [ "$code" -le 1 ] || { tail -n 6 "$work/said" >&2; die "tar gave up with exit $code"; }
  tar -tzf "$part" >"$work/list" || die "the archive just written cannot be read back"
  entries=$(wc -l <"$work/list"); files=$(grep -vc '/$' "$work/list")
}`;

/** On disk, then named, then told: size and hash of what now has the final name. */
export const landing = String.raw`chmod 600 -- "$part" && { sync -- "$part" 2>/dev/null || sync; } || die "$part cannot be brought to disk"
bytes=$(stat -c %s -- "$part") && sum=$(sha256sum <"$part" | cut -c 1-64) || die "$part cannot be read back"
mv -fT -- "$part" "$final" || die "$part cannot be renamed"
sync -- "$folder" 2>/dev/null || sync
printf 'bytes %s\nsha256 %s\n' "$bytes" "$sum"`;

/** The archive's numbers, and what tar had to say (sockets, files that changed), at most 40 lines of it. */
export const packed = String.raw`printf 'entries %s\nfiles %s\n' "$entries" "$files"
head -n 40 "$work/said" | sed 's/^/note /'`;

/** Prints the file's sha256, nothing when there is no such file. */
export function hashScript(path: string): string {
  return sh`[ -f ${path} ] && [ ! -L ${path} ] || exit 0
sha256sum <${path}`;
}
