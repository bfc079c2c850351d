/** AnsibleInventory. */
import { isReachable } from "../facts.ts";
import { type InventoryForm, dropHost as dropFromInventory } from "../inventory.ts";
import { Unasked } from "../refusal.ts";
import { identityOf } from "../steps.ts";
import { type Planner, edited, nobodyLeaves, forEachLeaving } from "./asked.ts";

export const inventoryForm = (path: string): InventoryForm => (/\.ya?ml$/.test(path) ? "yaml" : "ini");

/** The retired hosts leave every group of the inventory. */
export const planInventory: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  if (!isReachable(world.inventory))
    throw new Unasked(`the inventory could not be read: ${world.inventory.unreachable}`);
  const { path, host } = change.settings.inventory;
  const where = host ?? "this machine";
  const edit = edited(
    where,
    world.inventory,
    forEachLeaving(
      change,
      (text, name) => dropFromInventory(text, identityOf(name, change.leaving), inventoryForm(path)).text,
    ),
  );
  return edit === undefined
    ? []
    : [
        {
          do: "edit-inventory",
          host: where,
          edit,
          local: host === undefined,
          title: `${path}: take ${Object.keys(change.leaving).join(", ")} out of every group`,
        },
      ];
};
