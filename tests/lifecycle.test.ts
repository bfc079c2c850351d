/** The life of a resource, on a session that is no session: hosts are a list of what is left to do, and every command is written down. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { addressIn } from "../providers/asked.ts";
import type { Inputs, Kind } from "../providers/kind.ts";
import { lifecycle } from "../providers/lifecycle.ts";
import { loadBalancerPool } from "../providers/load-balancer-pool.ts";
import { Refusal, Unasked } from "../providers/plan/refusal.ts";
import type { Change, Step, World } from "../providers/plan/steps.ts";
import { RemoteError } from "../providers/remote/errors.ts";
import type { Session } from "../providers/remote/session.ts";
import { inNoTime } from "./remote/played-clock.ts";
import { noConnections, toldRecord, unrecorded } from "./unrecorded.ts";
import { changeOf, fileOf, master, mastersOf, removal, unreachable, withConfig } from "./plan/world.ts";

const [m0, m1, m2, m3] = [master(0), master(1), master(2), master(3)];
const four = mastersOf(4);
const three = mastersOf(3);

/** Hosts on which flanneld is still to be restarted; a restart takes the host off the list. */
class Hosts {
  readonly settings = changeOf(4, [3]).settings;
  readonly run = "run";
  readonly date = "20261123";
  readonly connections = noConnections();
  record = unrecorded;
  readonly commands: string[] = [];
  readonly sketches: Record<string, object> = {};
  leaving: Record<string, string> = {};
  unfinished: Record<string, string> = {};
  /** Leave and restarts, in order. */
  readonly events: string[] = [];
  readonly asked: { change: Change; retired: string[] }[] = [];
  permits = 0;
  forgot = 0;
  left: string[];
  world: World = removal(4, [3]).world;
  /** The host whose commands fail; the lock that somebody else holds. */
  broken = "";
  locked = false;
  /** Called on every look. */
  seen: () => void = () => undefined;
  /** Hosts whose answer to a restart is lost: before it took effect, or after. */
  readonly silent = new Map<string, "before" | "after">();
  /** Whether a restart has its effect. */
  works = true;

  constructor(...left: string[]) {
    this.left = left;
  }
  get session(): Session {
    return this as unknown as Session;
  }
  forget(): void {
    this.forgot += 1;
  }
  look(change: Change, retired: ReadonlySet<string> = new Set()): Promise<{ world: World; change: Change }> {
    return Promise.resolve().then(() => {
      this.seen();
      this.asked.push({ change, retired: [...retired] });
      return { world: this.world, change };
    });
  }
  permit(): Promise<void> {
    this.permits += 1;
    this.events.push("leave");
    return this.locked ? Promise.reject(new Error("held by another run")) : Promise.resolve();
  }
  step<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }
  host(name: string, address: string) {
    const run = (script: string) => {
      this.connections.sentTo.set(name, (this.connections.sentTo.get(name) ?? 0) + 1);
      this.commands.push(`${name} ${script}`);
      if (name === this.broken) return Promise.reject(new Error(`${name} is gone\x1b[2J`));
      const lost = script.includes("restart") ? this.silent.get(name) : undefined;
      const what = "restarting flanneld";
      const seen = "the connection was lost (ECONNRESET)";
      const unknown = new RemoteError({ host: name, what, outcome: "unknown", seen, took: 3000 });
      if (lost === "before") return Promise.reject(unknown);
      if (script.includes("restart")) this.events.push(name);
      if (this.works && script.includes("restart")) this.left = this.left.filter((one) => one !== name);
      if (lost === "after") return Promise.reject(unknown);
      return Promise.resolve({ code: 0, stdout: script.includes("is-active") ? "active\n" : "", stderr: "", took: 1 });
    };
    return { name, address, run };
  }
}

const restart = (host: string): Step => ({ do: "restart-flannel", host, title: "restart flanneld" });
const label = (host: string): string => `${host}: restart flanneld`;
const inStep = (host: string): string => `in this step: ${label(host)}, so long after it began`;
const untimed = (message: string): string => message.replace(/\d+\.\d s after it began$/, "so long after it began");
const kindOf = (hosts: Hosts, more: Partial<Kind> = {}): Kind => ({
  type: "FlannelNetwork",
  list: "masters",
  also: ["stamp"],
  plan: () => hosts.left.map(restart),
  ...more,
});
const providerOf = (hosts: Hosts, more: Partial<Kind> = {}) => lifecycle(kindOf(hosts, more), () => hosts.session);

type Provider = ReturnType<typeof lifecycle>;
const check = async (provider: Provider, olds: Inputs, news: Inputs) =>
  (await provider.check?.(olds, news)) as { inputs: Inputs; failures?: { property: string; reason: string }[] };
const changes = async (provider: Provider, olds: Inputs, news: Inputs): Promise<boolean> =>
  (await provider.diff?.("id", olds, news))?.changes === true;
const update = async (provider: Provider, olds: Inputs, news: Inputs): Promise<Inputs> =>
  (await provider.update?.("id", olds, news))?.outs as Inputs;
const read = async (provider: Provider, props: Inputs): Promise<Inputs> =>
  (await provider.read?.("id", props))?.props as Inputs;

