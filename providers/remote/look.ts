/** The looks of a run at all hosts: what was seen a moment ago counts, until something was changed. */
import { resolve } from "node:path";
import { aheadOf } from "../plan/clocks.ts";
import {
  type BalancerFacts,
  type ClusterFacts,
  type Hosts,
  type MasterFacts,
  type NodeFacts,
  type Unreachable,
  balancerFacts,
  clusterFacts,
  isReachable,
  masterFacts,
  nodeFacts,
} from "../plan/facts.ts";
import { balancerProbe, probeOf } from "../plan/haproxy-probe.ts";
import { type InventoryFacts, inventoryFacts, inventoryProbe } from "../plan/inventory-facts.ts";
import { largestFile } from "../plan/parts.ts";
import { isLeft } from "../plan/plans.ts";
import { missingFrom } from "../plan/plans/inventory-return.ts";
import { clusterProbe, masterProbe, nodeProbe } from "../plan/probe.ts";
import { messageOf } from "../plan/refusal.ts";
import type { Change, Extra, LocalFacts, World } from "../plan/steps.ts";
import { wordsOf } from "../plan/sweep-words.ts";
import { archivedAuthorities } from "./archived-authority.ts";
import { askHost } from "./ask-host.ts";
import { askBudgets } from "./budgets.ts";
import { askCensus } from "./census.ts";
import { defaultInventory } from "./default-inventory.ts";
import { askAnsible } from "./inventory-ansible.ts";
import { readFormer } from "./inventory-former.ts";
import { askWorkTree } from "./inventory-git.ts";
import { freeFor } from "./local-archive.ts";
import { pooled } from "./pool.ts";
import type { Session } from "./session.ts";
import { expandHome } from "./settings.ts";
import { askStrangers } from "./strangers.ts";
import { sweep } from "./sweep.ts";
import { thisMachine } from "./this-machine.ts";

/** Each adds its part of the world; never throws. */
const extras: Readonly<Record<Extra, (session: Session, world: World, change: Change) => Promise<Partial<World>>>> = {
  sweep,
  budgets: askBudgets,
  census: askCensus,
  ansible: askAnsible,
  git: (_session, world, change) => askWorkTree(world, change),
  strangers: askStrangers,
  // they are part of every look; whoever asks for them wants to know how they are now
  nodes: () => Promise.resolve({}),
};

/** Seconds that what was seen is still taken for true, as long as this process changed nothing. */
const freshness = 20;

/** Seconds that it is of a node, where nobody asks for `nodes`: there may be hundreds, and only a step on a node changes what is asked of it. */
const nodeFreshness = 600;

/** Seconds that a host which is acknowledged as gone, and was, is not asked again: each try may take 10, and nothing is done on it. */
const goneFor = 300;

/** Nodes that are looked at at the same time. */
const nodesAtOnce = 20;

