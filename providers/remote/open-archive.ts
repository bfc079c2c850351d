/** An archive of this machine as plain bytes: decrypted when it is an age file, unpacked when it is gzip. Streams only. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { createGunzip } from "node:zlib";
import { Decrypter } from "age-encryption";
import { Refusal } from "../plan/refusal.ts";

export interface Opening {
  /** Path of an age identity file (`AGE-SECRET-KEY-1…` on a line of its own). */
  readonly identityFile?: string | undefined;
  /** Or the identity itself. */
  readonly identity?: string | undefined;
  /** Whether it is an age file; by its name (`.age`) unless told. */
  readonly encrypted?: boolean;
}

const isEncrypted = (path: string): boolean => path.endsWith(".age");

/**
 * The bytes that the host packed (`.tar`, `.tar.gz`, `.db`), decrypted where the file here is encrypted.
 * @throws Refusal when it is encrypted and there is no identity, or not the right one
 */
export async function openArchive(path: string, o: Opening = {}): Promise<Readable> {
  const stored = createReadStream(path, { highWaterMark: 1 << 18 });
  if (!(o.encrypted ?? isEncrypted(path))) return stored;
  const identity = o.identity ?? (await identityIn(path, o.identityFile));
  const decrypter = decrypterOf(path, identity, stored);
  try {
    return Readable.fromWeb((await decrypter.decrypt(webOf(stored))) as ReadableStream);
  } catch (cause) {
    stored.destroy();
    throw new Refusal(
      `${path} cannot be decrypted (${cause instanceof Error ? cause.message : String(cause)}): is this the identity that belongs to the public key of backup.encrypt?`,
      { cause },
    );
  }
}

/** What age says of a slip of the pen in an identity quotes the whole of it: that is not passed on, not even as a cause. */
function decrypterOf(path: string, identity: string, stored: Readable): Decrypter {
  const decrypter = new Decrypter();
  try {
    decrypter.addIdentity(identity);
  } catch {
    stored.destroy();
    throw new Refusal(
      `${path} cannot be decrypted: the identity given for it is not well-formed; is it cut off or mistyped?`,
    );
  }
  return decrypter;
}

/** The same as a plain tar stream. */
export async function plainTar(path: string, o: Opening = {}): Promise<Readable> {
  const bytes = await openArchive(path, o);
  return /\.gz(\.age)?$/.test(path) ? unpacked(bytes) : bytes;
}

/** What gzip made plain; what is wrong with its source shows as the error of the stream that is read. */
export const unpacked = (bytes: Readable): Readable => pipeline(bytes, createGunzip(), () => undefined);

/** node's web streams and the DOM's have one shape and two types. */
export const webOf = (stream: Readable): globalThis.ReadableStream<Uint8Array> => Readable.toWeb(stream);

async function identityIn(path: string, file: string | undefined): Promise<string> {
  if (file === undefined)
    throw new Refusal(
      `${path} is encrypted: name the identity file of backup.encrypt's key (backup.identity in the configuration, or age -d -i <file> by hand)`,
    );
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new Refusal(`the identity file ${file} cannot be read (${cause instanceof Error ? cause.message : ""})`);
  });
  const key = /^AGE-SECRET-KEY-[A-Z0-9-]+$/m.exec(text)?.[0];
  if (key === undefined) throw new Refusal(`${file} holds no age identity (a line AGE-SECRET-KEY-1…)`);
  return key;
}
