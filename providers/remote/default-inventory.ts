/** The inventory that Ansible takes on this machine when it is not told one. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { inventoryIn, single } from "../plan/ansible-cfg.ts";
import { largestFile } from "../plan/parts.ts";
import { Refusal } from "../plan/refusal.ts";

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where pulumi runs: the checkout. */
  readonly folder: string;
  readonly home: string;
  /** `/etc/ansible`. */
  readonly system: string;
}

export interface DefaultInventory {
  readonly path: string;
  /** How it was found, for people. */
  readonly through: string;
}

const here = (): Surroundings => ({
  environment: process.env,
  folder: process.cwd(),
  home: homedir(),
  system: "/etc/ansible",
});

/**
 * As Ansible looks: ANSIBLE_INVENTORY and ANSIBLE_CONFIG of this very process, `ansible.cfg` of the checkout unless others may write
 * that folder, of the home, of the system. Only the first there is counts.
 * @throws Refusal when it does not name one file or folder
 */
export function defaultInventory(so: Surroundings = here()): DefaultInventory {
  const named = so.environment["ANSIBLE_INVENTORY"];
  if (named !== undefined && named !== "") {
    const path = expanded(single(named, "ANSIBLE_INVENTORY"), so.folder, so.home);
    return { path, through: "which ANSIBLE_INVENTORY of pulumi's environment names" };
  }
  const { config, passedOver } = configOf(so);
  const besides = passedOver === undefined ? "" : `; ${passedOver} is not read, since everybody may write its folder`;
  const system = join(so.system, "hosts");
  if (config === undefined) return { path: system, through: `Ansible's default: there is no ansible.cfg${besides}` };
  if (statSync(config).size > largestFile) throw new Refusal(`${config} is larger than 4 MiB`);
  const value = inventoryIn(readFileSync(config, "utf8"), config);
  return value === undefined
    ? { path: system, through: `Ansible's default: ${config} names none${besides}` }
    : { path: expanded(value, dirname(config), so.home), through: `which ${config} names${besides}` };
}

function configOf(so: Surroundings): { config: string | undefined; passedOver: string | undefined } {
  const own = join(so.folder, "ansible.cfg");
  const isOpen = (statSync(so.folder).mode & 0o002) !== 0;
  const passedOver = isOpen && existsSync(own) ? own : undefined;
  const given = so.environment["ANSIBLE_CONFIG"];
  const candidates = [
    ...(given === undefined || given === "" ? [] : [inFolder(expanded(given, so.folder, so.home))]),
    ...(isOpen ? [] : [own]),
    join(so.home, ".ansible.cfg"),
    join(so.system, "ansible.cfg"),
  ];
  return { config: candidates.find((path) => existsSync(path)), passedOver };
}

const inFolder = (path: string): string =>
  existsSync(path) && statSync(path).isDirectory() ? join(path, "ansible.cfg") : path;

const expanded = (path: string, from: string, home: string): string =>
  resolve(from, path === "~" || path.startsWith("~/") ? join(home, path.slice(1)) : path);
