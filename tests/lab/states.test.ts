/**
 * Three operators with a state each. Then: the state is lost, or last week's: a decommission is killed right after the etcd removal and the state's folder is deleted, and three masters are declared anew. Preview
 * says what is half done and with which address, `up` finishes it; then last week's state, which lists four, finds nothing to do. A whole undeclared master is refused.
 */
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { workFolder } from "../../lab/cluster.ts";
import { reset } from "../../lab/lab.ts";
import { files } from "../../lab/stack.ts";
import { secondOperatorTests } from "./second-operator.ts";
import { type Ran, TestStack, etcdctl, fingerprint, idsOn, on } from "./stack.ts";

const survivors = ["master-0", "master-1", "master-2"];
const [name, address] = ["master-3.example.com", "192.168.55.21"];
const succeeded = (ran: Ran) => assert.equal(ran.code, 0, ran.output.slice(-6000));
const state = join(workFolder, "state-lost");
const lastWeek = `${state}-last-week`;
let stack: TestStack;
let ids: string[];

/** Everything is gone but the hosts; three masters are declared. */
async function withoutState(): Promise<TestStack> {
  const anew = await TestStack.create("lost");
  return anew.drop("master-3");
}
const pools = async (balancer: string): Promise<string> =>
  (await on(balancer, "grep -E '^ *server +master' /etc/haproxy/haproxy.cfg")).output;

before(() => reset({ masters: 4, grace: 5 }));

describe("three operators", secondOperatorTests);

describe("the state is lost, or old", () => {
  before(async () => {
    stack = await TestStack.create("lost");
    succeeded(await stack.up());
    rmSync(lastWeek, { recursive: true, force: true });
    cpSync(state, lastWeek, { recursive: true });
    ids = await idsOn("master-0");
  });

  test("a whole master that nobody declares is refused, with the line to declare it by, and nothing is touched", async () => {
    const fresh = await withoutState();
    const [host, balancer] = [await fingerprint("master-3"), await pools("lb-0")];
    const refused = await fresh.up();
    assert.notEqual(refused.code, 0);
    const told = refused.output.replace(/\s+/g, " ");
    assert.match(
      told,
      /refused, nothing was touched: master-3\.example\.com \(192\.168\.55\.21\) is not declared and is a master/,
    );
    assert.ok(told.includes(`\`${name}: { address: ${address} }\` below openshift-masters:masters`), told.slice(-3000));
    assert.doesNotMatch(told, /half retired|remove etcd member/);
    assert.deepEqual(await idsOn("master-0"), ids);
    assert.equal(await pools("lb-0"), balancer);
    assert.deepEqual(await fingerprint("master-3"), host);
  });

  test("killed right after the etcd removal, and the state is deleted: preview says what is half done, and where the host is", async () => {
    rmSync(state, { recursive: true });
    cpSync(lastWeek, state, { recursive: true });
    // the second `create` wrote the configuration without the fourth line: the state still lists it
    await stack.killedBy("EtcdMembership:remove-member:after:kill-engine");
    assert.equal((await idsOn("master-0")).length, 3);
    stack = await withoutState();
    const seen = await stack.preview();
    succeeded(seen);
    const told = seen.output.replace(/\s+/g, " ");
    assert.match(
      told,
      /note: master-3\.example\.com \(192\.168\.55\.21\) is not declared and is half retired: gone from etcd, /,
    );
    assert.match(
      told,
      /the pool of lb-0\.example\.com \(\/etc\/haproxy\/haproxy\.cfg\.before-\S+ still has its line\)/,
    );
    assert.match(told, /still in the Nodes, the inventory's \[masters\], \[etcd\], etcdClientInfo\.urls of master-0/);
    assert.match(told, /\[NodeRemoval\].*delete the Node master-3\.example\.com/);
    assert.doesNotMatch(told, /etcdctl member remove/);
  });

  test("up finishes it, remembers it as retired, and then has nothing to do", async () => {
    succeeded(await stack.up());
    const { retired } = (await stack.outputs()) as { retired: Record<string, { steps: { step: string }[] }> };
    assert.deepEqual(Object.keys(retired), [name]);
    assert.ok(retired[name]?.steps.some(({ step }) => step.startsWith("NodeRemoval: delete the Node")));
    assert.match((await stack.up()).output, /17 unchanged/);
  });

  test("the end state is that of an undisturbed run", async () => {
    for (const host of survivors) {
      const { output } = await on(
        host,
        "cat /etc/etcd/etcd.conf /etc/origin/master/master-config.yaml /etc/origin/master/master.env /etc/sysconfig/flanneld; tr '\\0' ' ' </proc/$(pidof kube-apiserver)/cmdline",
      );
      assert.doesNotMatch(output, /master-3|192\.168\.55\.21[^0-9]/, host);
      assert.match(output, /--apiserver-count=3/);
      assert.match((await etcdctl(host, "endpoint health")).output, /is healthy/);
    }
    for (const balancer of ["lb-0", "lb-1"]) assert.doesNotMatch(await pools(balancer), /master3|disabled/);
    const left = await idsOn("master-0");
    assert.equal(left.length, 3);
    assert.ok(left.every((id) => ids.includes(id)));
    assert.doesNotMatch(readFileSync(files.inventory, "utf8"), /master-3/);
    assert.equal((await on("master-0", "oc get nodes -o name | wc -l")).output, "3\n");
    const host = await on(
      "master-3",
      "ls /etc/origin/node/pods; systemctl is-active origin-node; pidof etcd kube-apiserver",
    );
    assert.equal(host.output, "disabled\ninactive\n");
  });

  test("last week's state, which lists four: up takes a backup, changes nothing else, and has nothing to do afterwards", async () => {
    rmSync(state, { recursive: true });
    cpSync(lastWeek, state, { recursive: true });
    const texts = () =>
      Promise.all(
        [...survivors, "lb-0", "lb-1"].map(
          async (host) =>
            (
              await on(
                host,
                "cat /etc/etcd/etcd.conf /etc/origin/master/master-config.yaml /etc/haproxy/haproxy.cfg 2>&1",
              )
            ).output,
        ),
      );
    const was = await texts();
    const ran = await stack.up();
    succeeded(ran);
    assert.doesNotMatch(
      ran.output,
      /remove etcd member|\[NodeRemoval\].*delete the Node|master-restart|systemctl reload haproxy/,
    );
    assert.deepEqual(await texts(), was);
    assert.match((await stack.up()).output, /17 unchanged/);
    rmSync(lastWeek, { recursive: true });
  });
});