/** What the engine would save of a failed step. */
interface Failure extends Error {
  readonly id?: string;
  readonly properties?: Inputs;
  readonly reasons?: string[];
}
async function failure(work: Promise<unknown>): Promise<Failure> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  return assert.fail("it did not fail");
}

let printed: string[] = [];
beforeEach(() => {
  printed = [];
  mock.method(console, "log", (line: string) => printed.push(line));
});
afterEach(() => mock.restoreAll());

describe("check", () => {
  it("first time: nothing is added to the inputs", async () => {
    const hosts = new Hosts();
    assert.deepEqual(await check(providerOf(hosts), {}, { masters: four }), { inputs: { masters: four } });
    assert.deepEqual(hosts.asked[0]?.change.leaving, {});
  });

  it("plans for those who leave, shows it, remembers their addresses, and touches nothing", async () => {
    const hosts = new Hosts(m0, m1);
    const found = await check(providerOf(hosts), { masters: four }, { masters: three });
    assert.deepEqual(found, { inputs: { masters: three, retired: { [m3]: "192.168.55.21" } } });
    assert.deepEqual(hosts.asked[0]?.change.leaving, { [m3]: "192.168.55.21" });
    assert.deepEqual(hosts.asked[0].retired, []);
    assert.deepEqual([hosts.permits, hosts.commands], [0, []]);
    assert.deepEqual(printed, [
      "[FlannelNetwork] to do, in this order:",
      `[FlannelNetwork]   1. ${label(m0)}`,
      `[FlannelNetwork]   2. ${label(m1)}`,
    ]);
  });

  it("the hash of every file to be edited goes into the inputs", async () => {
    const before = fileOf("/etc/x", "a\n");
    const plan = (): Step[] => [
      { do: "edit", host: m0, title: "t", edit: { before, after: "b\n" } },
      { do: "edit", host: m1, title: "t", edit: { before, after: "b\n" } },
    ];
    const { inputs } = await check(providerOf(new Hosts(), { plan }), { masters: four }, { masters: three });
    assert.deepEqual(inputs["files"], { [`${m0}:/etc/x`]: before.sha256, [`${m1}:/etc/x`]: before.sha256 });
  });

  it("what a kind carries goes into the inputs, and its plan is given it", async () => {
    const given: Inputs[] = [];
    const plan: Kind["plan"] = (_world, _change, inputs) => {
      given.push(inputs);
      return [];
    };
    const carry: Kind["carry"] = (world, change, news, olds) => ({
      lines: {
        masters: Object.keys(world.masters).length,
        leaving: change.leaving,
        stamp: news["stamp"],
        was: olds["lines"],
      },
    });
    const olds = { masters: four, lines: "before" };
    const { inputs } = await check(providerOf(new Hosts(), { plan, carry }), olds, { masters: three, stamp: "s" });
    const lines = { masters: 4, leaving: { [m3]: "192.168.55.21" }, stamp: "s", was: "before" };
    assert.deepEqual(inputs, { masters: three, stamp: "s", retired: { [m3]: "192.168.55.21" }, lines });
    assert.deepEqual(given, [inputs]);
  });
  it("what is refused carries nothing: it was not judged whether what is there may be remembered", async () => {
    const judge = () => ({ refusals: ["no"], passing: [], notes: [] });
    const carry: Kind["carry"] = () => assert.fail("not asked");
    const { inputs } = await check(providerOf(new Hosts(), { judge, carry }), { masters: four }, { masters: four });
    assert.deepEqual(inputs, { masters: four });
  });

  it("a host that was retired before is told as such, and its return takes it off", async () => {
    const hosts = new Hosts();
    const olds = { masters: three, retired: { [m3]: "192.168.55.21" } };
    const { inputs } = await check(providerOf(hosts), olds, { masters: mastersOf(2) });
    assert.deepEqual(inputs["retired"], { [m2]: "192.168.55.13", [m3]: "192.168.55.21" });
    assert.deepEqual(hosts.asked[0]?.retired, [m3]);
    assert.equal((await check(providerOf(hosts), olds, { masters: four })).inputs["retired"], undefined);
  });

  it("addresses in whatever form the map has them", () => {
    const cases: [string, string][] = [
      ["192.168.55.8", "192.168.55.8"],
      ["192.168.55.8:8443", "192.168.55.8"],
      ["https://192.168.55.8:2380", "192.168.55.8"],
      ["https://[fd00::8]:2380", "fd00::8"],
      ["[fd00::8]:8443", "fd00::8"],
      ["fd00::8", "fd00::8"],
      ["m1.example.com:8443", "m1.example.com"],
      ["m1.example.com", "m1.example.com"],
    ];
    for (const [value, address] of cases) assert.equal(addressIn(value), address, value);
  });

  it("what Preflight refuses is a failure for each sentence, control characters escaped", async () => {
    const judge = () => ({ refusals: ["one\x07", "two"], passing: [], notes: ["a note"] });
    const hosts = new Hosts(m0);
    const { failures } = await check(providerOf(hosts, { judge }), { masters: four }, { masters: three });
    assert.deepEqual(
      failures?.map(({ reason }) => reason),
      ["refused, nothing was touched: one\\x07", "refused, nothing was touched: two"],
    );
    assert.deepEqual(printed, ["[FlannelNetwork] note: a note"]);
  });
  it("judges with the masters of the last `up`, undefined at adoption", async () => {
    const before: unknown[] = [];
    const judge: Kind["judge"] = (_world, _change, hosts) => {
      before.push(hosts);
      return { refusals: [], passing: [], notes: [] };
    };
    const provider = providerOf(new Hosts(), { judge });
    await check(provider, {}, { masters: three });
    await check(provider, { masters: four }, { masters: three });
    assert.deepEqual(before, [undefined, four]);
  });
  it("what may pass by itself is waited for", async () => {
    let looks = 0;
    const judge = () => ({ refusals: [], passing: looks++ === 0 ? ["the API restarts"] : [], notes: [] });
    const { failures } = await check(providerOf(new Hosts(), { judge }), { masters: four }, { masters: three });
    assert.deepEqual([failures, looks], [undefined, 2]);
    assert.match(printed[0] ?? "", /^\[FlannelNetwork\] waiting up to \d+ s: the API restarts$/);
  });
  it("not beside something that lasts: both are told at once", async () => {
    const judge = () => ({ refusals: ["lasting"], passing: ["the API restarts"], notes: [] });
    const { failures } = await check(providerOf(new Hosts(), { judge }), { masters: four }, { masters: three });
    assert.deepEqual(
      failures?.map(({ reason }) => reason.replace(/^.*: /, "")),
      ["lasting", "the API restarts"],
    );
  });
  it("a plan that is refused is a failure, anything else is an error", async () => {
    const failing = (error: Error) =>
      check(
        providerOf(new Hosts(), {
          plan: () => {
            throw error;
          },
        }),
        { masters: four },
        { masters: three },
      );
    assert.match(
      (await failing(new Refusal("line 3"))).failures?.[0]?.reason ?? "",
      /^refused, nothing was touched: line 3$/,
    );
    assert.equal((await failure(failing(new TypeError("x")))).name, "TypeError");
  });
  it("what does not pass in a minute is refused with its sentence, and notes stay", async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"] });
    try {
      const hosts = new Hosts(m0);
      const judge = () => ({ refusals: [], passing: ["the API restarts", "a server is DOWN"], notes: ["a note"] });
      const found: Awaited<ReturnType<typeof check>>[] = [];
      void check(providerOf(hosts, { judge }), { masters: four }, { masters: three }).then((one) => found.push(one));
      let waited = 0;
      for (; found.length === 0 && waited < 100; waited += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        mock.timers.tick(2000);
      }
      assert.deepEqual(
        found[0]?.failures?.map(({ reason }) => reason),
        ["the API restarts", "a server is DOWN"].map((one) => `refused, nothing was touched: ${one}`),
      );
      assert.deepEqual([hosts.asked.length, hosts.forgot, waited], [31, 30, 31]);
      assert.deepEqual(printed, [
        "[FlannelNetwork] waiting up to 60 s: the API restarts; a server is DOWN",
        "[FlannelNetwork] note: a note",
      ]);
    } finally {
      mock.timers.reset();
    }
  });
  it("a plan whose facts are missing is a failure", async () => {
    const plan = (): never => {
      throw new Unasked("lb-0 could not be asked: refused");
    };
    const { failures } = await check(providerOf(new Hosts(), { plan }), { masters: four }, { masters: three });
    assert.deepEqual(failures, [
      { property: "", reason: "refused, nothing was touched: lb-0 could not be asked: refused" },
    ]);
  });
  for (const masters of ["master-0", undefined, null, [], ["10.0.0.1"], { [m0]: 1 }, { [m0]: null }])
    it(`${JSON.stringify(masters)} is no map`, async () => {
      const { failures } = await check(providerOf(new Hosts()), {}, { masters });
      assert.deepEqual(failures, [{ property: "masters", reason: "masters must be a map of host name to address" }]);
    });
  it("what is done at every update is shown only when there will be one", async () => {
    const provider = providerOf(new Hosts(m0), { always: true });
    await check(provider, { masters: four, stamp: "a" }, { masters: four, stamp: "a" });
    assert.deepEqual(printed, []);
    await check(provider, { masters: four, stamp: "a" }, { masters: four, stamp: "b" });
    assert.equal(printed.length, 2);
    await check(provider, {}, { masters: four, stamp: "b" });
    assert.equal(printed.length, 4);
  });
});

