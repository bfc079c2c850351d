/** What a drain would meet: which pods move, which budgets select them, and what blocks. Pure. */
import { type Budget, type BudgetFacts, type Unknown, selects } from "./budgets.ts";
import type { PodFacts } from "./facts.ts";
import { escapeControls, shortened } from "./quote.ts";

/** A pod that a drain has to move. */
export const isEvictable = (pod: PodFacts): boolean =>
  !pod.mirror && pod.owner !== "DaemonSet" && pod.owner !== "Node" && !["Succeeded", "Failed"].includes(pod.phase);

/** A pod that moves. */
export interface Move {
  readonly pod: PodFacts;
  /** Those that select it; undefined when that cannot be told, since its labels were not seen. */
  readonly budgets: readonly Budget[] | undefined;
  readonly ending: boolean;
}

/** A budget, and those of the pods that it selects. */
export interface Held {
  readonly budget: Budget;
  readonly pods: readonly PodFacts[];
}

export interface Rehearsed {
  readonly moves: readonly Move[];
  /** Pods with two budgets or more: the eviction API refuses them for ever. */
  readonly several: readonly Move[];
  /** Budgets that allow no disruption now. */
  readonly blocking: readonly Held[];
  /** Budgets that allow some, and fewer than have to move. */
  readonly slow: readonly Held[];
}

/** @param pods of the node, all of them */
export function rehearseDrain(node: string, pods: readonly PodFacts[], facts: BudgetFacts): Rehearsed {
  const moves = pods.filter(isEvictable).map((pod): Move => {
    const seen = facts.pods.get(node)?.get(`${pod.namespace}/${pod.name}`);
    const near = facts.budgets.filter(({ namespace }) => namespace === pod.namespace);
    return {
      pod,
      budgets: near.length === 0 ? [] : seen && near.filter((budget) => selects(budget, pod, seen.labels)),
      ending: seen?.ending === true,
    };
  });
  const held = facts.budgets
    .map((budget) => ({
      budget,
      pods: moves.filter(({ budgets }) => budgets?.includes(budget)).map(({ pod }) => pod),
    }))
    .filter((one) => one.pods.length > 0);
  return {
    moves,
    several: moves.filter(({ budgets = [] }) => budgets.length > 1),
    blocking: held.filter(({ budget }) => budget.allowed === 0),
    slow: held.filter(({ budget, pods: some }) => budget.allowed > 0 && budget.allowed < some.length),
  };
}

/** `namespace/name`, safe to show. */
export const nameOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string => {
  const whole = `${namespace}/${name}`;
  return escapeControls(whole.length > 300 ? `${whole.slice(0, 300)}…` : whole);
};

/** The first five, and how many more there are. */
export const someOf = (all: readonly string[]): string => shortened(all, 5);

/** `demo/web (minAvailable 2) allows 0 disruptions: 2 of 2 pods are healthy, 2 have to be`. */
export function budgetInWords(budget: Budget): string {
  const { allowed, healthy, desired, expected, wants } = budget;
  const disruptions = allowed === 1 ? "1 disruption" : `${allowed} disruptions`;
  return `${nameOf(budget)}${wants === "" ? "" : ` (${wants})`} allows ${disruptions}: ${healthy} of ${expected} pods are healthy, ${desired} have to be`;
}

/** Why pods are still there, one by one, as far as it can be told. */
export function leftInWords(node: string, pods: readonly PodFacts[], facts: BudgetFacts | Unknown): string {
  if ("unknown" in facts) {
    const names = pods.filter(isEvictable).map(nameOf);
    return `${someOf(names)} (the budgets could not be asked: ${facts.unknown})`;
  }
  const { moves } = rehearseDrain(node, pods, facts);
  return someOf(moves.map((move) => `${nameOf(move.pod)} (${whyLeft(move)})`));
}

function whyLeft({ budgets, ending }: Move): string {
  if (ending) return "it was told to end and has not ended yet";
  if (budgets === undefined) return "its labels were not seen";
  if (budgets.length > 1)
    return `the budgets ${budgets.map(nameOf).join(" and ")} select it, which the eviction API refuses for ever`;
  const [budget] = budgets;
  return budget === undefined ? "no budget selects it" : `the budget ${budgetInWords(budget)}`;
}
