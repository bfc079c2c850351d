/** A backup that lies on its host without a final name is brought here, proved, and named on both sides. */
import { join } from "node:path";
import { type BackupKind, type BackupPlace, namePattern } from "../plan/backup-names.ts";
import { sh } from "../plan/quote.ts";
import type { BackupOrder } from "./backup.ts";
import { sealOnHost, storedAs } from "./both-sides.ts";
import { RemoteError } from "./errors.ts";
import type { StoredFile } from "./local-archive.ts";
import { type Arrival, receive } from "./receive.ts";
import type { RemoteHost } from "./remote-host.ts";

/**
 * @param there size and hash as the host has them
 * @param prove proves the copy, and gives what its manifest is to say besides; throwing discards it
 * @throws RemoteError as `receive`, and when the bytes are not those announced; what `prove` throws
 */
export async function bring(
  host: RemoteHost,
  o: BackupOrder,
  kind: BackupKind,
  place: BackupPlace,
  there: { bytes: number; sha256: string },
  prove: (arrival: Arrival) => Promise<object>,
): Promise<StoredFile & { path: string }> {
  const what = `copying ${place.path} to ${join(o.archive, host.name)}`;
  const delivery = {
    script: sh`cat -- ${place.part}`,
    what,
    announced: there.bytes,
    into: join(o.archive, host.name, place.file),
    encryption: o.encryption,
    say: o.say,
  };
  const arrival = await receive(host, delivery, async (arrived) => {
    const [bytes, sha256] = [arrived.bytes, await arrived.sha256()];
    if (bytes !== there.bytes || sha256 !== there.sha256)
      throw new RemoteError({
        host: host.name,
        what,
        outcome: "failed",
        seen: `${bytes} bytes of sha256 ${sha256} came, announced were ${there.bytes} of ${there.sha256}`,
        remedy: "try again; if it happens again, look at that host's disk",
      });
    const proved = await prove(arrived);
    await sealOnHost(host, arrived, { place, keep: o.keep, pattern: namePattern(kind, host.name) }, o.say);
    const encrypted = o.encryption === undefined ? {} : { encrypted: { recipient: o.encryption.recipient } };
    const takenAt = new Date().toISOString();
    return {
      format: 1,
      kind,
      host: host.name,
      run: o.run,
      ...storedAs(place, arrived, sha256),
      takenAt,
      ...encrypted,
      ...proved,
    };
  });
  return storedAs(place, arrival, there.sha256);
}