describe("diff", () => {
  const cases: [what: string, olds: Inputs, news: Inputs, changed: boolean][] = [
    ["the same", { masters: four, pending: [] }, { masters: four }, false],
    [
      "the same in another order",
      { masters: four },
      { masters: Object.fromEntries(Object.entries(four).reverse()) },
      false,
    ],
    ["one fewer", { masters: four }, { masters: three }, true],
    ["another address", { masters: four }, { masters: { ...four, [m0]: "10.0.0.1" } }, true],
    ["a further input", { masters: four, stamp: "a" }, { masters: four, stamp: "b" }, true],
    ["a further input that was not there", { masters: four }, { masters: four, stamp: "b" }, true],
    ["an input that nobody compares", { masters: four, other: 1 }, { masters: four, other: 2 }, false],
    [
      "files and retired hosts are no change",
      { masters: four },
      { masters: four, files: { a: "b" }, retired: { x: "y" } },
      false,
    ],
    ["pending steps", { masters: four, pending: ["x"] }, { masters: four }, true],
    ["an unreachable host", { masters: four, pending: [], unreachable: ["x"] }, { masters: four }, false],
  ];
  for (const [what, olds, news, changed] of cases)
    it(what, async () => assert.equal(await changes(providerOf(new Hosts()), olds, news), changed));
});

