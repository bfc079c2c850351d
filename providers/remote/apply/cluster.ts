/** What is asked of the cluster as system:admin, through a master that stays. */
import { clusterFacts } from "../../plan/facts.ts";
import { memberOf, viewOfSurvivors } from "../../plan/members.ts";
import { clusterProbe, paths } from "../../plan/probe.ts";
import { sh } from "../../plan/quote.ts";
import type { Step } from "../../plan/steps.ts";
import { type Context, hostOf, pause, until } from "./context.ts";

const oc = (args: readonly string[]): string => sh`HOME=/proc/self KUBECONFIG=${paths.adminKubeconfig} oc ${args}`;

/** @throws Error when a part of it could not be asked */
export async function lookAtCluster(context: Context, host: string, leaving: readonly string[] = []) {
  const { stdout } = await hostOf(context, host).run(clusterProbe(leaving), {
    what: "asking the cluster",
    deadline: 90,
    ok: "any",
  });
  const facts = clusterFacts(stdout);
  if (facts.unknown.length > 0)
    throw new Error(`the cluster could not be asked through ${host}: ${facts.unknown.join("; ")}`);
  return facts;
}

export async function cordon(context: Context, step: Extract<Step, { do: "cordon" }>): Promise<void> {
  await hostOf(context, step.host).run(oc(["adm", "cordon", step.node]), {
    what: `making ${step.node} unschedulable`,
    deadline: 60,
  });
  if (!(await lookAtCluster(context, step.host)).nodes.some((node) => node.name === step.node && node.unschedulable))
    throw new Error(`${step.node} is still schedulable after oc adm cordon`);
}

/** Undoes our own cordon. */
export async function uncordon(context: Context, through: string, node: string): Promise<void> {
  await hostOf(context, through).run(oc(["adm", "uncordon", node]), {
    what: `making ${node} schedulable again`,
    deadline: 60,
  });
  if (!(await lookAtCluster(context, through)).nodes.some((one) => one.name === node && !one.unschedulable))
    throw new Error(`${node} is still unschedulable after oc adm uncordon`);
}

/** A Node says that the host belongs to the cluster: as long as it is a member of etcd, it does. */
async function memberGone({ session, change }: Context, node: string): Promise<void> {
  const { world } = await session.look(change);
  const view = viewOfSurvivors(world, change);
  if (view === undefined)
    throw new Error(`the Node ${node} is not deleted: no master that stays could say whether it is a member of etcd`);
  const member = memberOf(node, { ...change.leaving, ...change.survivors }, view.etcd.members);
  if (member !== undefined)
    throw new Error(
      `the Node ${node} is not deleted: ${view.host} says that it is still the etcd member ${member.id}; run \`pulumi up\` again, which removes that first`,
    );
}

/** Only after its member is gone. */
export async function deleteNode(context: Context, step: Extract<Step, { do: "delete-node" }>): Promise<void> {
  await memberGone(context, step.node);
  await hostOf(context, step.host).run(oc(["delete", "node", step.node, "--ignore-not-found"]), {
    what: `deleting the Node ${step.node}`,
    deadline: 60,
  });
  for (let looks = 0; looks < 2; looks++) {
    await pause(2);
    if ((await lookAtCluster(context, step.host)).nodes.some((node) => node.name === step.node))
      throw new Error(`the Node ${step.node} registered itself again: is its node service still running?`);
  }
}

/** The APIs take a stopped one's address out themselves, at once or when its lease ends. */
export async function awaitEndpoints(context: Context, step: Extract<Step, { do: "await-endpoints" }>): Promise<void> {
  await until(context, "the kubernetes service names exactly the masters that stay", 90, async () => {
    const seen = (await lookAtCluster(context, step.host)).endpoints.addresses.toSorted();
    return seen.join() === step.addresses.toSorted().join() ? { done: true } : { seen: seen.join(", ") || "none" };
  });
}
