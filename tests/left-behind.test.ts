/** FlannelNetwork where nodes fail: the real resource on a session whose hosts do what they are told in a world of facts. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { flannelNetwork } from "../providers/flannel-network.ts";
import type { Inputs } from "../providers/kind.ts";
import { lifecycle } from "../providers/lifecycle.ts";
import { nodeFacts } from "../providers/plan/facts.ts";
import { planFlannel } from "../providers/plan/plans.ts";
import { readSettings } from "../providers/plan/settings.ts";
import type { Change, World } from "../providers/plan/steps.ts";
import type { Session } from "../providers/remote/session.ts";
import { type Unrecorded, noConnections, toldRecord, unrecorded } from "./unrecorded.ts";
import { after, configuration, healthy, master, mastersOf, nodeParts, probed, unreachable } from "./plan/world.ts";

const [m0, m2, m3] = [master(0), master(2), master(3)];
const [four, three] = [mastersOf(4), mastersOf(3)];
const node = (n: number): string => `node-${n}.example.com`;
const path = "/etc/sysconfig/flanneld";

/** Hosts in a world of facts. */
class Hosts {
  readonly nodes: Record<string, string>;
  readonly settings;
  readonly run = "run";
  readonly connections = noConnections();
  record = unrecorded;
  readonly sketches = {};
  world: World;
  /** Hosts that restarted flanneld, in order. */
  readonly restarted: string[] = [];
  /** Hosts whose flanneld does not come back; that do not answer a command. */
  readonly failing = new Set<string>();
  readonly silent = new Set<string>();
  /** Hosts on which commands run; how many there were at most; was a master beside another? */
  readonly busy = new Set<string>();
  most = 0;
  mixed = false;
  locked = false;
  /** Called with each command. */
  sent: (host: string, what: string) => void = () => undefined;

  constructor(count: number, atOnce = 3) {
    this.nodes = Object.fromEntries(Array.from({ length: count }, (_, n) => [node(n), `10.1.${n >> 8}.${n & 255}`]));
    const nodes = Object.fromEntries(Object.entries(this.nodes).map(([name, address]) => [name, { address }]));
    this.settings = readSettings({ ...configuration(four), nodes, flannel: { atOnce } });
    const facts = Object.keys(nodes).map((name) => [name, nodeFacts(probed(nodeParts(name, 4)))] as const);
    this.world = { ...healthy(4, [m3]), nodes: Object.fromEntries(facts) };
  }
  get session(): Session {
    return this as unknown as Session;
  }
  forget(): void {
    // nothing is remembered here
  }
  look(change: Change): Promise<{ world: World; change: Change }> {
    return Promise.resolve({ world: this.world, change });
  }
  permit(): Promise<void> {
    return this.locked ? Promise.reject(new Error("held by another run")) : Promise.resolve();
  }
  step<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }
  host(name: string, address: string) {
    const run = async (script: string, { what, stdin }: { what: string; stdin?: Buffer }) => {
      this.sent(name, what);
      this.busy.add(name);
      this.most = Math.max(this.most, this.busy.size);
      this.mixed ||= this.busy.size > 1 && [...this.busy].some((one) => one in four);
      await new Promise((resolve) => setImmediate(resolve));
      this.busy.delete(name);
      if (this.silent.has(name)) throw new Error(`${what} on ${name} failed: no SSH connection; last lines:\n  | x`);
      if (stdin !== undefined) this.#write(name);
      if (!script.includes("restart")) return this.#said(script.includes("is-active") ? "active\n" : `${path}\0`);
      if (this.failing.has(name)) throw new Error(`restarting flanneld on ${name} failed: exit 1`);
      this.restarted.push(name);
      this.world = after(this.world, { do: "restart-flannel", host: name, title: "" });
      return this.#said("");
    };
    return { name, address, run };
  }
  #write(name: string): void {
    const change = { survivors: three, leaving: { [m3]: four[m3] ?? "" }, settings: this.settings };
    const edit = planFlannel(this.world, change).find((step) => step.do === "edit" && step.host === name);
    this.world = after(this.world, edit ?? assert.fail(`${name} has nothing to edit`));
  }
  #said(stdout: string) {
    return { code: 0, stdout, stderr: "", took: 1 };
  }
}

