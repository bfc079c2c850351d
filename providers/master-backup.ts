/**
 * The backups of every master: /etc/origin, /etc/sysconfig, /etc/etcd and what belongs to them (vendor's 5.2.1.1).
 * create/update take a fresh, verified set on the hosts and copy it off them; read tells when an archive is gone or altered;
 * delete forgets. It never removes a backup.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { planBackups } from "./plan/plans.ts";
import type { BackupRecord } from "./remote/backup.ts";
import { lostOf } from "./remote/local-archive.ts";

export interface MasterBackupArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
  /** Another value takes a fresh set. */
  readonly stamp: string;
}

export class MasterBackup extends ChainResource {
  declare readonly backups: pulumi.Output<Record<string, BackupRecord>>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: MasterBackupArgs, options: pulumi.CustomResourceOptions) {
    super("MasterBackup", name, args, ["backups"], options);
  }
}

export const masterBackup = {
  type: "MasterBackup",
  list: "masters",
  also: ["stamp"],
  plan: planBackups,
  always: true,
  remember: (records, before) => ({
    backups: {
      ...(before["backups"] as object | undefined),
      ...Object.fromEntries(records.map(({ step, record }) => [step.host, record])),
    },
  }),
  lost: (outputs) =>
    lostOf(Object.values((outputs["backups"] ?? {}) as Record<string, BackupRecord>), "a fresh set of every master"),
} satisfies Kind;
