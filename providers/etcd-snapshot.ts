/**
 * The data of etcd, from one healthy surviving member, and /etc/etcd of each (vendor's 5.2.1.2).
 * create/update take a fresh snapshot, verify the copy off the host and keep both; read tells when it is gone or altered;
 * delete forgets. Nothing behind it runs when any check fails.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { planSnapshot } from "./plan/plans.ts";
import type { BackupRecord } from "./remote/backup.ts";
import { lostOf } from "./remote/local-archive.ts";
import type { SnapshotRecord } from "./remote/snapshot.ts";

export interface EtcdSnapshotArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
  /** Another value takes a fresh snapshot. */
  readonly stamp: string;
}

export class EtcdSnapshot extends ChainResource {
  declare readonly snapshot: pulumi.Output<SnapshotRecord>;
  /** /etc/etcd of each member: host → record. */
  declare readonly configs: pulumi.Output<Record<string, BackupRecord>>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: EtcdSnapshotArgs, options: pulumi.CustomResourceOptions) {
    super("EtcdSnapshot", name, args, ["snapshot", "configs"], options);
  }
}

export const etcdSnapshot = {
  type: "EtcdSnapshot",
  list: "masters",
  also: ["stamp"],
  plan: planSnapshot,
  always: true,
  remember: (records, before) => ({
    snapshot: records.find(({ step }) => step.do === "snapshot")?.record ?? before["snapshot"],
    configs: {
      ...(before["configs"] as object | undefined),
      ...Object.fromEntries(
        records.filter(({ step }) => step.do === "backup").map(({ step, record }) => [step.host, record]),
      ),
    },
  }),
  lost: async (outputs) => {
    const snapshot = outputs["snapshot"] as SnapshotRecord | undefined;
    if (snapshot === undefined) return ["no snapshot is recorded: `up` takes one"];
    const configs = Object.values((outputs["configs"] ?? {}) as Record<string, BackupRecord>);
    return lostOf([snapshot, ...(snapshot.v2 ? [snapshot.v2] : []), ...configs], "a fresh snapshot");
  },
} satisfies Kind;
