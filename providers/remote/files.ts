/** Files on a host, byte for byte: read with the hash that a later replacement must still find. */
import { createHash, randomBytes } from "node:crypto";
import { posix } from "node:path";
import { sh } from "../plan/quote.ts";
import { Refusal } from "../plan/refusal.ts";
import { maskLine } from "../plan/show.ts";
import { RemoteError } from "./errors.ts";
import type { RemoteHost } from "./remote-host.ts";
import { attempt, replaceScript } from "./replace-script.ts";
import type { ScriptRunner } from "./this-machine.ts";

/** A file as it was read. */
export interface RemoteFile {
  /** Resolved by `readlink -f`: the file itself, not a link to it. */
  readonly path: string;
  readonly bytes: Buffer;
  /** The bytes as UTF-8 if they are that, else as latin1, so that nothing is lost; see `encode`. */
  readonly text: string;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Bytes of a file that are still taken. */
const defaultLimit = 4 * 1024 * 1024;
const absent = 94;

/**
 * Reads a file; undefined when there is none (or only a dangling link).
 * @param o.limit bytes, default 4 MiB
 * @throws RemoteError when it is no regular file, is bigger, may not be read, or changed while it was read
 */
export async function readFile(
  host: RemoteHost,
  path: string,
  o: { limit?: number } = {},
): Promise<RemoteFile | undefined> {
  const limit = o.limit ?? defaultLimit;
  const what = `reading ${path}`;
  // Room for the resolved path and the hash in front of the content.
  const run = { what, deadline: 60, limit: limit + 16_384, ok: [0, absent] };
  const { code, stdout } = await host.runBytes(readScript(path, limit), run);
  if (code === absent) return undefined;
  const endOfPath = stdout.indexOf(0);
  const endOfHash = stdout.indexOf(0, endOfPath + 1);
  const bytes = Buffer.from(stdout.subarray(endOfHash + 1));
  const sha256 = hashOf(bytes);
  if (endOfPath < 0 || endOfHash < 0 || stdout.toString("latin1", endOfPath + 1, endOfHash) !== sha256)
    throw new RemoteError({
      host: host.name,
      what,
      outcome: "not-done",
      seen: "the file changed while it was read",
      remedy: "try again",
    });
  return { path: stdout.toString("utf8", 0, endOfPath), bytes, text: decode(bytes), sha256 };
}

/** `test -e` cannot tell a missing file from a folder that may not be entered; stat's words can. */
function readScript(path: string, limit: number): string {
  return sh`set -eu
if ! seen=$(stat -L -c %F -- ${path} 2>&1); then
  case $seen in
    *": No such file or directory" | *": Not a directory") exit ${absent} ;;
  esac
  printf '%s\\n' "$seen" >&2; exit 1
fi
[ -f ${path} ] || { printf '%s\\n' "it is a $seen, not a file" >&2; exit 1; }
size=$(stat -L -c %s -- ${path})
[ "$size" -le ${limit} ] || { printf '%s\\n' "it has $size bytes, more than ${limit}" >&2; exit 1; }
hash=$(sha256sum < ${path})
readlink -zf -- ${path}
printf '%s\\0' "\${hash%% *}"
cat -- ${path}`;
}

/** Bytes as text, reversibly. */
function decode(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  return bytes.equals(Buffer.from(text, "utf8")) ? text : bytes.toString("latin1");
}

/**
 * An edited text as bytes, in the encoding `original` was read in: what was not edited comes back unchanged.
 * @throws Refusal when the edit put in a character that encoding does not have
 */
export function encode(original: Buffer, text: string): Buffer {
  const encoding = original.equals(Buffer.from(original.toString("utf8"), "utf8")) ? "utf8" : "latin1";
  const bytes = Buffer.from(text, encoding);
  if (bytes.toString(encoding) !== text)
    throw new Refusal(`refusing to write a text with characters that its file's encoding (${encoding}) does not have`);
  return bytes;
}

export interface Replacement {
  /** The file; links are followed, the links themselves stay. */
  readonly path: string;
  /** sha256 (hexadecimal) of the content that was read and is to be replaced. */
  readonly expected: string;
  readonly content: Buffer;
  /** A shell script that judges the new file under its temporary name (same folder, owner, mode); exit ≠ 0 = leave all as it was. */
  readonly validate?: (temporary: string) => string;
  /**
   * Full path where the old file is kept, mode 0600; folders are made. What is already kept there under that name is not
   * lost: it is renamed to `keepAs.~1~`, `.~2~`, …
   */
  readonly keepAs: string;
  /** Full paths of files that are removed once the new content has its place and was read back; links and folders stay. */
  readonly remove?: readonly string[];
  /** Seconds for the whole, validation included. */
  readonly deadline: number;
}

/**
 * Replaces a file's content in one rename: whoever opens it sees the old or the new, whole. Owner, mode, extended attributes and
 * the SELinux label stay. Nothing is renamed unless all bytes arrived, `validate` said yes, and the old file is kept.
 * @throws RemoteError: `not-done` = the file is as it was (changed since it was read, validation said no, …);
 *   `unknown` = the connection was lost or the deadline passed: read the file again
 */
export async function replaceFile(host: ScriptRunner, o: Replacement): Promise<void> {
  const what = `replacing ${o.path}`;
  const resolved = await host.run(sh`readlink -zf -- ${o.path}`, { what, deadline: 30, looks: true });
  const path = resolved.stdout.replace(/\0$/, "");
  const temporary = posix.join(posix.dirname(path), `.${posix.basename(path)}.${randomBytes(6).toString("hex")}`);
  const script = replaceScript({
    path,
    temporary,
    keepAs: o.keepAs,
    expected: o.expected,
    arrives: hashOf(o.content),
    validation: o.validate?.(temporary),
    remove: o.remove ?? [],
  });
  const expectedCodes = [0, ...Object.values(attempt).map((a) => a.exit)];
  const { code, stderr, took } = await host.run(script, {
    what,
    deadline: o.deadline,
    stdin: o.content,
    ok: expectedCodes,
  });
  const failed = Object.values(attempt).find((a) => a.exit === code);
  if (!failed) return;
  const { seen, remedy } = failed;
  throw new RemoteError({
    host: host.name,
    what,
    outcome: "not-done",
    seen,
    remedy,
    command: script,
    exit: code,
    // a check may quote the line that it does not like
    output: failed === attempt.validation ? stderr.split("\n").map(maskLine).join("\n") : stderr,
    took,
  });
}

function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
