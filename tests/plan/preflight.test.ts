import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ArchivedAuthority } from "../../providers/plan/archived-authority.ts";
import { type Hosts, type MasterFacts, isReachable } from "../../providers/plan/facts.ts";
import {
  planAuthority,
  planBalancer,
  planDrain,
  planEndpoints,
  planFlannel,
  planInventory,
  planMasterConfig,
  planMembership,
  planNodeRemoval,
  planStaticPods,
} from "../../providers/plan/plans.ts";
import { type Judgement, judge, toleranceInWords } from "../../providers/plan/preflight.ts";
import type { Change, World } from "../../providers/plan/steps.ts";
import {
  after,
  archiveOf,
  ca,
  changeOf,
  fileOf,
  hashOf,
  healthy,
  idOf,
  inventoryText,
  master,
  mastersOf,
  placeOf,
  removal,
  swap,
  unreachable,
  withBalancer,
  withCluster,
  withConfig,
  withEtcd,
  withFile,
  withMaster,
  withNode,
  etcdManifestText,
} from "./world.ts";

const [lb0, lb1, node0] = ["lb-0.example.com", "lb-1.example.com", "node-0.example.com"];
const both = ["below-three-masters", "even-members"];
const four = mastersOf(4);
/** All that is refused, what may pass by itself included. */
const told = ({ refusals, passing }: Judgement): string[] => [...refusals, ...passing];
const refusals = (world: World, change: Change, before: Hosts = four) => told(judge(world, change, before));
const adopting = (world: World, change: Change) => told(judge(world, change, undefined));
/** The sentences are exactly these, in any order. */
function refused(found: readonly string[], sentences: readonly RegExp[]): void {
  const told = `\n${found.join("\n")}`;
  for (const sentence of sentences)
    assert.equal(found.filter((one) => sentence.test(one)).length, 1, `${sentence}${told}`);
  assert.equal(found.length, sentences.length, told);
}
const leaseOf = (n: number): string => `the controllers' lease is held by ${master(n)}, which stays`;
/** What the rehearsed drain of a healthy world's master is told to do. */
const drained = (name: string): string =>
  `${name}: the drain moves 1 pod (default/router-1-abcde); it leaves 1 pod of daemon sets and 1 static pod where they are`;
const chain = [
  planAuthority,
  planBalancer(lb0),
  planBalancer(lb1),
  planDrain,
  planStaticPods,
  planMembership,
  planMasterConfig,
  planFlannel,
  planEndpoints,
  planNodeRemoval,
  planInventory,
];
const pod = (over: object) => ({
  namespace: "shop",
  name: "till",
  owner: "ReplicaSet",
  mirror: false,
  localData: false,
  phase: "Running",
  ...over,
});
const withPods = (world: World, ...pods: object[]): World =>
  withCluster(world, { pods: { [master(3)]: pods.map(pod) } });
const membersOf = (world: World) => {
  const facts = world.masters[master(0)];
  return isReachable(facts) ? (facts.etcd?.members ?? []) : [];
};
/** One sentence for each authority. */
const authorities = ["OpenShift's CA \\(ca\\.serial\\.txt\\)", "etcd's CA \\(\\/etc\\/etcd\\/ca\\)"];
/** Of a leaving holder whose serials are no numbers. */
const spoilt = (n: number): RegExp[] =>
  authorities.map(
    (what) =>
      new RegExp(
        `^master-${n}\\.example\\.com leaves and holds ${what} with a serial that is no hexadecimal number \\(/etc/.*: "0x20"\\): .*; mend it, or move that authority away$`,
      ),
  );
const lost = (n: number): RegExp[] =>
  authorities.map(
    (what) =>
      new RegExp(
        `^master-${n}\\.example\\.com cannot be asked and no master that stays holds ${what}, .*; no verified archive of it in \\./backups/master-${n}\\.example\\.com on this machine holds that either: bring`,
      ),
  );
const [serialPath, etcdPath] = ["/etc/origin/master/ca.serial.txt", "/etc/etcd/ca/serial"];
const holdsAll = [placeOf(serialPath, "1F"), placeOf(etcdPath, "0A")];
const holdsSpoilt = [placeOf(serialPath, "0x20"), placeOf(etcdPath, "0x20")];

describe("nothing is refused", () => {
  it("4→3 of a healthy cluster", () => {
    const { world, change } = removal(4, [3]);
    assert.deepEqual(judge(world, change, four), {
      refusals: [],
      passing: [],
      notes: [
        "etcd 4→3: tolerates 1 failure, as before (quorum 2)",
        "etcd loses master-3.example.com (ed4f0efd277d7599): 4 of 4 healthy, quorum 3, 1 may fail → 3 of 3 healthy, quorum 2, 1 may fail",
        drained(master(3)),
        leaseOf(0),
      ],
    });
  });
  it("5→3, two at once", () => {
    const { world, change } = removal(5, [2, 4]);
    assert.deepEqual(refusals(world, change, mastersOf(5)), []);
  });
  it("the leader leaves", () => assert.deepEqual(refusals(healthy(4, [master(3)], 3), changeOf(4, [3])), []));
  for (const count of [1, 2, 3, 4])
    it(`adoption of ${count}: no risk is judged`, () => {
      const { world, change } = removal(count, []);
      const { refusals: none, notes } = judge(world, change, undefined);
      assert.deepEqual(none, []);
      assert.equal(notes.length, 1);
    });
  it("nothing changes", () => assert.deepEqual(refusals(healthy(4), changeOf(4, [])), []));
  it("an adopted fifth master that works", () => {
    const { world, change } = removal(5, []);
    assert.deepEqual(refusals(world, change, four), []);
  });
  it("a leaving member that is dead, of a leaving host that answers", () => {
    const { world, change } = removal(4, [3]);
    assert.deepEqual(refusals(withEtcd(world, { healthy: false }, master(3)), change), []);
  });
  it("a leaving member that never started", () => {
    const { world, change } = removal(4, [3]);
    const so = withEtcd(world, ({ members }) => ({
      members: members.map((one) => (one.id === idOf(3) ? { ...one, name: "", started: false } : one)),
    }));
    assert.deepEqual(refusals(withMaster(so, master(3), { etcd: undefined }), change), []);
  });
});

