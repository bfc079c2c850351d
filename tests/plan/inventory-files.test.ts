/** Several files that are one inventory: which are edited, in which order, and what is proved over all of them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { editInventories, type First } from "../../providers/plan/inventory-edit.ts";
import { type NamedText, groupsOf, orderOf } from "../../providers/plan/inventory-files.ts";
import { surplusOf } from "../../providers/plan/inventory-facts.ts";
import { judge } from "../../providers/plan/preflight.ts";
import { planInventory } from "../../providers/plan/plans.ts";
import { render } from "../../providers/plan/show.ts";
import type { World } from "../../providers/plan/steps.ts";
import { after, fileOf, removal } from "./world.ts";

const files = (texts: Readonly<Record<string, string>>): NamedText[] =>
  Object.entries(texts).map(([path, text]) => ({ path, text }));
const edits = (texts: Readonly<Record<string, string>>, leaving: readonly string[], firsts: readonly First[] = []) =>
  editInventories(
    files(texts),
    leaving.map((name) => ({ name, addresses: ["10.0.0.9"] })),
    firsts,
  ).map(({ path, text }) => [path, text]);
const first = (name: string): First => ({ group: "masters", host: { name, addresses: [] } });

describe("several files are one inventory", () => {
  it("the host leaves each that names it, and groups of one file may be declared in another", () =>
    assert.deepEqual(
      edits(
        {
          "01-masters": "[masters]\nm1\nm2\n",
          "02-other": "[lb]\nl1\n",
          "03.yml": "etcd:\n  hosts:\n    m1:\n    m2: { a: 1 }\n",
          "04-all": "[OSEv3:children]\nmasters\netcd\n[masters:vars]\na=1\n",
        },
        ["m2"],
      ),
      [
        ["01-masters", "[masters]\nm1\n"],
        ["03.yml", "etcd:\n  hosts:\n    m1:\n"],
      ],
    ));

  it("an alias is taken out of every file, and of the one that tells its address last", () => {
    const texts = {
      a: "[masters]\nalias ansible_host=10.0.0.9\nm1\n",
      b: "[etcd]\nalias\nm1\n",
      c: "[nodes]\nm1\nalias\n",
    };
    const made = edits(texts, ["m2"]);
    assert.deepEqual(
      made.map(([path]) => path),
      ["b", "c", "a"],
    );
    // whatever was written before a kill, the rest is still found
    for (const count of [1, 2]) {
      const half = { ...texts, ...Object.fromEntries(made.slice(0, count)) } as Record<string, string>;
      assert.deepEqual(edits(half, ["m2"]), made.slice(count));
    }
  });

  it("the first of a group moves within the file that begins it", () => {
    const texts = { a: "[masters]\nm1\nm2\nm3\n", b: "[masters]\nm4\n" };
    assert.deepEqual(edits(texts, ["m3"], [first("m2")]), [["a", "[masters]\nm2\nm1\n"]]);
    assert.throws(() => edits(texts, ["m3"], [first("m4")]), /which begins in a, and m4 is in another file/);
  });

  const refused: [what: string, texts: Record<string, string>, why: RegExp][] = [
    ["a line of the second that is not understood", { a: "[m]\nm2\n", b: "[m\n" }, /Refusal: b: inventory line 1 /],
    ["a group that no file declares", { a: "[m]\nm2\n", b: "[x:children]\nnone\n" }, /group none/],
    [
      "two names of one address with different ports",
      { a: "[m]\nx ansible_host=10.0.0.9\n", b: "[m]\ny ansible_host=10.0.0.9 ansible_port=23\n" },
      /line 2 of b gives y the address of x \(line 2 of a\)/,
    ],
  ];
  for (const [what, texts, why] of refused)
    it(`refused: ${what}`, () => assert.throws(() => edits(texts, ["m2"]), why));

  it("two names of one address at the same line of two files are one host", () =>
    assert.deepEqual(edits({ a: "[m]\nx ansible_host=10.0.0.9\n", b: "[m]\ny ansible_host=10.0.0.9\n" }, ["m2"]), [
      ["a", "[m]\n"],
      ["b", "[m]\n"],
    ]));

  it("order and groups over all of them", () => {
    const texts = files({ a: "[masters]\nm2\n", b: "[masters]\nm1\n[etcd]\nm1\n" });
    const hosts = ["m1", "m2", "m3"].map((name) => ({ name, addresses: [] }));
    assert.deepEqual(orderOf(texts, "masters", hosts), ["m2", "m1"]);
    assert.deepEqual(groupsOf(texts), { all: ["m1", "m2"], masters: ["m1", "m2"], etcd: ["m1"] });
  });
});

describe("AnsibleInventory of a folder", () => {
  const { world, change } = removal(4, [3]);
  const texts = [
    "[masters]\nmaster-[0:3].example.com\n",
    "[etcd]\nmaster-[0:3].example.com\n",
    "[lb]\nlb-0.example.com\n",
  ];
  const [a, b, c] = texts.map((text, at) => fileOf(`/srv/inventory/0${at}`, text));
  assert.ok(a && b && c);
  const kept = ["00.before-101010-abcdef.orig", "00.before-101009-abcdef"];
  const folder: World = { ...world, inventory: { ...a, folder: "/srv/inventory", kept, more: [b, c] } };
  const keeping = (keep: number) => ({
    ...change,
    settings: { ...change.settings, backup: { ...change.settings.backup, keep } },
  });

  it("is one step for each file that changes, and converges from any of them", () => {
    const steps = planInventory(folder, change);
    assert.deepEqual(
      steps.map(({ title }) => title),
      ["00", "01"].map((name) => `/srv/inventory/${name}: take master-3.example.com out of every group`),
    );
    const half = steps.slice(0, 1).reduce(after, folder);
    assert.deepEqual(planInventory(half, change), steps.slice(1));
    assert.deepEqual(planInventory(steps.reduce(after, folder), change), []);
  });
  it("shows how many copies are kept, and which go", () => {
    assert.match(render(planInventory(folder, keeping(7))), /kept beside it; 7 such copies are, the newest\)/);
    const [step] = planInventory(folder, keeping(2));
    assert.ok(step?.do === "edit-inventory");
    assert.deepEqual(step.surplus, ["/srv/inventory/00.before-101009-abcdef"]);
    assert.match(render([step]), /2 such copies are, .* these go: \/srv\/inventory\/00\.before-101009-abcdef\)/);
    assert.equal(surplusOf({ ...a, kept }, 1).length, 2);
  });
  const beside: World = {
    ...folder,
    inventory: {
      ...a,
      hostVars: [
        "/srv/host_vars/master-3.example.com",
        "/srv/host_vars/192.168.55.21.yaml",
        "/srv/host_vars/master-2.example.com.yml",
        "/srv/host_vars/master-3.example.com.bak",
      ],
      named: [
        { path: "/srv/group_vars/all.yml", lines: [3, 8] },
        { path: "/srv/host_vars/master-3.example.com/main.yml", lines: [1] },
      ],
    },
  };
  it("variables of a host that leaves are told, and moved only when asked", () => {
    const told = (so: typeof change) => judge(beside, so, change.survivors).notes.filter((note) => /_vars/.test(note));
    const inventory = { ...change.settings.inventory, moveHostVars: true };
    const asked = { ...change, settings: { ...change.settings, inventory } };
    const names =
      "this machine: /srv/group_vars/all.yml names a host that leaves (line 3, 8): look whether that is still right";
    assert.deepEqual(
      told(change).map((note) => note.replace(/ has variables .*/, "")),
      ["this machine: /srv/host_vars/master-3.example.com", "this machine: /srv/host_vars/192.168.55.21.yaml", names],
    );
    assert.deepEqual(told(asked), [names]);
    assert.deepEqual(
      planInventory(beside, change).map((step) => step.do),
      ["edit-inventory"],
    );
    const steps = planInventory(beside, asked);
    assert.deepEqual(
      steps.map((step) => step.do),
      ["move-host-vars", "edit-inventory"],
    );
    assert.match(
      render(steps),
      /this machine: \/srv\/host_vars\/master-3\.example\.com, \S+21\.yaml: move aside, into the folder retired-<run> there/,
    );
    assert.deepEqual(planInventory(steps.reduce(after, beside), asked), []);
    assert.deepEqual(
      planInventory(steps.slice(0, 1).reduce(after, beside), asked).map((step) => step.do),
      ["edit-inventory"],
    );
  });
  it("its masters are found in whichever file", () =>
    assert.deepEqual(judge(folder, change, change.survivors).refusals, []));
});
