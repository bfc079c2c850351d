/**
 * Pure: the two scripts of a restore on its host. `look` only reads. `putBack` receives a list and an archive, checks everything, prepares every file
 * beside its place, and only then renames. Names come in lists that end in NUL, never as words of the script.
 */
import type { ArchiveEntry } from "./archive.ts";
import { attributes } from "./backup-shell.ts";
import { sh } from "./quote.ts";
import { Refusal } from "./refusal.ts";
import { type Difference, namesFor, type Seen } from "./restore.ts";

/** In front of every path; empty on a real host. No trailing slash, resolved. */
export type Root = string;

/**
 * Runs the script in a variable for `fields` words of standard input an entry, 20 entries a shell: a shell each would take a minute. `-x`, because fewer
 * words than asked for would tear an entry apart; five names of 4 KiB an entry still fit.
 */
const forEach = (fields: number, variable: string): string =>
  `xargs -0rx -s 1000000 -n ${fields * 20} sh -c "$${variable}" restore`;

/**
 * `through` = the folder above is not what its name says; asked once for neighbours. A name may end in a newline, which `$( )` would eat. `sum` of a file:
 * for thousands of small ones sha256sum is the quicker one.
 */
const shared = `sound=
through() { [ "$1" != "$sound" ] || return 1; [ "$(readlink -mn -- "$1"; echo .)" != "$1." ] || { sound=$1; return 1; }; }
sum() { hash_of=$(sha256sum <"$1") && printf %s "\${hash_of%% *}"; }`;

const lookEach = `set -u
${shared}
look() {
  if through "$root/$3"; then echo "$1 through"
  elif [ -L "$root/$2" ]; then echo "$1 link"
  elif [ -d "$root/$2" ]; then echo "$1 folder $(stat -c "%a %u %g" -- "$root/$2")"
  elif [ -f "$root/$2" ]; then echo "$1 file $(stat -c "%a %u %g" -- "$root/$2") $(sum "$root/$2")"
  elif [ -e "$root/$2" ]; then echo "$1 special"
  else echo "$1 absent"; fi
}
while [ $# -gt 0 ]; do look "$1" "$2" "$3"; shift 3; done`;

/** Its standard input is `lookList`; `parseLook` reads what it prints. */
export const lookScript = (root: Root): string =>
  [
    sh`root=${root}; export root
each=${lookEach}
printf 'machine %s\\n' "$(head -c 64 "$root/etc/machine-id" 2>/dev/null)"`,
    forEach(3, "each"),
  ].join("\n");

export const lookList = (chosen: readonly ArchiveEntry[]): Buffer =>
  listOf(chosen.map(({ path }, n) => [String(n), path, namesFor(path, "").folder]));

const listOf = (rows: readonly (readonly string[])[]): Buffer =>
  Buffer.from(rows.map((row) => row.map((field) => `${field}\0`).join("")).join(""));

/** @throws Refusal when the host did not answer for each entry */
export function parseLook(stdout: string, count: number): { machineId: string; seen: Seen[] } {
  const lines = stdout.split("\n");
  const machineId = /^machine ([0-9a-f]{32})$/m.exec(stdout)?.[1] ?? "";
  const answers = new Map(lines.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]));
  const seen = Array.from({ length: count }, (_, n) => seenOf(answers.get(String(n)) ?? ""));
  return { machineId, seen };
}

function seenOf(answer: string): Seen {
  const [, is = "", mode = "", uid, gid, sha256 = ""] =
    /^(folder|file) ([0-7]{1,4}) (\d{1,10}) (\d{1,10})(?: ([0-9a-f]{64}))?$/.exec(answer) ?? [];
  const owned = { mode, uid: Number(uid), gid: Number(gid) };
  if (answer === "absent") return { is: "absent" };
  if (answer === "through") return { is: "other", what: "its folder is reached through a link" };
  if (answer === "link") return { is: "other", what: "it is a link" };
  if (answer === "special") return { is: "other", what: "it is neither a file nor a folder" };
  if (is === "folder" && sha256 === "") return { is, ...owned };
  if (is === "file" && sha256 !== "") return { is, ...owned, sha256 };
  throw new Refusal("the host did not tell of every file what it has there");
}