const providerOf = (hosts: Hosts) => lifecycle(flannelNetwork, () => hosts.session);
const newsOf = (hosts: Hosts, masters = three): Inputs => ({ masters, nodes: hosts.nodes });
async function checked(hosts: Hosts, olds: Inputs, news: Inputs): Promise<Inputs> {
  const found = await providerOf(hosts).check?.(olds, news);
  assert.deepEqual(found?.failures ?? [], []);
  return found?.inputs as Inputs;
}
/** One `up`: check, diff, and the update if there is to be one. */
async function up(hosts: Hosts, state: Inputs, news: Inputs): Promise<Inputs> {
  const inputs = await checked(hosts, state, news);
  const differs = await providerOf(hosts).diff?.("id", state, inputs);
  if (differs?.changes !== true) return { ...state, unchanged: true };
  return (await providerOf(hosts).update?.("id", state, inputs))?.outs as Inputs;
}
const without = <T>(record: Readonly<Record<string, T>>, gone: string): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter(([key]) => key !== gone));
const adopted = (hosts: Hosts): Inputs => ({ ...newsOf(hosts, four), left: {}, pending: [], record: {} });
const failure = async (work: Promise<unknown>): Promise<Error & { properties?: Inputs }> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return assert.fail("it did not fail");
};

let printed: string[] = [];
beforeEach(() => {
  printed = [];
  mock.method(console, "log", (line: string) => printed.push(line.replace("[FlannelNetwork] ", "")));
});
afterEach(() => mock.restoreAll());

