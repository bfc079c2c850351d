/** Archives on this machine: hashed, counted, with the manifest beside them. Everything is 0600 in 0700. */
import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, open, readFile, rename, rm, statfs } from "node:fs/promises";
import { dirname } from "node:path";

/** Bytes up to which an archive is hashed to see whether it was altered; of a bigger one only the size is compared. */
const hashedUpTo = 256 * 1024 * 1024;

/** A file here; size and hash are those of the plain bytes, `stored` those of the file itself where it is encrypted. */
export interface StoredFile {
  /** On this machine. */
  archive: string;
  /** Hexadecimal. */
  sha256: string;
  bytes: number;
  stored?: { sha256: string; bytes: number };
}

/**
 * Whether an archive is still what was recorded (sha256 up to 256 MiB, above that the size).
 * @throws what the file system says when it cannot be read for another reason than its absence
 */
export async function archiveState(record: StoredFile): Promise<"there" | "gone" | "altered"> {
  const { sha256, bytes } = record.stored ?? record;
  const seen = await lstat(record.archive).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && ["ENOENT", "ENOTDIR"].includes(String(error.code)))
      return undefined;
    throw error;
  });
  if (seen === undefined) return "gone";
  if (!seen.isFile() || seen.size !== bytes) return "altered";
  return bytes > hashedUpTo || (await hashFile(record.archive)) === sha256 ? "there" : "altered";
}

/** What of the recorded files is gone or altered, one line each. */
export async function lostOf(records: readonly StoredFile[], remedy: string): Promise<string[]> {
  const states = await Promise.all(records.map(async (record) => ({ record, state: await archiveState(record) })));
  return states
    .filter(({ state }) => state !== "there")
    .map(({ record, state }) => `${record.archive} is ${state}: \`up\` takes ${remedy}`);
}

/** sha256, hexadecimal, of a file. Read into one buffer again and again: a stream would leave as much garbage as the file is long. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(1 << 20);
  const file = await open(path);
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** A folder that only its owner enters, made with those above it if need be. */
export async function privateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
}

/** Bytes free below a folder. @throws what the file system says when it is not there */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** The same for a folder that may not be there yet; undefined when the file system does not tell. */
export async function freeFor(folder: string): Promise<number | undefined> {
  try {
    return await freeBytes(folder);
  } catch {
    return dirname(folder) === folder ? undefined : freeFor(dirname(folder));
  }
}

/** The manifest's place: beside its archive. */
export function manifestOf(archive: string): string {
  return `${archive}.json`;
}

/**
 * Writes it whole or not at all.
 * @param before what must happen before the manifest gets its name: it says that its archive is complete
 */
export async function writeManifest(archive: string, content: object, before: () => Promise<void>): Promise<void> {
  const path = manifestOf(archive);
  const part = `${path}.part`;
  await rm(part, { force: true });
  const file = await open(part, "wx", 0o600);
  try {
    await file.writeFile(inLines(content));
    await file.sync();
  } finally {
    await file.close();
  }
  await before();
  await rename(part, path);
}

/** A value that is JSON text already. */
export class Raw {
  readonly json: string;
  constructor(json: string) {
    this.json = json;
  }
}
const jsonOf = (value: unknown): string => (value instanceof Raw ? value.json : JSON.stringify(value));

/** JSON for people, in pieces: one line a key, and one line an element where there are many. */
function* inLines(content: object): Iterable<string> {
  const shown = Object.entries(content).filter(([, value]) => value !== undefined);
  for (const [at, [key, value]] of shown.entries()) {
    yield `${at === 0 ? "{" : ","}\n  ${JSON.stringify(key)}: `;
    if (!Array.isArray(value) || value.length === 0) yield jsonOf(value);
    else {
      // a thousand at a time: a write for each of 20 000 entries would take longer than the copy
      for (let n = 0; n < value.length; n += 1000)
        yield `${n === 0 ? "[" : ","}\n    ${value
          .slice(n, n + 1000)
          .map(jsonOf)
          .join(",\n    ")}`;
      yield "\n  ]";
    }
  }
  yield "\n}\n";
}

/** Of a manifest, in bytes: a master has some ten thousand files. */
const largestManifest = 256 * 1024 * 1024;

/** What it says; undefined when there is none, or no JSON, or it is larger than any can be. */
export async function readManifest(archive: string): Promise<unknown> {
  try {
    if ((await lstat(manifestOf(archive))).size > largestManifest) return undefined;
    return JSON.parse(await readFile(manifestOf(archive), "utf8"));
  } catch {
    return undefined;
  }
}

/** Makes a rename outlive a power failure. Not every file system can. */
export async function syncFolderOf(path: string): Promise<void> {
  const folder = await open(dirname(path)).catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
