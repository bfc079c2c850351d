/**
 * A healthy cluster as the probes would have seen it, for the tests of the plan: the texts are those of `lab/hosts.sh` and `lab/stack.ts`, and every fact goes
 * through the readers of `facts.ts`. A test changes one thing of it; `after` says what the hosts show once a step is done.
 */
import { createHash } from "node:crypto";
import { budgetFacts } from "../../providers/plan/budgets.ts";
import type { ArchivedAuthority } from "../../providers/plan/archived-authority.ts";
import type {
  AuthorityFacts,
  BalancerFacts,
  ClusterFacts,
  EtcdFacts,
  FileFacts,
  Hosts,
  MasterFacts,
  NodeFacts,
} from "../../providers/plan/facts.ts";
import { balancerFacts, clusterFacts, isReachable, masterFacts, nodeFacts } from "../../providers/plan/facts.ts";
import { serversIn } from "../../providers/plan/haproxy.ts";
import { type Settings, readSettings } from "../../providers/plan/settings.ts";
import type { Change, Edit, Step, World } from "../../providers/plan/steps.ts";

/** What one part of a probe gave: text of a `part` or `file`, output and exit code of a `checked` one, or why there is none. */
export type Given = string | Buffer | readonly [output: string, exit: number] | { readonly state: string };

const mark = "0b5f3c1e-7d52-4c0e-9a41-6f2d8e7c9b10";
/** A probe's output, in the very form of `parts.ts`. */
export const probed = (parts: Readonly<Record<string, Given>>): string =>
  framed(Object.entries(parts).map(([name, given]) => frameOf(name, given)));
function frameOf(name: string, given: Given): Buffer {
  if (typeof given === "string" || Buffer.isBuffer(given)) return Buffer.concat([head(name, "0"), Buffer.from(given)]);
  return "state" in given
    ? head(name, given.state)
    : Buffer.concat([head(name, "checked"), Buffer.from(`${given[0]}::${given[1]}\n`)]);
}
const head = (name: string, state: string): Buffer => Buffer.from(`\n${mark} ${name} ${state}\n`);
const framed = (frames: readonly Buffer[]): string =>
  `\n${Buffer.concat([Buffer.from(`${mark}\n`), ...frames, Buffer.from(`\n${mark} end`)]).toString("base64")}\n`;
/** What a probe printed, as a text to search in. */
export const printed = (stdout: string): string =>
  Buffer.from(stdout.trim().split("\n").at(-1) ?? "", "base64").toString();

export const master = (n: number): string => `master-${n}.example.com`;
const addresses = ["192.168.55.8", "192.168.55.12", "192.168.55.13", "192.168.55.21", "192.168.55.22", "192.168.55.23"];
/** Above 2^53, as real ones are. */
export const memberIds = [
  "8e9e05c52164694d",
  "91bc3c398fb3c146",
  "fd422379fda50e48",
  "ed4f0efd277d7599",
  "a3f1c5e7d9b8240a",
  "c9d21f3e5a7b6c80",
] as const;
export const addressOf = (n: number): string => addresses[n] ?? "";
export const idOf = (n: number): string => memberIds[n] ?? "";
const decimal = (n: number): string => BigInt(`0x${idOf(n)}`).toString();
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** The first `count` masters: name → address. */
export const mastersOf = (count: number): Record<string, string> =>
  Object.fromEntries(numbers(count).map((n) => [master(n), addressOf(n)]));

export const balancerAddresses: Hosts = { "lb-0.example.com": "192.168.55.5", "lb-1.example.com": "192.168.55.6" };
export const nodeAddresses: Hosts = { "node-0.example.com": "192.168.55.31" };
const asHosts = (hosts: Hosts) =>
  Object.fromEntries(Object.entries(hosts).map(([name, address]) => [name, { address }]));

/** The stack's configuration as the administrator writes it. */
export const configuration = (masters: Hosts, acknowledge: readonly string[] = []) => ({
  masters: asHosts(masters),
  loadBalancers: asHosts(balancerAddresses),
  nodes: asHosts(nodeAddresses),
  inventory: { path: "./hosts" },
  acknowledge: [...acknowledge],
});

