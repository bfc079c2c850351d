/**
 * Masters that the cluster names and nobody declares, when it is adopted.
 * - whole, or not known to be otherwise: refused. A master that was forgotten in the configuration is never begun with.
 * - its retirement has begun, and what is left of it is known: it leaves by this first change, and the ordinary planners finish it
 * - one that cannot be reached is judged by the administrator alone: `host-gone:<name>`
 * - etcd on hosts of its own, hosts that are being added, one name with two addresses: refused, or left alone where nothing of them runs
 */
import { type Hosts, isReachable } from "./facts.ts";
import { viewOfSurvivors } from "./members.ts";
import { escapeControls } from "./quote.ts";
import { paths } from "./probe.ts";
import { canonicalAddress } from "./same-host.ts";
import { isAddress, isHostName } from "./settings.ts";
import { type Change, type World, entries } from "./steps.ts";
import { hasLostMember, isBegun, isOff, nodeOf, poolsWithout, takenOut } from "./strangers/begun.ts";
import { type Place, sightings } from "./strangers/sightings.ts";
import { type Stranger, contradictions, placesOf, strangersIn } from "./strangers/who.ts";

export type { Stranger } from "./strangers/who.ts";

export interface Verdict {
  readonly stranger: Stranger;
  /** `leaves`: with this change. `refused`: and why. `told`: nothing of it runs, and it stays as it is. */
  readonly says: "leaves" | "refused" | "told";
  readonly text: string;
}

/** @param known hosts that are accounted for, the declared ones among them */
export const strangersTo = (world: World, change: Change, known: Hosts): Stranger[] =>
  strangersIn(sightings(world, change, known));

const isIn = ({ sightings: all }: Stranger, ...places: readonly Place[]): boolean =>
  all.some(({ place }) => places.includes(place));

/** Named as a master of the cluster, in whatever state; a member of etcd alone is none. */
export const isMaster = (one: Stranger): boolean => isIn(one, "node", "server", "endpoint", "masters");
/** Something of it is at work, as far as the cluster knows. */
export const isAlive = (one: Stranger): boolean => isIn(one, "member", "node", "endpoint");

export const addressOf = ({ addresses, name }: Stranger): string => addresses[0] ?? name;

/** Those that can be looked at: a master with a name and one address. */
export const visited = (world: World, change: Change): Hosts =>
  Object.fromEntries(
    strangersTo(world, change, change.survivors)
      .filter((one) => isMaster(one) && !isIn(one, "new") && whyUnclear(one, change) === undefined)
      .map((one) => [one.name, addressOf(one)]),
  );

/** Hosts that leave by the change that adopts the cluster. */
export const halfRetired = (world: World, change: Change): Hosts =>
  Object.fromEntries(
    verdicts(world, change)
      .filter(({ says }) => says === "leaves")
      .map(({ stranger }) => [stranger.name, addressOf(stranger)]),
  );

/** Of every stranger that is a master, or is text only. An undeclared member on a host of its own is refused with the other members. */
export const verdicts = (world: World, change: Change): Verdict[] =>
  strangersTo(world, change, change.survivors).flatMap((one) => verdictOn(one, world, change) ?? []);

function verdictOn(stranger: Stranger, world: World, change: Change): Verdict | undefined {
  const alive = isAlive(stranger);
  const verdict = (says: Verdict["says"], text: string): Verdict => ({ stranger, says, text });
  const refused = (text: string) => verdict(alive ? "refused" : "told", alive ? text : `${text}; it stays as it is`);
  if (isIn(stranger, "new") && (alive || isMaster(stranger)))
    return refused(
      `${called(stranger)} is not declared and is being added, as ${where(stranger, "new")} says, so its retirement is not begun (seen in ${places(stranger)}): finish its scale-up and declare it, or take it out of that group`,
    );
  if (!isMaster(stranger)) return alive || isIn(stranger, "new") ? undefined : verdict("told", onlyText(stranger));
  if (isOnlyServerOf(stranger, change)) return undefined;
  const unclear = whyUnclear(stranger, change);
  if (unclear !== undefined)
    return refused(
      `${called(stranger)} is not declared, and which host it is cannot be told: ${unclear} (seen in ${places(stranger)}): correct what is wrong there, or declare it`,
    );
  const host = world.masters[stranger.name] ?? world.strangers?.hosts[stranger.name];
  if (!isReachable(host)) {
    const why = host?.unreachable ?? "it was not looked at";
    if (change.settings.acknowledge.includes(`host-gone:${stranger.name}`))
      return verdict("leaves", half(stranger, world, change, `cannot be reached (${why}), as acknowledged`));
    return refused(
      `${called(stranger)} is not declared, is named in ${places(stranger)}, and cannot be reached (${why}), so whether it works cannot be told: ${declare(stranger)}; ` +
        `or, if it is dead or was being retired, acknowledge \`host-gone:${stranger.name}\`: then \`pulumi up\` takes out what is left of it`,
    );
  }
  if (wasSeen(world, change) && isBegun(stranger, host, world, change))
    return verdict("leaves", half(stranger, world, change, "is half retired"));
  if (!alive)
    return verdict(
      "told",
      `${onlyText(stranger)}; nothing shows that this program or its API's manifest in disabled/ has begun to retire it`,
    );
  const signs = inConvalescence(stranger, world, change, isOff(host));
  // declared, it would be refused as no member of etcd
  const advice =
    viewOfSurvivors(world, change) !== undefined && hasLostMember(stranger, host)
      ? `etcd has no member of it, so it cannot be declared as it is: if it is to stay, add its member again, and declare it; if it is to go, move apiserver.yaml there from ${paths.pods} to ${paths.disabled}, and \`pulumi up\` takes out what is left of it`
      : declare(stranger);
  return verdict(
    "refused",
    `${called(stranger)} is not declared and is a master: in ${places(stranger)}${signs.length === 0 ? "" : `; but ${signs.join(", ")}, as after maintenance`}. ` +
      `${advice}. A master that nobody declares is not begun with`,
  );
}

