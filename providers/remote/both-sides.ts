/** What a host says of a backup, against what this machine holds. */
import type { Taken } from "../plan/backup-script.ts";
import { hashScript } from "../plan/backup-shell.ts";
import { Refusal } from "../plan/refusal.ts";
import { RemoteError } from "./errors.ts";
import { archiveState, countEntries } from "./local-archive.ts";
import type { RemoteHost } from "./remote-host.ts";

/** Whether host and this machine hold the file with that hash. */
export async function onBothSides(
  host: RemoteHost,
  record: { path: string; archive: string; sha256: string; bytes: number },
): Promise<boolean> {
  if ((await archiveState(record)) !== "there") return false;
  const { stdout } = await host.run(hashScript(record.path), { what: `hashing ${record.path}`, deadline: 600 });
  return stdout.startsWith(`${record.sha256} `);
}

/** The archive here must hold what was counted there. @throws RemoteError */
export async function sameEntries(
  host: RemoteHost,
  path: string,
  temporary: string,
  there: Pick<Taken, "entries" | "files">,
): Promise<void> {
  const here = await countEntries(temporary);
  if (here.entries === there.entries && here.files === there.files) return;
  throw new RemoteError({
    host: host.name,
    what: `verifying the copy of ${path}`,
    outcome: "failed",
    seen: `${here.entries} entries here, ${there.entries} counted on the host`,
    remedy: "try again; if it happens again, look at that host",
  });
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