describe("LoadBalancerPool carries the lines of haproxy's files", () => {
  const lb = "lb-0.example.com";
  const servers = (count: number): Record<string, string> =>
    Object.fromEntries(Object.entries(mastersOf(count)).map(([name, address]) => [name, `${address}:8443`]));
  const newsOf = (count: number): Inputs => ({
    servers: servers(count),
    loadBalancer: lb,
    config: "/etc/haproxy/haproxy.cfg",
    service: "haproxy",
  });
  const of = (hosts: Hosts) => lifecycle(loadBalancerPool, () => hosts.session);
  const key = "/etc/haproxy/haproxy.cfg backend atomic-openshift-api";
  const linesIn = (inputs: Inputs): string => (inputs["lines"] as Record<string, string>)[key] ?? "";

  it("from what is seen", async () => {
    const { inputs } = await check(of(new Hosts()), {}, newsOf(4));
    for (const n of [0, 1, 2, 3]) assert.match(linesIn(inputs), new RegExp(`server {6}master${n} 192\\.168\\.55\\.`));
  });
  it("and tells them to those that come after it in the same run, a blocked drain among them", async () => {
    const hosts = new Hosts();
    const { inputs } = await check(of(hosts), {}, newsOf(4));
    assert.deepEqual(hosts.sketches, { [lb]: inputs["lines"] });
    // the lines are out, and a killed run has forgotten to say so
    const later = new Hosts();
    later.world = withConfig(later.world, lb, (text) => text.replace(/ {4}server {6}master3 .*\n/, ""));
    await check(of(later), inputs, newsOf(3));
    assert.deepEqual(later.sketches, { [lb]: inputs["lines"] });
  });
  it("keeps what was remembered while the host cannot be asked, or a line is lost", async () => {
    const olds = (await check(of(new Hosts()), {}, newsOf(4))).inputs;
    const hosts = new Hosts();
    hosts.world = unreachable(hosts.world, lb);
    assert.deepEqual((await check(of(hosts), olds, newsOf(4))).inputs["lines"], olds["lines"]);
    hosts.world = withConfig(removal(4, []).world, lb, (text) => text.replace(/ {4}server {6}master2 .*\n/, ""));
    assert.deepEqual((await check(of(hosts), olds, newsOf(4))).inputs["lines"], olds["lines"]);
    assert.match(printed.join("\n"), /put the lost lines of master-2\.example\.com back/);
  });
  it("is no change by itself, as long as nothing is pending", async () => {
    const olds = (await check(of(new Hosts()), {}, newsOf(4))).inputs;
    const provider = of(new Hosts());
    assert.equal(await changes(provider, { ...olds, pending: [] }, { ...olds, lines: { other: "text" } }), false);
    assert.equal(await changes(provider, { ...olds, pending: [] }, newsOf(4)), false);
    assert.equal(await changes(provider, { ...olds, pending: ["x"] }, newsOf(4)), true);
    assert.equal(await changes(provider, { ...olds, pending: [] }, newsOf(3)), true);
  });
  it("read tells a lost line as drift, pending, and one that has no place as drift alone", async () => {
    const olds = (await check(of(new Hosts()), {}, newsOf(4))).inputs;
    const lost = (text: string): string => text.replace(/ {4}server {6}master2 .*\n/, "");
    const hosts = new Hosts();
    hosts.world = withConfig(hosts.world, lb, lost);
    const title =
      "put the lost lines of master-2.example.com back where they were, reload haproxy, prove the others UP";
    assert.deepEqual((await read(of(hosts), olds))["pending"], [`${lb}: ${title}`]);
    assert.deepEqual(printed.slice(-1), [`[LoadBalancerPool ${lb}] drift: ${lb}: ${title}`]);
    hosts.world = withConfig(hosts.world, lb, (text) => text.replaceAll("atomic-openshift-api", "other"));
    assert.deepEqual((await read(of(hosts), olds))["pending"], []);
    assert.match(printed.at(-1) ?? "", /drift: .*backend atomic-openshift-api is no longer in .*put it back by hand$/);
  });
});

