/** MasterBackup and EtcdSnapshot: before anything changes. */
import { masterContent } from "../backup-script.ts";
import { etcdPod, type EtcdctlVia } from "../etcdctl-command.ts";
import { ownEndpoint } from "../etcd-manifest.ts";
import { isReachable } from "../facts.ts";
import { beyond, mountsOf } from "../pod-mounts.ts";
import { clientUrl, paths } from "../probe.ts";
import { Refusal, Unasked } from "../refusal.ts";
import { type Change, type Step, type World, identityOf } from "../steps.ts";
import { type Planner, survivor, leaver } from "./asked.ts";

/** A fresh, verified set of every master that can be reached; the leaving ones first of all. */
export const planBackups: Planner = (world, change) =>
  [
    ...Object.keys(change.leaving).filter((name) => leaver(world, change, name) !== undefined),
    ...Object.keys(change.survivors),
  ].map((host) => masterBackup(host, world, change));

function masterBackup(host: string, world: World, change: Change): Step {
  const facts = world.masters[host];
  const { saved, leftOut } = mountsOf(isReachable(facts) ? facts.manifests : []);
  const mounted = beyond(masterContent.paths, saved);
  const { directory, archive, keep, encrypt } = change.settings.backup;
  const encrypted = encrypt === undefined ? "" : `, encrypted to the key in ${encrypt}`;
  return {
    do: "backup",
    what: "master",
    host,
    mounted,
    leftOut,
    title: `back up the master's files to ${directory}/${host}/ and, at the same time, to ${archive}/${host}/ here${encrypted}; verify both, keep the newest ${keep} of each`,
    commands: [
      `tar -cf - -C / ${[...masterContent.paths, ...mounted].map((path) => path.slice(1)).join(" ")}   # those that are there`,
      ...leftOut.map((path) => `# not saved though a static pod mounts it: ${path}`),
    ],
  };
}

/** The data from one healthy survivor, the one with the highest revision, and /etc/etcd of each member. */
export const planSnapshot: Planner = (world, change) => {
  const candidates = Object.keys(change.survivors).flatMap((host) => {
    const { etcd } = survivor(world, host);
    return etcd?.healthy === true && etcd.status !== undefined ? [{ host, etcd, status: etcd.status }] : [];
  });
  const newest = (a: string, b: string) => Number(BigInt(b) - BigInt(a));
  const best = candidates.toSorted((a, b) => newest(a.status.revision, b.status.revision))[0];
  if (best === undefined) throw new Unasked("no healthy surviving etcd member to take a snapshot of");
  const { endpoint, named } = endpointOf(best.host, world, change);
  const v2 = best.etcd.v2 || Object.keys(change.survivors).some((host) => survivor(world, host).flanneld !== undefined);
  const configs = planBackups(world, change).map((step): Step => ({
    do: "backup",
    what: "etcd-config",
    host: step.host,
    title: "back up /etc/etcd on its own",
  }));
  const { via } = best.etcd;
  const pod = etcdPod(survivor(world, best.host).identity.hostname);
  const scope = `snapshot of etcd at revision ${best.status.revision} or later${v2 ? ", and of the v2 store" : ""}, verified off the host`;
  return [
    ...configs,
    {
      do: "snapshot",
      host: best.host,
      v2,
      revision: best.status.revision,
      endpoint,
      via,
      ...(via === "oc-exec" ? { pod } : {}),
      title: `${scope}; ${rehearsalOf(change)}${named ? "" : `; ${etcdManifest} names no endpoint, so the declared address is asked`}`,
      commands: [`etcdctl --endpoints ${endpoint} snapshot save /var/lib/etcd/… (${placeOf(via, pod)})`],
    },
  ];
};

const etcdManifest = `${paths.pods}/etcd.yaml`;

/**
 * Where etcd of a host is asked: as its manifest says, or else at its declared address.
 * @throws Refusal when the manifest names another host
 */
export function endpointOf(host: string, world: World, change: Change): { endpoint: string; named: boolean } {
  const { manifest } = survivor(world, host).files;
  const own = () => manifest && ownEndpoint(manifest.text, identityOf(host, change.survivors));
  try {
    const endpoint = own();
    return { endpoint: endpoint ?? clientUrl(change.survivors[host] ?? ""), named: endpoint !== undefined };
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${host}: ${etcdManifest}: ${error.message}`);
    throw error;
  }
}

function placeOf(via: EtcdctlVia, pod: string): string {
  if (via === "host") return "etcdctl of the host";
  return via === "master-exec" ? "in the etcd pod, by master-exec" : `in the pod ${pod}, by oc exec`;
}

/** Whether there is an etcd to rehearse with shows when it is done. */
function rehearsalOf({ settings }: Change): string {
  const { rehearsal } = settings.backup;
  if (rehearsal === false) return "not restored on trial (backup.rehearsal is false)";
  const where = rehearsal === true ? "this machine, if it has a fitting etcd," : rehearsal.host;
  return `then restored on trial on ${where} and its keys counted`;
}
