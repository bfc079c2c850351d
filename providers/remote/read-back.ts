/**
 * The answer of a step was lost: the hosts are asked what became of it. What they show done is done; what they show undone is never repeated in the same run.
 */
import { type Seen, openStill } from "../plan/read-back.ts";
import { messageOf } from "../plan/refusal.ts";
import { labelOf } from "../plan/show.ts";
import type { Step } from "../plan/steps.ts";
import { pause } from "./apply/context.ts";
import { requireEngine } from "./engine.ts";
import { unknownIn } from "./errors.ts";

/** Seconds between two looks. */
const interval = 2;

/** Seconds that what a host was told may take to show: what was cut off here may go on over there. */
function patienceFor(step: Step, lost: unknown): number {
  // of a load balancer, nothing was told to the master itself, or it has been done
  const isOwn = unknownIn(lost)?.host === step.host;
  if (isOwn && step.do === "restart-master") return 90;
  return isOwn && step.do === "disable-manifest" ? 60 : 10;
}

/**
 * Looks until the hosts show the steps done, for as long as they may take.
 * @param open steps that were begun and have no end
 * @param look asks the hosts, and plans anew
 * @returns the steps that are left
 * @throws Error with the step, what it failed with (host and elapsed time), and what was read back
 */
export async function readBack(
  open: readonly Step[],
  lost: unknown,
  look: () => Promise<Seen>,
  say: (text: string) => void,
): Promise<readonly Step[]> {
  const end = Date.now() + Math.max(...open.map((step) => patienceFor(step, lost))) * 1000;
  say(`the answer was lost (${messageOf(lost)}); reading back what the hosts show of: ${open.map(labelOf).join("; ")}`);
  for (;;) {
    await requireEngine();
    const { wrong, due } = await seenNow(open, look);
    if (wrong.length === 0) {
      say("the answer was lost; the hosts show it done");
      return due;
    }
    if (Date.now() >= end)
      throw new Error(
        `${messageOf(lost)}\nread back: ${wrong.join("; ")}; it is not repeated in this run: the next \`pulumi up\` looks again, and does what is still due`,
        { cause: lost },
      );
    await pause(interval);
  }
}

async function seenNow(
  open: readonly Step[],
  look: () => Promise<Seen>,
): Promise<{ wrong: string[]; due: readonly Step[] }> {
  try {
    const seen = await look();
    const wrong = open.flatMap((step) => {
      const why = openStill(step, seen);
      return why === undefined ? [] : [`${labelOf(step)}: ${why}`];
    });
    return { wrong, due: seen.due };
  } catch (error) {
    return { wrong: [messageOf(error)], due: [] };
  }
}