export interface Place {
  readonly root: Root;
  /** The host's backup folder; the scratch folder lies in it. */
  readonly folder: string;
  /** Letters, digits and dashes. */
  readonly run: string;
}

export interface PutBack extends Place {
  /** Those that are new or differ. */
  readonly changes: readonly Difference[];
  /** The archive that follows the list is gzipped. */
  readonly compressed: boolean;
}

/** An entry: kind, path, folder above, stem, kept name, mode, uid, gid, sha256, what was seen. */
const fields = 10;

export const putBackList = (o: PutBack): Buffer =>
  listOf(
    o.changes.map(({ entry, seen }) => {
      const { folder, stem, kept } = namesFor(entry.path, o.run);
      const was = seen.is === "file" ? seen.sha256 : seen.is;
      const mode = entry.mode.replace(/^0+(?=.)/, "");
      return [
        entry.type,
        entry.path,
        folder,
        stem,
        kept,
        mode,
        String(entry.uid),
        String(entry.gid),
        entry.sha256 ?? "-",
        was,
      ];
    }),
  );

/** What each phase begins with: its entry in variables. 255 is what xargs stops at. */
const entryOf = (statements: string): string => `set -u; umask 077
no() { printf "%s\\n" "$*" >&2; exit 255; }
${shared}
is_as_seen() {
  case $was in
    absent) [ ! -e "$at" ] && [ ! -L "$at" ] ;;
    folder) [ -d "$at" ] && [ ! -L "$at" ] ;;
    *) [ -f "$at" ] && [ ! -L "$at" ] && [ "$(sum "$at")" = "$was" ] ;;
  esac
}
while [ $# -gt 0 ]; do
  kind=$1; new=$work/tree/$2; at=$root/$2; above=$root/$3; stem=$root/$4; temp=$stem$run; kept=$root/$5; mode=$6; owner=$7:$8; hash=$9; shift 9
  was=$1; shift
${statements}
done`;

const nameEach = `while [ $# -gt 0 ]; do [ "$1" != file ] || printf "%s\\0" "$2"; shift ${fields}; done`;

/** Before the first write. */
const checkEach = entryOf(`  ! through "$above" || no "$above is reached through a link"
  is_as_seen || no "$at is not what it was when it was listed; list again"
  [ "$kind" = folder ] || { [ -f "$new" ] && [ ! -L "$new" ] && [ "$(sum "$new")" = "$hash" ]; } || no "$at did not arrive as the manifest lists it"`);

/** Beside their places: nothing has changed for anybody yet. */
const stageEach = entryOf(`  if [ "$kind" = folder ]; then
    [ "$was" = folder ] || { mkdir -- "$at" && printf "%s\\0" "$at" >>"$work/made" && chown -- "$owner" "$at" && chmod -- "$mode" "$at" || no "the folder $at cannot be made"; }
    continue
  fi
  cp -dT --preserve=all -- "$new" "$temp" || cp -dpT -- "$new" "$temp" || no "$temp cannot be written"
  touch -- "$temp" && [ "$(stat -c %a:%u:%g -- "$temp")" = "$mode:$owner" ] && [ "$(sum "$temp")" = "$hash" ] || no "owner, mode or content cannot be put on $temp"
  [ "$was" = absent ] || { cp -dT --preserve=all -- "$at" "$kept" && chmod 600 -- "$kept" && cmp -s -- "$at" "$kept"; } || no "the old $at cannot be kept"`);

/** The label that tar found in the archive is kept; where it found none, the policy's is put on. */
const renameEach =
  entryOf(`  if [ "$kind" = folder ]; then [ -d "$at" ] && [ ! -L "$at" ] && chown -- "$owner" "$at" && chmod -- "$mode" "$at" || no "owner and mode cannot be put on $at"; continue; fi
  ! through "$above" && is_as_seen || no "$at changed in the meantime; what was renamed before it stays, list again"
  mv -fT -- "$temp" "$at" || no "$temp cannot be renamed"
  if command -v selinuxenabled >/dev/null && selinuxenabled && [ "$(stat -c %C -- "$new")" = "$(stat -c %C -- "$work")" ]; then restorecon -- "$at" || :; fi`);

