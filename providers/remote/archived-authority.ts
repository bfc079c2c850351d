/** The archives of a host on this machine that hold a certificate authority, verified; the newest first. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type ArchivedAuthority, placesIn } from "../plan/archived-authority.ts";
import { hashFile, readManifest } from "./local-archive.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const manifest = z.object({
  host: z.string(),
  sha256,
  bytes: z.number(),
  takenAt: z.iso.datetime(),
  entries: z.array(
    z.object({
      path: z.string(),
      type: z.enum(["file", "folder", "symlink", "link", "other"]),
      size: z.number(),
      sha256: z.string().optional(),
      target: z.string().optional(),
    }),
  ),
  serials: z.record(z.string(), z.string()).default({}),
  encrypted: z.object({}).optional(),
  stored: z.object({ sha256, bytes: z.number() }).optional(),
});

/**
 * Only archives whose file is what the manifest says. The walk ends where every authority that any manifest speaks of was found.
 * @param folder of all archives; those of a host are in the one of its name
 */
export async function archivedAuthorities(folder: string, host: string): Promise<ArchivedAuthority[]> {
  const files = await readdir(join(folder, host)).catch(() => []);
  const manifests = files.filter((file) => /\.tar(\.gz)?(\.age)?\.json$/.test(file));
  const read = await Promise.all(
    manifests.map((file) => described(join(folder, host, file.replace(/\.json$/, "")), host)),
  );
  const all = read.filter((one) => one !== undefined).sort((a, b) => (a.takenAt > b.takenAt ? -1 : 1));
  const missing = new Set(all.flatMap(({ places }) => places.map(({ path }) => path)));
  const found: ArchivedAuthority[] = [];
  for (const one of all) {
    if (missing.size === 0) break;
    if (!(await isUnaltered(one))) continue;
    found.push(one);
    for (const { path } of one.places) missing.delete(path);
  }
  return found;
}

/** From the manifest beside an archive; undefined when it is none of this host, or speaks of no authority. */
async function described(archive: string, host: string): Promise<ArchivedAuthority | undefined> {
  const parsed = manifest.safeParse(await readManifest(archive));
  if (!parsed.success || parsed.data.host !== host) return undefined;
  const { data } = parsed;
  if (data.encrypted !== undefined && data.stored === undefined) return undefined;
  const places = placesIn(data.entries, data.serials);
  if (places.length === 0) return undefined;
  return {
    archive,
    sha256: data.sha256,
    bytes: data.bytes,
    takenAt: data.takenAt,
    ...(data.stored === undefined ? {} : { stored: data.stored }),
    places,
  };
}

/** What was hashed once in this process is not hashed again as long as size, time and inode are the same. */
const hashed = new Map<string, string>();

/** The file is there, with the size and the hash of its manifest; of an encrypted one those of what lies on the disk. */
export async function isUnaltered(one: ArchivedAuthority, trusting = true): Promise<boolean> {
  const wanted = one.stored ?? one;
  const seen = await lstat(one.archive, { bigint: true }).catch(() => undefined);
  if (seen?.isFile() !== true || seen.size !== BigInt(wanted.bytes)) return false;
  const key = [one.archive, seen.ino, seen.size, seen.mtimeNs, seen.ctimeNs].join(" ");
  const known = trusting ? hashed.get(key) : undefined;
  const hash = known ?? (await hashFile(one.archive).catch(() => ""));
  hashed.set(key, hash);
  return hash === wanted.sha256;
}
