/** What a drain of the leaving hosts would meet: bare pods, local data, and the budgets that would block it. */
import { budgetInWords, isEvictable, nameOf, rehearseDrain, someOf } from "../drain-rehearsal.ts";
import { type PodFacts, isReachable } from "../facts.ts";
import { standingInWords, standingOf } from "../plans.ts";
import { type Change, type World, isGone } from "../steps.ts";
import { type Check, type Judgement, names } from "./judgement.ts";

/** Nothing is judged of a Node without pods to move; a host that is gone is not drained, and its bare pods are lost all the same. */
export const drains: Check = (world, change) => {
  const found = names(change.leaving).flatMap((name): Judgement[] => {
    // a host that should answer and does not is refused already
    if (!isReachable(world.masters[name]) && !isGone(name, world, change)) return [];
    const pods = isReachable(world.cluster) ? (world.cluster.pods[name] ?? []) : [];
    const moves = pods.filter(isEvictable);
    const risks = { refusals: risky(name, moves, change.settings.acknowledge), passing: [], notes: [] };
    return moves.length === 0 || isGone(name, world, change) ? [risks] : [risks, rehearsal(name, pods, world, change)];
  });
  return {
    refusals: found.flatMap((one) => one.refusals),
    passing: found.flatMap((one) => one.passing),
    notes: found.flatMap((one) => one.notes),
  };
};

function risky(name: string, moves: readonly PodFacts[], acknowledged: readonly string[]): string[] {
  const bare = moves.filter((pod) => pod.owner === "");
  const local = moves.filter((pod) => pod.localData);
  const told = (some: readonly PodFacts[]) => some.map(nameOf).join(", ");
  const missing = (risk: string) => !acknowledged.includes(`${risk}:${name}`);
  return [
    ...(bare.length > 0 && missing("evict-bare-pods")
      ? [
          `${name} runs pods that nothing will start again elsewhere (${told(bare)}): move them, or acknowledge \`evict-bare-pods:${name}\``,
        ]
      : []),
    ...(local.length > 0 && missing("local-data")
      ? [
          `${name} runs pods with local data that a drain deletes (${told(local)}): save it, or acknowledge \`local-data:${name}\``,
        ]
      : []),
  ];
}

/** The drain tried on what was seen. What a budget does not allow now it may allow in a moment, when its pods have become ready. */
function rehearsal(name: string, pods: readonly PodFacts[], world: World, change: Change): Judgement {
  const facts = world.budgets ?? { unknown: "they were not asked" };
  const stays = pods.filter((pod) => pod.owner === "DaemonSet").length;
  const mirrored = pods.filter((pod) => pod.mirror || pod.owner === "Node").length;
  const moving = pods.filter(isEvictable).map(nameOf);
  const note = `${name}: the drain moves ${podsOf(moving.length)} (${someOf(moving)}); it leaves ${podsOf(stays)} of daemon sets and ${podsOf(mirrored, "static pod")} where they are`;
  const after = afterwards(name, world, change);
  if ("unknown" in facts)
    return {
      refusals: [],
      passing: [
        `the drain of ${name} cannot be rehearsed, since its disruption budgets could not be asked (${facts.unknown}); make \`oc get poddisruptionbudget --all-namespaces\` work first${after}`,
      ],
      notes: [note],
    };
  const { moves, several, blocking, slow } = rehearseDrain(name, pods, facts);
  const unseen = moves.filter(({ budgets }) => budgets === undefined).map(({ pod }) => nameOf(pod));
  return {
    refusals: several.map(
      ({ pod, budgets = [] }) =>
        `the drain of ${name} would be blocked for ever: ${nameOf(pod)} is selected by ${budgets.length} budgets (${someOf(budgets.map(nameOf))}), and the eviction API refuses such a pod; change their selectors so that one is left${after}`,
    ),
    passing: [
      ...blocking.map(
        ({ budget, pods: held }) =>
          `the drain of ${name} would be blocked: the budget ${budgetInWords(budget)}${emptyInWords(budget)}, and it selects ${someOf(held.map(nameOf))} there; ${remedy(budget)}${after}`,
      ),
      ...(unseen.length > 0
        ? [
            `the drain of ${name} cannot be rehearsed: the labels of ${someOf(unseen)} were not seen; run this again${after}`,
          ]
        : []),
    ],
    notes: [
      note,
      ...slow.map(
        ({ budget, pods: held }) =>
          `${name}: the budget ${budgetInWords(budget)}; ${held.length} pods under it have to move, so they go one after the other, as the earlier ones become ready elsewhere`,
      ),
      ...facts.budgets
        .filter(({ empty, selector, namespace }) => empty && selector === undefined && isUsed(namespace, pods))
        .map(
          (budget) =>
            `the budget ${nameOf(budget)} has an empty selector: before policy/v1 that selects no pod, so it protects nothing`,
        ),
    ],
  };
}

const isUsed = (namespace: string, pods: readonly PodFacts[]): boolean =>
  pods.some((pod) => pod.namespace === namespace && isEvictable(pod));

const podsOf = (n: number, one = "pod"): string => `${n === 0 ? "no" : n} ${one}${n === 1 ? "" : "s"}`;

const emptyInWords = ({ empty }: { empty: boolean }): string =>
  empty ? " (its selector is empty, which selects every pod of its namespace)" : "";

function remedy({ healthy, expected }: { healthy: number; expected: number }): string {
  const room = "give it room (more replicas, or a budget that asks for less)";
  return healthy < expected ? `repair the pods that are not healthy, or ${room}` : room;
}

/** What an earlier run has left behind, if it has. */
function afterwards(name: string, world: World, change: Change): string {
  const standing = standingOf(world, change, name);
  // a load balancer of one's own command cannot tell
  const isTouched = standing.unschedulable || standing.out.some((one) => one in world.balancers);
  return isTouched ? `. Until then ${name} stays as it is: ${standingInWords(standing)}` : "";
}
