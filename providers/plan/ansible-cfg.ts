/** Pure: which inventory an `ansible.cfg` names. */
import { parse } from "ini";
import { Refusal } from "./refusal.ts";

const remedy = "name a file or folder in openshift-masters:inventory.path";

/**
 * The value of `inventory` in `[defaults]`; undefined when it is not set.
 * @throws Refusal when it names several inventories, or one that only Ansible itself could find
 */
export function inventoryIn(text: string, path: string): string | undefined {
  const { defaults } = parse(text) as { defaults?: Readonly<Record<string, unknown>> };
  const value = typeof defaults === "object" ? defaults["inventory"] : undefined;
  return typeof value === "string" && value.trim() !== "" ? single(value.trim(), path) : undefined;
}

/** @throws Refusal as `inventoryIn` does */
export function single(value: string, source: string): string {
  const parts = value.split(",");
  if (parts.length > 1)
    throw new Refusal(
      `${source} names ${parts.filter((one) => one.trim() !== "").length === 1 ? "a list of hosts" : "several inventories"} (${value}), and one is edited: ${remedy}`,
    );
  if (/[{}$]/.test(value))
    throw new Refusal(`${source} names the inventory ${value}, which only Ansible can resolve: ${remedy}`);
  return value;
}