/** What could not be asked is not gone. */
const wasSeen = (world: World, change: Change): boolean =>
  isReachable(world.cluster) &&
  world.cluster.unknown.length === 0 &&
  isReachable(world.inventory) &&
  viewOfSurvivors(world, change) !== undefined;

const called = ({ name, addresses }: Stranger): string => {
  const told = escapeControls(name);
  return name === "" ? addresses.join(" or ") : addresses.length === 0 ? told : `${told} (${addresses.join(", ")})`;
};
const places = ({ sightings: all }: Stranger): string => placesOf(all);
const where = ({ sightings: all }: Stranger, place: Place): string =>
  placesOf(all.filter((one) => one.place === place));

const declare = (one: Stranger): string =>
  `declare it, as \`${one.name}: { address: ${addressOf(one)} }\` below openshift-masters:masters, run \`pulumi up\`, and delete that line again if it is to go`;

const onlyText = (one: Stranger): string =>
  `${called(one)} is not declared and is named in ${places(one)}, and neither etcd, nor a Node of a master, nor the kubernetes service has it: it stays as it is`;

/** Pools may lead to a host that is declared as something else. */
const isOnlyServerOf = (one: Stranger, change: Change): boolean =>
  !isIn(one, "member", "node", "endpoint", "masters") && otherOf(one, change) !== undefined;

/** A load balancer, node or bastion that is declared with its name or address. */
function otherOf({ name, addresses }: Stranger, { settings }: Change): string | undefined {
  const others = [...entries<object>(settings.loadBalancers), ...entries<object>(settings.nodes)];
  const words = new Set([name, ...addresses].map(canonicalAddress));
  const bastion = settings.ssh.bastion?.host;
  if (bastion !== undefined && words.has(canonicalAddress(bastion))) return bastion;
  return others.find(
    ([other, entry]) => words.has(other) || ("address" in entry && words.has(canonicalAddress(String(entry.address)))),
  )?.[0];
}

function whyUnclear(one: Stranger, change: Change): string | undefined {
  const other = otherOf(one, change);
  if (other !== undefined) return `${other} is declared, as no master, with its name or address`;
  const reasons = contradictions(one).map((reason) => escapeControls(reason));
  if (reasons.length > 0) return reasons.join("; ");
  if (one.name === "") return "nothing names it";
  if (!isHostName(one.name) || !isAddress(addressOf(one))) return "that is no host name as of RFC 1123, or no address";
  return isNobodys(addressOf(one)) ? `${addressOf(one)} is no address of another machine` : undefined;
}

/** Loopback, unspecified, link-local and multicast: whoever connects there meets itself, or anybody. */
const isNobodys = (address: string): boolean =>
  /^(?:0|127|169\.254|22[4-9]|23\d|2[45]\d)\.|^0:0:0:0:0:(?:0|ffff):|^::ffff:|^fe[89ab][0-9a-f]:|^ff[0-9a-f]{2}:|^localhost(?:\.|$)/.test(
    canonicalAddress(address),
  );

/** What it is out of, that an administrator may have done. */
function inConvalescence(one: Stranger, world: World, change: Change, off: boolean): string[] {
  const pools = poolsWithout(one, world, change);
  return [
    ...(isIn(one, "member") ? [] : ["etcd does not have it"]),
    ...(nodeOf(one, world)?.unschedulable === true ? ["its Node is unschedulable"] : []),
    ...(pools.length === 0 ? [] : [`the pool of ${pools.join(", ")} does not have it`]),
    ...(off ? ["its API's manifest is in disabled/"] : []),
  ];
}

function half(one: Stranger, world: World, change: Change, state: string): string {
  const proofs = takenOut(one, world, change);
  const pools = poolsWithout(one, world, change).map((name) =>
    proofs[name] === undefined ? `the pool of ${name}` : `the pool of ${name} (${proofs[name]} still has its line)`,
  );
  const host = world.masters[one.name] ?? world.strangers?.hosts[one.name];
  const gone = [
    ...(isIn(one, "member") ? [] : ["etcd"]),
    ...(isIn(one, "node") ? [] : ["the Nodes"]),
    ...pools,
    ...(isIn(one, "endpoint") ? [] : ["the kubernetes service"]),
    ...(isReachable(host) && isOff(host) ? ["its own static pods (apiserver.yaml is in disabled/)"] : []),
    ...(isIn(one, "masters", "etcd") ? [] : ["the inventory"]),
  ];
  return (
    `${called(one)} is not declared and ${state}: gone from ${gone.length === 0 ? "nothing yet" : gone.join(", ")}; still in ${places(one)}. ` +
    "It leaves by this change, which does what is left"
  );
}
