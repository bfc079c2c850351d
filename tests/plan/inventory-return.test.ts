/** A declared master that works and is missing in the inventory comes back, with its variables and where it was. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ansibleInventory } from "../../providers/ansible-inventory.ts";
import type { InventoryFacts } from "../../providers/plan/inventory-facts.ts";
import { planInventoryReturn } from "../../providers/plan/plans/inventory-return.ts";
import type { Change, Step, World } from "../../providers/plan/steps.ts";
import { after, fileOf, master, removal, unreachable, withMaster } from "./world.ts";

const m = (n: number): string => master(n);
const before = `[masters]\n${m(0)}\n# the one in room 2\n${m(1)} x='a b' # c\n${m(2)}\n[etcd]\nmaster-[0:2].example.com a=1\n`;
const without1 = `[masters]\n${m(0)}\n# the one in room 2\n${m(2)}\n[etcd]\n${m(0)} a=1\n${m(2)} a=1\n`;
const kept = (text: string, name = "hosts") => fileOf(`/srv/${name}.before-101010-abcdef.orig`, text);

const { world, change: removing } = removal(4, [3]);
const change: Change = { ...removing, leaving: {} };
const seen = (text: string, former: readonly string[], more: Partial<InventoryFacts> = {}): World => ({
  ...world,
  inventory: { ...fileOf("/srv/hosts", text), former: former.map((one) => kept(one)), ...more },
});
const texts = (steps: readonly Step[]) =>
  steps.map((step) => (step.do === "edit-inventory" ? [step.edit.before.path, step.edit.after] : [step.do]));

describe("a master that works and is missing", () => {
  it("comes back where it was, and is then there", () => {
    const so = seen(without1, [before]);
    const steps = ansibleInventory.plan(so, change);
    assert.deepEqual(texts(steps), [["/srv/hosts", before]]);
    assert.match(
      steps[0]?.title ?? "",
      /^\/srv\/hosts: put master-1\.example\.com back, which works and is declared, with its lines of \/srv\/hosts\.before-101010-abcdef\.orig$/,
    );
    assert.deepEqual(ansibleInventory.plan(steps.reduce(after, so), change), []);
  });

  it("comes back from the newest copy that has it, into each file of a folder, variables included", () => {
    const file = {
      ...fileOf("/srv/inv/b", `[etcd]\n${m(0)}\n${m(2)}\n`),
      former: [kept(`[etcd]\n${m(0)}\n${m(1)} y=2\n${m(2)}\n`, "b")],
    };
    const so = seen(
      `[masters]\n${m(0)}\n${m(2)}\n`,
      [`[masters]\n${m(0)}\n`, `[masters]\n${m(0)}\n${m(1)} x=1\n${m(2)}\n`],
      {
        folder: "/srv/inv",
        more: [file],
      },
    );
    const steps = ansibleInventory.plan(so, change);
    assert.deepEqual(texts(steps), [
      ["/srv/inv/b", `[etcd]\n${m(0)}\n${m(1)} y=2\n${m(2)}\n`],
      ["/srv/hosts", `[masters]\n${m(0)}\n${m(1)} x=1\n${m(2)}\n`],
    ]);
    // killed between the two
    assert.deepEqual(texts(ansibleInventory.plan(steps.slice(0, 1).reduce(after, so), change)), texts(steps.slice(1)));
    assert.deepEqual(ansibleInventory.plan(steps.reduce(after, so), change), []);
  });

  it("two come back by one edit", () => {
    const both = `[masters]\n${m(0)} a=0\n${m(1)}\n${m(2)}\n`;
    const so = seen(`[masters]\n${m(2)}\n`, [both]);
    const steps = planInventoryReturn(so, change);
    assert.deepEqual(texts(steps), [["/srv/hosts", both]]);
    assert.match(steps[0]?.title ?? "", /put master-0\.example\.com, master-1\.example\.com back, which work and are/);
    // the lifecycle asks for nothing to be left undone
    assert.deepEqual(planInventoryReturn(steps.reduce(after, so), change), []);
  });

  it("one comes back although another cannot", () => {
    const so = seen(`[masters]\n${m(2)}\n`, [`[masters]\n${m(1)} k=v\n${m(2)}\n`]);
    assert.deepEqual(texts(planInventoryReturn(so, change)), [["/srv/hosts", `[masters]\n${m(1)} k=v\n${m(2)}\n`]]);
    assert.match(ansibleInventory.notes(so, change).join(), /^master-0\.example\.com works .* no kept copy has it/);
  });

  const yaml = (lines: readonly string[]) => `masters:\n  hosts:\n${lines.map((line) => `    ${line}\n`).join("")}`;
  const inYaml = (now: string, former: string): World => ({
    ...world,
    inventory: { ...fileOf("/srv/h.yml", now), former: [fileOf("/srv/h.yml.before-101010-abcdef.orig", former)] },
  });
  const [m0, m1, m2] = [`${m(0)}:`, `${m(1)}: { x: "a b" } # c`, `${m(2)}:`];

  it("comes back into a YAML inventory too", () => {
    const so = inYaml(yaml([m0, m2]), yaml([m0, m1, m2]));
    const steps = ansibleInventory.plan(so, change);
    assert.deepEqual(texts(steps), [["/srv/h.yml", yaml([m0, m1, m2])]]);
    assert.deepEqual(ansibleInventory.plan(steps.reduce(after, so), change), []);
    assert.deepEqual(ansibleInventory.notes(so, change), []);
  });

  it("comes back where only the files together tell its groups and its name", () => {
    const etcd = (names: readonly string[]) =>
      `etcd:\n  hosts:\n${names.map((name) => `    ${name}: # ${name}\n`).join("")}`;
    const hosts = (more: string) => `[all:children]\netcd\n[masters]\n${m(0)}\n${more}${m(2)}\n`;
    const addresses = (more: string) => `${m(0)}\n${more}${m(2)}\n`;
    const file = (name: string, now: string, former: string) => ({
      ...fileOf(`/srv/inv/${name}`, now),
      former: [fileOf(`/srv/inv/${name}.before-101010-abcdef.orig`, former)],
    });
    const alias = "second ansible_host=192.168.55.12\n";
    const so: World = {
      ...world,
      inventory: {
        ...file("a.yml", etcd([m(0), m(2)]), etcd([m(0), "second", m(2)])),
        folder: "/srv/inv",
        more: [file("b", hosts(""), hosts("second k=v\n")), file("c", addresses(""), addresses(alias))],
      },
    };
    const steps = ansibleInventory.plan(so, change);
    assert.deepEqual(texts(steps), [
      ["/srv/inv/a.yml", etcd([m(0), "second", m(2)])],
      ["/srv/inv/c", addresses(alias)],
      ["/srv/inv/b", hosts("second k=v\n")],
    ]);
    assert.deepEqual(ansibleInventory.plan(steps.reduce(after, so), change), []);
    assert.deepEqual(ansibleInventory.notes(so, change), []);
  });

  it("unless Ansible does not agree", () => {
    const so = inYaml(yaml([m0, m2]), yaml([m0, m1, m2]));
    const no = { difference: "m9 would leave the group masters", back: [m(1)] };
    assert.deepEqual(ansibleInventory.plan({ ...so, ansible: no }, change), []);
    assert.match(
      ansibleInventory.notes({ ...so, ansible: no }, change).join(),
      /^master-1.* does not agree .* m9 would/,
    );
    // what it says of a removal is not about that
    assert.equal(ansibleInventory.plan({ ...so, ansible: { difference: "m9" } }, change).length, 1);
  });

  it("waits until what leaves has left", () =>
    assert.deepEqual(texts(ansibleInventory.plan(seen(`${without1}[lb]\n${m(3)}\n`, [before]), removing)), [
      ["/srv/hosts", `${without1}[lb]\n`],
    ]));

  const gone = seen(without1, [before]);
  const none: [what: string, world: World, told: RegExp | undefined][] = [
    ["one that is there", seen(before, [before]), undefined],
    ["one that cannot be reached", unreachable(gone, m(1)), undefined],
    [
      "one whose API is not ready",
      withMaster(gone, m(1), { readiness: { ready: false, asked: "", seen: "" } }),
      undefined,
    ],
    ["one whose etcd cannot be asked", withMaster(gone, m(1), { etcd: undefined }), undefined],
    ["one that no copy has", seen(without1, [without1]), /works and is not in \[masters\] .*, and no kept copy has it/],
    [
      "one whose section is gone",
      seen(`[masters]\n${m(0)}\n${m(2)}\n`, [before]),
      /\[etcd\] is no longer in the inventory/,
    ],
    [
      "one of a YAML inventory that has become another",
      inYaml(yaml([m0, m2]).replaceAll("  ", "   "), yaml([m0, m1, m2])),
      /is now indented otherwise, so .*; put it back by hand, where the former file has it: masters \(line 4\)$/,
    ],
    ["one of an inventory that is not understood", seen("[masters\n", [before]), undefined],
    ["one of an inventory that cannot be read", { ...world, inventory: { unreachable: "no" } }, undefined],
  ];
  for (const [what, so, told] of none)
    it(`not ${what}`, () => {
      assert.deepEqual(ansibleInventory.plan(so, change), []);
      const notes = ansibleInventory.notes(so, change);
      assert.equal(notes.length, told === undefined ? 0 : 1, notes.join());
      if (told !== undefined) assert.match(notes[0] ?? "", told);
    });
});
