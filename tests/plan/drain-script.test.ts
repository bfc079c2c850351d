/**
 * The drain and the questions about budgets as shell, by the real sh: with a fake oc, and with the lab's kubectl 1.24 against an API that is played where that
 * is built.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type BudgetFacts, budgetFacts, budgetProbe, selects } from "../../providers/plan/budgets.ts";
import { evictScript } from "../../providers/plan/drain-script.ts";
import { PlayedHost, real, shells } from "./played-host.ts";

const node = "master-3.example.com";
let host: PlayedHost;
beforeEach(() => (host = new PlayedHost(["touch"])));
afterEach(() => host.remove());

/** Runs a script as the transport does, with a standard input that stays open until somebody ends it. */
function begin(
  script: string,
  shell: string,
  stdin: "pipe" | Readable = "pipe",
): { child: ChildProcess; ended: Promise<{ code: number | null; stdout: string }> } {
  const child = spawn(real(shell) ?? shell, ["-c", script], {
    argv0: "sh",
    env: { PATH: host.at("bin"), LC_ALL: "C", HERE: host.folder },
    stdio: [stdin, "pipe", "pipe"],
    timeout: 30_000,
  });
  let stdout = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const ended = new Promise<{ code: number | null; stdout: string }>((resolve) =>
    // `close` comes when nobody holds the output any more: that is when sshd says that it is over
    child.once("close", (code) => resolve({ code, stdout })),
  );
  return { child, ended };
}
const until = async (so: () => boolean): Promise<void> => {
  for (let tries = 0; !so(); tries++) {
    assert.ok(tries < 500, "it did not come to that");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

for (const shell of shells)
  describe(`a drain under ${shell}`, () => {
    const script = evictScript(node, ["--ignore-daemonsets", "--force"], 300);

    it("is oc's, with what was ordered, as system:admin, writing nothing", async () => {
      host.fake("oc", 'echo "$KUBECONFIG $HOME $*"; echo "pod/web-1 evicted" >&2');
      const { code, stdout } = await begin(script, shell).ended;
      assert.equal(code, 0);
      assert.equal(
        stdout,
        `/etc/origin/master/admin.kubeconfig /proc/self adm drain ${node} --ignore-daemonsets --force --timeout=300s\npod/web-1 evicted\n`,
      );
    });
    it("ends as oc ends, though nobody ends our input", async () => {
      host.fake("oc", 'echo "error: unable to drain node" >&2; exit 1');
      assert.deepEqual(await begin(script, shell).ended, { code: 1, stdout: "error: unable to drain node\n" });
    });
    it("ends when nobody is there any more who wanted it", async () => {
      host.fake("oc", 'echo $$ >"$HERE/pid"; exec sleep 60');
      const { child, ended } = begin(script, shell);
      await until(() => host.read("pid") !== "");
      const pid = Number(host.read("pid"));
      process.kill(pid, 0);
      child.stdin?.end();
      assert.equal((await ended).code, 143);
      assert.throws(() => process.kill(pid, 0), /ESRCH/);
    });
    it("leaves nobody behind who waits for our input", async () => {
      host.fake("oc", "sleep 0.2");
      // an input that is open until long after
      const sleeper = spawn("sleep", ["60"], { stdio: ["ignore", "pipe", "ignore"] });
      const { ended } = begin(script, shell, sleeper.stdout);
      await until(() => processes().length > 1);
      await ended;
      await until(() => processes().length === 0);
      sleeper.kill();
    });
    it("a name that is none is a word all the same", async () => {
      host.fake("oc", 'echo "$3"');
      const { stdout } = await begin(evictScript('m\'; touch "$HERE/hacked"', [], 10), shell).ended;
      assert.equal(stdout, 'm\'; touch "$HERE/hacked"\n');
      assert.equal(existsSync(host.at("hacked")), false);
    });
  });

/** Whatever was started on the played host and still runs. */
const processes = (): string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(join("/proc", pid, "environ"), "utf8").includes(`HERE=${host.folder}\0`);
    } catch {
      return false;
    }
  });

