/** What the sweep's findings become: the resource whose own edit takes the line out, or what is left to the administrator; and how Preflight tells it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge } from "../../providers/plan/preflight.ts";
import { planReport } from "../../providers/plan/plans/report.ts";
import type { Change, World } from "../../providers/plan/steps.ts";
import type { ObjectMention } from "../../providers/plan/sweep-cluster.ts";
import { type Finding, findings, isLeft, lookedFor } from "../../providers/plan/sweep-findings.ts";
import { inWords, notSwept } from "../../providers/plan/sweep-told.ts";
import { adviceFor, globs } from "../../providers/plan/sweep-places.ts";
import type { HostSweep, Mention, Sweep } from "../../providers/plan/sweep.ts";
import { linesNaming } from "../../providers/plan/sweep-words.ts";
import { entries } from "../../providers/plan/steps.ts";
import { isReachable } from "../../providers/plan/facts.ts";
import { master, mastersOf, removal, swap, unreachable, withBalancer, withConfig, withFile } from "./world.ts";

const [m0, m1, m2, m3] = [master(0), master(1), master(2), master(3)];
const [lb0, node0] = ["lb-0.example.com", "node-0.example.com"];
const none: HostSweep = { named: [], unread: [], cut: "" };

/** A sweep that found what the texts of this world say, as the hosts' grep would, and `more` besides. */
function swept(
  world: World,
  change: Change,
  more: Record<string, Mention[]> = {},
  objects: ObjectMention[] = [],
): World {
  const files = {
    ...Object.fromEntries(
      Object.keys(change.survivors).map((name) => {
        const facts = world.masters[name];
        return [name, isReachable(facts) ? Object.values(facts.files) : []];
      }),
    ),
    ...Object.fromEntries(
      entries(world.balancers).map(([name, facts]) => [name, isReachable(facts) ? facts.files : []]),
    ),
    ...Object.fromEntries(
      entries(world.nodes).map(([name, facts]) => [
        name,
        isReachable(facts) && facts.flanneldFile ? [facts.flanneldFile] : [],
      ]),
    ),
  };
  const hosts: Sweep["hosts"] = Object.fromEntries(
    Object.entries(files).map(([name, some]) => [
      name,
      {
        ...none,
        named: [
          ...lookedFor(world, change).flatMap(({ name: leaving, words }) =>
            some.flatMap(({ path, text }): Mention[] => {
              const lines = linesNaming(text, words.whole);
              return lines.length === 0 ? [] : [{ leaving, path, lines }];
            }),
          ),
          ...(more[name] ?? []),
        ],
      },
    ]),
  );
  return { ...world, sweep: { hosts, cluster: { named: objects, unknown: [] } } };
}

const object = (kind: string, namespace: string, name: string, key: string): ObjectMention => ({
  leaving: m3,
  kind,
  namespace,
  name,
  key,
});
const brief = ({ on, what, lines, outcome }: Finding): string =>
  `${on.split(".")[0] ?? ""} ${what}${lines.length === 0 ? "" : `:${lines.join()}`} → ${isLeft(outcome) ? "left" : outcome.fixedBy}`;
const leftOf = (found: readonly Finding[], what: string): string => {
  const one = found.find((finding) => finding.what === what && isLeft(finding.outcome));
  return one !== undefined && isLeft(one.outcome) ? one.outcome.left : assert.fail(`nothing is left in ${what}`);
};

