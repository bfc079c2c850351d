/**
 * One round to all members of etcd from one place, so that what they say is of one moment: how far each is, and whether all hold the
 * same data. Only declared addresses are asked. How it is asked, and what the answers say.
 */
import type { Unknown } from "./budgets.ts";
import { type EndpointHash, parseHashes } from "./etcdctl-hashes.ts";
import { type EndpointStatus, parseEndpointStatus } from "./etcdctl.ts";
import type { Hosts } from "./facts.ts";
import { memberOf, viewOfSurvivors } from "./members.ts";
import { type Part, inParts, partsOf } from "./parts.ts";
import { clientUrl, etcdShell, memberCertificates } from "./probe.ts";
import { escapeControls, sh } from "./quote.ts";
import { Refusal } from "./refusal.ts";
import type { Change, World } from "./steps.ts";
import { largestLag } from "./topology.ts";

/** A member that is asked: its id in hex, and the client URL of the declared address. */
export interface Asked {
  readonly id: string;
  readonly url: string;
}

/** What a member said, or `seen`: why it said nothing. `none`: this etcd, or its etcdctl, has no hash. */
export interface Counted extends Asked {
  readonly status: EndpointStatus | undefined;
  readonly hash: EndpointHash | "none" | undefined;
  readonly seen: string;
}

export interface Census {
  /** The master it was asked on. */
  readonly through: string;
  /** The last of so many looks is told. */
  readonly looks: number;
  /** The one that hashes were asked of, decimal; empty: of none. */
  readonly revision: string;
  /** By declared name. */
  readonly members: Readonly<Record<string, Counted>>;
}

export const isCensus = (census: Census | Unknown | undefined): census is Census =>
  census !== undefined && "members" in census;

/** Whom to ask: every declared host whose member is listed and has started. */
export function askedMembers(world: World, change: Change): Record<string, Asked> {
  const listed = viewOfSurvivors(world, change)?.etcd.members ?? [];
  const hosts: Hosts = { ...change.leaving, ...change.survivors };
  return Object.fromEntries(
    Object.entries(hosts).flatMap(([name, address]) => {
      const member = only(() => memberOf(name, hosts, listed));
      return member?.started === true ? [[name, { id: member.id, url: clientUrl(address) }]] : [];
    }),
  );
}

/** Seconds for one answer: a hash reads all data. */
const patience = { status: 6, hash: 30 };

/**
 * Asks each by itself, all at the same time, so that a dead one spoils nothing.
 * @param address of the host it runs on
 * @param at the revision to hash; absent: their status
 */
export function censusScript(address: string, urls: readonly string[], at?: string): string {
  const what = at === undefined ? "status" : "hash";
  const seconds = patience[what];
  const words = at === undefined ? ["status"] : ["hashkv", "--rev", at];
  return inParts(`${etcdShell(address)}
etcd_timeout=${seconds + 9}
at() { url=$1; shift; in_etcd ETCDCTL_API=3 etcdctl ${memberCertificates} --endpoints "$url" --command-timeout ${seconds}s "$@"; }
# what is short enough is written whole, whoever else writes
say() { n=$1; shift; out=$("$@" 2>&1); c=$?; printf '\\n%s %s checked\\n%.2900s\\n::%s' "$mark" "$n" "$out" $c; }
${urls.map((url, n) => sh`say ${`${what}:${n}`} at ${url} endpoint ${words} -w json &`).join("\n")}
wait`);
}

/** The members with their status, as they answered `censusScript`. */
export function withStatus(asked: Readonly<Record<string, Asked>>, stdout: string): Record<string, Counted> {
  return answered(asked, stdout, "status", (member, text) => {
    const status = ofMember(member, parseEndpointStatus(jsonIn(text)));
    return { ...member, status, hash: undefined, seen: status === undefined ? reasonIn(text) : "" };
  });
}

/** The same members with their hashes. */
export function withHashes(members: Readonly<Record<string, Counted>>, stdout: string): Record<string, Counted> {
  return answered(members, stdout, "hash", (member, text) => {
    if (isUnknownCommand(text)) return { ...member, hash: "none", seen: "" };
    const hash = ofMember(member, parseHashes(jsonIn(text)));
    return { ...member, hash, seen: hash === undefined ? reasonIn(text) : "" };
  });
}