export class Looks {
  readonly #session: Session;
  readonly #seen = new Map<string, { at: number; seen: Promise<object> }>();
  readonly #nodesSeen = new Map<string, { at: number; facts: NodeFacts | Unreachable }>();
  /** Hosts that are acknowledged as gone, and did not answer. */
  readonly #gone = new Map<string, { at: number; facts: Unreachable }>();
  /** The last look at nodes. */
  #lookAtNodes: Promise<unknown> = Promise.resolve();

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Forgets what was seen: something is about to change, or has.
   * @param than seconds; what was asked for since then stays
   */
  forget(than = 0): void {
    for (const [key, { at }] of this.#seen) if (Date.now() - at >= than * 1000) this.#seen.delete(key);
  }

  /** A step on this host is over: what a node showed before it is no longer so. */
  stepped(host: string): void {
    this.#nodesSeen.delete(host);
    this.forget();
  }

  /**
   * Looks at every host the change is about. Never throws for a host: one that cannot be asked is `unreachable`.
   * @param retired leaving hosts of earlier changes: visited only while something of them is left, so that a machine that was
   *   switched off long ago costs nobody a time-out; otherwise they are taken out of the change
   * @param asks what is wanted besides
   */
  async at(
    change: Change,
    retired: ReadonlySet<string> = new Set(),
    asks: readonly Extra[] = [],
  ): Promise<{ world: World; change: Change }> {
    const key = JSON.stringify([change.survivors, change.leaving, [...retired]]);
    const [seenBefore, nodes] = await Promise.all([
      this.#fresh(key, () => this.#observe(change, retired)),
      this.#nodes(asks.includes("nodes") ? freshness : nodeFreshness),
    ]);
    const first = { ...seenBefore, nodes };
    const left = Object.entries(change.leaving).filter(
      ([name, address]) => retired.has(name) && isLeft(first, { ...change, leaving: { [name]: address } }),
    );
    const base = {
      ...first,
      ...(await this.#fresh(`${JSON.stringify(left)} ${key}`, () => this.#withLeft(change, first, left))),
    };
    const more = await Promise.all(
      asks.map((extra) => this.#fresh(`${extra} ${key}`, () => extras[extra](this.#session, base, change))),
    );
    const seen = Object.assign({ ...base, sketches: this.#session.sketches }, ...more) as World;
    const leaving = Object.fromEntries(Object.entries(change.leaving).filter(([name]) => name in seen.masters));
    return { world: seen, change: { ...change, leaving, retired: change.leaving } };
  }

  /** What was seen a moment ago counts, until somebody forgets it. */
  #fresh<T extends object>(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#seen.get(key);
    if (known !== undefined && Date.now() - known.at < freshness * 1000) return known.seen as Promise<T>;
    const seen = ask();
    const asked = { at: Date.now(), seen };
    this.#seen.set(key, asked);
    // what took long to ask is as new as its last answer
    void seen.then(
      () => (asked.at = Date.now()),
      () => undefined,
    );
    return seen;
  }

  async #observe(change: Change, retired: ReadonlySet<string>): Promise<Omit<World, "nodes">> {
    const now = Object.fromEntries(Object.entries(change.leaving).filter(([name]) => !retired.has(name)));
    const [masters, balancers, inventory, cluster, local] = await Promise.all([
      this.masters({ ...change.survivors, ...now }),
      this.#balancers(change),
      this.#inventory(change),
      this.#cluster(change),
      this.#local(),
    ]);
    return { masters, balancers, inventory, cluster, local };
  }

  /** With those that were retired earlier and of whom something is left. */
  async #withLeft(
    change: Change,
    { masters }: World,
    left: readonly [string, string][],
  ): Promise<Pick<World, "masters" | "archives">> {
    const all = left.length === 0 ? masters : { ...masters, ...(await this.masters(Object.fromEntries(left))) };
    return { masters: all, archives: await this.#archives(change, all) };
  }

  /** Of those that leave and cannot be asked: what was saved of their certificate authorities. */
  async #archives(change: Change, masters: World["masters"]): Promise<NonNullable<World["archives"]>> {
    const gone = Object.keys(change.leaving).filter((name) => name in masters && !isReachable(masters[name]));
    return Object.fromEntries(
      await Promise.all(
        gone.map(async (name) => [name, await archivedAuthorities(this.#session.archive, name)] as const),
      ),
    );
  }

  #probe<T>(name: string, address: string, script: string, read: (stdout: string) => T): Promise<T | Unreachable> {
    const asked = { what: "asking for the state of things", deadline: 60, limit: 8 * largestFile };
    return askHost(this.#session.host(name, address), script, asked, read);
  }

  async #all<H, T>(
    hosts: Readonly<Record<string, H>>,
    ask: (name: string, host: H) => Promise<T>,
  ): Promise<Record<string, T>> {
    return Object.fromEntries(
      await Promise.all(Object.entries(hosts).map(async ([name, host]) => [name, await ask(name, host)] as const)),
    );
  }

  /** Looks at masters, anew; at one that is acknowledged as gone, and was, not for a while. */
  masters(hosts: Hosts): Promise<Record<string, MasterFacts | Unreachable>> {
    const { directory } = this.#session.settings.backup;
    return this.#all(hosts, async (name, address) => {
      const asked = Date.now();
      const dead = this.#gone.get(name);
      if (dead !== undefined && asked - dead.at < goneFor * 1000) return dead.facts;
      const facts = await this.#probe(name, address, masterProbe({ address, backupDirectory: directory }), masterFacts);
      if (!isReachable(facts) && this.#session.settings.acknowledge.includes(`host-gone:${name}`))
        this.#gone.set(name, { at: Date.now(), facts });
      const ahead = isReachable(facts) ? aheadOf(facts.identity.time, asked, Date.now()) : undefined;
      return isReachable(facts) && ahead ? { ...facts, identity: { ...facts.identity, ahead } } : facts;
    });
  }

  #balancers(change: Change): Promise<Record<string, BalancerFacts | Unreachable>> {
    const haproxies = Object.entries(this.#session.settings.loadBalancers).flatMap(([name, entry]) =>
      entry.kind === "haproxy" ? [[name, entry] as const] : [],
    );
    return this.#all(Object.fromEntries(haproxies), (name, entry) =>
      this.#probe(name, entry.address, balancerProbe(probeOf(entry, change)), (stdout) =>
        balancerFacts(stdout, entry.config),
      ),
    );
  }

