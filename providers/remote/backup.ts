/**
 * A master's files, and an etcd member's configuration, as one archive each: one pass of tar to the host's own copy and to this machine at once. Complete,
 * verified on both sides, and listed with a hash for every file. Nothing on the host changes but the backup folder.
 */
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { createGunzip } from "node:zlib";
import { serialFiles } from "../plan/archive.ts";
import { backupPlace, type BackupKind, type BackupPlace, namePattern } from "../plan/backup-names.ts";
import {
  type ArchiveContent,
  type Counted,
  parseCounted,
  parsePrepared,
  type Prepared,
  prepareScript,
  streamScript,
} from "../plan/backup-script.ts";
import { orDiscard, sameCount, sealOnHost, storedAs, understood } from "./both-sides.ts";
import type { Encryption } from "./encrypt.ts";
import { RemoteError } from "./errors.ts";
import { Raw, type StoredFile } from "./local-archive.ts";
import { type Arrival, megabytes, receive } from "./receive.ts";
import type { RemoteHost } from "./remote-host.ts";
import { prune } from "./retention.ts";
import { readEntries } from "./tar-entries.ts";

export { archiveState } from "./local-archive.ts";

/** A backup that was verified on both sides. */
export interface BackupRecord extends StoredFile {
  /** On the host. */
  path: string;
  /** Entries that are no folders. */
  files: number;
  /** ISO, UTC. */
  takenAt: string;
}

export interface BackupOrder {
  /** Absolute folder on the host, `/backup`; the archive goes into one in it named after the host, made 0700. */
  directory: string;
  /** Local folder; the archive goes into one named after the host, made 0700. */
  archive: string;
  /** Run id, `[a-z0-9-]+`. */
  run: string;
  /** YYYYMMDD. */
  date: string;
  /** Backups of each kind that are kept per host, on the host and here. */
  keep: number;
  /** Encrypts the copies on this machine. */
  encryption?: Encryption | undefined;
  say: (text: string) => void;
}

/** Seconds for counting and listing; `rpm -qa` alone may take ten. */
const preparing = 300;

/** What `archive` writes besides, into the manifest: paths that were left out on purpose. */
export interface ArchiveOrder extends BackupOrder {
  kind: Extract<BackupKind, "master" | "etcd-config">;
  content: ArchiveContent;
  leftOut?: readonly string[];
}

/**
 * Takes one archive: prepared (counted, room asked), streamed, verified, sealed on both sides, and old ones beyond `keep` removed.
 * @throws RemoteError naming what failed; the host then holds no half archive under a final name, and this machine neither. Refusal
 *   for names that cannot be, and for lack of room here
 */
export async function takeArchive(host: RemoteHost, o: ArchiveOrder): Promise<BackupRecord> {
  const started = Date.now();
  const first = backupPlace(o.kind, host.name, o);
  o.say(`${host.name}: counting ${o.content.paths.join(", ")}`);
  const what = `preparing ${first.path}`;
  const { stdout } = await host.run(prepareScript(first, o.content), { what, deadline: preparing, limit: 2 ** 24 });
  const prepared = understood(host, what, () => parsePrepared(stdout));
  const place = backupPlace(o.kind, host.name, o, prepared.ending);
  return orDiscard(host, place, async () => {
    o.say(
      `${host.name}: ${prepared.count} entries, at most ${megabytes(prepared.announced)}; packing and copying them here`,
    );
    const listing = listen(prepared.ending === "tar.gz");
    let sha256 = "";
    const arrival = await receive(host, deliveryOf(host, o, place, prepared, listing.tap), async (arrived) => {
      const counted = understood(host, `packing ${place.path}`, () => parseCounted(arrived.said));
      for (const note of counted.notes) o.say(`${host.name}: ${note}`);
      const listed = await listing.done;
      sameCount(host, place, listed, counted);
      sha256 = await sealOnHost(host, arrived, { place, ...retained(o, host) }, o.say);
      return manifest(host, o, place, prepared, counted, listed, { ...arrived, sha256 }, started);
    }).catch(async (error: unknown) => {
      // what was not readable as a tar is told by the reader, not by the stream that then broke
      throw await listing.failure(host, place, error);
    });
    await prune(join(o.archive, host.name), host.name, [o.kind], o.keep, o.say);
    const { entries, files } = await listing.done;
    o.say(`${host.name}: ${arrival.archive} is verified: ${entries} entries, ${megabytes(arrival.bytes)}`);
    return recordOf(place, { ...arrival, sha256 }, files, new Date(started).toISOString());
  });
}

