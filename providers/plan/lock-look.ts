/** What a look at the lock found on a master: free, or held by whom, through which processes, over which connection. */
import {
  type Here,
  type Holder,
  isGone,
  type Link,
  type Owner,
  readLockLine,
  shownOwner,
  type Verdict,
} from "./lock-owner.ts";
import { escapeControls } from "./quote.ts";

export type LockLook =
  | { readonly state: "free" }
  | {
      readonly state: "held";
      /** The line in the file as it is. */
      readonly line: string;
      readonly owner: Owner | undefined;
      /** Who has the lock, as far as the kernel and the line tell. */
      readonly holders: readonly (Holder & { readonly name: string })[];
      readonly link: Link | undefined;
    };

const wordsOf = (stdout: string, key: string): string[] =>
  stdout.split("\n").flatMap((line) => (line.startsWith(`${key} `) ? [line.slice(key.length + 1)] : []));

/**
 * Reads what `lookAtLock` printed.
 * @throws Error when it is something else
 */
export function readLook(stdout: string): LockLook {
  const [state] = wordsOf(stdout, "state");
  if (state === "free") return { state };
  const [line] = wordsOf(stdout, "line");
  if (state !== "held" || line === undefined)
    throw new Error(`the answer is none: ${escapeControls(stdout.slice(0, 200))}`);
  const read = readLockLine(line);
  const holders = holdersOf(stdout, read?.holder);
  return { state, line, owner: read?.owner, holders, link: linkOf(stdout, holders) };
}

/**
 * Who has the file open may be somebody who only tries, for a moment. The kernel tells whose the lock is where it is not older than 4.1 (RHEL 7); else the line
 * does; a line of an earlier version does not.
 */
function holdersOf(stdout: string, named: Holder | undefined): (Holder & { name: string })[] {
  const open = wordsOf(stdout, "open").flatMap((words) => {
    const [, pid = "", start = "", has, name = ""] = /^(\d+) (\d+) (yes|no) ?(.*)$/.exec(words) ?? [];
    return pid === "" ? [] : [{ pid: Number(pid), start, has: has === "yes", name }];
  });
  const certain = open.filter(({ has }) => has);
  const known = certain.length > 0 ? certain : open;
  const itself = known.filter(({ pid, start }) => pid === named?.pid && start === named.start);
  return (named === undefined ? known : itself).map(({ pid, start, name }) => ({ pid, start, name }));
}

/** The connection of an sshd among the ancestors: `ESTAB 0 0 10.0.0.1:22 10.0.0.9:4711 users:(("sshd",pid=7,fd=4)) timer:(…)`; older ones write `("sshd",7,4)`. */
function linkOf(stdout: string, holders: readonly Holder[]): Link | undefined {
  const kin = new Set(
    wordsOf(stdout, "kin").flatMap((words) => {
      const [of, up] = words.split(" ").map(Number);
      return up !== undefined && holders.some(({ pid }) => pid === of) ? [up] : [];
    }),
  );
  for (const socket of wordsOf(stdout, "sock")) {
    const [state = "", , , , peer = ""] = socket.trim().split(/\s+/);
    const pids = [...socket.matchAll(/\("sshd[^"]*",(?:pid=)?(\d+),/g)].map(([, pid]) => Number(pid));
    if (state === "LISTEN" || !pids.some((pid) => kin.has(pid))) continue;
    return { peer, state, timer: /timer:\(([^)]*)\)/.exec(socket)?.[1] ?? "" };
  }
  return undefined;
}

/** Lines for people: who, through what, and whether it can be cleared. */
export function showLook(look: LockLook, here: Here): string[] {
  if (look.state === "free") return ["free"];
  const { owner, holders, link, line } = look;
  const verdict = judge(look, here);
  const who = owner === undefined ? `somebody unknown; the file says: ${line.trim() || "nothing"}` : shownOwner(owner);
  const there = holders.map(({ pid, name }) => `${pid} (${name})`).join(", ");
  return [
    `held by ${who}`,
    `  on the master by process ${there || "none that can be named"}${link === undefined ? "" : `, through SSH from ${link.peer} (${linkInWords(link)})`}`,
    verdict.gone ? `  its owner is gone: ${verdict.proof}` : `  not to be cleared: ${verdict.why}`,
  ].map((text) => escapeControls(text));
}

/** Can the owner still act, and is it clear which process holds the lock for it? */
export function judge(look: Extract<LockLook, { state: "held" }>, here: Here): Verdict {
  const verdict = isGone(look.owner, here, look.link);
  if (!verdict.gone || look.holders.length > 0) return verdict;
  return {
    gone: false,
    why: "no process that has the lock is the one that the line in the file names: look once more",
  };
}

function linkInWords({ state, timer }: Link): string {
  const [kind, time = "", probes = "0"] = timer.split(",");
  if (state !== "ESTAB") return state;
  if (kind === "on") return `does not acknowledge what is sent: ${probes} times so far, next in ${time}`;
  if (kind === "keepalive" && probes !== "0") return `does not answer keep-alives: ${probes} so far`;
  return "established";
}
