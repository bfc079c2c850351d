/** Files: on a host through `replaceFile`, the inventory of this machine with the same care. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import type { Edit } from "../../plan/steps.ts";
import { encode, replaceFile } from "../files.ts";
import type { RemoteHost } from "../remote-host.ts";
import { type Context, keepName } from "./context.ts";

const bytesOf = (text: string): Buffer => {
  const utf8 = Buffer.from(text, "utf8");
  return utf8.toString("utf8") === text ? utf8 : Buffer.from(text, "latin1");
};

/** The bytes that were read, from the text they became; their hash proves the way back. */
function original(edit: Edit): Buffer {
  for (const encoding of ["utf8", "latin1"] as const) {
    const bytes = Buffer.from(edit.before.text, encoding);
    if (createHash("sha256").update(bytes).digest("hex") === edit.before.sha256) return bytes;
  }
  return bytesOf(edit.before.text);
}

/** Replaces a file on a host, if it is still what was read; the old one is kept beside it. */
export async function editRemote(
  context: Context,
  host: RemoteHost,
  edit: Edit,
  validate?: (temporary: string) => string,
): Promise<void> {
  await replaceFile(host, {
    path: edit.before.path,
    expected: edit.before.sha256,
    content: encode(original(edit), edit.after),
    keepAs: keepName(context, edit.before.path),
    deadline: 60,
    ...(validate === undefined ? {} : { validate }),
  });
}

/**
 * Replaces a file of this machine: written beside it with the same owner and mode, synced, renamed; the old one is kept, 0600.
 * @throws Error when it is no longer what was read
 */
export function editLocal(context: Context, edit: Edit): void {
  const path = realpathSync(edit.before.path);
  const now = readFileSync(path);
  if (createHash("sha256").update(now).digest("hex") !== edit.before.sha256)
    throw new Error(`${path} was changed since it was read; look at it and run \`pulumi up\` again`);
  const { mode, uid, gid } = statSync(path);
  const kept = keepName(context, path);
  copyFileSync(path, kept);
  chmodSync(kept, 0o600);
  const temporary = `${path}.${context.session.run}.part`;
  try {
    const file = openSync(temporary, "wx", 0o600);
    writeSync(file, encode(now, edit.after));
    fsyncSync(file);
    closeSync(file);
    chownSync(temporary, uid, gid);
    chmodSync(temporary, mode & 0o7777);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