/** Of `count` masters those numbered leave; the others stay. */
export function changeOf(count: number, leaving: readonly number[], acknowledge: readonly string[] = []): Change {
  const pick = (stays: boolean): Record<string, string> =>
    Object.fromEntries(
      numbers(count)
        .filter((n) => leaving.includes(n) !== stays)
        .map((n) => [master(n), addressOf(n)]),
    );
  const survivors = pick(true);
  const settings: Settings = readSettings(configuration(survivors, acknowledge));
  return { survivors, leaving: pick(false), settings };
}

/** When the configuration was written, when the components were started, and what the hosts' clocks say now. */
export const configured = 1_700_000_000;
export const started = configured + 500;
export const now = configured + 90_000;
/** Two years later, as openssl prints it. */
const certificateEnd = "Nov 14 22:13:20 2025 GMT";

/** As openshift-ansible lays it down, as far as it is read. */
export const etcdManifestText = (endpoint: string): string => `apiVersion: v1
kind: Pod
spec:
  containers:
  - name: etcd
    livenessProbe:
      exec:
        command: [etcdctl, --cert-file, /etc/etcd/peer.crt, --endpoints, "${endpoint}", cluster-health]
`;

export const etcdConfText = (n: number, count: number): string => `ETCD_NAME=${master(n)}
ETCD_LISTEN_PEER_URLS=https://${addressOf(n)}:2380
ETCD_DATA_DIR=/var/lib/etcd/
#ETCD_WAL_DIR=""
ETCD_LISTEN_CLIENT_URLS=https://${addressOf(n)}:2379


#[cluster]
ETCD_INITIAL_ADVERTISE_PEER_URLS=https://${addressOf(n)}:2380
ETCD_INITIAL_CLUSTER=${numbers(count)
  .map((m) => `${master(m)}=https://${addressOf(m)}:2380`)
  .join(",")}
ETCD_INITIAL_CLUSTER_STATE=new
ETCD_INITIAL_CLUSTER_TOKEN=etcd-cluster-1
ETCD_ADVERTISE_CLIENT_URLS=https://${addressOf(n)}:2379
`;

export const masterConfigText = (n: number, count: number): string => `apiVersion: v1
# the API's own etcd clients
etcdClientInfo:
  ca: master.etcd-ca.crt
  certFile: master.etcd-client.crt
  urls:
${numbers(count)
  .map((m) => `  - https://${master(m)}:2379\n`)
  .join("")}kind: MasterConfig
kubernetesMasterConfig:
  masterCount: ${count}
  masterIP: ${addressOf(n)}
oauthConfig:
  identityProviders:
  - provider:
      bindPassword: LABCANARYbindpassword
`;

export const masterEnvText = (count: number): string => `# Proxy and logging of the master's static pods
DEBUG_LOGLEVEL=1
NO_PROXY=.cluster.local,.svc,localhost,${numbers(count).map(master).join(",")},172.30.0.1
`;

export const flanneldText = (count: number): string => `# etcd url location.  Point this to the server where etcd runs
FLANNEL_ETCD_ENDPOINTS=${numbers(count)
  .map((m) => `https://${master(m)}:2379`)
  .join(",")}
FLANNEL_ETCD_PREFIX="/openshift.com/network"
`;

/** @param admin the stats socket may change servers */
export const haproxyText = (count: number, admin: boolean): string => `global
    daemon
    stats socket /var/lib/haproxy/stats${admin ? " mode 600 level admin expose-fd listeners" : ""}

defaults
    mode                    http
    retries                 3

listen stats
    bind :9000
    mode http
    stats enable
    stats uri /

frontend  atomic-openshift-api
    bind *:8443
    default_backend atomic-openshift-api
    mode tcp

backend atomic-openshift-api
    balance source
    mode tcp
${numbers(count)
  .map((m) => `    server      master${m} ${addressOf(m)}:8443 check\n`)
  .join("")}`;

export const inventoryText = (count: number): string => `[OSEv3:children]
masters
nodes
etcd
lb

[OSEv3:vars]
ansible_user=root
openshift_release="3.11"

# host group for masters
[masters]
${numbers(count)
  .map((m) => `${master(m)}\n`)
  .join("")}
