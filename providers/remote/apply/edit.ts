/** Files: on a host, and the inventory of this machine, through `replaceFile`. */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { posix } from "node:path";
import { commitScript } from "../../plan/inventory-git.ts";
import { sh } from "../../plan/quote.ts";
import type { FileFacts } from "../../plan/facts.ts";
import type { Edit, Step } from "../../plan/steps.ts";
import { encode, replaceFile } from "../files.ts";
import type { RemoteHost } from "../remote-host.ts";
import { type ScriptRunner, thisMachine } from "../this-machine.ts";
import { type Context, hostOf, keepName } from "./context.ts";

const bytesOf = (text: string): Buffer => {
  const utf8 = Buffer.from(text, "utf8");
  return utf8.toString("utf8") === text ? utf8 : Buffer.from(text, "latin1");
};

/** The bytes that were read, from the text they became; their hash proves the way back. */
export function original({ text, sha256 }: FileFacts): Buffer {
  for (const encoding of ["utf8", "latin1"] as const) {
    const bytes = Buffer.from(text, encoding);
    if (createHash("sha256").update(bytes).digest("hex") === sha256) return bytes;
  }
  return bytesOf(text);
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
    content: encode(original(edit.before), edit.after),
    keepAs: keepName(context, edit.before.path),
    deadline: 60,
    ...(validate === undefined ? {} : { validate }),
  });
}

/**
 * Replaces a file of the inventory, if it is still what was read. The old one is kept under a name that Ansible does not read, should
 * the folder be an inventory; older copies beyond the number that is kept go, once the new file is proved.
 */
export async function editInventory(context: Context, step: Extract<Step, { do: "edit-inventory" }>): Promise<void> {
  const { edit, real, surplus } = step;
  await replaceFile(machineOf(context, step), {
    path: real,
    expected: edit.before.sha256,
    content: encode(original(edit.before), edit.after),
    keepAs: `${keepName(context, real)}.orig`,
    remove: surplus.filter((path) => posix.dirname(path) === posix.dirname(real)),
    deadline: 60,
  });
}

const machineOf = (context: Context, { local, host }: { local: boolean; host: string }): ScriptRunner =>
  local ? thisMachine : hostOf(context, host);

/** Moves variables of retired hosts into a folder beside them; what is not there any more is there already. */
export async function moveHostVars(context: Context, step: Extract<Step, { do: "move-host-vars" }>): Promise<void> {
  for (const path of step.paths) {
    const folder = posix.join(posix.dirname(path), `retired-${context.session.run}`);
    const to = posix.join(folder, posix.basename(path));
    const script = sh`[ -e ${path} ] || [ -L ${path} ] || exit 0
[ -d ${folder} ] || mkdir -m 700 -- ${folder} || exit 1
if [ -e ${to} ] || [ -L ${to} ]; then echo ${to} is there already >&2; exit 1; fi
mv -T -- ${path} ${to} && [ ! -e ${path} ] && { [ -e ${to} ] || [ -L ${to} ]; }`;
    await machineOf(context, step).run(script, { what: `moving ${path} aside`, deadline: 30 });
  }
}

/** @throws RemoteError when git does not commit: a hook says no, nobody is configured as author, … */
export async function commitInventory(step: Extract<Step, { do: "commit-inventory" }>): Promise<void> {
  await thisMachine.run(commitScript(step.commit, homedir()), { what: "committing the inventory", deadline: 120 });
}
