/**
 * Pure: who holds OpenShift's CA serial and etcd's CA, who is to have them when hosts leave, and what speaks against it.
 * - the highest hex serial holds; of equal ones the first in the inventory's group ([masters], [etcd]); a live host before an archive
 * - it goes to the first host of the group that stays; OpenShift's serial to every master that stays, as the vendor asks
 * - refused: different authorities in two places, one that the cluster does not trust, a serial that is no number, a holder that is gone without an archive
 */
import type { ArchivedAuthority, AuthorityName } from "./archived-authority.ts";
import { type AuthorityFacts, isReachable } from "./facts.ts";
import { filesOf } from "./inventory-facts.ts";
import { orderOf } from "./inventory-files.ts";
import { type Change, type World, identityOf } from "./steps.ts";

export type { AuthorityName } from "./archived-authority.ts";

export const authorities: Readonly<
  Record<AuthorityName, { what: string; serial: RegExp; group: string; trust: string; copied: string }>
> = {
  openshift: {
    what: "OpenShift's CA (ca.serial.txt)",
    serial: /\/ca\.serial\.txt$/,
    group: "masters",
    trust: "/etc/origin/master/ca.crt",
    copied: "ca.serial.txt",
  },
  etcd: {
    what: "etcd's CA (/etc/etcd/ca)",
    serial: /\/etcd\/ca\/serial$/,
    group: "etcd",
    trust: "/etc/etcd/ca.crt",
    copied: "/etc/etcd/ca and /etc/etcd/generated_certs",
  },
};

/** A place of an authority, on a host or in an archive of it. */
export interface Holding extends AuthorityFacts {
  readonly host: string;
  readonly archive?: ArchivedAuthority;
}

export interface HandOver {
  readonly source: Holding;
  readonly target: string;
  /** What the target has of it now. */
  readonly replaces: Holding | undefined;
}

/** The state of one authority, as a change finds it. */
export interface Custody {
  readonly name: AuthorityName;
  /** Declared hosts, as the inventory lists them in the group; then the others. */
  readonly order: readonly string[];
  /** On hosts that could be asked. */
  readonly held: readonly Holding[];
  /** Who holds it now, an archive of a host that is gone included. */
  readonly holder: Holding | undefined;
  readonly handOvers: readonly HandOver[];
}

const names = (hosts: object): string[] => Object.keys(hosts);

/** A serial's number; undefined when it is no hexadecimal one. */
export const numberOf = ({ serial }: AuthorityFacts): bigint | undefined =>
  /^[0-9a-f]{1,128}$/i.test(serial) ? BigInt(`0x${serial}`) : undefined;
const serialOf = (holding: AuthorityFacts): bigint => numberOf(holding) ?? -1n;

export const isSame = (a: readonly string[], b: readonly string[]): boolean => a.some((hash) => b.includes(hash));
/** A serial without its certificate or key is no authority. */
export const isWhole = ({ certificate, key }: AuthorityFacts): boolean => key && certificate.length > 0;
/** What is to be copied can be told from what was read. */
export const isDigest = ({ digest }: AuthorityFacts): boolean => /^[0-9a-f]{64}$/.test(digest);
const isGood = (holding: Holding): boolean => isWhole(holding) && numberOf(holding) !== undefined;

export function custodyOf(world: World, change: Change, name: AuthorityName): Custody {
  const order = orderIn(world, change, authorities[name].group);
  const held = order.flatMap((host) => heldBy(world, host, name));
  const kept = held.filter(({ host }) => host in change.survivors);
  const good = held.filter(isGood);
  const archived = names(change.leaving).flatMap((host) => archivedOf(world, change, host, name));
  // an archive of another authority than the one that is here is older than that
  const useful = archived.filter(
    (one) => !kept.some(isGood) || kept.some((other) => isGood(other) && isSame(one.certificate, other.certificate)),
  );
  const holder = newestOf([...good, ...useful.filter(isGood)]);
  const leaving = [...held.filter(({ host }) => host in change.leaving), ...useful].filter(isGood);
  return {
    name,
    order,
    held,
    holder,
    handOvers: holder === undefined ? [] : handOvers(change, name, { order, held, leaving, holder }),
  };
}
/** Sort is stable: of equal serials the first, which is the inventory's; archives stand behind. */
const newestOf = (some: readonly Holding[]): Holding | undefined =>
  some.toSorted((a, b) => (serialOf(a) > serialOf(b) ? -1 : serialOf(a) < serialOf(b) ? 1 : 0))[0];

const heldBy = (world: World, host: string, name: AuthorityName): Holding[] => {
  const facts = world.masters[host];
  if (!isReachable(facts)) return [];
  return facts.authority.filter((one) => authorities[name].serial.test(one.path)).map((one) => ({ ...one, host }));
};

