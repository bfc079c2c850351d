import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Ahead, aheadOf } from "../../providers/plan/clocks.ts";
import { isReachable } from "../../providers/plan/facts.ts";
import { judge } from "../../providers/plan/preflight.ts";
import { clocks, mostApart } from "../../providers/plan/preflight/clocks.ts";
import type { World } from "../../providers/plan/steps.ts";
import { changeOf, master, mastersOf, removal, withMaster } from "./world.ts";

describe("aheadOf", () => {
  it("holds the true difference, however long the question took and whenever the host looked", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: -100_000, max: 100_000 }),
        fc.nat(60_000),
        fc.nat(60_000),
        (milliseconds, before, after) => {
          const looked = 1_800_000_000_500;
          const time = Math.floor((looked + milliseconds) / 1000);
          const { least, most } = aheadOf(time, looked - before, looked + after) ?? assert.fail();
          assert.ok(least <= milliseconds / 1000 && milliseconds / 1000 <= most, `${least} ${most}`);
        },
      ),
    ));
  it("what the host could not say is not known", () => assert.equal(aheadOf(0, 1, 2), undefined));
  it("a clock of this machine that was set back meanwhile tells nothing", () =>
    assert.equal(aheadOf(1_800_000_000, 2000, 1000), undefined));
});

const { world, change } = removal(4, [3]);
const nobody = changeOf(4, []);
function set(so: World, hosts: Readonly<Record<number, number | Ahead>>): World {
  return Object.entries(hosts).reduce((one, [n, by]) => {
    const ahead = typeof by === "number" ? { least: by - 0.5, most: by + 0.5 } : by;
    return withMaster(one, master(Number(n)), ({ identity }) => ({ identity: { ...identity, ahead } }));
  }, so);
}
const refused = (hosts: Parameters<typeof set>[1]) => clocks(set(world, hosts), change, undefined).refusals ?? [];

describe("clocks of masters", () => {
  it("ten minutes ahead of this machine's: a removal is refused, and says so once", () => {
    const found = judge(set(world, { 0: 0, 1: 600, 2: 1, 3: 0 }), change, mastersOf(4));
    assert.deepEqual(found.refusals, [
      "the clock of master-1.example.com is 10 minutes ahead of this machine's; set it right first (chronyd or ntpd): certificates, leases and the order of backups go by it",
    ]);
  });
  it("ten minutes behind, of the one that leaves", () =>
    assert.match(refused({ 0: 0, 3: -600 }).join(), /^the clock of master-3\.example\.com is 10 minutes behind this/));
  it("all of them: each is told, for it may be this machine's", () =>
    assert.equal(refused({ 0: 600, 1: 600, 2: 600, 3: 600 }).length, 4));
  it("apart from each other, and none from this machine's", () =>
    assert.match(
      refused({ 0: -40, 1: 40, 2: 0 }).join(),
      /^the clock of master-1\.example\.com is 80 s ahead of that of master-0\.example\.com;/,
    ));
  it("nobody leaves: a note", () => {
    const found = clocks(set(world, { 1: 600 }), nobody, undefined);
    assert.deepEqual(found, { notes: ["the clock of master-1.example.com is 10 minutes ahead of this machine's"] });
  });
  for (const by of [0, 1, mostApart - 1, 1 - mostApart])
    it(`${by} s: nothing`, () => assert.deepEqual(refused({ 0: by }), []));
  it("what a slow answer leaves uncertain counts in its favour", () => {
    assert.deepEqual(refused({ 0: { least: 10, most: 600 }, 1: { least: -600, most: 5 } }), []);
    assert.equal(refused({ 0: { least: 61, most: 600 } }).length, 1);
  });
  it("clocks that nobody compared", () => {
    assert.deepEqual(refused({}), []);
    const facts = world.masters[master(0)];
    assert.ok(isReachable(facts) && facts.identity.ahead === undefined);
  });
});
