/** Runs a script whose lines are heard as they come: long work says how far it is. */
import { RemoteError } from "./errors.ts";
import type { RemoteHost, StreamOptions } from "./remote-host.ts";

/** Bytes of output that are taken; a host may print without end. */
const most = 2 ** 20;

/**
 * @param heard called with every line of its output, as it comes
 * @returns its exit code, its lines, and the end of what it said besides
 * @throws RemoteError as `stream` does, and for too much output
 */
export async function runTold(
  host: RemoteHost,
  script: string,
  o: StreamOptions,
  heard: (line: string) => void,
): Promise<{ code: number; lines: readonly string[]; stderr: string }> {
  const { stdout, done } = await host.stream(script, o);
  const lines: string[] = [];
  let taken = 0;
  let open = "";
  stdout.setEncoding("utf8");
  stdout.on("data", (part: string) => {
    taken += part.length;
    if (taken > most) {
      stdout.destroy();
      return;
    }
    const [first = "", ...more] = part.split("\n");
    const whole = [open + first, ...more];
    open = whole.pop() ?? "";
    for (const line of whole) heard(line);
    lines.push(...whole);
  });
  const ended = new Promise((resolve) => stdout.once("close", resolve));
  const { code, stderr } = await done.catch((error: unknown) => {
    throw taken > most ? tooMuch(host, o, error) : error;
  });
  await ended;
  return { code, lines: open === "" ? lines : [...lines, open], stderr };
}

const tooMuch = (host: RemoteHost, { what }: StreamOptions, cause: unknown): RemoteError =>
  new RemoteError({
    host: host.name,
    what,
    outcome: "unknown",
    seen: `more than ${most} bytes of output, so it was ended`,
    cause,
  });
