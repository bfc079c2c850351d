import type { HostIdentity } from "./host.ts";
import { type GroupPlace, readInventory } from "./inventory-file.ts";
import { type InventoryForm, namesOfHost } from "./inventory-groups.ts";
import { restoreToIni } from "./inventory-restore.ts";
import { restoreToYaml } from "./inventory-yaml-restore.ts";
import { Refusal } from "./refusal.ts";

export type { GroupPlace } from "./inventory-file.ts";
export type { InventoryForm } from "./inventory-groups.ts";

/**
 * Takes a host out of every group; groups, their order, variables and comments stay, and so does every other byte.
 * A range loses only this host: `m[1:3]` becomes `m1` and `m3`, with the range's variables. Nothing dropped: the text
 * is the one given. Source: OpenShift 3.11 Day Two Operations Guide, "Decommissioning a master host".
 * @throws Refusal naming the line, when Ansible would not understand it or it cannot be told which host it means.
 */
export function dropHost(
  inventory: string,
  host: HostIdentity,
  form: InventoryForm,
): { text: string; dropped: GroupPlace[] } {
  const file = readInventory(inventory, form);
  return file.drop(namesOfHost(file.inventory, file.resolved, host));
}

/**
 * Puts a host back into the groups it had in `previous`, where it stood: behind the nearest line above that both
 * files have in that section, else in front of the nearest below, else behind the group's last host. A group that has
 * the host already stays as it is; `line` counts in the returned text.
 * A range, a flow mapping or an anchor of YAML comes back only where the lines around it are what the removal left.
 * @throws Refusal when its place is gone or changed, or when a line cannot be understood.
 */
export function restoreHost(inventory: string, previous: string, host: HostIdentity, form: InventoryForm): Restored {
  const namesIn = (text: string): Set<string> => {
    const file = readInventory(text, form);
    return namesOfHost(file.inventory, file.resolved, host);
  };
  return restoreNames(inventory, previous, new Set([...namesIn(inventory), ...namesIn(previous)]), form);
}

export interface Restored {
  readonly text: string;
  readonly restored: readonly GroupPlace[];
}

/** `restoreHost` of a file that is one of several, which together tell the host's names. */
export function restoreNames(
  inventory: string,
  previous: string,
  names: ReadonlySet<string>,
  form: InventoryForm,
): Restored {
  if (form === "ini") return restoreToIni(inventory, previous, names);
  try {
    return restoreToYaml(inventory, previous, names);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const places = readInventory(previous, form)
      .inventory.hosts.filter(({ name }) => names.has(name))
      .map(({ group, line }) => `${group} (line ${line})`);
    throw new Refusal(`${error.message}; put it back by hand, where the former file has it: ${places.join(", ")}`);
  }
}
