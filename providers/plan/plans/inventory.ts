/** AnsibleInventory. */
import { type AuthorityName, authorities, keeperAfter } from "../authority.ts";
import { fileFrom, isReachable } from "../facts.ts";
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

export { inventoryForm } from "../inventory-groups.ts";

/** The retired hosts leave every group of the inventory; the holders of the authorities are first in theirs. */
export const planInventory: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const { inventory } = world;
  if (!isReachable(inventory)) throw new Unasked(`the inventory could not be read: ${inventory.unreachable}`);
  try {
    // the variables first: by an alias they are found only while the inventory has it
    const edits = editSteps(inventory, world, change);
    const steps = [...moveSteps(inventory, change), ...edits, ...commitSteps(inventory, edits, world, change)];
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
    ...(dropped ? [`take ${Object.keys(change.leaving).join(", ")} out of every group`] : []),
    ...moved.map(({ group, host: { name } }) => `put ${name} first in [${group}], since it holds the CA`),
  ].join(", ");

/** One commit for each work tree: of what is edited now, and of what an earlier run edited and did not commit. */
function commitSteps(inventory: InventoryFacts, edits: readonly Step[], world: World, change: Change): Step[] {
  if (!change.settings.inventory.commit) return [];
  const files = filesOf(inventory);
  const edited = files.filter(({ path }) =>
    edits.some((step) => step.do === "edit-inventory" && step.edit.before.path === path),
  );
  const dirty = edited.find(({ git }) => git?.state === "changed");
  if (dirty !== undefined)
    throw new Refusal(
      `${dirty.path} has changes that are not committed, and inventory.commit would commit them too: commit or stash them first`,
    );
  const left = leftUncommitted(
    files.filter((file) => !edited.includes(file)),
    files,
    world,
    change,
  );
  const titles = new Map([...left, ...edits.map((step) => [editOf(step), step.title] as const)]);
  const tracked = files.filter(({ path, git }) => titles.has(path) && git !== undefined && git.state !== "untracked");
  return [...new Set(tracked.flatMap(({ git }) => git?.top ?? []))].map((top): Step => {
    const own = tracked.filter(({ git }) => git?.top === top);
    const body = own.map(({ path }) => `- ${titles.get(path) ?? ""}`).join("\n");
    const message = `openshift-masters: ${Object.keys(change.leaving).join(", ")} retired\n\n${body}\n`;
    const paths = own.map(({ path, real = path }) => real);
    // git may refuse (a hook, no author): the edit stands, and the next run tries again
    return {
      do: "commit-inventory",
      host: whereOf(change),
      apart: true,
      commit: { top, paths, message },
      title: `${top}: commit ${paths.join(", ")}`,
    };
  });
}

const editOf = (step: Step): string => (step.do === "edit-inventory" ? step.edit.before.path : "");

/** Files whose change since the last commit is our edit to the byte: path → title. */
function leftUncommitted(
  unedited: readonly InventoryFileFacts[],
  files: readonly InventoryFileFacts[],
  world: World,
  change: Change,
): [string, string][] {
  const changed = unedited.filter(({ git }) => git?.state === "changed" && git.head !== undefined);
  if (changed.length === 0) return [];
  const before = files.map((file) =>
    changed.includes(file) ? { ...file, ...fileFrom(file.path, file.git?.head ?? new Uint8Array()) } : file,
  );
  const again = editsOf(before, world, change);
  return changed.flatMap(({ path, text }) => {
    const edit = again.find((one) => one.path === path);
    return edit?.text === text ? [[path, `${path}: ${doingOf(edit, change)}`] as [string, string]] : [];
  });
}

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
