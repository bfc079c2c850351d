/** What a session remembers of what it saw, on hosts that answer from a table. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, describe, it, mock } from "node:test";
import { planFlannel } from "../../providers/plan/plans.ts";
import { type Entry } from "../../providers/plan/record.ts";
import { judge } from "../../providers/plan/preflight.ts";
import { readSettings } from "../../providers/plan/settings.ts";
import type { Change, Extra } from "../../providers/plan/steps.ts";
import type { RemoteHost } from "../../providers/remote/remote-host.ts";
import { Session } from "../../providers/remote/session.ts";
import {
  balancerParts,
  clusterParts,
  configuration,
  inventoryText,
  master,
  masterParts,
  mastersOf,
  nodeParts,
  now,
  probed,
} from "../plan/world.ts";

const [m0, m3] = [master(0), master(3)];
const node = (n: number): string => `node-${n}.example.com`;
const four = mastersOf(4);

const folder = mkdtempSync(join(tmpdir(), "session-"));
const inventory = join(folder, "hosts");
writeFileSync(inventory, inventoryText(3));
after(() => rmSync(folder, { recursive: true }));

/** A session whose hosts answer from the tables of a cluster from which master-3 was retired. */
class Seen {
  readonly session: Session;
  readonly change: Change;
  asked: string[] = [];
  running = 0;
  most = 0;
  /** Whose flannel still names the retired master. */
  naming = "";
  readonly silent = new Set<string>();

