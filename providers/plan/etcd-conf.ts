/**
 * `/etc/etcd/etcd.conf`, which a shell sources: reads values, and takes a removed member out of ETCD_INITIAL_CLUSTER
 * (`name=peerURL,…`). Only the line that takes effect changes; etcd needs no restart for it.
 */
import { Refusal } from "./refusal.ts";
import { canonicalAddress } from "./same-host.ts";
import { dropItems, effectiveAssignment, itemsOf } from "./shell-assignments.ts";

const KEY = "ETCD_INITIAL_CLUSTER";

/** One entry of ETCD_INITIAL_CLUSTER. A member with several peer URLs has several entries of one name. */
export interface ClusterEntry {
  readonly name: string;
  readonly url: string;
}

/** A member as the cluster itself lists it. */
export interface LeavingMember {
  readonly name: string;
  readonly peerURLs: readonly string[];
}

/** Host (IPv6 without brackets, one spelling) and port of a URL; undefined when the text is none. */
export function authorityOf(url: string): { host: string; port: string } | undefined {
  const match = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:\[([0-9a-f:.]+)\]|([^\s:/?#@[\]]+))(?::(\d+))?(?:[/?#]\S*)?$/i.exec(
    url,
  );
  const host = match?.[1] ?? match?.[2];
  return host === undefined ? undefined : { host: canonicalAddress(host), port: match?.[3] ?? "" };
}

/**
 * The unquoted value that a shell would have after sourcing the file, or undefined when the key is not set.
 * @throws Refusal naming line and key when that takes a shell to know.
 */
export function effectiveValue(conf: string, key: string): string | undefined {
  return effectiveAssignment(conf, key)?.value;
}

/**
 * The entries of ETCD_INITIAL_CLUSTER, in the order of the file; none when it is not set.
 * @throws Refusal naming the line when an entry is not `name=url`.
 */
export function initialCluster(conf: string): ClusterEntry[] {
  const assignment = effectiveAssignment(conf, KEY);
  return itemsOf(assignment?.value ?? "").map((item) => entryOf(item, assignment?.line ?? 0));
}

/**
 * Takes a member's entries out of ETCD_INITIAL_CLUSTER. An entry is the member's when host and port of its URL are those of
 * one of `peerURLs` exactly; without any `peerURLs`, when its name is. Nothing of the member there: the text as it was.
 * @throws Refusal when the name stands at a URL that is not the member's (two candidates), when no entry would be left,
 * or when the line cannot be edited safely.
 */
export function dropMember(conf: string, member: LeavingMember): { text: string; dropped: ClusterEntry[] } {
  const assignment = effectiveAssignment(conf, KEY);
  if (assignment === undefined) return { text: conf, dropped: [] };
  const { line } = assignment;
  const isMembers = matcher(member, initialCluster(conf), line);
  const { text, dropped, left } = dropItems(conf, assignment, (item) => isMembers(entryOf(item, line)));
  if (dropped.length > 0 && left.length === 0) {
    throw new Refusal(`line ${line}: refusing to leave ${KEY} empty: ${member.name} is the only member it names`);
  }
  return { text, dropped: dropped.map((item) => entryOf(item, line)) };
}

function matcher(
  member: LeavingMember,
  entries: readonly ClusterEntry[],
  line: number,
): (entry: ClusterEntry) => boolean {
  if (member.peerURLs.length === 0) return (entry) => entry.name === member.name;
  const peers = new Set(member.peerURLs.map((url) => hostPort(url, `peer URL of ${member.name}`)));
  const isMembers = ({ url }: ClusterEntry): boolean => peers.has(hostPort(url, `line ${line}: ${KEY}`));
  const namesake = entries.find((entry) => entry.name === member.name && !isMembers(entry));
  if (namesake === undefined) return isMembers;
  throw new Refusal(
    `line ${line}: ${KEY} names ${member.name} at ${namesake.url}, but the cluster lists that member at ` +
      `${member.peerURLs.join(", ")}: which entry is meant is not certain; correct the line by hand`,
  );
}

function hostPort(url: string, where: string): string {
  const authority = authorityOf(url);
  if (authority === undefined) throw new Refusal(`${where}: "${url}" is not a URL; correct it by hand`);
  return `${authority.host} ${authority.port}`;
}

/** etcd splits an entry at its first `=`. */
function entryOf(item: string, line: number): ClusterEntry {
  const [, name, url] = /^([^=\s]+)=(\S+)$/.exec(item) ?? [];
  if (name !== undefined && url !== undefined) return { name, url };
  throw new Refusal(`line ${line}: ${KEY} holds "${item}", which is not name=url; correct the line by hand`);
}
