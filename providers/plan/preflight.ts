/**
 * May the change be done? Everything is asked before anything is touched, and every refusal is told at once.
 * - always refused: a survivor that cannot be reached, is not ready or not a healthy member; an unknown or unstarted member; an alarm; a load balancer or inventory
 *   that is not understood; masters added and removed at once; a holder of a certificate authority that leaves; too little room for the backups
 * - refused unless acknowledged by name: fewer than three masters, an even number, a leaving host that is gone, bare pods, local data
 * Work that an interrupted run has already done is no reason to refuse.
 */
import { type BalancerFacts, type Hosts, isReachable } from "./facts.ts";
import { hasHost, serversFor } from "./haproxy.ts";
import { resolveInventory } from "./inventory.ts";
import { clientUrls, masterCountOf } from "./master-config.ts";
import { memberOf, membersOf, observedMembers, viewOfSurvivors } from "./members.ts";
import { backendOf, clusterPlanners, inventoryForm, isEvictable } from "./plans.ts";
import { Refusal, Unasked } from "./refusal.ts";
import { type Change, type World, entries, identityOf, isGone } from "./steps.ts";
import { decide, faultTolerance, quorum } from "./topology.ts";

export interface Judgement {
  /** One sentence each; empty: the change may be done. */
  readonly refusals: readonly string[];
  /** Refusals that may pass by themselves within a minute: an API that a killed run was restarting. */
  readonly passing: readonly string[];
  /** What is worth knowing and no reason to refuse. */
  readonly notes: readonly string[];
}

type Check = (
  world: World,
  change: Change,
  before: Hosts | undefined,
) => { refusals?: string[]; passing?: string[]; notes?: string[] };

/**
 * @param before the masters of the last `up`; undefined when the cluster is adopted
 */
export function judge(world: World, change: Change, before: Hosts | undefined): Judgement {
  const checks: Check[] = [
    direction,
    survivors,
    members,
    quorumAndRisks,
    declaredIsThere,
    balancers,
    leavingHosts,
    authority,
    inventory,
    nodes,
    room,
    editable,
  ];
  const found = checks.map((check) => check(world, change, before));
  return {
    refusals: [...new Set(found.flatMap((one) => one.refusals ?? []))],
    passing: [...new Set(found.flatMap((one) => one.passing ?? []))],
    notes: [...new Set(found.flatMap((one) => one.notes ?? []))],
  };
}

const names = (hosts: Hosts): string[] => Object.keys(hosts);

const direction: Check = (_world, change, before) => {
  if (before === undefined) return {};
  const added = names(change.survivors).filter((name) => !(name in before));
  const removed = names(before).filter((name) => !(name in change.survivors));
  const moved = names(change.survivors).filter((name) => name in before && before[name] !== change.survivors[name]);
  return {
    refusals: [
      ...(added.length > 0 && removed.length > 0
        ? [
            `masters are added (${added.join(", ")}) and removed (${removed.join(", ")}) in one change: do one, \`pulumi up\`, then the other`,
          ]
        : []),
      ...moved.map(
        (name) =>
          `the address of ${name} changes from ${before[name] ?? ""} to ${change.survivors[name] ?? ""}: giving a master another address is not a change of the list; put the old address back`,
      ),
    ],
  };
};

const survivors: Check = (world, change) => ({
  refusals: names(change.survivors).flatMap((name) => {
    const facts = world.masters[name];
    if (facts === undefined || !isReachable(facts))
      return [`${name} cannot be reached, and every master that stays must be: ${facts?.unreachable ?? "not asked"}`];
    const { etcd } = facts;
    return [
      ...(etcd === undefined
        ? [
            `etcd on ${name} cannot be asked (${facts.etcdSeen}): every master that stays must run a healthy member; repair it first`,
          ]
        : etcd.healthy
          ? []
          : [`the etcd member on ${name} is not healthy (${etcd.detail}): repair it first`]),
      ...facts.unreadable.map((why) => `${name}: ${why}, so it cannot be edited`),
      ...(facts.files.etcdConf === undefined
        ? [`${name}: /etc/etcd/etcd.conf is not there: is this a master of OpenShift 3.11?`]
        : []),
      ...(facts.files.masterConfig === undefined
        ? [`${name}: /etc/origin/master/master-config.yaml is not there: is this a master of OpenShift 3.11?`]
        : []),
      ...sameMachine(world, name),
    ];
  }),
  passing: names(change.survivors).flatMap((name) => {
    const facts = world.masters[name];
    if (!isReachable(facts) || facts.readiness.ready) return [];
    const { asked, seen } = facts.readiness;
    return [`the API of ${name} is not ready (${asked}: ${seen}): repair it first`];
  }),
});

