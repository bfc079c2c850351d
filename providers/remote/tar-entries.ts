/** What a tar archive holds, read once from its plain bytes: names, kinds, owners, modes, and the sha256 of every file. Nothing is unpacked. */
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate as breathe } from "node:timers/promises";
import tar from "tar-stream";
import type { ArchiveEntry } from "../plan/archive.ts";
import { Refusal } from "../plan/refusal.ts";

/** More entries than any master has; a hostile archive may not fill this machine's memory. */
const mostEntries = 1_000_000;
/** Bytes of a file with holes up to which its content is hashed, holes included; a larger one is listed without a hash. */
const mostSparse = 2 ** 36;
/** Bytes of a captured file. */
const mostCaptured = 4096;

export interface Reading {
  /** Called in the archive's order. */
  readonly each: (entry: ArchiveEntry) => void;
  /** Names of files whose text (the first 4 KiB) `captured` is wanted of. */
  readonly capture?: (path: string) => boolean;
  readonly captured?: (path: string, text: string) => void;
}

/**
 * Reads a plain (not compressed) tar stream to its end. A name that is no UTF-8 has U+FFFD in it; the archive keeps its bytes.
 * @throws Error of tar-stream when it is cut off or no tar; Refusal for more than a million entries
 */
export async function readEntries(plain: Readable, reading: Reading): Promise<void> {
  const extract = tar.extract();
  const read = (async () => {
    let count = 0;
    for await (const entry of extract) {
      if ((count += 1) > mostEntries) throw new Refusal(`the archive holds more than ${mostEntries} entries`);
      reading.each(await entryOf(entry.header, entry as AsyncIterable<Buffer>, reading));
    }
  })();
  await Promise.all([pipeline(plain, extract), read]);
}

const kinds: Readonly<Record<string, ArchiveEntry["type"]>> = {
  file: "file",
  "contiguous-file": "file",
  directory: "folder",
  symlink: "symlink",
  link: "link",
};

async function entryOf(header: tar.Header, body: AsyncIterable<Buffer>, reading: Reading): Promise<ArchiveEntry> {
  const pax = header.pax as Readonly<Record<string, string>> | null | undefined;
  const path = (pax?.["GNU.sparse.name"] ?? header.name).replace(/\/+$/, "");
  const type = kinds[header.type] ?? "other";
  const sparse = pax?.["GNU.sparse.realsize"] === undefined ? undefined : Number(pax["GNU.sparse.realsize"]);
  const hash = createHash("sha256");
  const text: Buffer[] = [];
  const wanted = type === "file" && reading.capture?.(path) === true;
  let kept = 0;
  const take = (chunk: Buffer) => {
    hash.update(chunk);
    if (wanted && kept < mostCaptured) text.push(chunk.subarray(0, mostCaptured - kept));
    kept += chunk.length;
  };
  const whole = sparse === undefined ? await plainBody(body, take) : await sparseBody(body, sparse, take);
  if (wanted) reading.captured?.(path, Buffer.concat(text).toString("latin1"));
  return {
    path,
    type,
    mode: (header.mode & 0o7777).toString(8).padStart(4, "0"),
    uid: header.uid,
    gid: header.gid,
    size: type === "file" ? (sparse ?? header.size) : 0,
    ...(type === "file" && whole ? { sha256: hash.digest("hex") } : {}),
    ...(type === "symlink" || type === "link" ? { target: header.linkname } : {}),
  };
}

async function plainBody(body: AsyncIterable<Buffer>, take: (chunk: Buffer) => void): Promise<boolean> {
  for await (const chunk of body) take(chunk);
  return true;
}

/**
 * GNU tar's sparse format 1.0: the data begins with a map in decimal lines (how many pieces, then offset and size of each), filled up to
 * whole blocks; then the pieces. Says whether the whole file, holes as zeros, went to `take`.
 */
async function sparseBody(
  body: AsyncIterable<Buffer>,
  realSize: number,
  take: (chunk: Buffer) => void,
): Promise<boolean> {
  let map: number[] | undefined;
  let head = Buffer.alloc(0);
  let piece = 0;
  let at = 0;
  let left = 0;
  const fits = realSize <= mostSparse;
  const zeros = async (upTo: number) => {
    while (fits && at < upTo) {
      const length = Math.min(block.length, upTo - at);
      take(block.subarray(0, length));
      at += length;
      await breathe();
    }
  };
  const data = async (bytes: Buffer) => {
    for (let rest = bytes; rest.length > 0;) {
      if (left === 0) {
        const [offset, size] = [map?.[1 + 2 * piece], map?.[2 + 2 * piece]];
        if (offset === undefined || size === undefined) return;
        await zeros(Math.min(offset, realSize));
        piece += 1;
        left = size;
        if (size === 0) continue;
      }
      const part = rest.subarray(0, left);
      if (fits) take(part);
      at += part.length;
      left -= part.length;
      rest = rest.subarray(part.length);
    }
  };
  for await (const chunk of body) {
    if (map !== undefined) {
      await data(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const parsed = sparseMap(head);
    if (parsed === undefined) continue;
    map = parsed.map;
    await data(head.subarray(parsed.end));
  }
  await zeros(realSize);
  return fits;
}
const block = Buffer.alloc(1 << 22);

/** The map's numbers and where the data begins; undefined as long as it is not whole. */
function sparseMap(head: Buffer): { map: number[]; end: number } | undefined {
  const lines = head.toString("latin1").split("\n");
  const pieces = Number(lines[0]);
  if (lines.length < 2 * pieces + 2 || lines.length < 2) return undefined;
  const map = lines.slice(0, 1 + 2 * pieces).map(Number);
  const length = lines.slice(0, 1 + 2 * pieces).reduce((sum, line) => sum + line.length + 1, 0);
  const end = Math.ceil(length / 512) * 512;
  return head.length < end ? undefined : { map, end };
}
