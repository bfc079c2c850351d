/**
 * A drain as it is carried out, on hosts that are played: the cluster is a list of pods, and oc does with them what kubectl 1.24 does. The clock is played too.
 * The lab's tests have the real cluster; the script itself is run in tests/plan/drain-script.test.ts.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { balancerFacts, clusterFacts, masterFacts } from "../../providers/plan/facts.ts";
import { planBalancer, planDrain, planNodeRemoval, rememberedLines } from "../../providers/plan/plans.ts";
import type { Change, Step, World } from "../../providers/plan/steps.ts";
import { cordon, deleteNode } from "../../providers/remote/apply/cluster.ts";
import type { Context } from "../../providers/remote/apply/context.ts";
import { drain } from "../../providers/remote/apply/drain.ts";
import { RemoteError } from "../../providers/remote/errors.ts";
import type { RunOptions } from "../../providers/remote/remote-host.ts";
import {
  balancerParts,
  clusterParts,
  haproxyText,
  healthy,
  master,
  masterParts,
  mastersOf,
  probed,
  removal,
  withMaster,
} from "../plan/world.ts";
import { failed, inNoTime } from "./played-clock.ts";

const [lb0, lb1] = ["lb-0.example.com", "lb-1.example.com"];
const node = master(3);
const { change } = removal(4, [3]);
const pods = { web1: "demo|web-1|ReplicaSet|||Running\n", sdn: "openshift-sdn|sdn-x7k2p|DaemonSet|||Running\n" };
const timedOut = `evicting pod demo/web-1
error when evicting pods/"web-1" -n "demo" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.
There are pending pods in node "${node}" when an error occurred: error when evicting pods/"web-1" -n "demo": global timeout reached: 300s
pod/web-1
`;

/** The cluster and its load balancers, and every word that is told to them. */
class Played {
  left = pods.web1 + pods.sdn;
  cordoned = false;
  allowed = 0;
  /** `namespace|name` of further budgets. */
  budgets = ["demo|web"];
  readonly files = new Map([lb0, lb1].map((lb) => [lb, haproxyText(3, lb === lb1)]));
  readonly told: string[] = [];
  readonly said: string[] = [];
  apiReady = true;
  /** What `oc adm drain` does, given what ends its input. */
  drains: (ended: Promise<void>) => Promise<{ code: number; stdout: string }> = () => this.blocked();
  /** pulumi is gone; the lock is lost. */
  dead = false;
  /** What a load balancer does with a reload. */
  reload: (lb: string) => { code: number; stdout: string } = () => ({ code: 0, stdout: "" });

  /** Seconds pass, and nothing else. */
  async blocked(seconds = 303): Promise<{ code: number; stdout: string }> {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    return { code: 1, stdout: timedOut };
  }

