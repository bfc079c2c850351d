/** One planner for each resource of the chain: from what was seen and what is wanted to the steps that are still to be done. */
import { dropMember, initialCluster, authorityOf } from "./etcd-conf.ts";
import {
  type BalancerFacts,
  type ClusterFacts,
  type FileFacts,
  type MasterFacts,
  type NodeFacts,
  type PodFacts,
  type ServiceFacts,
  isReachable,
} from "./facts.ts";
import { dropEndpoint } from "./flanneld.ts";
import { dropHost as dropServers, serversFor, serversOf, setDisabled } from "./haproxy.ts";
import { type InventoryForm, dropHost as dropFromInventory } from "./inventory.ts";
import { dropMaster, dropNoProxy } from "./master-config.ts";
import { memberOf, observedMembers, viewOfSurvivors } from "./members.ts";
import { clientUrl, paths } from "./probe.ts";
import { sh } from "./quote.ts";
import { Refusal, Unasked } from "./refusal.ts";
import { isAddressOf } from "./same-host.ts";
import { decide } from "./topology.ts";
import { type Change, type Edit, type Server, type Step, type World, entries, identityOf, isGone } from "./steps.ts";

export type Planner = (world: World, change: Change) => Step[];

/** Runs a pure editor on a host's file; its refusal is told with host and path. */
function edited(host: string, file: FileFacts, edit: (text: string) => string): Edit | undefined {
  try {
    const after = edit(file.text);
    return after === file.text ? undefined : { before: file, after };
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${host}: ${file.path}: ${error.message}`);
    throw error;
  }
}
/** A master that stays. @throws Unasked when it could not be asked: what is not known is not done */
function survivor(world: World, name: string): MasterFacts {
  const facts = world.masters[name];
  if (isReachable(facts)) return facts;
  throw new Unasked(`${name} could not be asked: ${facts?.unreachable ?? "it was not looked at"}`);
}
/** A leaving master; undefined when it is gone, or needed no more because its Node, the last of it, has been deleted. */
function leaver(world: World, change: Change, name: string): MasterFacts | undefined {
  const facts = world.masters[name];
  if (isReachable(facts)) return facts;
  if (isGone(name, world, change) || !clusterOf(world).nodes.some((node) => node.name === name)) return undefined;
  throw new Unasked(`${name} could not be asked: ${facts?.unreachable ?? "it was not looked at"}`);
}
function clusterOf(world: World): ClusterFacts {
  const { cluster } = world;
  if (!isReachable(cluster)) throw new Unasked(`the cluster could not be asked: ${cluster.unreachable}`);
  if (cluster.unknown.length > 0) throw new Unasked(`the cluster could not be asked: ${cluster.unknown.join("; ")}`);
  return cluster;
}
function balancerOf(world: World, change: Change, balancer: string): BalancerFacts & { config: FileFacts } {
  const facts = world.balancers[balancer];
  if (!isReachable(facts))
    throw new Unasked(`${balancer} could not be asked: ${facts?.unreachable ?? "it was not looked at"}`);
  const { config } = facts;
  const settings = change.settings.loadBalancers[balancer];
  const path = settings?.kind === "haproxy" ? settings.config : "its configuration";
  if (config === undefined) throw new Unasked(`${balancer}: ${path} could not be read (${facts.configSeen})`);
  return { ...facts, config };
}
const nobodyLeaves = (change: Change): boolean => Object.keys(change.leaving).length === 0;
const forEachLeaving = (change: Change, edit: (text: string, name: string) => string) => (text: string) =>
  Object.keys(change.leaving).reduce((now, name) => edit(now, name), text);

/** A fresh, verified set of every master that can be reached; the leaving ones first of all. */
export const planBackups: Planner = (world, change) =>
  [...Object.keys(change.leaving).filter((name) => !isGone(name, world, change)), ...Object.keys(change.survivors)].map(
    (host) => ({
      do: "backup",
      what: "master",
      host,
      title: `back up /etc/origin, /etc/sysconfig, /etc/etcd and what belongs to them below ${change.settings.backup.directory}, and copy it to ${change.settings.backup.archive}`,
    }),
  );

/** The data from one healthy survivor, the one with the highest revision, and /etc/etcd of each member. */
export const planSnapshot: Planner = (world, change) => {
  const candidates = Object.keys(change.survivors).flatMap((host) => {
    const { etcd } = survivor(world, host);
    return etcd?.healthy === true && etcd.status !== undefined ? [{ host, etcd, status: etcd.status }] : [];
  });
  const newest = (a: string, b: string) => Number(BigInt(b) - BigInt(a));
  const best = candidates.toSorted((a, b) => newest(a.status.revision, b.status.revision))[0];
  if (best === undefined) throw new Unasked("no healthy surviving etcd member to take a snapshot of");
  const endpoint = clientUrl(change.survivors[best.host] ?? "");
  const v2 = best.etcd.v2 || Object.keys(change.survivors).some((host) => survivor(world, host).flanneld !== undefined);
  const configs = planBackups(world, change).map((step): Step => ({
    do: "backup",
    what: "etcd-config",
    host: step.host,
    title: "back up /etc/etcd on its own",
  }));
  return [
    ...configs,
    {
      do: "snapshot",
      host: best.host,
      v2,
      revision: best.status.revision,
      endpoint,
      via: best.etcd.via,
      title: `snapshot of etcd at revision ${best.status.revision} or later${v2 ? ", and of the v2 store" : ""}, verified off the host`,
      commands: [
        `etcdctl --endpoints ${endpoint} snapshot save /var/lib/etcd/… (${best.etcd.via === "host" ? "etcdctl of the host" : "in the etcd pod, by master-exec"})`,
      ],
    },
  ];
};

/** The hand-over of a certificate authority is refused by Preflight; nothing else is ever to be done. */
export const planAuthority: Planner = () => [];

/** The stats socket takes `set server … state`: it is admin-level, and haproxy is 1.6 or later. */
export const canSetState = (facts: BalancerFacts): boolean =>
  facts.stats !== undefined &&
  /^\s*stats\s+socket\s[^#\n]*\blevel\s+admin\b/m.test(facts.config?.text ?? "") &&
  !/^1\.[0-5]\b/.test(facts.version);

/** One load balancer: the server lines of the leaving masters go; a reload that a killed run did not reach is made up for. */
export const planBalancer =
  (balancer: string): Planner =>
  (world, change) => {
    const settings = change.settings.loadBalancers[balancer];
    if (settings?.kind !== "haproxy" || nobodyLeaves(change)) return [];
    const facts = balancerOf(world, change, balancer);
    const edit = edited(
      balancer,
      facts.config,
      forEachLeaving(change, (text, name) => dropServers(text, identityOf(name, change.leaving)).text),
    );
    const remaining = serversOf(edit?.after ?? facts.config.text);
    const dropped = serversOf(facts.config.text).filter(
      (one) => !remaining.some((other) => other.section === one.section && other.server === one.server),
    );
    const stale = edit === undefined && isStale(facts);
    if (edit === undefined && !stale) return [];
    const names = Object.keys(change.leaving).join(", ");
    return [
      {
        do: "balance",
        host: balancer,
        service: settings.service,
        socket: facts.socket,
        reload: true,
        ...(edit === undefined ? {} : { edit }),
        title:
          edit === undefined
            ? `reload ${settings.service}: it still runs without the last edit`
            : `take ${names} out of the pools, reload ${settings.service}, prove the others UP`,
        drain: canSetState(facts) ? dropped.map(serverOf) : [],
        up: inService(edit?.after ?? facts.config.text, change),
        commands: [
          ...(canSetState(facts)
            ? dropped.map((one) => `set server ${backendOf(one.section)}/${one.server} state drain`)
            : []),
          sh`haproxy -c -f ${settings.config}`,
          sh`systemctl ${facts.canReload ? "reload" : "restart"} ${settings.service}`,
        ],
      },
    ];
  };
const serverOf = ({ section, server }: Server): Server => ({ section, server });
/** `backend atomic-openshift-api` → `atomic-openshift-api`, as the statistics name it. */
export const backendOf = (section: string): string => section.split(/\s+/)[1] ?? section;
/** Servers of the masters that stay, but for those the file disables. */
const inService = (config: string, change: Change): Server[] =>
  Object.keys(change.survivors).flatMap((name) =>
    serversFor(config, identityOf(name, change.survivors))
      .filter((one) => !one.disabled)
      .map(serverOf),
  );
/** haproxy runs with a server that its file no longer has; with templates the file does not say which ones there are. */
function isStale(facts: BalancerFacts): boolean {
  if (/^\s*server-template\s/m.test(facts.config?.text ?? "")) return false;
  const inFile = new Set(serversOf(facts.config?.text ?? "").map((one) => `${backendOf(one.section)}/${one.server}`));
  return (facts.stats ?? []).some((one) => !inFile.has(`${one.backend}/${one.server}`));
}

/** A pod that a drain has to move. */
export const isEvictable = (pod: PodFacts): boolean =>
  !pod.mirror && pod.owner !== "DaemonSet" && pod.owner !== "Node" && !["Succeeded", "Failed"].includes(pod.phase);

/** Cordon, then drain, as long as the Node is there. */
export const planDrain: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const cluster = clusterOf(world);
  const through = Object.keys(change.survivors)[0] ?? "";
  return Object.keys(change.leaving).flatMap((node): Step[] => {
    const seen = cluster.nodes.find((one) => one.name === node);
    if (seen === undefined) return [];
    const risk = (name: string) => change.settings.acknowledge.includes(`${name}:${node}`);
    const flags = [
      "--ignore-daemonsets",
      ...(risk("evict-bare-pods") ? ["--force"] : []),
      ...(risk("local-data") ? ["--delete-local-data"] : []),
    ];
    const pods = (cluster.pods[node] ?? []).filter(isEvictable);
    return [
      ...(seen.unschedulable
        ? []
        : [
            {
              do: "cordon" as const,
              host: through,
              node,
              flags: [],
              title: `make ${node} unschedulable`,
              commands: [sh`oc adm cordon ${node}`],
            },
          ]),
      ...((pods.length === 0 && seen.unschedulable) || isGone(node, world, change)
        ? []
        : [
            {
              do: "drain" as const,
              host: through,
              node,
              flags,
              title: `drain ${node}: ${podsInWords(pods)}`,
              commands: [sh`oc adm drain ${node} ${flags} --timeout=300s`],
            },
          ]),
    ];
  });
};

const podsInWords = (pods: readonly PodFacts[]): string => {
  const some = pods.slice(0, 5).map((pod) => `${pod.namespace}/${pod.name}`);
  return pods.length === 0
    ? "no pod to move now"
    : `${pods.length} to move: ${some.join(", ")}${pods.length > some.length ? ", …" : ""}`;
};

/** Controllers first, and another must hold the lease; then the API. The etcd pod belongs to EtcdMembership. */
export const planStaticPods: Planner = (world, change) =>
  Object.keys(change.leaving).flatMap((host) => {
    const facts = leaver(world, change, host);
    if (facts === undefined) return [];
    return [
      ...disable(facts, host, "controller.yaml", 8444, true),
      ...disable(facts, host, "apiserver.yaml", 8443, false),
    ];
  });

function disable(facts: MasterFacts, host: string, manifest: string, port: number, lease: boolean): Step[] {
  const there = facts.pods.includes(manifest);
  if (!there && !facts.listeners.some((listener) => listener.port === port)) return [];
  const what =
    { "controller.yaml": "controllers", "apiserver.yaml": "API", "etcd.yaml": "etcd pod" }[manifest] ?? manifest;
  return [
    {
      do: "disable-manifest",
      host,
      manifest,
      port,
      node: host,
      lease,
      title: there
        ? `${what} off: ${manifest} to disabled/, until port ${port} is closed${lease ? " and another master holds the controllers' lease" : ""}`
        : `wait until port ${port} of the ${what} is closed`,
      commands: there
        ? [`mkdir -p ${paths.disabled}`, `mv ${paths.pods}/${manifest} ${paths.disabled}/${manifest}`]
        : [],
    },
  ];
}

/** Leadership away, removal by id through a survivor, the etcd pod off, and the survivors' ETCD_INITIAL_CLUSTER. */
export const planMembership: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const view = viewOfSurvivors(world, change);
  if (view === undefined) throw new Unasked("no healthy etcd member that stays could be asked");
  const { host: through, etcd } = view;
  const observed = observedMembers(world, change, etcd);
  const { settings } = change;
  const decision = decide({
    members: observed,
    leaving: Object.keys(change.leaving),
    acknowledge: settings.acknowledge,
  });
  if (decision.verdict === "refuse") throw new Refusal(decision.reasons.join("; "));
  const to = observed.find((member) => member.healthy && member.name in change.survivors)?.id;
  const removals = decision.order.flatMap((name, n): Step[] => {
    const member = memberOf(name, change.leaving, etcd.members);
    if (member === undefined) return [];
    const leads = etcd.status?.leaderId === member.id && leaver(world, change, name) !== undefined;
    return [
      ...(leads && to !== undefined
        ? [
            {
              do: "move-leader" as const,
              host: name,
              member: member.id,
              to,
              title: `move etcd's leadership from ${name} to member ${to}`,
              commands: [sh`etcdctl move-leader ${to}`],
            },
          ]
        : []),
      {
        do: "remove-member",
        host: through,
        member: member.id,
        peer: member.peerURLs[0] ?? "",
        title: `remove etcd member ${member.id} (${member.name === "" ? "unstarted" : member.name}, ${member.peerURLs.join(" ")}), then prove ${etcd.members.length - 1 - n} healthy members`,
        commands: [sh`etcdctl member remove ${member.id}`],
      },
    ];
  });
  const pods = Object.keys(change.leaving).flatMap((host) => {
    const facts = leaver(world, change, host);
    return facts === undefined ? [] : disable(facts, host, "etcd.yaml", 2379, false);
  });
  const confs = Object.keys(change.survivors).flatMap((host): Step[] => {
    const file = survivor(world, host).files.etcdConf;
    const edit =
      file &&
      edited(
        host,
        file,
        forEachLeaving(change, (text, name) => dropFromInitialCluster(text, name, change)),
      );
    return edit === undefined
      ? []
      : [
          editStep(
            host,
            edit,
            `take ${Object.keys(change.leaving).join(", ")} out of ETCD_INITIAL_CLUSTER (etcd is not restarted)`,
          ),
        ];
  });
  return [...removals, ...pods, ...confs];
};

