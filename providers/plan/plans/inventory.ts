/** AnsibleInventory. */
import { type AuthorityName, authorities, keeperAfter } from "../authority.ts";
import { isReachable } from "../facts.ts";
import { editInventory, type First } from "../inventory-edit.ts";
import { inventoryForm } from "../inventory-groups.ts";
import { Unasked } from "../refusal.ts";
import { type Change, identityOf, type World } from "../steps.ts";
import { type Planner, edited, nobodyLeaves } from "./asked.ts";

export { inventoryForm } from "../inventory-groups.ts";

/** The retired hosts leave every group of the inventory; the holders of the authorities are first in theirs. */
export const planInventory: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  if (!isReachable(world.inventory))
    throw new Unasked(`the inventory could not be read: ${world.inventory.unreachable}`);
  const { path, host } = change.settings.inventory;
  const where = host ?? "this machine";
  const leaving = Object.keys(change.leaving).map((name) => identityOf(name, change.leaving));
  let doing: string[] = [];
  const edit = edited(where, world.inventory, (text) => {
    const { text: after, dropped, moved } = editInventory(text, inventoryForm(path), leaving, firsts(world, change));
    doing = [
      ...(dropped ? [`take ${Object.keys(change.leaving).join(", ")} out of every group`] : []),
      ...moved.map(({ group, host: { name } }) => `put ${name} first in [${group}], since it holds the CA`),
    ];
    return after;
  });
  if (edit === undefined) return [];
  return [
    { do: "edit-inventory", host: where, edit, local: host === undefined, title: `${path}: ${doing.join(", ")}` },
  ];
};

/** openshift-ansible takes the first of these groups for the holder. */
const firsts = (world: World, change: Change): First[] =>
  (["openshift", "etcd"] as const satisfies readonly AuthorityName[]).flatMap((name) => {
    const keeper = keeperAfter(world, change, name);
    return keeper === undefined ? [] : [{ group: authorities[name].group, host: identityOf(keeper, change.survivors) }];
  });
