/**
 * `npm run test:all`: pulumi is killed with -9 in and after the first step that is left, over and over, until a run is left alone: every step of one decommission,
 * each with its predecessors done (after one step is before the next). Then the end state is that of an undisturbed run.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { reset } from "../../lab/lab.ts";
import { startWriter, writtenInWords } from "../../lab/writer.ts";
import { TestStack, etcdctl, eventually, idsOn, metIn, on } from "../lab/stack.ts";

/** Runs that may be killed, at most: two for each of about forty steps. */
const most = 90;
/** These begin anew in every run that was not ended (a backup is as new as the run): each of their steps has its turn by its number, once. */
const anew = ["MasterBackup:1", "MasterBackup:4", "EtcdSnapshot:snapshot"];
const others = [
  "CertificateAuthority",
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
/** The faults of the n-th run. */
function* plans(): Generator<string[]> {
  for (const point of anew) for (const phase of ["in", "after"]) yield [`${point}:${phase}:kill-engine`];
  for (;;) for (const phase of ["in", "after"]) yield others.map((one) => `${one}:1:${phase}:kill-engine`);
}
let stack: TestStack;

before(async () => {
  await reset({ masters: 4, grace: 5 });
  stack = await TestStack.create("grid");
  const adopted = await stack.up();
  assert.equal(adopted.code, 0, adopted.output.slice(-4000));
  stack.drop("master-3");
});

test("killed in and after every step, the decommission ends; etcd loses no member twice and no acknowledged write", async () => {
  const ids = await idsOn("master-0");
  const writer = startWriter(["192.168.55.8", "192.168.55.12", "192.168.55.13"], 2, 100);
  const points: string[] = [];
  for (const faults of plans()) {
    assert.ok(points.length < most, `killed ${most} times and not at the end: ${points.slice(-5).join("; ")}`);
    const ran = await stack.withFaults(faults, () => stack.up());
    const met = metIn(ran);
    points.push(...met);
    assert.ok((await idsOn("master-0")).length >= 3, "no member but the leaving one goes");
    if (met.length === 0) {
      assert.equal(ran.code, 0, ran.output.slice(-6000));
      break;
    }
    await stack.cancel();
    console.log(`${met.join()}: ${ran.took.toFixed(0)} s`);
  }
  const written = await writer.stop("192.168.55.12");
  console.log(`killed ${points.length} times; ${writtenInWords(written)}`);
  assert.deepEqual(written.lost, []);
  const left = await idsOn("master-0");
  assert.equal(left.length, 3);
  assert.ok(left.every((id) => ids.includes(id)));
  for (const wanted of ["snapshot", "drain", "disable-manifest", "remove-member", "restart-master", "delete-node"])
    assert.ok(
      points.some((point) => point.endsWith(`(${wanted})`)),
      `${wanted} among ${points.join("; ")}`,
    );
});

test("the end state is that of an undisturbed run, and up has nothing to do", async () => {
  assert.match((await stack.up()).output, /17 unchanged/);
  assert.equal((await on("master-0", "oc get nodes -o name | wc -l")).output, "3\n");
  for (const balancer of ["lb-0", "lb-1"])
    assert.doesNotMatch((await on(balancer, "cat /etc/haproxy/haproxy.cfg")).output, /master3|disabled/);
  for (const host of ["master-0", "master-1", "master-2"])
    assert.match((await on(host, "tr '\\0' ' ' </proc/$(pidof kube-apiserver)/cmdline")).output, /--apiserver-count=3/);
  await eventually("every survivor is healthy", 30, async () => {
    const { output } = await etcdctl("master-0", "endpoint health --cluster 2>&1");
    return (output.match(/is healthy/g) ?? []).length === 3 ? undefined : output;
  });
});
