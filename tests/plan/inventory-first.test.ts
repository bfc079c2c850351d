import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { HostIdentity } from "../../providers/plan/host.ts";
import { editInventory } from "../../providers/plan/inventory-edit.ts";
import type { InventoryForm } from "../../providers/plan/inventory.ts";
import { planInventory } from "../../providers/plan/plans.ts";
import type { Change, World } from "../../providers/plan/steps.ts";
import { firstOf, groupsIn } from "./inventory-read.ts";
import { fileOf, master, placeOf, removal, swap, unreachable, withMaster } from "./world.ts";

const host = (name: string, ...addresses: string[]): HostIdentity => ({ name, addresses });
const m2 = host("m2", "10.0.0.2");
const first = (text: string, form: InventoryForm, group = "masters", who = m2): string =>
  editInventory(text, form, [], [{ group, host: who }]).text;

describe("a host comes to the front of its group", () => {
  const ini: [string, string, string][] = [
    ["already there", "[masters]\nm2\nm1\n", "[masters]\nm2\nm1\n"],
    ["not in the group", "[masters]\nm1\n[etcd]\nm2\n", "[masters]\nm1\n[etcd]\nm2\n"],
    ["with its variables", "[masters]\nm1 a=b\nm2 c='d e' # f\nm3\n", "[masters]\nm2 c='d e' # f\nm1 a=b\nm3\n"],
    [
      "with the comments above it, behind those of the group",
      "[masters]\n# the masters\n\n# one\nm1\n# two\n; still two\nm2\n# three\nm3\n",
      "[masters]\n# the masters\n\n# two\n; still two\nm2\n# one\nm1\n# three\nm3\n",
    ],
    ["below what is said under the header", "[masters]\n# the masters\nm1\nm2\n", "[masters]\n# the masters\nm2\nm1\n"],
    ["out of a range", "[masters]\nm[1:3] a=b # r\n", "[masters]\nm2 a=b # r\nm1 a=b # r\nm3 a=b # r\n"],
    ["out of a range behind", "[masters]\nm0\nm[1:9]\n", "[masters]\nm2\nm0\nm1\nm[3:9]\n"],
    [
      "out of another section",
      "[masters]\nm1\n[etcd]\nm1\n[masters]\nm2\nm3\n",
      "[masters]\nm2\nm1\n[etcd]\nm1\n[masters]\nm3\n",
    ],
    ["without a final line end", "[masters]\r\nm1\r\nm2", "[masters]\r\nm2\r\nm1"],
    ["as an alias", "[masters]\nm1\nb ansible_host=10.0.0.2\n", "[masters]\nb ansible_host=10.0.0.2\nm1\n"],
    [
      "in the child that comes first",
      "[masters:children]\na\nb\n[a]\nm1\nm2\n[b]\nm3\n",
      "[masters:children]\na\nb\n[a]\nm2\nm1\n[b]\nm3\n",
    ],
  ];
  for (const [what, text, wanted] of ini)
    it(`INI: ${what}`, () => {
      assert.equal(first(text, "ini"), wanted);
      assert.equal(first(wanted, "ini"), wanted);
    });

  const yaml: [string, string, string][] = [
    [
      "with its variables",
      "masters:\n  hosts:\n    m1: {a: b}\n    m2:\n      c: d\n    m3:\n",
      "masters:\n  hosts:\n    m2:\n      c: d\n    m1: {a: b}\n    m3:\n",
    ],
    [
      "with the comments above it",
      "masters:\n  hosts:\n    # all\n    m1:\n    # two\n    m2: # x\n    # three\n    m3:\n",
      "masters:\n  hosts:\n    # all\n    # two\n    m2: # x\n    m1:\n    # three\n    m3:\n",
    ],
    [
      "out of a range",
      "masters:\n  hosts:\n    m[1:3]:\n      a: b\n",
      "masters:\n  hosts:\n    m2:\n      a: b\n    m1:\n      a: b\n    m3:\n      a: b\n",
    ],
    [
      "out of a range behind",
      'masters:\n  hosts:\n    m0:\n    "m[1:3]":',
      'masters:\n  hosts:\n    "m2":\n    m0:\n    "m1":\n    "m3":',
    ],
    [
      "in flow",
      "masters: {hosts: {m1: {a: b}, m2: {c: d}, m3: }}\n",
      "masters: {hosts: {m2: {c: d}, m1: {a: b}, m3: }}\n",
    ],
    ["last, in flow", "masters: {hosts: {m1: {a: b}, m2: {c: d}}}\n", "masters: {hosts: {m2: {c: d}, m1: {a: b}}}\n"],
    [
      "through an alias",
      "etcd:\n  hosts: &h\n    m1:\n    m2:\nmasters:\n  hosts: *h\n",
      "etcd:\n  hosts: &h\n    m2:\n    m1:\nmasters:\n  hosts: *h\n",
    ],
    ["without a final line end", "masters:\n  hosts:\n    m1:\n    m2:", "masters:\n  hosts:\n    m2:\n    m1:"],
  ];
  for (const [what, text, wanted] of yaml)
    it(`YAML: ${what}`, () => {
      assert.equal(first(text, "yaml"), wanted);
      assert.equal(first(wanted, "yaml"), wanted);
    });

  const refused: [string, InventoryForm, RegExp][] = [
    [
      "[masters:children]\na\nb\n[a]\nm1\n[b]\nm2\n",
      "ini",
      /m2 is to be the first of \[masters\].* from \[a\], and m2 is not in that/,
    ],
    ["x:\n  hosts: &h\n    m1:\nmasters:\n  hosts:\n    <<: *h\n    m2:\n", "yaml", /line 7 has m2 in another mapping/],
    // the port is that of the host's first line
    ["[masters]\nm1\n[etcd]\nm2:22\n[masters]\nm2:23\n", "ini", /m2 would have another value of ansible_port/],
  ];
  for (const [text, form, message] of refused)
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => first(text, form), { name: "Refusal", message }));

  it("groups that share their lines cannot have two first hosts", () =>
    assert.throws(
      () =>
        editInventory(
          "[etcd:children]\nmasters\n[masters]\nm1\nm2\nm3\n",
          "ini",
          [],
          [
            { group: "masters", host: host("m3") },
            { group: "etcd", host: m2 },
          ],
        ),
      { name: "Refusal", message: /m3 is to be the first of \[masters\] .* and m2 would be/ },
    ));

  it("whatever the lines, it is the first, and nothing else is different", () => {
    const line = fc.constantFrom("m1", "m2 a=b", "m[1:3]", "m3:22", "# m2", "", "  m4 x='# y'", "[masters]", "[etcd]");
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 9 }),
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        (lines, eol, final) => {
          const text = ["[masters]", ...lines].join(eol) + (final ? eol : "");
          let now: string;
          try {
            now = first(text, "ini");
          } catch (error) {
            // another value because its lines contradict each other
            assert.match(String(error), /would have another value/);
            return;
          }
          const groups = groupsIn(now, "ini");
          assert.deepEqual(groups, groupsIn(text, "ini"));
          if (groups["masters"]?.includes("m2") === true) assert.equal(firstOf(now, "ini", "masters"), "m2");
          if (!text.includes("m[")) assert.deepEqual(now.split(/\r?\n/).sort(), text.split(/\r?\n/).sort());
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("AnsibleInventory puts the holders first", () => {
  const text =
    "[masters]\nmaster-[0:3].example.com\n[etcd]\nmaster-0.example.com\nmaster-1.example.com\nmaster-2.example.com\nmaster-3.example.com\n";
  const held = (who: number, leaves: readonly number[]): { world: World; change: Change } => {
    const { world, change } = removal(4, leaves);
    const emptied = withMaster(world, master(0), { authority: [] });
    const places = [placeOf("/etc/origin/master/ca.serial.txt", "1F"), placeOf("/etc/etcd/ca/serial", "0A")];
    return {
      world: { ...withMaster(emptied, master(who), { authority: places }), inventory: fileOf("./hosts", text) },
      change,
    };
  };
  const planned = (who: number, leaves: readonly number[], world = held(who, leaves).world) => {
    const [step] = planInventory(world, held(who, leaves).change);
    return step?.do === "edit-inventory" ? { title: step.title, after: step.edit.after } : undefined;
  };

  it("when the holder stays and is not first", () => {
    const step = planned(2, [3]);
    assert.equal(
      step?.after,
      "[masters]\nmaster-2.example.com\nmaster-[0:1].example.com\n[etcd]\nmaster-2.example.com\nmaster-0.example.com\nmaster-1.example.com\n",
    );
    assert.match(
      step.title,
      /out of every group, put master-2\.example\.com first in \[masters\], since it holds the CA, put/,
    );
  });

  it("also when the leaving host is in no group any more, and says only that", () => {
    const { world, change } = held(2, [3]);
    const step = planned(2, [3], {
      ...world,
      inventory: fileOf("./hosts", "[etcd]\nmaster-1.example.com\nmaster-2.example.com\n"),
    });
    assert.equal(step?.title, "./hosts: put master-2.example.com first in [etcd], since it holds the CA");
    assert.deepEqual(planInventory({ ...world, inventory: fileOf("./hosts", step.after) }, change), []);
  });

  it("and only then", () => {
    const without = (n: number) =>
      `[masters]\n${n === 3 ? "master-[0:2].example.com" : "master-[1:3].example.com"}\n[etcd]\n${swap(text.split("[etcd]\n")[1] ?? "", `${master(n)}\n`, "")}`;
    assert.equal(planned(0, [3])?.after, without(3));
    // the holder leaves: what it has goes to the next of the group, before and after it got there
    assert.equal(planned(0, [0])?.after, without(0));
    assert.equal(planned(1, [0])?.after, without(0));
    // who holds it cannot be told
    assert.equal(planned(2, [3], unreachable(held(2, [3]).world, master(1)))?.after, without(3));
  });
});
