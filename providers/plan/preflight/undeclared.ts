/** Masters that the cluster names and nobody declares. */
import type { Hosts } from "../facts.ts";
import type { Change, World } from "../steps.ts";
import { type Verdict, addressOf, isAlive, isMaster, strangersTo, verdicts } from "../strangers.ts";
import { placesOf } from "../strangers/who.ts";
import { escapeControls } from "../quote.ts";
import type { Check } from "./judgement.ts";

/**
 * At adoption each is refused, told, or leaves. A state that knows the cluster and not this master is older than it, or lost it: that state cannot finish what another one
 * began, so that is only told, with what can.
 */
export const undeclared: Check = (world, change, before) => {
  if (before !== undefined) return { notes: unknownToState(world, change, before) };
  const all = verdicts(world, change);
  const isPlanned = ({ stranger }: Verdict): boolean => stranger.name in change.leaving;
  const late = all
    .filter((one) => one.says === "leaves" && !isPlanned(one))
    .map(({ text }) => `${text}; that was not so a moment ago, and it is not in this plan: run this again`);
  return {
    refusals: [...all.filter(({ says }) => says === "refused").map(({ text }) => text), ...late],
    notes: all
      .filter((one) => one.says === "told" || (one.says === "leaves" && isPlanned(one)))
      .map(({ text }) => text),
  };
};

/** Ids of the members that are told of there already. */
export const toldMembers = (world: World, change: Change, before: Hosts | undefined): Set<string> =>
  new Set(
    before === undefined
      ? verdicts(world, change)
          .filter(({ says }) => says === "refused")
          .flatMap(({ stranger }) =>
            stranger.sightings.filter(({ place }) => place === "member").map(({ detail }) => detail),
          )
      : [],
  );

function unknownToState(world: World, change: Change, before: Hosts): string[] {
  const known = { ...before, ...change.leaving, ...change.survivors };
  return strangersTo(world, change, known)
    .filter((one) => isMaster(one) && isAlive(one))
    .map(
      (one) =>
        `${escapeControls(one.name === "" ? addressOf(one) : `${one.name} (${addressOf(one)})`)} is a master, in ${placesOf(one.sightings)}, and neither the configuration nor this state knows it. ` +
        "If a run with another state began to retire it: `pulumi destroy` forgets this state and touches no host, and the next `pulumi up` adopts the cluster and finishes that (README: The state is lost or old)",
    );
}
