/** What was seen of the hosts, as data: the output of the probes, taken apart. Nothing here is trusted beyond its form. */
import { createHash } from "node:crypto";
import { type CertificateFacts, certificateFacts } from "./certificates.ts";
import type { Ahead } from "./clocks.ts";
import type { EtcdctlVia } from "./etcdctl-command.ts";
import {
  type EndpointStatus,
  type ListedMember,
  parseAlarms,
  parseEndpointStatus,
  parseHealth,
  parseMembers,
} from "./etcdctl.ts";
import { type ServerStats, statsOf } from "./haproxy.ts";
import { type Part, partsOf } from "./parts.ts";
import { nodeServices, staticPods } from "./probe.ts";
import { escapeControls, lastLines } from "./quote.ts";
import { messageOf } from "./refusal.ts";
import { maskLine } from "./show.ts";

/** Name → address. */
export type Hosts = Readonly<Record<string, string>>;

/** A file as it was read: text loses nothing (UTF-8 when it is that, else latin1). */
export interface FileFacts {
  readonly path: string;
  readonly text: string;
  /** Hexadecimal, of the bytes. */
  readonly sha256: string;
}

export interface Identity {
  readonly hostname: string;
  readonly machineId: string;
  /** Seconds since the epoch, by the host's clock. */
  readonly time: number;
  /** How far that is from this machine's clock; absent when nobody compared, or it could not be asked. */
  readonly ahead?: Ahead;
}

export interface ServiceFacts {
  readonly unit: string;
  readonly active: boolean;
  readonly enabled: boolean;
  /** It was started before its configuration was last written. */
  readonly stale: boolean;
}

/** A process that listens on a port; `since` in seconds since the epoch, 0 when the host cannot tell. */
export interface Listener {
  readonly port: number;
  readonly since: number;
}

/** Whether an API says it is ready, and how that was asked. */
export interface Readiness {
  readonly ready: boolean;
  /** `/healthz/ready`, or `/readyz` where the first is not answered. */
  readonly asked: string;
  readonly seen: string;
}

export interface EtcdFacts {
  readonly via: EtcdctlVia;
  /** Version of the etcdctl there, which need not be etcd's own; empty: unknown. */
  readonly etcdctl: string;
  readonly members: readonly ListedMember[];
  /** Of this host's own member. */
  readonly status: EndpointStatus | undefined;
  readonly healthy: boolean;
  readonly detail: string;
  readonly alarms: readonly { memberId: string; alarm: string }[];
  /** Keys exist in the v2 store. */
  readonly v2: boolean;
}

/** One place of a certificate authority. */
export interface AuthorityFacts {
  /** Of its serial: `/etc/origin/master/ca.serial.txt` (OpenShift's), `/etc/etcd/ca/serial`, `/etc/origin/master/etc/etcd/ca/serial`. */
  readonly path: string;
  /** Hexadecimal, unless somebody spoiled it; safe to show. */
  readonly serial: string;
  /** sha256 of its ca.crt, and of the certificate in that alone where the file holds more; empty without one. */
  readonly certificate: readonly string[];
  /** Its ca.key is there. */
  readonly key: boolean;
  /** sha256: OpenShift's of ca.serial.txt, etcd's of the tree of `ca` and `generated_certs`; or why there is none: `links`, `large`, "". */
  readonly digest: string;
}

export interface MasterFacts {
  readonly identity: Identity;
  readonly files: {
    readonly etcdConf?: FileFacts;
    readonly masterConfig?: FileFacts;
    readonly masterEnv?: FileFacts;
    readonly flanneld?: FileFacts;
    readonly manifest?: FileFacts;
  };
  /** Texts of the static pods' manifests, the disabled ones too. */
  readonly manifests: readonly string[];
  /** Files that cannot be edited, with the reason. */
  readonly unreadable: readonly string[];
  readonly pods: readonly string[];
  readonly disabledPods: readonly string[];
  /** /var/lib/etcd/member is there. */
  readonly etcdData: boolean;
  readonly configChanged: number;
  readonly listeners: readonly Listener[];
  readonly nodeService: ServiceFacts | undefined;
  readonly flanneld: ServiceFacts | undefined;
  /** Bytes; undefined when the host cannot tell. */
  readonly freeForBackup: number | undefined;
  readonly backupNeed: number;
  /** The places of certificate authorities that are here. */
  readonly authority: readonly AuthorityFacts[];
  /** What is trusted as the cluster's authorities: sha256 of the file and of each certificate in it; empty without the file. */
  readonly trust: { readonly openshift: readonly string[]; readonly etcd: readonly string[] };
  /** openssl is there, to prove a certificate authority by. */
  readonly openssl: boolean;
  /** Of etcd: those that are here, where openssl can tell. */
  readonly certificates: readonly CertificateFacts[];
  readonly readiness: Readiness;
  /** Undefined when etcd could not be asked; `etcdSeen` says why. */
  readonly etcd: EtcdFacts | undefined;
  readonly etcdSeen: string;
}

