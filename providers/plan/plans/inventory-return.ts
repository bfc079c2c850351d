/** AnsibleInventory: declared masters that work and that somebody took out of the inventory come back, as the newest kept copy has them. */
import { type FileFacts, isReachable } from "../facts.ts";
import type { HostIdentity } from "../host.ts";
import { type InventoryFacts, type InventoryFileFacts, filesOf } from "../inventory-facts.ts";
import { type Inventories, namesIn, orderOf, partOf, readInventories } from "../inventory-files.ts";
import { inventoryForm } from "../inventory-groups.ts";
import { differenceOf } from "../inventory-proof.ts";
import { restoreNames } from "../inventory.ts";
import { Refusal, unlessRefused } from "../refusal.ts";
import { type Change, type Step, type World, identityOf } from "../steps.ts";
import { NOTHING, type Own, commitSteps, committed, dirtyOf, hasChanges, ownOf } from "./inventory-commit.ts";
import { editStep } from "./inventory.ts";

/** Masters of a change that stay and are not in `[masters]`; nobody where the inventory is not understood. */
export const missingFrom = (inventory: InventoryFacts, change: Pick<Change, "survivors">): string[] =>
  unlessRefused(() => missingAmong(filesOf(inventory), change)) ?? [];

/** @throws Refusal */
function missingAmong(files: readonly InventoryFileFacts[], { survivors }: Pick<Change, "survivors">): string[] {
  const hosts = Object.keys(survivors).map((name) => identityOf(name, survivors));
  const listed = orderOf(files, "masters", hosts);
  return Object.keys(survivors).filter((name) => !listed.includes(name));
}

/** A file with a host put back. */
interface Return {
  readonly path: string;
  readonly text: string;
  /** The copy that the lines are of. */
  readonly former: FileFacts;
}

const withTexts = (files: readonly InventoryFileFacts[], made: readonly Return[]): InventoryFileFacts[] =>
  files.map((file) => ({ ...file, text: made.find(({ path }) => path === file.path)?.text ?? file.text }));

/** @throws Refusal when its lines have no place any more, or when another host would change with them */
function returnOf(files: readonly InventoryFileFacts[], name: string, change: Change): Return[] {
  const host = identityOf(name, change.survivors);
  const all = everyNameOf(files, host);
  const made = files.flatMap(({ path, text, former = [] }): Return[] => {
    for (const copy of former) {
      const after = restoreNames(text, copy.text, all, inventoryForm(path)).text;
      if (after !== text) return [{ path, text: after, former: copy }];
    }
    return [];
  });
  if (made.length === 0) return [];
  const then = readInventories(withTexts(files, made));
  const names = namesIn(then, host);
  // some of its lines may be there already: without it, both must mean the same
  const without = ({ files: parts }: Inventories): Inventories =>
    readInventories(parts.map((one) => ({ path: one.path, text: one.drop(names).text })));
  const difference = differenceOf(without(readInventories(files)).resolved, without(then).resolved, {
    leaving: new Set(),
  });
  if (difference !== undefined)
    throw new Refusal(`its former lines would change more than it (${difference}): put it back by hand`);
  return made;
}

/** Which it has now, or had when copies were kept: an alias may be in one file, and its address in another. */
function everyNameOf(files: readonly InventoryFileFacts[], host: HostIdentity): Set<string> {
  const most = Math.max(...files.map(({ former = [] }) => former.length));
  const then = Array.from({ length: most }, (_, n) =>
    files.map(({ path, text, former = [] }) => ({ path, text: (former[n] ?? former.at(-1))?.text ?? text })),
  );
  const names = [files, ...then].map((one) => unlessRefused(() => namesIn(readInventories(one), host)) ?? []);
  return new Set([host.name, ...host.addresses, ...names.flatMap((some) => [...some])]);
}

/** An inventory with hosts put back, one after the other. */
interface Returned {
  readonly hosts: readonly string[];
  /** Path → what it would be; files that stay are not there. */
  readonly texts: ReadonlyMap<string, string>;
  /** Path → the copies that its lines are of. */
  readonly from: ReadonlyMap<string, ReadonlySet<string>>;
  /** Why one cannot be put back. */
  readonly told: readonly string[];
}

