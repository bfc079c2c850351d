import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readInventory } from "../../providers/plan/inventory-file.ts";
import { differenceOf, proved } from "../../providers/plan/inventory-proof.ts";
import { resolve, variablesOf } from "../../providers/plan/inventory-resolve.ts";

const resolved = (text: string) => readInventory(text, "ini").resolved;
const before = `[masters]
m0
m1 x=1
[nodes]
m0 label="{'a': 'b'}"
m1
n1
[all:children]
nodes
[nodes:vars]
secret=CANARY
[empty]
`;
const good = before.replace("m1 x=1\n", "").replace("m1\n", "");
const leaving = new Set(["m1"]);

describe("an edit is proved", () => {
  it("when only the leaving host is gone", () => {
    assert.equal(differenceOf(resolved(before), resolved(good), { leaving }), undefined);
    assert.doesNotThrow(() => proved(resolved(before), resolved(good), { leaving }));
  });

  it("unless a mapping is lost that hash_behaviour = merge would merge: the last one alone is the same", () => {
    const both = resolved(`[a]\nm0 x="{'a': 1}"\n[b]\nm0 x="{'b': 2}"\n[b:vars]\ny={'a': 1}\ny={'b': 2}\n`);
    for (const [one, what] of [
      [`[a]\nm0\n[b]\nm0 x="{'b': 2}"\n[b:vars]\ny={'a': 1}\ny={'b': 2}\n`, "m0 would have another value of x"],
      [`[a]\nm0 x="{'a': 1}"\n[b]\nm0 x="{'b': 2}"\n[b:vars]\ny={'b': 2}\n`, "m0 would have another value of y"],
    ] as const)
      assert.equal(differenceOf(both, resolved(one), { leaving }), what);
  });

  const cases: [string, string, string][] = [
    ["it is left somewhere", good.replace("n1", "n1\nm1"), "m1 would still be in nodes"],
    ["another host goes", good.replace("n1\n", ""), "n1 would be gone"],
    ["one comes", good.replace("n1", "n1\nn2"), "n2 would be added"],
    ["a host leaves a group", good.replace("[masters]\nm0\n", "[masters]\n"), "m0 would leave the group masters"],
    ["a host joins a group", good.replace("[empty]\n", "[empty]\nn1\n"), "n1 would join the group empty"],
    ["a host's variable changes", good.replace("'b'", "'c'"), "m0 would have another value of label"],
    ["a host's variable goes", good.replace(/ label=.*/, ""), "m0 would have another value of label"],
    ["a host's variable comes", good.replace("n1", "n1 y=2"), "n1 would have another value of y"],
    ["a group's variable changes", good.replace("CANARY", "OTHER"), "m0 would have another value of secret"],
    [
      "a variable of a group without hosts",
      `${good}[empty:vars]\nx=1\n`,
      "the group empty would have another value of x",
    ],
    ["a group goes", good.replace("[empty]\n", ""), "the group empty would be gone"],
    [
      "a group's priority",
      good.replace("secret", "ansible_group_priority=9\nsecret"),
      "the group nodes would have another priority",
    ],
    ["a group's parents", `${good}[nodes:children]\nempty\n`, "the group empty would have other parents"],
    [
      "the order",
      good.replace(`m0 label="{'a': 'b'}"\nn1`, `n1\nm0 label="{'a': 'b'}"`),
      "the group all would have its hosts in another order",
    ],
  ];
  for (const [what, after, sentence] of cases)
    it(`not when ${what}`, () => {
      assert.notEqual(after, good);
      assert.equal(differenceOf(resolved(before), resolved(after), { leaving }), sentence);
      assert.throws(
        () => proved(resolved(before), resolved(after), { leaving }),
        (error: Error) => {
          assert.equal(
            error.message,
            `taking out m1 would change the inventory otherwise: ${sentence}; edit it by hand`,
          );
          return error.name === "Refusal" && !/CANARY|OTHER/.test(error.message);
        },
      );
    });

  it("the order of one that is moved is not compared, that of the others is", () => {
    const after = good.replace(`m0 label="{'a': 'b'}"\nn1`, `n1\nm0 label="{'a': 'b'}"`);
    assert.equal(differenceOf(resolved(before), resolved(after), { leaving, moved: new Set(["n1"]) }), undefined);
    assert.ok(differenceOf(resolved(before), resolved(after), { leaving, moved: new Set(["x"]) }));
  });
});

describe("variables are merged", () => {
  const of = (text: string, host = "m"): Record<string, string> =>
    Object.fromEntries(
      [...variablesOf(resolved(text).hosts.get(host) ?? assert.fail())].map(([key, { text: value }]) => [key, value]),
    );
  const groups = "[a]\nm\n[b]\nm\n[a:vars]\nx=a\n[b:vars]\nx=b\n";
  const cases: [string, string, string][] = [
    ["by name", groups, "b"],
    ["by priority", `${groups}[a:vars]\nansible_group_priority=2\n`, "a"],
    ["by depth before that", `${groups}[a:vars]\nansible_group_priority=2\n[c:children]\nb\n`, "b"],
    ["the host's last", `${groups}[z]\nm x='m n'\n`, "m n"],
    ["its last line's", "[a]\nm x=1\n[b]\nm x=2\n", "2"],
    ["all's first", "[all:vars]\nx=all\nansible_group_priority=99\n[a]\nm\n[a:vars]\nx=a\n", "a"],
    ["on the group of that name, once it is known", "[m]\nm x=1\n[n]\nm\n[m:vars]\nx=2\n[m:children]\n", "2"],
  ];
  for (const [what, text, value] of cases) it(what, () => assert.equal(of(text)["x"], value));

  it("the port of the line that names the host first", () => {
    assert.deepEqual(of("[a]\nm:22\n[b]\nm:23\n"), { ansible_port: "22" });
    assert.deepEqual(of("[a]\nm\n[b]\nm:23\n"), {});
  });

  it("of several files, the last one wins and groups of earlier ones are known", () => {
    const files = ["[a]\nm x=1\n[a:vars]\ny=1\n", "[b:children]\na\n[a:vars]\ny=2\n[all]\nm x=2\n"];
    const { hosts, groups: all } = resolve(files.map((text) => readInventory(text, "ini").inventory));
    const m = hosts.get("m") ?? assert.fail();
    assert.deepEqual(m.groups, ["a", "all", "b"]);
    assert.deepEqual(
      [...variablesOf(m)].map(([key, { text }]) => `${key}=${text}`),
      ["y=2", "x=2"],
    );
    assert.deepEqual(all.get("b")?.hosts, ["m"]);
  });

  it("a priority that is no number, and a host in no group with a group's name, are refused", () => {
    assert.throws(
      () => resolved("[a]\n[a:vars]\nansible_group_priority=high\n"),
      /^Refusal: ansible_group_priority of .* group a is no number/,
    );
    assert.throws(
      () => resolved("[all]\na\n[a]\n"),
      /^Refusal: the inventory's host a is in no group and a group has its name/,
    );
  });
});
