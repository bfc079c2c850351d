/** What a host's command prints becomes a file of this machine: streamed, hashed on the way, encrypted if so configured, and named only when it is proved. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { escapeControls } from "../plan/quote.ts";
import { Refusal } from "../plan/refusal.ts";
import { encrypted, type Encryption } from "./encrypt.ts";
import { RemoteError } from "./errors.ts";
import { freeBytes, hashFile, manifestOf, privateFolder, syncFolderOf, writeManifest } from "./local-archive.ts";
import { openArchive } from "./open-archive.ts";
import type { RemoteHost } from "./remote-host.ts";
import { memorySweeper } from "./sweep-memory.ts";

export interface Delivery {
  /** Its standard output is the file. */
  readonly script: string;
  /** As a participle for messages: `copying /backup/…`. */
  readonly what: string;
  /** Bytes that the host announced. */
  readonly announced: number;
  /** Final name on this machine, without `.age`; its folder is made 0700. What had the name is replaced. */
  readonly into: string;
  readonly encryption?: Encryption | undefined;
  readonly say: (text: string) => void;
  /** Gets every plain byte too, and is ended with the last. */
  readonly tap?: Writable;
}

/** A file that arrived and has no final name yet. */
export interface Arrival {
  /** Of the plain bytes: what the host has. */
  readonly bytes: number;
  /** Of the same, hexadecimal: read back from the disk, or, where the file is encrypted, counted on the way. */
  readonly sha256: () => Promise<string>;
  /** Final name on this machine. */
  readonly archive: string;
  /** Of the file here, where it is encrypted. */
  readonly stored?: { readonly bytes: number; readonly sha256: string };
  /** The plain bytes of the file as it lies here. */
  readonly open: () => Promise<Readable>;
  /** What the command said on standard error, its last 64 KiB. */
  readonly said: string;
}

/** Of the announced size; a host is not trusted, and may not fill this machine's disk. A little more for the smallest. */
const tolerated = (announced: number): number => announced * 1.2 + 65_536;
/** Bytes that stay free on this machine whatever is announced. */
const reserve = 64 * 2 ** 20;
/** Bytes between two questions how much is free. */
const stride = 32 * 2 ** 20;

/**
 * Brings it here, 0600. Until the command has ended well and `seal` is content, nothing has its final name.
 * @param seal proves what arrived, and gives the manifest that is to lie beside it; throwing discards the file
 * @throws RemoteError when the transfer broke, was cut off, or this machine could not write; Refusal when this machine lacks twice the
 *   room; what `seal` throws
 */
export async function receive(
  host: RemoteHost,
  d: Delivery,
  seal: (arrival: Arrival) => Promise<object>,
): Promise<Arrival> {
  const archive = `${d.into}${d.encryption === undefined ? "" : ".age"}`;
  const part = `${archive}.part`;
  await privateFolder(dirname(archive));
  await sweep(dirname(archive));
  await roomHere(dirname(archive), d);
  try {
    const arrival = await copy(host, d, archive, part);
    const manifest = await seal(arrival);
    await writeManifest(archive, manifest, () => rename(part, archive));
    await syncFolderOf(archive);
    return arrival;
  } finally {
    await rm(part, { force: true });
    await rm(`${manifestOf(archive)}.part`, { force: true });
  }
}

/** What a killed run left, by our own naming: the cluster's lock says that nobody is at work on it. */
async function sweep(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter((name) =>
    /-\d{8}-[a-z0-9-]+\.(?:tar|tar\.gz|db)(?:\.age)?(?:\.json)?\.part$/.test(name),
  );
  await Promise.all(left.map((name) => rm(join(folder, name), { force: true })));
}

async function roomHere(folder: string, d: Delivery): Promise<void> {
  const free = await freeBytes(folder);
  if (free < 2 * d.announced + reserve)
    throw new Refusal(
      `refusing to copy ${basename(d.into)} to ${folder}: ${megabytes(free)} free, twice its ${megabytes(d.announced)} and a reserve of ${megabytes(reserve)} wanted; free some, or name another backup.archive`,
    );
}