  constructor(count: number, acknowledge: readonly string[] = []) {
    const nodes = Object.fromEntries(Array.from({ length: count }, (_, n) => [node(n), { address: `10.1.1.${n}` }]));
    const settings = readSettings({ ...configuration(four), nodes, inventory: { path: inventory }, acknowledge });
    const { [m3]: address = "", ...survivors } = four;
    this.change = { survivors, leaving: { [m3]: address }, settings };
    this.session = new Session(settings);
    this.session.host = (name) => ({ name, run: () => this.#answer(name) }) as unknown as RemoteHost;
  }
  async #answer(name: string) {
    this.asked.push(name);
    const isNode = name.startsWith("node");
    if (isNode) this.most = Math.max(this.most, (this.running += 1));
    await new Promise((resolve) => setImmediate(resolve));
    if (isNode) this.running -= 1;
    if (this.silent.has(name)) throw new Error(`${name} is silent`);
    return { code: 0, stdout: probed(this.#partsOf(name)), stderr: "", took: 1 };
  }
  #partsOf(name: string) {
    if (name.startsWith("node")) return nodeParts(name, name === this.naming ? 4 : 3);
    if (name.startsWith("lb")) return balancerParts(name, 3);
    return { ...masterParts(Object.keys(four).indexOf(name), 3), ...clusterParts(3, []) };
  }
  /** Which nodes a look asks. */
  async look(asks: readonly Extra[] = [], retired: readonly string[] = []) {
    this.asked = [];
    const { world, change } = await this.session.look(this.change, new Set(retired), asks);
    return { world, leaving: Object.keys(change.leaving), nodes: this.asked.filter((name) => name.startsWith("node")) };
  }
}

// as the hosts' clocks have it
beforeEach(() => mock.timers.enable({ apis: ["Date"], now: now * 1000 }));
afterEach(() => mock.timers.reset());

describe("a master that is gone", () => {
  const asks = async (acknowledge: readonly string[], seconds: number) => {
    const seen = new Seen(0, acknowledge);
    seen.silent.add(m3);
    await seen.look();
    mock.timers.tick(seconds * 1000);
    seen.session.forget();
    const { world } = await seen.look();
    assert.deepEqual(world.masters[m3], { unreachable: `${m3} is silent` });
    return seen.asked.filter((name) => name === m3).length;
  };
  it("is asked in every look", async () => assert.equal(await asks([], 1), 1));
  it("is not asked again for five minutes where that is acknowledged", async () => {
    assert.equal(await asks([`host-gone:${m3}`], 299), 0);
    assert.equal(await asks([`host-gone:${m3}`], 300), 1);
  });
});

describe("nodes", () => {
  it("are all in the world, and looked at 20 at a time", async () => {
    const seen = new Seen(45);
    const { world, nodes } = await seen.look();
    assert.deepEqual([Object.keys(world.nodes).length, nodes.length, seen.most], [45, 45, 20]);
  });
  it("two looks at the same time ask each node once", async () => {
    const seen = new Seen(30);
    await Promise.all([
      seen.session.look(seen.change),
      seen.session.look({ ...seen.change, leaving: {} }, new Set(), ["nodes"]),
    ]);
    assert.deepEqual([seen.asked.filter((name) => name.startsWith("node")).length, seen.most], [30, 20]);
  });

  const cases: [what: string, seconds: number, asks: readonly Extra[], asked: boolean][] = [
    ["a moment later", 0, [], false],
    ["a moment later, for somebody who asks for nodes", 0, ["nodes"], false],
    ["minutes later", 599, [], false],
    ["minutes later, for somebody who asks for nodes", 20, ["nodes"], true],
    ["ten minutes later", 600, [], true],
  ];
  for (const [what, seconds, asks, asked] of cases)
    it(`${what}: ${asked ? "asked anew" : "not asked again"}, masters are`, async () => {
      const seen = new Seen(2);
      await seen.look();
      mock.timers.tick(seconds * 1000);
      seen.session.forget();
      const { nodes, world } = await seen.look(asks);
      assert.deepEqual([nodes.length, Object.keys(world.nodes).length], [asked ? 2 : 0, 2]);
      assert.ok(seen.asked.includes(m0));
    });
  it("a step on a node: that one is asked again, whoever asks; a step that failed too", async () => {
    const seen = new Seen(3);
    await seen.look();
    await seen.session.step(() => Promise.resolve(), node(1));
    assert.deepEqual((await seen.look()).nodes, [node(1)]);
    await assert.rejects(seen.session.step(() => Promise.reject(new Error("no")), node(2)));
    assert.deepEqual((await seen.look()).nodes, [node(2)]);
    await seen.session.step(() => Promise.resolve(), m0);
    assert.deepEqual((await seen.look()).nodes, []);
  });
  it("one that does not answer does not cost every look a time-out", async () => {
    const seen = new Seen(2);
    seen.silent.add(node(1));
    const { world } = await seen.look();
    assert.deepEqual(world.nodes[node(1)], { unreachable: `${node(1)} is silent` });
    seen.session.forget();
    assert.deepEqual((await seen.look()).nodes, []);
    mock.timers.tick(20_000);
    assert.deepEqual((await seen.look(["nodes"])).nodes, [node(0), node(1)]);
  });
});

describe("a host that was retired earlier", () => {
  it("is not visited, and out of the change, when nothing names it", async () => {
    const seen = new Seen(2);
    const { leaving } = await seen.look([], [m3]);
    assert.deepEqual([leaving, seen.asked.includes(m3)], [[], false]);
  });
  it("is in the change while a node's flannel names it, however silent it is itself", async () => {
    const seen = new Seen(2);
    seen.silent.add(m3);
    seen.naming = node(1);
    const { leaving, world } = await seen.look(["nodes"], [m3]);
    assert.deepEqual([leaving, world.masters[m3]], [[m3], { unreachable: `${m3} is silent` }]);
    assert.deepEqual(
      planFlannel(world, seen.change).map(({ do: what, host, apart }) => [what, host, apart]),
      [
        ["edit", node(1), true],
        ["restart-flannel", node(1), true],
      ],
    );
    assert.deepEqual(judge(world, seen.change, seen.change.survivors).refusals, []);
  });
});

describe("the permit to change something", () => {
  const archive = join(folder, "archive");
  const transcript = join(archive, "transcript.jsonl");
  const entries = () =>
    readFileSync(transcript, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Entry);
  /** The locks that were asked for, with what the transcript held then. */
  const permitted = (line = "locked") => {
    const session = new Session(readSettings({ ...configuration(four), backup: { archive } }));
    const asked: string[] = [];
    const hold = () => {
      asked.push(readFileSync(transcript, "utf8"));
      return Promise.resolve({ line, lost: new Promise(() => undefined), release: () => undefined });
    };
    session.host = (name) => ({ name, hold }) as unknown as RemoteHost;
    const { [m3]: address = "", ...survivors } = four;
    return { session, asked, permit: () => session.permit({ survivors, leaving: { [m3]: address } }) };
  };
  beforeEach(() => {
    rmSync(archive, { recursive: true, force: true });
  });

  it("begins the run's record, once, when the lock is held and before anything else", async () => {
    const { session, asked, permit } = permitted();
    assert.equal(existsSync(transcript), false, "who only looks has no record");
    await Promise.all([permit(), permit()]);
    await permit();
    assert.deepEqual(asked, ["", "", ""], "the locks of three masters, and nothing written");
    const [first, ...more] = entries();
    assert.ok(first?.kind === "run" && first.state === "begin" && more.length === 0);
    assert.deepEqual([first.run, first.leaves, first.stays.length], [session.run, [m3], 3]);
    await session.close();
    assert.deepEqual(
      entries().map(({ kind, state }) => `${kind} ${state}`),
      ["run begin", "run end"],
    );
  });
  it("is refused before any lock is asked for when the transcript cannot be written", async () => {
    mkdirSync(transcript, { recursive: true });
    const { session, asked, permit } = permitted();
    await assert.rejects(permit(), { name: "Refusal", message: /transcript\.jsonl.*nothing was touched/ });
    assert.deepEqual(asked, []);
    await session.close();
  });
  it("a run that another one keeps out has no line", async () => {
    const { session, permit } = permitted("held by run x");
    mock.timers.reset();
    mock.timers.enable({ apis: ["Date", "setTimeout"] });
    const refused = assert.rejects(permit(), { name: "Refusal", message: /another run works on this cluster/ });
    for (let n = 0; n < 100; n += 1) {
      mock.timers.tick(2000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await refused;
    await session.close();
    assert.equal(readFileSync(transcript, "utf8"), "");
  });
});
