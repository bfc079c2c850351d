/** Archives on this machine: hashed, counted, with the manifest beside them. Everything is 0600 in 0700. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, lstat, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";

/** Bytes up to which an archive is hashed to see whether it was altered; of a bigger one only the size is compared. */
const hashedUpTo = 256 * 1024 * 1024;

/**
 * Whether an archive is still what was recorded (sha256 up to 256 MiB, above that the size).
 * @throws what the file system says when it cannot be read for another reason than its absence
 */
export async function archiveState(record: {
  archive: string;
  sha256: string;
  bytes: number;
}): Promise<"there" | "gone" | "altered"> {
  const seen = await lstat(record.archive).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && ["ENOENT", "ENOTDIR"].includes(String(error.code)))
      return undefined;
    throw error;
  });
  if (seen === undefined) return "gone";
  if (!seen.isFile() || seen.size !== record.bytes) return "altered";
  return record.bytes > hashedUpTo || (await hashFile(record.archive)) === record.sha256 ? "there" : "altered";
}

/** sha256, hexadecimal, of a file or of its first `length` bytes. */
export async function hashFile(path: string, length = Infinity): Promise<string> {
  const hash = createHash("sha256");
  if (length > 0) for await (const chunk of createReadStream(path, { end: length - 1 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** A folder that only its owner enters, made with those above it if need be. */
export async function privateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
}

/**
 * What this machine's tar finds in a gzipped archive, read to its end: all entries, and those that are no folders.
 * @throws Error when it cannot be read whole, takes longer than ten minutes, or there is no tar
 */
export async function countEntries(archive: string): Promise<{ entries: number; files: number }> {
  // By standard input: tar would take a colon in the name for that of another host.
  const tar = spawn("tar", ["-tzf", "-"], { env: { ...process.env, LC_ALL: "C" }, timeout: 600_000 });
  const said: string[] = [];
  tar.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString("utf8").slice(0, 500)));
  const ended = new Promise<number | null>((resolve, reject) => tar.once("error", reject).once("close", resolve));
  // A tar that gives up early breaks the pipe; its exit code says more than that.
  const fed = pipeline(createReadStream(archive), tar.stdin).catch(() => undefined);
  const [counted, code] = await Promise.all([count(createInterface(tar.stdout)), ended, fed]);
  if (code !== 0)
    throw new Error(`tar -tzf cannot read ${archive} (exit ${String(code)}): ${said.join("").slice(-500)}`);
  return counted;
}

async function count(lines: AsyncIterable<string>): Promise<{ entries: number; files: number }> {
  const counted = { entries: 0, files: 0 };
  for await (const line of lines) {
    counted.entries += 1;
    if (!line.endsWith("/")) counted.files += 1;
  }
  return counted;
}

/** The manifest's place: beside its archive. */
export function manifestOf(archive: string): string {
  return `${archive}.json`;
}

/** Writes it whole or not at all. */
export async function writeManifest(archive: string, content: object): Promise<void> {
  const path = manifestOf(archive);
  const part = `${path}.part`;
  await rm(part, { force: true });
  const file = await open(part, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(content, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
}

/** What it says; undefined when there is none, or no JSON. */
export async function readManifest(archive: string): Promise<unknown> {
  try {
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
