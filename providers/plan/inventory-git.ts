/** Pure: an inventory's files in a git work tree: how git is asked of them, and how an edit is committed. */
import { type Part, inParts, partsOf } from "./parts.ts";
import { sh } from "./quote.ts";

/** How a file stands in its work tree. */
export interface GitFacts {
  /** The work tree's folder. */
  readonly top: string;
  readonly state: "clean" | "changed" | "untracked";
  /** What was committed last, of a file that has changed since. */
  readonly head?: Uint8Array;
}

const git = "git --literal-pathspecs -C";

/** @param home where git's own configuration is looked for */
export const gitProbe = (paths: readonly string[], home: string): string =>
  inParts(`command -v git >/dev/null 2>&1 || exit 0
${sh`export HOME=${home} GIT_OPTIONAL_LOCKS=0 GIT_TERMINAL_PROMPT=0`}
look() { # n path
  dir=$(dirname -- "$2")
  top=$(${git} "$dir" rev-parse --show-toplevel 2>/dev/null) || return 0
  [ -n "$top" ] || return 0
  value "top:$1" "$top"
  if ! ${git} "$dir" ls-files --error-unmatch -- "$2" >/dev/null 2>&1; then value "state:$1" untracked
  elif ${git} "$dir" diff --quiet HEAD -- "$2" 2>/dev/null; then value "state:$1" clean
  else
    value "state:$1" changed
    checked "head:$1" ${git} "$dir" show "HEAD:./$(basename -- "$2")"
  fi
}
${paths.map((path, at) => sh`look ${at} ${path}`).join("\n")}`);

const textOf = (part: Part | undefined): string => Buffer.from(part?.bytes ?? []).toString("utf8");

/** Of each path, in their order; undefined for one that is in no work tree. */
export function gitFacts(stdout: string, count: number): (GitFacts | undefined)[] {
  const parts = partsOf(stdout);
  return Array.from({ length: count }, (_, at) => {
    const state = textOf(parts.get(`state:${at}`));
    if (state !== "clean" && state !== "changed" && state !== "untracked") return undefined;
    const head = parts.get(`head:${at}`);
    return { top: textOf(parts.get(`top:${at}`)), state, ...(head?.state === 0 && { head: head.bytes }) };
  });
}

export interface Commit {
  readonly top: string;
  /** Full paths: exactly these, whatever else is staged. */
  readonly paths: readonly string[];
  readonly message: string;
}

/** With git's own author, hooks and signature. Already so is success. @param home as with `gitProbe` */
export const commitScript = ({ top, paths, message }: Commit, home: string): string => sh`
export HOME=${home} GIT_TERMINAL_PROMPT=0 GIT_EDITOR=:
so() { git --literal-pathspecs -C ${top} diff --quiet HEAD -- ${paths}; }
! so || exit 0
git --literal-pathspecs -C ${top} commit -q -m ${message} -o -- ${paths} >&2 && so`;
