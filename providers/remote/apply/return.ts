/** Masters that were to leave come back into service: schedulable, and in the pools from which this change took them. */
import { planReturn } from "../../plan/plans.ts";
import type { Change, PutBack } from "../../plan/steps.ts";
import { balance } from "./balancer.ts";
import { uncordon } from "./cluster.ts";
import { type Context, permit } from "./context.ts";

/**
 * Does what can be done and says, one line each, what became of it. What is not proved is never told as done.
 * @param node the one whose drain is blocked
 */
export async function bringBack(context: Context, node: string, back: PutBack): Promise<string[]> {
  const { change, session } = context;
  const stays: Change = { ...change, survivors: { ...change.survivors, ...back.hosts }, leaving: {} };
  const told = [await schedulable(context, node, back.uncordon)];
  const names = Object.keys(back.hosts);
  for (const [balancer, { kind }] of Object.entries(change.settings.loadBalancers)) {
    if (kind === "command") {
      told.push(
        `${balancer}: not put back: its pool is your own command's, which was told to leave ${names.join(", ")} out; put it back there yourself.`,
      );
      continue;
    }
    try {
      session.forget();
      const { world } = await session.look(stays);
      const { step, missing } = planReturn(world, stays, balancer, back.sketches[balancer] ?? {}, names);
      if (step !== undefined) {
        context.say(`${balancer}: ${step.title}`);
        await permit(context);
        await balance({ ...context, change: stays }, step);
      }
      told.push(...names.map((name) => inWords(balancer, name, step !== undefined, missing[name])));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      told.push(`${balancer}: NOT put back: ${why}\nLook at it: ${names.join(", ")} may be out of its pools.`);
    }
  }
  told.push(
    `Remove what blocks and run \`pulumi up\` again: it takes ${names.join(", ")} out anew and goes on. To keep ${node}, put its line back into openshift-masters:masters and run \`pulumi up\`.`,
  );
  return told;
}

function inWords(balancer: string, name: string, loaded: boolean, why: string | undefined): string {
  if (why !== undefined)
    return `${balancer}: ${name} is NOT put back: ${why}. It stays out of its pools; put its lines back by hand.`;
  return loaded ? `${balancer}: ${name} is back in its pools, proved UP.` : `${balancer}: ${name} has its lines there.`;
}

async function schedulable(context: Context, node: string, wanted: boolean): Promise<string> {
  if (!wanted)
    return `${node} stays unschedulable, as it was before this run (\`oc adm uncordon ${node}\` changes that).`;
  try {
    await permit(context);
    await uncordon(context, Object.keys(context.change.survivors)[0] ?? "", node);
    return `${node} is schedulable again.`;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `${node} is NOT schedulable again: ${why}. Run \`oc adm uncordon ${node}\`.`;
  }
}
