/** NodeDrain: cordon, drain, and what becomes of the load balancers when the drain is blocked. */
import type { BudgetFacts, Unknown } from "../budgets.ts";
import { budgetInWords, isEvictable, nameOf, rehearseDrain } from "../drain-rehearsal.ts";
import { type PodFacts, isReachable } from "../facts.ts";
import { type ConfigFile, type Sketch, dropFrom, restoreIn, serversOfHostIn } from "../haproxy.ts";
import type { HostIdentity } from "../host.ts";
import { escapeControls, sh } from "../quote.ts";
import { Refusal } from "../refusal.ts";
import { type Change, type PutBack, type Step, type World, entries, isGone } from "../steps.ts";
import { type Planner, balancerOf, clusterOf, nobodyLeaves } from "./asked.ts";
import { checkCommand, identityThere, planBalancer } from "./balancer.ts";

type Drain = Extract<Step, { do: "drain" }>;

/** Cordon, then drain, as long as the Node is there; a host that is gone is cordoned only. */
export const planDrain: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const cluster = clusterOf(world);
  const through = Object.keys(change.survivors)[0] ?? "";
  const leaving = Object.keys(change.leaving);
  return leaving.flatMap((node, at): Step[] => {
    const seen = cluster.nodes.find((one) => one.name === node);
    if (seen === undefined) return [];
    const cordon: Step[] = seen.unschedulable
      ? []
      : [
          {
            do: "cordon",
            host: through,
            node,
            title: `make ${node} unschedulable`,
            commands: [sh`oc adm cordon ${node}`],
          },
        ];
    const pods = (cluster.pods[node] ?? []).filter(isEvictable);
    if ((pods.length === 0 && seen.unschedulable) || isGone(node, world, change)) return cordon;
    // those that are drained after it are in service as much as it is
    const others = leaving.slice(at).filter((name) => !isGone(name, world, change));
    return [...cordon, drainOf(world, change, { node, others, through, pods, cordons: cordon.length > 0 })];
  });
};

interface Order {
  readonly node: string;
  /** It, and those that leave and are drained after it. */
  readonly others: readonly string[];
  readonly through: string;
  readonly pods: readonly PodFacts[];
  readonly cordons: boolean;
}

function drainOf(world: World, change: Change, { node, others, through, pods, cordons }: Order): Drain {
  const { timeout, blocked } = change.settings.drain;
  const risk = (name: string) => change.settings.acknowledge.includes(`${name}:${node}`);
  const flags = [
    "--ignore-daemonsets",
    ...(risk("evict-bare-pods") ? ["--force"] : []),
    ...(risk("local-data") ? ["--delete-local-data"] : []),
  ];
  const hosts = Object.fromEntries(entries(change.leaving).filter(([name]) => others.includes(name)));
  const back = blocked === "leave" ? undefined : { hosts, uncordon: cordons, sketches: world.sketches ?? {} };
  return {
    do: "drain",
    host: through,
    node,
    flags,
    timeout,
    back,
    title: `drain ${node}: ${podsInWords(pods)}`,
    commands: [
      ...heldInWords(node, pods, world.budgets),
      sh`oc adm drain ${node} ${flags} --timeout=${timeout}s`,
      `# if it is blocked after ${timeout} s, nothing that comes later is done, etcd is not touched, and`,
      ...(back === undefined
        ? [`#   ${node} stays unschedulable and out of the pools (openshift-masters:drain.blocked is leave)`]
        : backInWords(world, change, node, back)),
    ],
  };
}

const podsInWords = (pods: readonly PodFacts[]): string => {
  const some = pods.slice(0, 5).map(nameOf);
  return pods.length === 0
    ? "no pod to move now"
    : `${pods.length} to move: ${some.join(", ")}${pods.length > some.length ? ", …" : ""}`;
};

function heldInWords(node: string, pods: readonly PodFacts[], facts: BudgetFacts | Unknown | undefined): string[] {
  if (pods.length === 0 || facts === undefined || "unknown" in facts) return [];
  const { blocking, slow } = rehearseDrain(node, pods, facts);
  return [...blocking, ...slow].map(
    ({ budget, pods: held }) => `# ${held.length} of them under the budget ${budgetInWords(budget)}`,
  );
}

/** What is put back, command by command, as far as it is known beforehand. */
function backInWords(world: World, change: Change, node: string, { hosts, uncordon, sketches }: PutBack): string[] {
  const names = Object.keys(hosts);
  return [
    uncordon ? sh`#   oc adm uncordon ${node}` : `#   ${node} stays unschedulable, as it is now`,
    ...entries(change.settings.loadBalancers).flatMap(([balancer, entry]) => {
      if (entry.kind === "command")
        return [`#   ${balancer}: its pool stays without ${names.join(", ")}; only your own command can put that back`];
      return names.map((name) => {
        const lines = rememberedOf(world, change, balancer, sketches[balancer] ?? {}, name);
        if (typeof lines === "string") return `#   ${balancer}: ${name} stays out: ${lines}`;
        const facts = balancerOf(world, change, balancer);
        const load = facts.canReload && !entry.restart ? "reload" : "restart";
        return `#   ${balancer}: put ${lines.join(", ")} of ${name} back where it stood; ${checkCommand(facts)}; ${sh`systemctl ${load} ${entry.service}`}; prove it UP`;
      });
    }),
  ];
}

