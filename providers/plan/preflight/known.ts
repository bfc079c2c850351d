/** Hosts that are others than they were at the last `up`. */
import { type Known, type KnownHost, changedRisk, isAcknowledged, seenHosts } from "../known.ts";
import { type Change, type World, entries } from "../steps.ts";
import { type Judgement, names } from "./judgement.ts";

/**
 * Another machine at a known address is refused whatever is to be done: nothing that is done there would be meant for it. Another member of a master is refused for a removal:
 * an administrator may have replaced it by hand, and removals count members.
 */
export function sameHosts(world: World, change: Change, known: Known): Judgement {
  const found = entries(seenHosts(world, change)).flatMap(([name, is]) =>
    (["machine", "member"] as const).flatMap((what) => differs(name, what, known[name]?.[what], is[what], change)),
  );
  const told = (what: keyof KnownHost) => found.filter((one) => one.what === what).map(({ text }) => text);
  const removes = names(change.leaving).length > 0;
  return {
    refusals: [...told("machine"), ...(removes ? told("member") : [])],
    passing: [],
    notes: [...(removes ? [] : told("member")), ...needless(world, change, known)],
  };
}

function differs(name: string, what: keyof KnownHost, was: string | undefined, is: string | undefined, change: Change) {
  if (was === undefined || is === undefined || was === is || isAcknowledged(change, what, name)) return [];
  const address = change.survivors[name] ?? change.leaving[name];
  const at = address === undefined ? name : `${name} (${address})`;
  const risk = `acknowledge \`${changedRisk[what]}:${name}\` until the next \`pulumi up\` is through`;
  const text =
    what === "machine"
      ? `${at} is another machine than at the last \`pulumi up\`: its machine id is ${is}, and was ${was}. If that address is wrong, correct it; if the host was installed anew, ${risk}`
      : `the etcd member of ${at} is another than at the last \`pulumi up\`: its id is ${is}, and was ${was}. If nobody replaced it, find out who did; if it was replaced on purpose, ${risk}`;
  return [{ what, text }];
}

/** Acknowledged, and so already: the next wrong host would pass. */
const needless = (world: World, change: Change, known: Known): string[] =>
  entries(seenHosts(world, change)).flatMap(([name, is]) =>
    (["machine", "member"] as const)
      .filter(
        (what) => isAcknowledged(change, what, name) && is[what] !== undefined && is[what] === known[name]?.[what],
      )
      .map((what) => `\`${changedRisk[what]}:${name}\` is acknowledged and needed no more: take it out of acknowledge`),
  );
