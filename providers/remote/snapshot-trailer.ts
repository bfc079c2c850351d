/** A snapshot carries its own proof; it is asked of the copy, as it lies here. */
import { createHash } from "node:crypto";
import { RemoteError } from "./errors.ts";
import type { Arrival } from "./receive.ts";
import type { RemoteHost } from "./remote-host.ts";

/**
 * What is wrong with a snapshot; undefined when nothing is. etcdctl appends a sha256 of all that precedes it; the database itself is
 * made of pages.
 * @param bytes the whole file, read to its end
 */
export async function snapshotFlaw(bytes: AsyncIterable<Buffer>): Promise<string | undefined> {
  const hash = createHash("sha256");
  let size = 0;
  let end = Buffer.alloc(0);
  for await (const chunk of bytes) {
    size += chunk.length;
    const known = Buffer.concat([end, chunk]);
    end = known.subarray(Math.max(0, known.length - 32));
    hash.update(known.subarray(0, known.length - end.length));
  }
  if (size < 1024 || size % 512 !== 32) return `${size} bytes are not whole pages and a 32-byte sha256`;
  const [stated, counted] = [end.toString("hex"), hash.digest("hex")];
  return stated === counted ? undefined : `its last 32 bytes say sha256 ${stated}, its content has ${counted}`;
}

/** @throws RemoteError when the copy of that file of the host is no whole snapshot */
export async function proveSnapshot(host: RemoteHost, path: string, arrival: Arrival): Promise<void> {
  const flaw = await snapshotFlaw((await arrival.open()) as AsyncIterable<Buffer>);
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