describe("a healthy cluster that loses master-3", () => {
  const { world, change } = removal(4, [3]);
  const objects = [
    object("Endpoints", "default", "kubernetes", "addresses"),
    object("ConfigMap", "kube-system", "openshift-master-controllers", "leader"),
    object("Lease", "kube-system", "kube-controller-manager", "holderIdentity"),
  ];
  it("every place is mended by a resource of the chain", () => {
    const found = findings(swept(world, change, {}, objects), change);
    assert.deepEqual(found.filter(({ outcome }) => isLeft(outcome)).map(brief), []);
    const told = found.map(brief);
    for (const line of [
      "lb-0 /etc/haproxy/haproxy.cfg:26 → LoadBalancerPool",
      "master-0 /etc/etcd/etcd.conf:10 → EtcdMembership",
      "master-1 /etc/origin/master/master-config.yaml:10 → MasterConfig",
      "master-2 /etc/origin/master/master.env:3 → MasterConfig",
      "node-0 /etc/sysconfig/flanneld:2 → FlannelNetwork",
      "the cluster Endpoints default/kubernetes (addresses) → ServiceEndpoints",
      "the cluster Lease kube-system/kube-controller-manager (holderIdentity) → StaticPods",
      "the cluster ConfigMap kube-system/openshift-master-controllers (leader) → StaticPods",
      `the cluster Node ${m3} → NodeRemoval`,
    ])
      assert.ok(told.includes(line), `${line}\nis not among\n${told.join("\n")}`);
  });
  it("Preflight tells by whom, in one note, and nothing else", () => {
    const { notes, refusals } = judge(swept(world, change, {}, objects), change, mastersOf(4));
    assert.deepEqual(refusals, []);
    const own = notes.filter((note) => /named|looked/.test(note));
    assert.equal(own.length, 1, own.join("\n"));
    assert.match(
      own[0] ?? "",
      /^master-3\.example\.com is named by what this change mends: EtcdMembership \(\/etc\/etcd\/etcd\.conf on 3 hosts\); .*; NodeRemoval \(Node master-3/,
    );
  });
  it("without a sweep, or when nobody leaves, nothing is told", () => {
    assert.deepEqual(findings(world, change), []);
    const adopted = removal(4, []);
    const quiet = judge(swept(adopted.world, adopted.change), adopted.change, mastersOf(4));
    assert.deepEqual(
      quiet.notes.filter((note) => /named|looked/.test(note)),
      [],
    );
  });
  it("a retired host that is visited no more is not looked for", () => {
    const so = { ...change, leaving: { ...change.leaving, "old.example.com": "10.0.0.9" } };
    assert.deepEqual(
      lookedFor(world, so).map(({ name }) => name),
      [m3],
    );
  });
});

describe("a line that no edit takes out is left", () => {
  const { world, change } = removal(4, [3]);
  it("in a file that a resource edits: that line, and only that", () => {
    const so = withFile(world, m1, "masterConfig", (text) => `${text}masterPublicURL: https://${m3}:8443\n`);
    const found = findings(swept(so, change), change).filter(
      ({ on, what }) => on === m1 && what.endsWith("config.yaml"),
    );
    assert.deepEqual(found.map(brief), [
      "master-1 /etc/origin/master/master-config.yaml:10 → MasterConfig",
      "master-1 /etc/origin/master/master-config.yaml:19 → left",
    ]);
    assert.match(
      leftOf(found, "/etc/origin/master/master-config.yaml"),
      /^MasterConfig changes etcdClientInfo.urls, .* https:\/\/192\.168\.55\.5:8443\), then `master-restart api`/,
    );
  });
  it("a line from which only a part is taken", () => {
    // the proxy's own setting holds the name in a form that NO_PROXY is not edited for
    const so = withFile(world, m1, "masterEnv", (text) => swap(text, `${m3},`, `${m3},http://192.168.55.21:1,`));
    const found = findings(swept(so, change), change).filter(
      ({ on, what }) => on === m1 && what.endsWith("master.env"),
    );
    assert.deepEqual(found.map(brief), ["master-1 /etc/origin/master/master.env:3 → left"]);
  });
  it("the same address twice, of which one goes", () => {
    const found = findings(
      swept(
        withConfig(world, lb0, (text) =>
          swap(text, "    stats uri /", "    stats uri /\n    http-request deny if { src 192.168.55.21 }"),
        ),
        change,
      ),
      change,
    ).filter(({ on }) => on === lb0);
    assert.deepEqual(found.map(brief), [
      "lb-0 /etc/haproxy/haproxy.cfg:27 → LoadBalancerPool",
      "lb-0 /etc/haproxy/haproxy.cfg:14 → left",
    ]);
  });
  it("a file of haproxy's folder that it does not read", () => {
    const found = findings(
      swept(world, change, { [lb0]: [{ leaving: m3, path: "/etc/haproxy/old.cfg", lines: [3] }] }),
      change,
    );
    assert.match(leftOf(found, "/etc/haproxy/old.cfg"), /^LoadBalancerPool takes out server lines/);
  });
  it("a resource that cannot plan mends nothing", () => {
    const so = swept(world, change);
    const found = findings({ ...so, masters: unreachable(world, m1).masters }, change);
    assert.ok(!found.some(({ outcome }) => !isLeft(outcome) && outcome.fixedBy === "MasterConfig"));
    assert.match(leftOf(found, "/etc/origin/master/master.env"), /^MasterConfig changes/);
  });
  it("objects of the cluster that only an administrator can mend", () => {
    const found = findings(
      swept(world, change, {}, [
        object("DaemonSet", "kube-service-catalog", "apiserver", "args"),
        object("ConfigMap", "kube-system", "calico-config", "etcd_endpoints"),
        object("Endpoints", "kube-system", "etcd", "addresses"),
      ]),
      change,
    );
    assert.match(
      leftOf(found, "DaemonSet kube-service-catalog/apiserver (args)"),
      /^`oc edit daemonset apiserver -n kube-service-catalog`: .*--etcd-servers/,
    );
    assert.match(
      leftOf(found, "ConfigMap kube-system/calico-config (etcd_endpoints)"),
      /^`oc edit configmap calico-config -n kube-system`: .* etcd_endpoints/,
    );
    assert.match(leftOf(found, "Endpoints kube-system/etcd (addresses)"), /`oc edit endpoints etcd -n kube-system`$/);
  });
  it("what the chain mended is gone from the plans: what still names it then is left", () => {
    const three = removal(3, []).world;
    const so = swept(
      { ...three, masters: { ...three.masters, [m3]: removal(4, [3]).world.masters[m3] ?? assert.fail() } },
      change,
      {},
      [
        object("Endpoints", "default", "kubernetes", "addresses"),
        object("Lease", "kube-system", "kube-controller-manager", "holderIdentity"),
      ],
    );
    const off = { ...so, masters: { ...so.masters, [m3]: { unreachable: "off" } } };
    const acknowledged = { ...change, settings: { ...change.settings, acknowledge: [`host-gone:${m3}`] } };
    const found = findings(off, acknowledged);
    assert.deepEqual(found.map(brief), [
      "the cluster Endpoints default/kubernetes (addresses) → left",
      "the cluster Lease kube-system/kube-controller-manager (holderIdentity) → left",
    ]);
  });
});