export interface BalancerFacts {
  readonly identity: Identity;
  /** What haproxy reads, in its order; empty when it cannot be told or edited: `filesSeen` says why. */
  readonly files: readonly FileFacts[];
  readonly filesSeen: string;
  /** The program of the running unit, and the words of its command line that a check of the files needs too. */
  readonly program: string;
  readonly options: readonly string[];
  readonly valid: boolean;
  readonly validSeen: string;
  readonly active: boolean;
  readonly canReload: boolean;
  readonly version: string;
  /** Master and workers: a reload hands the listening sockets over. */
  readonly workers: boolean;
  /** A file was written by us and no process was started since. */
  readonly unloaded: boolean;
  /** Undefined without a stats socket that answers. */
  readonly stats: readonly ServerStats[] | undefined;
  /** Empty without one. */
  readonly socket: string;
  /** `level admin` is on its line. */
  readonly admin: boolean;
  readonly listening: boolean;
  readonly through: Readiness;
  /** Name → addresses, as that host resolves the names on its server lines and those of masters. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
}

export interface NodeFacts {
  readonly identity: Identity;
  readonly flanneldFile: FileFacts | undefined;
  readonly flanneld: ServiceFacts | undefined;
}

export interface PodFacts {
  readonly namespace: string;
  readonly name: string;
  /** Kind of the controller; empty for a bare pod. */
  readonly owner: string;
  readonly mirror: boolean;
  readonly localData: boolean;
  readonly phase: string;
}

/** A Node; what a test or an older probe does not tell is absent. */
export interface NodeSeen {
  readonly name: string;
  readonly unschedulable: boolean;
  readonly ready: boolean;
  /** Its InternalIP, the first; empty without one. */
  readonly address?: string;
  /** Its labels say that it is a master. */
  readonly master?: boolean;
  /** Seconds since the epoch; 0: unknown. */
  readonly created?: number;
}

/** The cluster's own view; each part undefined when it could not be asked. */
export interface ClusterFacts {
  readonly nodes: readonly NodeSeen[];
  readonly endpoints: { readonly addresses: readonly string[]; readonly ports: Readonly<Record<string, number>> };
  /** Who holds the controllers' lease, a host name; empty when nobody or unknown. */
  readonly controllers: string;
  /** Pods of the hosts that leave. */
  readonly pods: Readonly<Record<string, readonly PodFacts[]>>;
  /** What could not be asked, one line each. */
  readonly unknown: readonly string[];
}

/** A host that could not be asked. */
export interface Unreachable {
  readonly unreachable: string;
}
export const isReachable = <T extends object>(facts: T | Unreachable | undefined): facts is T =>
  facts !== undefined && !("unreachable" in facts);

const decode = (bytes: Uint8Array): string => {
  const buffer = Buffer.from(bytes);
  const utf8 = buffer.toString("utf8");
  return buffer.equals(Buffer.from(utf8, "utf8")) ? utf8 : buffer.toString("latin1");
};
const text = (part: Part | undefined): string => (part === undefined ? "" : decode(part.bytes));
const word = (part: Part | undefined): string => text(part).trim();
const linesOf = (part: Part | undefined): string[] =>
  text(part)
    .split("\n")
    .filter((line) => line !== "");
const brief = (part: Part | undefined): string => escapeControls(lastLines(text(part), 2).join(" / ")) || "no answer";

/** A file from its bytes, wherever they were read. */
export const fileFrom = (path: string, bytes: Uint8Array): FileFacts => ({
  path,
  text: decode(bytes),
  sha256: createHash("sha256").update(bytes).digest("hex"),
});
function fileOf(part: Part | undefined, path: string): FileFacts | undefined {
  if (part?.state !== 0) return undefined;
  return fileFrom(path, part.bytes);
}
const identityOf = (parts: ReadonlyMap<string, Part>): Identity => ({
  hostname: word(parts.get("hostname")),
  machineId: word(parts.get("machine-id")),
  time: Number(word(parts.get("time"))) || 0,
});
function serviceOf(parts: ReadonlyMap<string, Part>, unit: string): ServiceFacts | undefined {
  const answer = text(parts.get(`service:${unit}`));
  if (!/^LoadState=loaded$/m.test(answer)) return undefined;
  return {
    unit,
    active: /^ActiveState=(active|activating|reloading)$/m.test(answer),
    enabled: /^UnitFileState=enabled/m.test(answer),
    stale: text(parts.get(`stale:${unit}`)).trim() === "stale",
  };
}
function readinessOf(part: Part | undefined): Readiness {
  const [path = "", ...rest] = text(part).trimEnd().split("\n");
  const code = rest.at(-1) ?? "";
  const body = rest.slice(0, -1).join("\n");
  return {
    ready: code === "200" && body.trim() === "ok",
    asked: `/${path}`,
    seen: `HTTP ${code === "" || code === "000" ? "no answer" : escapeControls(code)}`,
  };
}

