/** What all resources of a run share: the configuration, the connections, what was seen of the hosts, and the lock. */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import type { Hosts, MasterFacts, Unreachable } from "../plan/facts.ts";
import type { Sketch } from "../plan/haproxy.ts";
import type { Settings } from "../plan/settings.ts";
import type { Change, Extra, World } from "../plan/steps.ts";
import { type Encryption, encryptionTo } from "./encrypt.ts";
import { engineAnswers, requireEngine } from "./engine.ts";
import { armFaults } from "./fault.ts";
import { type Lock, lockAll } from "./lock.ts";
import { Looks } from "./look.ts";
import { RunRecord } from "./record/record.ts";
import type { RemoteHost } from "./remote-host.ts";
import { expandHome } from "./settings.ts";
import { Connections } from "./ssh.ts";

/** Seconds after which a connection that nobody uses is closed. */
const idle = 120;

export class Session {
  readonly settings: Settings;
  readonly connections: Connections;
  readonly record: RunRecord;
  /** Names this run in file names, locks and messages. */
  readonly run = `${new Date().toISOString().slice(11, 19).replaceAll(":", "")}-${randomBytes(3).toString("hex")}`;
  readonly date = new Date().toISOString().slice(0, 10).replaceAll("-", "");
  /** Who leaves or has left, as Preflight's check, the first of the chain, knows it: name → address. */
  leaving: Hosts = {};
  /** Of these, those whose retirement was begun with a state that is lost: a resource that is new has to do its part of it as if they left now. */
  unfinished: Hosts = {};
  /** Where server lines stand or stood, as the load balancers' checks of this process found it: load balancer → sketch. */
  readonly sketches: Record<string, Sketch> = {};
  readonly #looks = new Looks(this);
  #lock: Promise<Lock> | undefined;
  #encryption: Promise<Encryption | undefined> | undefined;
  #steps = 0;

  constructor(settings: Settings) {
    this.settings = settings;
    this.record = new RunRecord(this.archive, this.run);
    armFaults(settings.lab);
    this.#watchEngine();
    this.connections = new Connections(settings.ssh as ConstructorParameters<typeof Connections>[0]);
  }

  /** The folder of the off-host copies. */
  get archive(): string {
    return resolve(expandHome(this.settings.backup.archive));
  }

  /** A host of the configuration, or one that leaves, by name and address. */
  host(name: string, address: string): RemoteHost {
    return this.connections.host({ name, address });
  }

  /** @see Looks.forget */
  forget(than = 0): void {
    this.#looks.forget(than);
  }

  /** @see Looks.at */
  look(
    change: Change,
    retired?: ReadonlySet<string>,
    asks?: readonly Extra[],
  ): Promise<{ world: World; change: Change }> {
    return this.#looks.at(change, retired, asks);
  }

  /** @see Looks.masters */
  masters(hosts: Hosts): Promise<Record<string, MasterFacts | Unreachable>> {
    return this.#looks.masters(hosts);
  }

  /** To whom the off-host copies are encrypted; undefined when they are not. @throws Refusal for a key file that is none */
  encryption(): Promise<Encryption | undefined> {
    const { encrypt } = this.settings.backup;
    return (this.#encryption ??= encrypt === undefined ? Promise.resolve(undefined) : encryptionTo(encrypt));
  }

  /** Must come before every change on a host: pulumi is alive, nobody else works on this cluster, and the run is in the record. */
  async permit({ survivors, leaving }: Pick<Change, "survivors" | "leaving">): Promise<void> {
    await requireEngine();
    if (this.#lock === undefined) this.record.prepare();
    this.#lock ??= lockAll(
      Object.entries(survivors).map(([name, address]) => this.host(name, address)),
      this.run,
    ).then((lock) => {
      this.connections.guardBy((decided) => lock.guard(decided));
      return lock;
    });
    const lock = await this.#lock.catch((error: unknown) => {
      this.#lock = undefined;
      throw error;
    });
    await lock.prove();
    await this.record.begin({ leaves: Object.keys(leaving), stays: Object.keys(survivors) });
    this.forget();
  }

  /** Runs a step of the plan on a host; an orphan ends when no step is under way. */
  async step<T>(work: () => Promise<T>, host: string): Promise<T> {
    this.#steps += 1;
    try {
      return await work();
    } finally {
      this.#steps -= 1;
      this.#looks.stepped(host);
    }
  }

  /** The provider of a killed pulumi would stay, and hold the lock, for ever: it ends itself, between two steps. */
  #watchEngine(): void {
    setInterval(() => {
      this.connections.rest(idle);
      void engineAnswers().then(async (alive) => {
        if (alive || this.#steps > 0) return;
        this.record.end("pulumi is gone");
        await this.close();
        process.exit(1);
      });
    }, 2000).unref();
  }

  /** Ends the run, lets the lock go and hangs up. */
  async close(): Promise<void> {
    this.record.end();
    (await this.#lock?.catch(() => undefined))?.release();
    this.#lock = undefined;
    await this.connections.close();
  }
}
