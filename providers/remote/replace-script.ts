/** Pure: the script that replaces a file on its host. Its standard input is the new content. */
import { sh } from "../plan/quote.ts";

/** Where the script may stop before the rename, by exit code. Everything is then as it was, the temporary file gone. */
export const attempt = {
  changed: {
    exit: 81,
    seen: "the file changed since it was read",
    remedy: "look at what changed it, then plan again",
  },
  arrival: {
    exit: 82,
    seen: "not all of the new content arrived",
    remedy: "check the folder's free space and the connection",
  },
  attributes: {
    exit: 83,
    seen: "owner, mode or SELinux label could not be put on the new file",
    remedy: "use a user who may change them (root, or become: true)",
  },
  validation: { exit: 84, seen: "the check of the new file said no", remedy: "the old file is still in place" },
  keeping: {
    exit: 85,
    seen: "the old file could not be kept",
    remedy: "check the free space and the rights where it is to be kept",
  },
} as const;

export interface ReplaceWords {
  /** Resolved; no part of it a link. */
  readonly path: string;
  /** In the same folder, so that the rename is one. */
  readonly temporary: string;
  readonly keepAs: string;
  /** sha256 of the old content, and of the new. */
  readonly expected: string;
  readonly arrives: string;
  readonly validation: string | undefined;
  /** Full paths; removed last. */
  readonly remove: readonly string[];
}

/**
 * The hash of the old file is compared twice: before anything is written, and right before the rename, since validation
 * may take its time. `timeout` or a lost connection ends it by TERM or the end of input: the trap then clears up.
 */
export function replaceScript(w: ReplaceWords): string {
  const { path, temporary, keepAs } = w;
  return [
    sh`set -Cu
umask 077
stop() { rm -f -- ${temporary}; exit "$1"; }
trap 'stop 129' HUP; trap 'stop 130' INT; trap 'stop 141' PIPE; trap 'stop 143' TERM
hash() { sum=$(sha256sum < "$1") && printf %s "\${sum%% *}"; }
as_read() { [ "$(readlink -f -- ${path})" = ${path} ] && [ "$(hash ${path})" = ${w.expected} ]; }
as_read || stop ${attempt.changed.exit}
cat > ${temporary} || stop ${attempt.arrival.exit}`,
    likeTheOld(path, temporary),
    sh`[ "$(hash ${temporary})" = ${w.arrives} ] || stop ${attempt.arrival.exit}`,
    w.validation === undefined ? "" : sh`/bin/sh -c ${w.validation} </dev/null >&2 || stop ${attempt.validation.exit}`,
    keepTheOld(path, keepAs),
    // Old coreutils (RHEL 7) sync everything instead, and say so.
    sh`sync -- ${temporary} ${keepAs} 2>/dev/null || sync
[ "$(hash ${temporary})" = ${w.arrives} ] || stop ${attempt.arrival.exit}
as_read || stop ${attempt.changed.exit}
mv -fT -- ${temporary} ${path} || stop 1
sync -- ${path.replace(/[^/]*$/, "")} 2>/dev/null || sync || :`,
    w.remove.length === 0 ? "" : removal(path, w),
  ].join("\n");
}

/**
 * `all` takes extended attributes and the label where there are any, and does not mind where there are none; so the label is
 * proved where SELinux is on. The time is not the old one's: tools that look for changes would miss this one.
 */
function likeTheOld(path: string, temporary: string): string {
  const { exit } = attempt.attributes;
  return sh`cp --attributes-only --preserve=all -- ${path} ${temporary} || cp --attributes-only -p -- ${path} ${temporary} || stop ${exit}
[ "$(stat -c %u:%g:%a -- ${path})" = "$(stat -c %u:%g:%a -- ${temporary})" ] || stop ${exit}
if command -v selinuxenabled >/dev/null && selinuxenabled && [ "$(stat -c %C -- ${path})" != "$(stat -c %C -- ${temporary})" ]; then
  chcon --reference=${path} -- ${temporary} || stop ${exit}
fi
touch -- ${temporary} || stop ${exit}`;
}

/** A second run with the same name must not replace the original by its successor. */
function keepTheOld(path: string, keepAs: string): string {
  const folder = keepAs.replace(/\/[^/]*$/, "") || "/";
  const { exit } = attempt.keeping;
  return sh`mkdir -p -- ${folder} || stop ${exit}
cmp -s -- ${path} ${keepAs} || cp -pT --backup=numbered -- ${path} ${keepAs} || stop ${exit}
chmod 600 -- ${keepAs} && cmp -s -- ${path} ${keepAs} || stop ${exit}`;
}

/** Only what is a file; that one stays is no reason to call the replacement undone. */
const removal = (path: string, { arrives, remove }: ReplaceWords): string =>
  sh`[ "$(hash ${path})" = ${arrives} ] || exit 0
for one in ${remove}; do [ ! -f "$one" ] || [ -L "$one" ] || rm -f -- "$one" || :; done
:`;