function sameMachine(world: World, name: string): string[] {
  const own = world.masters[name];
  const id = isReachable(own) ? own.identity.machineId : "";
  return entries(world.masters).flatMap(([other, facts]) =>
    other > name && id !== "" && isReachable(facts) && facts.identity.machineId === id
      ? [`${name} and ${other} are one machine (machine id ${id}): one of the addresses is wrong`]
      : [],
  );
}

const members: Check = (world, change) => {
  const view = viewOfSurvivors(world, change);
  if (view === undefined) return { refusals: ["no master that stays could say who the etcd members are"] };
  const hosts = { ...change.leaving, ...change.survivors };
  const list = view.etcd.members;
  const known = new Map(
    names(hosts).flatMap((name) => membersOf(name, hosts, list).map((member) => [member.id, name] as const)),
  );
  const differing = names(change.survivors).filter((name) => {
    const facts = world.masters[name];
    return (
      isReachable(facts) &&
      facts.etcd !== undefined &&
      facts.etcd.members
        .map((member) => member.id)
        .toSorted()
        .join() !==
        list
          .map((member) => member.id)
          .toSorted()
          .join()
    );
  });
  return {
    refusals: [
      ...list
        .filter((member) => !known.has(member.id))
        .map(
          (member) =>
            `etcd has a member that is not declared: ${member.id} (${member.name || "unstarted"}, ${member.peerURLs.join(" ")}): declare its master, or remove it by hand`,
        ),
      ...list
        .filter((member) => !member.started && (known.get(member.id) ?? "") in change.survivors)
        .map(
          (member) =>
            `the etcd member ${member.id} of ${known.get(member.id) ?? ""} has never started: start or remove it first`,
        ),
      ...names(change.survivors)
        .filter((name) => membersOf(name, hosts, list).length === 0)
        .map(
          (name) =>
            `${name} is declared and is not a member of etcd: scale up with openshift-ansible first, then \`pulumi up\` adopts it`,
        ),
      ...differing.map(
        (name) =>
          `${name} sees other etcd members than ${view.host} does: wait until the cluster agrees, and run this again`,
      ),
      ...names(hosts).flatMap((name) => refusalOf(() => memberOf(name, hosts, list))),
    ],
  };
};
const orNothing = <T>(ask: () => T): T | undefined => {
  try {
    return ask();
  } catch {
    return undefined;
  }
};
function refusalOf(ask: () => unknown): string[] {
  try {
    ask();
    return [];
  } catch (error) {
    if (error instanceof Unasked) return [];
    if (error instanceof Refusal) return [error.message];
    throw error;
  }
}

const quorumAndRisks: Check = (world, change) => {
  const view = viewOfSurvivors(world, change);
  if (view === undefined) return {};
  const observed = orNothing(() => observedMembers(world, change, view.etcd));
  if (observed === undefined) return {};
  const alarms = view.etcd.alarms.map(
    (alarm) => `etcd has an alarm: ${alarm.alarm} on member ${alarm.memberId}: clear its cause first`,
  );
  if (names(change.leaving).length === 0)
    return { refusals: alarms, notes: [toleranceInWords(observed.length, observed.length)] };
  const decision = decide({
    members: observed,
    leaving: names(change.leaving),
    acknowledge: change.settings.acknowledge,
  });
  const after = observed.filter((member) => !(member.name in change.leaving)).length;
  // an interrupted removal has no leaver left to judge: the risk stays the same
  const left =
    decision.reasons.length > 0 || observed.some((member) => member.name in change.leaving)
      ? []
      : risks(after, change.settings.acknowledge);
  return {
    refusals: [...(decision.reasons.length > 0 ? [] : alarms), ...decision.reasons, ...left],
    notes: [
      toleranceInWords(observed.length, after),
      ...(names(change.survivors).length === 1 ? ["one master is left: its API is away while it restarts"] : []),
    ],
  };
};

