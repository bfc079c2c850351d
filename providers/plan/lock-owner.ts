/** Who holds the lock, as the line in the lock file tells it, and what proves that this owner can act no more. */

/** A machine as one of its processes sees it. */
export interface Machine {
  /** Hash of its machine id, 16 hex digits. */
  readonly machine: string;
  /** Hash of the running kernel's boot id, 16 hex digits: never the same after a start of the machine, nor on another one. */
  readonly boot: string;
  /** Inode of the PID namespace: in another one the same number is another process. */
  readonly pidns: string;
}

/** What can be proved of a process; lines of earlier versions have none of it. */
export interface Origin extends Machine {
  /** Clock ticks since the boot at which the process began: a number that was given out again has another. */
  readonly start: string;
  /** `address:port` of the engine that the process serves, on its own machine; undefined = it serves none. */
  readonly engine?: string | undefined;
}

export interface Owner {
  readonly run: string;
  readonly user: string;
  /** Host name of the machine it runs on. */
  readonly host: string;
  readonly pid: number;
  /** ISO time. */
  readonly since: string;
  readonly origin?: Origin | undefined;
}

/** The process on the master that has the lock for its owner. */
export interface Holder {
  readonly pid: number;
  /** Clock ticks since the boot of the master. */
  readonly start: string;
}

/** For people: `run … of …@…, process …, since …`. */
export const shownOwner = ({ run, user, host, pid, since }: Omit<Owner, "origin">): string =>
  `run ${run} of ${user}@${host}, process ${pid}, since ${since}`;

/** The line without what only the host knows: its holder, which the script there adds. */
export function ownerLine(owner: Owner): string {
  const { origin } = owner;
  if (origin === undefined) return shownOwner(owner);
  const { machine, boot, pidns, start, engine } = origin;
  return `${shownOwner(owner)}; machine ${machine} boot ${boot} pidns ${pidns} start ${start} engine ${engine ?? "none"}`;
}

const form =
  /^run (?<run>\S+) of (?<user>\S+)@(?<host>\S+), process (?<pid>\d+), since (?<since>[0-9T:.-]+Z)(?:; machine (?<machine>[0-9a-f]+) boot (?<boot>[0-9a-f]+) pidns (?<pidns>\d+) start (?<start>\d+) engine (?<engine>\S+))?(?:; holder (?<holder>\d+) start (?<begun>\d+))?\s*$/;

/** The line in the file, also of versions that wrote less; undefined = nobody of us wrote it. */
export function readLockLine(line: string): { owner: Owner; holder: Holder | undefined } | undefined {
  const found = form.exec(line)?.groups;
  if (found === undefined) return undefined;
  const of = (key: string): string => found[key] ?? "";
  const { machine, boot, pidns, start, engine } = found;
  const origin =
    machine === undefined || boot === undefined || pidns === undefined || start === undefined
      ? undefined
      : { machine, boot, pidns, start, engine: engine === "none" ? undefined : engine };
  const owner = { run: of("run"), user: of("user"), host: of("host"), pid: Number(of("pid")), since: of("since") };
  const holder = found["holder"] === undefined ? undefined : { pid: Number(found["holder"]), start: of("begun") };
  return { owner: { ...owner, origin }, holder };
}

/** The machine that judges, and what it sees of the owner's process. */
export interface Here extends Machine {
  readonly host: string;
  /** Milliseconds since 1970 at which it was started. */
  readonly bootedAt: number;
  /** Its own addresses. */
  readonly addresses: readonly string[];
  /** Start of the process of that number here; undefined = there is none; empty = there is one, and no more can be seen. */
  readonly startOf: (pid: number) => string | undefined;
}

/** The connection through which the holder was begun, as the master's kernel sees it. */
export interface Link {
  /** `address:port` of the other end. */
  readonly peer: string;
  /** TCP state, as ss names it. */
  readonly state: string;
  /** ss's timer: `keepalive,118min,0`; empty = none runs. */
  readonly timer: string;
}

export type Verdict = { readonly gone: true; readonly proof: string } | { readonly gone: false; readonly why: string };

/**
 * Can the owner still act? Only what is certain counts: the other end has closed the connection; or the connection was made from this very machine, and here, in the owner's own
 * PID namespace, its process is not there, or the machine was started since. The address is asked for because a copy of a machine has everything else: ids, name, and, when it was
 * copied while it ran, the boot. That a peer does not answer proves nothing: a laptop wakes up.
 */
export function isGone(owner: Owner | undefined, here: Here, link: Link | undefined): Verdict {
  if (owner === undefined)
    return still("the line in the file is not one of this program's: see on the host who holds it");
  if (link?.state === "CLOSE-WAIT") return gone(`${link.peer} has closed the connection it came by`);
  const { origin } = owner;
  if (origin === undefined) return still("an earlier version wrote its line, which holds nothing to prove it by");
  const elsewhere = still(
    `only on ${owner.host} it can be seen whether its process ${owner.pid} is still there: run this there`,
  );
  if (origin.boot !== here.boot && (origin.machine !== here.machine || owner.host !== here.host)) return elsewhere;
  if (link === undefined) return still("the connection it came by is not found on the master");
  if (!here.addresses.includes(addressOf(link.peer)))
    return still(
      `it came from ${link.peer}, which is no address of this machine: where there is a bastion or NAT between, nothing can be proved from here`,
    );
  return origin.boot === here.boot ? ofThisBoot(owner, origin, here) : ofAnEarlierBoot(owner, here);
}

const gone = (proof: string): Verdict => ({ gone: true, proof });
const still = (why: string): Verdict => ({ gone: false, why });

function ofThisBoot({ pid }: Owner, origin: Origin, here: Here): Verdict {
  if (origin.pidns !== here.pidns)
    return still("it runs on this machine in another PID namespace (a container): run this in there");
  const start = here.startOf(pid);
  if (start === undefined) return gone(`process ${pid} is no longer on this machine`);
  if (start === "")
    return still(`a process ${pid} is here, and this user may not see which one: run this as its user, or as root`);
  if (start !== origin.start) return gone(`process ${pid} on this machine is another one, begun at another time`);
  return still(`its process ${pid} is on this machine and runs: wait until it has ended, or end it`);
}

function ofAnEarlierBoot(owner: Owner, here: Here): Verdict {
  const at = new Date(here.bootedAt).toISOString();
  if (here.bootedAt > Date.parse(owner.since))
    return gone(`it came from this machine, which was started since, at ${at}`);
  return still(`this machine was started before it, at ${at}: it was another machine of the same ids`);
}

/** `10.0.0.1:5`, `[::1]:5`, `[::ffff:10.0.0.1]:5` → the address. */
export const addressOf = (peer: string): string =>
  peer
    .replace(/:\d+$/, "")
    .replace(/%[^\]]*/, "")
    .replace(/^\[|\]$/g, "")
    .replace(/^::ffff:(?=\d+\.)/i, "");
