/** Pure: what speaks against the hand-over of a certificate authority, one sentence each, with what was found where. */
import {
  type Custody,
  type Holding,
  authorities,
  doubled,
  isDigest,
  isSame,
  isWhole,
  numberOf,
  whereOf,
} from "./authority.ts";
import { isReachable } from "./facts.ts";
import type { Change, World } from "./steps.ts";

/** Nothing when nobody leaves: then nothing is handed over, and `read` tells what is amiss. */
export function objections(world: World, change: Change, custody: Custody): string[] {
  if (Object.keys(change.leaving).length === 0) return [];
  const leaving = custody.held.filter(({ host }) => host in change.leaving);
  return [
    ...doubled(custody).map((what) => `${what}; move away what is not the cluster's`),
    ...distrusted(world, change, custody),
    ...leaving.filter((one) => isWhole(one) && numberOf(one) === undefined).map((one) => unreadable(custody, one)),
    ...(custody.holder === undefined ? leaving.filter((one) => !isWhole(one)).map((one) => torn(custody, one)) : []),
    ...custody.handOvers.flatMap(({ source, target }) => [
      ...(isDigest(source) ? [] : [uncopied(custody, source)]),
      ...(hasOpenssl(world, target)
        ? []
        : [
            `${target}: openssl is not there to prove ${authorities[custody.name].what} by, which ${source.host} hands over: install it`,
          ]),
    ]),
  ].filter((one, n, all) => all.indexOf(one) === n);
}

/** Every host that stays must trust every authority there is, or it is another cluster's. */
export function distrusted(world: World, change: Change, { name, held, holder }: Custody): string[] {
  const { what, trust } = authorities[name];
  const all = [...held, ...(holder?.archive === undefined ? [] : [holder])].filter(isWhole);
  const distinct = all.filter((one, n) => !all.slice(0, n).some((other) => isSame(one.certificate, other.certificate)));
  return distinct.flatMap((one) => {
    const who = Object.keys(change.survivors).flatMap((host) => {
      const facts = world.masters[host];
      if (!isReachable(facts) || isSame(one.certificate, facts.trust[name])) return [];
      return [`${host} (${facts.trust[name][0]?.slice(0, 12) ?? "not there"})`];
    });
    return who.length === 0
      ? []
      : [
          `${what} is not the cluster's: found ${whereOf(one)}; ${trust} is another on ${who.join(", ")}; move away what is not the cluster's`,
        ];
  });
}

const hasOpenssl = (world: World, host: string): boolean => {
  const facts = world.masters[host];
  return !isReachable(facts) || facts.openssl;
};

const unreadable = ({ name }: Custody, { host, path, serial }: Holding): string =>
  `${host} leaves and holds ${authorities[name].what} with a serial that is no hexadecimal number (${path}: "${serial}"): whether another is as new cannot be told; mend it, or move that authority away`;

const torn = ({ name }: Custody, one: Holding): string =>
  `${one.host} leaves and holds ${authorities[name].what} without its ${one.key ? "ca.crt" : "ca.key"} (${whereOf(one)}), and no other master holds it: put it back from a backup first`;

function uncopied({ name }: Custody, one: Holding): string {
  const why =
    one.digest === "links"
      ? "there are links or special files in it"
      : one.digest === "large"
        ? "it is larger than 64 MiB or has more than 5000 files"
        : "what it holds could not be read whole";
  return `${authorities[name].what} cannot be handed over (${whereOf(one)}): ${why}; copy ${authorities[name].copied} to the next master by hand, and run this again`;
}
