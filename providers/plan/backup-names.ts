/** Pure: what a run's backups are called. No part of a name is a word the host chose. */
import { Refusal } from "./refusal.ts";

/** What names a set: one run on one day. */
export interface BackupRun {
  /** Absolute folder on the host, `/backup`. Ours is the one inside it. */
  readonly directory: string;
  /** Run id, `[a-z0-9-]+`: two runs on a day never mix. */
  readonly run: string;
  /** YYYYMMDD. */
  readonly date: string;
}

export type BackupKind = "master" | "etcd-config" | "etcd-snapshot" | "etcd-v2";

/** On the host: the folder, made 0700 (a /backup that others share may be wider), and the file in it. */
export interface BackupPlace {
  readonly folder: string;
  readonly file: string;
  readonly path: string;
}

/** @throws Refusal when a part could leave the folder or mean something to a shell or a terminal */
export function backupPlace(kind: BackupKind, hostName: string, run: BackupRun): BackupPlace {
  mustMatch("host name", hostName, /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/);
  mustMatch("run id", run.run, /^[a-z0-9][a-z0-9-]{0,99}$/);
  mustMatch("date", run.date, /^\d{8}$/);
  mustMatch("backup directory", run.directory, /^(\/(?!\.{1,2}(\/|$))[^/\0-\x1f]+)+\/?$/);
  const folder = `${run.directory.replace(/\/$/, "")}/openshift-masters`;
  const ending = kind === "etcd-snapshot" ? "db" : "tar.gz";
  // The vendor's name for a master's archive has no prefix.
  const prefix = kind === "master" ? "" : `${kind}-`;
  const file = `${prefix}${hostName}-${run.date}-${run.run}.${ending}`;
  return { folder, file, path: `${folder}/${file}` };
}

function mustMatch(what: string, value: string, pattern: RegExp): void {
  if (!pattern.test(value))
    throw new Refusal(`refusing to take a backup: ${what} ${JSON.stringify(value)} does not match ${pattern.source}`);
}
