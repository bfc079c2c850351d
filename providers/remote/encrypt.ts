/**
 * The off-host copies, encrypted to the administrator's public key as age files (age-encryption.org/v1): `age -d -i <identity>` opens them anywhere. Each is
 * also encrypted to a key that this run makes and forgets: the copy that lies on the disk can be verified and rehearsed, and nothing plain ever lies there.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { Refusal } from "../plan/refusal.ts";
import { webOf } from "./open-archive.ts";
import { expandHome } from "./settings.ts";

export interface Encryption {
  /** The administrator's, `age1…`. */
  readonly recipient: string;
  /** Of this run; never written anywhere. */
  readonly ownIdentity: string;
  readonly ownRecipient: string;
}

/**
 * Reads the public key file of `backup.encrypt`.
 * @throws Refusal when it cannot be read or holds no age recipient
 */
export async function encryptionTo(file: string): Promise<Encryption> {
  const path = resolve(expandHome(file));
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new Refusal(`backup.encrypt: ${path} cannot be read (${cause instanceof Error ? cause.message : ""})`, {
      cause,
    });
  });
  if (/AGE-SECRET-KEY-/.test(text))
    throw new Refusal(
      `backup.encrypt: ${path} holds a secret key; name a file with the public one alone (age-keygen -y ${path})`,
    );
  const recipients = text.match(/\bage1[a-z0-9]{10,}\b/g) ?? [];
  const [recipient] = recipients;
  if (recipient === undefined || new Set(recipients).size > 1)
    throw new Refusal(
      `backup.encrypt: ${path} must hold one age public key (age1…, as \`age-keygen\` prints it), and has ${recipients.length}`,
    );
  const ownIdentity = await generateX25519Identity();
  const encryption = { recipient, ownIdentity, ownRecipient: await identityToRecipient(ownIdentity) };
  try {
    new Encrypter().addRecipient(recipient);
  } catch (cause) {
    throw new Refusal(
      `backup.encrypt: ${path}: ${recipient} is no age public key (${cause instanceof Error ? cause.message : ""})`,
      { cause },
    );
  }
  return encryption;
}

/** The source's bytes as an age file. */
export async function* encrypted(source: AsyncIterable<Uint8Array>, to: Encryption): AsyncIterable<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(to.recipient);
  encrypter.addRecipient(to.ownRecipient);
  const stream = await encrypter.encrypt(webOf(Readable.from(source)));
  yield* Readable.fromWeb(stream as ReadableStream) as AsyncIterable<Uint8Array>;
}
