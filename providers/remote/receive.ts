/** A file of a host becomes a file of this machine: streamed, hashed on the way, and named only when it is proved. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm, statfs } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { sh } from "../plan/quote.ts";
import { Refusal } from "../plan/refusal.ts";
import { RemoteError } from "./errors.ts";
import { privateFolder, syncFolderOf } from "./local-archive.ts";
import type { RemoteHost } from "./remote-host.ts";

export interface Delivery {
  /** On the host. */
  readonly path: string;
  /** As the host announced it. */
  readonly bytes: number;
  /** Hexadecimal, as the host announced it. */
  readonly sha256: string;
  /** Final name on this machine; its folder is made 0700. What had the name is replaced. */
  readonly into: string;
  readonly say: (text: string) => void;
  /** Proves the file under its temporary name, and writes what belongs beside it; throwing discards the file. */
  readonly seal: (temporary: string) => Promise<void>;
}

/** Of the announced size; a host is not trusted, and may not fill this machine's disk. */
const tolerated = 1.2;

/**
 * Brings a file here, 0600. Until its size and hash are those announced and `seal` is content, nothing has its final name.
 * @throws RemoteError when the transfer broke, the bytes are not those announced, or this machine could not write them; Refusal
 *   when this machine lacks twice the room; what `seal` throws
 */
export async function receive(host: RemoteHost, d: Delivery): Promise<void> {
  const part = `${d.into}.part`;
  await privateFolder(dirname(d.into));
  await rm(part, { force: true });
  await roomHere(dirname(d.into), d);
  try {
    await copy(host, d, part);
    await d.seal(part);
    await rename(part, d.into);
    await syncFolderOf(d.into);
  } finally {
    await rm(part, { force: true });
  }
}

async function roomHere(folder: string, d: Delivery): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < 2 * d.bytes)
    throw new Refusal(
      `refusing to copy ${basename(d.into)} to ${folder}: ${megabytes(bavail * bsize)} free, twice its ${megabytes(d.bytes)} wanted; free some, or name another backup.archive`,
    );
}

async function copy(host: RemoteHost, d: Delivery, part: string): Promise<void> {
  const what = `copying ${d.path} to ${dirname(d.into)}`;
  const fail = (seen: string, remedy: string, cause?: unknown) =>
    new RemoteError({ host: host.name, what, outcome: "failed", seen, remedy, cause });
  const hash = createHash("sha256");
  const progress = everyFewSeconds(d, host.name);
  let size = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      size += chunk.length;
      hash.update(chunk);
      progress(size);
      const tooMuch = size > d.bytes * tolerated;
      next(
        tooMuch ? fail(`more than 1.2 times the announced ${d.bytes} bytes came`, "look at that host") : null,
        chunk,
      );
    },
  });
  // At least 1 MB/s, and never less than ten minutes.
  const o = { what, deadline: Math.max(600, Math.ceil(d.bytes / 1e6)), idle: 60 };
  const { stdout, done } = await host.stream(sh`cat -- ${d.path}`, o);
  const written = pipeline(stdout, meter, createWriteStream(part, { flags: "wx", mode: 0o600, flush: true }));
  // The writer's reason first: when it gives up, the host's end of it is only that nobody reads on.
  const [writing, ending] = await Promise.allSettled([written, done]);
  if (writing.status === "rejected") {
    if (writing.reason instanceof RemoteError) throw writing.reason;
    const said = writing.reason instanceof Error ? writing.reason.message : String(writing.reason);
    throw fail(said, "see that this machine can write there, and has room", writing.reason);
  }
  if (ending.status === "rejected") throw ending.reason;
  const { code, stderr } = ending.value;
  if (code !== 0)
    throw new RemoteError({
      host: host.name,
      what,
      outcome: "failed",
      seen: `exit ${code}`,
      exit: code,
      output: stderr,
    });
  const sha256 = hash.digest("hex");
  if (size !== d.bytes || sha256 !== d.sha256)
    throw fail(
      `${size} bytes of sha256 ${sha256} came, announced were ${d.bytes} of ${d.sha256}`,
      "try again; if it happens again, look at that host's disk",
    );
}

/** Says how far it is, every five seconds at most. */
function everyFewSeconds(d: Delivery, hostName: string): (size: number) => void {
  let last = performance.now();
  return (size) => {
    if (performance.now() - last < 5000) return;
    last = performance.now();
    const percent = Math.floor((100 * size) / Math.max(1, d.bytes));
    d.say(`${hostName}: ${basename(d.into)}: ${megabytes(size)} of ${megabytes(d.bytes)} copied (${percent} %)`);
  };
}

/** As one reads sizes: `0.3 MB`, `120 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}
