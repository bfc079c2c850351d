/** A drain: says what it waits for, names what blocks it, and puts back what is to be put back then. */
import { PassThrough } from "node:stream";
import type { BudgetFacts, Unknown } from "../../plan/budgets.ts";
import { isEvictable, leftInWords } from "../../plan/drain-rehearsal.ts";
import { evictScript } from "../../plan/drain-script.ts";
import type { PodFacts } from "../../plan/facts.ts";
import { standingInWords, standingOf } from "../../plan/plans.ts";
import { escapeControls, lastLines } from "../../plan/quote.ts";
import { messageOf } from "../../plan/refusal.ts";
import type { Step } from "../../plan/steps.ts";
import { budgetsThrough } from "../budgets.ts";
import { type RemoteError, unknownIn } from "../errors.ts";
import type { Result } from "../remote-host.ts";
import { lookAtCluster } from "./cluster.ts";
import { type Context, hostOf, pause, permit, until } from "./context.ts";
import { bringBack } from "./return.ts";

type Drain = Extract<Step, { do: "drain" }>;

/** Seconds between two words on what is still there. */
const interval = 15;
/** Seconds that pods which were told to end may take longer than oc waited for them. */
const ending = 60;

/**
 * Evicts, within the time that is configured, and proves that nothing is left to evict. Budgets are honoured by the eviction API.
 * @throws Error that names what blocks and where the host stands now
 */
export async function drain(context: Context, step: Drain): Promise<void> {
  const started = Date.now();
  try {
    const lost = await evicted(context, step);
    await until(context, `nothing left to move on ${step.node}`, ending, async () => {
      const left = await leftOn(context, step);
      return left.pods.length === 0 ? { done: true } : { seen: leftInWords(step.node, left.pods, left.budgets) };
    }).catch((error: unknown) => {
      throw lost === undefined ? error : new Error(`${lost.message}; ${messageOf(error)}`, { cause: lost });
    });
  } catch (error) {
    // a gone engine or a lost lock: nothing more is written, the next run reads and goes on
    await permit(context);
    const elapsed = Math.round((Date.now() - started) / 1000);
    throw new Error(await inWords(context, step, error, elapsed), { cause: error });
  }
}

/** Gives the failure of which nobody knows how far the drain came: what is left over there tells. */
async function evicted(context: Context, step: Drain): Promise<RemoteError | undefined> {
  try {
    const { code, stdout } = await evict(context, step);
    if (code !== 0) throw new Undrained(code, stdout);
    return undefined;
  } catch (error) {
    const lost = unknownIn(error);
    if (lost === undefined) throw error;
    await permit(context);
    context.say(`the answer to the drain was lost (${lost.message}); asking what is left on ${step.node}`);
    return lost;
  }
}

/** oc has said no. */
class Undrained extends Error {
  constructor(code: number, output: string) {
    const told = lastLines(output, 6).map((line) => `\n  | ${escapeControls(line)}`);
    super(`oc adm drain ended with ${code}${told.length === 0 ? "" : `; its last lines:${told.join("")}`}`);
  }
}

/** Runs the drain; meanwhile tells what is still there, and ends it when pulumi is gone. */
async function evict(context: Context, step: Drain): Promise<Result> {
  const { node, flags, timeout } = step;
  const alive = new PassThrough();
  const drained = hostOf(context, step.host).run(evictScript(node, flags, timeout), {
    what: `draining ${node}`,
    deadline: timeout + 30,
    stdin: () => alive,
    ok: "any",
  });
  const ended = drained.then(
    () => "ended",
    () => "ended",
  );
  const started = Date.now();
  let told = started;
  try {
    for (;;) {
      if ((await Promise.race([ended, pause(1)])) === "ended") return await drained;
      await permit(context);
      if (Date.now() - told < interval * 1000) continue;
      told = Date.now();
      const left = await Promise.race([ended, whatIsLeft(context, step)]);
      const elapsed = Math.round((told - started) / 1000);
      if (left !== "ended")
        context.say(`draining ${node}: ${elapsed} s so far, at most ${timeout}; still there: ${left}`);
    }
  } finally {
    // of a drain that has ended nobody reads it any more
    alive.end();
    await ended;
  }
}

const whatIsLeft = (context: Context, step: Drain): Promise<string> =>
  leftOn(context, step).then(
    ({ pods, budgets }) => leftInWords(step.node, pods, budgets) || "nothing to move",
    (error: unknown) => `it could not be asked (${messageOf(error)})`,
  );

async function leftOn(
  context: Context,
  { host, node }: Drain,
): Promise<{ pods: readonly PodFacts[]; budgets: BudgetFacts | Unknown }> {
  const [cluster, budgets] = await Promise.all([
    lookAtCluster(context, host, [node]),
    budgetsThrough(hostOf(context, host), [node]),
  ]);
  return { pods: (cluster.pods[node] ?? []).filter(isEvictable), budgets };
}

async function inWords(context: Context, step: Drain, error: unknown, elapsed: number): Promise<string> {
  const { node, timeout } = step;
  const what = elapsed >= timeout ? "is blocked" : "failed";
  const head = `draining ${node} ${what} after ${elapsed} s; still there: ${await whatIsLeft(context, step)}; etcd was not touched, and nothing that comes later was done`;
  const now = step.back === undefined ? await leave(context, node) : await bringBack(context, node, step.back);
  return [`${head}.`, ...now, messageOf(error)].join("\n");
}

/** As configured, nothing is put back: it is said where the host stands, how to go on, and how to go back. */
async function leave({ session, change }: Context, node: string): Promise<string[]> {
  session.forget();
  const { world } = await session.look(change);
  const standing = standingOf(world, change, node);
  const stays = standingInWords(standing);
  const lines = standing.out.filter((balancer) => balancer in world.balancers);
  const back = [
    `oc adm uncordon ${node}`,
    ...(lines.length === 0
      ? []
      : [
          `put its server lines back on ${lines.join(", ")} (each file as it was is kept beside it, ending in .before-<run>) and reload`,
        ]),
    ...standing.out
      .filter((balancer) => !lines.includes(balancer))
      .map((balancer) => `put it back into the pool of ${balancer}`),
    "put its line back into openshift-masters:masters and run `pulumi up`",
  ];
  return [
    `${node} stays ${stays === "" ? "in service" : stays}, as openshift-masters:drain.blocked (leave) says.`,
    `To go on: remove what blocks and run \`pulumi up\` again. To keep ${node}: ${back.join("; then ")}.`,
  ];
}
