/** AnsibleInventory. */
import { type AuthorityName, authorities, keeperAfter } from "../authority.ts";
import { isReachable } from "../facts.ts";
import { editInventories, type FileEdit, type First } from "../inventory-edit.ts";
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
import { type Own, commitSteps, dirtyOf, ownRemovals } from "./inventory-commit.ts";

export { inventoryForm } from "../inventory-groups.ts";

/** The retired hosts leave every group of the inventory; the holders of the authorities are first in theirs. */
export const planInventory: Planner = (world, change) => {
  if (nobodyLeaves({ ...change, leaving: { ...change.retired, ...change.leaving } })) return [];
  const { inventory } = world;
  if (!isReachable(inventory)) {
    if (nobodyLeaves(change)) return [];
    throw new Unasked(`the inventory could not be read: ${inventory.unreachable}`);
  }
  try {
    // the variables first: by an alias they are found only while the inventory has it
    const edits = nobodyLeaves(change) ? [] : editSteps(inventory, world, change);
    const moves = nobodyLeaves(change) ? [] : moveSteps(inventory, change);
    const own = ownRemovals(inventory, change, firsts(world, change));
    const flaw = flawOf(inventory, { edits, own }, world, change);
    if (flaw !== undefined) throw new Refusal(flaw);
    const so = { edits, own, hosts: Object.keys(change.leaving) };
    return [...moves, ...edits, ...commitSteps(inventory, so, { what: "retired", doing: takingOut }, change)];
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${whereOf(change)}: ${placeOf(inventory)}: ${error.message}`);
    throw error;
  }
};

function flawOf(
  inventory: InventoryFacts,
  { edits, own }: { edits: readonly Step[]; own: Own },
  { ansible }: World,
  change: Change,
): string | undefined {
  if (edits.length === 0) return undefined;
  return ansible !== undefined && ansible.back === undefined && "difference" in ansible
    ? `ansible-inventory does not agree with the edit: ${ansible.difference}; take the host out by hand`
    : dirtyOf(inventory, edits, own, change);
}

const takingOut = (hosts: readonly string[]): string => `take ${hosts.join(", ")} out of every group`;

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
  return editsOf(files, world, change).flatMap((edit) => {
    const file = files.find((one) => one.path === edit.path);
    return file === undefined ? [] : [editStep(file, edit.text, doingOf(edit, change), change)];
  });
}

const editsOf = (files: readonly InventoryFileFacts[], world: World, change: Change): FileEdit[] =>
  editInventories(
    files,
    Object.keys(change.leaving).map((name) => identityOf(name, change.leaving)),
    firsts(world, change),
  );

const doingOf = ({ dropped, moved }: FileEdit, change: Change): string =>
  [
    ...(dropped ? [takingOut(Object.keys(change.leaving))] : []),
    ...moved.map(({ group, host: { name } }) => `put ${name} first in [${group}], since it holds the CA`),
  ].join(", ");

function inGit({ git }: InventoryFileFacts, change: Change): string[] {
  if (git === undefined) return [];
  const where = `the file is in the git work tree ${git.top}`;
  if (git.state === "untracked") return [`${where} and not tracked: it is not committed`];
  if (change.settings.inventory.commit) return [];
  return git.state === "changed"
    ? [`${where}, with changes that are not committed: nothing is committed`]
    : [`${where}: commit the change, or have it committed by inventory.commit`];
}

export function editStep(file: InventoryFileFacts, after: string, doing: string, change: Change): Step {
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
      ...inGit(file, change),
    ],
  };
}

/** openshift-ansible takes the first of these groups for the holder. */
const firsts = (world: World, change: Change): First[] =>
  (["openshift", "etcd"] as const satisfies readonly AuthorityName[]).flatMap((name) => {
    const keeper = keeperAfter(world, change, name);
    return keeper === undefined ? [] : [{ group: authorities[name].group, host: identityOf(keeper, change.survivors) }];
  });
