/** Asks git how an inventory of this machine stands in its work tree. Reads only. */
import { homedir } from "node:os";
import { type InventoryFacts, filesOf, withGit } from "../plan/inventory-facts.ts";
import { gitFacts, gitProbe } from "../plan/inventory-git.ts";
import { largestFile } from "../plan/probe.ts";
import { askHost } from "./ask-host.ts";
import { thisMachine } from "./this-machine.ts";

/** Without an answer it is in no work tree: git is asked for a courtesy. Never throws. */
export async function askGit(facts: InventoryFacts, home = homedir()): Promise<InventoryFacts> {
  const paths = filesOf(facts).map(({ path, real = path }) => real);
  const asked = { what: "asking git for the inventory", deadline: 30, limit: 8 * largestFile };
  const said = await askHost(thisMachine, gitProbe(paths, home), asked, (stdout) => gitFacts(stdout, paths.length));
  return "unreachable" in said ? facts : withGit(facts, said);
}