function dropFromInitialCluster(conf: string, name: string, change: Change): string {
  const identity = identityOf(name, change.leaving);
  const urls = initialCluster(conf)
    .filter((entry) => isAddressOf(identity, authorityOf(entry.url)?.host ?? ""))
    .map((entry) => entry.url);
  return dropMember(conf, { name, peerURLs: urls }).text;
}

const editStep = (host: string, edit: Edit, title: string): Step => ({
  do: "edit",
  host,
  edit,
  title: `${edit.before.path}: ${title}`,
});

/** Each survivor's master-config.yaml and master.env, and its restart, one master after the other. */
export const planMasterConfig: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const count = Object.keys(change.survivors).length;
  const balancers = entries(change.settings.loadBalancers)
    .filter(([, entry]) => entry.kind === "haproxy")
    .map(([name]) => name);
  return Object.keys(change.survivors).flatMap((host): Step[] => {
    const facts = survivor(world, host);
    const { masterConfig, masterEnv } = facts.files;
    const names = Object.keys(change.leaving).join(", ");
    const config =
      masterConfig &&
      edited(
        host,
        masterConfig,
        forEachLeaving(change, (text, name) => dropMaster(text, identityOf(name, change.leaving), count).text),
      );
    const env =
      masterEnv &&
      edited(
        host,
        masterEnv,
        forEachLeaving(change, (text, name) => dropNoProxy(text, identityOf(name, change.leaving)).text),
      );
    const changed = config !== undefined || env !== undefined;
    const old = (port: number) =>
      changed ||
      facts.listeners.some(
        (listener) => listener.port === port && listener.since > 0 && listener.since <= facts.configChanged,
      );
    const components = [...(old(8443) ? ["api" as const] : []), ...(old(8444) ? ["controllers" as const] : [])];
    const node = identityOf(host, change.survivors);
    // the only master cannot leave its pools: its API is away while it restarts, as Preflight says
    const around = components.includes("api") && count > 1 ? balancers : [];
    const restart: Step[] =
      components.length === 0
        ? []
        : [
            {
              do: "restart-master",
              host,
              node,
              components,
              balancers: around,
              title: `restart ${components.join(" and ")}, ${around.length === 0 ? "" : `out of ${around.join(", ")} meanwhile, `}and wait until ready`,
              commands: [
                ...around.map((name) => `${name}: ${wayOut(world, name)}`),
                ...components.map((name) => `master-restart ${name}`),
                ...around.map((name) => `${name}: put back, proved UP`),
              ],
            },
          ];
    // a killed run may have left it out of a pool; a restart out of its pools puts it back afterwards
    const back =
      around.length > 0
        ? []
        : balancers
            .filter((name) => isOut(world, change, name, node))
            .map((balancer): Step => ({
              do: "put-back",
              host: balancer,
              balancer,
              node,
              title: `put ${host} back into the pools`,
            }));
    return [
      ...(config ? [editStep(host, config, `take ${names} out of etcdClientInfo.urls, masterCount ${count}`)] : []),
      ...(env ? [editStep(host, env, `take ${names} out of NO_PROXY`)] : []),
      ...back,
      ...restart,
    ];
  });
};
const wayOut = (world: World, balancer: string): string => {
  const facts = world.balancers[balancer];
  return isReachable(facts) && canSetState(facts)
    ? "set server … state maint through the stats socket"
    : "`disabled` on its server lines, reload";
};
/** In the file or at run time, the host's servers are not in service. */
function isOut(world: World, change: Change, balancer: string, node: ReturnType<typeof identityOf>): boolean {
  const facts = balancerOf(world, change, balancer);
  const own = serversFor(facts.config.text, node);
  const inMaintenance = (one: Server) =>
    (facts.stats ?? []).some(
      (row) => row.backend === backendOf(one.section) && row.server === one.server && /^(MAINT|DRAIN)/.test(row.status),
    );
  return own.some((one) => one.disabled || inMaintenance(one));
}
/** What an edit of the load balancer's file looks like when a server goes out or comes back. */
export const disabledEdit = (
  host: string,
  file: FileFacts,
  node: ReturnType<typeof identityOf>,
  disabled: boolean,
): Edit | undefined => edited(host, file, (text) => setDisabled(text, node, disabled).text);

