/** `kill -9` of pulumi in the middle of the etcd removal, and again in the middle of the rolling restart: the same end state, one removal. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { reset } from "../../lab/lab.ts";
import { files } from "../../lab/stack.ts";
import { TestStack, etcdctl, on } from "./stack.ts";

let stack: TestStack;
let ids: string[];
const idsOn = async (host: string) =>
  (await etcdctl(host, "member list")).output
    .trim()
    .split("\n")
    .map((line) => line.split(",")[0] ?? "")
    .sort();

before(async () => {
  await reset({ masters: 4, grace: 5 });
  stack = await TestStack.create("interrupted");
  const adopted = await stack.up();
  assert.equal(adopted.code, 0, adopted.output.slice(-4000));
  ids = await idsOn("master-0");
  stack.drop("master-3");
});

/** `up`, killed as soon as this is printed; then `pulumi cancel`, as the administrator does. */
async function killedAt(mark: RegExp): Promise<void> {
  let killed = false;
  const ran = await stack.watchedUp((output: string, child: ChildProcess) => {
    if (killed || !mark.test(output)) return;
    killed = true;
    child.kill("SIGKILL");
  });
  assert.ok(killed, `never saw ${mark.source}:\n${ran.output.slice(-4000)}`);
  const cancelled = await stack.pulumi("cancel", "--yes", "--stack", stack.name);
  assert.equal(cancelled.code, 0, cancelled.output);
}

test("killed as the removal of the member begins, and run again at once: killed in the rolling restart", async () => {
  await killedAt(/\[EtcdMembership\] \d+\/\d+ \S+ remove etcd member/);
  await killedAt(/\[MasterConfig\] {6}master-1\.example\.com: master-restart api/);
  assert.equal((await idsOn("master-0")).length, 3);
});

test("a plain `pulumi up` ends in the same state", async () => {
  const ran = await stack.up();
  assert.equal(ran.code, 0, ran.output.slice(-6000));
  assert.match((await stack.up()).output, /16 unchanged/);
});

test("one member was removed, and the others are who they were", async () => {
  const left = await idsOn("master-0");
  assert.equal(left.length, 3);
  assert.ok(left.every((id) => ids.includes(id)));
  for (const host of ["master-0", "master-1", "master-2"])
    assert.match((await etcdctl(host, "endpoint health")).output, /is healthy/);
});

test("the end state is that of an undisturbed run", async () => {
  for (const host of ["master-0", "master-1", "master-2"]) {
    const { output } = await on(
      host,
      "cat /etc/etcd/etcd.conf /etc/origin/master/master-config.yaml /etc/origin/master/master.env /etc/sysconfig/flanneld; tr '\\0' ' ' </proc/$(pidof kube-apiserver)/cmdline",
    );
    assert.doesNotMatch(output, /master-3|192\.168\.55\.21/, host);
    assert.match(output, /--apiserver-count=3/);
  }
  for (const balancer of ["lb-0", "lb-1"]) {
    const { output } = await on(
      balancer,
      "cat /etc/haproxy/haproxy.cfg; echo show stat | socat stdio /var/lib/haproxy/stats | grep ^atomic-openshift-api,master | cut -d, -f2,18",
    );
    assert.doesNotMatch(output, /master3|disabled/);
    assert.match(output, /master0,UP\nmaster1,UP\nmaster2,UP\n$/);
  }
  assert.doesNotMatch(readFileSync(files.inventory, "utf8"), /master-3/);
  assert.equal((await on("master-0", "oc get nodes -o name | wc -l")).output, "3\n");
  const retired = (
    await on("master-3", "ls /etc/origin/node/pods; systemctl is-active origin-node; pidof etcd kube-apiserver")
  ).output;
  assert.equal(retired, "disabled\ninactive\n");
});

test("no lock is left behind", async () => {
  for (const host of ["master-0", "master-1", "master-2"])
    assert.equal((await on(host, "flock -n /run/lock/openshift-masters.lock echo free")).output, "free\n");
});