describe("one thing wrong: one sentence (4→3)", () => {
  const { world, change } = removal(4, [3]);
  const lb = (patch: Parameters<typeof withBalancer>[2]) => withBalancer(world, lb0, patch);
  const cases: [what: string, world: World, ...sentences: RegExp[]][] = [
    [
      "an API that is not ready",
      withMaster(world, master(1), { readiness: { ready: false, asked: "/readyz", seen: "HTTP 500" } }),
      /^the API of master-1\.example\.com is not ready \(\/readyz: HTTP 500\): repair it first$/,
    ],
    [
      "a file that is too large",
      withMaster(world, master(0), { unreadable: ["master.env is larger than 4 MiB"] }),
      /^master-0\.example\.com: master\.env is larger than 4 MiB, so it cannot be edited$/,
    ],
    [
      "no etcd.conf",
      withMaster(world, master(0), ({ files: { masterConfig } }) => ({
        files: { ...(masterConfig && { masterConfig }) },
      })),
      /^master-0\.example\.com: \/etc\/etcd\/etcd\.conf is not there: is this a master/,
    ],
    [
      "no master-config",
      withMaster(world, master(2), ({ files: { etcdConf } }) => ({ files: { ...(etcdConf && { etcdConf }) } })),
      /^master-2\.example\.com: \/etc\/origin\/master\/master-config\.yaml is not there/,
    ],
    [
      "etcd members that differ",
      withEtcd(world, ({ members }) => ({ members: members.slice(0, 3) }), master(2)),
      /^master-2\.example\.com sees other etcd members than master-0\.example\.com does/,
    ],
    [
      "a haproxy that does not accept its file",
      lb({ valid: false, validSeen: "[ALERT] parsing" }),
      /^lb-0\.example\.com: haproxy does not accept its own configuration \/etc\/haproxy\/haproxy\.cfg as it is now: \[ALERT\] parsing; repair it first$/,
    ],
    [
      "a haproxy that does not run",
      lb({ active: false }),
      /^lb-0\.example\.com: the service is not running; start it first$/,
    ],
    [
      "no haproxy.cfg",
      lb({ files: [], filesSeen: "absent" }),
      /^lb-0\.example\.com: \/etc\/haproxy\/haproxy\.cfg cannot be read \(absent\): correct the path in openshift-masters:loadBalancers$/,
    ],
    [
      "a load balancer that cannot be reached",
      unreachable(world, lb1),
      /^the load balancer lb-1\.example\.com cannot be reached: lb-1/,
    ],
    [
      "a survivor that is DOWN",
      lb(({ stats }) => ({
        stats: (stats ?? []).map((row) => (row.server === "master1" ? { ...row, status: "DOWN 1/2" } : row)),
      })),
      /^lb-0\.example\.com: the server atomic-openshift-api\/master1 of a master that stays is DOWN 1\/2; repair it first$/,
    ],
    [
      "a pool with none but the leaving one",
      withConfig(world, lb0, (text) => text.replace(/ {4}server {6}master[0-2].*\n/g, "")),
      /^lb-0\.example\.com: \/etc\/haproxy\/haproxy\.cfg line \d+ \(backend atomic-openshift-api\) is master-3\.example\.com, and without it .*no server that takes traffic/,
    ],
    [
      "a leaving host that cannot be reached",
      unreachable(world, master(3)),
      /^master-3\.example\.com leaves and cannot be reached \(.*handshake\): bring it back, or acknowledge `host-gone:master-3\.example\.com`/,
    ],
    [
      "bare pods",
      withPods(world, { owner: "" }),
      /^master-3\.example\.com runs pods that nothing will start again elsewhere \(shop\/till\): .*`evict-bare-pods:master-3\.example\.com`$/,
    ],
    [
      "local data",
      withPods(world, { localData: true }),
      /^master-3\.example\.com runs pods with local data that a drain deletes \(shop\/till\): .*`local-data:master-3\.example\.com`$/,
    ],
    [
      "an authority that cannot be handed over",
      withMaster(withMaster(world, master(0), { authority: [] }), master(3), { authority: holdsSpoilt }),
      ...spoilt(3),
    ],
    [
      "an inventory that cannot be read",
      { ...world, inventory: { unreachable: "ENOENT" } },
      /^the inventory cannot be read \(this machine: \.\/hosts\): ENOENT$/,
    ],
    [
      "an inventory that is not understood",
      { ...world, inventory: fileOf("/h", "[masters\n") },
      /^the inventory is not understood \(this machine: \.\/hosts\): /,
      /^this machine: \/h: /,
    ],
    [
      "an inventory whose edit would change another host",
      {
        ...world,
        inventory: fileOf(
          "/h",
          `${inventoryText(4)}[x:children]\nmaster-3.example.com\n[master-3.example.com]\n[y]\nmaster-3.example.com x=1\nnode-9\n[master-3.example.com:children]\ny\n`,
        ),
      },
      /^this machine: \/h: taking out master-3\.example\.com would change the inventory otherwise: node-9 would have another value of x; edit it by hand$/,
    ],
    [
      "too little room",
      withMaster(world, master(1), { freeForBackup: 50 * 2 ** 20, backupNeed: 3 * 2 ** 20 }),
      /^master-1\.example\.com: 50 MiB are free for backups below \/backup and 54 MiB are needed: make room first$/,
    ],
    [
      "too little room on the leaving host",
      withMaster(world, master(3), { freeForBackup: 1 }),
      /^master-3\.example\.com: 1 MiB are free/,
    ],
    [
      "a manifest of etcd that leads to another host",
      withFile(world, master(1), "manifest", () => etcdManifestText("https://192.168.55.120:2379")),
      /^master-1\.example\.com: \/etc\/origin\/node\/pods\/etcd\.yaml: the liveness probe of etcd asks https:\/\/192\.168\.55\.120:2379, which is not master-1\.example\.com \(192\.168\.55\.12\); put this host's own endpoint there, or correct its address/,
    ],
    [
      "a manifest of etcd that is no YAML",
      withFile(world, master(0), "manifest", () => "a: [\n"),
      /^master-0\.example\.com: \/etc\/origin\/node\/pods\/etcd\.yaml: it is no YAML/,
    ],
    [
      "a cluster that cannot be asked",
      { ...world, cluster: { unreachable: "refused" } },
      /^the cluster could not be asked: refused$/,
    ],
    [
      "a question it does not answer",
      withCluster(world, { unknown: ["pods:x: forbidden", "nodes: timeout"] }),
      /^the cluster could not be asked: pods:x: forbidden$/,
      /^the cluster could not be asked: nodes: timeout$/,
    ],
    [
      "an alarm",
      withEtcd(world, { alarms: [{ memberId: idOf(1), alarm: "NOSPACE" }] }),
      /^refusing to change membership while master-1\.example\.com \(91bc3c398fb3c146\) has an alarm \(NOSPACE\)/,
    ],
    [
      "an etcd.conf that takes a shell",
      withFile(world, master(1), "etcdConf", (text) => swap(text, "ETCD_INITIAL_CLUSTER=", "ETCD_INITIAL_CLUSTER=$X,")),
      /^master-1\.example\.com: \/etc\/etcd\/etcd\.conf: .*expansion/,
    ],
    [
      "a master-config that is no YAML",
      withFile(world, master(2), "masterConfig", (text) => `${text}- [\n`),
      /^master-2\.example\.com: \/etc\/origin\/master\/master-config\.yaml: .*not valid YAML/,
    ],
    [
      "a master.env that takes a shell",
      withFile(world, master(0), "masterEnv", (text) => swap(text, "NO_PROXY=", "NO_PROXY=`x`,")),
      /^master-0\.example\.com: \/etc\/origin\/master\/master\.env: .*expansion/,
    ],
    [
      "a node's flannel with no other endpoint",
      withNode(world, node0, {
        flanneldFile: fileOf("/etc/sysconfig/flanneld", "FLANNEL_ETCD=https://192.168.55.21:2379\n"),
      }),
      /^node-0\.example\.com: \/etc\/sysconfig\/flanneld: .*empty/,
    ],
    // several sentences for one cause: the survivor's own, and etcd's arithmetic
    [
      "a member that is not healthy",
      withEtcd(world, { healthy: false, detail: "refused" }, master(1)),
      /^the etcd member on master-1\.example\.com is not healthy \(refused\): repair it first$/,
      /^refusing to remove a member while survivor master-1\.example\.com \(91bc3c398fb3c146\) is not healthy/,
    ],
    [
      "etcd that cannot be asked",
      withMaster(world, master(1), { etcd: undefined, etcdSeen: "nothing listens on port 2379" }),
      /^etcd on master-1\.example\.com cannot be asked \(nothing listens on port 2379\): /,
      /^refusing to remove a member while survivor master-1/,
    ],
    [
      "a survivor that cannot be reached",
      unreachable(world, master(2)),
      /^master-2\.example\.com cannot be reached, and every master that stays must be: .*handshake$/,
      /^refusing to remove a member while survivor master-2/,
    ],
    [
      "a survivor that never started",
      withEtcd(world, ({ members }) => ({
        members: members.map((one) => (one.id === idOf(2) ? { ...one, name: "", started: false } : one)),
      })),
      /^the etcd member fd422379fda50e48 of master-2\.example\.com has never started: start or remove it first$/,
      /^refusing to remove a member while survivor master-2\.example\.com \(fd422379fda50e48\) has not started/,
    ],
    [
      "a member nobody declared",
      withEtcd(world, ({ members }) => ({
        members: [
          ...members,
          { id: "abc", name: "", peerURLs: ["https://10.9.9.9:2380"], clientURLs: [], started: false, learner: false },
        ],
      })),
      /^etcd has a member that is not declared: abc \(unstarted, https:\/\/10\.9\.9\.9:2380\): declare its master, or remove it by hand$/,
      /survivor abc \(abc\) has not started/,
      /`even-members` is not acknowledged/,
    ],
    [
      "nobody who could say who is in etcd",
      withEtcd(world, { healthy: false }),
      /^no master that stays could say who the etcd members are$/,
      ...[0, 1, 2].map((n) => new RegExp(`^the etcd member on master-${n}\\.example\\.com is not healthy`)),
    ],
  ];
  for (const [what, so, ...sentences] of cases) it(what, () => refused(refusals(so, change), sentences));

  it("two names of one machine", () => {
    const identity = { hostname: "x", machineId: "feed", time: 0 };
    const so = withMaster(withMaster(world, master(1), { identity }), master(2), { identity });
    refused(refusals(so, change), [
      /^master-1\.example\.com and master-2\.example\.com are one machine \(machine id feed\): one of the addresses is wrong$/,
    ]);
  });
  it("a survivor and the leaving host are one machine", () => {
    const identity = { hostname: "x", machineId: "feed", time: 0 };
    const so = withMaster(withMaster(world, master(1), { identity }), master(3), { identity });
    refused(refusals(so, change), [/^master-1\.example\.com and master-3\.example\.com are one machine/]);
  });
  it("two members fit one host", () => {
    const so = withEtcd(world, ({ members }) => ({
      members: members.map((one) => (one.id === idOf(2) ? { ...one, peerURLs: ["https://192.168.55.12:2380"] } : one)),
    }));
    refused(refusals(so, change), [
      /^refusing to choose: 2 etcd members fit master-1\.example\.com: 91bc3c398fb3c146, fd422379fda50e48; remove/,
    ]);
  });
  it("two members fit one host, and nobody is told to scale up", () => {
    const so = withEtcd(world, ({ members }) => ({
      members: [
        ...members,
        {
          id: "abc",
          name: "again",
          peerURLs: ["https://192.168.55.12:2380"],
          clientURLs: [],
          started: true,
          learner: false,
        },
      ],
    }));
    refused(refusals(so, change), [
      /^refusing to choose: 2 etcd members fit master-1\.example\.com: 91bc3c398fb3c146, abc; remove the wrong one by hand first$/,
    ]);
  });

  it("room that `df` did not tell is no reason to refuse", () =>
    assert.deepEqual(refusals(withMaster(world, master(1), { freeForBackup: undefined }), change), []));
  it("a full disk", () =>
    refused(refusals(withMaster(world, master(1), { freeForBackup: 0 }), change), [
      /^master-1\.example\.com: 0 MiB are free/,
    ]));
  it("a survivor that is DOWN, by its name in the file", () => {
    const named = withConfig(world, lb0, (text) => swap(text, "192.168.55.12:8443", "master-1.example.com:8443"));
    const down = withBalancer(named, lb0, ({ stats }) => ({
      stats: (stats ?? []).map((row) => (row.server === "master1" ? { ...row, status: "DOWN" } : row)),
    }));
    refused(refusals(down, change), [/master1 of a master that stays is DOWN/]);
  });
});

