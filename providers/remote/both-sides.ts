/** What a host says of a backup, against what this machine holds; and the final name of the host's own copy. */
import type { BackupPlace } from "../plan/backup-names.ts";
import { discardScript, type Seal, sealScript } from "../plan/backup-shell.ts";
import { printed } from "../plan/backup-script.ts";
import { Refusal } from "../plan/refusal.ts";
import { RemoteError } from "./errors.ts";
import type { RemoteHost } from "./remote-host.ts";

/** What arrived here is what lies there: it gets its final name there, and old ones go. @throws RemoteError when it is not */
export async function sealOnHost(host: RemoteHost, seal: Seal, say: (text: string) => void): Promise<void> {
  // at least 100 MB/s for the hash, and never less than two minutes
  const deadline = Math.max(120, Math.ceil(seal.bytes / 1e8));
  const { stdout } = await host.run(sealScript(seal), { what: `verifying ${seal.place.path}`, deadline });
  for (const name of printed(stdout).get("removed") ?? [])
    say(`${host.name}: ${seal.keep} are kept: removed ${seal.place.folder}/${name}`);
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
