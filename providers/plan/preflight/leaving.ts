/** The hosts that leave: reachable, and able to hand over the certificate authorities they hold. */
import { distrusted, objections } from "../authority-objections.ts";
import { type Custody, authorities, custodyOf, doubled } from "../authority.ts";
import { type Hosts, isReachable } from "../facts.ts";
import { memberOf, viewOfSurvivors } from "../members.ts";
import { isLeft } from "../plans.ts";
import { type Change, type World, isGone } from "../steps.ts";
import { type Check, names, orTrue } from "./judgement.ts";

export const leavingHosts: Check = (world, change, before) => {
  const silent = names(change.leaving).flatMap((name) => {
    const facts = world.masters[name];
    if (facts === undefined || isReachable(facts) || isGone(name, world, change)) return [];
    return [{ name, why: facts.unreachable, needed: isNeeded(name, world, change, before) }];
  });
  return {
    refusals: silent
      .filter(({ needed }) => needed)
      .map(
        ({ name, why }) =>
          `${name} leaves and cannot be reached (${why}): bring it back, or acknowledge \`host-gone:${name}\`; then its own steps and its backup are skipped and everything else is done`,
      ),
    notes: silent
      .filter(({ name, needed }) => !needed && name in (before ?? {}))
      .map(
        ({ name, why }) =>
          `${name} leaves, cannot be reached (${why}), and nothing in the cluster names it any more: it was retired already, as a state that is older than that cannot know`,
      ),
  };
};

/** A host that was retired earlier need not answer any more, once neither etcd nor the cluster knows it. */
function isNeeded(name: string, world: World, change: Change, before: Hosts | undefined): boolean {
  const members = viewOfSurvivors(world, change)?.etcd.members ?? [];
  const isMember = orTrue(() => memberOf(name, change.leaving, members) !== undefined);
  const isNode = !isReachable(world.cluster) || world.cluster.nodes.some((node) => node.name === name);
  if (isMember || isNode) return true;
  const address = change.leaving[name] ?? name;
  return name in (before ?? {}) && isLeft(world, { ...change, leaving: { [name]: address } });
}

/**
 * What a leaving host holds can be handed over, or taken from an archive of it. Without an authority no node or member can ever
 * be added, so no risk covers its loss.
 */
export const authority: Check = (world, change) => {
  const found = (["openshift", "etcd"] as const).map((name) => {
    const custody = custodyOf(world, change, name);
    return {
      refusals: [...objections(world, change, custody), ...lost(world, change, custody)],
      notes: notesOn(world, change, custody),
    };
  });
  return { refusals: found.flatMap((one) => one.refusals), notes: found.flatMap((one) => one.notes) };
};

/** Nobody has it any more, and a host that might have had it cannot be asked. */
function lost(world: World, change: Change, { name, held, holder }: Custody): string[] {
  if (holder !== undefined || held.length > 0) return [];
  const { what } = authorities[name];
  const folder = (host: string) => `${change.settings.backup.archive}/${host}`;
  return names(change.leaving)
    .filter((host) => !isReachable(world.masters[host]) && isNeeded(host, world, change, undefined))
    .map((host) => {
      const encrypted = (world.archives?.[host] ?? []).some((one) => one.stored !== undefined);
      const seen =
        encrypted && change.settings.backup.identity === undefined
          ? `archives in ${folder(host)} are encrypted: name the file of their identity in openshift-masters:backup.identity`
          : `no verified archive of it in ${folder(host)} on this machine holds that either: bring ${host} back, or put an archive there with the manifest beside it`;
      return `${host} cannot be asked and no master that stays holds ${what}, without which no node or member can ever be added; ${seen}`;
    });
}

function notesOn(world: World, change: Change, custody: Custody): string[] {
  const { order, holder, name } = custody;
  const { what, group } = authorities[name];
  const nobody = names(change.leaving).length === 0;
  const [first, firstStaying] = [order[0] ?? "", order.find((host) => host in change.survivors)];
  const unasked = names(change.leaving).find((host) => !isReachable(world.masters[host]) && host === first);
  return [
    ...(nobody ? [...doubled(custody), ...distrusted(world, change, custody)] : []),
    ...(holder !== undefined &&
    holder.host in change.survivors &&
    !(first in change.leaving) &&
    holder.host !== firstStaying
      ? [
          `${holder.host} holds ${what} with the highest serial and is not the first of [${group}] in the inventory, which is ${firstStaying ?? "nobody"}`,
        ]
      : []),
    ...(unasked !== undefined &&
    holder !== undefined &&
    holder.archive === undefined &&
    isNeeded(unasked, world, change, undefined)
      ? [
          `${unasked} cannot be asked: that ${what} on ${holder.host} (serial ${holder.serial}) is as new as what it had cannot be told`,
        ]
      : []),
  ];
}
