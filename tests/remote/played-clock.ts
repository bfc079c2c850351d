/** Work that waits, with a clock that a test plays: `mock.timers` must be enabled for setTimeout and Date. */
import assert from "node:assert/strict";
import { mock } from "node:test";

/** Runs work that waits, with a clock of its own; gives the error, or undefined. */
export async function inNoTime(work: () => Promise<unknown>): Promise<Error | undefined> {
  let ended = false;
  const done = work().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error : assert.fail(String(error))),
  );
  void done.then(() => (ended = true));
  while (!ended) {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(500);
  }
  return done;
}
export const failed = async (work: () => Promise<unknown>): Promise<string> =>
  ((await inNoTime(work)) ?? assert.fail("it did not fail")).message;
