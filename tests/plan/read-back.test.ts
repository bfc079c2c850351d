/** What the hosts must show before a step counts as done whose answer was lost. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Planner, chainPlanners, planAuthority, planDrain } from "../../providers/plan/plans.ts";
import { type Seen, openStill } from "../../providers/plan/read-back.ts";
import type { Change, Step, World } from "../../providers/plan/steps.ts";
import { after, master, removal, unreachable, withBalancer, withCluster, withEtcd, withMaster } from "./world.ts";

const [m0, m1, m3] = [master(0), master(1), master(3)];
/** By node-1 of the controllers' lease, as after the leaving one gave it up. */
const handed = (world: World): World => withCluster(world, { controllers: m1 });
const seen = (plan: Planner, world: World, change: Change): Seen => ({ world, change, due: plan(world, change) });

/** The first step of the kind that the chain comes to, with what was seen right before it, and its planner. */
function first(does: Step["do"], number = 0): { step: Step; plan: Planner; world: World; change: Change } {
  const removed = removal(4, [3]);
  let world = removed.world;
  const { change } = removed;
  const found: { step: Step; plan: Planner; world: World; change: Change }[] = [];
  for (const plan of planners(change))
    for (let step = plan(world, change)[0]; step !== undefined; step = plan(world, change)[0]) {
      if (step.do === does) found.push({ step, plan, world, change });
      world = after(world, step);
    }
  return found[number] ?? assert.fail(`no step ${does}`);
}
const planners = (change: Change): Planner[] => [
  planAuthority,
  planDrain,
  ...chainPlanners(change).map(({ plan }) => plan),
];

describe("every step of a removal", () => {
  it("is open as long as the hosts show it undone, and is not once they show it done", () => {
    const { world, change } = removal(4, [3]);
    const kinds = new Set<string>();
    let now = handed(world);
    for (const plan of planners(change))
      for (let step = plan(now, change)[0]; step !== undefined; step = plan(now, change)[0]) {
        kinds.add(step.do);
        assert.equal(openStill(step, seen(plan, now, change)), "the hosts show it undone", step.title);
        now = after(now, step);
        assert.equal(openStill(step, seen(plan, now, change)), undefined, step.title);
      }
    for (const does of [
      "balance",
      "drain",
      "disable-manifest",
      "remove-member",
      "edit",
      "restart-master",
      "delete-node",
    ])
      assert.ok(kinds.has(does), `${does} among ${[...kinds].join()}`);
  });
  it("of the same kind on another host says nothing about this one", () => {
    const { step, plan, world, change } = first("restart-master");
    const other: Step = { ...step, host: m1 };
    const due = plan(world, change).filter((one) => one.do !== "restart-master" || one.host === m0);
    assert.equal(openStill(other, { world, change, due }), undefined);
  });
});

describe("what the plan takes for granted is asked besides", () => {
  const done = (does: Step["do"], spoil: (world: World) => World, number = 0): string | undefined => {
    const { step, plan, world, change } = first(does, number);
    return openStill(step, seen(plan, spoil(after(handed(world), step)), change));
  };
  const same = (world: World): World => world;

  it("a restarted API must be ready", () => {
    const readiness = { ready: false, asked: "/healthz/ready", seen: "HTTP 500" };
    assert.equal(done("restart-master", same), undefined);
    assert.equal(
      done("restart-master", (world) => withMaster(world, m0, { readiness })),
      "its API is not ready (/healthz/ready: HTTP 500)",
    );
    assert.equal(
      done("restart-master", (world) =>
        withMaster(world, m0, ({ listeners }) => ({ listeners: listeners.filter(({ port }) => port !== 8444) })),
      ),
      "its controllers do not listen",
    );
  });
  it("flanneld must be active", () => {
    assert.equal(
      done("restart-flannel", (world) =>
        withMaster(world, m0, ({ flanneld }) => ({ flanneld: flanneld && { ...flanneld, active: false } })),
      ),
      "flanneld is not active",
    );
  });
  it("the controllers' lease must be with another master, known by its name", () => {
    for (const controllers of [m3, ""])
      assert.match(
        done("disable-manifest", (world) => withCluster(world, { controllers })) ?? "",
        /^the controllers' lease is with /,
      );
    // the API has none
    assert.equal(
      done("disable-manifest", (world) => withCluster(world, { controllers: "" }), 1),
      undefined,
    );
  });
  it("the load balancer's other servers must be UP", () => {
    const host = first("balance").step.host;
    assert.equal(
      done("balance", (world) =>
        withBalancer(world, host, ({ stats }) => ({
          stats: stats?.map((row) => (row.server === "master1" ? { ...row, status: "DOWN" } : row)),
        })),
      ),
      "not seen UP: master1",
    );
    assert.match(done("balance", (world) => withBalancer(world, host, { stats: undefined })) ?? "", /^not seen UP: /);
  });
  it("after a removal every member that stays must be well, and list it no more", () => {
    assert.equal(
      done("remove-member", (world) => withEtcd(world, { healthy: false, detail: "it does not commit" }, m1)),
      `${m1}: it does not commit`,
    );
    const { step, plan, world, change } = first("remove-member");
    assert.equal(openStill(step, seen(plan, after(world, step), change)), undefined);
    assert.match(openStill(step, { world, change, due: [] }) ?? "", /its etcd still lists ed4f0efd277d7599/);
  });
  it("a host that cannot be asked shows nothing", () => {
    const { step, world, change } = first("restart-master");
    const due: Step[] = [];
    assert.equal(openStill(step, { world: unreachable(after(world, step), m0), change, due }), "it cannot be asked");
  });
});