/** Facts from `masterProbe`. A part that is missing or not understood leaves its facts empty: Preflight judges them. */
export function masterFacts(stdout: string): MasterFacts {
  const parts = partsOf(stdout);
  const file = (name: string, path: string) => fileOf(parts.get(name), path);
  const [free = "", ...used] = linesOf(parts.get("free"));
  const wanted = {
    etcdConf: file("etcd.conf", "/etc/etcd/etcd.conf"),
    masterConfig: file("master-config", "/etc/origin/master/master-config.yaml"),
    masterEnv: file("master.env", "/etc/origin/master/master.env"),
    flanneld: file("flanneld", "/etc/sysconfig/flanneld"),
    manifest: file("manifest", "/etc/origin/node/pods/etcd.yaml"),
  };
  const { etcd, seen } = etcdOf(parts);
  return {
    identity: identityOf(parts),
    files: Object.fromEntries(Object.entries(wanted).filter(([, facts]) => facts !== undefined)),
    unreadable: ["etcd.conf", "master-config", "master.env", "flanneld", "manifest"].flatMap((name) => {
      const state = parts.get(name)?.state;
      return state === "large"
        ? [`${name} is larger than 4 MiB`]
        : state === "unreadable"
          ? [`${name} is no readable file`]
          : [];
    }),
    manifests: staticPods.map((name) => text(parts.get(`mounts:${name}`))).filter((manifest) => manifest !== ""),
    pods: linesOf(parts.get("pods")),
    disabledPods: linesOf(parts.get("disabled")),
    etcdData: word(parts.get("etcd-data")) === "there",
    configChanged: Number(word(parts.get("config-mtime"))) || 0,
    listeners: linesOf(parts.get("started")).map((line) => ({
      port: Number(line.split(" ")[0]),
      since: Number(line.split(" ")[2]) || 0,
    })),
    nodeService: nodeServices.map((unit) => serviceOf(parts, unit)).find((service) => service !== undefined),
    flanneld: serviceOf(parts, "flanneld"),
    freeForBackup: /^\S.*\s\d+\s+\d+%\s/.test(free) ? Number(free.trim().split(/\s+/).at(-3)) * 1024 : undefined,
    backupNeed: used.reduce((sum, line) => sum + (Number(line.split(/\s+/)[0]) || 0) * 1024, 0),
    authority: linesOf(parts.get("authority")).flatMap(authorityOf),
    trust: {
      openshift: trustOf(parts.get("trust"), "/etc/origin/master/ca.crt"),
      etcd: trustOf(parts.get("trust"), "/etc/etcd/ca.crt"),
    },
    openssl: word(parts.get("openssl")).startsWith("/"),
    certificates: certificateFacts(linesOf(parts.get("certificates"))),
    readiness: readinessOf(parts.get("ready")),
    etcd,
    etcdSeen: seen,
  };
}

const sha256 = /^[0-9a-f]{64}$/;

/** `path serial sha256 sha256 key digest`, `-` for what is not there. */
function authorityOf(line: string): AuthorityFacts[] {
  const [path = "", serial = "", file = "", first = "", key, digest = ""] = line.split(" ");
  if (!path.startsWith("/")) return [];
  return [
    {
      path: escapeControls(path),
      serial: serial === "-" ? "" : escapeControls(serial),
      certificate: sha256.test(file) ? [...new Set([file, first].filter((one) => sha256.test(one)))] : [],
      key: key === "key",
      digest: sha256.test(digest) || digest === "links" || digest === "large" ? digest : "",
    },
  ];
}
const trustOf = (part: Part | undefined, path: string): string[] => [
  ...new Set(
    linesOf(part)
      .filter((line) => line.startsWith(`${path} `))
      .map((line) => line.slice(path.length + 1))
      .filter((hash) => sha256.test(hash)),
  ),
];