# host group for etcd
[etcd]
master-[0:${count - 1}].example.com

[lb]
lb-[0:1].example.com

[nodes]
${numbers(count)
  .map((m) => `${master(m)} openshift_node_group_name='node-config-master'\n`)
  .join("")}node-0.example.com openshift_node_group_name='node-config-compute' # the application node
`;

export const membersText = (count: number): string =>
  numbers(count)
    .map((m) => `${idOf(m)}, started, ${master(m)}, https://${addressOf(m)}:2380, https://${addressOf(m)}:2379\n`)
    .join("");

const statusText = (n: number, leader: number): string =>
  `[{"Endpoint":"https://${addressOf(n)}:2379","Status":{"header":{"cluster_id":14841639068965178418,"member_id":${decimal(n)},` +
  `"revision":${9_007_199_254_741_000n + BigInt(n)},"raft_term":2},"version":"3.2.32","dbSize":25165824,"leader":${decimal(leader)},"raftIndex":${80_000 + n},"raftTerm":2}}]\n`;

const service = (load: string, active: string, file: string): string =>
  `LoadState=${load}\nActiveState=${active}\nUnitFileState=${file}\n`;
export const running = service("loaded", "active", "enabled");
const absent = service("not-found", "inactive", "");
const machineId = (name: string): string => createHash("md5").update(name).digest("hex");
const ready = "healthz/ready\nok\n200\n";

export const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
/** sha256 of the two ca.crt. */
export const ca = { openshift: hashOf("openshift-signer"), etcd: hashOf("etcd-signer") };
/** A place of a CA as the probe tells it, of the cluster's own CA and whole. */
export function placeOf(path: string, serial: string, over: Partial<AuthorityFacts> = {}): AuthorityFacts {
  const isEtcd = path.endsWith("/ca/serial");
  return {
    path,
    serial,
    certificate: [isEtcd ? ca.etcd : ca.openshift],
    key: true,
    digest: hashOf(isEtcd ? `the tree of ${serial}` : serial),
    ...over,
  };
}

/** An archive of this machine with these places. */
export const archiveOf = (
  places: readonly AuthorityFacts[],
  takenAt = "2026-11-20T10:00:00.000Z",
): ArchivedAuthority => ({
  archive: `/srv/backups/${takenAt.slice(0, 10)}.tar.gz`,
  sha256: hashOf(takenAt),
  bytes: 1000,
  takenAt,
  places: places.map((place) => ({ ...place, members: [place.path.slice(1)] })),
});

/** Every part of `masterProbe` for a healthy master. */
export const masterParts = (n: number, count: number, leader = 0): Record<string, Given> => ({
  hostname: `${master(n)}\n`,
  "machine-id": `${machineId(master(n))}\n`,
  time: `${now}\n`,
  "etcd.conf": etcdConfText(n, count),
  "master-config": masterConfigText(n, count),
  "master.env": masterEnvText(count),
  flanneld: flanneldText(count),
  "service:flanneld": running,
  "stale:flanneld": "",
  manifest: etcdManifestText(`https://${addressOf(n)}:2379`),
  pods: "apiserver.yaml\ncontroller.yaml\netcd.yaml\n",
  disabled: "ls: cannot access '/etc/origin/node/pods/disabled': No such file or directory\n",
  "config-mtime": `${configured}\n`,
  "etcd-data": "there\n",
  started: `2379 811 ${started}\n8443 812 ${started}\n8444 813 ${started}\n`,
  "service:origin-node": running,
  "service:atomic-openshift-node": absent,
  free: "/dev/vda1 41152736 9000000 30000000 24% /\n900\t/etc/origin\n300\t/etc/etcd\n100\t/etc/sysconfig\n",
  authority:
    n === 0
      ? `/etc/origin/master/ca.serial.txt 1F ${ca.openshift} ${ca.openshift} key ${hashOf("1F")}\n/etc/etcd/ca/serial 0A ${ca.etcd} ${ca.etcd} key ${hashOf("the tree of 0A")}\n`
      : "",
  trust: `/etc/origin/master/ca.crt ${ca.openshift}\n/etc/etcd/ca.crt ${ca.etcd}\n`,
  openssl: "/usr/bin/openssl\n",
  certificates: ["peer", "server", "ca"].map((name) => `/etc/etcd/${name}.crt notAfter=${certificateEnd}\n`).join(""),
  ready,
  via: "host\n",
  members: [membersText(count), 0],
  status: [statusText(n, leader), 0],
  health: [`https://${addressOf(n)}:2379 is healthy: successfully committed proposal: took = 1.698385ms\n`, 0],
  alarms: ["", 0],
  v2: ["/openshift.com\n", 0],
});

