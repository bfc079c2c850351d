import assert from "node:assert/strict";
import { test } from "node:test";
import { faultAt, faultsFrom } from "../../providers/plan/faults.ts";

const at = { resource: "EtcdMembership", number: 2, does: "remove-member" };

test("a fault is found by its step's number or by what the step does, in its phase only", () => {
  const [byNumber, byDeed, anywhere] = faultsFrom(
    "EtcdMembership:2:before:kill-engine,EtcdMembership:remove-member:in:lose-answer,*:2:after:kill-engine",
  );
  assert.ok(byNumber && byDeed && anywhere);
  assert.equal(faultAt([byNumber], at, "before"), byNumber);
  assert.equal(faultAt([byNumber], at, "in"), undefined);
  assert.equal(faultAt([byNumber], { ...at, number: 1 }, "before"), undefined);
  assert.equal(faultAt([byDeed], at, "in"), byDeed);
  assert.equal(faultAt([byDeed], { ...at, resource: "MasterConfig" }, "in"), undefined);
  assert.equal(faultAt([anywhere], { ...at, resource: "MasterConfig" }, "after"), anywhere);
});

test("nothing asked for is no fault; what is not understood is quoted", () => {
  assert.deepEqual(faultsFrom(""), []);
  for (const wrong of [
    "EtcdMembership:1:in",
    "EtcdMembership:1:during:kill-engine",
    "EtcdMembership:1:in:explode",
    ":1:in:kill-engine",
    "EtcdMembership::in:kill-engine",
    "EtcdMembership:1:before:lose-answer",
    "EtcdMembership:1:in:kill-engine:more",
  ])
    assert.throws(() => faultsFrom(wrong), { name: "Refusal", message: new RegExp(`"${wrong}" is not`) });
});