describe("pods that are no reason to refuse", () => {
  const { world, change } = removal(4, [3]);
  const cases: [string, object][] = [
    ["a static pod with local data", { mirror: true, owner: "", localData: true }],
    ["a static pod of a newer cluster", { mirror: false, owner: "Node", localData: true }],
    ["a daemon's pod with local data", { owner: "DaemonSet", localData: true }],
    ["a bare pod that has ended", { owner: "", phase: "Succeeded" }],
    ["a pod with local data that has failed", { localData: true, phase: "Failed" }],
    ["a pod that something starts again", {}],
  ];
  for (const [what, over] of cases) it(what, () => assert.deepEqual(refusals(withPods(world, over), change), []));
  it("acknowledged for this host", () => {
    const so = withPods(world, { owner: "", localData: true });
    const named = (host: string) => refusals(so, changeOf(4, [3], [`evict-bare-pods:${host}`, `local-data:${host}`]));
    assert.deepEqual(named(master(3)), []);
    assert.equal(named(master(2)).length, 2);
  });
});

describe("risks", () => {
  const three = mastersOf(3);
  it("3→2 names both at once", () => {
    const { world, change } = removal(3, [2]);
    refused(refusals(world, change, three), [
      /^`below-three-masters` is not acknowledged: only 2 masters are left/,
      /^`even-members` is not acknowledged: 2 etcd members tolerate no more failures than 1/,
    ]);
  });
  for (const missing of both)
    it(`3→2 with all but ${missing}`, () => {
      const { world, change } = removal(
        3,
        [2],
        both.filter((risk) => risk !== missing),
      );
      refused(refusals(world, change, three), [new RegExp(`^\`${missing}\` is not acknowledged`)]);
    });
  it("3→2 with both acknowledged", () => {
    const { world, change } = removal(3, [2], both);
    assert.deepEqual(judge(world, change, three), {
      refusals: [],
      passing: [],
      notes: [
        "etcd 3→2: tolerates no failure, 1 before (quorum 2)",
        "etcd loses master-2.example.com (fd422379fda50e48): 3 of 3 healthy, quorum 2, 1 may fail → 2 of 2 healthy, quorum 2, none may fail",
        drained(master(2)),
        leaseOf(0),
      ],
    });
  });
  it("3→2 whose member is gone already: the risks are still named", () => {
    const { world, change } = removal(3, [2]);
    const half = withEtcd(world, ({ members }) => ({ members: members.slice(0, 2) }));
    refused(refusals(half, change, three), [/below-three-masters/, /even-members/]);
    assert.deepEqual(refusals(half, changeOf(3, [2], both), three), []);
  });
  it("losing quorum is not to be acknowledged", () => {
    const { world, change } = removal(4, [3], [...both, `host-gone:${master(2)}`]);
    const so = [1, 2, 3].reduce((now, n) => withEtcd(now, { healthy: false }, master(n)), world);
    assert.ok(refusals(so, change).some((one) => /losing quorum: 1 of 4 members healthy/.test(one)));
  });
  it("in words", () => {
    assert.equal(toleranceInWords(4, 3), "etcd 4→3: tolerates 1 failure, as before (quorum 2)");
    assert.equal(toleranceInWords(5, 3), "etcd 5→3: tolerates 1 failure, 2 before (quorum 2)");
    assert.equal(toleranceInWords(5, 5), "etcd 5 members: tolerates 2 failures (quorum 3)");
    assert.equal(toleranceInWords(2, 1), "etcd 2→1: tolerates no failure, as before (quorum 1)");
  });
});

