/** Work beside other work, bounded. */
import { messageOf } from "../plan/refusal.ts";

/**
 * Does each piece of work, at most `atOnce` at a time; the next begins as soon as one has ended. After a failure none begins any more, and those that
 * run are waited for: on return nothing runs.
 * @returns what they gave, in the order of the work
 * @throws what failed; one Error with every message when several did
 */
export async function pooled<W, T>(work: readonly W[], atOnce: number, run: (one: W) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  const failures: unknown[] = [];
  const left = work.entries();
  const serve = async () => {
    // one iterator for all: whoever is free takes the next
    for (const [at, one] of left) {
      try {
        results[at] = await run(one);
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(Math.max(1, atOnce), work.length) }, serve));
  if (failures.length > 0) throw together(failures);
  return results;
}

/** One error for all that failed at the same time. */
function together(failures: readonly unknown[]): unknown {
  if (failures.length === 1) return failures[0];
  return new Error(failures.map(messageOf).join("\n"), { cause: failures[0] });
}
