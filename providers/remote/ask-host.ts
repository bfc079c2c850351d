/** One question to a host, whose answer may be that it cannot be asked. */
import type { Unreachable } from "../plan/facts.ts";
import { messageOf } from "../plan/refusal.ts";
import type { RunOptions } from "./remote-host.ts";
import type { ScriptRunner } from "./this-machine.ts";

/** Runs a script that only looks, and reads what it printed, whatever its exit status. Never throws. */
export async function askHost<T>(
  host: ScriptRunner,
  script: string,
  o: Pick<RunOptions, "what" | "deadline" | "limit">,
  read: (stdout: string) => T,
): Promise<T | Unreachable> {
  try {
    const { stdout } = await host.run(script, { ...o, ok: "any" });
    return read(stdout);
  } catch (error) {
    return { unreachable: messageOf(error) };
  }
}