describe("update", () => {
  const olds = { masters: four, etcd: "known", pending: ["x"], unreachable: ["y"], files: { old: "1" } };

  it("does the steps in order, each with leave, proves them, and leaves nothing pending", async () => {
    const hosts = new Hosts(m1, m0);
    hosts.connections.sentTo.set(m1, 5); // by what came before in this run
    const outs = await update(providerOf(hosts, { facts: () => ({ fact: "new" }) }), olds, { masters: three });
    assert.deepEqual(
      hosts.commands.filter((command) => command.includes("restart")),
      [m1, m0].map((host) => `${host} systemctl restart flanneld.service`),
    );
    const order = hosts.events.filter((event, at) => event !== hosts.events[at - 1]);
    assert.deepEqual(order, ["leave", m1, "leave", m0]);
    assert.equal(
      printed.at(-1),
      `[FlannelNetwork] proved; commands: ${m1} 2, ${m0} 2; ssh so far: 2 connections, 7 commands`,
    );
    const { record, ...rest } = outs;
    assert.deepEqual(rest, { masters: three, etcd: "known", fact: "new", pending: [], unreachable: [] });
    const { at, steps } = (record as Record<string, { at: string; steps: Inputs[] }>)[m3] ?? assert.fail();
    assert.match(at, /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.deepEqual(
      steps.map(({ took, ...step }) => [step, /^\d+\.\d s$/.test(String(took))]),
      [m1, m0].map((host) => [{ step: "FlannelNetwork: restart flanneld", host, result: "done" }, true]),
    );
  });

  describe("a lost answer", () => {
    const restarts = (hosts: Hosts) => hosts.commands.filter((one) => one.includes("restart"));
    beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() }));
    afterEach(() => mock.timers.reset());
    const ended = async <T>(work: Promise<T>): Promise<T> => {
      await inNoTime(() =>
        work.then(
          () => undefined,
          () => undefined,
        ),
      );
      return work;
    };

    it("is read back: the hosts show it done, so it was, and the run goes on; nobody is told twice", async () => {
      const hosts = new Hosts(m0, m1);
      hosts.silent.set(m0, "after");
      const told: string[] = [];
      hosts.record = toldRecord(told);
      const outs = await ended(update(providerOf(hosts), olds, { masters: three }));
      assert.ok(told.includes(`FlannelNetwork read back ${m0}`), told.join());
      assert.deepEqual(outs["pending"], []);
      assert.deepEqual(
        restarts(hosts),
        [m0, m1].map((host) => `${host} systemctl restart flanneld.service`),
      );
      assert.match(
        printed.join("\n"),
        /the answer was lost \(restarting flanneld on master-0\.example\.com failed: .*reading back/,
      );
      assert.ok(printed.includes("[FlannelNetwork] the answer was lost; the hosts show it done"));
      const steps = (outs["record"] as Record<string, { steps: Inputs[] }>)[m3]?.steps ?? [];
      assert.deepEqual(
        steps.map(({ host, took }) => [host, String(took).startsWith("not known")]),
        [
          [m0, true],
          [m1, false],
        ],
      );
    });

    it("of what is still due is not repeated in this run: told with host, step and time, and kept for the next", async () => {
      const hosts = new Hosts(m0, m1);
      hosts.silent.set(m0, "before");
      const { message, properties } = await failure(ended(update(providerOf(hosts), olds, { masters: three })));
      assert.match(
        message,
        /^restarting flanneld on master-0\.example\.com failed: the connection was lost \(ECONNRESET\) after 3\.0 s; how much of it was done is unknown\n/,
      );
      assert.match(
        message,
        /read back: master-0\.example\.com: restart flanneld: the hosts show it undone; it is not repeated/,
      );
      assert.deepEqual(restarts(hosts), [`${m0} systemctl restart flanneld.service`]);
      assert.deepEqual(properties?.["pending"], [label(m0), label(m1)]);
      hosts.silent.clear();
      const outs = await ended(update(providerOf(hosts), properties, { masters: three }));
      assert.deepEqual(outs["pending"], []);
      assert.equal(restarts(hosts).length, 3);
    });

    it("shows late: the hosts are asked until they show it", async () => {
      const hosts = new Hosts(m0);
      hosts.silent.set(m0, "before");
      setTimeout(() => (hosts.left = []), 5000);
      const outs = await ended(update(providerOf(hosts), olds, { masters: three }));
      assert.deepEqual(outs["pending"], []);
      assert.equal(restarts(hosts).length, 1);
    });

    it("of a resource whose plan does not follow from what the hosts show, nothing can be read back", async () => {
      const hosts = new Hosts(m0);
      hosts.silent.set(m0, "after");
      const { message, properties } = await failure(
        ended(update(providerOf(hosts, { always: true }), olds, { masters: three })),
      );
      assert.doesNotMatch(message, /read back/);
      assert.deepEqual(properties?.["pending"], [label(m0)]);
    });
  });

  it("tells the record of each step and of the end, and the journals last, after a failure too", async () => {
    const hosts = new Hosts(m0, m1);
    const told: string[] = [];
    hosts.record = toldRecord(told);
    hosts.connections.tellJournals = () => Promise.resolve(void told.push("journals"));
    await update(providerOf(hosts), { masters: four }, { masters: three });
    hosts.left = [m2];
    hosts.broken = m2;
    await failure(update(providerOf(hosts), { masters: four }, { masters: three }));
    assert.deepEqual(told, [
      ...[`FlannelNetwork 1/2 ${m0}`, `FlannelNetwork 2/2 ${m1}`, "FlannelNetwork done", "journals"],
      ...[`FlannelNetwork 1/1 ${m2}`, `FlannelNetwork ${m2} is gone\x1b[2J`, "journals"],
    ]);
  });

  it("does not trust what was seen before", async () => {
    const hosts = new Hosts();
    hosts.seen = () => assert.ok(hosts.forgot > 0);
    await update(providerOf(hosts), olds, { masters: three });
  });

  it("no leave, no step: somebody else holds the lock", async () => {
    const hosts = new Hosts(m0);
    hosts.locked = true;
    const { message, properties } = await failure(update(providerOf(hosts), olds, { masters: three }));
    assert.equal(untimed(message), `held by another run\n${inStep(m0)}`);
    assert.deepEqual([hosts.commands, properties?.["masters"], properties?.["pending"]], [[], four, [label(m0)]]);
  });

  it("what is already so is not done again", async () => {
    const hosts = new Hosts();
    const outs = await update(providerOf(hosts), olds, { masters: three });
    assert.deepEqual([hosts.permits, hosts.commands, printed], [0, [], []]);
    assert.deepEqual([outs["masters"], outs["pending"]], [three, []]);
  });

  it("a record of an earlier change is kept as it is", async () => {
    const earlier = { "master-9": { at: "2026-01-01T00:00:00.000Z", steps: [{ step: "s" }] } };
    const before = { ...olds, record: structuredClone(earlier) };
    const outs = await update(providerOf(new Hosts(m0)), before, { masters: three });
    assert.deepEqual((outs["record"] as Inputs)["master-9"], earlier["master-9"]);
    assert.deepEqual(before.record, earlier);
  });

  it("fails in the middle: the old list, what is undone, what was done", async () => {
    const hosts = new Hosts(m0, m1, m2);
    hosts.broken = m1;
    const error = await failure(update(providerOf(hosts), olds, { masters: three, stamp: "s" }));
    assert.equal(untimed(error.message), `${m1} is gone\\x1b[2J\n${inStep(m1)}`);
    assert.equal(error.id, "flannelnetwork");
    assert.deepEqual(error.reasons, [error.message]);
    const { record, ...rest } = error.properties ?? assert.fail();
    assert.deepEqual(rest, {
      masters: four,
      etcd: "known",
      stamp: "s",
      pending: [label(m1), label(m2)],
      unreachable: [],
    });
    const { at, steps } = (record as Record<string, { at: string; steps: Inputs[] }>)[m3] ?? assert.fail();
    assert.deepEqual([at, steps.map(({ host }) => host)], ["", [m0]]);
    assert.deepEqual(hosts.left, [m1, m2]);
  });

  it("and the next update goes on where it stopped", async () => {
    const hosts = new Hosts(m0, m1, m2);
    hosts.broken = m1;
    const provider = providerOf(hosts);
    const saved = (await failure(update(provider, olds, { masters: three }))).properties ?? assert.fail();
    hosts.broken = "";
    hosts.commands.length = 0;
    assert.equal(await changes(provider, saved, { masters: three }), true);
    const outs = await update(provider, saved, { masters: three });
    assert.deepEqual(
      hosts.commands.filter((command) => command.includes("restart")).map((command) => command.split(" ")[0]),
      [m1, m2],
    );
    assert.deepEqual([outs["masters"], outs["pending"]], [three, []]);
    const { steps } = (outs["record"] as Record<string, { steps: Inputs[] }>)[m3] ?? assert.fail();
    assert.deepEqual(
      steps.map(({ host }) => host),
      [m0, m1, m2],
    );
  });

  it("fails before it knows its steps: pending all the same", async () => {
    const hosts = new Hosts(m0);
    hosts.seen = () => {
      throw new Error("no answer");
    };
    const { properties, reasons } = await failure(update(providerOf(hosts), olds, { masters: three }));
    assert.deepEqual(
      [properties?.["masters"], properties?.["pending"], reasons],
      [four, ["prove FlannelNetwork"], ["no answer"]],
    );
  });

  it("every step done and the hosts still show it undone: failed", async () => {
    const hosts = new Hosts(m0);
    hosts.works = false;
    const { message, properties } = await failure(update(providerOf(hosts), olds, { masters: three }));
    assert.match(message, /still show undone: master-0\.example\.com: restart flanneld$/);
    assert.deepEqual([properties?.["masters"], properties?.["pending"]], [four, ["prove FlannelNetwork"]]);
  });

  it("what is due every time is not proved by a plan that is empty", async () => {
    const hosts = new Hosts(m0);
    hosts.works = false;
    const outs = await update(providerOf(hosts, { always: true, remember: () => ({ backups: 1 }) }), olds, {
      masters: three,
    });
    assert.deepEqual([outs["pending"], outs["backups"]], [[], 1]);
  });

  it("Preflight refuses at `up` as well, before anything is touched", async () => {
    const hosts = new Hosts(m0);
    const judge = () => ({ refusals: ["one", "two"], passing: [], notes: [] });
    const error = await failure(update(providerOf(hosts, { judge }), olds, { masters: three }));
    assert.match(error.message, /one; two/);
    assert.deepEqual([hosts.permits, hosts.commands], [0, []]);
    assert.deepEqual(error.properties?.["masters"], four);
  });

  it("what passes by itself is waited for at `up` as well, on a fresh look", async () => {
    const hosts = new Hosts(m0);
    const passing = [["the API restarts"], []];
    const judge = () => ({ refusals: [], passing: passing.shift() ?? [], notes: [] });
    const outs = await update(providerOf(hosts, { judge }), olds, { masters: three });
    assert.deepEqual([outs["pending"], hosts.forgot >= 2, hosts.left], [[], true, []]);
    assert.equal(printed[0], "[FlannelNetwork] waiting up to 60 s: the API restarts");
  });

  it("hosts that cannot be asked after the work: not proved, and pending", async () => {
    const hosts = new Hosts(m0);
    const plan = () => {
      if (hosts.left.length === 0) throw new Unasked("the cluster could not be asked: refused");
      return hosts.left.map(restart);
    };
    const { message, properties } = await failure(update(providerOf(hosts, { plan }), olds, { masters: three }));
    assert.equal(message, "the cluster could not be asked: refused");
    assert.deepEqual([properties?.["masters"], properties?.["pending"]], [four, ["prove FlannelNetwork"]]);
  });

  it("facts that cannot be read are no failure", async () => {
    const facts = () => {
      throw new Error("x");
    };
    assert.equal((await update(providerOf(new Hosts(m0), { facts }), olds, { masters: three }))["etcd"], "known");
  });
});

