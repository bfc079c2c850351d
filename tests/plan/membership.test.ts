/** EtcdMembership's plan: the steps of each situation, in their order. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planMembership } from "../../providers/plan/plans.ts";
import { hasMoveLeader } from "../../providers/plan/plans/membership.ts";
import type { Step, World } from "../../providers/plan/steps.ts";
import { after, healthy, idOf, master, removal, unreachable, withEtcd, withMaster } from "./world.ts";

const brief = (step: Step): string => {
  const short = (host: string) => host.slice(0, host.indexOf("."));
  if (step.do === "remove-member") return `remove ${short(step.of)} by ${short(step.host)}`;
  if (step.do === "disable-manifest") return `off ${short(step.host)}`;
  if (step.do === "set-aside-data") return `aside ${short(step.host)}`;
  if (step.do === "move-leader") return `move ${short(step.host)}`;
  if (step.do === "stop-leader") return `stop ${short(step.host)}`;
  return step.do;
};
const all = ["below-three-masters", "even-members", ...[0, 1, 2, 3, 4].map((n) => `host-gone:${master(n)}`)];

const ofEtcd = (version: string) => (world: World) =>
  withEtcd(world, ({ status }) => ({ status: status && { ...status, version } }));
const gone = (n: number) => (world: World) => unreachable(world, master(n));
const removed = (n: number) => (world: World) =>
  withEtcd(world, ({ members }) => ({ members: members.filter(({ id }) => id !== idOf(n)) }));
const dead = (n: number) => (world: World) => withEtcd(world, { healthy: false }, master(n));
const stopped = (n: number) => (world: World) =>
  withMaster(world, master(n), {
    pods: ["apiserver.yaml"],
    listeners: [],
    etcd: undefined,
    etcdSeen: "nothing listens on port 2379",
  });
const unstarted = (n: number) => (world: World) =>
  withEtcd(stopped(n)(world), ({ members }) => ({
    members: members.map((one) => (one.id === idOf(n) ? { ...one, name: "", clientURLs: [], started: false } : one)),
  }));
const noData = (n: number) => (world: World) => withMaster(world, master(n), { etcdData: false });

interface Case {
  readonly what: string;
  readonly count: number;
  readonly leaving: readonly number[];
  readonly leader?: number;
  readonly so?: readonly ((world: World) => World)[];
  readonly purge?: boolean;
  readonly steps: readonly string[];
}
const [three, four] = [ofEtcd("3.2.32"), ofEtcd("3.4.27")];
const byZero = (n: number): string => `remove master-${n} by master-0`;

const cases: readonly Case[] = [
  { what: "a follower leaves", count: 4, leaving: [3], steps: [byZero(3), "off master-3"] },
  {
    what: "the leader leaves, 3.4",
    count: 4,
    leaving: [3],
    leader: 3,
    so: [four],
    steps: ["move master-3", byZero(3), "off master-3"],
  },
  {
    what: "the leader leaves, 3.2: its pod first",
    count: 4,
    leaving: [3],
    leader: 3,
    so: [three],
    steps: ["stop master-3", byZero(3)],
  },
  {
    what: "the leader leaves, 3→2, 3.2: the other two are a quorum",
    count: 3,
    leaving: [2],
    leader: 2,
    so: [three],
    steps: ["stop master-2", byZero(2)],
  },
  {
    what: "the leader leaves, 2→1, 3.2: the removal ends it",
    count: 2,
    leaving: [1],
    leader: 1,
    so: [three],
    steps: [byZero(1), "off master-1"],
  },
  {
    what: "the leader leaves, 2→1, 3.4",
    count: 2,
    leaving: [1],
    leader: 1,
    so: [four],
    steps: ["move master-1", byZero(1), "off master-1"],
  },
  {
    what: "the leader leaves, a version that is not known: tried",
    count: 4,
    leaving: [3],
    leader: 3,
    so: [ofEtcd("")],
    steps: ["move master-3", byZero(3), "off master-3"],
  },
  {
    what: "3.2, its pod was stopped by a run that was killed: no word of leadership, though the others may still believe in it",
    count: 4,
    leaving: [3],
    leader: 3,
    so: [three, stopped(3)],
    steps: [byZero(3)],
  },
  {
    what: "the first master leaves: through another",
    count: 4,
    leaving: [0],
    leader: 1,
    steps: ["remove master-0 by master-1", "off master-0"],
  },
  { what: "the host is gone", count: 4, leaving: [3], leader: 3, so: [gone(3)], steps: [byZero(3)] },
  { what: "its etcd is dead", count: 4, leaving: [3], so: [dead(3)], steps: [byZero(3), "off master-3"] },
  { what: "never started", count: 4, leaving: [3], so: [unstarted(3)], steps: [byZero(3)] },
  { what: "removed already: its pod", count: 4, leaving: [3], so: [removed(3)], steps: ["off master-3"] },
  { what: "removed and off already", count: 4, leaving: [3], so: [removed(3), stopped(3)], steps: [] },
  { what: "removed already, and gone", count: 4, leaving: [3], so: [removed(3), gone(3)], steps: [] },
  {
    what: "several: one after the other",
    count: 5,
    leaving: [3, 4],
    steps: [byZero(3), "off master-3", byZero(4), "off master-4"],
  },
  {
    what: "several: the pod of one that is removed before the next is",
    count: 5,
    leaving: [3, 4],
    so: [removed(4)],
    steps: ["off master-4", byZero(3), "off master-3"],
  },
  {
    what: "several: the dead one first, the leader last, 3.2",
    count: 5,
    leaving: [2, 3, 4],
    leader: 2,
    so: [three, dead(4)],
    steps: [byZero(4), "off master-4", byZero(3), "off master-3", "stop master-2", byZero(2)],
  },
  {
    what: "several: one is gone, the leader last, 3.4",
    count: 5,
    leaving: [3, 4],
    leader: 3,
    so: [four, gone(4)],
    steps: [byZero(4), "move master-3", byZero(3), "off master-3"],
  },
  {
    what: "data aside, after the pod",
    count: 4,
    leaving: [3],
    purge: true,
    steps: [byZero(3), "off master-3", "aside master-3"],
  },
  {
    what: "data aside, where the pod went first",
    count: 4,
    leaving: [3],
    leader: 3,
    so: [three],
    purge: true,
    steps: ["stop master-3", byZero(3), "aside master-3"],
  },
  {
    what: "data aside, of a member that is removed",
    count: 4,
    leaving: [3],
    so: [removed(3), stopped(3)],
    purge: true,
    steps: ["aside master-3"],
  },
  {
    what: "there is no data any more",
    count: 4,
    leaving: [3],
    so: [removed(3), stopped(3), noData(3)],
    purge: true,
    steps: [],
  },
  { what: "data of a host that is gone", count: 4, leaving: [3], so: [gone(3)], purge: true, steps: [byZero(3)] },
  {
    what: "several, with data",
    count: 5,
    leaving: [3, 4],
    purge: true,
    steps: [byZero(3), "off master-3", "aside master-3", byZero(4), "off master-4", "aside master-4"],
  },
];

describe("steps before the survivors' files", () => {
  for (const { what, count, leaving, leader = 0, so = [], purge = false, steps } of cases)
    it(`${count}→${count - leaving.length}: ${what}`, () => {
      const { change } = removal(count, leaving, all);
      const world = so.reduce((seen, one) => one(seen), healthy(count, Object.keys(change.leaving), leader));
      const settings = { ...change.settings, etcd: { purge } };
      const planned = planMembership(world, { ...change, settings });
      const files = planned.filter((step) => step.do === "edit");
      assert.deepEqual(planned.map(brief), [...steps, ...files.map(brief)]);
      assert.equal(files.length, count - leaving.length);
      // whatever is done, and in whichever of its steps a run ends, what is left is the rest of it
      for (const at of planned.keys()) {
        const then = planned.slice(0, at + 1).reduce(after, world);
        const left = planMembership(then, { ...change, settings }).map(brief);
        assert.deepEqual(left, planned.slice(at + 1).map(brief), `after ${at + 1} of ${planned.map(brief).join(", ")}`);
      }
    });
});

describe("what the titles say", () => {
  const title = (so: (world: World) => World, count = 4) => {
    const last = count - 1;
    const { change } = removal(count, [last], all);
    const [first, second] = planMembership(so(healthy(count, Object.keys(change.leaving), last)), change);
    return [first?.title ?? "", second?.title ?? ""];
  };
  it("3.2 leads: its pod is stopped, why, and until when", () =>
    assert.equal(
      title(three)[0],
      "etcd pod off before its member is removed, since it leads and etcd 3.2.32 has no move-leader: etcd.yaml to disabled/, until port 2379 is closed and another member leads",
    ));
  it("3.2 leads and the others are too few: the removal ends its leadership", () =>
    assert.match(
      title(three, 2)[0] ?? "",
      /^remove etcd member 91bc3c398fb3c146 \(.*\), which ends its leadership; judged anew right before, then prove 1 healthy member$/,
    ));
  it("3.4 leads: who is to lead", () =>
    assert.equal(title(four)[0], `move etcd's leadership from ${master(3)} to member ${idOf(0)} (${master(0)})`));
  it("the commands of a stop are those of the pod", () => {
    const { change } = removal(4, [3]);
    const [stop] = planMembership(three(healthy(4, [master(3)], 3)), change);
    assert.deepEqual(stop?.commands, [
      "mkdir -p /etc/origin/node/pods/disabled",
      "mv /etc/origin/node/pods/etcd.yaml /etc/origin/node/pods/disabled/etcd.yaml",
    ]);
  });
});

it("which etcd has move-leader", () => {
  const having = ["3.3.0", "3.3.27", "3.4.27", "3.10.1", "4.0.0", "", "unknown"];
  const without = ["3.2.32", "3.1.9", "3.0.0", "2.3.8"];
  assert.deepEqual([...having, ...without].filter(hasMoveLeader), having);
});