function etcdOf(parts: ReadonlyMap<string, Part>): { etcd: EtcdFacts | undefined; seen: string } {
  const via = word(parts.get("via"));
  if (via !== "host" && via !== "master-exec" && via !== "oc-exec")
    return { etcd: undefined, seen: "neither etcdctl nor master-exec nor oc is there" };
  const [list, status, health, alarms] = ["members", "status", "health", "alarms"].map((name) => parts.get(name));
  // master-exec exits 0 without a pod: what counts is that the output is the one expected
  if (list === undefined) return { etcd: undefined, seen: "nothing listens on port 2379" };
  if (list.state !== 0 || !text(list).includes(", ")) return { etcd: undefined, seen: brief(list) };
  try {
    const own = parseHealth(text(health));
    return {
      etcd: {
        via,
        etcdctl: /^etcdctl version: (\d+\.\d+\.\d+)/m.exec(text(parts.get("etcdctl")))?.[1] ?? "",
        members: parseMembers(text(list)),
        status: status?.state === 0 ? parseEndpointStatus(statusJson(text(status)))[0] : undefined,
        // an alarm list that cannot be had is no empty one
        healthy: health?.state === 0 && own.length > 0 && own.every((one) => one.healthy) && alarms?.state === 0,
        detail: brief(alarms?.state === 0 ? health : alarms),
        alarms: alarms?.state === 0 ? parseAlarms(text(alarms)) : [],
        v2: parts.get("v2")?.state === 0 && linesOf(parts.get("v2")).some((line) => line.startsWith("/")),
      },
      seen: "",
    };
  } catch (error) {
    return { etcd: undefined, seen: messageOf(error) };
  }
}
/** etcdctl may warn on stderr, which comes in the same stream. */
const statusJson = (output: string): string => output.split("\n").find((line) => line.startsWith("[")) ?? "[]";

/** Facts from `balancerProbe`; `path` is the configuration file that is declared. */
export function balancerFacts(stdout: string, path: string): BalancerFacts {
  const parts = partsOf(stdout);
  const [valid, stats, service] = [parts.get("valid"), parts.get("stats"), text(parts.get("service"))];
  const words = linesOf(parts.get("words"));
  const [level = "", ...socket] = word(parts.get("socket")).split(" ");
  return {
    identity: identityOf(parts),
    ...configFiles(parts, path),
    program: word(parts.get("program")) || "haproxy",
    options: linesOf(parts.get("options")),
    valid: valid?.state === 0,
    validSeen: escapeControls(lastLines(text(valid), 4).map(maskLine).join(" / ")),
    active: /^ActiveState=(active|reloading)$/m.test(service),
    canReload: /^CanReload=yes$/m.test(service),
    version: escapeControls(/version (\S+)/.exec(text(parts.get("version")))?.[1] ?? "unknown"),
    workers: words.some((one) => one === "-W" || one === "-Ws"),
    unloaded: isUnloaded(parts),
    stats: stats?.state === 0 ? statsOrNothing(text(stats)) : undefined,
    socket: socket.join(" "),
    admin: level === "0",
    listening: linesOf(parts.get("listening")).some((line) => line.startsWith("LISTEN")),
    through: readinessOf(parts.get("through")),
    aliases: Object.fromEntries(
      linesOf(parts.get("aliases")).map((line) => {
        const [name = "", ...addresses] = line.split(" ");
        return [name.toLowerCase(), addresses];
      }),
    ),
  };
}

/** Numbered from 1, in the order of the command line. */
const numbered = (parts: ReadonlyMap<string, Part>): number[] =>
  [...parts.keys()].flatMap((name) => (name.startsWith("config:") ? [Number(name.slice("config:".length))] : []));

/** The declared file, or a folder that is declared, must be among those that the running haproxy was given: another one would be edited in vain. */
function configFiles(parts: ReadonlyMap<string, Part>, path: string): Pick<BalancerFacts, "files" | "filesSeen"> {
  const found = numbered(parts).map((n) => {
    const written = escapeControls(text(parts.get(`path:${n}`)));
    return { written, real: word(parts.get(`real:${n}`)), part: parts.get(`config:${n}`) };
  });
  if (found.length === 0) return { files: [], filesSeen: "no answer" };
  const configured = word(parts.get("configured"));
  const isDeclared =
    configured !== "" && found.some(({ real }) => real === configured || real.startsWith(`${configured}/`));
  const unread = found.find(({ part }) => part?.state !== 0);
  if (unread !== undefined) return { files: [], filesSeen: `${unread.written}: ${String(unread.part?.state)}` };
  if (!isDeclared && path !== found[0]?.written)
    return { files: [], filesSeen: `haproxy there reads ${found.map(({ written }) => written).join(" and ")} instead` };
  return { files: found.flatMap(({ part, written }) => fileOf(part, written) ?? []), filesSeen: "" };
}