const retained = (o: ArchiveOrder, host: RemoteHost) => ({ keep: o.keep, pattern: namePattern(o.kind, host.name) });

const deliveryOf = (host: RemoteHost, o: ArchiveOrder, place: BackupPlace, prepared: Prepared, tap: PassThrough) => ({
  script: streamScript(place, prepared.ending),
  what: `packing ${o.content.paths.join(", ")} into ${place.path}`,
  announced: prepared.announced,
  into: join(o.archive, host.name, place.file),
  encryption: o.encryption,
  say: o.say,
  tap,
});

interface Listed {
  readonly entries: number;
  /** Those that are no folders. */
  readonly files: number;
  /** One JSON text an entry: a third of the memory that the objects would take. */
  readonly lines: readonly string[];
  readonly serials: Readonly<Record<string, string>>;
}

/** Reads the archive while it passes. */
function listen(compressed: boolean) {
  const tap = new PassThrough({ highWaterMark: 1 << 17 });
  const lines: string[] = [];
  let files = 0;
  const serials: Record<string, string> = {};
  const plain = compressed ? tap.pipe(createGunzip()) : tap;
  if (plain !== tap) tap.once("error", (error) => plain.destroy(error));
  let broken: unknown;
  const done: Promise<Listed> = readEntries(plain, {
    each: (entry) => {
      if (entry.type !== "folder") files += 1;
      lines.push(JSON.stringify(entry));
    },
    capture: (path) => serialFiles.includes(path),
    captured: (path, text) => (serials[path] = text.trim().slice(0, 200)),
  }).then(() => ({ entries: lines.length, files, lines, serials }));
  done.catch((error: unknown) => {
    broken ??= error;
    tap.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  /** The reader's own complaint, if it came first. */
  const failure = async (host: RemoteHost, place: BackupPlace, error: unknown): Promise<unknown> => {
    tap.destroy(new Error("the transfer broke"));
    await done.catch(() => undefined);
    const isReaders = error === broken || (error instanceof RemoteError && error.cause === broken);
    if (broken === undefined || !isReaders) return error;
    return new RemoteError({
      host: host.name,
      what: `reading the copy of ${place.path}`,
      outcome: "failed",
      seen: `it is no whole archive (${broken instanceof Error ? broken.message : "unreadable"})`,
      remedy: "try again; if it happens again, look at that host",
      cause: broken,
    });
  };
  return { tap, done, failure };
}

type Hashed = Omit<Arrival, "sha256"> & { readonly sha256: string };

const recordOf = (place: BackupPlace, arrival: Hashed, files: number, takenAt: string): BackupRecord => ({
  ...storedAs(place, arrival, arrival.sha256),
  files,
  takenAt,
});

function manifest(
  host: RemoteHost,
  o: ArchiveOrder,
  place: BackupPlace,
  prepared: Prepared,
  counted: Counted,
  listed: Listed,
  arrival: Hashed,
  started: number,
): object {
  return {
    format: 1,
    kind: o.kind,
    host: host.name,
    machineId: prepared.machineId,
    run: o.run,
    ...recordOf(place, arrival, counted.files, new Date(started).toISOString()),
    seconds: (Date.now() - started) / 1000,
    encrypted: o.encryption === undefined ? undefined : { recipient: o.encryption.recipient },
    restore: byHand(place, arrival),
    paths: prepared.paths,
    absent: prepared.absent,
    leftOut: o.leftOut ?? [],
    notes: counted.notes,
    packages: prepared.packages,
    tools: [...prepared.tools, `node: ${process.version}`],
    serials: listed.serials,
    entries: listed.lines.map((json) => new Raw(json)),
  };
}

/** How one restores without any of this. */
function byHand(place: BackupPlace, arrival: Hashed): string[] {
  const z = place.file.endsWith(".gz") ? "z" : "";
  const open = arrival.stored === undefined ? "" : `age -d -i <identity file> ${place.file}.age >${place.file} && `;
  return [
    `${open}sha256sum ${place.file}   # must be ${arrival.sha256}`,
    `tar -t${z}vf ${place.file}   # look first: paths are relative to /`,
    `mkdir -m 700 /root/restore && tar -x${z}pf ${place.file} -C /root/restore --numeric-owner --xattrs --xattrs-include='*' --acls --selinux`,
    "cp -a /root/restore/etc/<what is wanted> /etc/<where it was>   # as root, on the host it came from",
    "restorecon -R /etc   # where SELinux is on; then restart what reads those files, and remove /root/restore",
  ];
}
