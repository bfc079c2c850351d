/** An inventory in a git work tree: told, committed when asked, and nothing else; with real git. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { inventoryFacts, inventoryProbe } from "../../providers/plan/inventory-facts.ts";
import { commitScript } from "../../providers/plan/inventory-git.ts";
import { planInventory } from "../../providers/plan/plans.ts";
import { render } from "../../providers/plan/show.ts";
import type { Step } from "../../providers/plan/steps.ts";
import type { Context } from "../../providers/remote/apply/context.ts";
import { editInventory } from "../../providers/remote/apply/edit.ts";
import { askGit } from "../../providers/remote/inventory-git.ts";
import { thisMachine } from "../../providers/remote/this-machine.ts";
import { inventoryText, removal } from "../plan/world.ts";

let home: string;
let tree: string;
beforeEach(() => {
  home = mkdtempSync(join(realpathSync(tmpdir()), "git "));
  tree = join(home, "it's a $tree");
  mkdirSync(tree);
  writeFileSync(join(home, ".gitconfig"), "[user]\nname = Ada\nemail = ada@example.com\n");
  git("init", "-q");
  put("hosts", inventoryText(4));
  put("other", "mine\n");
  git("add", "hosts", "other");
  git("commit", "-q", "-m", "first");
});
afterEach(() => rmSync(home, { recursive: true }));

const put = (name: string, text: string, mode = 0o644) => writeFileSync(join(tree, name), text, { mode });
function git(...words: string[]): string {
  const env = { PATH: process.env["PATH"], HOME: home, GIT_CONFIG_NOSYSTEM: "1" };
  return execFileSync("git", ["-C", tree, ...words], { encoding: "utf8", env });
}

const { world, change } = removal(4, [3]);
const asking = (commit: boolean) => ({
  ...change,
  settings: { ...change.settings, inventory: { ...change.settings.inventory, commit } },
});
async function plan(commit = true): Promise<Step[]> {
  const path = join(tree, "hosts");
  const { stdout } = await thisMachine.run(inventoryProbe(path), { what: "looking", deadline: 30 });
  const facts = inventoryFacts(stdout, path);
  assert.ok(!("unreachable" in facts));
  return planInventory({ ...world, inventory: await askGit(facts, home) }, asking(commit));
}
async function carryOut(steps: readonly Step[]): Promise<void> {
  const context = { session: { run: "101010-abcdef" }, change } as unknown as Context;
  for (const step of steps)
    if (step.do === "edit-inventory") await editInventory(context, step);
    else if (step.do === "commit-inventory")
      await thisMachine.run(commitScript(step.commit, home), { what: "committing", deadline: 60 });
}
const kinds = (steps: readonly Step[]) => steps.map((step) => step.do);

describe("an inventory in a git work tree", () => {
  it("is committed: exactly that file, with the plan as its message, by git's own author, and hooks run", async () => {
    put("other", "staged\n");
    git("add", "other");
    put(".git/hooks/commit-msg", '#!/bin/sh\necho "Hooked: yes" >> "$1"\n', 0o755);
    const steps = await plan();
    assert.deepEqual(kinds(steps), ["edit-inventory", "commit-inventory"]);
    assert.match(render(steps), /2\. this machine: .*it's a \$tree: commit .*hosts/);
    await carryOut(steps);
    assert.equal(
      git("log", "-1", "--name-only", "--format=%an <%ae>%n%B"),
      `Ada <ada@example.com>\nopenshift-masters: master-3.example.com retired\n\n- ${join(tree, "hosts")}: take master-3.example.com out of every group\nHooked: yes\n\n\nhosts\n`,
    );
    assert.equal(git("diff", "--cached", "--name-only"), "other\n");
    assert.deepEqual(await plan(), []);
    await carryOut(steps.slice(1));
    assert.equal(git("rev-list", "--count", "HEAD"), "2\n");
  });

  it("a run that ended between the edit and the commit: the next one commits", async () => {
    const steps = await plan();
    await carryOut(steps.slice(0, 1));
    const again = await plan();
    assert.deepEqual(again, steps.slice(1));
    await carryOut(again);
    assert.equal(git("status", "--porcelain", "--", "hosts"), "");
    assert.deepEqual(await plan(), []);
  });

  it("git says no: the edit stands, the plan still has the commit, and says why it failed", async () => {
    put(".git/hooks/pre-commit", "#!/bin/sh\necho 'no ticket' >&2\nexit 1\n", 0o755);
    const steps = await plan();
    await assert.rejects(carryOut(steps), /no ticket/);
    assert.equal(readFileSync(join(tree, "hosts"), "utf8"), inventoryText(3));
    const [left, ...none] = await plan();
    assert.deepEqual([left?.do, left?.apart, none], ["commit-inventory", true, []]);
  });

  it("with changes of others: told, and with `commit` refused; once edited by us they are not committed", async () => {
    put("hosts", `${inventoryText(4)}# mine\n`);
    assert.match(
      render(await plan(false)),
      /\(the file is in the git work tree .*, with changes that are not committed: nothing/,
    );
    await assert.rejects(plan(), /hosts has changes that are not committed, .* commit or stash them first/);
    put("hosts", `${inventoryText(3)}# mine\n`);
    assert.deepEqual(await plan(), []);
  });

  it("without `commit` it is told where it is", async () => {
    const steps = await plan(false);
    assert.deepEqual(kinds(steps), ["edit-inventory"]);
    assert.match(
      render(steps),
      /\(the file is in the git work tree .*\$tree: commit the change, or have it committed by inventory\.commit\)/,
    );
  });

  it("not tracked, or in no work tree: not committed", async () => {
    git("rm", "-q", "--cached", "hosts");
    const steps = await plan();
    assert.deepEqual(kinds(steps), ["edit-inventory"]);
    assert.match(render(steps), /and not tracked: it is not committed\)/);
    rmSync(join(tree, ".git"), { recursive: true });
    assert.doesNotMatch(render(await plan()), /work tree/);
  });
});