function risks(after: number, acknowledged: readonly string[]): string[] {
  const met = [...(after < 3 ? ["below-three-masters"] : []), ...(after % 2 === 0 ? ["even-members"] : [])];
  return met
    .filter((risk) => !acknowledged.includes(risk))
    .map((risk) => `${after} masters are left: acknowledge \`${risk}\` to accept it`);
}

/** `4→3: tolerates 1 failure, as before`. */
export function toleranceInWords(before: number, after: number): string {
  const [was, is] = [faultTolerance(before), faultTolerance(after)];
  const failures = is === 0 ? "no failure" : is === 1 ? "1 failure" : `${is} failures`;
  const compared = before === after ? "" : is === was ? ", as before" : `, ${was} before`;
  return `etcd ${before === after ? `${after} members` : `${before}→${after}`}: tolerates ${failures}${compared} (quorum ${quorum(after)})`;
}

/** At adoption: what is declared is what is there. Later drift is the resources' own to tell. */
const declaredIsThere: Check = (world, change, before) => {
  const clusterGone = isReachable(world.cluster)
    ? world.cluster.unknown.map((what) => `the cluster could not be asked: ${what}`)
    : [`the cluster could not be asked: ${world.cluster.unreachable}`];
  if (before !== undefined && names(change.survivors).every((name) => name in before)) return { passing: clusterGone };
  const fresh = names(change.survivors).filter((name) => before === undefined || !(name in before));
  const cluster = isReachable(world.cluster) ? world.cluster : undefined;
  const missing = fresh.flatMap((name) => [
    ...(cluster !== undefined && cluster.unknown.length === 0 && !cluster.nodes.some((node) => node.name === name)
      ? [`${name} is declared and has no Node object: register its node first`]
      : []),
    ...(cluster !== undefined &&
    cluster.unknown.length === 0 &&
    !cluster.endpoints.addresses.includes(change.survivors[name] ?? "")
      ? [
          `${name} is declared and ${change.survivors[name] ?? ""} is not among the addresses of the kubernetes service (${cluster.endpoints.addresses.join(", ")})`,
        ]
      : []),
    ...entries(world.balancers).flatMap(([balancer, facts]) =>
      isReachable(facts) &&
      facts.config !== undefined &&
      !orTrue(() => hasHost(facts.config?.text ?? "", identityOf(name, change.survivors)))
        ? [
            `${name} is declared and ${balancer} has no server line for ${change.survivors[name] ?? ""}: add it to the pool first`,
          ]
        : [],
    ),
  ]);
  const counts = names(change.survivors).flatMap((name) => {
    const facts = world.masters[name];
    const config = isReachable(facts) ? facts.files.masterConfig : undefined;
    if (config === undefined) return [];
    const [count, urls] = [
      orNothing(() => masterCountOf(config.text)),
      orNothing(() => clientUrls(config.text))?.length,
    ];
    const expected = names(change.survivors).length;
    return [
      ...(count !== undefined && count !== expected
        ? [`${name}: masterCount is ${count}, ${expected} masters are declared`]
        : []),
      ...(urls !== undefined && urls !== expected
        ? [`${name}: etcdClientInfo.urls has ${urls} entries, ${expected} masters are declared`]
        : []),
    ];
  });
  return { refusals: missing, passing: clusterGone, notes: counts };
};
const orTrue = (ask: () => boolean): boolean => orNothing(ask) ?? true;

const balancers: Check = (world, change) => {
  const found = entries(world.balancers).map(([name, facts]) =>
    isReachable(facts)
      ? balancer(name, facts, change)
      : { refusals: [`the load balancer ${name} cannot be reached: ${facts.unreachable}`], passing: [], notes: [] },
  );
  return {
    refusals: found.flatMap((one) => one.refusals),
    passing: found.flatMap((one) => one.passing),
    notes: found.flatMap((one) => one.notes),
  };
};

