/**
 * One run at a time works on a cluster: a `flock` on every master that stays, held through an open channel and gone with it, or with the answers of its owner.
 * Both sides count: the host frees the lock 60 s after the last byte from us; we change nothing unless every host has just answered.
 */
import { ownerLine, type Owner, readLockLine, shownOwner } from "../plan/lock-owner.ts";
import { freedAfter, lockPath, takeLock } from "../plan/lock-script.ts";
import { escapeControls } from "../plan/quote.ts";
import { Refusal } from "../plan/refusal.ts";
import { portAnswers } from "./engine.ts";
import { type Moment, now, since } from "./moment.ts";
import type { Held, RemoteHost } from "./remote-host.ts";
import { here, thisOwner } from "./this-process.ts";

/** Seconds. */
export interface Times {
  /** Without a byte from us, after which a host frees the lock. */
  readonly freed: number;
  /** Between two bytes. */
  readonly beat: number;
  /** That a run which holds the lock is given: the end of one that has just ended may be on its way. */
  readonly ending: number;
  /** That an orphan of a killed run on this machine is given, to end its last step or for the host to free the lock. */
  readonly orphan: number;
}
const usual: Times = { freed: freedAfter, beat: 10, ending: 3, orphan: freedAfter + 15 };

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What one host has given. */
interface Part {
  readonly host: string;
  readonly held: Held;
  /** The host had the lock for us when it answered what was sent at this moment, or later. */
  proved: Moment;
}

/**
 * Takes the lock on every host, or on none. Every run goes by the hosts' addresses, whatever they are called: two of them never wait for each other.
 * @throws Refusal that says who holds it, from where and since when
 */
export async function lockAll(hosts: readonly RemoteHost[], run: string, times: Times = usual): Promise<Lock> {
  const owner = thisOwner(run);
  const lock = new Lock(times);
  const key = ({ address, name }: RemoteHost) => `${address} ${name}`;
  try {
    for (const host of hosts.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)))
      lock.add(await lockOne(host, owner, times));
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The lock on all of them. */
export class Lock {
  readonly #times: Times;
  readonly #parts: Part[] = [];
  readonly #beats: NodeJS.Timeout;
  #lost: Error | undefined;
  /** The last moment at which this process is known to have run. */
  #awake = now();
  /** It stood still for so long that a host may have freed the lock; nobody has asked since. */
  #suspect = false;

  constructor(times: Times) {
    this.#times = times;
    let ticks = 0;
    this.#beats = setInterval(() => {
      this.#notice();
      if ((ticks += 1) % 10 === 0) for (const part of this.#parts) void ask(part);
    }, times.beat * 100).unref();
  }

  add(part: Part): void {
    this.#parts.push(part);
    void part.held.lost.then((error) => this.#lose(error));
  }

  /**
   * Every host says that it has the lock for us.
   * @param within seconds; an answer to what was sent so long ago will do
   * @throws Error when one does not, or has lost it: nothing may be changed any more
   */
  async prove(within = 2): Promise<void> {
    const enough = this.#suspect ? 0 : within;
    await Promise.race([Promise.all(this.#parts.map((part) => this.#proved(part, enough))), this.#told()]);
    if (this.#lost !== undefined)
      throw new Error(`the lock on the masters was lost, nothing more is done: ${this.#lost.message}`);
    this.#suspect = false;
  }

  /**
   * Asked before each command is sent. What was permitted may be sent long after: the machine slept, or the command waited for its turn.
   * @param decided when it was decided to send it
   * @returns undefined = it may be sent; else what to wait for, which rejects when it may not
   */
  guard(decided: Moment): Promise<void> | undefined {
    this.#notice();
    return this.#suspect || since(decided) > this.#pause ? this.prove() : undefined;
  }

  release(): void {
    clearInterval(this.#beats);
    for (const { held } of this.#parts) held.release();
  }

  /** Milliseconds; after two of them a host has not yet freed the lock. */
  get #pause(): number {
    return (this.#times.freed * 1000) / 3;
  }

  #notice(): void {
    if (since(this.#awake) > this.#pause) this.#suspect = true;
    this.#awake = now();
  }

  #lose(error: Error): void {
    this.#lost ??= error;
    clearInterval(this.#beats);
  }

  /** Asks until the host has answered something new enough; an answer may have lain here while the machine slept. */
  async #proved(part: Part, within: number): Promise<void> {
    const asked = now();
    const isNew = () => since(part.proved) <= Math.min(Math.max(within * 1000, since(asked)), this.#pause);
    const patience = Math.max(2 * this.#pause - since(part.proved), this.#pause / 2);
    while (!isNew()) {
      const left = patience - since(asked);
      if (left <= 0) {
        this.#lose(
          new Error(`${part.host} did not answer for ${Math.round(patience / 1000)} s whether it is still held`),
        );
        return;
      }
      await Promise.race([ask(part), pause(left)]);
    }
  }

  /** Of a loss; `add` has heard of it before. */
  async #told(): Promise<void> {
    await Promise.race(this.#parts.map(({ held }) => held.lost));
  }
}

/** One byte; the answer proves that the lock was ours when it was sent. */
async function ask(part: Part): Promise<void> {
  const at = now();
  await part.held.ask(".");
  if (since(at) < since(part.proved)) part.proved = at;
}

async function lockOne(host: RemoteHost, owner: Owner, times: Times): Promise<Part> {
  const started = now();
  for (;;) {
    const proved = now();
    const held = await host.hold(takeLock(ownerLine(owner), times.freed), {
      what: `taking the lock ${lockPath}`,
      deadline: 20,
    });
    if (held.line === "locked") return { host: host.name, held, proved };
    held.release();
    const line = held.line.replace(/^held ?/, "");
    const other = readLockLine(line)?.owner;
    const patience = (await isOrphan(other)) ? times.orphan : times.ending;
    if (since(started) > patience * 1000) throw new Refusal(heldBy(host.name, line, other));
    await pause(Math.min(2000, patience * 200));
  }
}

/** A run whose pulumi, or which itself, is no longer on this machine. Of other machines nothing is known here. */
async function isOrphan(owner: Owner | undefined): Promise<boolean> {
  const { boot, pidns, startOf } = here();
  const origin = owner?.origin;
  if (owner === undefined || origin?.boot !== boot || origin.pidns !== pidns) return false;
  if (startOf(owner.pid) !== origin.start) return true;
  const port = /^127\.0\.0\.1:(\d{1,5})$/.exec(origin.engine ?? "")?.[1];
  return port !== undefined && !(await portAnswers("127.0.0.1", Number(port)));
}

function heldBy(host: string, line: string, owner: Owner | undefined): string {
  const who =
    owner !== undefined
      ? shownOwner(owner)
      : line.trim() === ""
        ? "a run that is just beginning or ending"
        : line.trim();
  return `another run works on this cluster: the lock ${lockPath} on ${host} is held by ${escapeControls(who)}; wait until it has ended (a run whose machine is gone or asleep loses the lock within ${freedAfter} s; \`npm run lock -- show\` tells more)`;
}
