/** A snapshot carries its own proof; it is asked of the copy, wherever that is. */
import { open } from "node:fs/promises";
import { RemoteError } from "./errors.ts";
import { hashFile } from "./local-archive.ts";
import type { RemoteHost } from "./remote-host.ts";

/**
 * What is wrong with a snapshot on this machine; undefined when nothing is. etcdctl appends a sha256 of all that precedes it; the
 * database itself is made of pages.
 */
export async function snapshotFlaw(path: string): Promise<string | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size < 1024 || size % 512 !== 32) return `${size} bytes are not whole pages and a 32-byte sha256`;
    const { buffer } = await file.read(Buffer.alloc(32), 0, 32, size - 32);
    const [stated, counted] = [buffer.toString("hex"), await hashFile(path, size - 32)];
    return stated === counted ? undefined : `its last 32 bytes say sha256 ${stated}, its content has ${counted}`;
  } finally {
    await file.close();
  }
}

/** @throws RemoteError when the copy of that file of the host is no whole snapshot */
export async function proveSnapshot(host: RemoteHost, path: string, temporary: string): Promise<void> {
  const flaw = await snapshotFlaw(temporary);
  if (flaw === undefined) return;
  const remedy = "take it again; if it happens again, look at that host's disk";
  throw new RemoteError({
    host: host.name,
    what: `verifying the copy of ${path}`,
    outcome: "failed",
    seen: flaw,
    remedy,
  });
}