function balancer(name: string, facts: BalancerFacts, change: Change): Judgement {
  const settings = change.settings.loadBalancers[name];
  const path = settings?.kind === "haproxy" ? settings.config : "";
  if (facts.config === undefined)
    return {
      refusals: [
        `${name}: ${path} cannot be read (${facts.configSeen}): correct the path in openshift-masters:loadBalancers`,
      ],
      passing: [],
      notes: [],
    };
  const config = facts.config.text;
  const own = names(change.survivors).flatMap(
    (host) => orNothing(() => serversFor(config, identityOf(host, change.survivors))) ?? [],
  );
  const down = (facts.stats ?? []).filter(
    (row) =>
      /^DOWN/.test(row.status) &&
      own.some((one) => backendOf(one.section) === row.backend && one.server === row.server),
  );
  return {
    refusals: [
      ...(facts.valid
        ? []
        : [
            `${name}: haproxy does not accept its own configuration ${path} as it is now: ${facts.validSeen}; repair it first`,
          ]),
      ...(facts.active ? [] : [`${name}: the service is not running; start it first`]),
    ],
    passing: down.map(
      (row) =>
        `${name}: the server ${row.backend}/${row.server} of a master that stays is ${row.status}; repair it first`,
    ),
    notes: [
      ...(facts.stats === undefined
        ? [
            `${name}: haproxy's statistics cannot be read (no stats socket that answers), so UP is proved by the API through it alone`,
          ]
        : []),
      ...(/^1\.[0-7]\b/.test(facts.version)
        ? [`${name}: haproxy ${facts.version} cannot reload without dropping connections; some requests may fail`]
        : []),
    ],
  };
}

const leavingHosts: Check = (world, change, before) => ({
  refusals: names(change.leaving).flatMap((name) => {
    const facts = world.masters[name];
    if (
      facts !== undefined &&
      !isReachable(facts) &&
      !isGone(name, world, change) &&
      isNeeded(name, world, change, before)
    )
      return [
        `${name} leaves and cannot be reached (${facts.unreachable}): bring it back, or acknowledge \`host-gone:${name}\`; then its own steps and its backup are skipped and everything else is done`,
      ];
    const pods = (isReachable(world.cluster) ? (world.cluster.pods[name] ?? []) : []).filter(isEvictable);
    const bare = pods.filter((pod) => pod.owner === "");
    const local = pods.filter((pod) => pod.localData);
    const told = (some: typeof pods) => some.map((pod) => `${pod.namespace}/${pod.name}`).join(", ");
    const missing = (risk: string) => !change.settings.acknowledge.includes(`${risk}:${name}`);
    return [
      ...(bare.length > 0 && missing("evict-bare-pods")
        ? [
            `${name} runs pods that nothing will start again elsewhere (${told(bare)}): move them, or acknowledge \`evict-bare-pods:${name}\``,
          ]
        : []),
      ...(local.length > 0 && missing("local-data")
        ? [
            `${name} runs pods with local data that a drain deletes (${told(local)}): save it, or acknowledge \`local-data:${name}\``,
          ]
        : []),
    ];
  }),
});

/** A host that was retired earlier need not answer any more, once neither etcd nor the cluster knows it. */
function isNeeded(name: string, world: World, change: Change, before: Hosts | undefined): boolean {
  const members = viewOfSurvivors(world, change)?.etcd.members ?? [];
  const isMember = orTrue(() => memberOf(name, change.leaving, members) !== undefined);
  const isNode = !isReachable(world.cluster) || world.cluster.nodes.some((node) => node.name === name);
  return isMember || isNode || name in (before ?? {});
}

/** The files of the two certificate authorities: OpenShift's serial, and etcd's CA in either of its places. */
const authorities = {
  "OpenShift's CA (ca.serial.txt)": /\/ca\.serial\.txt$/,
  "etcd's CA (/etc/etcd/ca)": /\/etcd\/ca\/serial$/,
};