describe("every reason at once", () => {
  it("ten things wrong, ten and more sentences, each once", () => {
    const { world, change } = removal(3, [2]);
    let so = withMaster(world, master(0), {
      readiness: { ready: false, asked: "/readyz", seen: "HTTP 500" },
      freeForBackup: 1,
    });
    so = withBalancer(unreachable(so, lb0), lb1, { active: false });
    so = withCluster(withEtcd(so, { alarms: [{ memberId: idOf(0), alarm: "NOSPACE" }] }), { unknown: ["nodes: x"] });
    so = withMaster(so, master(1), { unreadable: ["flanneld is no readable file"] });
    so = withMaster(so, master(2), { authority: holdsSpoilt });
    so = withMaster({ ...so, inventory: { unreachable: "ENOENT" } }, master(0), { authority: [] });
    const found = refusals(so, change, mastersOf(3));
    refused(found, [
      /API of master-0/,
      /master-0.*make room/,
      /lb-0.*cannot be reached/,
      /lb-1.*not running/,
      /has an alarm/,
      /could not be asked: nodes/,
      /flanneld is no readable file/,
      ...spoilt(2),
      /inventory cannot be read/,
      /below-three/,
      /even-members/,
    ]);
  });
});

describe("the direction", () => {
  it("added and removed in one change", () => {
    const { world, change } = removal(4, [0]);
    refused(refusals(withMaster(world, master(1), { authority: holdsAll }), change, mastersOf(3)), [
      /^masters are added \(master-3\.example\.com\) and removed \(master-0\.example\.com\) in one change: do one, `pulumi up`, then the other$/,
    ]);
  });
  it("another address of the same name", () => {
    const { world, change } = removal(4, []);
    refused(refusals(world, change, { ...four, [master(1)]: "192.168.55.99" }), [
      /^the address of master-1\.example\.com changes from 192\.168\.55\.99 to 192\.168\.55\.12: /,
    ]);
  });
});

