/** A master's files from an archive of this machine back to their host: the archive proved first, everything checked there before the first write, and read back. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { z } from "zod";
import type { ArchiveEntry } from "../plan/archive.ts";
import { masterContent } from "../plan/backup-script.ts";
import { Refusal } from "../plan/refusal.ts";
import { objections } from "../plan/restore-archive.ts";
import { bullets, compare, type Difference, lineOf, type Seen } from "../plan/restore.ts";
import { lookList, lookScript, parseLook, putBackList, putBackScript, sweepScript } from "../plan/restore-script.ts";
import { understood } from "./both-sides.ts";
import { RemoteError } from "./errors.ts";
import { manifestOf, readManifest } from "./local-archive.ts";
import { type Opening, openArchive, plainTar } from "./open-archive.ts";
import type { RemoteHost } from "./remote-host.ts";
import { readEntries } from "./tar-entries.ts";

/** An archive that is what its manifest says. */
export interface Backup {
  readonly archive: string;
  readonly entries: readonly ArchiveEntry[];
  /** Bytes of the plain archive, as it is sent. */
  readonly bytes: number;
  readonly compressed: boolean;
  /** From the manifest; undefined without one. */
  readonly host?: string;
  readonly machineId?: string;
  readonly takenAt?: string;
}

const entry = z.object({
  path: z.string(),
  type: z.enum(["file", "folder", "symlink", "link", "other"]),
  mode: z.string(),
  uid: z.number(),
  gid: z.number(),
  size: z.number(),
  sha256: z.string().exactOptional(),
  target: z.string().exactOptional(),
});
const manifest = z.object({
  host: z.string(),
  machineId: z.string(),
  takenAt: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  paths: z.array(z.string().regex(/^\/[^\0]*[^/\0]$/)),
  entries: z.array(entry),
});

/**
 * Reads an archive twice: is it whole, and what is in it.
 * @param o.sha256 of the plain archive, for one that has no manifest
 * @throws Refusal with every objection; Error of the file system, gzip or tar when it cannot be read
 */
export async function readBackup(archive: string, o: Opening & { sha256?: string | undefined }): Promise<Backup> {
  const read = manifest.safeParse(await readManifest(archive));
  const known = read.success ? read.data : undefined;
  const wanted = o.sha256 ?? known?.sha256;
  if (wanted === undefined)
    throw new Refusal(
      `${archive} has no manifest that can be read (${manifestOf(archive)}): give the sha256 it must have with --sha256, from a place you trust`,
    );
  const { sha256, bytes } = await hashed(await openArchive(archive, o));
  if (sha256 !== wanted)
    throw new Refusal(
      `${archive} is not what was backed up: its sha256 is ${sha256}, and must be ${wanted}; take another archive`,
    );
  const entries: ArchiveEntry[] = [];
  await readEntries(await plainTar(archive, o), { each: (one) => entries.push(one) });
  const wrong = objections({ entries, paths: known?.paths ?? masterContent.paths, listed: known?.entries });
  if (wrong.length > 0)
    throw new Refusal(`refusing the whole archive ${archive}, nothing was touched:\n${bullets(wrong)}`);
  const about = known === undefined ? {} : { host: known.host, machineId: known.machineId, takenAt: known.takenAt };
  return { archive, entries, bytes, compressed: /\.gz(\.age)?$/.test(archive), ...about };
}

async function hashed(stream: Readable): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest("hex"), bytes };
}

/**
 * What the host has under the chosen names; reads only.
 * @param root in front of every path, for tests
 * @throws RemoteError
 */
export async function look(
  host: RemoteHost,
  chosen: readonly ArchiveEntry[],
  root = "",
): Promise<{ machineId: string; seen: Seen[] }> {
  const what = `comparing ${chosen.length} files and folders`;
  const limit = 65_536 + chosen.length * 160;
  const { stdout } = await host.run(lookScript(root), { what, deadline: 900, stdin: lookList(chosen), limit });
  return understood(host, what, () => parseLook(stdout, chosen.length));
}

export interface Restoration {
  readonly backup: Backup;
  readonly opening: Opening;
  /** As `compare` gave them; what is the same is not touched. */
  readonly differences: readonly Difference[];
  /** The host's backup folder, absolute. */
  readonly folder: string;
  /** Run id, `YYYYMMDD-HHMMSS-` and six hexadecimal digits: in the names of what is kept. */
  readonly run: string;
  /** In front of every path, for tests. */
  readonly root?: string;
}

/** Seconds for checks and renames, and bytes a second that the way there has at least. */
const patience = 600;
const slowest = 2_000_000;

/**
 * Puts everything that is new or differs in its place, and reads it back; clears up after a killed run, also when nothing is to be done. Each replaced file is kept beside its successor. Nothing is renamed
 * unless all of it arrived, was checked and lies prepared; if it is killed in the middle, another run does the rest.
 * @throws RemoteError: `failed` = nothing was changed, or what was is told; `unknown` = list again
 */
export async function putBack(host: RemoteHost, o: Restoration): Promise<void> {
  const { backup, root = "" } = o;
  const place = { root, folder: o.folder, run: o.run };
  const changes = o.differences.filter(({ state }) => state !== "same");
  if (changes.length === 0) {
    await host.run(sweepScript(place), { what: `clearing up ${o.folder}`, deadline: patience });
    return;
  }
  const order = { ...place, changes, compressed: backup.compressed };
  const list = putBackList(order);
  const kib = Math.ceil(changes.reduce((sum, { entry: { size } }) => sum + size + 4096, 0) / 1024);
  const about = { bytes: list.length, sha256: createHash("sha256").update(list).digest("hex"), kib };
  const what = `putting back ${changes.length} files and folders`;
  const { stdout } = await host.run(putBackScript(order, about), {
    what,
    deadline: patience + Math.ceil(backup.bytes / slowest),
    stdin: () => Readable.from(listThenArchive(list, backup.archive, o.opening), { objectMode: false }),
  });
  const failed = (seen: string) =>
    new RemoteError({ host: host.name, what, outcome: "unknown", seen, remedy: "list it again" });
  if (!/^restored$/m.test(stdout)) throw failed("it did not say that everything is in place");
  const chosen = changes.map((change) => change.entry);
  const { seen } = await look(host, chosen, root);
  const wrong = compare(chosen, seen).filter(({ state }) => state !== "same");
  const [first] = wrong;
  if (first !== undefined) throw failed(`read back, ${wrong.length} are not as in the archive, first ${lineOf(first)}`);
}

async function* listThenArchive(list: Buffer, archive: string, opening: Opening): AsyncGenerator<Buffer> {
  yield list;
  yield* (await openArchive(archive, opening)) as AsyncIterable<Buffer>;
}