describe("update writes nothing that was not shown", () => {
  const before = fileOf("/etc/x", "a\n");
  const edit = (host: string): Step => ({ do: "edit", host, title: "edit", edit: { before, after: "b\n" } });
  const attempt = async (files: Inputs | undefined) => {
    const hosts = new Hosts(m0);
    const provider = providerOf(hosts, { plan: () => [...hosts.left.map(restart), edit(m1)] });
    const error = await failure(update(provider, { masters: four }, { masters: three, ...(files && { files }) }));
    return { hosts, error };
  };
  for (const [what, files, message] of [
    [
      "no plan was shown",
      undefined,
      /^master-1\.example\.com: \/etc\/x is not in the plan that was shown: nothing was written; /,
    ],
    ["another host's file was shown", { [`${m0}:/etc/x`]: before.sha256 }, /is not in the plan that was shown/],
    [
      "the file was changed since",
      { [`${m1}:/etc/x`]: "0".repeat(64) },
      /^master-1\.example\.com: \/etc\/x was changed after the plan was shown: nothing was written; /,
    ],
  ] as const)
    it(what, async () => {
      const { hosts, error } = await attempt(files);
      assert.match(error.message, message);
      assert.deepEqual([hosts.permits, hosts.commands], [0, []], "not even the steps before it");
      assert.deepEqual(error.properties?.["pending"], [label(m0), `${m1}: edit`]);
      assert.deepEqual(error.properties["masters"], four);
    });
  it("the very bytes that were shown", async () => {
    const { hosts } = await attempt({ [`${m1}:/etc/x`]: before.sha256 });
    assert.deepEqual(hosts.events.slice(0, 2), ["leave", m0]);
  });
});