describe("adoption", () => {
  const { world, change } = removal(4, []);
  const fifth = changeOf(5, []);
  const adopt = (so: World) => adopting(so, change);
  it("no Node object", () =>
    refused(adopt(withCluster(world, ({ nodes }) => ({ nodes: nodes.filter(({ name }) => name !== master(1)) }))), [
      /^master-1\.example\.com is declared and has no Node object: register its node first$/,
    ]));
  it("not among the addresses of the kubernetes service", () =>
    refused(
      adopt(
        withCluster(world, ({ endpoints }) => ({
          endpoints: { ...endpoints, addresses: endpoints.addresses.slice(1) },
        })),
      ),
      [
        /^master-0\.example\.com is declared and 192\.168\.55\.8 is not among the addresses of the kubernetes service \(192\.168\.55\.12, /,
      ],
    ));
  it("not in a pool", () =>
    refused(
      adopt(withConfig(world, lb1, (text) => swap(text, "    server      master2 192.168.55.13:8443 check\n", ""))),
      [
        /^master-2\.example\.com is declared and lb-1\.example\.com has no server line for 192\.168\.55\.13: add it to the pool first$/,
      ],
    ));
  it("not in the inventory", () => {
    const so = { ...world, inventory: fileOf("/h", inventoryText(3)) };
    refused(adopt(so), [
      /^master-3\.example\.com is declared and not in \[masters\] of the inventory \(this machine: \.\/hosts\)$/,
    ]);
    const later = judge(so, change, four);
    assert.deepEqual(later.refusals, []);
    assert.match(later.notes.join("\n"), /^master-3\.example\.com is declared and not in \[masters\]/m);
  });
  it("in the inventory under another name", () => {
    const aliases = inventoryText(4)
      .replaceAll(/^master-([0-3])\.example\.com/gm, "m$1")
      .replace("[masters]\nm0", "[masters]\nm0 ansible_host=192.168.55.8");
    const text = [
      "m1 ansible_host=192.168.55.12",
      "m2 ansible_host=192.168.55.13",
      "m3 ansible_host=192.168.55.21",
    ].reduce((now, line) => swap(now, `${line.slice(0, 2)}\n`, `${line}\n`), aliases);
    assert.deepEqual(refusals({ ...world, inventory: fileOf("/h", text) }, change, undefined), []);
  });
  it("another count in master-config is a note", () => {
    const so = withFile(world, master(0), "masterConfig", (text) =>
      swap(swap(text, "masterCount: 4", "masterCount: 3"), "  - https://master-3.example.com:2379\n", ""),
    );
    const { refusals: none, notes } = judge(so, change, undefined);
    assert.deepEqual(none, []);
    assert.ok(notes.includes("master-0.example.com: masterCount is 3, 4 masters are declared"), notes.join("\n"));
    assert.ok(notes.includes("master-0.example.com: etcdClientInfo.urls has 3 entries, 4 masters are declared"));
  });
  it("a member that is not declared, of no master", () =>
    refused(
      adopting(
        withEtcd(healthy(3), ({ members }) => ({
          members: [
            ...members,
            ...membersOf(healthy(4))
              .slice(3)
              .map((one) => ({ ...one, name: "etcd-3" })),
          ],
        })),
        changeOf(3, []),
      ),
      [/^etcd has a member that is not declared: ed4f0efd277d7599 \(etcd-3, https:\/\/192\.168\.55\.21:2380\)/],
    ));
  it("an alarm, though nothing leaves", () =>
    refused(adopt(withEtcd(world, { alarms: [{ memberId: idOf(1), alarm: "NOSPACE" }] })), [
      /^etcd has an alarm: NOSPACE on member 91bc3c398fb3c146: clear its cause first$/,
    ]));
  it("an added master that is not a member, has no Node, no line and no address", () => {
    const bare = healthy(4);
    const so = { ...bare, masters: { ...bare.masters, [master(4)]: healthy(5).masters[master(4)] ?? assert.fail() } };
    const found = refusals(
      withMaster(so, master(4), { etcd: undefined, etcdSeen: "nothing listens on port 2379" }),
      fifth,
    );
    refused(found, [
      /^master-4\.example\.com is declared and is not a member of etcd: scale up with openshift-ansible first, then `pulumi up` adopts it$/,
      /^etcd on master-4\.example\.com cannot be asked/,
      /master-4.*has no Node object/,
      /192\.168\.55\.22 is not among the addresses/,
      /lb-0.*no server line for 192\.168\.55\.22/,
      /lb-1.*no server line for 192\.168\.55\.22/,
    ]);
  });
  it("drift of the masters that were there before is not refused when one is added", () => {
    const { world: five } = removal(5, []);
    const so = withCluster(five, ({ nodes }) => ({ nodes: nodes.filter(({ name }) => name !== master(0)) }));
    assert.deepEqual(refusals(so, fifth), []);
  });
});

describe("the certificate authorities", () => {
  const { world, change } = removal(4, [0]);
  /** What the leaving first master and a survivor hold. */
  const held = (leaver: MasterFacts["authority"], heir: MasterFacts["authority"]): World =>
    withMaster(withMaster(world, master(0), { authority: leaver }), master(2), { authority: heir });

  it("the holder leaves: it hands over", () => assert.deepEqual(refusals(world, change), []));
  it("the holder leaves and a survivor has a copy of all of it, or half", () => {
    assert.deepEqual(refusals(held(holdsAll, holdsAll), change), []);
    assert.deepEqual(refusals(held(holdsAll, holdsAll.slice(1)), change), []);
  });
  it("two leave and both hold", () => {
    const { world: five, change: two } = removal(5, [0, 1]);
    assert.deepEqual(refusals(withMaster(five, master(1), { authority: holdsAll }), two, mastersOf(5)), []);
  });

  const cases: [leaver: string, heir: string, good: boolean][] = [
    ["1F", "1F", true],
    ["1F", "1E", true],
    ["1F", "20", true],
    ["1F", "", true],
    ["1F", "\\x1b[1m", true],
    ["1F", "0x20", true],
    ["0x20", "1F", false],
    ["0x20", "FFFFFFFFFFFFFFFF", false],
  ];
  for (const file of [serialPath, etcdPath])
    for (const [leaver, heir, good] of cases)
      it(`${file}: ${leaver} leaves, ${heir || "an empty one"} stays`, () => {
        const found = refusals(held([placeOf(file, leaver)], [placeOf(file, heir)]), change);
        refused(
          found,
          good
            ? []
            : spoilt(0)
                .slice(file === serialPath ? 0 : 1)
                .slice(0, 1),
        );
      });
  it("the files beside a serial are no serial", () => {
    const beside = ["/etc/origin/master/ca.serial.txt.bak", "/etc/etcd/ca/serial.old", "/etc/etcd/ca/index.txt"];
    assert.deepEqual(
      refusals(
        held(
          beside.map((one) => placeOf(one, "0x20")),
          [],
        ),
        change,
      ),
      [],
    );
  });

  describe("refused with what was found where", () => {
    const foreign = hashOf("foreign");
    const short = (hash: string) => hash.slice(0, 12);
    const etcd = (over: Partial<MasterFacts["authority"][number]>) => placeOf(etcdPath, "0A", over);
    it("two authorities on two hosts", () =>
      refused(refusals(held(holdsAll, [etcd({ certificate: [foreign] })]), change), [
        new RegExp(
          `^etcd's CA .* is not one but several: master-0\\.example\\.com: /etc/etcd/ca, ca\\.crt ${short(ca.etcd)}; master-2\\.example\\.com: /etc/etcd/ca, ca\\.crt ${short(foreign)}; move away`,
        ),
        new RegExp(
          `^etcd's CA .* is not the cluster's: found master-2\\.example\\.com: .*${short(foreign)}; .* on master-1\\.example\\.com \\(${short(ca.etcd)}\\), master-2`,
        ),
      ]));
    it("two authorities in the two places of one host", () => {
      const slip = placeOf("/etc/origin/master/etc/etcd/ca/serial", "01", { certificate: [foreign] });
      refused(refusals(held([...holdsAll, slip], []), change), [
        new RegExp(
          `is not one but several: master-0.*: /etc/etcd/ca, .*; master-0\\.example\\.com: /etc/origin/master/etc/etcd/ca, ca\\.crt ${short(foreign)};`,
        ),
        /is not the cluster's: found master-0\.example\.com: \/etc\/origin\/master\/etc\/etcd\/ca/,
      ]);
    });
    it("one that a survivor does not trust", () => {
      const so = withMaster(world, master(3), { trust: { openshift: [foreign], etcd: [] } });
      refused(refusals(so, change), [
        new RegExp(
          `^OpenShift's CA .* is not the cluster's: found master-0.*ca\\.serial\\.txt, ca\\.crt ${short(ca.openshift)}; /etc/origin/master/ca\\.crt is another on master-3\\.example\\.com \\(${short(foreign)}\\); move`,
        ),
        /^etcd's CA .* is another on master-3\.example\.com \(not there\); move/,
      ]);
    });
    it("trusted as one of a bundle", () =>
      assert.deepEqual(
        refusals(
          withMaster(world, master(3), { trust: { openshift: [ca.openshift], etcd: [foreign, ca.etcd] } }),
          change,
        ),
        [],
      ));
    it("without its key or certificate, and nobody else has it", () => {
      refused(refusals(held([holdsAll[0] ?? assert.fail(), etcd({ key: false })], []), change), [
        /^master-0\.example\.com leaves and holds etcd's CA .* without its ca\.key \(.*\), and no other master holds it: put it back/,
      ]);
      refused(refusals(held([etcd({ certificate: [] })], []), change), [/without its ca\.crt \(.*no ca\.crt\)/]);
      assert.deepEqual(refusals(held([etcd({ key: false })], [etcd({})]), change), []);
    });
    for (const [digest, why] of [
      ["links", /: there are links or special files in it; copy \/etc\/etcd\/ca and .* by hand/],
      ["large", /: it is larger than 64 MiB or has more than 5000 files; copy/],
      ["", /: what it holds could not be read whole; copy/],
    ] as const) {
      it(`a tree that cannot be handed over: ${digest}`, () =>
        refused(refusals(held([etcd({ digest })], []), change), [why]));
      it(`and the successor has it by hand: ${digest}`, () =>
        assert.deepEqual(
          refusals(withMaster(held([etcd({ digest })], []), master(1), { authority: [etcd({})] }), change),
          [],
        ));
    }
    it("no openssl on a master that takes over; where nothing is taken over it is not needed", () => {
      const without = (n: number) => withMaster(world, master(n), { openssl: false });
      refused(refusals(without(2), change), [/^master-2\.example\.com: openssl is not there to prove OpenShift's CA/]);
      refused(refusals(without(1), change), [/^master-1.* OpenShift's CA/, /^master-1.* etcd's CA/]);
      assert.deepEqual(refusals(without(0), change), []);
    });
    it("nobody leaves: noted only", () => {
      const { change: none } = removal(4, []);
      const so = withMaster(world, master(2), { authority: [etcd({ certificate: [foreign] })] });
      const { refusals: no, notes } = judge(so, none, four);
      assert.deepEqual(no, []);
      refused(notes, [/^etcd 4 members/, /is not one but several/, /is not the cluster's/]);
    });
    it("a holder that is not the first of the inventory: noted", () => {
      const { world: so, change: last } = removal(4, [3]);
      const { refusals: no, notes } = judge(
        withMaster(so, master(2), { authority: [placeOf(etcdPath, "0B")] }),
        last,
        four,
      );
      assert.deepEqual(no, []);
      refused(notes, [
        /^etcd 4→3/,
        /^etcd loses master-3/,
        /: the drain moves 1 pod /,
        /^master-2\.example\.com holds etcd's CA .* is not the first of \[etcd\] in the inventory, which is master-0\.example\.com$/,
        /^the controllers' lease is held by master-0/,
      ]);
    });
  });

  describe("the holder is gone", () => {
    const acknowledged = removal(4, [0], [`host-gone:${master(0)}`]).change;
    const gone = unreachable(world, master(0));
    it("and that cannot be acknowledged", () => refused(refusals(gone, acknowledged), lost(0)));
    it("unacknowledged, both are told", () =>
      refused(refusals(gone, change), [...lost(0), /^master-0\.example\.com leaves and cannot be reached/]));
    it("a survivor holds one of the two", () =>
      refused(
        refusals(withMaster(gone, master(2), { authority: holdsAll.slice(0, 1) }), acknowledged),
        lost(0).slice(1),
      ));
    it("a survivor holds both: whether they are as new cannot be told", () =>
      assert.deepEqual(refusals(withMaster(gone, master(2), { authority: holdsAll }), acknowledged), []));
    it("which is told", () => {
      const { notes } = judge(withMaster(gone, master(2), { authority: holdsAll }), acknowledged, four);
      assert.equal(
        notes.filter((one) => /^master-0.* cannot be asked: that .* on master-2.* cannot be told$/.test(one)).length,
        2,
      );
    });
    describe("and there are archives", () => {
      const identity = { ...acknowledged.settings.backup, identity: "~/age.key" };
      const opened = { ...acknowledged, settings: { ...acknowledged.settings, backup: identity } };
      const stored = { sha256: hashOf("age"), bytes: 900 };
      const withArchives = (...archives: ArchivedAuthority[]): World => ({
        ...gone,
        archives: { [master(0)]: archives },
      });
      it("both authorities in one", () =>
        assert.deepEqual(refusals(withArchives(archiveOf(holdsAll)), acknowledged), []));
      it("each in another", () =>
        assert.deepEqual(
          refusals(withArchives(archiveOf(holdsAll.slice(1)), archiveOf(holdsAll.slice(0, 1))), acknowledged),
          [],
        ));
      it("one of the two", () =>
        refused(refusals(withArchives(archiveOf(holdsAll.slice(0, 1))), acknowledged), lost(0).slice(1)));
      it("without the key", () =>
        refused(
          refusals(withArchives(archiveOf(holdsAll.map((one) => ({ ...one, key: false })))), acknowledged),
          lost(0),
        ));
      it("of another cluster", () =>
        refused(
          refusals(withArchives(archiveOf([placeOf(etcdPath, "0A", { certificate: [hashOf("x")] })])), acknowledged),
          [
            lost(0)[0] ?? assert.fail(),
            /^etcd's CA .* is not the cluster's: found \/srv\/backups\/.* \(of master-0\.example\.com\): \/etc\/etcd\/ca, ca\.crt/,
          ],
        ));
      it("of another cluster than the CA that a survivor holds: it counts for nothing", () => {
        const old = withArchives(archiveOf([placeOf(etcdPath, "FF", { certificate: [hashOf("x")] })]));
        assert.deepEqual(refusals(withMaster(old, master(1), { authority: holdsAll }), acknowledged), []);
      });
      it("encrypted: with an identity only", () => {
        const so = withArchives({ ...archiveOf(holdsAll), stored });
        refused(refusals(so, acknowledged), [
          /holds OpenShift's CA .*; archives in \.\/backups\/master-0\.example\.com are encrypted: name .*backup\.identity$/,
          /holds etcd's CA .*backup\.identity$/,
        ]);
        assert.deepEqual(refusals(so, opened), []);
      });
    });
    it("neither etcd nor the cluster knows it any more", () => {
      const forgotten = withCluster(
        withEtcd(gone, ({ members }) => ({ members: members.slice(1) })),
        ({ nodes }) => ({ nodes: nodes.filter(({ name }) => name !== master(0)) }),
      );
      assert.deepEqual(refusals(forgotten, acknowledged), []);
    });
  });
});

describe("what may pass by itself, and nothing else", () => {
  const { world, change } = removal(4, [3]);
  const readiness = { ready: false, asked: "/readyz", seen: "HTTP 500" };
  const status = (so: World, name: string, server: string, now: string) =>
    withBalancer(so, name, ({ stats }) => ({
      stats: (stats ?? []).map((row) => (row.server === server ? { ...row, status: now } : row)),
    }));
  const slow = withMaster(world, master(1), { readiness });
  const down = status(world, lb0, "master1", "DOWN");
  const silent: World = { ...world, cluster: { unreachable: "connection refused" } };
  const unknown = withCluster(world, { nodes: [], pods: {}, unknown: ["nodes: timeout", "endpoints: timeout"] });
  const sentences = {
    slow: /^the API of master-1\.example\.com is not ready \(\/readyz: HTTP 500\): repair it first$/,
    down: /^lb-0\.example\.com: the server atomic-openshift-api\/master1 of a master that stays is DOWN; repair it first$/,
    silent: /^the cluster could not be asked: connection refused$/,
  };
  const cases: [what: string, world: World, ...sentences: RegExp[]][] = [
    ["an API that is not ready", slow, sentences.slow],
    ["a server that is DOWN", down, sentences.down],
    ["a server on its way up", status(world, lb1, "master2", "DOWN 1/2"), /^lb-1.*\/master2 .* is DOWN 1\/2;/],
    ["a cluster that cannot be asked", silent, sentences.silent],
    [
      "a cluster that does not answer everything",
      unknown,
      /^the cluster could not be asked: nodes: timeout$/,
      /^the cluster could not be asked: endpoints: timeout$/,
    ],
    ["all of it", { ...status(slow, lb0, "master1", "DOWN"), cluster: silent.cluster }, ...Object.values(sentences)],
  ];
  for (const [what, so, ...told] of cases)
    for (const [when, before, asked] of [
      ["later", four, change],
      ["at adoption", undefined, changeOf(4, [])],
    ] as const)
      it(`${what}, ${when}`, () => {
        const { refusals: lasting, passing } = judge(so, asked, before);
        assert.deepEqual(lasting, []);
        refused(passing, told);
      });
  it("well: nothing is waited for", () => assert.deepEqual(judge(world, change, four).passing, []));
  it("the leaving one's API and server are nobody's to wait for", () => {
    const so = status(withMaster(world, master(3), { readiness }), lb0, "master3", "DOWN");
    assert.deepEqual(judge(so, change, four).passing, []);
  });
  for (const now of ["MAINT", "DRAIN", "NOLB", "no check", "UP 1/2"])
    it(`a survivor in ${now} is not waited for`, () =>
      assert.deepEqual(judge(status(world, lb0, "master1", now), change, four).passing, []));
  it("beside what lasts, each in its own list", () => {
    const { refusals: lasting, passing } = judge(unreachable(slow, lb0), change, four);
    refused(lasting, [/^the load balancer lb-0\.example\.com cannot be reached/]);
    refused(passing, [sentences.slow]);
  });
  it("what lasts is no passing matter", () => {
    for (const so of [
      unreachable(world, master(1)),
      withEtcd(world, { healthy: false }, master(1)),
      withBalancer(world, lb0, { active: false }),
      withBalancer(world, lb0, { valid: false }),
      { ...world, inventory: { unreachable: "ENOENT" } },
      unreachable(world, master(3)),
    ]) {
      const { refusals: lasting, passing } = judge(so, change, four);
      assert.ok(lasting.length > 0);
      assert.deepEqual(passing, []);
    }
  });
});

describe("the leaving host is gone", () => {
  const { world: whole } = removal(4, [3]);
  const world = unreachable(whole, master(3));
  it("one that was retired earlier need not answer, once neither etcd nor the cluster knows it", () => {
    const forgotten = withCluster(
      withEtcd(world, ({ members }) => ({ members: members.slice(0, 3) })),
      ({ nodes }) => ({ nodes: nodes.filter(({ name }) => name !== master(3)) }),
    );
    const earlier = (so: World, before: Hosts) => refusals(so, changeOf(4, [3]), before);
    assert.deepEqual(earlier(forgotten, mastersOf(3)), []);
    assert.equal(earlier(forgotten, four).length, 1);
    for (const so of [withEtcd(forgotten, { members: membersOf(whole) }), { ...forgotten, cluster: whole.cluster }])
      assert.equal(earlier(so, mastersOf(3)).filter((one) => one.includes("leaves and cannot be reached")).length, 1);
  });
  it("acknowledged by its name", () =>
    assert.deepEqual(refusals(world, changeOf(4, [3], [`host-gone:${master(3)}`])), []));
  it("another host's name does not help", () =>
    refused(refusals(world, changeOf(4, [3], [`host-gone:${master(2)}`])), [/acknowledge `host-gone:master-3/]));
  it("a survivor cannot be acknowledged to be gone", () => {
    const found = refusals(unreachable(whole, master(2)), changeOf(4, [3], [`host-gone:${master(2)}`]));
    assert.ok(found.some((one) => /^master-2\.example\.com cannot be reached/.test(one)));
  });
});

describe("a decommission that was interrupted passes, wherever it was", () => {
  for (const [count, leaving, leader] of [
    [4, [3], 3],
    [5, [1, 4], 4],
  ] as const)
    it(`${count}→${count - leaving.length}, before each step and behind the last`, () => {
      const { change } = removal(count, leaving);
      let world = healthy(count, Object.keys(change.leaving), leader);
      let steps = 0;
      for (const plan of chain)
        for (const step of plan(world, change)) {
          assert.deepEqual(refusals(world, change, mastersOf(count)), [], `before ${step.do} on ${step.host}`);
          world = after(world, step);
          steps += 1;
        }
      assert.deepEqual(refusals(world, change, mastersOf(count)), []);
      assert.ok(steps > 20);
    });
  it("Preflight's own list is up to date by then", () => {
    const { world, change } = removal(4, [3]);
    const half = withEtcd(world, ({ members }) => ({ members: members.slice(0, 3) }));
    assert.deepEqual(refusals(half, change, mastersOf(3)), []);
  });
  it("two alarms, and the risks that are still not acknowledged, each in a sentence of its own", () => {
    const { world, change } = removal(3, [2]);
    const half = withEtcd(world, ({ members }) => ({
      members: members.slice(0, 2),
      alarms: [
        { memberId: idOf(1), alarm: "NOSPACE" },
        { memberId: idOf(2), alarm: "CORRUPT" },
      ],
    }));
    refused(refusals(half, change, mastersOf(3)), [
      /^etcd has an alarm: NOSPACE on member 91bc3c398fb3c146: /,
      /^etcd has an alarm: CORRUPT on member fd422379fda50e48: /,
      /^2 masters are left: acknowledge `below-three-masters` to accept it$/,
      /^2 masters are left: acknowledge `even-members` to accept it$/,
    ]);
  });
  it("alarms that could not be asked: the member is not healthy", () => {
    const { world, change } = removal(4, [3]);
    const half = withEtcd(world, ({ members }) => ({ members: members.slice(0, 3) }));
    const so = withEtcd(half, { healthy: false, detail: "Error: context deadline exceeded" }, master(1));
    refused(refusals(so, change), [
      /^the etcd member on master-1\.example\.com is not healthy \(Error: context deadline exceeded\): repair it first$/,
    ]);
  });
  it("an alarm is refused all the same", () => {
    const { world, change } = removal(4, [3]);
    const half = withEtcd(world, ({ members }) => ({
      members: members.slice(0, 3),
      alarms: [{ memberId: idOf(1), alarm: "NOSPACE" }],
    }));
    for (const so of [half, withMaster(half, master(3), { etcd: undefined, etcdSeen: "nothing listens on port 2379" })])
      refused(refusals(so, change), [/^etcd has an alarm: NOSPACE on member 91bc3c398fb3c146: clear its cause first$/]);
  });
});

describe("notes", () => {
  const { world, change } = removal(4, [3]);
  it("one master is left", () => {
    const { world: two, change: last } = removal(2, [1], ["below-three-masters"]);
    assert.deepEqual(judge(two, last, mastersOf(2)), {
      refusals: [],
      passing: [],
      notes: [
        "etcd 2→1: tolerates no failure, as before (quorum 1)",
        "etcd loses master-1.example.com (91bc3c398fb3c146): 2 of 2 healthy, quorum 2, none may fail → 1 of 1 healthy, quorum 1, none may fail",
        "one master is left: its API is away while it restarts",
        drained(master(1)),
        leaseOf(0),
      ],
    });
  });
  const notes = (so: World) => judge(so, change, four).notes.join("\n");
  it("a node that cannot be reached", () => {
    assert.match(
      notes(unreachable(world, node0)),
      /^the node node-0\.example\.com cannot be reached \(.*\): its flannel endpoints stay/m,
    );
    assert.deepEqual(refusals(unreachable(world, node0), change), []);
  });
  it("no statistics", () =>
    assert.match(
      notes(withBalancer(world, lb0, { stats: undefined })),
      /^lb-0\.example\.com: haproxy's statistics cannot be read/m,
    ));
  it("a load balancer of kind: command, where an API will be restarted", () => {
    const f5 = { kind: "command" as const, set: "s", verify: "v", environment: {} };
    const withF5 = (so: Change): Change => ({
      ...so,
      settings: { ...so.settings, loadBalancers: { ...so.settings.loadBalancers, f5 } },
    });
    const told = /^f5: its own health check must notice when a staying master's API restarts/m;
    const judged = judge(world, withF5(change), four);
    assert.match(judged.notes.join("\n"), told);
    assert.deepEqual([judged.refusals, judged.passing], [[], []]);
    assert.doesNotMatch(notes(world), told);
    const adopted = removal(4, []);
    assert.doesNotMatch(judge(adopted.world, withF5(adopted.change), four).notes.join("\n"), told);
  });
  it("a haproxy that loses connections, and one that does not", () => {
    assert.match(
      notes(withBalancer(world, lb0, { version: "1.5.18" })),
      /^lb-0\.example\.com: haproxy 1\.5\.18 cannot reload without dropping/m,
    );
    assert.doesNotMatch(notes(withBalancer(world, lb0, { version: "1.8.4" })), /dropping/);
  });
});
