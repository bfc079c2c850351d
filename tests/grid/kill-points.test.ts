/**
 * `npm run test:all`: pulumi is killed with -9 before, in and after every step of every resource of the chain, in one decommission in which each run goes on where the
 * one before it died; then a plain `up`. (The backups are one step each; their runs are killed at the first.)
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { reset } from "../../lab/lab.ts";
import { TestStack, etcdctl, on } from "../lab/stack.ts";

const phases = ["before", "in", "after"] as const;
/** Backups are taken anew by every run that has something to do: they are killed once in each phase. */
const once = ["MasterBackup", "EtcdSnapshot"];
const resources = [
  "LoadBalancerPool",
  "NodeDrain",
  "StaticPods",
  "EtcdMembership",
  "MasterConfig",
  "FlannelNetwork",
  "ServiceEndpoints",
  "NodeRemoval",
  "AnsibleInventory",
];
let stack: TestStack;

before(async () => {
  await reset({ masters: 4, grace: 5 });
  stack = await TestStack.create("grid");
  const adopted = await stack.up();
  assert.equal(adopted.code, 0, adopted.output.slice(-4000));
  stack.drop("master-3");
});

for (const resource of once)
  for (const phase of phases)
    test(`killed ${phase} the first step of ${resource}`, async () => {
      await stack.killedBy([`${resource}:1:${phase}:kill-engine`]);
    });

test("killed before, in and after every other step, one run after the other; the last run ends by itself", async () => {
  const met: string[] = [];
  for (let n = 0; ; n += 1) {
    assert.ok(n < 250, "it goes on for ever");
    const phase = phases[n % phases.length] ?? "in";
    const ran = await stack.upMeeting(resources.map((resource) => `${resource}:1:${phase}:kill-engine`));
    const [, point] = /fault: kill-engine (.*)/.exec(ran.output) ?? [];
    if (point === undefined) {
      assert.equal(ran.code, 0, ran.output.slice(-6000));
      // of three runs in a row, one in each phase, none met a step: there is none left
      if (met.slice(-2).every((one) => one === "nothing")) break;
    } else {
      assert.equal(ran.code, -1, ran.output.slice(-3000));
      await stack.cancel();
    }
    met.push(point ?? "nothing");
    console.log(`${met.length}. ${point ?? "nothing"}: ${ran.took.toFixed(0)} s`);
    const members = (await etcdctl("master-0", "member list")).output.trim().split("\n").length;
    assert.ok(members === 3 || members === 4, `${members} members`);
  }
  const kills = met.filter((one) => one !== "nothing");
  console.log(`${kills.length} kills, every one resumed by a plain up`);
  for (const does of ["balance", "drain", "disable-manifest", "remove-member", "restart-master", "restart-flannel"])
    for (const phase of phases)
      assert.ok(
        kills.some((one) => one.startsWith(phase) && one.includes(`(${does})`)),
        `${does} was not killed ${phase}`,
      );
});

test("the end state is that of an undisturbed run, and another up has nothing to do", async () => {
  assert.match((await stack.up()).output, /16 unchanged/);
  assert.equal((await etcdctl("master-0", "member list")).output.trim().split("\n").length, 3);
  assert.equal((await on("master-0", "oc get nodes -o name | wc -l")).output, "3\n");
  for (const balancer of ["lb-0", "lb-1"])
    assert.doesNotMatch((await on(balancer, "cat /etc/haproxy/haproxy.cfg")).output, /master3|disabled/);
  for (const host of ["master-0", "master-1", "master-2"])
    assert.match((await on(host, "tr '\\0' ' ' </proc/$(pidof kube-apiserver)/cmdline")).output, /--apiserver-count=3/);
});
