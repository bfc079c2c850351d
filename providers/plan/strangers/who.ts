/** The hosts behind the sightings: those that share a name or an address are one. */
import { escapeControls, shortened } from "../quote.ts";
import type { Sighting } from "./sightings.ts";

/** A host that the cluster names and nobody declares. */
export interface Stranger {
  /** What it would be declared as: its Node's name, else that of the inventory, of etcd, of the files; empty when it has none. */
  readonly name: string;
  /** Every address that it is seen with, each with one place of it. */
  readonly addresses: readonly string[];
  readonly sightings: readonly Sighting[];
}

const order = ["node", "masters", "new", "server", "member", "etcd", "initial-cluster", "client-url"] as const;

/** In the order in which they are seen first. */
export function strangersIn(sightings: readonly Sighting[]): Stranger[] {
  let sets: Sighting[][] = [];
  for (const one of sightings) {
    const its = sets.filter((set) => set.some((other) => isSame(one, other)));
    const [first] = its;
    if (first === undefined) sets.push([one]);
    else {
      first.push(one, ...its.slice(1).flat());
      sets = sets.filter((set) => set === first || !its.includes(set));
    }
  }
  return sets.map((set) => ({
    name: order.flatMap((place) => namesAt(set, place))[0] ?? "",
    addresses: [...new Set(set.flatMap(({ address }) => address ?? []))],
    sightings: set,
  }));
}

const isSame = (one: Sighting, other: Sighting): boolean =>
  (one.name !== undefined && one.name === other.name) || (one.address !== undefined && one.address === other.address);

const namesAt = (set: readonly Sighting[], place: Sighting["place"]): string[] =>
  set.flatMap((one) => (one.place === place ? (one.name ?? []) : []));

/** Why it cannot be told which host it is; empty: it can. */
export function contradictions({ sightings, addresses }: Stranger): string[] {
  const several = (["node", "masters"] as const).flatMap((place) => {
    const names = [...new Set(namesAt(sightings, place))];
    return names.length > 1
      ? [`one address has several names (${names.map((one) => told(sightings, one)).join("; ")})`]
      : [];
  });
  return [
    ...several,
    ...(addresses.length > 1
      ? [`one name has several addresses (${addresses.map((one) => told(sightings, one)).join("; ")})`]
      : []),
  ];
}

/** `192.168.55.21 in etcd and the cluster`. */
const told = (sightings: readonly Sighting[], word: string): string =>
  `${word} in ${placesOf(sightings.filter(({ name, address }) => name === word || address === word))}`;

const titles: Readonly<Record<Sighting["place"], string>> = {
  member: "etcd",
  node: "the Nodes",
  server: "the pool of",
  endpoint: "the kubernetes service",
  masters: "the inventory's",
  etcd: "the inventory's",
  new: "the inventory's",
  "client-url": "etcdClientInfo.urls of",
  "initial-cluster": "ETCD_INITIAL_CLUSTER of",
};

const ownPlace = ({ place, at, detail }: Sighting): string => {
  if (place === "member") return `(member ${detail})`;
  if (place === "masters" || place === "etcd" || place === "new") return `[${at}]`;
  if (place === "server") return `${at} (${detail})`;
  return place === "node" || place === "endpoint" ? "" : at;
};

/** Where sightings were made, for people: `etcd (member 1f), the pool of lb-0 (master3, line 26), lb-1 (…), the inventory's [masters], [etcd]`. */
export function placesOf(sightings: readonly Sighting[]): string {
  const all = [...new Set(sightings.map(({ place }) => titles[place]))].map((title) => {
    const own = [...new Set(sightings.filter(({ place }) => titles[place] === title).map(ownPlace))];
    return `${title} ${shortened(own, 6)}`.trim();
  });
  return escapeControls(all.join(", "));
}
