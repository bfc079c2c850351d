/** Pure: the edit of an inventory and its proof. */
import type { HostIdentity } from "./host.ts";
import { type InventoryFile, readInventory } from "./inventory-file.ts";
import { moveTo } from "./inventory-first.ts";
import { type InventoryForm, namesOfHost } from "./inventory-groups.ts";
import { proved } from "./inventory-proof.ts";
import { Refusal } from "./refusal.ts";

/** A host that is to be the first of a group. */
export interface First {
  readonly group: string;
  readonly host: HostIdentity;
}

export interface InventoryEdit {
  readonly text: string;
  /** A leaving host was in it. */
  readonly dropped: boolean;
  /** Those that were not first and are now. */
  readonly moved: readonly First[];
}

/**
 * The inventory without these hosts, in every group and under every name, and with the holders of authorities first.
 * @throws Refusal naming the line that cannot be understood or edited, or what the edit would change besides
 */
export function editInventory(
  text: string,
  form: InventoryForm,
  leaving: readonly HostIdentity[],
  firsts: readonly First[] = [],
): InventoryEdit {
  const before = readInventory(text, form);
  const namesOf = (host: HostIdentity): string[] => [...namesOfHost(before.inventory, before.resolved, host)];
  const names = new Set(leaving.flatMap(namesOf));
  let after = changed(before, before.drop(names).text, form);
  const moved: First[] = [];
  for (const first of firsts) {
    const move = moveTo(after.inventory, after.resolved, first.group, first.host);
    if (move === undefined) continue;
    moved.push(first);
    after = changed(after, after.toFront(move), form);
  }
  if (after.text === text) return { text, dropped: false, moved: [] };
  proved(before.resolved, after.resolved, {
    leaving: names,
    moved: new Set(moved.flatMap(({ host }) => namesOf(host))),
  });
  for (const { group, host } of moved) {
    const now = after.resolved.groups.get(group)?.hosts[0] ?? "nobody";
    if (!namesOf(host).includes(now))
      throw new Refusal(
        `${host.name} is to be the first of [${group}] in the inventory, and ${now} would be, since groups share their lines; write them apart by hand`,
      );
  }
  return { text: after.text, dropped: names.size > 0, moved };
}

const changed = (file: InventoryFile, text: string, form: InventoryForm): InventoryFile =>
  text === file.text ? file : readInventory(text, form);
