/** Asks for the disruption budgets, and for the labels of the pods that they may select, through a master that stays. */
import { type BudgetFacts, type Unknown, budgetFacts, budgetProbe, largestAnswer } from "../plan/budgets.ts";
import { isEvictable } from "../plan/drain-rehearsal.ts";
import { isReachable } from "../plan/facts.ts";
import { messageOf } from "../plan/refusal.ts";
import { type Change, type World, isGone } from "../plan/steps.ts";
import type { RemoteHost } from "./remote-host.ts";
import type { Session } from "./session.ts";

/** Never throws: what could not be asked is `unknown`, with the reason. */
export async function budgetsThrough(host: RemoteHost, nodes: readonly string[]): Promise<BudgetFacts | Unknown> {
  try {
    const { stdout } = await host.run(budgetProbe(nodes), {
      what: "asking for the disruption budgets",
      deadline: 90,
      // as base64
      limit: 2 * largestAnswer,
      ok: "any",
    });
    return budgetFacts(stdout, nodes);
  } catch (error) {
    return { unknown: messageOf(error) };
  }
}

/** The part `budgets` of the world; it is not asked for while no leaving host has a pod to move. */
export async function askBudgets(session: Session, world: World, change: Change): Promise<Partial<World>> {
  const { cluster } = world;
  if (!isReachable(cluster)) return {};
  const nodes = Object.keys(change.leaving).filter(
    (name) => (cluster.pods[name] ?? []).some(isEvictable) && !isGone(name, world, change),
  );
  if (nodes.length === 0) return {};
  let budgets: BudgetFacts | Unknown = { unknown: "no master to ask" };
  for (const [name, address] of Object.entries(change.survivors)) {
    budgets = await budgetsThrough(session.host(name, address), nodes);
    if (!("unknown" in budgets)) break;
  }
  return { budgets };
}