/** What a leaving host holds must be on a master that stays, at least as new: serials are hex and the highest wins. */
const authority: Check = (world, change) => {
  // a leaver's serial that cannot be read is newer than any other, a survivor's older
  const serials = (host: string, file: RegExp, unreadable: bigint): bigint[] => {
    const facts = world.masters[host];
    const found = isReachable(facts) ? facts.authority.filter((one) => file.test(one.path)) : [];
    return found.map((one) => (/^[0-9a-f]+$/i.test(one.serial) ? BigInt(`0x${one.serial}`) : unreadable));
  };
  const kept = (file: RegExp) => names(change.survivors).flatMap((host) => serials(host, file, 0n));
  const remedy =
    "without it no node or member can ever be added; handing a certificate authority over is not built yet: copy it " +
    "(ca.serial.txt; /etc/etcd/ca and /etc/etcd/generated_certs) to the next master by hand, and run this again";
  return {
    refusals: names(change.leaving).flatMap((name) =>
      Object.entries(authorities).flatMap(([what, file]) => {
        if (!isReachable(world.masters[name]))
          return kept(file).length > 0 || !isNeeded(name, world, change, undefined)
            ? []
            : [`${name} cannot be asked and no master that stays holds ${what}: ${remedy}`];
        const newest = serials(name, file, 1n << 1024n).toSorted((a, b) => (a < b ? 1 : -1))[0];
        return newest === undefined || kept(file).some((serial) => serial >= newest)
          ? []
          : [`${name} alone holds ${what}, or a newer serial of it than any other: ${remedy}`];
      }),
    ),
  };
};

const inventory: Check = (world, change, before) => {
  const { path, host } = change.settings.inventory;
  const where = `${host ?? "this machine"}: ${path}`;
  if (!isReachable(world.inventory))
    return { refusals: [`the inventory cannot be read (${where}): ${world.inventory.unreachable}`] };
  const file = world.inventory;
  const wrong = refusalOf(() => resolveInventory(file.text, inventoryForm(path))).map(
    (why) => `the inventory is not understood (${where}): ${why}`,
  );
  if (wrong.length > 0) return { refusals: wrong };
  const listed = resolveInventory(file.text, inventoryForm(path)).groups["masters"] ?? [];
  const missing = names(change.survivors)
    .filter((name) => !listed.includes(name))
    .map((name) => `${name} is declared and not in [masters] of the inventory (${where})`);
  return before === undefined ? { refusals: missing } : { notes: missing };
};

const nodes: Check = (world) => ({
  notes: entries(world.nodes).flatMap(([name, facts]) =>
    isReachable(facts)
      ? []
      : [
          `the node ${name} cannot be reached (${facts.unreachable}): its flannel endpoints stay as they are until the next \`pulumi up\``,
        ],
  ),
});

const room: Check = (world, change) => ({
  refusals: names({ ...change.survivors, ...change.leaving }).flatMap((name) => {
    const facts = world.masters[name];
    if (!isReachable(facts) || facts.freeForBackup === undefined) return [];
    const need = 2 * facts.backupNeed + 2 * (facts.etcd?.status?.dbSize ?? 0);
    const mib = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
    return facts.freeForBackup < need
      ? [
          `${name}: ${mib(facts.freeForBackup)} are free for backups below ${change.settings.backup.directory} and ${mib(need)} are needed: make room first`,
        ]
      : [];
  }),
});

/** Every edit is tried now, on what the hosts hold: what cannot be edited is refused before anything is touched. */
const editable: Check = (world, change) => {
  const view = viewOfSurvivors(world, change);
  const observed = view === undefined ? undefined : orNothing(() => observedMembers(world, change, view.etcd));
  const { acknowledge } = change.settings;
  const told =
    observed && decide({ members: observed, leaving: names(change.leaving), acknowledge }).reasons.join("; ");
  // what could not be asked, and what the quorum says, is told above
  return {
    refusals: clusterPlanners(change)
      .flatMap((plan) => refusalOf(() => plan(world, change)))
      .filter((reason) => reason !== told),
  };
};