describe("advice", () => {
  const advice = (path: string) => adviceFor({ path, leaving: m3, api: "lb:8443" });
  const table: [string, RegExp][] = [
    ["/etc/hosts", /^delete the line/],
    [
      "/root/.kube/config",
      /oc config set-cluster <cluster> --server=https:\/\/lb:8443 --kubeconfig=\/root\/\.kube\/config/,
    ],
    ["/etc/origin/master/admin.kubeconfig", /whoever uses the file/],
    ["/etc/origin/node/node.kubeconfig", /restart atomic-openshift-node/],
    ["/etc/origin/node/bootstrap.kubeconfig", /restart atomic-openshift-node/],
    ["/etc/origin/node/pods/etcd.yaml", /^edit the manifest/],
    ["/etc/origin/node/node-config.yaml", /-n openshift-node/],
    ["/etc/origin/node/node-dnsmasq.conf", /restart dnsmasq/],
    ["/etc/dnsmasq.d/origin-dns.conf", /restart dnsmasq/],
    ["/etc/resolv.conf", /name servers/],
    ["/etc/keepalived/keepalived.conf", /unicast_peer/],
    ["/etc/ansible/hosts", /not the inventory/],
    ["/etc/cni/net.d/10-calico.conflist", /calico-config/],
    ["/etc/calico/calicoctl.cfg", /etcdEndpoints/],
    ["/etc/haproxy/conf.d/a", /haproxy -c/],
    ["/etc/systemd/system/haproxy.service.d/lab.conf", /daemon-reload/],
    ["/etc/sysconfig/docker", /NO_PROXY/],
    ["/etc/sysconfig/atomic-openshift-node", /next starts/],
    ["/etc/cron.d/x", /job/],
  ];
  for (const [path, wanted] of table) it(path, () => assert.match(advice(path), wanted));
  it("every place has one of its own", () => {
    for (const glob of globs) assert.notEqual(advice(glob.replaceAll("*", "x")), "change that line by hand", glob);
  });
});