const statsText = (count: number): string =>
  [
    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,",
    "stats,FRONTEND,,,0,0,2000,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,2,0,,,,0,0,0,0,,",
    "atomic-openshift-api,FRONTEND,,,0,0,2000,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,3,0,,,,0,0,0,0,,",
    ...numbers(count).map(
      (m) =>
        `atomic-openshift-api,master${m},0,0,2,9,,40,0,0,,0,,0,0,0,0,UP,1,1,0,0,0,90,0,,1,4,${m + 1},,40,,2,0,,3,L4OK,`,
    ),
    "atomic-openshift-api,BACKEND,0,0,0,0,200,0,0,0,0,0,,0,0,0,0,UP,4,4,0,,0,90,0,,1,4,0,,0,,1,0,,3,,",
    "",
  ].join("\n");

/** Every part of `balancerProbe` for a healthy haproxy; the second one's stats socket is admin-level, as in the lab. */
export const balancerParts = (name: string, count: number): Record<string, Given> => ({
  hostname: `${name}\n`,
  "machine-id": `${machineId(name)}\n`,
  time: `${now}\n`,
  configured: "/etc/haproxy/haproxy.cfg\n",
  program: "/usr/sbin/haproxy",
  options: "",
  words: "/usr/sbin/haproxy\n-Ws\n-f\n/etc/haproxy/haproxy.cfg\n-p\n/run/haproxy.pid\n",
  "path:1": "/etc/haproxy/haproxy.cfg",
  "real:1": "/etc/haproxy/haproxy.cfg\n",
  "config:1": haproxyText(count, name.startsWith("lb-1")),
  "written:1": `${configured}\n`,
  "kept:1": "",
  aliases: "",
  valid: ["Configuration file is valid\n", 0],
  service: "LoadState=loaded\nActiveState=active\nCanReload=yes\nMainPID=77\n",
  version: "HA-Proxy version 2.6.12-1+deb12u1 2023/12/16 - https://haproxy.org/\n",
  born: `${started}\n`,
  socket: `${name.startsWith("lb-1") ? 0 : 1} /var/lib/haproxy/stats\n`,
  listening:
    "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\nLISTEN 0      2000   0.0.0.0:8443   0.0.0.0:*\n",
  stats: [statsText(count), 0],
  through: ready,
});

/** Every part of `nodeProbe` for a healthy application node. */
export const nodeParts = (name: string, count: number): Record<string, Given> => ({
  hostname: `${name}\n`,
  "machine-id": `${machineId(name)}\n`,
  time: `${now}\n`,
  flanneld: flanneldText(count),
  "service:flanneld": running,
  "stale:flanneld": "",
});

const leaderAnnotation = `{"holderIdentity":"${master(0)}_5f0d39c8-7d1c-11ee-9f2a-525400d2a1b0","leaseDurationSeconds":15}`;

const masterRole = "node-role.kubernetes.io/master:true";

