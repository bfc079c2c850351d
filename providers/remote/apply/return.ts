/** Masters that were to leave come back into service: schedulable, and in the pools from which this change took them. */
import { planReturn } from "../../plan/plans.ts";
import { messageOf } from "../../plan/refusal.ts";
import type { Change, PutBack } from "../../plan/steps.ts";
import { balance } from "./balancer.ts";
import { uncordon } from "./cluster.ts";
import { type Context, permit } from "./context.ts";

/** One line of what became of it. */
interface Told {
  readonly done: boolean;
  readonly says: string;
}

/**
 * Does what can be done and says, one line each, what became of it. What is not proved is never told as done.
 * @param node the one whose drain is blocked
 */
export async function bringBack(context: Context, node: string, back: PutBack): Promise<string[]> {
  const names = Object.keys(back.hosts);
  const told = [await schedulable(context, node, back.uncordon)];
  for (const [balancer, { kind }] of Object.entries(context.change.settings.loadBalancers))
    told.push(...(kind === "command" ? [byCommand(balancer, names)] : await atBalancer(context, balancer, back)));
  const who = names.join(", ");
  const first = told.every(({ done }) => done) ? "" : "put back by hand what is not back, then ";
  return [
    ...told.map(({ says }) => says),
    `To go on: remove what blocks and run \`pulumi up\` again, which takes ${who} out anew. To keep ${who}: ${first}put the line back into openshift-masters:masters and run \`pulumi up\`.`,
  ];
}

async function atBalancer(context: Context, balancer: string, back: PutBack): Promise<Told[]> {
  const { change, session } = context;
  const names = Object.keys(back.hosts);
  const stays: Change = { ...change, survivors: { ...change.survivors, ...back.hosts }, leaving: {} };
  try {
    session.forget();
    const { world } = await session.look(stays);
    const { step, missing } = planReturn(world, stays, balancer, back.sketches[balancer] ?? {}, names);
    if (step !== undefined) {
      context.say(`${balancer}: ${step.title}`);
      await permit(context);
      await balance({ ...context, change: stays }, step);
    }
    const how = step?.on.stats === undefined ? "proved by the API through it alone" : "proved UP";
    return names.map((name) => {
      const why = missing[name];
      if (why !== undefined)
        return {
          done: false,
          says: `${balancer}: ${name} is NOT put back: ${why}. It stays out of its pools; put its lines back by hand.`,
        };
      const now = step === undefined ? "has its lines there" : `is back in its pools, ${how}`;
      return { done: true, says: `${balancer}: ${name} ${now}.` };
    });
  } catch (error) {
    const says = `${balancer}: NOT put back: ${messageOf(error)}\nLook at it: ${names.join(", ")} may be out of its pools.`;
    return [{ done: false, says }];
  }
}

const byCommand = (balancer: string, names: readonly string[]): Told => ({
  done: false,
  says: `${balancer}: not put back: your own command was told a pool without ${names.join(", ")}; put that back there yourself.`,
});

async function schedulable(context: Context, node: string, wanted: boolean): Promise<Told> {
  const by = `\`oc adm uncordon ${node}\``;
  if (!wanted)
    return { done: false, says: `${node} stays unschedulable, as it was before this run (${by} changes that).` };
  try {
    await permit(context);
    await uncordon(context, Object.keys(context.change.survivors)[0] ?? "", node);
    return { done: true, says: `${node} is schedulable again.` };
  } catch (error) {
    return { done: false, says: `${node} is NOT schedulable again: ${messageOf(error)}. Run ${by}.` };
  }
}