/** Of the newest archive of a host that cannot be asked, that has it and can be opened. */
function archivedOf(world: World, change: Change, host: string, name: AuthorityName): Holding[] {
  if (isReachable(world.masters[host])) return [];
  const usable = (world.archives?.[host] ?? []).filter(
    ({ stored }) => stored === undefined || change.settings.backup.identity !== undefined,
  );
  for (const archive of usable) {
    const places = archive.places.filter((one) => authorities[name].serial.test(one.path) && isWhole(one));
    if (places.length > 0) return places.map((place) => ({ ...place, host, archive }));
  }
  return [];
}

/** The declared hosts as the inventory lists them; when it cannot say, as they are declared. */
function orderIn(world: World, change: Change, group: string): string[] {
  const hosts = { ...change.survivors, ...change.leaving };
  const listed = listedIn(world, group, hosts);
  return [...listed, ...names(hosts).filter((host) => !listed.includes(host))];
}
function listedIn(world: World, group: string, hosts: Change["survivors"]): string[] {
  if (!isReachable(world.inventory)) return [];
  try {
    return orderOf(
      filesOf(world.inventory),
      group,
      names(hosts).map((host) => identityOf(host, hosts)),
    );
  } catch {
    return [];
  }
}

interface Found {
  readonly order: readonly string[];
  readonly held: readonly Holding[];
  /** Of hosts that leave, their archives included. */
  readonly leaving: readonly Holding[];
  readonly holder: Holding;
}

function handOvers(change: Change, name: AuthorityName, { order, held, leaving, holder }: Found): HandOver[] {
  const staying = order.filter((host) => host in change.survivors);
  const first = staying[0];
  if (first === undefined || names(change.leaving).length === 0) return [];
  const newest = (host: string) => newestOf(held.filter((one) => one.host === host && isGood(one)));
  const isAsNew = (one: Holding | undefined) =>
    one !== undefined && isSame(one.certificate, holder.certificate) && serialOf(one) >= serialOf(holder);
  const has = (host: string) => isAsNew(newest(host));
  const to = (target: string): HandOver => ({ source: holder, target, replaces: newest(target) });
  const wasFirst = (order[0] ?? "") in change.leaving;
  if (name === "openshift") {
    // what a killed run has copied must not hide from the next one that a leaving host held it
    const due = leaving.some(isAsNew) || (wasFirst && !has(first));
    return due ? staying.filter((host) => !has(host)).map(to) : [];
  }
  const isEqual = holder.host in change.survivors || !isDigest(holder) || newest(first)?.digest === holder.digest;
  return (holder.host in change.leaving || wasFirst) && !(has(first) && isEqual) ? [to(first)] : [];
}

/** Who holds it among the masters that stay; empty when nobody does. */
export function keeperOf(world: World, change: Change, name: AuthorityName): string {
  const { holder } = custodyOf(world, { ...change, leaving: {} }, name);
  return holder?.host ?? "";
}

/** Who of those that stay holds it once the change is done; undefined when that cannot be told. */
export function keeperAfter(world: World, change: Change, name: AuthorityName): string | undefined {
  if (names(change.survivors).some((host) => !isReachable(world.masters[host]))) return undefined;
  const { order, handOvers } = custodyOf(world, change, name);
  if (handOvers.length > 0) return order.find((host) => host in change.survivors);
  return keeperOf(world, change, name) || undefined;
}

/** `master-0:/etc/etcd/ca/serial (ca.crt 0123456789ab)`; of an archive its path on this machine. */
export const whereOf = ({ host, path, archive, certificate }: Holding): string =>
  `${archive === undefined ? host : `${archive.archive} (of ${host})`}: ${path.replace(/\/serial$/, "")}, ${certificate[0] === undefined ? "no ca.crt" : `ca.crt ${certificate[0].slice(0, 12)}`}`;

/** Different authorities under one name; one sentence, with what was found where. */
export function doubled({ name, held }: Custody): string[] {
  const whole = held.filter(isWhole);
  const others = whole.filter((one) => !isSame(one.certificate, whole[0]?.certificate ?? []));
  return others.length === 0
    ? []
    : [`${authorities[name].what} is not one but several: ${whole.map(whereOf).join("; ")}`];
}

/** What nothing mends by itself: a recorded holder that lost it, authorities that are doubled. */
export function amiss(world: World, change: Change, recorded: unknown): string[] {
  const before = (recorded ?? {}) as Readonly<Partial<Record<AuthorityName, string>>>;
  return (["openshift", "etcd"] as const).flatMap((name) => {
    const custody = custodyOf(world, { ...change, leaving: {} }, name);
    const host = before[name] ?? "";
    const isAsked = host in change.survivors && isReachable(world.masters[host]);
    const isLost = isAsked && !custody.held.some((one) => one.host === host && isWhole(one));
    const now = custody.holder === undefined ? "no declared master has it" : `it is on ${custody.holder.host} now`;
    return [
      ...(isLost ? [`${host} held ${authorities[name].what} and has it no more: ${now}`] : []),
      ...doubled(custody),
    ];
  });
}
