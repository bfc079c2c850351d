/**
 * The data of etcd, from one healthy surviving member, and /etc/etcd of each (vendor's 5.2.1.2).
 * create/update take a fresh snapshot, verify the copy off the host and keep both; read tells when it is gone or altered;
 * delete forgets. Nothing behind it runs when any check fails.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./lifecycle.ts";
import { planSnapshot } from "./plan/plans.ts";
import { archiveState } from "./remote/backup.ts";
import type { SnapshotRecord } from "./remote/snapshot.ts";

export interface EtcdSnapshotArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
  /** Another value takes a fresh snapshot. */
  readonly stamp: string;
}

export class EtcdSnapshot extends ChainResource {
  declare readonly snapshot: pulumi.Output<SnapshotRecord>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: EtcdSnapshotArgs, options: pulumi.CustomResourceOptions) {
    super("EtcdSnapshot", name, args, ["snapshot"], options);
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
  }),
  lost: async (outputs) => {
    const snapshot = outputs["snapshot"] as SnapshotRecord | undefined;
    const state = snapshot === undefined ? "gone" : await archiveState(snapshot);
    return state === "there" ? [] : [`the snapshot ${snapshot?.archive ?? ""} is ${state}: \`up\` takes a fresh one`];
  },
} satisfies Kind;
