/**
 * What is done at a load balancer, on a host that only writes down what it is told: the order of things and what is not done at all. The host is a fake, because
 * a pool that loses its servers between the plan and the step is a matter of seconds; the lab's tests have the real haproxy.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { afterEach, describe, it, mock } from "node:test";
import { planBalancer } from "../../providers/plan/plans.ts";
import { type Step, type World, identityOf } from "../../providers/plan/steps.ts";
import { balance, takeOut } from "../../providers/remote/apply/balancer.ts";
import type { Context } from "../../providers/remote/apply/context.ts";
import { balancerParts, master, probed, removal, withBalancer } from "../plan/world.ts";

const lb1 = "lb-1.example.com";
const { world, change } = removal(4, [3]);

/** Answers every look with the statistics in `stats`, and everything else with success. */
class Host {
  readonly done: string[] = [];
  stats = balancerParts(lb1, 4)["stats"];
  readonly name = lb1;
  readonly address = "192.168.55.6";
  run(_script: string, { what }: { what: string }) {
    this.done.push(what);
    const stdout = what.startsWith("looking")
      ? probed({ ...balancerParts(lb1, 4), ...(this.stats && { stats: this.stats }) })
      : "";
    return Promise.resolve({ code: 0, stdout, stderr: "", took: 1 });
  }
  /** Whether a drain comes to its end, and what happens meanwhile. */
  drains = false;
  meanwhile: () => void = () => undefined;
  stream(_script: string, { what }: { what: string }) {
    this.done.push(what);
    if (!this.drains) throw new Error("nothing was to be drained");
    this.meanwhile();
    return Promise.resolve({
      stdout: Readable.from([Buffer.from("sessions 0 0\n")]),
      done: Promise.resolve({ code: 0, stderr: "" }),
    });
  }
  dead = false;
  permit(): Promise<void> {
    return this.dead ? Promise.reject(new Error("pulumi is gone")) : Promise.resolve();
  }
  get context(): Context {
    const session = { run: "run", host: () => this, permit: () => this.permit() };
    return { session: session as unknown as Context["session"], change, say: () => undefined };
  }
}

/** Every master but those named is DOWN. */
const down = (so: World, ...up: readonly string[]): World =>
  withBalancer(so, lb1, ({ stats }) => ({
    stats: (stats ?? []).map((row) => (up.includes(row.server) ? row : { ...row, status: "DOWN" })),
  }));
const csv = (text: unknown, ...up: readonly string[]): [string, number] => [
  (text as [string, number])[0]
    .split("\n")
    .map((line) =>
      up.some((server) => line.includes(`,${server},`)) || !line.includes(",master")
        ? line
        : line.replace(",UP,", ",DOWN,"),
    )
    .join("\n"),
  0,
];

const planned = (so: World): Extract<Step, { do: "balance" }> => {
  const [step] = planBalancer(lb1)(so, change);
  return step?.do === "balance" ? step : assert.fail("nothing is planned");
};

/** Runs work that waits, with a clock of its own. */
async function inNoTime(work: () => Promise<unknown>): Promise<unknown> {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
  let ended = false;
  const done = work().then(
    () => (ended = true),
    (error: unknown) => {
      ended = true;
      return error;
    },
  );
  while (!ended) {
    await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(500);
  }
  return done;
}
afterEach(() => mock.timers.reset());

describe("a pool is never left without a server", () => {
  it("the last one that is UP is neither drained nor dropped, though the plan said so when the others were UP", async () => {
    const host = new Host();
    host.stats = csv(host.stats, "master3");
    const step = planned(down(world, "master3"));
    const error = await inNoTime(() => balance(host.context, step));
    assert.match(
      String(error),
      /another server of each pool is UP: not so after 3\d s; last seen: master3 is the only one of backend/,
    );
    assert.deepEqual([...new Set(host.done)], [`looking at ${lb1}`]);
  });
  it("one that is DOWN itself takes nothing with it", async () => {
    const host = new Host();
    const step = planned(down(world));
    const error = await inNoTime(() => balance(host.context, step));
    assert.match(String(error), /nothing was to be drained/);
    // and what a failed drain may have drained is put back
    assert.deepEqual(host.done, ["draining 192.168.55.21:8443", "putting drained servers back"]);
  });
  it("nor does a master go out for a restart while it is the last one that is UP", async () => {
    const host = new Host();
    host.stats = csv(host.stats, "master0");
    const error = await inNoTime(() => takeOut(host.context, [lb1], identityOf(master(0), change.survivors)));
    assert.match(String(error), /last seen: master0 is the only one of backend/);
    assert.deepEqual([...new Set(host.done)], [`looking at ${lb1}`]);
  });
});

describe("pulumi dies while a server is drained", () => {
  it("nothing is written afterwards", async () => {
    const host = new Host();
    host.drains = true;
    host.meanwhile = () => (host.dead = true);
    await assert.rejects(balance(host.context, planned(world)), /pulumi is gone/);
    assert.deepEqual(host.done, ["draining 192.168.55.21:8443"]);
  });
  it("alive, it goes on with the file", async () => {
    const host = new Host();
    host.drains = true;
    await balance(host.context, planned(world));
    assert.deepEqual(
      [host.done[0], host.done.at(-1), host.done.filter((what) => what.startsWith("replacing")).length],
      ["draining 192.168.55.21:8443", "loading and proving haproxy", 1],
    );
  });
});