/** Every part of `clusterProbe`, with the pods of the hosts that leave. */
export const clusterParts = (count: number, leaving: readonly string[]): Record<string, Given> => ({
  nodes: [
    numbers(count)
      .map((m) => `${master(m)}||True|${addressOf(m)}|2023-11-01T10:00:00Z|map[${masterRole} zone:a]\n`)
      .join("") +
      Object.entries(nodeAddresses)
        .map(([name, at]) => `${name}||True|${at}||map[zone:a]\n`)
        .join(""),
    0,
  ],
  endpoints: [
    `${numbers(count)
      .map((m) => `${addressOf(m)} `)
      .join("")}|https=8443 dns=8053 dns-tcp=8053 \n`,
    0,
  ],
  "holder:configmap": [leaderAnnotation, 0],
  "holder:endpoints": ["", 0],
  "holder:lease": ["", 0],
  ...Object.fromEntries(leaving.map((name): [string, Given] => [`pods:${name}`, [podsText(name), 0]])),
});
/** Static pods, a daemon's, a finished one, and one that a drain has to move: `namespace|name|owner|mirror|emptyDir|phase`. */
const podsText = (name: string): string =>
  [
    `kube-system|master-api-${name}||5b1d9a||Running`,
    "openshift-sdn|sdn-x7k2p|DaemonSet|||Running",
    "default|build-1-build|Job|||Succeeded",
    "default|router-1-abcde|ReplicationController|||Running",
    "",
  ].join("\n");

/** A file of a host, with the hash of its bytes. */
export const fileOf = (path: string, text: string): FileFacts => ({
  path,
  text,
  sha256: createHash("sha256").update(text).digest("hex"),
});

/** `count` masters, all well, with the pods of those `leaving`. */
export function healthy(count: number, leaving: readonly string[] = [], leader = 0): World {
  return {
    masters: Object.fromEntries(
      numbers(count).map((n) => [master(n), masterFacts(probed(masterParts(n, count, leader)))]),
    ),
    balancers: Object.fromEntries(
      Object.keys(balancerAddresses).map((name) => [
        name,
        balancerFacts(probed(balancerParts(name, count)), "/etc/haproxy/haproxy.cfg"),
      ]),
    ),
    nodes: Object.fromEntries(
      Object.keys(nodeAddresses).map((name) => [name, nodeFacts(probed(nodeParts(name, count)))]),
    ),
    inventory: fileOf("/srv/stack/hosts", inventoryText(count)),
    cluster: clusterFacts(probed(clusterParts(count, leaving))),
    local: { freeForArchive: 10 * 2 ** 30, keyFlaw: undefined },
    budgets: budgetFacts(probed(budgetParts(leaving)), leaving),
  };
}

/** Every part of `budgetProbe`: the one pod that has to move is under a budget that allows it. */
export const budgetParts = (leaving: readonly string[]): Record<string, Given> => ({
  budgets: ["budget|default|router|policy/v1beta1|1|2|1|2|1|<no value>|selector|deploymentconfig=router,|\nend\n", 0],
  ...Object.fromEntries(
    leaving.map((name): [string, Given] => [
      `pods:${name}`,
      ["pod|default|router-1-abcde||deploymentconfig=router,router=router,\nend\n", 0],
    ]),
  ),
});

/** A healthy world of `count` masters and the change in which those numbered leave. */
export function removal(
  count: number,
  leaving: readonly number[],
  acknowledge: readonly string[] = [],
): { world: World; change: Change } {
  const change = changeOf(count, leaving, acknowledge);
  return { world: healthy(count, Object.keys(change.leaving)), change };
}

type Patch<T> = Partial<T> | ((facts: T) => Partial<T>);

function patched<T extends object>(
  group: Readonly<Record<string, T | { unreachable: string }>>,
  name: string,
  patch: Patch<T>,
) {
  const facts = group[name];
  if (facts === undefined || "unreachable" in facts) throw new Error(`no facts of ${name} to change`);
  return { ...group, [name]: { ...facts, ...(typeof patch === "function" ? patch(facts) : patch) } };
}

