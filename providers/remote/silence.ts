/** A log-in that prints something of its own (an rc file, a forced command) would be taken for every command's answer. */
import { escapeControls } from "../plan/quote.ts";
import { collect } from "./collect.ts";
import { NoConnection } from "./connect.ts";
import { start } from "./exec.ts";
import type { Line } from "./line.ts";

/** Milliseconds that a command which does nothing may take. */
const patience = 15_000;
/** Bytes that are read of what is printed. */
const limit = 4096;

/**
 * Runs a command that prints nothing. What else may be wrong with the host is told by the first command that is meant.
 * @throws NoConnection when something is printed all the same; the connection is closed then
 */
export async function requireSilence(line: Line): Promise<Line> {
  const running = await start(line, "exec /bin/sh -c :", patience).catch(() => undefined);
  if (running === undefined) return line;
  const got = await collect(running, { deadline: patience, limit });
  if (got.stdout.length === 0 && got.cut !== "limit") return line;
  await line.close();
  const [first = ""] = got.stdout.toString("utf8", 0, 200).trimStart().split("\n");
  const seen = got.stdout.length === 0 ? `more than ${limit} bytes` : escapeControls(first);
  throw new NoConnection(
    `the log-in shell there prints something before any command has run: ${seen}`,
    "make its rc file (~/.bashrc, /etc/bashrc, /etc/profile.d) silent where the shell is not interactive, or remove the forced command",
  );
}
