/** Three operators, each with a state of their own, want the same change at the same time: exactly one works. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { workFolder } from "../../lab/cluster.ts";
import { files } from "../../lab/stack.ts";
import { type Ran, TestStack, eventually, on } from "./stack.ts";

const masters = ["master-0", "master-1", "master-2", "master-3"];
const names = ["first", "second", "third"];
const archiveOf = (name: string) => join(workFolder, `backups-${name}`);
let stacks: TestStack[];

const prepare = async () => {
  stacks = await Promise.all(
    names.map(async (name) => {
      const stack = await TestStack.create(name);
      return stack.edit((text) => text.replace(`archive: ${files.archive}`, `archive: ${archiveOf(name)}`));
    }),
  );
};

/** Whoever may change something has made sure that it can be written down: an empty transcript is no work. */
const hasWorked = (name: string): boolean => {
  const folder = archiveOf(name);
  return existsSync(folder) && readdirSync(folder).some((one) => statSync(join(folder, one)).size > 0);
};
/** The files of the backups on a master. */
const sets = async (host: string) =>
  (await on(host, "find /backup -type f 2>/dev/null | sort")).output.split("\n").filter((line) => line !== "");
const lock = (stack: TestStack, verb: string) => {
  const tool = join(workFolder, "..", "tools", "lock.ts");
  const words = ["--disable-warning=ExperimentalWarning", tool, verb, "--config-file", stack.config];
  return execFileSync(process.execPath, words, { encoding: "utf8" });
};
const isFree = (stack: TestStack) =>
  lock(stack, "show").trim().split("\n").toSorted().join() ===
  masters.map((host) => `${host}.example.com: free`).join();

/** Declares the tests, for a lab of four masters that nobody has adopted; afterwards nothing but sets of backups is there. */
export function secondOperatorTests(): void {
  before(prepare);

  test("of three parallel `up`, one works; the others are told who, from where and since when, and touch nothing", async () => {
    let shown = "";
    const ran = await Promise.all(
      stacks.map((stack) =>
        stack.watchedUp((output) => {
          // the lines of the hosts come as they answer
          if (shown === "" && output.includes("another run works on this cluster")) shown = lock(stack, "show");
        }),
      ),
    );
    const winner = ran.findIndex(({ code }) => code === 0);
    assert.deepEqual(
      ran.map(({ code }) => code === 0),
      names.map((_, n) => n === winner),
      ran.map(({ output }) => output.slice(-2000)).join("\n=====\n"),
    );
    const refusal =
      /another run works on this cluster: the lock \/run\/lock\/openshift-masters\.lock on master-\d\.example\.com is held by (run \S+ of \S+@\S+, process \d+, since \d{4}-\S+Z); wait/;
    const holders = ran
      .filter(({ code }) => code !== 0)
      .map(({ output }: Ran) => refusal.exec(output)?.[1] ?? output.slice(-3000));
    assert.equal(new Set(holders).size, 1, holders.join("\n"));
    assert.ok(shown.includes(`master-0.example.com: held by ${holders[0] ?? ""}`), shown);
    assert.match(
      shown,
      /through SSH from [\d.]+:\d+ \(established\)\n {2}not to be cleared: its process \d+ is on this machine and runs/,
    );
    // a set a master, of the one run; and the others have not begun one here either
    for (const host of masters) {
      const archives = (await sets(host)).filter(
        (path) => path.endsWith(".tar.gz") && (path.split("/").at(-1) ?? "").startsWith("master-"),
      );
      assert.equal(archives.length, 1, archives.join("\n"));
    }
    for (const [n, name] of names.entries()) assert.equal(hasWorked(name), n === winner, name);
  });

  test("when it has ended, the lock is free on every master, and the next one works", async () => {
    const stack = stacks[0] ?? assert.fail();
    await eventually("the lock is free", 10, () => Promise.resolve(isFree(stack) ? undefined : lock(stack, "show")));
    const [loser] = stacks.filter(({ name }) => !hasWorked(name));
    const ran = await (loser ?? assert.fail()).up();
    assert.equal(ran.code, 0, ran.output.slice(-4000));
    assert.ok(isFree(stack));
  });
}