/** 3.2's etcdctl shows its help instead; 3.2's etcd does not know the call. */
const isUnknownCommand = (text: string): boolean =>
  /unknown (?:command|flag)|Endpoint related commands|code = Unimplemented|unknown (?:method|service)/i.test(text);

function answered<T extends Asked>(
  members: Readonly<Record<string, T>>,
  stdout: string,
  what: "status" | "hash",
  read: (member: T, text: string) => Counted,
): Record<string, Counted> {
  const parts = partsOf(stdout);
  return Object.fromEntries(
    Object.entries(members).map(([name, member], n) => [
      name,
      said(member, parts.get(`${what}:${n}`), (text) => read(member, text)),
    ]),
  );
}

function said(member: Asked & Partial<Counted>, part: Part | undefined, read: (text: string) => Counted): Counted {
  const { id, url, status } = member;
  const nothing = (seen: string): Counted => ({ id, url, status, hash: undefined, seen });
  if (part === undefined) return nothing("no answer");
  try {
    return read(Buffer.from(part.bytes).toString("utf8"));
  } catch (error) {
    if (error instanceof Refusal) return nothing(escapeControls(error.message));
    throw error;
  }
}

/** @throws Refusal when another member answered */
function ofMember<T extends { readonly memberId: string }>({ id }: Asked, list: readonly T[]): T | undefined {
  const [first] = list;
  if (first !== undefined && first.memberId !== id)
    throw new Refusal(`member ${first.memberId} answers there, and not ${id}`);
  return first;
}

/** etcdctl warns in the same stream. */
const jsonIn = (text: string): string => text.split("\n").find((line) => line.startsWith("[")) ?? "[]";

function reasonIn(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !/^(?:[[{]|null$)/.test(line));
  const told = lines.findLast((line) => line.startsWith("Error")) ?? lines.at(-1) ?? "no answer";
  return escapeControls(told.replace(/^Error:\s*/, "").trim()).slice(0, 200);
}

/** Decimal; empty when it is no number, or 0, which etcd leaves out of its answers. */
export const revisionOf = (status: EndpointStatus | undefined): string =>
  /^[1-9]\d{0,18}$/.test(status?.revision ?? "") ? (status?.revision ?? "") : "";

/** The newest revision that every member has which is not far behind; empty when none is known. */
export function commonRevision(members: Readonly<Record<string, Counted>>): string {
  const known = revisionsOf(Object.values(members));
  const [newest] = known.toSorted(descending);
  const common = known.filter((one) => newest !== undefined && newest - one <= largestLag).toSorted(descending);
  return String(common.at(-1) ?? "");
}

const revisionsOf = (members: readonly Counted[]): bigint[] =>
  members.flatMap(({ status }) => (revisionOf(status) === "" ? [] : [BigInt(revisionOf(status))]));
const descending = (one: bigint, other: bigint): number => (one > other ? -1 : one < other ? 1 : 0);

/** Names by what they hold: a group for each hash, of the first compaction at which there are several; empty when all are the same. */
export function differingData({ members }: Census): { readonly hash: string; readonly names: readonly string[] }[] {
  for (const compaction of compactionsOf(members)) {
    const some = hashesOf(members).filter(({ hash }) => hash.compactRevision === compaction);
    const hashes = [...new Set(some.map(({ hash }) => hash.hash))];
    if (hashes.length > 1)
      return hashes.map((one) => ({
        hash: one,
        names: some.filter(({ hash }) => hash.hash === one).map(({ name }) => name),
      }));
  }
  return [];
}

const hashesOf = (members: Census["members"]): { name: string; hash: EndpointHash }[] =>
  Object.entries(members).flatMap(([name, { hash }]) =>
    hash === undefined || hash === "none" ? [] : [{ name, hash }],
  );

/** The compactions that the hashes were made at; those of several cannot be compared. */
export const compactionsOf = (members: Census["members"]): string[] => [
  ...new Set(hashesOf(members).map(({ hash }) => hash.compactRevision)),
];

/** Another look could not change what is told: a cluster at work differs for a moment by that alone. */
export function isSettled(census: Census): boolean {
  const all = Object.values(census.members);
  const revisions = revisionsOf(all).toSorted(descending);
  const lag = (revisions[0] ?? 0n) - (revisions.at(-1) ?? 0n);
  return (
    lag <= largestLag &&
    compactionsOf(census.members).length <= 1 &&
    differingData(census).length === 0 &&
    !all.some(({ status, seen }) => status !== undefined && /revision/.test(seen))
  );
}

function only<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
