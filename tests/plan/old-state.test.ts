/** A state that is older than the retirement of master-3: it lists four, of which three are declared. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterPlanners, planStaticPods } from "../../providers/plan/plans.ts";
import { judge } from "../../providers/plan/preflight.ts";
import type { World } from "../../providers/plan/steps.ts";
import { changeOf, fileOf, healthy, inventoryText, master, mastersOf, unreachable } from "./world.ts";

const m3 = master(3);
const four = mastersOf(4);
const change = changeOf(4, [3]);
const host = healthy(4).masters[m3] ?? assert.fail();
/** Nothing names it any more; what is on the host itself is off, and it answers. */
const retired: World = {
  ...healthy(3),
  masters: {
    ...healthy(3).masters,
    [m3]: {
      ...host,
      pods: [],
      disabledPods: ["apiserver.yaml", "controller.yaml", "etcd.yaml"],
      listeners: [],
      nodeService: undefined,
      etcd: undefined,
      etcdSeen: "nothing listens on port 2379",
    },
  },
};
const named: World = { ...retired, inventory: fileOf("/srv/stack/hosts", inventoryText(4)) };

describe("it was retired since", () => {
  it("and answers: nothing is refused, and nothing is left to do", () => {
    assert.deepEqual(judge(retired, change, four).refusals, []);
    assert.deepEqual(
      [...clusterPlanners(change), planStaticPods].flatMap((plan) => plan(retired, change)),
      [],
    );
  });
  it("and does not answer: told, for nothing names it", () => {
    const { refusals, passing, notes } = judge(unreachable(retired, m3), change, four);
    assert.deepEqual([refusals, passing], [[], []]);
    assert.ok(
      notes.includes(
        `${m3} leaves, cannot be reached (${m3}: Timed out while waiting for handshake), and nothing in the cluster names it any more: it was retired already, as a state that is older than that cannot know`,
      ),
      notes.join("\n"),
    );
  });
  it("but something still names it, and it does not answer: refused until that is acknowledged", () => {
    const { refusals } = judge(unreachable(named, m3), change, four);
    assert.match(
      refusals.join(),
      /^master-3\.example\.com leaves and cannot be reached .*`host-gone:master-3\.example\.com`/,
    );
    assert.equal(refusals.length, 1);
    const acknowledged = changeOf(4, [3], [`host-gone:${m3}`]);
    assert.deepEqual(judge(unreachable(named, m3), acknowledged, four).refusals, []);
  });
  it("and the configuration is as old, and declares it: refused, with what to do", () => {
    const { refusals } = judge(retired, changeOf(4, []), four);
    assert.ok(
      refusals.includes(
        `${m3} is declared and is not a member of etcd: scale up with openshift-ansible first, then \`pulumi up\` adopts it; or, as its API's manifest is in disabled/ like that of a retired master, delete its line`,
      ),
      refusals.join("\n"),
    );
  });
});