/** Seconds between the writing of a file of ours and the last touch of the copy that was kept for it, at most. */
const oneEdit = 60;

/** Only an edit of ours counts: what an administrator wrote and has not loaded yet is theirs to load. */
function isUnloaded(parts: ReadonlyMap<string, Part>): boolean {
  const born = Number(word(parts.get("born")));
  if (!(born > 0)) return false;
  return numbered(parts).some((n) => {
    const written = Number(word(parts.get(`written:${n}`)));
    const kept = Number(word(parts.get(`kept:${n}`)));
    // ps counts whole seconds, from a clock of its own
    return kept > 0 && Math.abs(kept - written) <= oneEdit && written > born + 1;
  });
}

/** Statistics that were cut off are none. */
function statsOrNothing(csv: string): ServerStats[] | undefined {
  try {
    return csv.includes("pxname") ? statsOf(csv) : undefined;
  } catch {
    return undefined;
  }
}

/** Facts from `nodeProbe`. */
export function nodeFacts(stdout: string): NodeFacts {
  const parts = partsOf(stdout);
  return {
    identity: identityOf(parts),
    flanneldFile: fileOf(parts.get("flanneld"), "/etc/sysconfig/flanneld"),
    flanneld: serviceOf(parts, "flanneld"),
  };
}

/** In `map[a:b …]`, as 3.11 prints labels, and in JSON, as later ones do; the last form is that of nodes that label themselves. */
const masterLabel =
  /[[{ ,"](?:node-role\.kubernetes\.io\/(?:master|control-plane)"?:|openshift\.io\/role"?: ?"?master\b)/;

/** Facts from `clusterProbe`. */
export function clusterFacts(stdout: string): ClusterFacts {
  const parts = partsOf(stdout);
  const rows = (name: string) => linesOf(parts.get(name)).map((line) => line.split("|"));
  const missing = ["nodes", "endpoints"].filter((name) => !parts.has(name)).map((name) => `${name}: no answer`);
  const unknown = [...parts]
    .filter(([name, part]) => part.state !== 0 && !name.startsWith("holder:"))
    .map(([name, part]) => `${name}: ${brief(part)}`)
    .concat(missing);
  const subsets = rows("endpoints");
  const addresses = subsets.map(([hosts = ""]) => hosts).join(" ");
  const ports = subsets.map(([, some = ""]) => some).join(" ");
  return {
    nodes:
      parts.get("nodes")?.state === 0
        ? rows("nodes").map(([name = "", unschedulable, ready, addresses, created = "", labels = ""]) => ({
            name,
            unschedulable: unschedulable === "true",
            ready: ready === "True",
            ...(addresses === undefined
              ? {}
              : {
                  address: addresses.split(" ")[0] ?? "",
                  master: masterLabel.test(labels),
                  created: Math.floor(Date.parse(created) / 1000) || 0,
                }),
          }))
        : [],
    endpoints: {
      addresses: addresses.split(" ").filter(Boolean),
      ports: Object.fromEntries(
        ports
          .split(" ")
          .filter(Boolean)
          .map((pair) => [pair.split("=")[0] ?? "", Number(pair.split("=")[1])]),
      ),
    },
    controllers: holder(parts),
    pods: Object.fromEntries(
      [...parts.keys()]
        .filter((name) => name.startsWith("pods:") && parts.get(name)?.state === 0)
        .map((name) => [
          name.slice(5),
          rows(name).map(([namespace = "", pod = "", owner = "", mirror = "", local = "", phase = ""]) => ({
            namespace,
            name: pod,
            owner,
            mirror: mirror !== "",
            localData: local !== "",
            phase,
          })),
        ]),
    ),
    unknown,
  };
}

/** 3.11 keeps the leader in an annotation of a ConfigMap or Endpoints object, upstream in a Lease; the holder is `host_uuid`. */
function holder(parts: ReadonlyMap<string, Part>): string {
  for (const name of ["holder:configmap", "holder:endpoints"]) {
    const identity =
      parts.get(name)?.state === 0 ? /"holderIdentity":"([^"]*)"/.exec(text(parts.get(name)))?.[1] : undefined;
    if (identity !== undefined && identity !== "") return hostOf(identity);
  }
  const lease = parts.get("holder:lease");
  return lease?.state === 0 ? hostOf(word(lease)) : "";
}
const hostOf = (identity: string): string =>
  escapeControls(identity.replace(/[_-][0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, ""));
