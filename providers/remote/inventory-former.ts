/** Reads what earlier runs kept of an inventory. */
import { type InventoryFacts, formerProbe, withFormer } from "../plan/inventory-facts.ts";
import { largestFile } from "../plan/parts.ts";
import { askHost } from "./ask-host.ts";
import type { ScriptRunner } from "./this-machine.ts";

/** Without an answer there are no copies. Never throws. */
export async function readFormer(machine: ScriptRunner, facts: InventoryFacts): Promise<InventoryFacts> {
  const asked = { what: "reading kept copies of the inventory", deadline: 60, limit: 8 * largestFile };
  const read = await askHost(machine, formerProbe(facts), asked, (stdout) => withFormer(facts, stdout));
  return "unreachable" in read ? facts : read;
}
