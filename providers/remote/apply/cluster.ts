/** What is asked of the cluster as system:admin, through a master that stays. */
import { clusterFacts } from "../../plan/facts.ts";
import { clusterProbe, paths } from "../../plan/probe.ts";
import { sh } from "../../plan/quote.ts";
import type { Step } from "../../plan/steps.ts";
import { type Context, hostOf, pause, until } from "./context.ts";

const oc = (args: readonly string[]): string => sh`HOME=/proc/self KUBECONFIG=${paths.adminKubeconfig} oc ${args}`;

async function look(context: Context, host: string, leaving: readonly string[] = []) {
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

export async function cordon(context: Context, step: Extract<Step, { do: "cordon" | "drain" }>): Promise<void> {
  await hostOf(context, step.host).run(oc(["adm", "cordon", step.node]), {
    what: `making ${step.node} unschedulable`,
    deadline: 60,
  });
  if (!(await look(context, step.host)).nodes.some((node) => node.name === step.node && node.unschedulable))
    throw new Error(`${step.node} is still schedulable after oc adm cordon`);
}

/** Budgets are honoured by the eviction API; what blocks is told by oc itself after 5 minutes. */
export async function drain(context: Context, step: Extract<Step, { do: "cordon" | "drain" }>): Promise<void> {
  await hostOf(context, step.host).run(`${oc(["adm", "drain", step.node, ...step.flags, "--timeout=300s"])} 2>&1`, {
    what: `draining ${step.node}`,
    deadline: 330,
  });
}

export async function deleteNode(context: Context, step: Extract<Step, { do: "delete-node" }>): Promise<void> {
  await hostOf(context, step.host).run(oc(["delete", "node", step.node, "--ignore-not-found"]), {
    what: `deleting the Node ${step.node}`,
    deadline: 60,
  });
  for (let looks = 0; looks < 2; looks++) {
    await pause(2);
    if ((await look(context, step.host)).nodes.some((node) => node.name === step.node))
      throw new Error(`the Node ${step.node} registered itself again: is its node service still running?`);
  }
}

/** The APIs take a stopped one's address out themselves, at once or when its lease ends. */
export async function awaitEndpoints(context: Context, step: Extract<Step, { do: "await-endpoints" }>): Promise<void> {
  await until(context, "the kubernetes service names exactly the masters that stay", 90, async () => {
    const seen = (await look(context, step.host)).endpoints.addresses.toSorted();
    return seen.join() === step.addresses.toSorted().join() ? { done: true } : { seen: seen.join(", ") || "none" };
  });
}