/** Flannel's etcd endpoints, on every master that stays and every other node that can be reached. */
export const planFlannel: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const hosts: [string, FileFacts | undefined, ServiceFacts | undefined][] = [
    ...Object.keys(change.survivors).map((host): [string, FileFacts | undefined, ServiceFacts | undefined] => [
      host,
      survivor(world, host).files.flanneld,
      survivor(world, host).flanneld,
    ]),
    ...entries(world.nodes).flatMap(([host, facts]): [string, FileFacts | undefined, ServiceFacts | undefined][] =>
      isReachable<NodeFacts>(facts) ? [[host, facts.flanneldFile, facts.flanneld]] : [],
    ),
  ];
  return hosts.flatMap(([host, file, service]): Step[] => {
    const edit =
      file &&
      edited(
        host,
        file,
        forEachLeaving(change, (text, name) => dropEndpoint(text, identityOf(name, change.leaving)).text),
      );
    const restart = service !== undefined && (edit !== undefined ? service.active : service.stale);
    return [
      ...(edit
        ? [editStep(host, edit, `take ${Object.keys(change.leaving).join(", ")} out of the etcd endpoints`)]
        : []),
      ...(restart
        ? [
            {
              do: "restart-flannel" as const,
              host,
              title: "restart flanneld, proved active",
              commands: ["systemctl restart flanneld.service"],
            },
          ]
        : []),
    ];
  });
};

