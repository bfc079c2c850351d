/** Every place of the cluster that names a host which is not declared: what is named there, by name, by address, or by both. */
import { authorityOf, initialCluster } from "../etcd-conf.ts";
import { type BalancerFacts, type Hosts, type MasterFacts, isReachable } from "../facts.ts";
import { serversIn } from "../haproxy.ts";
import { addressPart } from "../haproxy-servers.ts";
import { filesOf } from "../inventory-facts.ts";
import { stringOf } from "../inventory-groups.ts";
import { type Inventories, readInventories } from "../inventory-files.ts";
import { variableOf } from "../inventory-resolve.ts";
import { clientUrls } from "../master-config.ts";
import { viewOfSurvivors } from "../members.ts";
import { apiLines, identityThere } from "../plans/balancer.ts";
import { Refusal } from "../refusal.ts";
import { canonicalAddress, isIpLiteral } from "../same-host.ts";
import { type Change, type World, entries } from "../steps.ts";

/**
 * `member`: of etcd. `node`: a Node that is labelled as a master. `server`: a line beside those of declared masters' APIs. `endpoint`: of the kubernetes service.
 * `masters`, `etcd`: groups of the inventory; `new`: its groups of hosts that are being added. `client-url`, `initial-cluster`: text in the files of the masters that stay.
 */
export type Place =
  "member" | "node" | "server" | "endpoint" | "masters" | "etcd" | "new" | "client-url" | "initial-cluster";

export interface Sighting {
  readonly place: Place;
  /** Which load balancer, master or group. */
  readonly at: string;
  /** As it is called there, in lower case; undefined where only an address is. */
  readonly name: string | undefined;
  /** An IP address, in one spelling; undefined where only a name is. */
  readonly address: string | undefined;
  /** What more is told of it. */
  readonly detail: string;
}

/** What a place says, before it is told whether that is a name or an address. */
const seen = (place: Place, at: string, words: { name?: string; host?: string; detail?: string }): Sighting => {
  const { name = "", host = "", detail = "" } = words;
  const isIp = isIpLiteral(host);
  const called = name !== "" ? name : isIp ? "" : host;
  return {
    place,
    at,
    name: called === "" ? undefined : canonicalAddress(called),
    address: isIp ? canonicalAddress(host) : undefined,
    detail,
  };
};

/** Every sighting of a host that is none of `known`, by whichever of name and address there is. */
export function sightings(world: World, change: Change, known: Hosts): Sighting[] {
  const own = new Set(Object.entries(known).flatMap(([name, address]) => [name, address].map(canonicalAddress)));
  const isOwn = ({ name, address }: Sighting) => [name, address].some((one) => one !== undefined && own.has(one));
  return [
    ...ofEtcd(world, change),
    ...ofCluster(world),
    ...entries(world.balancers).flatMap(([name, facts]) =>
      isReachable<BalancerFacts>(facts) ? orNone(() => ofBalancer(name, facts, change)) : [],
    ),
    ...orNone(() => ofInventory(world)),
    ...Object.keys(change.survivors).flatMap((host) => {
      const facts = world.masters[host];
      return isReachable(facts) ? ofFiles(host, facts) : [];
    }),
  ].filter((one) => (one.name !== undefined || one.address !== undefined) && !isOwn(one));
}

/** What is not understood is refused elsewhere. */
function orNone(ask: () => Sighting[]): Sighting[] {
  try {
    return ask();
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

function ofEtcd(world: World, change: Change): Sighting[] {
  return (viewOfSurvivors(world, change)?.etcd.members ?? []).map(({ id, name, peerURLs }) => {
    const hosts = peerURLs.map((url) => authorityOf(url)?.host ?? "");
    return seen("member", "etcd", { name, host: hosts.find(isIpLiteral) ?? hosts[0] ?? "", detail: id });
  });
}

function ofCluster({ cluster }: World): Sighting[] {
  if (!isReachable(cluster)) return [];
  return [
    ...cluster.nodes
      .filter(({ master }) => master === true)
      .map(({ name, address = "" }) => seen("node", "the cluster", { name, host: address })),
    ...cluster.endpoints.addresses.map((host) => seen("endpoint", "the kubernetes service", { host })),
  ];
}

/** Servers of the API in the very sections in which the declared masters' are. */
function ofBalancer(name: string, facts: BalancerFacts, change: Change): Sighting[] {
  const api = Object.keys(change.survivors).flatMap((host) =>
    apiLines(facts.files, identityThere(facts, host, change.survivors)),
  );
  const ports = new Map(api.map(({ section, port }) => [section, port]));
  return serversIn(facts.files)
    .filter(({ section, port }) => ports.has(section) && ports.get(section) === port)
    .map(({ address, disabled, server, line }) => {
      const written = addressPart(address);
      const found = facts.aliases[written.toLowerCase()] ?? [];
      const host = found.length === 1 ? (found[0] ?? "") : written;
      const detail = `${server}, line ${line}${disabled ? ", disabled" : ""}`;
      return seen("server", name, isIpLiteral(written) ? { host, detail } : { name: written, host, detail });
    });
}

const groups = { masters: "masters", etcd: "etcd", new_masters: "new", new_etcd: "new" } as const;

function ofInventory({ inventory }: World): Sighting[] {
  if (!isReachable(inventory)) return [];
  const all = readInventories(filesOf(inventory));
  return Object.entries(groups).flatMap(([group, place]) =>
    (all.resolved.groups.get(group)?.hosts ?? []).map((name) => {
      const host = addressIn(all, name);
      return isIpLiteral(name) ? seen(place, group, { host: name }) : seen(place, group, { name, host });
    }),
  );
}

/** `openshift_ip` is the cluster's own; `ansible_host` may be a name, which tells nothing here. */
function addressIn({ resolved }: Inventories, name: string): string {
  const host = resolved.hosts.get(name);
  const said = ["openshift_ip", "ansible_host", "ansible_ssh_host"].map((key) =>
    stringOf((host && variableOf(host, key))?.text ?? ""),
  );
  return said.find(isIpLiteral) ?? "";
}

function ofFiles(host: string, { files }: MasterFacts): Sighting[] {
  const { masterConfig, etcdConf } = files;
  return [
    ...orNone(() =>
      (masterConfig === undefined ? [] : clientUrls(masterConfig.text)).map((url) =>
        seen("client-url", host, { host: authorityOf(url)?.host ?? "" }),
      ),
    ),
    ...orNone(() =>
      (etcdConf === undefined ? [] : initialCluster(etcdConf.text)).map(({ name, url }) =>
        seen("initial-cluster", host, { name, host: authorityOf(url)?.host ?? "" }),
      ),
    ),
  ];
}