function returned(files: readonly InventoryFileFacts[], missing: readonly string[], change: Change): Returned {
  const [hosts, told]: [string[], string[]] = [[], []];
  const from = new Map<string, Set<string>>();
  let now = [...files];
  for (const name of missing)
    try {
      const made = returnOf(now, name, change);
      for (const { path, former } of made) from.set(path, (from.get(path) ?? new Set()).add(former.path));
      if (made.length > 0) hosts.push(name);
      else
        told.push(
          `${name} works and is not in [masters] of the inventory, and no kept copy has it: put it there by hand`,
        );
      now = withTexts(now, made);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      told.push(`${name} works and is not in [masters] of the inventory: ${error.message}`);
    }
  const changed = mastersLast(now, hosts, change).filter(({ path }) => from.has(path));
  return { hosts, texts: new Map(changed.map(({ path, text }) => [path, text])), from, told };
}

/** A run that ends before the file with `[masters]` still finds the host missing. */
function mastersLast(files: readonly InventoryFileFacts[], hosts: readonly string[], change: Change) {
  if (hosts.length === 0) return files;
  const all = readInventories(files);
  const names = new Set(hosts.flatMap((name) => [...namesIn(all, identityOf(name, change.survivors))]));
  const isLast = ({ path, text }: InventoryFileFacts): boolean =>
    partOf({ path, text }, true).inventory.hosts.some((one) => one.group === "masters" && names.has(one.name));
  return files.toSorted((a, b) => Number(isLast(a)) - Number(isLast(b)));
}

function works(world: World, name: string): boolean {
  const facts = world.masters[name];
  return isReachable(facts) && facts.readiness.ready && facts.etcd?.healthy === true;
}

const puttingBack = (hosts: readonly string[]): string =>
  hosts.length === 1
    ? `put ${hosts.join()} back, which works and is declared, with its lines`
    : `put ${hosts.join(", ")} back, which work and are declared, with their lines`;

/** What an earlier run put back and did not commit. */
function ownReturns(inventory: InventoryFacts, change: Change): Own {
  if (!hasChanges(inventory, change)) return NOTHING;
  const own = unlessRefused(() => {
    const before = committed(filesOf(inventory));
    const still = missingAmong(filesOf(inventory), change);
    const back = missingAmong(before, change).filter((name) => !still.includes(name));
    const { texts, hosts } = returned(before, back, change);
    return ownOf(inventory, texts, hosts);
  });
  return own ?? NOTHING;
}

function outcomeOf(world: World, change: Change): { steps: Step[]; told: readonly string[] } {
  const { inventory, ansible } = world;
  if (!isReachable(inventory)) return { steps: [], told: [] };
  const missing = missingFrom(inventory, change).filter((one) => works(world, one));
  const { hosts, texts, from, told } = returned(filesOf(inventory), missing, change);
  const edits = [...texts].flatMap(([path, text]) => {
    const file = filesOf(inventory).find((one) => one.path === path);
    const doing = `${puttingBack(hosts)} of ${[...(from.get(path) ?? [])].join(", ")}`;
    return file === undefined ? [] : [editStep(file, text, doing, change)];
  });
  const own = ownReturns(inventory, change);
  const flaw =
    ansible?.back !== undefined && "difference" in ansible
      ? `ansible-inventory does not agree with putting it back: ${ansible.difference}; put it there by hand`
      : dirtyOf(inventory, edits, own, change);
  if (flaw !== undefined && edits.length > 0)
    return { steps: [], told: [...told, `${hosts.join(", ")}, not in [masters] of the inventory: ${flaw}`] };
  const commits = commitSteps(inventory, { edits, own, hosts }, { what: "put back", doing: puttingBack }, change);
  return { steps: [...edits, ...commits], told };
}

/** All that are missing, in one edit of each file. */
export const planInventoryReturn = (world: World, change: Change): Step[] => outcomeOf(world, change).steps;

/** What `read` tells and no update mends. */
export const notesOnReturn = (world: World, change: Change): string[] => [...outcomeOf(world, change).told];
