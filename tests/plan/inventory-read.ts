/** What a text of an inventory means, for the tests: its groups, and who is first in one. */
import { readInventory } from "../../providers/plan/inventory-file.ts";
import { groupsOf } from "../../providers/plan/inventory-files.ts";
import type { InventoryForm } from "../../providers/plan/inventory-groups.ts";

export const groupsIn = (text: string, form: InventoryForm): Record<string, string[]> =>
  groupsOf([{ path: form === "yaml" ? ".yml" : "", text }]);

/** In file order, a group's own hosts before its children's; undefined for none. */
export const firstOf = (text: string, form: InventoryForm, group: string): string | undefined =>
  readInventory(text, form).resolved.groups.get(group)?.hosts[0];
