/** AnsibleInventory. */
import { type AuthorityName, authorities, keeperAfter } from "../authority.ts";
import { isReachable } from "../facts.ts";
import { editInventories, type First } from "../inventory-edit.ts";
import { type InventoryFileFacts, filesOf, placeOf, surplusOf } from "../inventory-facts.ts";
import { Refusal, Unasked } from "../refusal.ts";
import { type Change, type Step, identityOf, type World } from "../steps.ts";
import { type Planner, nobodyLeaves } from "./asked.ts";

export { inventoryForm } from "../inventory-groups.ts";

/** The retired hosts leave every group of the inventory; the holders of the authorities are first in theirs. */
export const planInventory: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  if (!isReachable(world.inventory))
    throw new Unasked(`the inventory could not be read: ${world.inventory.unreachable}`);
  const files = filesOf(world.inventory);
  const where = change.settings.inventory.host ?? "this machine";
  const leaving = Object.keys(change.leaving).map((name) => identityOf(name, change.leaving));
  try {
    return editInventories(files, leaving, firsts(world, change)).flatMap(({ path, text, dropped, moved }) => {
      const doing = [
        ...(dropped ? [`take ${Object.keys(change.leaving).join(", ")} out of every group`] : []),
        ...moved.map(({ group, host: { name } }) => `put ${name} first in [${group}], since it holds the CA`),
      ];
      const file = files.find((one) => one.path === path);
      return file === undefined ? [] : [editStep(where, file, text, doing.join(", "), change)];
    });
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${where}: ${placeOf(world.inventory)}: ${error.message}`);
    throw error;
  }
};

function editStep(where: string, file: InventoryFileFacts, after: string, doing: string, change: Change): Step {
  const { keep } = change.settings.backup;
  const surplus = surplusOf(file, keep);
  return {
    do: "edit-inventory",
    host: where,
    edit: { before: { path: file.path, text: file.text, sha256: file.sha256 }, after },
    local: change.settings.inventory.host === undefined,
    real: file.real ?? file.path,
    surplus,
    title: `${file.path}: ${doing}`,
    notes: [
      `the file as it was is kept beside it; ${keep} such copies are, the newest${surplus.length === 0 ? "" : `, so once the new file is proved these go: ${surplus.join(", ")}`}`,
    ],
  };
}

/** openshift-ansible takes the first of these groups for the holder. */
const firsts = (world: World, change: Change): First[] =>
  (["openshift", "etcd"] as const satisfies readonly AuthorityName[]).flatMap((name) => {
    const keeper = keeperAfter(world, change, name);
    return keeper === undefined ? [] : [{ group: authorities[name].group, host: identityOf(keeper, change.survivors) }];
  });