async function copy(host: RemoteHost, d: Delivery, archive: string, part: string): Promise<Arrival> {
  const fail = (seen: string, remedy: string, cause?: unknown) =>
    new RemoteError({ host: host.name, what: d.what, outcome: "failed", seen, remedy, cause });
  // At least 1 MB/s, and never less than ten minutes.
  const o = { what: d.what, deadline: Math.max(600, Math.ceil(d.announced / 1e6)), idle: 120 };
  const { stdout, done } = await host.stream(d.script, o);
  const { encryption } = d;
  // what lies here as it came is hashed from the disk, while the host hashes its own: here every byte counts twice already, in its file's hash
  const plain = meter(encryption !== undefined);
  const kept = meter(true);
  const progress = everyFewSeconds(d, host.name);
  const sweepMemory = memorySweeper();
  let asked = 0;
  async function* watched(): AsyncIterable<Uint8Array> {
    for await (const chunk of stdout as AsyncIterable<Buffer>) {
      plain.take(chunk);
      progress(plain.bytes());
      if (plain.bytes() > tolerated(d.announced))
        throw fail(`more than 1.2 times the announced ${d.announced} bytes came`, "look at that host");
      if (plain.bytes() - asked > stride) {
        asked = plain.bytes();
        if ((await freeBytes(dirname(part))) < reserve)
          throw fail(
            `this machine's disk is filling up: less than ${megabytes(reserve)} are left below ${dirname(part)}`,
            "free some, or name another backup.archive",
          );
      }
      if (d.tap !== undefined && !isTaken(d.tap, chunk)) await roomIn(d.tap);
      sweepMemory(chunk.length);
      yield chunk;
    }
    d.tap?.end();
  }
  const stream = encryption === undefined ? watched() : kept.through(encrypted(watched(), encryption));
  const writing = writeFile(part, stream).finally(() => stdout.destroy());
  // The writer's reason first: when it gives up, the host's end of it is only that nobody reads on.
  const [written, ending] = await Promise.allSettled([writing, done]);
  if (written.status === "rejected" || ending.status === "rejected" || ending.value.code !== 0)
    d.tap?.destroy(new Error("the transfer broke"));
  // what the host says of its own failure is more than that the link ended
  if (ending.status === "fulfilled" && ending.value.code !== 0 && isHostsEnd(written))
    throw new RemoteError({
      host: host.name,
      what: d.what,
      outcome: "failed",
      seen: `exit ${ending.value.code}`,
      exit: ending.value.code,
      output: ending.value.stderr,
    });
  if (written.status === "rejected") {
    const reason: unknown = written.reason;
    if (reason instanceof RemoteError || reason instanceof Refusal) throw reason;
    if (ending.status === "rejected" && isHostsEnd(written)) throw ending.reason;
    const said = reason instanceof Error ? escapeControls(reason.message) : String(reason);
    throw fail(said, "see that this machine can write there, and has room", reason);
  }
  if (ending.status === "rejected") throw ending.reason;
  const stored = encryption === undefined ? {} : { stored: { bytes: kept.bytes(), sha256: kept.sha256() } };
  const opened = () => openArchive(part, { identity: encryption?.ownIdentity, encrypted: encryption !== undefined });
  let hash: Promise<string> | undefined;
  const sha256 = () => (hash ??= encryption === undefined ? hashFile(part) : Promise.resolve(plain.sha256()));
  return { bytes: plain.bytes(), sha256, archive, ...stored, open: opened, said: ending.value.stderr };
}

/** The writer had nothing to complain of, or only that its source ended. */
const isHostsEnd = (written: PromiseSettledResult<void>): boolean =>
  written.status === "fulfilled" ||
  written.reason instanceof RemoteError ||
  (written.reason as { code?: unknown }).code === "ERR_STREAM_PREMATURE_CLOSE";

/**
 * Writes a new file, 0600, to the disk, in blocks that are used again and again: while one is written, the next is filled. The pieces
 * themselves, 32 KiB each as SSH brings them, can go at once; kept until they are written they would outlive the quick collections.
 */
async function writeFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, "wx", 0o600);
  let [block, other] = [Buffer.allocUnsafe(blockSize), Buffer.allocUnsafe(blockSize)];
  let filled = 0;
  let last: Promise<unknown> = Promise.resolve();
  const flush = async () => {
    await last;
    last = file.appendFile(block.subarray(0, filled));
    // heard even when nothing comes after it
    last.catch(() => undefined);
    [block, other] = [other, block];
    filled = 0;
  };
  try {
    for await (const piece of pieces)
      for (let at = 0; at < piece.length;) {
        const part = piece.subarray(at, at + blockSize - filled);
        block.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === blockSize) await flush();
      }
    await flush();
    await last;
    await file.sync();
  } finally {
    await last.catch(() => undefined);
    await file.close();
  }
}
const blockSize = 1 << 20;

/** Whether the reader of the tap is ready for more. */
function isTaken(tap: Writable, chunk: Uint8Array): boolean {
  if (tap.destroyed) throw tap.errored ?? new Error("nobody reads the archive any more");
  return tap.write(chunk);
}

/** The back-pressure of whoever reads the tap; one that has given up never has room. */
async function roomIn(tap: Writable): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race([
      once(tap, "drain", { signal: over.signal }),
      once(tap, "close", { signal: over.signal }).then(() => {
        throw tap.errored ?? new Error("nobody reads the archive any more");
      }),
    ]);
  } finally {
    over.abort();
  }
}

/** Counts, and hashes where that is wanted. */
function meter(hashing: boolean) {
  const hash = createHash("sha256");
  let bytes = 0;
  const take = (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (hashing) hash.update(chunk);
  };
  async function* through(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of source) {
      take(chunk);
      yield chunk;
    }
  }
  return { take, through, bytes: () => bytes, sha256: () => hash.digest("hex") };
}

/** Says how far it is, every five seconds at most. */
function everyFewSeconds(d: Delivery, hostName: string): (size: number) => void {
  let last = performance.now();
  return (size) => {
    if (performance.now() - last < 5000) return;
    last = performance.now();
    const percent = Math.min(100, Math.floor((100 * size) / Math.max(1, d.announced)));
    d.say(`${hostName}: ${basename(d.into)}: ${megabytes(size)} of ${megabytes(d.announced)} copied (${percent} %)`);
  };
}

/** As one reads sizes: `0.3 MB`, `120 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}
