import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import { faultAt, faultKinds, faultsFrom, phasesOf, spoilt } from "../../providers/plan/faults.ts";

const at = { resource: "EtcdMembership", number: 2, does: "remove-member" };

test("a fault is found by its step's number or by what the step does, in its phase only", () => {
  const [byNumber, byDeed, anywhere] = faultsFrom(
    "EtcdMembership:2:before:kill-engine,EtcdMembership:remove-member:in:lose-answer,*:2:after:kill-engine",
  );
  assert.ok(byNumber && byDeed && anywhere);
  assert.equal(faultAt([byNumber], at, "before"), byNumber);
  assert.equal(faultAt([byNumber], at, "in"), undefined);
  assert.equal(faultAt([byNumber], { ...at, number: 1 }, "before"), undefined);
  assert.equal(faultAt([byDeed], at, "in"), byDeed);
  assert.equal(faultAt([byDeed], { ...at, resource: "MasterConfig" }, "in"), undefined);
  assert.equal(faultAt([anywhere], { ...at, resource: "MasterConfig" }, "after"), anywhere);
});

test("nothing asked for is no fault; what is not understood is quoted", () => {
  assert.deepEqual(faultsFrom(""), []);
  for (const wrong of [
    "EtcdMembership:1:in",
    "EtcdMembership:1:during:kill-engine",
    "EtcdMembership:1:in:explode",
    ":1:in:kill-engine",
    "EtcdMembership::in:kill-engine",
    "EtcdMembership:1:in:kill-engine:more",
  ])
    assert.throws(() => faultsFrom(wrong), { name: "Refusal", message: new RegExp(`"${wrong}" is not`) });
});

test("what cannot happen at that time is refused, with the reason and when it can", () => {
  for (const kind of faultKinds)
    for (const phase of ["before", "in", "after"] as const) {
      const text = `EtcdMembership:1:${phase}:${kind}`;
      if (phasesOf(kind).includes(phase)) assert.deepEqual(faultsFrom(text)[0]?.kind, kind);
      else
        assert.throws(() => faultsFrom(text), {
          name: "Refusal",
          message: new RegExp(`"${text}" cannot happen: ${phase} a step .+; ${kind} goes with in$`),
        });
    }
  assert.deepEqual(
    faultKinds.filter((kind) => phasesOf(kind).length === 1),
    ["lose-answer", "hang", "disk-full"],
  );
});

describe("a command that is spoilt, in the shells that hosts have", () => {
  const shells = ["/bin/sh", "/bin/bash"].filter((shell) => existsSync(shell));
  const run = (shell: string, kind: Parameters<typeof spoilt>[0], script: string, deadline = 60) => {
    const told = spoilt(kind, { script, deadline });
    const timeout = kind === "hang" ? 500 : 20_000;
    const { status, stdout, stderr, signal } = spawnSync(shell, ["-c", told.script], { encoding: "utf8", timeout });
    return { status, stdout, stderr, signal, deadline: told.deadline };
  };
  for (const shell of shells) {
    it(`${shell}: fail ends with 1 before anything is done`, () => {
      const { status, stdout, stderr } = run(shell, "fail", "echo done");
      assert.deepEqual([status, stdout], [1, ""]);
      assert.match(stderr, /^fault: /);
    });
    it(`${shell}: hang does nothing and does not end; its deadline is short`, () => {
      const { status, stdout, signal, deadline } = run(shell, "hang", "echo done");
      assert.deepEqual([status, stdout, signal, deadline], [null, "", "SIGTERM", 3]);
      assert.equal(spoilt("hang", { script: "", deadline: 2 }).deadline, 2);
    });
    it(`${shell}: disk-full lets nothing into files, by whatever program, and everything through pipes`, () => {
      const folder = mkdtempSync(join(tmpdir(), "full-"));
      try {
        writeFileSync(join(folder, "old"), "old");
        const script = `cd ${folder}; echo a | cat; echo b >new; echo "wrote: $?"; cp old copy; echo "copied: $?"; mv old moved; echo "moved: $?"`;
        const { stdout, stderr, status } = run(shell, "disk-full", script);
        assert.equal(status, 0);
        assert.match(stdout, /^a\nwrote: [12]\ncopied: 1\nmoved: 0\n$/);
        assert.match(stderr, /File too large/);
        assert.deepEqual(
          ["new", "copy", "moved"].map((name) => readFileSync(join(folder, name), "utf8")),
          ["", "", "old"],
        );
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});
