/**
 * Pure: what the sweep found, each with the resource whose plan takes it out, or with what is left to the administrator. A resource counts only where the
 * text of its own planned edit no longer names the host in that line: a table of who owns which file would promise more than is done.
 */
import { isReachable } from "./facts.ts";
import { chainPlanners } from "./plans.ts";
import { Refusal } from "./refusal.ts";
import { editsOf } from "./show.ts";
import { type Change, type Edit, type Step, type World, entries } from "./steps.ts";
import type { ObjectMention } from "./sweep-cluster.ts";
import { adviceFor, apiOfCluster } from "./sweep-places.ts";
import { type Words, linesNaming, wordsOf } from "./sweep-words.ts";

export type Outcome = { readonly fixedBy: string } | { readonly left: string };

/** One place that names a leaving host. */
export interface Finding {
  /** Who is named. */
  readonly leaving: string;
  /** The host it was found on; `the cluster` for its objects. */
  readonly on: string;
  /** A path, or `Endpoints default/kubernetes (addresses)`. */
  readonly what: string;
  /** From 1; empty for objects. */
  readonly lines: readonly number[];
  /** The type of the resource that takes it out, or what the administrator does. */
  readonly outcome: Outcome;
}

/** What is looked for, of each leaving host that is still visited. */
export function lookedFor(world: World, change: Change): { name: string; words: Words }[] {
  const { survivors, leaving, settings } = change;
  const others = Object.fromEntries(
    [survivors, settings.nodes, settings.loadBalancers]
      .flatMap((group) => Object.keys(group))
      .map((name) => [name, ""]),
  );
  return Object.entries(leaving)
    .filter(([name]) => name in world.masters)
    .map(([name, address]) => {
      const alike = Object.fromEntries(
        Object.keys(leaving)
          .filter((one) => one !== name)
          .map((one) => [one, ""]),
      );
      return { name, words: wordsOf(name, address, { ...others, ...alike }) };
    });
}

/** The chain's plans by the type of their resource; those that cannot be made plan nothing. */
function planned(world: World, change: Change): { type: string; steps: Step[] }[] {
  return chainPlanners(change).map(({ type, plan }) => {
    try {
      return { type, steps: plan(world, change) };
    } catch (error) {
      if (error instanceof Refusal) return { type, steps: [] };
      throw error;
    }
  });
}

/** Everything that still names a host that leaves; empty without a sweep. */
export function findings(world: World, change: Change): Finding[] {
  const { sweep } = world;
  if (sweep === undefined) return [];
  const words = new Map(lookedFor(world, change).map((one) => [one.name, one.words]));
  const plans = planned(world, change);
  const api = apiOfCluster(change);
  const inFiles = entries(sweep.hosts).flatMap(([on, facts]) =>
    isReachable(facts)
      ? facts.named.flatMap(({ leaving, path, lines }): Finding[] => {
          const found = { leaving, on, what: path };
          const word = words.get(leaving);
          const edit = editFor(plans, on, path);
          const gone = new Set(
            edit && word ? takenOut(edit.edit, path === "/etc/hosts" ? word.short : word.whole) : [],
          );
          const [fixed, left] = [true, false].map((is) => lines.filter((line) => gone.has(line) === is));
          return [
            ...(fixed?.length ? [{ ...found, lines: fixed, outcome: { fixedBy: edit?.type ?? "" } }] : []),
            ...(left?.length ? [{ ...found, lines: left, outcome: { left: adviceFor({ path, leaving, api }) } }] : []),
          ];
        })
      : [],
  );
  const inCluster = isReachable(sweep.cluster) ? sweep.cluster.named.map((one) => objectFinding(one, plans)) : [];
  return [...inFiles, ...inCluster, ...nodes(world, change, plans)];
}

type Plans = readonly { type: string; steps: readonly Step[] }[];

function editFor(plans: Plans, host: string, path: string): { type: string; edit: Edit } | undefined {
  for (const { type, steps } of plans)
    for (const step of steps)
      for (const edit of step.host === host ? editsOf(step) : []) if (edit.before.path === path) return { type, edit };
  return undefined;
}

/** Lines of the old text that name the host and that the new one has no more, or has so that they name it no more. */
function takenOut({ before, after }: Edit, word: string): number[] {
  const old = before.text.split("\n");
  const now = after.split("\n");
  const kept = linesNaming(after, word).map((n) => now[n - 1]);
  const changed = linesNaming(before.text, word).filter((n) => {
    const still = kept.indexOf(old[n - 1]);
    if (still >= 0) kept.splice(still, 1);
    return still < 0;
  });
  // what is kept and is no line of before is one that was edited and still names it: then as many are not taken out
  return changed.slice(kept.length);
}

const has = (plans: Plans, type: string, is: (step: Step) => boolean): boolean =>
  plans.some((one) => one.type === type && one.steps.some(is));

function objectFinding(one: ObjectMention, plans: Plans): Finding {
  const { leaving, kind, namespace, name, key } = one;
  const object = `${kind.toLowerCase()} ${name} -n ${namespace}`;
  const outcome = ((): Outcome => {
    if (namespace === "default" && name === "kubernetes" && key === "addresses")
      return has(plans, "ServiceEndpoints", (step) => step.do === "await-endpoints")
        ? { fixedBy: "ServiceEndpoints" }
        : { left: `\`oc get ${object}\`: the API there still runs, or its lease has not run out` };
    if (key === "leader" || key === "holderIdentity")
      return has(plans, "StaticPods", (step) => step.do === "disable-manifest" && step.lease && step.host === leaving)
        ? { fixedBy: "StaticPods" }
        : {
            left: "it runs out by itself within a minute and another host takes it; if it does not, nobody runs what it stands for: look at the controllers' logs of the masters that stay",
          };
    if (namespace === "kube-service-catalog")
      return { left: `\`oc edit ${object}\`: take its URL out of --etcd-servers; the pods are replaced by themselves` };
    if (name === "calico-config")
      return {
        left: `\`oc edit ${object}\`: take its URL out of ${key}, then delete the pods of calico-node (one node after the other) and of calico-kube-controllers in ${namespace}`,
      };
    return {
      left: `it follows by itself where the Service of that name has a selector; otherwise take the address out: \`oc edit ${object}\``,
    };
  })();
  return { leaving, on: "the cluster", what: `${kind} ${namespace}/${name} (${key})`, lines: [], outcome };
}

function nodes(world: World, change: Change, plans: Plans): Finding[] {
  const known = isReachable(world.cluster) ? world.cluster.nodes.map(({ name }) => name) : [];
  return lookedFor(world, change)
    .filter(({ name }) => known.includes(name))
    .map(({ name }) => ({
      leaving: name,
      on: "the cluster",
      what: `Node ${name}`,
      lines: [],
      outcome: has(plans, "NodeRemoval", (step) => step.do === "delete-node" && step.node === name)
        ? { fixedBy: "NodeRemoval" }
        : { left: `\`oc delete node ${name}\`` },
    }));
}

export const isLeft = (outcome: Outcome): outcome is { readonly left: string } => "left" in outcome;
