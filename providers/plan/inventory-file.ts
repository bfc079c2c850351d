/** Pure: an inventory file in either form, read once, and what may be made of it. */
import { type Move, toFrontOfIni } from "./inventory-first.ts";
import type { Inventory, InventoryForm } from "./inventory-groups.ts";
import { dropFromIni, inventoryOfIni } from "./inventory-ini-edit.ts";
import { readIni } from "./inventory-ini.ts";
import { type Resolved, resolve } from "./inventory-resolve.ts";
import { toFrontOfYaml } from "./inventory-yaml-first.ts";
import { readYamlPairs } from "./inventory-yaml-read.ts";
import { dropFromYaml } from "./inventory-yaml.ts";

/** A line that names a host in a group: `{ group: "masters", line: 12 }` (1-based). */
export interface GroupPlace {
  readonly group: string;
  readonly line: number;
}

export interface InventoryFile {
  readonly text: string;
  readonly inventory: Inventory;
  /** Of this file alone; of several files `resolve` tells. @throws Refusal naming an undeclared group's line or a cycle's */
  readonly resolved: Resolved;
  /** Without these names in any group. */
  drop(names: ReadonlySet<string>): { text: string; dropped: GroupPlace[] };
  toFront(move: Move): string;
}

/** @throws Refusal naming the line that cannot be understood */
export function readInventory(text: string, form: InventoryForm): InventoryFile {
  if (form === "ini") {
    const lines = readIni(text);
    return asFile(
      text,
      inventoryOfIni(lines),
      (names) => dropFromIni(lines, names),
      (move) => toFrontOfIni(lines, move),
    );
  }
  const file = readYamlPairs(text);
  return asFile(
    text,
    file.inventory,
    (names) => dropFromYaml(file, names),
    (move) => toFrontOfYaml(file, move),
  );
}

function asFile(
  text: string,
  inventory: Inventory,
  drop: InventoryFile["drop"],
  toFront: InventoryFile["toFront"],
): InventoryFile {
  let resolved: Resolved | undefined;
  return {
    text,
    inventory,
    drop,
    toFront,
    get resolved() {
      return (resolved ??= resolve([inventory]));
    },
  };
}