export const withMaster = (world: World, name: string, patch: Patch<MasterFacts>): World => ({
  ...world,
  masters: patched<MasterFacts>(world.masters, name, patch),
});
export const withBalancer = (world: World, name: string, patch: Patch<BalancerFacts>): World => ({
  ...world,
  balancers: patched<BalancerFacts>(world.balancers, name, patch),
});
export const withNode = (world: World, name: string, patch: Patch<NodeFacts>): World => ({
  ...world,
  nodes: patched<NodeFacts>(world.nodes, name, patch),
});
export const withCluster = (world: World, patch: Patch<ClusterFacts>): World => ({
  ...world,
  cluster: patched<ClusterFacts>({ it: world.cluster }, "it", patch)["it"] as ClusterFacts,
});
/** Changes what every reachable master says of etcd. */
export const withEtcd = (world: World, patch: Patch<EtcdFacts>, only?: string): World => ({
  ...world,
  masters: Object.fromEntries(
    Object.entries(world.masters).map(([name, facts]) => {
      if ("unreachable" in facts || facts.etcd === undefined || (only !== undefined && only !== name))
        return [name, facts];
      const { etcd } = facts;
      return [name, { ...facts, etcd: { ...etcd, ...(typeof patch === "function" ? patch(etcd) : patch) } }];
    }),
  ),
});
export const unreachable = (world: World, name: string): World => {
  const gone = { unreachable: `${name}: Timed out while waiting for handshake` };
  return {
    ...world,
    ...(name in world.masters ? { masters: { ...world.masters, [name]: gone } } : {}),
    ...(name in world.balancers ? { balancers: { ...world.balancers, [name]: gone } } : {}),
    ...(name in world.nodes ? { nodes: { ...world.nodes, [name]: gone } } : {}),
  };
};

type FileKey = keyof MasterFacts["files"];
/** Changes the text of a master's file. */
export const withFile = (world: World, name: string, key: FileKey, edit: (text: string) => string): World =>
  withMaster(world, name, (facts) => {
    const file = facts.files[key];
    if (file === undefined) throw new Error(`${name} has no ${key}`);
    return { files: { ...facts.files, [key]: fileOf(file.path, edit(file.text)) } };
  });
/** Changes the text of a load balancer's file. */
export const withConfig = (world: World, name: string, edit: (text: string) => string): World =>
  withBalancer(world, name, ({ files }) => ({
    files: files.map((file, n) => (n === 0 ? fileOf(file.path, edit(file.text)) : file)),
  }));

/** Replaces a text that must be there. */
export function swap(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`"${from}" is not in the text`);
  return text.replace(from, to);
}

function written(world: World, host: string, edit: Edit): World {
  const file = fileOf(edit.before.path, edit.after);
  if (host in world.nodes)
    return withNode(world, host, ({ flanneld }) => ({
      flanneldFile: file,
      flanneld: flanneld && { ...flanneld, stale: flanneld.active },
    }));
  if (host in world.balancers)
    return withBalancer(world, host, ({ files }) => ({
      files: files.map((one) => (one.path === file.path ? file : one)),
    }));
  return withMaster(world, host, (facts) => {
    const key = (Object.keys(facts.files) as FileKey[]).find((one) => facts.files[one]?.path === file.path);
    if (key === undefined) throw new Error(`${host} has no ${file.path}`);
    if (facts.files[key]?.text !== edit.before.text) throw new Error(`${host}: ${file.path} is not what was planned`);
    return {
      files: { ...facts.files, [key]: file },
      ...(key === "masterConfig" ? { configChanged: now } : {}),
      ...(key === "flanneld"
        ? { flanneld: facts.flanneld && { ...facts.flanneld, stale: facts.flanneld.active } }
        : {}),
    };
  });
}

function rewritten(world: World, { before, after: text }: Edit): World {
  if (!isReachable(world.inventory)) throw new Error("the inventory cannot be reached");
  const now = <T extends FileFacts>(file: T): T =>
    file.path === before.path ? { ...file, ...fileOf(file.path, text) } : file;
  const { more } = world.inventory;
  return { ...world, inventory: { ...now(world.inventory), ...(more && { more: more.map(now) }) } };
}

const led = (world: World, leaderId: string): World =>
  withEtcd(world, ({ status }) => ({ status: status && { ...status, leaderId } }));