  get world(): World {
    const seen = healthy(4);
    return {
      ...seen,
      masters: Object.fromEntries(Object.keys(mastersOf(4)).map((name, n) => [name, masterFacts(this.#master(n))])),
      balancers: Object.fromEntries(
        [lb0, lb1].map((lb) => [lb, balancerFacts(this.#balancer(lb), "/etc/haproxy/haproxy.cfg")]),
      ),
      cluster: clusterFacts(this.#cluster()),
      sketches: this.sketches,
    };
  }
  sketches = Object.fromEntries([lb0, lb1].map((lb) => [lb, rememberedLines(healthy(4), change, lb, {})]));

  #master(n: number): string {
    return probed({ ...masterParts(n, 4), ...(n === 3 && !this.apiReady ? { ready: "healthz/ready\n\n000\n" } : {}) });
  }
  #balancer(lb: string): string {
    const text = this.files.get(lb) ?? "";
    return probed({ ...balancerParts(lb, text.includes("master3 ") ? 4 : 3), "config:1": text });
  }
  #cluster(): string {
    const nodes = Object.keys(mastersOf(4)).map(
      (name) => `${name}|${name === node && this.cordoned ? "true" : ""}|True\n`,
    );
    return probed({ ...clusterParts(4, []), nodes: [nodes.join(""), 0], [`pods:${node}`]: [this.left, 0] });
  }
  #budgetsNow(): string {
    const rows = this.budgets.map(
      (name) => `budget|${name}|policy/v1|${this.allowed}|2|2|2|2|<no value>|selector|app=web,|\n`,
    );
    const labels = this.left.includes("web-1") ? "pod|demo|web-1||app=web,\n" : "";
    return probed({ budgets: [`${rows.join("")}end\n`, 0], [`pods:${node}`]: [`${labels}end\n`, 0] });
  }

  async run(name: string, script: string, o: RunOptions): Promise<{ code: number; stdout: string }> {
    const { what } = o;
    if (what === "asking the cluster") return { code: 0, stdout: this.#cluster() };
    if (what === "asking for the disruption budgets") return { code: 0, stdout: this.#budgetsNow() };
    if (what.startsWith("looking at")) return { code: 0, stdout: this.#balancer(name) };
    if (what.startsWith("looking for")) return { code: 0, stdout: "/etc/haproxy/haproxy.cfg" };
    this.told.push(`${name}: ${what}`);
    if (what.startsWith("draining")) {
      assert.ok(typeof o.stdin === "function", "its input must stay open");
      const alive = o.stdin();
      const ended = new Promise<void>((resolve) => alive.resume().once("end", resolve));
      return this.drains(ended);
    }
    if (/^making .* unschedulable$/.test(what)) this.cordoned = true;
    if (/^making .* schedulable again$/.test(what)) this.cordoned = false;
    if (what.startsWith("loading")) return this.reload(name);
    if (what.startsWith("replacing")) return this.#replace(name, script, o);
    return { code: 0, stdout: "" };
  }
  #replace(name: string, script: string, { stdin }: RunOptions): { code: number; stdout: string } {
    const now = createHash("sha256")
      .update(this.files.get(name) ?? "")
      .digest("hex");
    assert.ok(script.includes(now), `${name}: what is replaced is not what is there`);
    this.files.set(name, String(stdin));
    return { code: 0, stdout: "" };
  }

  context(of: Change = change): Context {
    const session = {
      run: "run",
      sketches: this.sketches,
      forget: () => undefined,
      permit: () => (this.dead ? Promise.reject(new Error("pulumi is gone")) : Promise.resolve()),
      look: (asked: Change) => Promise.resolve({ world: this.world, change: asked }),
      host: (name: string, address: string) => ({
        name,
        address,
        runBytes: () => {
          const text = this.files.get(name) ?? "";
          const hash = createHash("sha256").update(text).digest("hex");
          return Promise.resolve({ code: 0, stdout: Buffer.from(`/etc/haproxy/haproxy.cfg\0${hash}\0${text}`) });
        },
        run: async (script: string, o: RunOptions) => ({ stderr: "", took: 1, ...(await this.run(name, script, o)) }),
      }),
    };
    return { session: session as unknown as Context["session"], change: of, say: (text) => this.said.push(text) };
  }
}

type Drain = Extract<Step, { do: "drain" }>;
const configured = (blocked: "leave" | "put-back"): Change => ({
  ...change,
  settings: { ...change.settings, drain: { timeout: 300, blocked } },
});
/** As NodeDrain does it: everything that is planned, in its order. */
async function carriedOut(played: Played, of: Change): Promise<void> {
  for (const step of planDrain(played.world, of)) {
    if (step.do === "cordon") await cordon(played.context(of), step);
    if (step.do === "drain") await drain(played.context(of), step);
  }
}
const planned = (played: Played, of: Change): Drain => {
  const step = planDrain(played.world, of).find((one) => one.do === "drain");
  return step ?? assert.fail("no drain is planned");
};

let played: Played;
beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
  played = new Played();
});
afterEach(() => mock.timers.reset());

describe("a drain that comes to its end", () => {
  it("is proved: nothing that can be evicted is left, daemons' pods stay", async () => {
    played.drains = () => {
      played.left = pods.sdn;
      return Promise.resolve({ code: 0, stdout: "pod/web-1 evicted\n" });
    };
    assert.equal(await inNoTime(() => carriedOut(played, change)), undefined);
    assert.deepEqual(played.told, [`${master(0)}: making ${node} unschedulable`, `${master(0)}: draining ${node}`]);
    assert.deepEqual(planDrain(played.world, change), []);
  });
  it("waits for pods that take their time to end after oc has ended", async () => {
    played.drains = () => {
      setTimeout(() => (played.left = pods.sdn), 20_000);
      return Promise.resolve({ code: 0, stdout: "" });
    };
    assert.equal(await inNoTime(() => carriedOut(played, change)), undefined);
    assert.match(
      played.said.join("\n"),
      /nothing left to move on master-3\.example\.com: 1\d s so far, at most 60; seen: demo\/web-1/,
    );
  });
  it("says every 15 s what is still there and why, and goes on when the budget lets it", async () => {
    played.drains = async () => {
      await new Promise((resolve) => setTimeout(resolve, 40_000));
      played.left = pods.sdn;
      return { code: 0, stdout: "" };
    };
    assert.equal(await inNoTime(() => carriedOut(played, change)), undefined);
    assert.equal(played.said.length, 2);
    assert.match(
      played.said[0] ?? "",
      /^draining master-3\.example\.com: 1[5-7] s so far, at most 300; still there: demo\/web-1 \(the budget demo\/web \(minAvailable 2\) allows 0 disruptions: 2 of 2 pods are healthy, 2 have to be\)$/,
    );
  });
});

describe("a blocked drain, where everything is left", () => {
  it("names pod, budget and numbers, where the master stands, how to go on and how to go back; it writes nothing more", async () => {
    const told = await failed(() => carriedOut(played, change));
    assert.match(
      told,
      /^draining master-3\.example\.com is blocked after 30\d s; still there: demo\/web-1 \(the budget demo\/web \(minAvailable 2\) allows 0 disruptions: 2 of 2 pods are healthy, 2 have to be\); etcd was not touched, and nothing that comes later was done\.$/m,
    );
    assert.match(
      told,
      /^master-3\.example\.com stays out of the pools of lb-0\.example\.com, lb-1\.example\.com and unschedulable, as openshift-masters:drain\.blocked \(leave\) says\.$/m,
    );
    assert.match(
      told,
      /^To go on: remove what blocks and run `pulumi up` again\. To keep master-3\.example\.com: oc adm uncordon master-3\.example\.com; then put its server lines back on lb-0\.example\.com, lb-1\.example\.com .*; then put its line back into openshift-masters:masters/m,
    );
    assert.match(told, /^ {2}\| error when evicting pods\/"web-1" -n "demo" \(will retry after 5s\): Cannot evict/m);
    assert.deepEqual(played.told.slice(1), [`${master(0)}: draining ${node}`]);
  });
  it("half drained: only what is left is named", async () => {
    played.left = `${pods.web1}demo|web-2|ReplicaSet|||Running\n`;
    played.drains = () => {
      played.left = pods.web1;
      return played.blocked();
    };
    const told = await failed(() => carriedOut(played, change));
    assert.match(told, /still there: demo\/web-1 \(/);
    assert.doesNotMatch(told.split("\n")[0] ?? "", /web-2/);
  });
  it("that fails at once is not called blocked after 300 s; what oc says is escaped and bounded", async () => {
    played.budgets = ["demo|web", "demo|all"];
    played.drains = () =>
      Promise.resolve({ code: 1, stdout: `${"x\n".repeat(5000)}error: \x1b[2J${"y".repeat(5000)}\n` });
    const told = await failed(() => carriedOut(played, change));
    assert.match(
      told,
      /^draining master-3\.example\.com failed after \d s; still there: demo\/web-1 \(the budgets demo\/web and demo\/all select it, which the eviction API refuses for ever\)/,
    );
    assert.match(told, /\\x1b\[2J/);
    assert.ok(told.length < 4000, `${told.length}`);
  });
  it("a pod that is back there, or never goes, is no success", async () => {
    played.drains = () => Promise.resolve({ code: 0, stdout: "" });
    const told = await failed(() => carriedOut(played, change));
    assert.match(told, /^draining .* failed after 6\d s; still there: demo\/web-1/);
    assert.match(told, /nothing left to move on master-3\.example\.com: not so after 6\d s/);
  });
  it("a lost connection: what is known is asked anew and told", async () => {
    played.drains = () =>
      Promise.reject(
        new RemoteError({
          host: master(0),
          what: `draining ${node}`,
          outcome: "unknown",
          seen: "the connection was lost (ECONNRESET)",
        }),
      );
    const told = await failed(() => carriedOut(played, change));
    assert.match(told, /still there: demo\/web-1/);
    assert.match(told, /the connection was lost \(ECONNRESET\); how much of it was done is unknown/);
  });
  it("a lost answer: nothing is left over there, so it was done, and nobody is told to drain again", async () => {
    played.drains = () => {
      played.left = pods.sdn;
      return Promise.reject(
        new RemoteError({
          host: master(0),
          what: `draining ${node}`,
          outcome: "unknown",
          seen: "the connection was lost",
        }),
      );
    };
    assert.equal(await inNoTime(() => carriedOut(played, configured("put-back"))), undefined);
    assert.deepEqual(played.told, [`${master(0)}: making ${node} unschedulable`, `${master(0)}: draining ${node}`]);
    assert.match(played.said.join("\n"), /the answer to the drain was lost .*; asking what is left on master-3/);
  });
  it("pulumi is gone: the drain is ended by the end of its input, and nothing else is done", async () => {
    let endedAfter = 0;
    const began = Date.now();
    played.drains = async (ended) => {
      setTimeout(() => (played.dead = true), 5000);
      await ended;
      endedAfter = Date.now() - began;
      return { code: 143, stdout: "" };
    };
    const step = planned(played, configured("put-back"));
    assert.equal(await failed(() => drain(played.context(configured("put-back")), step)), "pulumi is gone");
    assert.ok(endedAfter > 4000 && endedAfter < 10_000, `${endedAfter}`);
    assert.deepEqual(played.told, [`${master(0)}: draining ${node}`]);
  });
});

describe("a blocked drain, where what was taken is put back", () => {
  const of = configured("put-back");

  it("schedulable again, and the very lines back in every pool, proved; then the next run takes them out again", async () => {
    const told = await failed(() => carriedOut(played, of));
    assert.deepEqual(
      [...played.files],
      [lb0, lb1].map((lb) => [lb, haproxyText(4, lb === lb1)]),
    );
    assert.equal(played.cordoned, false);
    assert.match(told, /^draining .* is blocked after 30\d s; still there: demo\/web-1 .*etcd was not touched/);
    assert.match(told, /^master-3\.example\.com is schedulable again\.$/m);
    for (const lb of [lb0, lb1])
      assert.match(told, new RegExp(`^${lb}: ${node} is back in its pools, proved UP\\.$`, "m"));
    assert.deepEqual(
      played.told.filter((one) => /(?:loading|schedulable again)/.test(one)),
      [
        `${master(0)}: making ${node} schedulable again`,
        ...[lb0, lb1].map((lb) => `${lb}: loading and proving haproxy`),
      ],
    );
    const next = [
      ...[lb0, lb1].flatMap((lb) => planBalancer(lb, played.sketches[lb])(played.world, of)),
      ...planDrain(played.world, of),
    ];
    assert.deepEqual(
      next.map((step) => step.do),
      ["balance", "balance", "cordon", "drain"],
    );
  });
  it("everything that is written was named by the plan", async () => {
    const named = (planned(played, of).commands ?? []).join("\n");
    await failed(() => carriedOut(played, of));
    for (const lb of [lb0, lb1])
      assert.match(
        named,
        new RegExp(`${lb}: put master3 \\(backend atomic-openshift-api\\) .*systemctl reload haproxy`),
      );
    assert.match(named, /oc adm uncordon/);
  });
  it("a Node that was unschedulable before this run stays so, and that is said", async () => {
    played.cordoned = true;
    const told = await failed(() => carriedOut(played, of));
    assert.equal(played.cordoned, true);
    assert.match(told, /^master-3\.example\.com stays unschedulable, as it was before this run/m);
  });
  it("one load balancer that cannot: the other is put back all the same, and which is which is said", async () => {
    played.reload = (lb) =>
      lb === lb0 ? { code: 89, stdout: "atomic-openshift-api/master3 is DOWN" } : { code: 0, stdout: "" };
    const told = await failed(() => carriedOut(played, of));
    assert.match(told, /^lb-0\.example\.com: NOT put back: /m);
    assert.match(told, /atomic-openshift-api\/master3 is DOWN/);
    assert.equal(played.files.get(lb0), haproxyText(3, false));
    assert.match(told, /To keep master-3\.example\.com: put back by hand what is not back, then put the line back/);
    assert.match(told, /^lb-1\.example\.com: master-3\.example\.com is back in its pools, proved UP\.$/m);
  });
  it("where nothing is remembered nothing is written, and that is said", async () => {
    played.sketches = { ...played.sketches, [lb0]: {} };
    const told = await failed(() => carriedOut(played, of));
    assert.equal(played.files.get(lb0), haproxyText(3, false));
    assert.match(
      told,
      /^lb-0\.example\.com: master-3\.example\.com is NOT put back: where its lines stood is not remembered\. It stays out of its pools; put its lines back by hand\.$/m,
    );
  });
  it("a master whose API does not answer is not put back", async () => {
    played.apiReady = false;
    const told = await failed(() => carriedOut(played, of));
    assert.deepEqual(
      [...played.files],
      [lb0, lb1].map((lb) => [lb, haproxyText(3, lb === lb1)]),
    );
    assert.match(told, /is NOT put back: its API is not ready \(\/healthz\/ready: HTTP no answer\)/);
  });
  it("pulumi dies while it puts back: nothing more is written, and none of it is told as done", async () => {
    played.reload = () => {
      played.dead = true;
      return { code: 0, stdout: "" };
    };
    const told = await failed(() => carriedOut(played, of));
    assert.equal(played.files.get(lb1), haproxyText(3, true));
    assert.match(told, /^lb-1\.example\.com: NOT put back: pulumi is gone/m);
  });
});

describe("a Node is deleted only after its member is gone", () => {
  const step = planNodeRemoval(healthy(4, [node]), change).find((one) => one.do === "delete-node") ?? assert.fail();
  const context = (so: World): Context => {
    const { session, ...rest } = played.context();
    return { ...rest, session: Object.assign(session, { look: () => Promise.resolve({ world: so, change }) }) };
  };
  it("refused while etcd has it", async () => {
    assert.match(
      await failed(() => deleteNode(context(played.world), step)),
      /^the Node master-3\.example\.com is not deleted: master-0\.example\.com says that it is still the etcd member ed4f0efd277d7599; run/,
    );
    assert.deepEqual(played.told, []);
  });
  it("and while nobody can say whether", async () => {
    const silent = [0, 1, 2].reduce(
      (so, n) => withMaster(so, master(n), { etcd: undefined, etcdSeen: "no answer" }),
      played.world,
    );
    assert.match(await failed(() => deleteNode(context(silent), step)), /no master that stays could say/);
    assert.deepEqual(played.told, []);
  });
});
