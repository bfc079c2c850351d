/** Pure: several files that are one inventory, read together and in Ansible's order. */
import type { HostIdentity } from "./host.ts";
import { type InventoryFile, readInventory } from "./inventory-file.ts";
import { type Declaration, inventoryForm, namesOfHost } from "./inventory-groups.ts";
import { type Resolved, resolve } from "./inventory-resolve.ts";
import { Refusal } from "./refusal.ts";

/** A file by its path, whose ending says how it is read, and its text. */
export interface NamedText {
  readonly path: string;
  readonly text: string;
}

/** One of the files; what it means, it may mean only together with the others. */
export type InventoryPart = Omit<InventoryFile, "resolved"> & { readonly path: string };

export interface Inventories {
  readonly files: readonly InventoryPart[];
  /** What all of them declare; each declaration knows its file where there are several. */
  readonly inventory: { readonly hosts: readonly Declaration[] };
  readonly resolved: Resolved;
}

/** @throws Refusal naming the line, and the file where there are several */
export function readInventories(texts: readonly NamedText[]): Inventories {
  return joined(texts.map((text) => partOf(text, texts.length > 1)));
}

/** @throws Refusal as `readInventories` does */
export function partOf({ path, text }: NamedText, isOneOfSeveral: boolean): InventoryPart {
  try {
    const file = readInventory(text, inventoryForm(path));
    return {
      path,
      text,
      inventory: file.inventory,
      drop: (names) => file.drop(names),
      toFront: (move) => file.toFront(move),
    };
  } catch (error) {
    if (error instanceof Refusal && isOneOfSeveral) throw new Refusal(`${path}: ${error.message}`);
    throw error;
  }
}

export function joined(files: Inventories["files"]): Inventories {
  const [only] = files;
  const hosts =
    files.length === 1 && only
      ? only.inventory.hosts
      : files.flatMap(({ path, inventory }) => inventory.hosts.map((host) => ({ ...host, file: path })));
  return { files, inventory: { hosts }, resolved: resolve(files.map(({ inventory }) => inventory)) };
}

/** See `namesOfHost`. */
export const namesIn = ({ inventory, resolved }: Inventories, host: HostIdentity): Set<string> =>
  namesOfHost(inventory, resolved, host);

/**
 * The declared hosts in the order in which the inventory lists them in a group, those it does not list there left out. A host is
 * found by its name, its address, or an alias with one of them as `ansible_host`.
 * @throws Refusal naming the line that cannot be understood, or that does not tell which host it means
 */
export function orderOf(texts: readonly NamedText[], group: string, hosts: readonly HostIdentity[]): string[] {
  const all = readInventories(texts);
  const listed = all.resolved.groups.get(group)?.hosts ?? [];
  return hosts
    .map((host) => ({ host: host.name, names: namesIn(all, host) }))
    .map(({ host, names }) => ({ host, at: listed.findIndex((name) => names.has(name)) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at)
    .map(({ host }) => host);
}

/**
 * Every group with all its hosts, those of child groups included: sorted, each once. `all` is always there, `ungrouped`
 * where a host is in no other.
 * @throws Refusal as `readInventories` does
 */
export function groupsOf(texts: readonly NamedText[]): Record<string, string[]> {
  const { groups } = readInventories(texts).resolved;
  const shown = [...groups].filter(([name, { hosts }]) => name !== "ungrouped" || hosts.length > 0);
  return Object.fromEntries(shown.map(([name, { hosts }]) => [name, hosts.toSorted()]));
}