/** The kubernetes service must name exactly the masters that stay; the APIs see to that, this waits. */
export const planEndpoints: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const wanted = Object.values(change.survivors).toSorted();
  const stale = clusterOf(world).endpoints.addresses.filter((address) =>
    Object.values(change.leaving).includes(address),
  );
  if (stale.length === 0) return [];
  return [
    {
      do: "await-endpoints",
      host: Object.keys(change.survivors)[0] ?? "",
      addresses: wanted,
      title: `wait (90 s at most) until the kubernetes service no longer has ${stale.join(", ")}`,
    },
  ];
};

/** The node service first, so that nothing registers the Node again; then the Node. */
export const planNodeRemoval: Planner = (world, change) => {
  const through = Object.keys(change.survivors)[0] ?? "";
  return Object.keys(change.leaving).flatMap((node): Step[] => {
    const service = leaver(world, change, node)?.nodeService;
    const there = clusterOf(world).nodes.some((one) => one.name === node);
    return [
      ...(service !== undefined && (service.active || service.enabled)
        ? [
            {
              do: "stop-node-service" as const,
              host: node,
              unit: service.unit,
              title: `stop and disable ${service.unit}`,
              commands: [sh`systemctl disable --now ${service.unit}.service`],
            },
          ]
        : []),
      ...(there
        ? [
            {
              do: "delete-node" as const,
              host: through,
              node,
              title: `delete the Node ${node}`,
              commands: [sh`oc delete node ${node}`],
            },
          ]
        : []),
    ];
  });
};

export const inventoryForm = (path: string): InventoryForm => (/\.ya?ml$/.test(path) ? "yaml" : "ini");

/** The retired hosts leave every group of the inventory. */
export const planInventory: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  if (!isReachable(world.inventory))
    throw new Unasked(`the inventory could not be read: ${world.inventory.unreachable}`);
  const { path, host } = change.settings.inventory;
  const where = host ?? "this machine";
  const edit = edited(
    where,
    world.inventory,
    forEachLeaving(
      change,
      (text, name) => dropFromInventory(text, identityOf(name, change.leaving), inventoryForm(path)).text,
    ),
  );
  return edit === undefined
    ? []
    : [
        {
          do: "edit-inventory",
          host: where,
          edit,
          local: host === undefined,
          title: `${path}: take ${Object.keys(change.leaving).join(", ")} out of every group`,
        },
      ];
};

/** Every planner whose plan follows from what the hosts show and names what a leaving host still holds in the cluster. */
export const clusterPlanners = (change: Change): Planner[] => [
  ...Object.keys(change.settings.loadBalancers).map(planBalancer),
  planMembership,
  planMasterConfig,
  planFlannel,
  planEndpoints,
  planNodeRemoval,
  planInventory,
];
