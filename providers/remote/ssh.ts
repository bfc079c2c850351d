/**
 * The hosts, through SSH: one connection each, opened when first needed, shared by everyone, opened anew after it was lost.
 * Host keys are always verified, the agent is never forwarded, every command has a deadline on both sides.
 */
import { messageOf } from "../plan/refusal.ts";
import type { HostContext } from "./begin.ts";
import { commandSent } from "./fault.ts";
import { Host } from "./host.ts";
import { loadIdentity, type Identity } from "./identity.ts";
import { NoConnection, openLine, tunnel, type Endpoint } from "./connect.ts";
import type { Line } from "./line.ts";
import { pooled } from "./pool.ts";
import { Journal } from "./record/journal.ts";
import type { RemoteHost } from "./remote-host.ts";
import type { SshSettings, Target } from "./settings.ts";
import { requireSilence } from "./silence.ts";

export type { SshSettings, Target } from "./settings.ts";
export type { BytesResult, Held, HoldOptions, RemoteHost, Result, RunOptions, StreamOptions } from "./remote-host.ts";

/** All connections of a process. */
export class Connections {
  /** Logged-in connections (the bastion's included) and commands sent, so far. */
  readonly stats = { connections: 0, commands: 0 };
  /** Commands sent to each host, so far. */
  readonly sentTo = new Map<string, number>();
  readonly #settings: SshSettings;
  readonly #hosts = new Map<string, RemoteHost>();
  readonly #journals = new Map<RemoteHost, Journal>();
  /** The connection of each place, or its being opened; a failed or lost one is taken out. */
  readonly #lines = new Map<string, Promise<Line>>();
  #identity: Promise<Identity> | undefined;
  #closed = false;
  #flaws = 0;
  #guard: HostContext["guard"] | undefined;

  constructor(settings: SshSettings) {
    this.#settings = settings;
  }

  /** From now on it is asked before each command. */
  guardBy(guard: HostContext["guard"]): void {
    this.#guard = guard;
  }

  /** The host of that name and address; nothing is connected yet. */
  host(target: Target): RemoteHost {
    const key = `${target.name} ${target.address}`;
    const known = this.#hosts.get(key);
    if (known) return known;
    const journal = new Journal(target.name, (name, seen) => this.#tellFlaw(name, seen));
    const host = new Host(target, {
      name: target.name,
      open: () => this.#line(key, () => this.#reach(target)),
      openAside: () => this.#line(`${key} aside`, () => this.#reach(target)),
      guard: (decided) => this.#guard?.(decided),
      settings: this.#settings,
      sent: (what) => {
        this.stats.commands += 1;
        this.sentTo.set(target.name, (this.sentTo.get(target.name) ?? 0) + 1);
        return commandSent(target.name, what);
      },
      journal,
    });
    this.#journals.set(host, journal);
    this.#hosts.set(key, host);
    return host;
  }

  #tellFlaw(host: string, seen: string): void {
    this.#flaws += 1;
    const others = this.#flaws === mostFlaws ? "; that of other hosts is told no more" : "";
    if (this.#flaws <= mostFlaws)
      console.log(
        `[record] the journal of ${host} cannot be written (${seen}): it has no further line of this run; the transcript on this machine has them all${others}`,
      );
  }

  /** Tells the hosts' journals what no command has carried there; never throws. */
  async tellJournals(): Promise<void> {
    const waiting = [...this.#journals].filter(([, journal]) => journal.isWaiting);
    await pooled(waiting, journalsAtOnce, async ([host, journal]) => {
      while (journal.isWaiting)
        await host
          .run(":", { what: "writing into its journal", deadline: 20, looks: true })
          .catch((error: unknown) => journal.fail(messageOf(error)));
    });
  }

  /** Hangs up where nothing was sent for so many seconds; the next command connects anew. The bastion stays. */
  rest(seconds: number): void {
    for (const [key, line] of this.#lines)
      if (key !== bastionKey)
        line.then(
          (opened) => opened.rest(seconds),
          () => undefined,
        );
  }

  /** Breaks the connection to a host, as a link breaks: tests ask for that. */
  async cut(name: string): Promise<void> {
    for (const [key, line] of this.#lines)
      if (key.startsWith(`${name} `)) await line.then((opened) => opened.break()).catch(() => undefined);
  }

  /** Ends every connection (within 2 s each) and opens no more; what is running then ends as lost. */
  async close(): Promise<void> {
    this.#closed = true;
    const lines = [...this.#lines.entries()].filter(([key]) => key !== bastionKey).map(([, line]) => line);
    await Promise.all(lines.map(hangUp));
    // Last: the others run through it.
    await hangUp(this.#lines.get(bastionKey));
  }

  #line(key: string, open: () => Promise<Endpoint>): Promise<Line> {
    if (this.#closed) return Promise.reject(new NoConnection("the connections were closed"));
    const there = this.#lines.get(key);
    if (there) return there;
    const line = open()
      .then(openLine)
      // a bastion only forwards, and may allow nothing else
      .then((opened) => (key === bastionKey ? opened : requireSilence(opened)))
      .then((opened) => {
        this.stats.connections += 1;
        return opened;
      });
    const forget = () => {
      if (this.#lines.get(key) === line) this.#lines.delete(key);
    };
    line.then((opened) => opened.onLost(forget), forget);
    this.#lines.set(key, line);
    return line;
  }

  async #reach(target: Target): Promise<Endpoint> {
    const { user, port, bastion } = this.#settings;
    const direct = {
      ...(await this.#common()),
      user,
      names: [target.name, target.address],
      address: target.address,
      port,
    };
    if (!bastion) return direct;
    const line = await this.#line(bastionKey, () => this.#reachBastion(bastion)).catch((error: unknown) => {
      if (!(error instanceof NoConnection)) throw error;
      throw new NoConnection(`bastion: ${error.message}`, error.remedy, error);
    });
    return { ...direct, sock: await tunnel(line, target.address, port) };
  }

  async #reachBastion(b: NonNullable<SshSettings["bastion"]>): Promise<Endpoint> {
    return { ...(await this.#common()), user: b.user, names: [b.host], address: b.host, port: b.port ?? 22 };
  }

  async #common(): Promise<{ knownHosts: string; identity: Identity }> {
    this.#identity ??= loadIdentity(this.#settings);
    return { knownHosts: this.#settings.knownHosts, identity: await this.#identity };
  }
}

/** Hosts whose journals are written at the same time. */
const journalsAtOnce = 20;

/** Hosts whose journals cannot be written that are told one by one. */
const mostFlaws = 5;

/** No host name can hold a blank, so no host's key is this. */
const bastionKey = " bastion";

async function hangUp(line: Promise<Line> | undefined): Promise<void> {
  const opened = await line?.catch(() => undefined);
  await opened?.close();
}