/** The lines of a leaving host that can be put back once they are out, `section server`; or why there are none. */
function rememberedOf(world: World, change: Change, balancer: string, sketch: Sketch, name: string): string[] | string {
  const facts = world.balancers[balancer];
  if (!isReachable(facts)) return "the load balancer cannot be asked";
  const identity = identityThere(facts, name, change.leaving);
  try {
    const { restored } = restoreIn(dropFrom(facts.files, identity).files, sketch, identity);
    if (restored.length === 0) return "where its lines stood is not remembered; put them back by hand";
    return restored.map(({ section, server }) => escapeControls(`${server} (${section})`));
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

/** Where a leaving host stands with the load balancers and the scheduler. */
export interface Standing {
  /** Load balancers that have no line of it; those whose command was told a pool without it among them. */
  readonly out: readonly string[];
  /** Those that could not be asked. */
  readonly unasked: readonly string[];
  readonly unschedulable: boolean;
}

/** As the hosts show it. */
export function standingOf(world: World, change: Change, node: string): Standing {
  const out: string[] = [];
  const unasked: string[] = [];
  for (const [balancer, { kind }] of entries(change.settings.loadBalancers)) {
    const lines = kind === "command" ? 0 : linesOf(world, change, balancer, node);
    if (lines === undefined) unasked.push(balancer);
    else if (lines === 0) out.push(balancer);
  }
  const cluster = isReachable(world.cluster) ? world.cluster.nodes : [];
  return { out, unasked, unschedulable: cluster.some((one) => one.name === node && one.unschedulable) };
}

function linesOf(world: World, change: Change, balancer: string, node: string): number | undefined {
  const facts = world.balancers[balancer];
  if (!isReachable(facts) || facts.files.length === 0) return undefined;
  try {
    const hosts = { ...change.leaving, ...change.survivors };
    return serversOfHostIn(facts.files, identityThere(facts, node, hosts)).length;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** `out of the pools of lb-0, lb-1 and unschedulable`; empty when it is in full service. */
export function standingInWords({ out, unasked, unschedulable }: Standing): string {
  const told = [
    ...(out.length > 0 ? [`out of the pools of ${out.join(", ")}`] : []),
    ...(unschedulable ? ["unschedulable"] : []),
  ].join(" and ");
  if (unasked.length === 0) return told;
  const unknown = `whether ${unasked.join(", ")} has it could not be asked`;
  return told === "" ? unknown : `${told} (${unknown})`;
}

export interface Return {
  /** What is done at the load balancer; undefined: nothing can be, or has to be. */
  readonly step: Extract<Step, { do: "balance" }> | undefined;
  /** Hosts that will not be in its pools all the same: name → why. */
  readonly missing: Readonly<Record<string, string>>;
}

/**
 * The lines of hosts that were to leave come back at one haproxy, by the plan that puts back lost lines of masters that stay.
 * @param change in which they are among those that stay
 */
export function planReturn(
  world: World,
  change: Change,
  balancer: string,
  sketch: Sketch,
  names: readonly string[],
): Return {
  const none = (why: string): Return => ({
    step: undefined,
    missing: Object.fromEntries(names.map((name) => [name, why])),
  });
  const facts = world.balancers[balancer];
  if (!isReachable(facts)) return none(facts?.unreachable ?? "it was not looked at");
  if (facts.files.length === 0) return none(`its configuration could not be read (${facts.filesSeen})`);
  // only their lines are looked for; the servers of the others are proved UP besides
  const masters = Object.fromEntries(entries(world.masters).filter(([name]) => names.includes(name)));
  try {
    const [step] = planBalancer(balancer, sketch)({ ...world, masters }, change);
    const balance = step?.do === "balance" ? step : undefined;
    const texts = new Map(balance?.edits.map((edit) => [edit.before.path, edit.after]));
    const files = facts.files.map((file) => ({ ...file, text: texts.get(file.path) ?? file.text }));
    const missing = names.flatMap((name): [string, string][] => {
      const why = whyMissing(files, sketch, identityThere(facts, name, change.survivors), world.masters[name]);
      return why === undefined ? [] : [[name, why]];
    });
    return { step: balance, missing: Object.fromEntries(missing) };
  } catch (error) {
    if (error instanceof Refusal) return none(error.message);
    throw error;
  }
}

/** Undefined: the host has all its lines. */
function whyMissing(
  files: readonly ConfigFile[],
  sketch: Sketch,
  host: HostIdentity,
  facts: World["masters"][string] | undefined,
): string | undefined {
  try {
    const whole = restoreIn(files, sketch, host).restored.length === 0;
    if (whole && serversOfHostIn(files, host).length > 0) return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  if (!isReachable(facts)) return `${host.name} cannot be asked whether its API is ready`;
  const { ready, asked, seen } = facts.readiness;
  return ready ? "where its lines stood is not remembered" : `its API is not ready (${asked}: ${seen})`;
}
