/** Pure: how lines get into the journal of a host, in front of the script that is sent anyway. */
import { sh } from "./quote.ts";

/** Syslog's word for who wrote it: `journalctl -t openshift-masters`. */
export const journalTag = "openshift-masters";

/** Seconds that a journal may take. */
const patience = 5;

/**
 * Shell that writes the lines, and leaves everything that comes after it as it would be: no variable, no input, no exit code of it is
 * seen. Of a failure it tells in a line of stderr that begins with `mark`, and with no other.
 * @param lines each of at most `longestInJournal` bytes
 */
export const journalScript = (lines: readonly string[], mark: string): string =>
  sh`(j=$(printf '%s\n' ${lines} | { t=; if command -v timeout >/dev/null 2>&1; then t='timeout -k 1 ${patience}'; fi
$t logger -t ${journalTag}; } 2>&1 >/dev/null) || printf '%s %s\n' ${mark} "$(printf '%.200s' "$j" | tr '\n' ' ')" >&2) </dev/null >/dev/null
`;

/** What the journal's writer said of its failure, and stderr without it. */
export function journalFlaw(stderr: string, mark: string): { flaw: string | undefined; rest: string } {
  const at = stderr.indexOf(`${mark} `);
  if (at < 0) return { flaw: undefined, rest: stderr };
  const end = stderr.indexOf("\n", at);
  const after = end < 0 ? stderr.length : end + 1;
  const flaw = stderr.slice(at + mark.length + 1, end < 0 ? undefined : end).trim();
  return { flaw: flaw === "" ? "logger did not end in time" : flaw, rest: stderr.slice(0, at) + stderr.slice(after) };
}
