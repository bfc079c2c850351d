/** AnsibleInventory. */
import { type AuthorityName, authorities, keeperAfter } from "../authority.ts";
import { isReachable } from "../facts.ts";
import { editInventories, type First } from "../inventory-edit.ts";
import {
  type InventoryFacts,
  type InventoryFileFacts,
  filesOf,
  hostVarsOf,
  placeOf,
  surplusOf,
} from "../inventory-facts.ts";
import { namesIn, readInventories } from "../inventory-files.ts";
import { Refusal, Unasked } from "../refusal.ts";
import { type Change, type Step, identityOf, type World } from "../steps.ts";
import { type Planner, nobodyLeaves } from "./asked.ts";

export { inventoryForm } from "../inventory-groups.ts";

/** The retired hosts leave every group of the inventory; the holders of the authorities are first in theirs. */
export const planInventory: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const { inventory } = world;
  if (!isReachable(inventory)) throw new Unasked(`the inventory could not be read: ${inventory.unreachable}`);
  try {
    // the variables first: by an alias they are found only while the inventory has it
    const steps = [...moveSteps(inventory, change), ...editSteps(inventory, world, change)];
    if (world.ansible === undefined || !("difference" in world.ansible) || steps.every((one) => !("edit" in one)))
      return steps;
    throw new Refusal(
      `ansible-inventory does not agree with the edit: ${world.ansible.difference}; take the host out by hand`,
    );
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${whereOf(change)}: ${placeOf(inventory)}: ${error.message}`);
    throw error;
  }
};

const whereOf = ({ settings }: Change): string => settings.inventory.host ?? "this machine";
const isLocal = ({ settings }: Change): boolean => settings.inventory.host === undefined;

/** Every name that the inventory has for the hosts that leave. */
export function namesOfLeaving(inventory: InventoryFacts, change: Change): Set<string> {
  const all = readInventories(filesOf(inventory));
  const identities = Object.keys(change.leaving).map((name) => identityOf(name, change.leaving));
  return new Set(identities.flatMap((host) => [host.name, ...host.addresses, ...namesIn(all, host)]));
}

/** Files and folders of `host_vars` of the hosts that leave, under every name that the inventory has for them. */
export function varsOfLeaving(inventory: InventoryFacts, change: Change): string[] {
  if ((inventory.hostVars ?? []).length === 0) return [];
  return hostVarsOf(inventory, namesOfLeaving(inventory, change));
}

function moveSteps(inventory: InventoryFacts, change: Change): Step[] {
  const paths = change.settings.inventory.moveHostVars ? varsOfLeaving(inventory, change) : [];
  if (paths.length === 0) return [];
  const title = `${paths.join(", ")}: move aside, into the folder retired-<run> there, which Ansible takes for no host's`;
  return [{ do: "move-host-vars", host: whereOf(change), local: isLocal(change), paths, title }];
}

function editSteps(inventory: InventoryFacts, world: World, change: Change): Step[] {
  const files = filesOf(inventory);
  const leaving = Object.keys(change.leaving).map((name) => identityOf(name, change.leaving));
  return editInventories(files, leaving, firsts(world, change)).flatMap(({ path, text, dropped, moved }) => {
    const doing = [
      ...(dropped ? [`take ${Object.keys(change.leaving).join(", ")} out of every group`] : []),
      ...moved.map(({ group, host: { name } }) => `put ${name} first in [${group}], since it holds the CA`),
    ];
    const file = files.find((one) => one.path === path);
    return file === undefined ? [] : [editStep(file, text, doing.join(", "), change)];
  });
}

function editStep(file: InventoryFileFacts, after: string, doing: string, change: Change): Step {
  const { keep } = change.settings.backup;
  const surplus = surplusOf(file, keep);
  return {
    do: "edit-inventory",
    host: whereOf(change),
    edit: { before: { path: file.path, text: file.text, sha256: file.sha256 }, after },
    local: isLocal(change),
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
