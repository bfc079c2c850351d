/** etcd's v2 store, which flannel and clusters upgraded from older releases keep data in. */
import { backupPlace } from "../plan/backup-names.ts";
import { parseCounted, parseLanded } from "../plan/backup-script.ts";
import type { EtcdctlVia } from "../plan/etcdctl-command.ts";
import { v2BackupScript } from "../plan/snapshot-script.ts";
import type { BackupOrder } from "./backup.ts";
import { orDiscard, sameCount, understood } from "./both-sides.ts";
import type { StoredFile } from "./local-archive.ts";
import { bring } from "./bring.ts";
import { unpacked } from "./open-archive.ts";
import type { RemoteHost } from "./remote-host.ts";
import { readEntries } from "./tar-entries.ts";

/** A file on both sides. */
export interface StoredCopy extends StoredFile {
  /** On the host. */
  path: string;
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
  o.say(`${host.name}: backing up etcd's v2 store`);
  const what = `backing up etcd's v2 store as ${place.path}`;
  return orDiscard(host, place, async () => {
    const { stdout } = await host.run(v2BackupScript(place, o), { what, deadline });
    const landed = understood(host, what, () => parseLanded(stdout));
    const counted = understood(host, what, () => parseCounted(stdout));
    return bring(host, o, "etcd-v2", place, landed, async (arrival) => {
      const here = { entries: 0, files: 0 };
      await readEntries(unpacked(await arrival.open()), {
        each: ({ type }) => {
          here.entries += 1;
          if (type !== "folder") here.files += 1;
        },
      });
      sameCount(host, place, here, counted);
      return { entries: here.entries };
    });
  });
}
