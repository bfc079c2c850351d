/** An inventory in a git work tree: told, committed when asked, and nothing else; with real git. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { inventoryFacts, inventoryProbe } from "../../providers/plan/inventory-facts.ts";
import { commitScript } from "../../providers/plan/inventory-git.ts";
import { ansibleInventory } from "../../providers/ansible-inventory.ts";
import { planInventory } from "../../providers/plan/plans.ts";
import { missingFrom } from "../../providers/plan/plans/inventory-return.ts";
import { render } from "../../providers/plan/show.ts";
import type { Change, Step, World } from "../../providers/plan/steps.ts";
import type { Context } from "../../providers/remote/apply/context.ts";
import { editInventory } from "../../providers/remote/apply/edit.ts";
import { readFormer } from "../../providers/remote/inventory-former.ts";
import { askWorkTree } from "../../providers/remote/inventory-git.ts";
import { thisMachine } from "../../providers/remote/this-machine.ts";
import { inventoryText, master, removal } from "../plan/world.ts";

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
const asking = (commit: boolean, so = change) => ({
  ...so,
  settings: { ...so.settings, inventory: { ...so.settings.inventory, commit } },
});
/** As the session looks. */
async function look(so: Change): Promise<World> {
  const path = join(tree, "hosts");
  const { stdout } = await thisMachine.run(inventoryProbe(path), { what: "looking", deadline: 30 });
  const facts = inventoryFacts(stdout, path);
  assert.ok(!("unreachable" in facts));
  const inventory = missingFrom(facts, so).length > 0 ? await readFormer(thisMachine, facts) : facts;
  return { ...world, ...(await askWorkTree({ ...world, inventory }, so, home)) };
}
async function plan(commit = true, so = change): Promise<Step[]> {
  const asked = asking(commit, so);
  return planInventory(await look(asked), asked);
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

  const message = () => git("log", "-1", "--format=%s%n%n%b");
  it("two hosts that were retired by one run, killed before the commit, and of whom nothing is left: the next one commits", async () => {
    const { change: two } = removal(4, [2, 3]);
    await carryOut((await plan(true, two)).slice(0, 1));
    const later: Change = { ...two, leaving: {}, retired: two.leaving };
    const [commit, ...none] = await plan(true, later);
    assert.deepEqual([commit?.do, none], ["commit-inventory", []]);
    assert.deepEqual(await plan(false, later), []);
    await carryOut(commit === undefined ? [] : [commit]);
    assert.match(
      message(),
      /^openshift-masters: master-2\.example\.com, master-3\.example\.com retired\n\n- .*hosts: take master-2\.example\.com, master-3\.example\.com out of every group/,
    );
    assert.deepEqual(await plan(true, later), []);
  });

  it("one retired and not committed, then another: both are committed, unless somebody else wrote in between", async () => {
    await carryOut((await plan()).slice(0, 1));
    const { change: next } = removal(3, [2]);
    const second: Change = { ...next, retired: { ...next.leaving, ...change.leaving } };
    const steps = await plan(true, second);
    assert.deepEqual(kinds(steps), ["edit-inventory", "commit-inventory"]);
    put("hosts", `${inventoryText(3)}# mine\n`);
    await assert.rejects(plan(true, second), /has changes that are not committed/);
    put("hosts", inventoryText(3));
    await carryOut(steps);
    assert.match(message(), /^openshift-masters: master-3\.example\.com, master-2\.example\.com retired/);
    assert.equal(git("status", "--porcelain", "--", "hosts"), "");
  });

  describe("a master that is put back", () => {
    const stays: Change = { ...asking(true), survivors: { ...change.survivors, ...change.leaving }, leaving: {} };
    const plans = async (so = stays) => ansibleInventory.plan(await look(so), so);
    const notes = async () => ansibleInventory.notes(await look(stays), stays);
    beforeEach(() => {
      put("hosts.before-101009-abcdef.orig", inventoryText(4));
      put("hosts", inventoryText(3));
      git("commit", "-q", "-m", "by hand", "hosts");
    });

    it("is committed, also by the run after one that was killed before the commit", async () => {
      const steps = await plans();
      assert.deepEqual(kinds(steps), ["edit-inventory", "commit-inventory"]);
      await carryOut(steps.slice(0, 1));
      assert.equal(readFileSync(join(tree, "hosts"), "utf8"), inventoryText(4));
      assert.deepEqual(kinds(await plans(asking(false, stays))), []);
      const again = await plans();
      assert.deepEqual(kinds(again), ["commit-inventory"]);
      await carryOut(again);
      assert.match(
        message(),
        /^openshift-masters: master-3\.example\.com put back\n\n- .*hosts: put master-3\.example\.com back, which works and is declared/,
      );
      assert.equal(git("status", "--porcelain", "--", "hosts"), "");
      assert.deepEqual(await plans(), []);
    });

    it("is told, and nothing is done, where others changed the file", async () => {
      put("hosts", `${inventoryText(3)}# mine\n`);
      assert.deepEqual(await plans(), []);
      assert.match(
        (await notes()).join(),
        new RegExp(`${master(3)}, not in \\[masters\\] .* has changes that are not committed`),
      );
    });
  });
});
