/** Clocks of the masters that are wrong. */
import type { Ahead } from "../clocks.ts";
import { isReachable } from "../facts.ts";
import { type Change, type World, entries } from "../steps.ts";
import { type Check, names } from "./judgement.ts";

/**
 * Seconds that a master's clock may differ from the others' and from this machine's. Hosts that keep time are within one; from five minutes on certificates that were just
 * signed are not valid yet, and backups sort in the wrong order. A minute is far from both, and from what a slow answer makes uncertain.
 */
export const mostApart = 60;

/** A removal is refused; without one it is told. What a slow answer leaves uncertain counts in the host's favour. */
export const clocks: Check = (world, change) => {
  const told = wrong(world, change);
  return names(change.leaving).length > 0
    ? {
        refusals: told.map(
          (one) =>
            `${one}; set it right first (chronyd or ntpd): certificates, leases and the order of backups go by it`,
        ),
      }
    : { notes: told };
};

function wrong(world: World, change: Change): string[] {
  const hosts = { ...change.survivors, ...change.leaving };
  const seen = entries(world.masters).flatMap(([name, facts]) => {
    const ahead = isReachable(facts) && name in hosts ? facts.identity.ahead : undefined;
    return ahead === undefined ? [] : [{ name, ahead }];
  });
  const far = seen.filter(({ ahead }) => ahead.least > mostApart || ahead.most < -mostApart);
  if (far.length > 0) return far.map(({ name, ahead }) => `the clock of ${name} is ${inWords(ahead)} this machine's`);
  const fast = seen.toSorted((a, b) => b.ahead.least - a.ahead.least)[0];
  const slow = seen.toSorted((a, b) => a.ahead.most - b.ahead.most)[0];
  if (fast === undefined || slow === undefined) return [];
  const apart = { least: fast.ahead.least - slow.ahead.most, most: fast.ahead.most - slow.ahead.least };
  return apart.least > mostApart ? [`the clock of ${fast.name} is ${inWords(apart)} that of ${slow.name}`] : [];
}

function inWords({ least, most }: Ahead): string {
  const about = Math.round((least + most) / 2);
  const seconds = Math.abs(about);
  const told = seconds >= 120 ? `${Math.round(seconds / 60)} minutes` : `${seconds} s`;
  return `${told} ${about < 0 ? "behind" : "ahead of"}`;
}
