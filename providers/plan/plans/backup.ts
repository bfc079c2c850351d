/** MasterBackup, EtcdSnapshot and CertificateAuthority: before anything changes. */
import { masterContent } from "../backup-script.ts";
import { isReachable } from "../facts.ts";
import { beyond, mountsOf } from "../pod-mounts.ts";
import { clientUrl } from "../probe.ts";
import { Unasked } from "../refusal.ts";
import type { Change, Step, World } from "../steps.ts";
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
