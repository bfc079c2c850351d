/** Asks `ansible-inventory`, where the inventory lies, what the planned edit does; on copies. The machine's inventory is not touched. */
import { isReachable } from "../plan/facts.ts";
import { type BothTexts, answerOf, askScript, inputOf, patience } from "../plan/inventory-ansible.ts";
import { filesOf } from "../plan/inventory-facts.ts";
import { namesOfLeaving, planInventory } from "../plan/plans/inventory.ts";
import { messageOf } from "../plan/refusal.ts";
import { editsOf } from "../plan/show.ts";
import type { Change, World } from "../plan/steps.ts";
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
    const edits = planInventory(world, change).flatMap(editsOf);
    if (edits.length === 0) return {};
    const files = filesOf(inventory).map((file): BothTexts => {
      const before = original(file);
      const edit = edits.find((one) => one.before.path === file.path);
      return { path: file.path, before, after: edit === undefined ? before : encode(before, edit.after) };
    });
    const { stdout } = await machine.run(askScript(files), {
      what: "asking ansible-inventory",
      deadline: 2 * patience + 20,
      stdin: inputOf(files),
      limit: 256 * 2 ** 20,
    });
    return { ansible: answerOf(stdout, namesOfLeaving(inventory, change)) };
  } catch (error) {
    return { ansible: { unasked: messageOf(error) } };
  }
}
