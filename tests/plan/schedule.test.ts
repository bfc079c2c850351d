import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Stage, scheduleOf } from "../../providers/plan/schedule.ts";
import type { Step } from "../../providers/plan/steps.ts";
import { planFlannel } from "../../providers/plan/plans.ts";
import { removal } from "./world.ts";

const backup = (host: string): Step => ({ do: "backup", host, what: "master", title: "backup" });
const restart = (host: string): Step => ({ do: "restart-flannel", host, title: "restart" });
const apart = (host: string): Step => ({ ...restart(host), apart: true });

/** Hosts of each chain, e.g. `[["a"], ["b", "b"]]`. */
const brief = (stages: readonly Stage[]) =>
  stages.map(({ chains }) => chains.map((chain) => chain.map(({ host }) => host)));

describe("scheduleOf", () => {
  const cases: [what: string, steps: Step[], stages: string[][][], atOnce: number[]][] = [
    ["nothing", [], [], []],
    ["steps of masters one by one", [restart("a"), restart("a"), restart("b")], [[["a"]], [["a"]], [["b"]]], [1, 1, 1]],
    [
      "backups of several hosts at the same time",
      [backup("a"), backup("b"), backup("c")],
      [[["a"], ["b"], ["c"]]],
      [3],
    ],
    ["a second backup of a host waits", [backup("a"), backup("b"), backup("a")], [[["a"], ["b"]], [["a"]]], [2, 1]],
    ["a step between parts them", [backup("a"), restart("a"), backup("b")], [[["a"]], [["a"]], [["b"]]], [1, 1, 1]],
    [
      "hosts that go apart: a chain each, however their steps are mixed",
      [restart("m"), apart("a"), apart("b"), apart("a"), apart("c"), restart("m")],
      [[["m"]], [["a", "a"], ["b"], ["c"]], [["m"]]],
      [1, 7, 1],
    ],
  ];
  for (const [what, steps, stages, atOnce] of cases)
    it(what, () => {
      const found = scheduleOf(steps, 7);
      assert.deepEqual(brief(found), stages);
      assert.deepEqual(
        found.map((one) => one.atOnce),
        atOnce,
      );
    });

  it("flannel: masters one by one before the nodes, which are a chain each", () => {
    const { world, change } = removal(4, [3]);
    const stages = scheduleOf(planFlannel(world, change), 10);
    const last = stages.at(-1) ?? assert.fail();
    assert.deepEqual(
      stages.map(({ apart: beside, chains }) => [beside, chains.length]),
      [...Array.from({ length: 6 }, () => [false, 1]), [true, Object.keys(world.nodes).length]],
    );
    for (const chain of last.chains)
      assert.deepEqual(
        chain.map((step) => step.do),
        ["edit", "restart-flannel"],
      );
  });

  it("every step once; each host's in their order; nothing beside a step that goes alone", () => {
    const host = fc.constantFrom("a", "b", "c", "d", "e");
    const step = fc.oneof(host.map(backup), host.map(restart), host.map(apart));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 100 }), (steps, atOnce) => {
        const stages = scheduleOf(steps, atOnce);
        const all = stages.flatMap(({ chains }) => chains.flat());
        assert.deepEqual(new Set(all), new Set(steps));
        assert.equal(all.length, steps.length);
        const of = (name: string, some: readonly Step[]) => some.filter((one) => one.host === name);
        for (const name of ["a", "b", "c", "d", "e"]) assert.deepEqual(of(name, all), of(name, steps));
        // what is parted by a step that goes alone stays on its side
        const place = new Map(stages.flatMap(({ chains }, at) => chains.flat().map((one) => [one, at] as const)));
        for (const [at, one] of steps.entries())
          if (at > 0) assert.ok((place.get(one) ?? -1) >= (place.get(steps[at - 1] ?? one) ?? 0));
        for (const { chains, atOnce: bound, apart: beside } of stages) {
          const hosts = chains.map(([first]) => first?.host);
          assert.equal(new Set(hosts).size, hosts.length, "one chain of each host");
          const kinds = new Set(chains.flat().map((one) => one.apart ?? one.do));
          if (chains.flat().length > 1) assert.ok(kinds.size === 1 && (kinds.has(true) || kinds.has("backup")));
          assert.equal(bound, beside ? atOnce : chains.length);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
