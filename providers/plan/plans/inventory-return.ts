/** AnsibleInventory: a declared master that works and that somebody took out of the inventory comes back, as the newest kept copy has it. */
import { type FileFacts, isReachable } from "../facts.ts";
import { type InventoryFacts, type InventoryFileFacts, filesOf } from "../inventory-facts.ts";
import { type Inventories, namesIn, orderOf, partOf, readInventories } from "../inventory-files.ts";
import { inventoryForm } from "../inventory-groups.ts";
import { differenceOf } from "../inventory-proof.ts";
import { restoreHost } from "../inventory.ts";
import { Refusal } from "../refusal.ts";
import { type Change, type Step, type World, identityOf } from "../steps.ts";
import { editStep } from "./inventory.ts";

/** Masters of a change that stay and are not in `[masters]`; nobody where the inventory is not understood. */
export function missingFrom(inventory: InventoryFacts, { survivors }: Pick<Change, "survivors">): string[] {
  try {
    const hosts = Object.keys(survivors).map((name) => identityOf(name, survivors));
    const listed = orderOf(filesOf(inventory), "masters", hosts);
    return Object.keys(survivors).filter((name) => !listed.includes(name));
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

interface Return {
  readonly file: InventoryFileFacts;
  readonly former: FileFacts;
  readonly after: string;
  readonly host: string;
}

/** @returns why one that works cannot be put back, too */
function returns(world: World, change: Change): { made: Return[]; told: string[] } {
  const { inventory } = world;
  const [made, told]: [Return[], string[]] = [[], []];
  if (!isReachable(inventory)) return { made, told };
  for (const name of missingFrom(inventory, change).filter((one) => works(world, one)))
    try {
      const own = returnOf(inventory, name, change);
      if (own.length === 0)
        told.push(
          `${name} works and is not in [masters] of the inventory, and no kept copy has it: put it there by hand`,
        );
      else made.push(...own);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      told.push(`${name} works and is not in [masters] of the inventory: ${error.message}`);
    }
  return { made, told };
}

function works(world: World, name: string): boolean {
  const facts = world.masters[name];
  return isReachable(facts) && facts.readiness.ready && facts.etcd?.healthy === true;
}

/** @throws Refusal when its lines have no place any more, or when another host would change with them */
function returnOf(inventory: InventoryFacts, name: string, change: Change): Return[] {
  const files = filesOf(inventory);
  const host = identityOf(name, change.survivors);
  const made = files.flatMap((file): Return[] => {
    for (const former of file.former ?? []) {
      const after = restoreHost(file.text, former.text, host, inventoryForm(file.path)).text;
      if (after !== file.text) return [{ file, former, after, host: name }];
    }
    return [];
  });
  if (made.length === 0) return [];
  const then = readInventories(
    files.map((one) => ({ ...one, text: made.find(({ file }) => file === one)?.after ?? one.text })),
  );
  const names = namesIn(then, host);
  // some of its lines may be there already: without it, both must mean the same
  const without = ({ files: parts }: Inventories): Inventories =>
    readInventories(parts.map((one) => ({ path: one.path, text: one.drop(names).text })));
  const difference = differenceOf(without(readInventories(files)).resolved, without(then).resolved, {
    leaving: new Set(),
  });
  if (difference !== undefined)
    throw new Refusal(`its former lines would change more than it (${difference}): put it back by hand`);
  // [masters] last: a run that ends before it still finds the host missing
  const inMasters = ({ file, after }: Return): boolean =>
    partOf({ path: file.path, text: after }, true).inventory.hosts.some(
      (one) => one.group === "masters" && names.has(one.name),
    );
  return made.toSorted((a, b) => Number(inMasters(a)) - Number(inMasters(b)));
}

/** One host at a time in each file: the next run sees to the next. */
export function planInventoryReturn(world: World, change: Change): Step[] {
  const { made } = returns(world, change);
  const first = made[0]?.host;
  return made
    .filter(({ host }) => host === first)
    .map(({ file, former, after, host }) =>
      editStep(file, after, `put ${host} back, which works and is declared, with its lines of ${former.path}`, change),
    );
}

/** What `read` tells and no update mends. */
export const notesOnReturn = (world: World, change: Change): string[] => returns(world, change).told;
