/** What every step's interpreter gets: the session, the change, and a voice. */
import type { Change } from "../../plan/steps.ts";
import { requireEngine } from "../engine.ts";
import type { RemoteHost } from "../remote-host.ts";
import type { Session } from "../session.ts";

export interface Context {
  readonly session: Session;
  readonly change: Change;
  /** One line of progress, shown under the resource's name. */
  readonly say: (text: string) => void;
}

/** A host of the change by its name, wherever it is declared. */
export function hostOf(context: Context, name: string): RemoteHost {
  const { survivors, leaving, settings } = context.change;
  const balancer = settings.loadBalancers[name];
  const address =
    survivors[name] ??
    leaving[name] ??
    (balancer?.kind === "haproxy" ? balancer.address : undefined) ??
    settings.nodes[name]?.address ??
    (settings.inventory.host === name ? settings.inventory.address : undefined);
  if (address === undefined) throw new Error(`no host of the name ${name} is declared`);
  return context.session.host(name, address);
}

/** Asked before every change on a host: pulumi is alive, and the lock is ours. */
export const permit = (context: Context): Promise<void> => context.session.permit(context.change);

export const pause = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/**
 * Asks until the answer is there.
 * @param seconds how long, at most
 * @param ask undefined = not yet; told to `say` every 15 s
 * @param every seconds between two questions, or what gives them for the nth pause, from 0
 * @throws Error with `what` and the last that was seen
 */
export async function until<T>(
  context: Context,
  what: string,
  seconds: number,
  ask: () => Promise<{ done: T } | { seen: string }>,
  every: number | ((pauses: number) => number) = 1,
): Promise<T> {
  const started = Date.now();
  let told = started;
  for (let pauses = 0; ; pauses += 1) {
    await requireEngine();
    const answer = await ask();
    if ("done" in answer) return answer.done;
    const elapsed = (Date.now() - started) / 1000;
    if (elapsed > seconds) throw new Error(`${what}: not so after ${Math.round(elapsed)} s; last seen: ${answer.seen}`);
    if (Date.now() - told > 15_000) {
      told = Date.now();
      context.say(`${what}: ${Math.round(elapsed)} s so far, at most ${seconds}; seen: ${answer.seen}`);
    }
    await pause(typeof every === "number" ? every : every(pauses));
  }
}

/** Kept copies carry the run's name, so that two runs never meet. */
export const keepName = (context: Context, path: string): string => `${path}.before-${context.session.run}`;