  /** One look after the other: the next finds what the one before has seen. */
  #nodes(within: number): Promise<World["nodes"]> {
    const looked = this.#lookAtNodes.then(() => this.#askNodes(within));
    this.#lookAtNodes = looked;
    return looked;
  }

  /** @param within seconds; what was seen since then is not asked again */
  async #askNodes(within: number): Promise<World["nodes"]> {
    const since = Date.now() - within * 1000;
    const hosts = Object.entries(this.#session.settings.nodes);
    const old = hosts.filter(([name]) => (this.#nodesSeen.get(name)?.at ?? -Infinity) <= since);
    await pooled(old, nodesAtOnce, async ([name, { address }]) => {
      const at = Date.now();
      this.#nodesSeen.set(name, { at, facts: await this.#probe(name, address, nodeProbe(), nodeFacts) });
    });
    return Object.fromEntries(
      hosts.map(([name]) => [name, this.#nodesSeen.get(name)?.facts ?? { unreachable: "it was not looked at" }]),
    );
  }

  async #local(): Promise<LocalFacts> {
    const keyFlaw = await this.#session.encryption().then(() => undefined, messageOf);
    return { keyFlaw, freeForArchive: await freeFor(this.#session.archive) };
  }

  async #inventory({ survivors, leaving }: Change): Promise<InventoryFacts | Unreachable> {
    const { path, host, address } = this.#session.settings.inventory;
    const found = path === undefined ? orUnreachable(defaultInventory) : { path };
    if ("unreachable" in found) return found;
    const there = host === undefined ? resolve(expandHome(found.path)) : found.path;
    const machine = host === undefined ? thisMachine : this.#session.host(host, address ?? host);
    const asked = { what: "reading the inventory", deadline: 60, limit: 8 * largestFile };
    const words = Object.entries(leaving).map(([name, at]) => wordsOf(name, at, { ...survivors, ...leaving }).whole);
    const facts = await askHost(machine, inventoryProbe(there, words.join("|")), asked, (stdout) =>
      inventoryFacts(stdout, there),
    );
    if ("unreachable" in facts) return facts;
    const seen = missingFrom(facts, { survivors }).length > 0 ? await readFormer(machine, facts) : facts;
    return { ...seen, ...("through" in found && { through: found.through }) };
  }

  /** Asked on the first survivor that can answer. */
  async #cluster(change: Change): Promise<ClusterFacts | Unreachable> {
    let last: ClusterFacts | Unreachable = { unreachable: "no master to ask" };
    for (const [name, address] of Object.entries(change.survivors)) {
      last = await this.#probe(name, address, clusterProbe(Object.keys(change.leaving)), clusterFacts);
      if (isReachable(last) && last.unknown.length === 0) return last;
    }
    return last;
  }
}

function orUnreachable<T extends object>(ask: () => T): T | Unreachable {
  try {
    return ask();
  } catch (error) {
    return { unreachable: messageOf(error) };
  }
}