describe("create", () => {
  const create = async (provider: Provider, inputs: Inputs) => provider.create(inputs);
  it("adopts: observes, does what is left, and gives its id", async () => {
    const hosts = new Hosts();
    const created = await create(providerOf(hosts, { facts: () => ({ fact: 1 }) }), { masters: four });
    assert.equal(created.id, "flannelnetwork");
    assert.deepEqual(created.outs as Inputs, { masters: four, fact: 1, pending: [], record: {}, unreachable: [] });
    assert.deepEqual(hosts.commands, []);
  });
  it("of a host whose retirement another state began: it leaves now, and its steps are written down", async () => {
    const hosts = new Hosts(m0);
    hosts.leaving = hosts.unfinished = { [m3]: "192.168.55.21" };
    const provider = providerOf(hosts);
    const { inputs } = await check(provider, {}, { masters: three });
    assert.deepEqual(inputs, { masters: three, retired: hosts.leaving });
    const created = await create(provider, inputs);
    const record = (created.outs as Inputs)["record"] as Record<string, { steps: { step: string }[] }>;
    assert.deepEqual(
      record[m3]?.steps.map(({ step }) => step),
      ["FlannelNetwork: restart flanneld"],
    );
    assert.deepEqual(
      hosts.asked.map(({ change, retired }) => [change.leaving, retired]),
      hosts.asked.map(() => [hosts.leaving, []]),
    );
    // later it has left like any other
    hosts.asked.length = 0;
    await check(provider, inputs, { masters: three });
    assert.deepEqual(
      hosts.asked.map(({ retired }) => retired),
      [[m3]],
    );
  });
  it("Preflight alone asks who is half retired, and only without a state", async () => {
    const hosts = new Hosts();
    const judge = () => ({ refusals: [], passing: [], notes: [] });
    const adopts = () => ({ [m3]: "192.168.55.21" });
    const provider = providerOf(hosts, { judge, adopts });
    const { inputs } = await check(provider, {}, { masters: three });
    assert.deepEqual(inputs, { masters: three, retired: adopts(), unfinished: adopts() });
    assert.deepEqual([hosts.leaving, hosts.unfinished], [adopts(), adopts()]);
    assert.deepEqual((await check(provider, inputs, { masters: three })).inputs, inputs);
    assert.deepEqual((await check(provider, inputs, { masters: four })).inputs, { masters: four });
    assert.deepEqual((await check(provider, { masters: three }, { masters: three })).inputs, { masters: three });
    assert.deepEqual(hosts.unfinished, {});
  });
  it("a failed one leaves no resource: neither id nor properties", async () => {
    const hosts = new Hosts(m0);
    hosts.broken = m0;
    const error = await failure(create(providerOf(hosts), { masters: four }));
    assert.equal(untimed(error.message), `${m0} is gone\\x1b[2J\n${inStep(m0)}`);
    for (const key of ["id", "properties", "reasons"]) assert.equal(key in error, false, key);
  });
});

