/** The look at the cluster's objects, by the real sh with an `oc` that prints what the real one printed; and the reader on hostile answers. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { clusterSweep, clusterSweepScript } from "../../providers/plan/sweep-cluster.ts";
import { wordsOf } from "../../providers/plan/sweep-words.ts";
import { PlayedHost, shells, syntaxOf } from "./played-host.ts";
import { printed as answerIn, probed } from "./world.ts";

const [m1, m3] = ["master-1.example.com", "master-3.example.com"];
const looked = [wordsOf(m3, "192.168.55.21"), wordsOf(m1, "192.168.55.12")];
const uuid = "5f0d39c8-7d1c-11ee-9f2a-525400d2a1b0";
const leader = (name: string): string => `{"holderIdentity":"${name}_${uuid}","leaseDurationSeconds":15}`;

/** As kubectl 1.24 printed it for objects of these forms. */
const printed = {
  default: [
    "Endpoints|default|kubernetes|addresses|192.168.55.8",
    "Endpoints|default|kubernetes|addresses|192.168.55.21",
    "Endpoints|default|router|addresses|192.168.55.210",
  ],
  "kube-system": [
    `ConfigMap|kube-system|openshift-master-controllers|leader|${leader(m3)}`,
    `ConfigMap|kube-system|another|leader|${leader("master-33.example.com")}`,
    `Endpoints|kube-system|short|leader|${leader("master-3")}`,
    `Endpoints|kube-system|pod|leader|${leader("some-pod")}`,
    'ConfigMap|kube-system|calico-config|etcd_endpoints|"https://192.168.55.8:2379,https://192.168.55.21:2379"',
    String.raw`ConfigMap|kube-system|calico-config|note|"a\nmaster-1.example.com\nb"`,
  ],
  leases: [
    `Lease|kube-system|kube-controller-manager|holderIdentity|${m3}_${uuid}`,
    "Lease|kube-system|x|holderIdentity|<no value>",
  ],
  catalog: [`DaemonSet|kube-service-catalog|apiserver|args|"--etcd-servers" "https://${m3}:2379" "LABCANARYtoken" `],
};

const host = new PlayedHost(["wc"]);
after(() => host.remove());
const oc = (script: string) => host.fake("oc", `echo "$HOME $KUBECONFIG $1 $2" >>"$HERE/asked"\n${script}`);
const answers = Object.entries(printed).map(([name, lines]) => {
  host.file(`answer-${name}`, `${lines.join("\n")}\n`);
  const match = {
    default: "*'-n default'*",
    "kube-system": "*'configmaps -n kube-system'*",
    leases: "*leases*",
    catalog: "*catalog*",
  };
  return `${match[name as keyof typeof match]}) cat "$HERE/answer-${name}" ;;`;
});

describe("what is asked", () => {
  for (const shell of shells) {
    it(`by ${shell}: each object with its key, no neighbour, no value`, async () => {
      oc(`case "$*" in ${answers.join("\n")} esac`);
      const { code, stdout, stderr } = await host.run(clusterSweepScript(looked), shell);
      assert.deepEqual([code, stderr], [0, ""]);
      const { named, unknown } = clusterSweep(stdout, [m3, m1]);
      assert.deepEqual(
        named.map((one) => `${one.leaving.slice(0, 8)} ${one.kind} ${one.namespace}/${one.name} ${one.key}`),
        [
          "master-3 Endpoints default/kubernetes addresses",
          "master-3 ConfigMap kube-system/calico-config etcd_endpoints",
          "master-3 ConfigMap kube-system/openshift-master-controllers leader",
          "master-3 Endpoints kube-system/short leader",
          "master-1 ConfigMap kube-system/calico-config note",
          "master-3 Lease kube-system/kube-controller-manager holderIdentity",
          "master-3 DaemonSet kube-service-catalog/apiserver args",
        ],
      );
      assert.deepEqual(unknown, []);
      assert.doesNotMatch(answerIn(stdout), /LABCANARY|192\.168/);
    });
    it(`${shell} takes it`, () => assert.equal(syntaxOf(clusterSweepScript(looked), shell), ""));
  }
  it("only gets are sent, nothing is written below a home, each with a time of its own", () => {
    const asked = host.read("asked").trim().split("\n");
    assert.ok(asked.length >= 4);
    for (const line of asked)
      assert.match(line, /^\/proc\/self \/etc\/origin\/master\/admin\.kubeconfig --request-timeout=15s get$/);
  });
  it("a kind or a namespace that is not there is no error", async () => {
    oc(`case "$*" in *leases*) echo 'error: the server doesn'"'"'t have a resource type "leases"' >&2; exit 1 ;;
      *catalog*) echo 'Error from server (NotFound): namespaces "kube-service-catalog" not found' >&2; exit 1 ;;
      *) echo "No resources found." >&2 ;; esac`);
    const { stdout } = await host.run(clusterSweepScript(looked));
    assert.deepEqual(clusterSweep(stdout, [m3, m1]), { named: [], unknown: [] });
  });
  it("an API that does not answer is told, with its last line", async () => {
    oc('printf "x\\nUnable to connect to the server: \\033[31mEOF\\n" >&2; exit 1');
    const { unknown } = clusterSweep((await host.run(clusterSweepScript(looked))).stdout, [m3, m1]);
    assert.equal(unknown.length, 4);
    assert.equal(unknown[0], "endpoints -n default: Unable to connect to the server: \\x1b[31mEOF");
  });
});

describe("an answer that is not to be trusted", () => {
  const read = (text: string) => clusterSweep(probed({ cluster: text }), [m3]);
  it("what is not of the form is left out", () =>
    assert.deepEqual(
      read(
        "named 0 <no value>|kube-system|a\x07b|k\nnamed 7 Lease|a|b|c\nnamed 0 Lease|A B|b|c\nnamed 0 Lease|a|b\nend\n",
      ),
      { named: [{ leaving: m3, kind: "object", namespace: "kube-system", name: "a\\x07b", key: "k" }], unknown: [] },
    ));
  it("no more than 200 objects are taken", () =>
    assert.equal(read(`${"named 0 Lease|a|b|c\n".repeat(500)}end\n`).named.length, 200));
  it("an answer that ended early is told", () =>
    assert.deepEqual(clusterSweep("", [m3]).unknown, ["its answer ended early"]));
});