describe("flannel on many nodes", () => {
  it("masters one by one, then the nodes, so many at a time; progress every ten", async () => {
    const hosts = new Hosts(25);
    const outs = await up(hosts, adopted(hosts), newsOf(hosts));
    assert.deepEqual(hosts.restarted.slice(0, 3), Object.keys(three));
    assert.deepEqual(hosts.restarted.slice(3).toSorted(), Object.keys(hosts.nodes).toSorted());
    assert.deepEqual([hosts.most, hosts.mixed], [3, false]);
    assert.deepEqual([outs["pending"], outs["left"]], [[], {}]);
    const told = printed.filter((line) => / hosts/.test(line));
    assert.deepEqual(told.slice(0, 4), [
      "25 hosts, at most 3 at the same time …",
      "10 of 25 hosts",
      "20 of 25 hosts",
      "25 of 25 hosts",
    ]);
    assert.match(told[4] ?? "", /^proved; commands: \d+ on 28 hosts; /);
    const { steps } = (outs["record"] as Record<string, { steps: { host: string }[] }>)[m3] ?? assert.fail();
    assert.equal(steps.length, 2 * 28);
  });

  it("one whose flanneld does not come back, one that does not answer: left behind, the rest is done", async () => {
    const hosts = new Hosts(8);
    hosts.failing.add(node(1));
    hosts.silent.add(node(5));
    const outs = await up(hosts, adopted(hosts), newsOf(hosts));
    assert.equal(hosts.restarted.length, 3 + 6);
    assert.deepEqual(outs["masters"], three);
    assert.deepEqual(outs["left"], {
      [node(1)]: `restarting flanneld on ${node(1)} failed: exit 1`,
      [node(5)]: `looking for ${path} on ${node(5)} failed: no SSH connection`,
    });
    assert.deepEqual((outs["pending"] as string[]).toSorted(), [
      `${node(1)}: restart flanneld, proved active`,
      `${node(5)}: ${path}: take ${m3} out of the etcd endpoints`,
      `${node(5)}: restart flanneld, proved active`,
    ]);
    assert.ok(printed.includes("8 of 8 hosts, 2 left behind"), printed.join("\n"));
    assert.deepEqual(printed.slice(-2), [
      `left behind, to be done by the next \`pulumi up\`: ${node(1)}: restarting flanneld on ${node(1)} failed: exit 1`,
      `left behind, to be done by the next \`pulumi up\`: ${node(5)}: looking for ${path} on ${node(5)} failed: no SSH connection`,
    ]);
  });

  it("the record is told of those that are left, and a record that has a gap stops the rest", async () => {
    const hosts = new Hosts(30);
    hosts.failing.add(node(1));
    const told: string[] = [];
    hosts.record = toldRecord(told);
    await up(hosts, adopted(hosts), newsOf(hosts));
    assert.deepEqual(
      told.filter((line) => !line.includes("/")),
      [`FlannelNetwork left ${node(1)}: restarting flanneld on ${node(1)} failed: exit 1`, "FlannelNetwork done"],
    );
    const full = new Hosts(30);
    const refuse = () => assert.fail("no further step is begun");
    const step: Unrecorded["step"] = (_place, { host }, work) =>
      host === node(4) ? Promise.resolve().then(refuse) : work();
    full.record = { ...unrecorded, require: refuse, step };
    const { message } = await failure(up(full, adopted(full), newsOf(full)));
    assert.match(message, /no further step is begun/);
    assert.ok(full.restarted.length < 15);
  });

  it("and the next `up` does them, and no others; one more has nothing to do", async () => {
    const hosts = new Hosts(8);
    hosts.failing.add(node(1));
    hosts.silent.add(node(5));
    const state = await up(hosts, adopted(hosts), newsOf(hosts));
    hosts.failing.clear();
    hosts.silent.clear();
    hosts.restarted.length = 0;
    const next = await up(hosts, state, newsOf(hosts));
    assert.deepEqual(hosts.restarted, [node(1), node(5)]);
    assert.deepEqual([next["pending"], next["left"]], [[], {}]);
    assert.equal((await up(hosts, next, newsOf(hosts)))["unchanged"], true);
  });

  it("a node that cannot be reached at all: pending until it was asked, and the change is done", async () => {
    const hosts = new Hosts(3);
    const whole = hosts.world;
    hosts.world = unreachable(whole, node(2));
    let state = await up(hosts, adopted(hosts), newsOf(hosts));
    const left = { [node(2)]: `${node(2)}: Timed out while waiting for handshake` };
    assert.equal(hosts.restarted.length, 3 + 2);
    for (const again of [1, 2]) {
      assert.deepEqual(
        [state["left"], state["pending"]],
        [left, [`${node(2)}: ask what is left to do`]],
        String(again),
      );
      state = await up(hosts, state, newsOf(hosts));
    }
    const read = (await providerOf(hosts).read?.("id", state))?.props as Inputs;
    assert.deepEqual([read["left"], read["pending"]], [left, [`${node(2)}: ask what is left to do`]]);
    assert.ok(printed.some((line) => line.startsWith(`left behind by an earlier run: ${node(2)}: `)));
    hosts.world = { ...hosts.world, nodes: { ...hosts.world.nodes, [node(2)]: whole.nodes[node(2)] ?? assert.fail() } };
    hosts.restarted.length = 0;
    const outs = await up(hosts, read, newsOf(hosts));
    assert.deepEqual([hosts.restarted, outs["left"], outs["pending"]], [[node(2)], {}, []]);
  });

  it("a node that is declared no more is waited for no more", async () => {
    const hosts = new Hosts(3);
    hosts.world = unreachable(hosts.world, node(2));
    const state = await up(hosts, adopted(hosts), newsOf(hosts));
    const declared = <T>(nodes: Readonly<Record<string, T>>) => without(nodes, node(2));
    hosts.world = { ...hosts.world, nodes: declared(hosts.world.nodes) };
    const outs = await up(hosts, state, { masters: three, nodes: declared(hosts.nodes) });
    assert.deepEqual([outs["left"], outs["pending"]], [{}, []]);
  });

  it("nobody leaves: a node that cannot be reached is none of our business", async () => {
    const hosts = new Hosts(2);
    hosts.world = unreachable(hosts.world, node(1));
    const outs = (await providerOf(hosts).create(newsOf(hosts, four))).outs as Inputs;
    assert.deepEqual([outs["left"], outs["pending"]], [{}, []]);
  });

  it("a file that was not shown, or is another since: that node is left behind, untouched", async () => {
    const hosts = new Hosts(3);
    const inputs = await checked(hosts, adopted(hosts), newsOf(hosts));
    const shown = without(inputs["files"] as Record<string, string>, `${node(1)}:${path}`);
    const files = { ...shown, [`${node(0)}:${path}`]: "0".repeat(64) };
    const outs = (await providerOf(hosts).update?.("id", adopted(hosts), { ...inputs, files }))?.outs as Inputs;
    assert.deepEqual(hosts.restarted, [...Object.keys(three), node(2)]);
    const left = outs["left"] as Record<string, string>;
    assert.match(left[node(0)] ?? "", /was changed after the plan was shown: nothing was written/);
    assert.match(left[node(1)] ?? "", /is not in the plan that was shown: nothing was written/);
    assert.equal((outs["pending"] as string[]).length, 4);
  });

  it("a node that turns silent after its restart is asked again by the next `up`", async () => {
    const hosts = new Hosts(2);
    hosts.sent = (host, what) => {
      if (host === node(1) && what === "asking for flanneld")
        setImmediate(() => (hosts.world = unreachable(hosts.world, node(1))));
    };
    const outs = await up(hosts, adopted(hosts), newsOf(hosts));
    assert.deepEqual(Object.keys(outs["left"] as object), [node(1)]);
    assert.deepEqual(outs["pending"], [`${node(1)}: ask what is left to do`]);
  });

  it("one that came back meanwhile still shows what is to be done", async () => {
    const hosts = new Hosts(2);
    const whole = hosts.world;
    hosts.world = unreachable(whole, node(1));
    hosts.sent = (host) => {
      if (host === node(0))
        hosts.world = {
          ...hosts.world,
          nodes: { ...hosts.world.nodes, [node(1)]: whole.nodes[node(1)] ?? assert.fail() },
        };
    };
    const outs = await up(hosts, adopted(hosts), newsOf(hosts));
    assert.match((outs["left"] as Record<string, string>)[node(1)] ?? "", /^it still shows undone: /);
    assert.equal((outs["pending"] as string[]).length, 2);
  });
});

