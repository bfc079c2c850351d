/** What speaks against the removal of a member besides the arithmetic: differing data, certificates that end, members that do not answer. */
import { type Census, compactionsOf, differingData, isCensus } from "../census.ts";
import { etcdCertificates } from "../certificates.ts";
import { type MasterFacts, isReachable } from "../facts.ts";
import { observedMembers, viewOfSurvivors } from "../members.ts";
import { escapeControls, shortened } from "../quote.ts";
import type { Change, World } from "../steps.ts";
import { type ObservedMember, areSeveral, decide } from "../topology.ts";
import { type Check, names, orNothing, refusalOf } from "./judgement.ts";

/** Days that a certificate of a member that stays must be good for; and those from which on its end is told. */
const leastDays = 7;
const fewDays = 30;
const day = 86_400;

/** Judged while a member is still to be removed; without one the ends of certificates are told all the same. */
export const etcdHealth: Check = (world, change) => {
  const view = viewOfSurvivors(world, change);
  const observed = view && orNothing(() => observedMembers(world, change, view.etcd));
  const ending = names(change.survivors).flatMap((name) => certificates(name, world.masters[name]));
  const short = ending.filter(({ days }) => days !== undefined && days < leastDays).map(({ told }) => told);
  const long = ending.filter(({ days }) => days === undefined || days >= leastDays).map(({ told }) => told);
  if (observed?.some(({ name }) => name in change.leaving) !== true) return { notes: [...short, ...long] };
  const { census } = world;
  const renew =
    "renew etcd's certificates first (openshift-ansible's playbooks/openshift-etcd/redeploy-certificates.yml)";
  return {
    refusals: [...short.map((one) => `${one}: ${renew}`), ...(isCensus(census) ? differing(census) : [])],
    passing: isCensus(census)
      ? silent(census, change)
      : census === undefined
        ? []
        : [
            `how far the etcd members are, and whether they hold the same, could not be asked (${escapeControls(census.unknown)}): run this again`,
          ],
    notes: [...long, ...patches(observed), ...(isCensus(census) ? uncompared(census) : [])],
  };
};

/**
 * Every reason not to remove a member now; none when no leaving host has one any more.
 * @param world seen with its census
 * @param planned the leaving hosts in the order of the plan that is being carried out
 */
export function etcdRefusals(world: World, change: Change, planned?: readonly string[]): string[] {
  const view = viewOfSurvivors(world, change);
  if (view === undefined) return ["no master that stays could say who the etcd members are"];
  const { acknowledge } = change.settings;
  const ambiguous = refusalOf(() => observedMembers(world, change, view.etcd));
  if (ambiguous.length > 0) return ambiguous;
  const members = observedMembers(world, change, view.etcd);
  const { reasons } = decide({ members, leaving: names(change.leaving), acknowledge, planned });
  const { refusals = [], passing = [] } = etcdHealth(world, change, undefined);
  return [...reasons, ...refusals, ...passing];
}

/** Of a master that stays, each certificate of etcd that ends soon, or whose end is not known (`days` undefined). */
function certificates(name: string, facts: World["masters"][string] | undefined): { told: string; days?: number }[] {
  if (!isReachable<MasterFacts>(facts)) return [];
  const { certificates: seen, openssl, identity } = facts;
  if (!openssl) return [{ told: `${name}: openssl is not there to tell when etcd's certificates end` }];
  if (identity.time === 0)
    return [{ told: `${name}: its clock could not be asked, so whether etcd's certificates have ended is not known` }];
  const unknown = etcdCertificates.filter((path) => seen.find((one) => one.path === path)?.ends === undefined);
  return [
    ...seen.flatMap(({ path, ends }) => {
      if (ends === undefined || ends - identity.time >= fewDays * day) return [];
      const left = ends - identity.time;
      const on = new Date(ends * 1000).toISOString().slice(0, 16);
      const word = left <= 0 ? `expired on ${on}Z` : `expires on ${on}Z, in ${inDays(left)},`;
      return [{ told: `${name}: ${path} ${word} by the clock of that host`, days: left / day }];
    }),
    ...(unknown.length > 0 ? [{ told: `${name}: when ${unknown.join(", ")} ends could not be told` }] : []),
  ];
}

function inDays(seconds: number): string {
  const days = Math.floor(seconds / day);
  return days === 0 ? "less than a day" : days === 1 ? "1 day" : `${days} days`;
}

function differing(census: Census): string[] {
  const groups = differingData(census);
  if (groups.length === 0) return [];
  const each = groups.map(({ hash, names: some }) => `${some.join(" and ")} ${hash}`).join(", ");
  return [
    `the etcd members hold different data at revision ${census.revision} (hashes on ${census.looks} looks: ${each}): one of them is corrupt; find out which, and have it removed and joined anew by hand first`,
  ];
}

/** Of a member that stays, everything must be known; one that leaves may be dead. */
const silent = (census: Census, change: Change): string[] =>
  Object.entries(census.members)
    .filter(([name, { status }]) => status === undefined && name in change.survivors)
    .map(
      ([name, { url, seen }]) =>
        `the etcd member of ${name} could not be asked at ${url} from ${census.through} (${seen}): how far it is, and whether its data is that of the others, is not known; make it answer there first`,
    );

function uncompared(census: Census): string[] {
  const all = Object.entries(census.members).filter(([, { status }]) => status !== undefined);
  const without = all.filter(([, { hash }]) => hash === "none").map(([name]) => name);
  const failed = all.filter(([, { hash }]) => hash === undefined).map(([name, { seen }]) => `${name}: ${seen}`);
  return [
    ...(without.length === 0
      ? []
      : [
          `${without.length === all.length ? "this etcd" : `the etcd of ${shortened(without, 4)}`} has no hash of its data (it came with 3.3): that all members hold the same is not proved`,
        ]),
    ...(failed.length === 0 ? [] : [`the hash of etcd's data could not be had of ${shortened(failed, 4)}`]),
    ...(compactionsOf(census.members).length > 1
      ? [`the etcd members were compacted at different revisions on ${census.looks} looks: their data was not compared`]
      : []),
  ];
}

/** Minor releases that differ are refused. */
function patches(observed: readonly ObservedMember[]): string[] {
  const known = observed.filter(({ version }) => version !== "");
  if (areSeveral(observed) || new Set(known.map(({ version }) => version)).size <= 1) return [];
  return [
    `the etcd members run different versions: ${known.map(({ name, version }) => `${name} ${version}`).join(", ")}`,
  ];
}
