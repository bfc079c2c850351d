/**
 * Pure: the look at one host for who is still named there, and the reader of what it prints. Numbers of lines come back, never the lines:
 * they hold secrets. It reads, and it is bounded: in places (a fixed list), in the size of files, in findings and in time.
 */
import { inParts, largestFile, partsOf } from "./parts.ts";
import { escapeControls, quote, sh } from "./quote.ts";
import { globs } from "./sweep-places.ts";
import { type Words, comment } from "./sweep-words.ts";
import type { Unreachable } from "./facts.ts";
import type { ClusterSweep } from "./sweep-cluster.ts";

/** Who still names the hosts that leave. */
export interface Sweep {
  readonly hosts: Readonly<Record<string, HostSweep | Unreachable>>;
  readonly cluster: ClusterSweep | Unreachable;
}

/** A file that names a leaving host; lines from 1. */
export interface Mention {
  readonly leaving: string;
  readonly path: string;
  readonly lines: readonly number[];
}

export interface HostSweep {
  readonly named: readonly Mention[];
  /** Files of those places that were not looked into, with the reason. */
  readonly unread: readonly string[];
  /** Why the look ended early; empty when it did not. */
  readonly cut: string;
}

/** Findings of a host that are still told. */
const most = 200;
/** Seconds the host looks, before it says that it did not look further. */
const patience = 15;

/**
 * @param leaving what is looked for, of each host that leaves, in the order the reader is given their names
 * @param root put in front of every place; for tests
 */
export function sweepScript(leaving: readonly Words[], root = ""): string {
  const looks = leaving.map(
    ({ whole, short }, n) =>
      `if [ "$f" = "$root/etc/hosts" ]; then names ${n} "$f" ${quote(short)}; else names ${n} "$f" ${quote(whole)}; fi`,
  );
  return inParts(`${sh`root=${root}`}
begun=$(date +%s) found=0 large= likely=
late() { [ $(($(date +%s) - begun)) -ge ${patience} ]; }
names() {
  lines=$({ timeout 5 grep -aniE -m ${most} -e "$3" -- "$2" 2>/dev/null; echo "=$?"; } | grep -avE ${quote(`^[0-9]+:${comment.slice(1)}`)} | cut -d : -f 1 | tr '\\n' ,)
  case $lines in *=0,|*=1,) ;; *) printf 'unread could-not-be-read %s\\n' "\${2#"$root"}"; return ;; esac
  lines=\${lines%=*}
  [ -n "$lines" ] || return
  printf 'named %s %s %s\\n' "$1" "$lines" "\${2#"$root"}"
  found=$((found + $(printf %s "$lines" | tr -dc , | wc -c)))
}
sweep() {
  set --
  for f in ${globs.map((glob) => `"$root"${glob}`).join(" ")}; do
    case $f in *.before-*) continue ;; *[![:print:]]*) echo "unread odd-name -"; continue ;; esac
    [ -f "$f" ] || continue
    [ -r "$f" ] || { printf 'unread could-not-be-read %s\\n' "\${f#"$root"}"; continue; }
    set -- "$@" "$f"
  done
  [ $# -eq 0 ] || large="
$(find -L "$@" -maxdepth 0 -size +${largestFile}c 2>/dev/null)
"
  for f in "$@"; do
    shift
    case $large in *"
$f
"*) printf 'unread larger-than-4-MiB %s\\n' "\${f#"$root"}" ;; *) set -- "$@" "$f" ;; esac
  done
  # all at once first: mostly nobody is named anywhere. Where one could not be read, or they are many, each by itself
  [ $# -eq 0 ] || likely=$(timeout 5 grep -laiE -e ${quote(leaving.map(({ short }) => short).join("|"))} -- "$@" 2>/dev/null)
  [ $? -le 1 ] || likely=$(printf '%s\\n' "$@")
  while IFS= read -r f; do
    [ -n "$f" ] || continue
    if [ $found -ge ${most} ]; then echo "cut found"; break; fi
    if late; then echo "cut late"; break; fi
    ${looks.join("\n    ")}
  done <<END
$likely
END
  echo end
}
part sweep sweep`);
}

const reasons: Readonly<Record<string, string>> = {
  "could-not-be-read": "could not be read",
  "larger-than-4-MiB": "is larger than 4 MiB",
  "odd-name": "has a name that is no plain text",
};

/**
 * What a host said of `sweepScript`; what is not of its form is left out.
 * @param leaving names, in the script's order
 */
export function hostSweep(stdout: string, leaving: readonly string[]): HostSweep {
  const text = Buffer.from(partsOf(stdout).get("sweep")?.bytes ?? []).toString("latin1");
  const lines = text.split("\n").slice(0, 2000);
  const named = new Map<string, Mention>();
  const unread = new Set<string>();
  let cut = lines.includes("end") ? "" : "its answer ended early";
  let left = most;
  for (const line of lines) {
    const [, n = "", numbers = "", path = ""] = /^named (\d{1,4}) ((?:\d{1,9},)+) (\/.{0,400})$/.exec(line) ?? [];
    const name = leaving[Number(n)];
    if (path !== "" && name !== undefined) {
      const some = [...new Set(numbers.split(",").filter(Boolean).map(Number))].slice(0, left);
      if (named.has(`${n} ${path}`)) continue;
      left -= some.length;
      if (some.length > 0) named.set(`${n} ${path}`, { leaving: name, path: escapeControls(path), lines: some });
      if (left <= 0) cut = `more than ${most} places`;
    }
    const [, why = "", file = ""] = /^unread ([\w-]+) (\/.{0,400}|-)$/.exec(line) ?? [];
    if (why in reasons) unread.add(`${file === "-" ? "a file" : escapeControls(file)} ${reasons[why] ?? ""}`);
    if (line === "cut found") cut = `more than ${most} places`;
    if (line === "cut late") cut = `${patience} s were over`;
  }
  return { named: [...named.values()], unread: [...unread].slice(0, 50), cut };
}
