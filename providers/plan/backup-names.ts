/** Pure: what a run's backups are called. No part of a name is a word the host chose. */
import { Refusal } from "./refusal.ts";

/** What names a set: one run on one day. */
export interface BackupRun {
  /** Absolute folder on the host, `/backup`. The host's own folder is the one inside it that has its name, as the vendor has it. */
  readonly directory: string;
  /** Run id, `[a-z0-9-]+`: two runs on a day never mix. */
  readonly run: string;
  /** YYYYMMDD. */
  readonly date: string;
}

export type BackupKind = "master" | "etcd-config" | "etcd-snapshot" | "etcd-v2";
export type BackupEnding = "tar.gz" | "tar" | "db";

/** On the host: the folder, made 0700 (a /backup that others share may be wider), and the file in it. */
export interface BackupPlace {
  readonly folder: string;
  readonly file: string;
  readonly path: string;
  /** As long as it is not complete and verified. */
  readonly part: string;
  /** Folder of this run's scratch files, removed at its end. */
  readonly work: string;
}

/** The vendor's name for a master's archive has no prefix. */
const prefixOf = (kind: BackupKind): string => (kind === "master" ? "" : `${kind}-`);

/** @throws Refusal when a part could leave the folder or mean something to a shell or a terminal */
export function backupPlace(kind: BackupKind, hostName: string, run: BackupRun, ending = endingOf(kind)): BackupPlace {
  mustMatch("host name", hostName, /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/);
  mustMatch("run id", run.run, /^[a-z0-9][a-z0-9-]{0,99}$/);
  mustMatch("date", run.date, /^\d{8}$/);
  mustMatch("backup directory", run.directory, /^(\/(?!\.{1,2}(\/|$))[^/\0-\x1f]+)+\/?$/);
  const folder = `${run.directory.replace(/\/$/, "")}/${hostName}`;
  const stem = `${prefixOf(kind)}${hostName}-${run.date}-${run.run}`;
  const file = `${stem}.${ending}`;
  return { folder, file, path: `${folder}/${file}`, part: `${folder}/${file}.part`, work: `${folder}/${stem}.work` };
}

const endingOf = (kind: BackupKind): BackupEnding => (kind === "etcd-snapshot" ? "db" : "tar.gz");

/**
 * A POSIX extended regular expression (the host's `grep -xE` and ours) for the names of finished backups of a kind and host, as this
 * program makes them: what has another name is somebody else's and is never counted or removed.
 */
export function namePattern(kind: BackupKind, hostName: string): string {
  const ending = kind === "etcd-snapshot" ? "db" : "tar(\\.gz)?";
  return `${prefixOf(kind)}${hostName.replaceAll(".", "\\.")}-[0-9]{8}-[0-9]{6}-[0-9a-f]{6}\\.${ending}`;
}

function mustMatch(what: string, value: string, pattern: RegExp): void {
  if (!pattern.test(value))
    throw new Refusal(`refusing to take a backup: ${what} ${JSON.stringify(value)} does not match ${pattern.source}`);
}
