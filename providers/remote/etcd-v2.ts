/** etcd's v2 store, which flannel and clusters upgraded from older releases keep data in. */
import { join } from "node:path";
import { backupPlace } from "../plan/backup-names.ts";
import { parseTaken } from "../plan/backup-script.ts";
import type { EtcdctlVia } from "../plan/etcdctl-command.ts";
import { v2BackupScript } from "../plan/snapshot-script.ts";
import type { BackupOrder } from "./backup.ts";
import { sameEntries, understood } from "./both-sides.ts";
import { receive } from "./receive.ts";
import type { RemoteHost } from "./remote-host.ts";

/** A file on both sides. */
export interface StoredCopy {
  /** On the host. */
  path: string;
  /** On this machine. */
  archive: string;
  /** Hexadecimal. */
  sha256: string;
  bytes: number;
}

export interface V2Order extends BackupOrder {
  endpoint: string;
  via: EtcdctlVia;
  pod?: string;
}

/**
 * Packs the v2 store as a data folder for `etcd --force-new-cluster`, and brings it here.
 * @param deadline seconds for what happens on the host
 * @throws as `takeSnapshot`
 */
export async function takeV2(host: RemoteHost, o: V2Order, deadline: number): Promise<StoredCopy> {
  const place = backupPlace("etcd-v2", host.name, o);
  const archive = join(o.archive, host.name, place.file);
  o.say(`${host.name}: backing up etcd's v2 store`);
  const what = `backing up etcd's v2 store as ${place.path}`;
  const { stdout } = await host.run(v2BackupScript(place, o), { what, deadline });
  const taken = understood(host, what, () => parseTaken(stdout));
  const { bytes, sha256 } = taken;
  const seal = (temporary: string) => sameEntries(host, place.path, temporary, taken);
  await receive(host, { path: place.path, bytes, sha256, into: archive, say: o.say, seal });
  return { path: place.path, archive, sha256, bytes };
}
