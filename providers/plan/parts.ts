/**
 * How a host answers many questions at once: in parts, each with a name, a state and its bytes. The answer is one line of base64, so that nothing which rc files or a login
 * print becomes a part of it. In it every part begins with a line that begins with the answer's mark, which the host's kernel made up for this answer: no file, and nothing
 * that any program prints, can end a part or begin another. Few processes are started for that: a host forks slowly while it has something to do.
 */

/** Files read for editing are at most this large, in bytes. */
export const largestFile = 4 * 1024 * 1024;

/** Behind the last part: an answer that was cut off before it is none. */
const last = "end";

/**
 * A script that answers in parts, by the functions `part NAME WORD…`, `checked NAME WORD…` (with the exit code), `value NAME TEXT`, `file NAME PATH`, and `frame NAME STATE` for a part
 * whose bytes follow. What the words run is run by a shell of its own.
 */
export const inParts = (
  body: string,
): string => `echo; { IFS= read -r mark </proc/sys/kernel/random/uuid; printf '%s\\n' "$mark"; (
frame() { printf '\\n%s %s %s\\n' "$mark" "$1" "$2"; }
part() { frame "$1" 0; shift; ( "$@" ) 2>&1 || :; }
checked() { frame "$1" checked; shift; ( "$@" ) 2>&1; printf '::%s' $?; }
value() { frame "$1" 0; printf %s "$2"; }
file() { if [ ! -e "$2" ]; then frame "$1" absent
  elif [ ! -f "$2" ] || [ ! -r "$2" ]; then frame "$1" unreadable
  else frame "$1" 0; head -c ${largestFile + 1} -- "$2"; fi; }
${body}
); printf '\\n%s ${last}' "$mark"; } | base64 -w0; echo`;

/** One part of an answer. */
export interface Part {
  /** Exit code; or why there is no text. */
  readonly state: number | "absent" | "large" | "unreadable" | "script";
  readonly bytes: Uint8Array;
}

/** Name and part, in the order of the answer; a name may come more than once. Empty for what is not understood, or was cut off. */
export function partsIn(stdout: string): (readonly [name: string, part: Part])[] {
  for (const line of stdout.split("\n")) {
    const [mark, answer] = markedIn(line);
    if (mark === undefined) continue;
    const pieces = piecesOf(answer, Buffer.from(`\n${mark} `));
    return pieces.pop()?.toString("latin1") === last ? pieces.flatMap(partIn) : [];
  }
  return [];
}

/** Of each name the last. */
export const partsOf = (stdout: string): ReadonlyMap<string, Part> => new Map(partsIn(stdout));

/** The mark of the line's answer, and what is behind it; nothing for a line that is none. */
function markedIn(line: string): [mark: string | undefined, answer: Buffer] {
  // 48 characters are 36 bytes; the whole line may be too long for an expression
  const head = Buffer.from(line.slice(0, 48), "base64").toString("latin1");
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(head)) return [undefined, Buffer.alloc(0)];
  return [head, Buffer.from(line, "base64").subarray(36)];
}

function piecesOf(answer: Buffer, by: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = answer.indexOf(by); at >= 0;) {
    const next = answer.indexOf(by, at + by.length);
    pieces.push(answer.subarray(at + by.length, next < 0 ? undefined : next));
    at = next;
  }
  return pieces;
}

/** `name state`, a newline, bytes. */
function partIn(piece: Buffer): [string, Part][] {
  const end = piece.indexOf("\n");
  const [name = "", state = ""] = piece.subarray(0, Math.max(end, 0)).toString("utf8").split(" ");
  return name === "" || state === "" ? [] : [[name, partFrom(state, piece.subarray(end + 1))]];
}

/** A checked part carries its exit code behind its output, as `::N`. */
function partFrom(state: string, bytes: Buffer): Part {
  if (state === "absent" || state === "large" || state === "unreadable" || state === "script") return { state, bytes };
  if (state !== "checked")
    return bytes.length > largestFile ? { state: "large", bytes: new Uint8Array() } : { state: Number(state), bytes };
  const end = bytes.lastIndexOf("::");
  const code = /^::(\d+)\s*$/.exec(bytes.subarray(Math.max(end, 0)).toString("latin1"))?.[1];
  return code === undefined ? { state: 255, bytes } : { state: Number(code), bytes: bytes.subarray(0, end) };
}