const kubectl = join(homedir(), ".cache/openshift-masters/kubernetes-1.24.17/kubectl");
describe("the lab's kubectl", { skip: existsSync(kubectl) ? false : "the lab is not built" }, () => {
  let api: Server;
  /** Evictions that the budget allows; pods that are left. */
  let allowed = 0;
  let left: string[] = [];
  const podOf = (name: string) => ({
    metadata: {
      name,
      namespace: "demo",
      uid: name,
      labels: { app: "web", note: "a" },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "r", controller: true }],
    },
    spec: { nodeName: node, containers: [{ name: "c", image: "x" }] },
    status: { phase: "Running" },
  });
  const budgetOf = (name: string, selector: object | undefined, status?: object) => ({
    metadata: { name, namespace: "demo" },
    spec: { minAvailable: 2, ...(selector && { selector }) },
    ...(status && { status }),
  });
  const budgets = () => [
    budgetOf(
      "web",
      { matchLabels: { app: "web" } },
      { currentHealthy: 2, desiredHealthy: 2, disruptionsAllowed: allowed, expectedPods: 2 },
    ),
    budgetOf("odd", {
      matchExpressions: [
        { key: "app", operator: "In", values: ["a|b\nc;,:= +%", "end"] },
        { key: "x", operator: "DoesNotExist" },
      ],
    }),
    budgetOf("all", {}, { currentHealthy: 2, desiredHealthy: 1, disruptionsAllowed: 1, expectedPods: 2 }),
    budgetOf("none", undefined),
  ];
  const resources = (groupVersion: string, ...found: object[]) => ({
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion,
    resources: found,
  });
  const status = (code: number, message: string, reason: string) => ({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: code < 300 ? "Success" : "Failure",
    message,
    reason,
    code,
  });
  const list = (apiVersion: string, kind: string, items: object[]) => ({
    apiVersion,
    kind: `${kind}List`,
    metadata: {},
    items,
  });

  function answer(method: string, path: string): [code: number, body: object] {
    const [, evicted] = /\/pods\/([^/]+)\/eviction$/.exec(path) ?? [];
    if (evicted !== undefined) {
      if (allowed === 0)
        return [
          429,
          status(429, "Cannot evict pod as it would violate the pod's disruption budget.", "TooManyRequests"),
        ];
      allowed -= 1;
      left = left.filter((one) => one !== evicted);
      return [201, status(201, "", "")];
    }
    const [, asked] = /\/namespaces\/demo\/pods\/([^/]+)$/.exec(path) ?? [];
    if (asked !== undefined && left.includes(asked)) return [200, { apiVersion: "v1", kind: "Pod", ...podOf(asked) }];
    const version = { groupVersion: "policy/v1", version: "v1" };
    const answers: Record<string, object> = {
      "/api": { kind: "APIVersions", versions: ["v1"] },
      "/apis": {
        kind: "APIGroupList",
        apiVersion: "v1",
        groups: [{ name: "policy", versions: [version], preferredVersion: version }],
      },
      "/api/v1": resources(
        "v1",
        { name: "pods", singularName: "", namespaced: true, kind: "Pod", verbs: ["get", "list", "delete"] },
        {
          name: "pods/eviction",
          singularName: "",
          namespaced: true,
          group: "policy",
          version: "v1",
          kind: "Eviction",
          verbs: ["create"],
        },
        { name: "nodes", singularName: "", namespaced: false, kind: "Node", verbs: ["get", "list", "patch"] },
      ),
      "/apis/policy/v1": resources("policy/v1", {
        name: "poddisruptionbudgets",
        singularName: "",
        namespaced: true,
        kind: "PodDisruptionBudget",
        verbs: ["get", "list"],
      }),
      [`/api/v1/nodes/${node}`]: {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: node },
        spec: { unschedulable: true },
      },
      "/api/v1/pods": list("v1", "Pod", left.map(podOf)),
      "/apis/policy/v1/poddisruptionbudgets": list("policy/v1", "PodDisruptionBudget", budgets()),
    };
    return path in answers && (method === "GET" || method === "PATCH")
      ? [200, answers[path] ?? {}]
      : [404, status(404, `${path} not found`, "NotFound")];
  }

  beforeEach(async () => {
    [allowed, left] = [0, ["web-0", "web-1"]];
    api = createServer((request, response) => {
      request.resume().once("end", () => {
        const [code, body] = answer(request.method ?? "", new URL(request.url ?? "", "http://x").pathname);
        response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => void api.listen(0, "127.0.0.1", resolve));
    const { port } = api.address() as AddressInfo;
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}` } }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      users: [{ name: "u", user: {} }],
      "current-context": "c",
    };
    host.file("kubeconfig", JSON.stringify(config));
    host.fake("oc", `[ "$1" != adm ] || shift; KUBECONFIG="$HERE/kubeconfig" exec ${kubectl} "$@"`);
  });
  afterEach(() => new Promise((resolve) => api.close(resolve)));

  const read = (stdout: string): BudgetFacts => {
    const found = budgetFacts(stdout, [node]);
    return "unknown" in found ? assert.fail(found.unknown) : found;
  };

  it("answers what is asked about budgets and labels", async () => {
    const { code, stdout } = await host.run(budgetProbe([node]));
    assert.equal(code, 0);
    const { budgets: found, pods } = read(stdout);
    assert.deepEqual([...(pods.get(node)?.keys() ?? [])], ["demo/web-0", "demo/web-1"]);
    const labels = pods.get(node)?.get("demo/web-0")?.labels ?? assert.fail("no labels");
    assert.deepEqual(
      found.map((one) => [one.name, one.allowed, one.wants, selects(one, { namespace: "demo" }, labels)]),
      [
        ["web", 0, "minAvailable 2", true],
        ["odd", 0, "minAvailable 2", false],
        ["all", 1, "minAvailable 2", true],
        ["none", 0, "minAvailable 2", false],
      ],
    );
    assert.deepEqual(found[1]?.selector?.requirements[0]?.values, ["a|b\nc;,:= +%", "end"]);
  });
  it("that gets no answer gives no budgets", async () => {
    await new Promise((resolve) => api.close(resolve));
    const found = budgetFacts((await host.run(budgetProbe([node]))).stdout, [node]);
    assert.match("unknown" in found ? found.unknown : "", /^budgets: .*refused/);
  });
  it("drains", async () => {
    allowed = 2;
    const { code, stdout } = await begin(evictScript(node, ["--ignore-daemonsets"], 10), "sh").ended;
    assert.equal(code, 0, stdout);
    assert.deepEqual(left, []);
  });
  it("says what blocks it, and ends with 1 when its time is over", async () => {
    allowed = 1;
    const { code, stdout } = await begin(evictScript(node, ["--ignore-daemonsets"], 2), "sh").ended;
    assert.equal(code, 1);
    assert.equal(left.length, 1);
    assert.match(
      stdout,
      /^error when evicting pods\/"web-\d" -n "demo" \(will retry after 5s\): Cannot evict pod as it would violate the pod's disruption budget\.$/m,
    );
    assert.match(
      stdout,
      /^There are pending pods in node "master-3\.example\.com" when an error occurred: .*global timeout reached: 2s/m,
    );
  });
});