describe("what is not left behind", () => {
  it("a master: the resource fails, no node is touched, the old list stays", async () => {
    const hosts = new Hosts(4);
    hosts.failing.add(m2);
    const { message, properties } = await failure(up(hosts, adopted(hosts), newsOf(hosts)));
    assert.match(
      message,
      /^restarting flanneld on master-2\.example\.com failed: exit 1\nin this step: master-2\.example\.com: restart flanneld, proved active, \d+\.\d s after it began$/,
    );
    assert.deepEqual(hosts.restarted, [m0, master(1)]);
    assert.deepEqual(properties?.["masters"], four);
    assert.equal((properties["pending"] as string[]).length, 1 + 2 * 4);
  });

  it("a master that is silent in the proof: not proved", async () => {
    const hosts = new Hosts(1);
    hosts.sent = (host) => {
      if (host === node(0)) hosts.world = unreachable(hosts.world, m2);
    };
    const { message } = await failure(up(hosts, adopted(hosts), newsOf(hosts)));
    assert.match(message, /^master-2\.example\.com could not be asked: /);
  });

  it("the lock is lost: that is no node's fault, and no further node is begun", async () => {
    const hosts = new Hosts(30);
    hosts.sent = (host, what) => {
      if (host === node(4) && what.startsWith("restarting")) hosts.locked = true;
    };
    const { message, properties } = await failure(up(hosts, adopted(hosts), newsOf(hosts)));
    assert.match(message, /^held by another run/);
    assert.deepEqual([hosts.busy.size, hosts.restarted.length < 15], [0, true]);
    assert.deepEqual(properties?.["masters"], four);
    assert.ok((properties["pending"] as string[]).length > 30);
  });
});

it("nothing new for 10 s: it is told how far it is", async () => {
  mock.timers.enable({ apis: ["setInterval", "Date"] });
  try {
    const hosts = new Hosts(2, 1);
    let ticked = false;
    hosts.sent = (host) => {
      if (host !== node(1) || ticked) return;
      ticked = true;
      mock.timers.tick(10_000);
    };
    await up(hosts, adopted(hosts), newsOf(hosts));
    assert.ok(printed.includes("1 of 2 hosts"), printed.join("\n"));
  } finally {
    mock.timers.reset();
  }
});

it("a node is never edited twice: what was written before it was left is seen by the next look", async () => {
  const hosts = new Hosts(1);
  hosts.failing.add(node(0));
  const state = await up(hosts, adopted(hosts), newsOf(hosts));
  hosts.failing.clear();
  const commands: string[] = [];
  hosts.sent = (_host, what) => commands.push(what);
  await up(hosts, state, newsOf(hosts));
  assert.deepEqual(commands, ["restarting flanneld", "asking for flanneld"]);
});