const dropEach = entryOf(`  [ "$kind" != file ] || rm -f -- "$temp"
  [ -n "$renaming" ] || [ "$was" = absent ] || [ "$kind" = folder ] || rm -f -- "$kept"`);

/**
 * One restore at a time on this host; what a killed one left is removed, also what it had prepared beside other files. What it kept of old files stays.
 * Sets $folder, $work, and the phases.
 */
const opening = (o: Place): string =>
  [
    sh`set -uf; umask 077
die() { printf '%s\\n' "$*" >&2; exit 1; }
root=${o.root}; folder=${o.folder}; run=${o.run}; work=$folder/.restore-$run.work; renaming=; ended=
export root work run renaming
names=${nameEach}; check=${checkEach}; stage=${stageEach}; rename=${renameEach}; drop=${dropEach}
mkdir -p -- "$folder" && [ -d "$folder" ] && [ ! -L "$folder" ] && [ "$(stat -c %u -- "$folder")" = "$(id -u)" ] || die "$folder is not our own folder; see who made it and move it away"
chmod 700 -- "$folder" && exec 9>>"$folder/.restore.lock" && flock -w 30 9 || die "another restore is at work on this host (it holds $folder/.restore.lock)"`,
    String.raw`${shared}
find "$folder" -xdev -mindepth 1 -maxdepth 1 -name '.restore-*.work' | while IFS= read -r old; do
  [ ! -f "$old/list" ] || ( run=${"${old##*/.restore-}"}; run=${"${run%.work}"}; renaming=yes; ${forEach(fields, "drop")} <"$old/list" )
  rm -rf -- "$old"
done`,
  ].join("\n");

/** Clears up after a killed run, when there is nothing else to do. */
export const sweepScript = (o: Place): string => opening(o);

/**
 * Standard input: the list (its length and sha256 are in the script), then the archive. Prints `restored` when all is in place; where it says no, its last
 * line on standard error says why. Before the first rename everything that it wrote is taken away again.
 */
export function putBackScript(o: PutBack, list: { bytes: number; sha256: string; kib: number }): string {
  return [
    opening(o),
    String.raw`clean() {
  [ -n "$ended" ] || [ ! -f "$work/list" ] || {
    ${forEach(fields, "drop")} <"$work/list"
    [ -n "$renaming" ] || [ ! -f "$work/made" ] || sort -rz "$work/made" | xargs -0r rmdir --
  }
  rm -rf -- "$work"
}
mkdir -- "$work" "$work/tree" || die "$work cannot be made"
trap clean EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 141' PIPE; trap 'exit 143' TERM`,
    sh`head -c ${list.bytes} >"$work/arriving" && [ "$(sum "$work/arriving")" = ${list.sha256} ] || die "the list did not arrive whole"
has=$(df -Pk -- "$folder" | tail -n 1 | awk '{ print $4 }'); [ "$has" -ge ${list.kib * 2} ] || die "$folder has $has KiB free, twice the need of ${list.kib} KiB is wanted"`,
    extraction(o.compressed),
    String.raw`[ -z "$(find "$work/tree" ! -type f ! -type d | head -n 1)" ] || die "something that is no file came out of the archive"
${forEach(fields, "check")} <"$work/arriving" || die "nothing was changed"
mv -- "$work/arriving" "$work/list"
${forEach(fields, "stage")} <"$work/list" || die "nothing was changed"
sync
renaming=yes
${forEach(fields, "rename")} <"$work/list" || die "not everything is in place: run it again"
sync
ended=yes
echo restored`,
  ].join("\n");
}

/** Only the chosen names, into the scratch folder. Old tars write the attributes they know. */
const extraction = (compressed: boolean): string => String.raw`${attributes}
for option in --xattrs-include=*; do tar $option -cf /dev/null -T /dev/null 2>/dev/null && kept="$kept $option"; done
${forEach(fields, "names")} <"$work/arriving" >"$work/names"
if [ -s "$work/names" ]; then
  ${compressed ? "gzip -dc | " : ""}tar $kept -xpf - --numeric-owner --no-wildcards --no-unquote --no-recursion -C "$work/tree" --null -T "$work/names" || die "the archive did not arrive, or cannot be unpacked; is the disk of $folder full?"
else cat >/dev/null; fi`;
