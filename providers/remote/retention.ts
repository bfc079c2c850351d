/** How many backups stay on this machine: complete, verified ones of our own making only, the newest always. */
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type BackupKind, namePattern } from "../plan/backup-names.ts";
import { manifestOf, readManifest, syncFolderOf } from "./local-archive.ts";

const verified = z.object({
  bytes: z.number(),
  stored: z.object({ bytes: z.number() }).optional(),
});

/**
 * Removes the oldest backups of a host beyond `keep`, here. What has no manifest, another name or not the size that was verified is
 * neither counted nor touched.
 * @param kinds the first one counts; the others are parts of the same sets (an etcd snapshot's v2 store) and go with it
 */
export async function prune(
  folder: string,
  hostName: string,
  kinds: readonly [BackupKind, ...BackupKind[]],
  keep: number,
  say: (text: string) => void,
): Promise<void> {
  const names = await readdir(folder);
  const ofKind = (kind: BackupKind) => {
    const pattern = new RegExp(`^${namePattern(kind, hostName)}(?:\\.age)?$`);
    return names.filter((name) => pattern.test(name));
  };
  const [counted, ...parts] = kinds.map(ofKind);
  const whole: string[] = [];
  for (const name of counted ?? []) if (await isVerified(join(folder, name))) whole.push(name);
  for (const old of whole.sort((a, b) => (setOf(a) < setOf(b) ? 1 : -1)).slice(keep)) {
    const gone = [old, ...parts.flat().filter((name) => setOf(name) === setOf(old))];
    // the archive first: a manifest without its archive counts for nothing, the other way round it would lose what it was
    for (const name of gone) {
      await rm(join(folder, name), { force: true });
      await rm(manifestOf(join(folder, name)), { force: true });
      say(`${hostName}: ${keep} are kept: removed ${join(folder, name)}`);
    }
  }
  await syncFolderOf(join(folder, "any"));
}

/** `20261124-213301-a1b2c3`: when, and by which run. */
const setOf = (name: string): string => /-(\d{8}-\d{6}-[0-9a-f]{6})\./.exec(name)?.[1] ?? "";

async function isVerified(archive: string): Promise<boolean> {
  const manifest = verified.safeParse(await readManifest(archive));
  const seen = await lstat(archive).catch(() => undefined);
  const bytes = manifest.data?.stored?.bytes ?? manifest.data?.bytes;
  return seen?.isFile() === true && seen.size === bytes;
}
