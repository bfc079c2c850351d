/** Asks git how an inventory of this machine stands in its work tree. Reads only. */
import { homedir } from "node:os";
import { type InventoryFacts, filesOf, withGit } from "../plan/inventory-facts.ts";
import { gitFacts, gitProbe } from "../plan/inventory-git.ts";
import { hasChanges } from "../plan/plans/inventory-commit.ts";
import { isReachable } from "../plan/facts.ts";
import { largestFile } from "../plan/parts.ts";
import type { Change, World } from "../plan/steps.ts";
import { askHost } from "./ask-host.ts";
import { readFormer } from "./inventory-former.ts";
import { thisMachine } from "./this-machine.ts";

/** The inventory, if it is of this machine, with what git says; with kept copies, where what is not committed may be of an earlier run. */
export async function askWorkTree({ inventory }: World, change: Change, home = homedir()): Promise<Partial<World>> {
  if (!isReachable(inventory) || change.settings.inventory.host !== undefined) return {};
  const known = await askGit(inventory, home);
  const isRead = known.former !== undefined || !hasChanges(known, change);
  return { inventory: isRead ? known : await readFormer(thisMachine, known) };
}

/** Without an answer it is in no work tree: git is asked for a courtesy. Never throws. */
export async function askGit(facts: InventoryFacts, home = homedir()): Promise<InventoryFacts> {
  const paths = filesOf(facts).map(({ path, real = path }) => real);
  const asked = { what: "asking git for the inventory", deadline: 30, limit: 8 * largestFile };
  const said = await askHost(thisMachine, gitProbe(paths, home), asked, (stdout) => gitFacts(stdout, paths.length));
  return "unreachable" in said ? facts : withGit(facts, said);
}
