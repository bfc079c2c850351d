/**
 * A master's files, and an etcd member's configuration, as one archive each: complete, verified, on the host and off it. Nothing
 * on the host changes but the backup folder. What a run has taken it does not take again.
 */
import { join } from "node:path";
import { z } from "zod";
import { backupPlace, type BackupKind, type BackupPlace } from "../plan/backup-names.ts";
import {
  archiveScript,
  etcdConfigContent,
  masterContent,
  parseTaken,
  type ArchiveContent,
} from "../plan/backup-script.ts";
import { onBothSides, sameEntries, understood } from "./both-sides.ts";
import { readManifest, writeManifest } from "./local-archive.ts";
import { megabytes, receive } from "./receive.ts";
import type { RemoteHost } from "./remote-host.ts";

export { archiveState } from "./local-archive.ts";

/** A backup that was verified on both sides. */
export interface BackupRecord {
  /** On the host. */
  path: string;
  /** On this machine. */
  archive: string;
  /** Hexadecimal. */
  sha256: string;
  bytes: number;
  /** Entries that are no folders. */
  files: number;
  /** ISO, UTC. */
  takenAt: string;
}

export interface BackupOrder {
  /** Absolute folder on the host, `/backup`; the archive goes into `openshift-masters` in it, made 0700. */
  directory: string;
  /** Local folder; the archive goes into one named after the host, made 0700. */
  archive: string;
  /** Run id, `[a-z0-9-]+`. */
  run: string;
  /** YYYYMMDD. */
  date: string;
  say: (text: string) => void;
}

/** Seconds for packing, which takes about one per 30 MB. */
const packingDeadline = 1800;

/**
 * Everything of 5.2.1.1 that exists, `packages.txt` and `absent.txt`, with the vendor's layout inside.
 * @throws RemoteError naming what failed; the host then holds no half archive, and this machine neither. Refusal for names that
 *   cannot be, and for lack of room here
 */
export function backupMaster(host: RemoteHost, o: BackupOrder): Promise<BackupRecord> {
  return backup(host, o, "master", masterContent);
}

/** /etc/etcd alone (5.2.1.2): each member's is unique. @throws as `backupMaster` */
export function backupEtcdConfig(host: RemoteHost, o: BackupOrder): Promise<BackupRecord> {
  return backup(host, o, "etcd-config", etcdConfigContent);
}

async function backup(
  host: RemoteHost,
  o: BackupOrder,
  kind: BackupKind,
  content: ArchiveContent,
): Promise<BackupRecord> {
  const place = backupPlace(kind, host.name, o);
  const archive = join(o.archive, host.name, place.file);
  const known = await alreadyTaken(host, place, archive);
  if (known) {
    o.say(`${host.name}: ${place.file} is already there, on the host and here`);
    return known;
  }
  o.say(`${host.name}: packing ${content.paths.join(", ")}`);
  const what = `packing ${content.paths.join(", ")} into ${place.path}`;
  const { stdout } = await host.run(archiveScript(place, content), { what, deadline: packingDeadline });
  const taken = understood(host, what, () => parseTaken(stdout));
  for (const note of taken.notes) o.say(`${host.name}: ${note}`);
  o.say(`${host.name}: ${taken.files} files packed, ${megabytes(taken.bytes)}; copying them here`);
  const { sha256, bytes, files } = taken;
  const record = { path: place.path, archive, sha256, bytes, files, takenAt: new Date().toISOString() };
  const seal = async (temporary: string) => {
    await sameEntries(host, place.path, temporary, taken);
    const { packages, absent, notes } = taken;
    await writeManifest(archive, {
      host: host.name,
      run: o.run,
      ...record,
      packages,
      absent,
      notes,
      restore: byHand(place),
    });
  };
  await receive(host, { path: place.path, bytes, sha256, into: archive, say: o.say, seal });
  o.say(`${host.name}: ${archive} is verified`);
  return record;
}

const recorded = z.object({
  path: z.string(),
  sha256: z.string(),
  bytes: z.number(),
  files: z.number(),
  takenAt: z.string(),
});

/** The record of a run that got to its end: the same bytes under the final name on both sides. */
async function alreadyTaken(host: RemoteHost, place: BackupPlace, archive: string): Promise<BackupRecord | undefined> {
  const manifest = recorded.safeParse(await readManifest(archive));
  if (!manifest.success || manifest.data.path !== place.path) return undefined;
  const record = { ...manifest.data, archive };
  return (await onBothSides(host, record)) ? record : undefined;
}

/** How one restores without any of this. */
function byHand(place: BackupPlace): string[] {
  return [
    `sha256sum ${place.file}   # must be the sha256 above`,
    `tar -tzvf ${place.file}   # look first: paths are relative to /`,
    `mkdir -m 700 /root/restore && tar -xzpf ${place.file} -C /root/restore --numeric-owner --xattrs --xattrs-include='*' --acls --selinux`,
    "cp -a /root/restore/etc/<what is wanted> /etc/<where it was>   # as root, on the host it came from",
    "restorecon -R /etc   # where SELinux is on; then restart what reads those files",
  ];
}
