/** Asks `ansible-inventory`, where the inventory lies, what the planned edit does; on copies. The machine's inventory is not touched. */
import { isReachable } from "../plan/facts.ts";
import {
  type AnsibleSays,
  type BothTexts,
  type Expected,
  answerOf,
  askScript,
  inputOf,
  patience,
} from "../plan/inventory-ansible.ts";
import { type InventoryFacts, type InventoryFileFacts, filesOf } from "../plan/inventory-facts.ts";
import { namesIn, readInventories } from "../plan/inventory-files.ts";
import { namesOfLeaving, planInventory } from "../plan/plans/inventory.ts";
import { missingFrom, planInventoryReturn } from "../plan/plans/inventory-return.ts";
import { messageOf } from "../plan/refusal.ts";
import { editsOf } from "../plan/show.ts";
import { type Change, type Edit, type World, identityOf } from "../plan/steps.ts";
import { original } from "./apply/edit.ts";
import { encode } from "./files.ts";
import type { Session } from "./session.ts";
import { thisMachine } from "./this-machine.ts";
import type { ScriptRunner } from "./this-machine.ts";

/** The part `ansible` of the world, when the inventory is to be edited. Never throws. */
export async function askAnsible(session: Session, world: World, change: Change): Promise<Partial<World>> {
  const { host, address } = change.settings.inventory;
  const machine = host === undefined ? thisMachine : session.host(host, address ?? host);
  return askOn(machine, world, change);
}

export async function askOn(machine: ScriptRunner, world: World, change: Change): Promise<Partial<World>> {
  const { inventory } = world;
  if (!isReachable(inventory)) return {};
  try {
    const out = planInventory(world, change).flatMap(editsOf);
    if (out.length > 0) {
      const names = namesOfLeaving(inventory, change);
      return { ansible: await said(machine, inventory, out, { names, back: false }) };
    }
    const edits = planInventoryReturn(world, change).flatMap(editsOf);
    if (edits.length === 0) return {};
    const { back, names } = backIn(inventory, edits, change);
    return { ansible: { ...(await said(machine, inventory, edits, { names, back: true })), back } };
  } catch (error) {
    return { ansible: { unasked: messageOf(error) } };
  }
}

/** The hosts that the edits put back, and every name of theirs. */
function backIn(inventory: InventoryFacts, edits: readonly Edit[], change: Change) {
  const files = filesOf(inventory).map((file) => ({ ...file, text: afterOf(edits, file) }));
  const [first = inventory, ...more] = files;
  const still = missingFrom({ ...first, more }, change);
  const back = missingFrom(inventory, change).filter((name) => !still.includes(name));
  const then = readInventories(files);
  const names = new Set(back.flatMap((name) => [...namesIn(then, identityOf(name, change.survivors))]));
  return { back, names };
}

const afterOf = (edits: readonly Edit[], { path, text }: InventoryFileFacts): string =>
  edits.find(({ before }) => before.path === path)?.after ?? text;

async function said(
  machine: ScriptRunner,
  inventory: InventoryFacts,
  edits: readonly Edit[],
  expected: Expected,
): Promise<AnsibleSays> {
  const files = filesOf(inventory).map((file): BothTexts => {
    const before = original(file);
    return { path: file.path, before, after: encode(before, afterOf(edits, file)) };
  });
  const { stdout } = await machine.run(askScript(files), {
    what: "asking ansible-inventory",
    deadline: 2 * patience + 20,
    stdin: inputOf(files),
    limit: 256 * 2 ** 20,
  });
  return answerOf(stdout, expected);
}
