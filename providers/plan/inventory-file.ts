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

/** A file that may be one of several, whose groups may be those of the others. */
export interface InventoryPart {
  readonly text: string;
  readonly inventory: Inventory;
  /** Without these names in any group. */
  drop(names: ReadonlySet<string>): { text: string; dropped: GroupPlace[] };
  toFront(move: Move): string;
}

export interface InventoryFile extends InventoryPart {
  /** Of this file alone. */
  readonly resolved: Resolved;
}

/** @throws Refusal naming the line that cannot be understood, an undeclared group's or a cycle's */
export function readInventory(text: string, form: InventoryForm): InventoryFile {
  const part = readPart(text, form);
  return { ...part, resolved: resolve([part.inventory]) };
}

/** @throws Refusal naming the line that cannot be understood */
export function readPart(text: string, form: InventoryForm): InventoryPart {
  if (form === "ini") {
    const lines = readIni(text);
    return {
      text,
      inventory: inventoryOfIni(lines),
      drop: (names) => dropFromIni(lines, names),
      toFront: (move) => toFrontOfIni(lines, move),
    };
  }
  const file = readYamlPairs(text);
  return {
    text,
    inventory: file.inventory,
    drop: (names) => dropFromYaml(file, names),
    toFront: (move) => toFrontOfYaml(file, move),
  };
}