describe("telling", () => {
  const left = (on: string, what: string, ...lines: number[]): Finding => ({
    leaving: m3,
    on,
    what,
    lines,
    outcome: { left: "mend it" },
  });
  const words = (some: Finding[]) => inWords(some, (outcome) => (isLeft(outcome) ? outcome.left : ""));
  it("one place on several hosts is one sentence", () =>
    assert.deepEqual(
      words([
        left(m0, "/etc/hosts", 7),
        left(m1, "/etc/hosts", 7),
        left(m2, "/etc/hosts", 8),
        left("the cluster", "Node x"),
      ]),
      [`/etc/hosts:7 on ${m0}, ${m1}: mend it`, `/etc/hosts:8 on ${m2}: mend it`, "Node x: mend it"],
    ));
  it("many hosts, lines and places are counted", () => {
    const many = Array.from({ length: 200 }, (_, n) => left(`h${n}`, "/etc/hosts", 1, 2, 3, 4, 5, 6, 7));
    assert.deepEqual(words(many), [
      "/etc/hosts:1, 2, 3, 4, 5 and 2 more on h0, h1, h2, h3, h4, h5 and 194 more: mend it",
    ]);
    const places = Array.from({ length: 30 }, (_, n) => left(m0, `/etc/cron.d/${n}`, 1));
    assert.deepEqual([words(places).length, words(places).at(-1)], [21, "10 more places"]);
  });
  it("hosts that could not be looked at are named, and so is what was not told", () => {
    const { world, change } = removal(4, [3]);
    const so: World = {
      ...world,
      sweep: {
        hosts: {
          [m0]: { ...none, cut: "15 s were over" },
          [lb0]: { ...none, unread: ["/etc/x is larger than 4 MiB"] },
          [node0]: { unreachable: "no route" },
        },
        cluster: { named: [], unknown: ["leases -n kube-system: EOF"] },
      },
    };
    const expected = [
      `${m0}, of which only a part was told (15 s were over)`,
      `${lb0}: /etc/x is larger than 4 MiB`,
      `${node0} (no route)`,
      "the cluster: leases -n kube-system: EOF",
    ];
    assert.deepEqual(notSwept(so), expected);
    assert.ok(
      judge(so, change, mastersOf(4)).notes.includes(
        `not looked at for who names the leaving hosts: ${expected.join("; ")}`,
      ),
    );
    assert.deepEqual(notSwept({ ...so, sweep: { hosts: {}, cluster: { unreachable: "no master" } } }), [
      "the cluster's objects (no master)",
    ]);
  });
});

describe("the report's plan", () => {
  const { world, change } = removal(5, [2, 3]);
  it("one step for each host that leaves, with what names that one", () => {
    const more = { [m0]: [{ leaving: m3, path: "/etc/hosts", lines: [7] }] };
    const steps = planReport(withBalancer(swept(world, change, more), lb0, {}), change);
    assert.deepEqual(
      steps.map(({ do: what, host }) => `${what} ${host}`),
      [`report ${m2}`, `report ${m3}`],
    );
    for (const step of steps) {
      assert.ok(
        step.do === "report" && step.findings.length > 0 && step.findings.every(({ leaving }) => leaving === step.host),
      );
      assert.match(step.title, /which credentials are on it; nothing is changed$/);
      assert.equal("gone" in step && step.gone, undefined);
    }
  });
  it("one that is gone is not looked at", () => {
    const [step] = planReport(unreachable(world, m2), change);
    assert.match(step?.title ?? "", /what must be assumed to be on it/);
    assert.ok(step?.do === "report" && step.gone?.includes("Timed out"));
  });
  it("nobody leaves: nothing", () => assert.deepEqual(planReport(world, removal(5, []).change), []));
});