/** What the hosts show once the step is done, and nothing behind it. */
export function after(world: World, step: Step): World {
  switch (step.do) {
    case "backup":
    case "snapshot":
    case "report":
      return world;
    case "hand-over": {
      const path = step.authority === "etcd" ? "/etc/etcd/ca/serial" : "/etc/origin/master/ca.serial.txt";
      return withMaster(world, step.host, ({ authority }) => ({
        authority: [
          ...authority.filter((one) => one.path !== path),
          placeOf(path, step.serial, { digest: step.digest }),
        ],
      }));
    }
    case "edit":
      return written(world, step.host, step.edit);
    case "balance": {
      const edited = step.edits.reduce((now, edit) => written(now, step.host, edit), world);
      return withBalancer(edited, step.host, ({ files, stats }) => {
        const servers = serversIn(files);
        return {
          unloaded: false,
          ...(stats && { stats: stats.filter((row) => servers.some((one) => one.server === row.server)) }),
        };
      });
    }
    case "put-back":
      return withBalancer(world, step.host, ({ files, stats }) => ({
        files: files.map(({ path, text }) => fileOf(path, text.replaceAll(" disabled #openshift-masters", ""))),
        ...(stats && { stats: stats.map((row) => ({ ...row, status: "UP" })) }),
      }));
    case "cordon":
      return withCluster(world, ({ nodes }) => ({
        nodes: nodes.map((one) => (one.name === step.node ? { ...one, unschedulable: true } : one)),
      }));
    case "drain":
      return withCluster(world, ({ pods }) => ({
        pods: {
          ...pods,
          [step.node]: (pods[step.node] ?? []).filter((pod) => pod.mirror || pod.owner === "DaemonSet"),
        },
      }));
    case "disable-manifest": {
      const off = withMaster(world, step.host, (facts) => ({
        pods: facts.pods.filter((file) => file !== step.manifest),
        disabledPods: [...facts.disabledPods, step.manifest],
        listeners: facts.listeners.filter(({ port }) => port !== step.port),
        ...(step.port === 8443 ? { readiness: { ready: false, asked: "/readyz", seen: "HTTP no answer" } } : {}),
        ...(step.port === 2379 ? { etcd: undefined, etcdSeen: "nothing listens on port 2379" } : {}),
      }));
      const gone = Object.keys(world.masters).indexOf(step.host);
      return step.port === 8443
        ? withCluster(off, ({ endpoints }) => ({
            endpoints: { ...endpoints, addresses: endpoints.addresses.filter((one) => one !== addressOf(gone)) },
          }))
        : off;
    }
    case "move-leader":
      return led(world, step.to);
    case "stop-leader": {
      const off = withMaster(world, step.host, (facts) => ({
        pods: facts.pods.filter((file) => file !== "etcd.yaml"),
        disabledPods: [...facts.disabledPods, "etcd.yaml"],
        listeners: facts.listeners.filter(({ port }) => port !== 2379),
        etcd: undefined,
        etcdSeen: "nothing listens on port 2379",
      }));
      return led(off, memberIds.find((id) => id !== step.member) ?? "");
    }
    case "set-aside-data":
      return withMaster(world, step.host, { etcdData: false });
    case "remove-member":
      return withEtcd(world, ({ members }) => ({ members: members.filter(({ id }) => id !== step.member) }));
    case "restart-master":
      return withMaster(world, step.host, ({ listeners }) => ({
        listeners: listeners.map((one) => (one.port === 2379 ? one : { ...one, since: now + 60 })),
      }));
    case "restart-flannel": {
      const fresh = (service: MasterFacts["flanneld"]) => ({ flanneld: service && { ...service, stale: false } });
      return step.host in world.nodes
        ? withNode(world, step.host, ({ flanneld }) => fresh(flanneld))
        : withMaster(world, step.host, ({ flanneld }) => fresh(flanneld));
    }
    case "await-endpoints":
      return withCluster(world, ({ endpoints }) => ({ endpoints: { ...endpoints, addresses: step.addresses } }));
    case "stop-node-service":
      return withMaster(world, step.host, ({ nodeService }) => ({
        nodeService: nodeService && { ...nodeService, active: false, enabled: false },
      }));
    case "delete-node":
      return withCluster(world, ({ nodes }) => ({ nodes: nodes.filter((one) => one.name !== step.node) }));
    case "commit-inventory":
      return world;
    case "move-host-vars": {
      const { inventory } = world;
      const left = isReachable(inventory)
        ? (inventory.hostVars ?? []).filter((path) => !step.paths.includes(path))
        : [];
      return { ...world, inventory: { ...inventory, hostVars: left } };
    }
    case "edit-inventory":
      return rewritten(world, step.edit);
  }
}