describe("read", () => {
  const props = { masters: four, etcd: "known", pending: [label(m2)], record: { x: 1 } };

  it("keeps what is pending, and adds what the hosts show undone, each once", async () => {
    const found = await read(providerOf(new Hosts(m2, m0)), props);
    assert.deepEqual(found, { ...props, pending: [label(m2), label(m0)], unreachable: [] });
    assert.deepEqual(
      printed,
      [m2, m0].map((host) => `[FlannelNetwork] drift: ${label(host)}`),
    );
  });
  it("hosts that show nothing undone do not clear a failure", async () => {
    const provider = providerOf(new Hosts());
    const found = await read(provider, props);
    assert.deepEqual(found["pending"], [label(m2)]);
    assert.equal(await changes(provider, found, { masters: four }), true);
  });
  it("a failed update, a refresh, and the next run: still a change", async () => {
    const hosts = new Hosts(m0);
    hosts.broken = m0;
    const provider = providerOf(hosts);
    const saved = (await failure(update(provider, { masters: four }, { masters: three }))).properties ?? assert.fail();
    hosts.left = [];
    const refreshed = await read(provider, saved);
    assert.deepEqual([refreshed["masters"], refreshed["pending"]], [four, [label(m0)]]);
    assert.equal(await changes(provider, refreshed, { masters: three }), true);
    assert.equal(await changes(provider, refreshed, { masters: four }), true);
  });
  it("touches nothing", async () => {
    const hosts = new Hosts(m0);
    await read(providerOf(hosts), props);
    assert.deepEqual([hosts.permits, hosts.commands], [0, []]);
  });
  it("hosts that were retired are looked for as such", async () => {
    const hosts = new Hosts();
    await read(providerOf(hosts), { masters: three, retired: { [m3]: "192.168.55.21" } });
    assert.deepEqual(hosts.asked[0]?.change.leaving, { [m3]: "192.168.55.21" });
    assert.deepEqual(hosts.asked[0].retired, [m3]);
  });
  it("facts are taken anew; of hosts that do not answer the last known stay", async () => {
    const hosts = new Hosts();
    const provider = providerOf(hosts, { facts: () => ({ etcd: "new" }) });
    assert.equal((await read(provider, props))["etcd"], "new");
    hosts.world = unreachable(hosts.world, m1);
    const found = await read(provider, props);
    assert.equal(found["etcd"], "known");
    assert.deepEqual(found["unreachable"], [`${m1}: ${m1}: Timed out while waiting for handshake`]);
  });
  it("an archive that is gone is pending", async () => {
    const provider = providerOf(new Hosts(m0), { always: true, lost: () => Promise.resolve(["the archive is gone"]) });
    assert.deepEqual((await read(provider, { ...props, pending: [] }))["pending"], ["the archive is gone"]);
  });

  it("what no update mends is told as drift and is not pending", async () => {
    const seen: unknown[] = [];
    const notes: Kind["notes"] = (world, change, outputs) => {
      seen.push(world, change.survivors, outputs);
      return ["the CA is doubled"];
    };
    const hosts = new Hosts(m0);
    const found = await read(providerOf(hosts, { notes }), { ...props, pending: [] });
    assert.deepEqual(found["pending"], [label(m0)]);
    assert.deepEqual(printed, [`[FlannelNetwork] drift: ${label(m0)}`, "[FlannelNetwork] drift: the CA is doubled"]);
    assert.deepEqual(seen, [hosts.world, four, { ...props, pending: [] }]);
  });

  const throwing = (): never => {
    throw new Error("no answer");
  };
  const silent = new Hosts();
  silent.seen = throwing;
  const cases: [what: string, provider: Provider][] = [
    ["the session", lifecycle(kindOf(new Hosts()), throwing)],
    ["the look", providerOf(silent)],
    ["the plan", providerOf(new Hosts(), { plan: throwing })],
    ["the notes", providerOf(new Hosts(), { notes: throwing })],
    ["the archive", providerOf(new Hosts(), { always: true, lost: () => Promise.reject(new Error("no answer")) })],
  ];
  for (const [what, provider] of cases)
    it(`never throws, whatever does: ${what}`, async () =>
      assert.deepEqual(await read(provider, props), { ...props, unreachable: ["no answer"] }));
  it("not even for a state without properties", async () =>
    assert.deepEqual((await providerOf(new Hosts()).read?.("id", undefined))?.props, { pending: [], unreachable: [] }));
});

describe("delete", () => {
  it("forgets, and asks nobody", async () => {
    const provider = lifecycle(kindOf(new Hosts()), () => assert.fail("a session was asked for"));
    assert.equal(await provider.delete?.("id", { masters: four }), undefined);
  });
});
