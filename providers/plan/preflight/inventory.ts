/** The inventory: whether it is understood and has every declared master, what lies beside it, and what Ansible says of its edit. */
import { type Hosts, isReachable } from "../facts.ts";
import { type InventoryFacts, type InventoryFileFacts, filesOf, placeOf } from "../inventory-facts.ts";
import { namesIn, orderOf, readInventories } from "../inventory-files.ts";
import { templatedIn } from "../inventory-groups.ts";
import { nobodyLeaves } from "../plans/asked.ts";
import { varsOfLeaving } from "../plans/inventory.ts";
import { escapeControls, shortened } from "../quote.ts";
import { type Change, type World, identityOf } from "../steps.ts";
import { type Check, names, orNothing, refusalOf } from "./judgement.ts";

export const inventory: Check = (world, change, before) => {
  const { path, host } = change.settings.inventory;
  const found = isReachable(world.inventory) ? placeOf(world.inventory) : "the inventory that Ansible takes by default";
  const where = `${host ?? "this machine"}: ${path ?? found}`;
  if (!isReachable(world.inventory))
    return { refusals: [`the inventory cannot be read (${where}): ${world.inventory.unreachable}`] };
  const files = filesOf(world.inventory);
  const identities = names(change.survivors).map((name) => identityOf(name, change.survivors));
  let listed: readonly string[] = [];
  const wrong = refusalOf(() => {
    listed = orderOf(files, "masters", identities);
  }).map((why) => `the inventory is not understood (${where}): ${why}`);
  if (wrong.length > 0) return { refusals: wrong };
  const missing = names(change.survivors)
    .filter((name) => !listed.includes(name))
    .map((name) => `${name} is declared and not in [masters] of the inventory (${where})`);
  const notes = [
    ...around(world.inventory, change),
    ...(orNothing(() => hiddenIn(files, change, before ?? {})) ?? []),
    ...askedAnsible(world),
  ].map((note) => `${host ?? "this machine"}: ${escapeControls(note)}`);
  return before === undefined ? { refusals: missing, notes } : { notes: [...missing, ...notes] };
};

/** What lies beside the inventory and bears on the change. */
function around(inventory: InventoryFacts, change: Change): string[] {
  const { notRead = [], named = [], through } = inventory;
  const own = nobodyLeaves(change) ? [] : (orNothing(() => varsOfLeaving(inventory, change)) ?? []);
  const isOwn = (path: string): boolean => own.some((one) => path === one || path.startsWith(`${one}/`));
  return [
    ...(through === undefined ? [] : [`the inventory is ${placeOf(inventory)}, ${through}`]),
    ...(notRead.length === 0
      ? []
      : [`Ansible does not read these files of the inventory's folder: ${shortened(notRead, 10)}`]),
    ...(change.settings.inventory.moveHostVars ? [] : own).map(
      (path) =>
        `${path} has variables of a host that leaves, and stays; openshift-masters:inventory.moveHostVars moves it aside`,
    ),
    ...named
      .filter(({ path }) => !isOwn(path))
      .map(
        ({ path, lines }) =>
          `${path} names a host that leaves (line ${shortened(lines.map(String), 10)}): look whether that is still right`,
      ),
  ];
}

/** Of hosts that leave now and that the inventory has under no name: they may be behind a template. */
function hiddenIn(files: readonly InventoryFileFacts[], { leaving }: Change, before: Hosts): string[] {
  const all = readInventories(files);
  const hidden = names(leaving).filter((name) => name in before && namesIn(all, identityOf(name, leaving)).size === 0);
  const templated = hidden.length === 0 ? [] : templatedIn(all.resolved);
  return templated.length === 0
    ? []
    : [
        `the inventory has ${hidden.join(", ")} by no name or address, and the ansible_host of ${shortened(templated, 10)} is a template ({{ … }}), which is not resolved: if one of them is meant, take it out by hand`,
      ];
}

function askedAnsible({ ansible }: World): string[] {
  if (ansible === undefined || "difference" in ansible) return [];
  const what =
    ansible.back === undefined
      ? "the leaving hosts would leave the inventory"
      : `${ansible.back.join(", ")} would come back into the inventory`;
  return "agrees" in ansible
    ? [`ansible-inventory, asked on copies, agrees that nothing but ${what}`]
    : [`ansible-inventory was not asked (${ansible.unasked}): our own resolver alone proves the inventory's edit`];
}
