/** `npm run test:all`: pulumi is killed with -9 at the first step of every resource of the chain in turn, in one decommission; then a plain `up`. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { reset } from "../../lab/lab.ts";
import { TestStack, etcdctl, on } from "../lab/stack.ts";

const resources = [
  "MasterBackup",
  "EtcdSnapshot",
  "LoadBalancerPool lb-0.example.com",
  "LoadBalancerPool lb-1.example.com",
  "NodeDrain",
  "StaticPods",
  "EtcdMembership",
  "MasterConfig",
  "FlannelNetwork",
  "NodeRemoval",
  "AnsibleInventory",
  "RetirementReport",
];
let stack: TestStack;

before(async () => {
  await reset({ masters: 4, grace: 5 });
  stack = await TestStack.create("grid");
  const adopted = await stack.up();
  assert.equal(adopted.code, 0, adopted.output.slice(-4000));
  stack.drop("master-3");
});

for (const resource of resources)
  test(`killed as ${resource} begins its first step`, async () => {
    await stack.killedAt(`[${resource}] 1/`);
  });

test("a plain up ends it, and another has nothing to do", async () => {
  const ran = await stack.up();
  assert.equal(ran.code, 0, ran.output.slice(-6000));
  assert.match((await stack.up()).output, /17 unchanged/);
  assert.equal((await etcdctl("master-0", "member list")).output.trim().split("\n").length, 3);
  assert.equal((await on("master-0", "oc get nodes -o name | wc -l")).output, "3\n");
  for (const balancer of ["lb-0", "lb-1"])
    assert.doesNotMatch((await on(balancer, "cat /etc/haproxy/haproxy.cfg")).output, /master3|disabled/);
  for (const host of ["master-0", "master-1", "master-2"])
    assert.match((await on(host, "tr '\\0' ' ' </proc/$(pidof kube-apiserver)/cmdline")).output, /--apiserver-count=3/);
});
