/** What planners share: facts that must be known, and edits of files with the host and path told. */
import { type BalancerFacts, type ClusterFacts, type FileFacts, type MasterFacts, isReachable } from "../facts.ts";
import { Refusal, Unasked } from "../refusal.ts";
import { type Change, type Edit, type Step, type World, isGone } from "../steps.ts";

export type Planner = (world: World, change: Change) => Step[];

/** Runs a pure editor on a host's file; its refusal is told with host and path. */
export function edited(host: string, file: FileFacts, edit: (text: string) => string): Edit | undefined {
  try {
    const after = edit(file.text);
    return after === file.text ? undefined : { before: file, after };
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${host}: ${file.path}: ${error.message}`);
    throw error;
  }
}

export const editStep = (host: string, edit: Edit, title: string): Step => ({
  do: "edit",
  host,
  edit,
  title: `${edit.before.path}: ${title}`,
});

/** A master that stays. @throws Unasked when it could not be asked: what is not known is not done */
export function survivor(world: World, name: string): MasterFacts {
  const facts = world.masters[name];
  if (isReachable(facts)) return facts;
  throw new Unasked(`${name} could not be asked: ${facts?.unreachable ?? "it was not looked at"}`);
}

/** A leaving master; undefined when it is gone, or needed no more because its Node, the last of it, has been deleted. */
export function leaver(world: World, change: Change, name: string): MasterFacts | undefined {
  const facts = world.masters[name];
  if (isReachable(facts)) return facts;
  if (isGone(name, world, change) || !clusterOf(world).nodes.some((node) => node.name === name)) return undefined;
  throw new Unasked(`${name} could not be asked: ${facts?.unreachable ?? "it was not looked at"}`);
}

export function clusterOf(world: World): ClusterFacts {
  const { cluster } = world;
  if (!isReachable(cluster)) throw new Unasked(`the cluster could not be asked: ${cluster.unreachable}`);
  if (cluster.unknown.length > 0) throw new Unasked(`the cluster could not be asked: ${cluster.unknown.join("; ")}`);
  return cluster;
}

export function balancerOf(world: World, change: Change, balancer: string): BalancerFacts {
  const facts = world.balancers[balancer];
  if (!isReachable(facts))
    throw new Unasked(`${balancer} could not be asked: ${facts?.unreachable ?? "it was not looked at"}`);
  const settings = change.settings.loadBalancers[balancer];
  const path = settings?.kind === "haproxy" ? settings.config : "its configuration";
  if (facts.files.length === 0) throw new Unasked(`${balancer}: ${path} could not be read (${facts.filesSeen})`);
  return facts;
}

export const nobodyLeaves = (change: Change): boolean => Object.keys(change.leaving).length === 0;

export const forEachLeaving = (change: Change, edit: (text: string, name: string) => string) => (text: string) =>
  Object.keys(change.leaving).reduce((now, name) => edit(now, name), text);
