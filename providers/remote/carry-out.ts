/** A plan is carried out: its steps in their order, hosts that go apart beside each other, and told as it goes. */
import { type Stage, scheduleOf } from "../plan/schedule.ts";
import { Refusal, messageOf } from "../plan/refusal.ts";
import { labelOf } from "../plan/show.ts";
import type { Step } from "../plan/steps.ts";
import { apply } from "./apply.ts";
import { type Context, permit } from "./apply/context.ts";
import { atPoint } from "./fault.ts";
import { pooled } from "./pool.ts";

/** How far it went; kept while it goes, so that whoever catches a failure knows. */
export interface Carried {
  /** With Date.now() of their beginning. Those that are not done besides may have been done by half, or whole. */
  readonly begun: Map<Step, number>;
  readonly done: Set<Step>;
  readonly records: { step: Step; record: object }[];
  /** Hosts that were left behind, with the reason. */
  readonly left: Map<string, string>;
}

export interface Order {
  /** The resource's type. */
  readonly resource: string;
  readonly steps: readonly Step[];
  /** Why the step may not be done, although it is due; nothing is begun before that is known of all. */
  readonly refused: (step: Step) => Refusal | undefined;
  /** A step was proved. */
  readonly note: (step: Step, took: string) => void;
}

/**
 * Carries out the steps.
 * @param so told of every step that is done, and of hosts that are left behind
 * @throws Refusal before anything is touched; else what the step of a host failed with that may not be left behind. Nothing runs any more then
 */
export async function carryOut(context: Context, order: Order, so: Carried): Promise<void> {
  for (const step of order.steps) {
    const refusal = order.refused(step);
    if (refusal === undefined) continue;
    if (step.apart !== true) throw refusal;
    so.left.set(step.host, refusal.message);
  }
  for (const stage of scheduleOf(order.steps, context.change.settings.flannel.atOnce))
    if (stage.apart) await apart(context, order, so, stage);
    else
      await pooled(stage.chains, stage.atOnce, async (chain) => {
        for (const step of chain) await aloud(context, order, so, step);
      });
}

/** One step, told as it begins and ends. */
async function aloud(context: Context, order: Order, so: Carried, step: Step): Promise<void> {
  const which = `${order.steps.indexOf(step) + 1}/${order.steps.length}`;
  context.say(`${which} ${labelOf(step)} …`);
  const say = (text: string) => context.say(`     ${text}`);
  const took = await one({ ...context, say }, order, so, step);
  context.say(`${which} done in ${took}`);
}

/** @returns how long it took */
async function one(context: Context, { resource, steps, note }: Order, so: Carried, step: Step): Promise<string> {
  const started = Date.now();
  const point = { resource, number: steps.indexOf(step) + 1, does: step.do, host: step.host };
  const place = { resource, number: point.number, of: steps.length };
  const cut = () => context.session.connections.cut(step.host);
  so.begun.set(step, started);
  const remembered = await atPoint(point, () => apply(context, step, place), cut);
  if (remembered !== undefined) so.records.push({ step, record: remembered });
  const took = `${((Date.now() - started) / 1000).toFixed(1)} s`;
  note(step, took);
  so.done.add(step);
  return took;
}

/** Hosts beside each other; one that fails is left behind, unless nobody may go on. */
async function apart(context: Context, order: Order, so: Carried, { chains, atOnce }: Stage): Promise<void> {
  const total = chains.length;
  const { count, stop } = counting(total, so, context.say);
  context.say(`${total} ${total === 1 ? "host" : "hosts"}, at most ${atOnce} at the same time …`);
  try {
    await pooled(chains, atOnce, async (chain) => {
      const host = chain[0]?.host ?? "";
      try {
        if (!so.left.has(host))
          for (const step of chain)
            await one({ ...context, say: (text) => context.say(`     ${text}`) }, order, so, step);
      } catch (error) {
        // pulumi is gone, or the lock, or the record: that is no fault of the host
        await permit(context);
        context.session.record.require();
        so.left.set(host, messageOf(error));
      }
      if (so.left.has(host)) context.say(`     left behind: ${host}: ${so.left.get(host) ?? ""}`);
      count();
    });
  } finally {
    stop();
  }
}

/** Tells every 10 hosts, or after 10 s, how far it is. */
function counting(total: number, so: Carried, say: (text: string) => void): { count: () => void; stop: () => void } {
  let [ended, told] = [0, Date.now()];
  const tell = () => {
    told = Date.now();
    say(`${ended} of ${total} hosts${so.left.size === 0 ? "" : `, ${so.left.size} left behind`}`);
  };
  const timer = setInterval(() => {
    if (Date.now() - told >= 9500) tell();
  }, 10_000);
  const count = () => {
    ended += 1;
    if (ended % 10 === 0 || ended === total) tell();
  };
  return { count, stop: () => clearInterval(timer) };
}
