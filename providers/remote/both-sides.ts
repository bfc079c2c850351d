/** What a host says of a backup, against what this machine holds; and the final name of the host's own copy. */
import type { BackupPlace } from "../plan/backup-names.ts";
import { discardScript, type Seal, sealScript, verifyScript } from "../plan/backup-shell.ts";
import { type Counted, parseLanded, printed } from "../plan/backup-script.ts";
import { Refusal } from "../plan/refusal.ts";
import { RemoteError } from "./errors.ts";
import type { StoredFile } from "./local-archive.ts";
import type { Arrival } from "./receive.ts";
import type { RemoteHost } from "./remote-host.ts";

/**
 * What arrived here is what lies there: it gets its final name there, and old ones go. Both are read back from their disks at the same time.
 * @returns the sha256 of both
 * @throws RemoteError when they are not the same bytes
 */
export async function sealOnHost(
  host: RemoteHost,
  arrival: Arrival,
  seal: Seal,
  say: (text: string) => void,
): Promise<string> {
  const { place } = seal;
  const what = `verifying ${place.path}`;
  // at least 100 MB/s for the hash, and never less than two minutes
  const deadline = Math.max(120, Math.ceil(arrival.bytes / 1e8));
  const [here, verified] = await Promise.all([arrival.sha256(), host.run(verifyScript(place), { what, deadline })]);
  const there = understood(host, what, () => parseLanded(verified.stdout));
  if (there.bytes !== arrival.bytes || there.sha256 !== here)
    throw new RemoteError({
      host: host.name,
      what,
      outcome: "failed",
      seen: `${arrival.bytes} bytes of sha256 ${here} came, and ${there.bytes} of ${there.sha256} lie there: it is not what was copied`,
      remedy: "try again; if it happens again, look at that host's disk",
    });
  const { stdout } = await host.run(sealScript(seal), { what: `naming ${place.path}`, deadline: 60 });
  for (const name of printed(stdout).get("removed") ?? [])
    say(`${host.name}: ${seal.keep} are kept: removed ${place.folder}/${name}`);
  return here;
}

/** What is remembered of a file that has its name on both sides. */
export const storedAs = (
  place: BackupPlace,
  { archive, stored, bytes }: Omit<Arrival, "sha256">,
  sha256: string,
): StoredFile & { path: string } => ({
  path: place.path,
  archive,
  sha256,
  bytes,
  ...(stored === undefined ? {} : { stored }),
});

/** The archive here must hold what was counted there. @throws RemoteError */
export function sameCount(
  host: RemoteHost,
  place: BackupPlace,
  here: Pick<Counted, "entries" | "files">,
  there: Counted,
): void {
  if (here.entries === there.entries && here.files === there.files) return;
  throw new RemoteError({
    host: host.name,
    what: `verifying the copy of ${place.path}`,
    outcome: "failed",
    seen: `${here.entries} entries here, ${there.entries} counted on the host`,
    remedy: "try again; if it happens again, look at that host",
  });
}

/** Does the work; when it fails, what it left on the host without a final name is removed, as far as the host lets us. */
export async function orDiscard<T>(host: RemoteHost, place: BackupPlace, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await host
      .run(discardScript(place), { what: `removing ${place.part}`, deadline: 30, ok: "any" })
      .catch(() => undefined);
    throw error;
  }
}

/** What the host printed, or an error that names host and step. */
export function understood<T>(host: RemoteHost, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    throw new RemoteError({ host: host.name, what, outcome: "failed", seen: cause.message, cause });
  }
}
