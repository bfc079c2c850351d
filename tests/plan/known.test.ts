import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isReachable } from "../../providers/plan/facts.ts";
import { type Known, knownIn, remembered, seenHosts } from "../../providers/plan/known.ts";
import { judge } from "../../providers/plan/preflight.ts";
import { sameHosts } from "../../providers/plan/preflight/known.ts";
import { type Change, type World, entries } from "../../providers/plan/steps.ts";
import { preflight } from "../../providers/preflight.ts";
import {
  changeOf,
  idOf,
  master,
  mastersOf,
  removal,
  unreachable,
  withBalancer,
  withEtcd,
  withMaster,
} from "./world.ts";

const [lb0, m3] = ["lb-0.example.com", master(3)];
const { world, change } = removal(4, [3]);
const same = changeOf(4, []);
const known = remembered(world, same, {});
const other = "0123456789abcdef0123456789abcdef";
const machineOf = (so: World, n: number): string => {
  const facts = so.masters[master(n)];
  return isReachable(facts) ? facts.identity.machineId : "";
};
const reinstalled = (n: number, so = world): World =>
  withMaster(so, master(n), ({ identity }) => ({ identity: { ...identity, machineId: other } }));
const replaced = (n: number): World =>
  withEtcd(world, ({ members }) => ({
    members: members.map((one) => (one.id === idOf(n) ? { ...one, id: "1122334455667788" } : one)),
  }));
const acknowledging = ({ leaving }: Change, ...risks: readonly string[]): Change =>
  changeOf(4, m3 in leaving ? [3] : [], risks);
const refusals = (so: World, asked: Change, was: Known = known) => judge(so, asked, mastersOf(4), was).refusals;

describe("what is remembered", () => {
  it("machine ids of masters and load balancers, member ids of masters", () => {
    assert.deepEqual(known[master(1)], { machine: machineOf(world, 1), member: idOf(1) });
    assert.match(known[lb0]?.machine ?? "", /^[0-9a-f]{32}$/);
    assert.deepEqual(Object.keys(known).length, 6);
  });
  it("goes through the state unchanged, and what is no such thing in it is nothing", () => {
    assert.deepEqual(knownIn(JSON.parse(JSON.stringify(known))), known);
    const odd = { a: 1, b: null, c: { machine: 7, member: "x'; rm" }, d: { machine: "ab", more: 1 } };
    assert.deepEqual(knownIn(odd), { c: {}, d: { machine: "ab" } });
    for (const none of [undefined, null, "text", 7]) assert.deepEqual(knownIn(none), {});
  });
  it("one that cannot be asked keeps what it was, and so does one that left", () => {
    const so = unreachable(world, master(2));
    assert.deepEqual(remembered(so, same, known)[master(2)], known[master(2)]);
    assert.deepEqual(remembered(removal(3, []).world, changeOf(3, []), known)[master(3)], known[master(3)]);
  });
  it("another one is not taken over, until it is acknowledged", () => {
    assert.deepEqual(remembered(reinstalled(1), same, known), known);
    const risk = acknowledging(same, `machine-changed:${master(1)}`);
    assert.deepEqual(remembered(reinstalled(1), risk, known)[master(1)], { machine: other, member: idOf(1) });
  });
  it("a text that is no id is never taken up", () => {
    const so = withMaster(world, master(1), ({ identity }) => ({
      identity: { ...identity, machineId: "cat: /etc/machine-id: No such file" },
    }));
    assert.deepEqual(seenHosts(so, same)[master(1)], { member: idOf(1) });
    assert.deepEqual(refusals(so, change), []);
  });
  it("the resource keeps it among its inputs, and judges by it", () => {
    const olds = { masters: mastersOf(4), known };
    assert.deepEqual(preflight.carry(world, same, {}, olds), { known });
    assert.equal(preflight.judge(reinstalled(1), same, mastersOf(4), olds).refusals.length, 1);
    assert.deepEqual(preflight.judge(reinstalled(1), same, mastersOf(4), { masters: mastersOf(4) }).refusals, []);
  });
});

describe("a wrong host at a known address", () => {
  for (const [what, asked] of [
    ["nobody leaves", same],
    ["a removal", change],
  ] as const)
    it(`another machine is refused: ${what}`, () =>
      assert.deepEqual(refusals(reinstalled(1), asked), [
        `master-1.example.com (192.168.55.12) is another machine than at the last \`pulumi up\`: its machine id is ${other}, and was ${machineOf(world, 1)}. ` +
          "If that address is wrong, correct it; if the host was installed anew, acknowledge `machine-changed:master-1.example.com` until the next `pulumi up` is through",
      ]));
  it("the one that leaves, and a load balancer, too", () => {
    assert.match(
      refusals(reinstalled(3), change).join(),
      /^master-3\.example\.com \(192\.168\.55\.21\) is another machine/,
    );
    const so = withBalancer(world, lb0, ({ identity }) => ({ identity: { ...identity, machineId: other } }));
    assert.match(
      refusals(so, same).join(),
      /^lb-0\.example\.com is another machine .*`machine-changed:lb-0\.example\.com`/,
    );
  });
  it("acknowledged by its own name, and no other's", () => {
    assert.deepEqual(refusals(reinstalled(1), acknowledging(same, `machine-changed:${master(1)}`)), []);
    assert.equal(refusals(reinstalled(1), acknowledging(same, `machine-changed:${master(2)}`)).length, 1);
    assert.equal(refusals(reinstalled(1), acknowledging(same, `member-changed:${master(1)}`)).length, 1);
  });

  it("another member is refused for a removal, each on its own", () =>
    assert.deepEqual(refusals(replaced(1), change), [
      `the etcd member of master-1.example.com (192.168.55.12) is another than at the last \`pulumi up\`: its id is 1122334455667788, and was ${idOf(1)}. ` +
        "If nobody replaced it, find out who did; if it was replaced on purpose, acknowledge `member-changed:master-1.example.com` until the next `pulumi up` is through",
    ]));
  it("and told when nobody leaves, as often as it is so", () => {
    const { refusals: none, notes } = judge(replaced(1), same, mastersOf(4), known);
    assert.deepEqual(none, []);
    assert.ok(notes.some((note) => /^the etcd member of master-1\.example\.com .* is another/.test(note)));
    assert.deepEqual(remembered(replaced(1), same, known), known);
  });
  it("acknowledged, it is taken up", () => {
    const risk = acknowledging(change, `member-changed:${master(1)}`);
    assert.deepEqual(refusals(replaced(1), risk), []);
    assert.equal(remembered(replaced(1), risk, known)[master(1)]?.member, "1122334455667788");
  });
  it("the ids that all of etcd has anew are all told", () => {
    const so = withEtcd(world, ({ members }) => ({
      members: members.map((one) => ({ ...one, id: `a${one.id.slice(1)}` })),
    }));
    assert.equal(sameHosts(so, same, known).notes.length, entries(mastersOf(4)).length);
  });
  it("a member that is gone is none that changed: the one that leaves was removed", () => {
    const so = withEtcd(world, ({ members }) => ({ members: members.filter(({ id }) => id !== idOf(3)) }));
    assert.deepEqual(sameHosts(so, change, known), { refusals: [], passing: [], notes: [] });
  });
  it("an acknowledged risk that is met no more is told", () => {
    const risk = acknowledging(same, `machine-changed:${master(1)}`);
    assert.deepEqual(sameHosts(world, risk, known).notes, [
      "`machine-changed:master-1.example.com` is acknowledged and needed no more: take it out of acknowledge",
    ]);
    assert.deepEqual(sameHosts(reinstalled(1), risk, known).notes, []);
  });
});
