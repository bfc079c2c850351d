/** An archive of this machine as its plain bytes, whether it is encrypted or not. Nothing plain is written to a disk. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { Decrypter } from "age-encryption";
import { Refusal } from "../plan/refusal.ts";
import { expandHome } from "./settings.ts";

/**
 * Opens an archive; whoever reads it sees an error where an encrypted one is cut off or was changed.
 * @param manifest only whether it says `encrypted` counts: then the file is one of age
 * @param identityPath file with age identities (`AGE-SECRET-KEY-1…`, a line each)
 * @throws Refusal without an identity, or when it is none or another's; what the file system says
 */
export async function openArchive(
  path: string,
  manifest: { readonly encrypted?: unknown },
  identityPath?: string,
): Promise<Readable> {
  const file = createReadStream(path);
  // told to whoever reads it; until then it must not end the process
  file.on("error", () => undefined);
  if (manifest.encrypted === undefined) return file;
  try {
    const decrypter = await decrypterOf(path, identityPath);
    const plain = await decrypter.decrypt(Readable.toWeb(file) as globalThis.ReadableStream<Uint8Array>);
    return Readable.fromWeb(plain).on("error", () => undefined);
  } catch (error) {
    file.destroy();
    if (error instanceof Refusal) throw error;
    const seen = error instanceof Error ? error.message : String(error);
    throw new Refusal(
      `the archive ${path} cannot be opened with the identity in ${identityPath ?? ""} (${seen}): name the file of its own identity in openshift-masters:backup.identity`,
      { cause: error },
    );
  }
}

async function decrypterOf(path: string, identityPath: string | undefined): Promise<Decrypter> {
  if (identityPath === undefined)
    throw new Refusal(
      `the archive ${path} is encrypted: name the file of its identity in openshift-masters:backup.identity`,
    );
  const lines = (await readFile(expandHome(identityPath), "utf8")).split(/\r?\n/).map((line) => line.trim());
  const identities = lines.filter((line) => line.startsWith("AGE-SECRET-KEY-"));
  if (identities.length === 0)
    throw new Refusal(`${identityPath} (openshift-masters:backup.identity) holds no age identity (AGE-SECRET-KEY-1…)`);
  const decrypter = new Decrypter();
  for (const one of identities) addIdentity(decrypter, one, identityPath);
  return decrypter;
}

/** What age says of a slip of the pen quotes the key: it is not passed on. */
function addIdentity(decrypter: Decrypter, identity: string, path: string): void {
  try {
    decrypter.addIdentity(identity);
  } catch {
    throw new Refusal(`${path} (openshift-masters:backup.identity) holds an age identity that is not well-formed`);
  }
}
