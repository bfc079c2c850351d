import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { HostIdentity } from "../../providers/plan/host.ts";
import { editInventory } from "../../providers/plan/inventory-edit.ts";
import { dropHost, restoreHost, type InventoryForm } from "../../providers/plan/inventory.ts";
import { firstOf, groupsIn } from "./inventory-read.ts";

const fixture = (name: string): string =>
  readFileSync(new URL(`../fixtures/inventory/${name}`, import.meta.url), "utf8");
const host = (name: string, ...addresses: string[]): HostIdentity => ({ name, addresses });
const leaving = host("master-1.example.com", "192.168.55.12");
const refusal = (message: RegExp): { name: string; message: RegExp } => ({ name: "Refusal", message });

/** The text with some 1-based lines taken out, or replaced by others. */
function withLines(text: string, replaced: Record<number, string[]>): string {
  return text
    .split(/(?<=\n)/)
    .flatMap((line, at) => replaced[at + 1] ?? [line])
    .join("");
}

const groupsOf = (text: string, form: InventoryForm = "ini"): Record<string, string[]> => groupsIn(text, form);

/** A group without some hosts, as the file should resolve afterwards. */
function without(groups: Record<string, string[]>, ...names: string[]): Record<string, string[]> {
  const rest = Object.entries(groups).map(
    ([group, hosts]) => [group, hosts.filter((name) => !names.includes(name))] as const,
  );
  return Object.fromEntries(rest.filter(([group, hosts]) => group !== "ungrouped" || hosts.length > 0));
}

describe("dropHost of an INI inventory", () => {
  it("takes the host's lines out of every group", () => {
    for (const [file, eol] of [
      ["ose.ini", "\n"],
      ["ose-crlf.ini", "\r\n"],
    ] as const) {
      const before = fixture(file);
      assert.ok(before.includes(`[masters]${eol}`));
      const { text, dropped } = dropHost(before, leaving, "ini");
      assert.deepEqual(dropped, [
        { group: "masters", line: 18 },
        { group: "etcd", line: 24 },
        { group: "nodes", line: 32 },
      ]);
      assert.equal(text, withLines(before, { 18: [], 24: [], 32: [] }));
      assert.deepEqual(groupsOf(text), without(groupsOf(before), leaving.name));
    }
  });

  it("leaves an emptied group, and a file without the host", () => {
    const before = fixture("ose.ini");
    assert.deepEqual(dropHost(before, host("lb.example.com"), "ini").text, withLines(before, { 28: [] }));
    assert.deepEqual(groupsOf(dropHost(before, host("lb.example.com"), "ini").text)["lb"], []);
    for (const other of ["master-1", "master-1.example", "aster-1.example.com", "master-100.example.com", "masters"]) {
      assert.deepEqual(dropHost(before, host(other, "192.168.55.1"), "ini"), { text: before, dropped: [] });
    }
  });

  it("cuts ranges and keeps port, variables, indentation and comment", () => {
    const before = fixture("ranges.ini");
    const { text, dropped } = dropHost(before, host("ose3-master2.test.example.com"), "ini");
    const cut = (n: number, tail = ""): string => `ose3-master${n}.test.example.com${tail}\n`;
    const tail = "  openshift_node_group_name='node-config-master'   # masters";
    assert.equal(
      text,
      withLines(before, {
        2: [cut(1), cut(3)],
        5: [cut(1), cut(3)],
        8: [cut(1, ":22"), cut(3, ":22")],
        11: [`\t${cut(1, tail)}`, `\t${cut(3, tail)}`],
      }),
    );
    assert.deepEqual(
      dropped.map(({ group, line }) => `${group} ${line}`),
      ["ungrouped 2", "masters 5", "etcd 8", "nodes 11"],
    );
  });

  it("finds aliases by their address, on every line of that name", () => {
    const before = fixture("aliases.ini");
    const { text, dropped } = dropHost(before, leaving, "ini");
    assert.equal(text, withLines(before, { 3: [], 8: [], 15: [] }));
    assert.equal(dropped.length, 3);
    assert.equal(dropHost(before, host("other", "192.168.55.120"), "ini").dropped.length, 2);
    assert.equal(dropHost("m ansible_host=\"'192.168.55.12'\"\n", leaving, "ini").text, "");
    assert.equal(dropHost("m ansible_host=Master-1.example.com\n", leaving, "ini").text, "");
  });

  const ranges: [string, string, string[]][] = [
    ["m[1:3]", "m1", ["m[2:3]"]],
    ["m[1:3]", "m3", ["m[1:2]"]],
    ["m[1:2]", "m2", ["m1"]],
    ["m[1:1]", "m1", []],
    ["m[:3]", "m0", ["m[1:3]"]],
    ["m[1:9]", "m5", ["m[1:4]", "m[6:9]"]],
    ["m[1:10]x", "m1", ["m[1:10]x"]],
    ["m[01:12]", "m01", ["m[02:12]"]],
    ["m[01:12]", "m1", ["m[01:12]"]],
    ["m[08:11]", "m09", ["m08", "m[10:11]"]],
    ["m[1:9:2]", "m3", ["m1", "m[5:9:2]"]],
    ["m[1:10:2]", "m9", ["m[1:7:2]"]],
    ["m[1:9:2]", "m2", ["m[1:9:2]"]],
    ["m-[a:c].x", "m-b.x", ["m-a.x", "m-c.x"]],
    ["m[a:e:2]", "ma", ["m[c:e:2]"]],
    ["m[y:B]", "mA", ["m[y:z]", "mB"]],
    ["m[1:3]-[a:b]", "m2-a", ["m1-[a:b]", "m2-b", "m3-[a:b]"]],
    ["m[1:2][1:2]", "m11", ["m12", "m2[1:2]"]],
    ["[a:b]m", "am", ["bm"]],
    ["192.168.55.[8:10]", "192.168.55.9", ["192.168.55.8", "192.168.55.10"]],
    ["[fd00::12]:22", "fd00::12", []],
    ["fd00:0::12", "FD00::12", []],
    ['"m1"', "m1", []],
    ["m1#a", "m1", []],
  ];
  for (const [pattern, name, rest] of ranges) {
    it(`${pattern} without ${name} is ${rest.join(", ") || "nothing"}`, () => {
      const text = (patterns: string[]): string => `[g]\na\n${patterns.map((each) => `${each} k=v\n`).join("")}z\n`;
      assert.equal(dropHost(text([pattern]), host(name), "ini").text, text(rest));
    });
  }

  it("cuts a range on a last line without an end", () => {
    assert.equal(dropHost("[g]\r\nm[1:3]", host("m2"), "ini").text, "[g]\r\nm1\r\nm3");
    assert.equal(dropHost("m[1:3]", host("m2"), "ini").text, "m1\nm3");
    assert.equal(dropHost("[g]\nm1", host("m1"), "ini").text, "[g]\n");
  });
});

describe("what cannot be understood is refused", () => {
  const cases: [string, RegExp][] = [
    ["[g]\nm[1:3", /line 2 .*bracket/],
    ["[g]\nm1:3]", /line 2 .*bracket/],
    ["[g]\n\nm[1]", /line 3 .*begin:end/],
    ["[g]\nm[1:]", /line 2 .*begin:end/],
    ["[g]\nm[3:1]", /line 2 .*behind its end/],
    ["[g]\nm[01:3]", /line 2 .*widths/],
    ["[g]\nm[a:3]", /line 2 .*behind/],
    ["[g]\nm[1:3:0]", /line 2 /],
    ["[g]\nm[1:999999999]", /line 2 /],
    ["[g]\nm[1:200][1:200]", /line 2 .*too many/],
    ["[g]\n[g:parents]\n", /line 2 .*unknown kind ":parents"/],
    ["[g]\n[g:constructor]\n", /line 2 .*unknown kind/],
    ["[g h]\n", /line 1 is no section header/],
    ["[]\n", /line 1 is no section header/],
    ["[g:vars]\nsecret\n", /line 2 of \[g:vars\] has no "="/],
    ["[g]\nm1 check\n", /line 2 .*key=value/],
    ["[g]\nm1 a='b\n", /line 2 .*quote/],
    ["[g]\nm1 a=b\\", /line 2 .*backslash/],
    ['[g]\n""\n', /line 2 .*no host name/],
    ["---\nall:\n", /line 1 .*YAML/],
    ["all:\n  hosts:\n", /line 1 .*YAML/],
    ["$ANSIBLE_VAULT;1.1;AES256\n6234\n", /line 1 is encrypted/],
    ["[g:children]\na b\n", /line 2 .*no group name/],
  ];
  for (const [text, message] of cases) {
    it(JSON.stringify(text), () => {
      assert.throws(() => groupsIn(text, "ini"), refusal(message));
      assert.throws(() => dropHost(text, leaving, "ini"), refusal(message));
    });
  }

  it("without telling what stands there", () => {
    for (const text of [
      "[{'bindPassword': 'CANARY'}]",
      "[g:vars]\nCANARY\n",
      "[g:children]\nx CANARY\n",
      "m1 k=v CANARY\n",
      "m1 p='CANARY\n",
    ])
      assert.throws(
        () => groupsOf(text),
        (error: Error) => error.name === "Refusal" && !error.message.includes("CANARY"),
      );
    for (const text of [
      "a:\n  hosts:\n    m1: {p: CANARY\n",
      "a:\n  vars: CANARY\n",
      "a:\n  hosts:\n    m1:\n      p: 'CANARY\n",
    ])
      assert.throws(
        () => groupsOf(text, "yaml"),
        (error: Error) => error.name === "Refusal" && !error.message.includes("CANARY"),
      );
  });

  it("an undeclared group and a cycle", () => {
    assert.throws(() => groupsOf("[g:children]\nh\n"), refusal(/line 2 .*group h/));
    assert.throws(() => groupsOf("[g:vars]\na=b\n"), refusal(/line 1 .*group g/));
    assert.throws(() => groupsOf("[a:children]\nb\n[b:children]\na\n"), refusal(/line [24] .*descendant/));
    assert.throws(() => groupsOf("[a:children]\na\n"), refusal(/line 2 .*descendant/));
  });

  it("two machines behind the host's address", () => {
    const text = "a ansible_host=192.168.55.12 ansible_port=22\nb ansible_host=192.168.55.12 ansible_port=23\n";
    assert.throws(() => dropHost(text, leaving, "ini"), refusal(/line 2 gives b the address of a \(line 1\)/));
    assert.throws(() => dropHost("m[1:2] ansible_host=192.168.55.12\n", leaving, "ini"), refusal(/line 1 gives m2/));
    assert.equal(dropHost(text.replace("port=23", "port=22"), leaving, "ini").text, "");
  });

  it("a range with quotes within, only when it has to be cut", () => {
    assert.throws(() => dropHost('m"[1:2]"\n', host("m1"), "ini"), refusal(/line 1 .*quotes within/));
    assert.equal(dropHost('m"[1:1]"\n', host("m1"), "ini").text, "");
    assert.equal(dropHost('"m[1:2]" a=b\n', host("m1"), "ini").text, '"m2" a=b\n');
  });

  it("what Ansible takes for the end of a line", () => {
    for (const character of ["\r", "\f", "\u0085", "\u2028", "\ufeff"])
      assert.throws(() => groupsOf(`[g]\nm1 # a${character}m2\n`), refusal(/line 2 holds the character U\+/));
  });
});

describe("the groups and their first host", () => {
  const lines: [string, string[]][] = [
    ['m1 k="a\\"b # c" j=1', ["m1"]],
    ['m1 k="a\\\\" j=1', ["m1"]],
    ["m1 k='a\\' j=1", ["m1"]],
    ["m\\ 1 k=a\\ b", ["m 1"]],
    ["m1#2 nothing 'here", ["m1"]],
    ["m1 # nothing 'here", ["m1"]],
    ["[fd00::1]:22", ["fd00::1"]],
    ["m[1:2]:22 a=b", ["m1", "m2"]],
  ];
  for (const [line, hosts] of lines) {
    it(`read ${line} as Ansible does`, () => assert.deepEqual(groupsOf(`[g]\n${line}\n`)["g"], hosts));
  }

  it("expand ranges and children", () => {
    const groups = groupsOf(fixture("ranges.ini"));
    assert.equal(groups["all"]?.length, 21);
    assert.deepEqual(groups["ungrouped"], ["bastion.example.com"]);
    assert.deepEqual(
      groups["masters"],
      ["1", "2", "3"].map((n) => `ose3-master${n}.test.example.com`),
    );
    assert.equal(groups["nodes"]?.length, 20);
    assert.deepEqual(groups["OSEv3"], groups["nodes"]);
    assert.deepEqual(groupsOf(fixture("aliases.ini"))["etcd"], ["m0", "m1", "m10"]);
    assert.deepEqual(groupsOf(""), { all: [] });
  });

  it("give both forms of one inventory the same groups", () => {
    const ini = groupsOf(fixture("ose.ini"));
    const yaml = groupsOf(fixture("ose.yaml"), "yaml");
    assert.deepEqual(yaml["masters"], ini["masters"]);
    assert.deepEqual(yaml["etcd"], ini["etcd"]);
    assert.deepEqual(yaml["nodes"], ini["nodes"]);
    assert.deepEqual(yaml["lb"], ["master-1.example.com"]);
  });

  it("find the first host in file order", () => {
    const text = "[z:children]\nb\na\n[a]\nm2\nm1\n[b]\nm3\n[z]\nm9\n";
    assert.equal(firstOf(text, "ini", "a"), "m2");
    assert.equal(firstOf(text, "ini", "z"), "m9");
    // a child that is named before its section joins where that begins
    assert.equal(firstOf(text.replace("[z]\nm9\n", ""), "ini", "z"), "m2");
    assert.equal(firstOf("[a]\nm2\n[b]\nm3\n[z:children]\nb\na\n", "ini", "z"), "m3");
    assert.equal(firstOf(text, "ini", "all"), "m9");
    assert.equal(firstOf(text, "ini", "none"), undefined);
    assert.equal(firstOf(fixture("ose.yaml"), "yaml", "etcd"), "master-0.example.com");
  });
});

describe("restoreHost of an INI inventory", () => {
  it("gives the fixtures back after a removal", () => {
    for (const [file, who] of [
      ["ose.ini", leaving],
      ["ose-crlf.ini", host("master-0.example.com")],
      ["ose.ini", host("lb.example.com")],
      ["ranges.ini", host("ose3-master2.test.example.com")],
      ["ranges.ini", host("ose3-infra-a-2.test.example.com")],
      ["aliases.ini", leaving],
    ] as const) {
      const previous = fixture(file);
      const { text, dropped } = dropHost(previous, who, "ini");
      assert.notEqual(text, previous);
      assert.deepEqual(restoreHost(text, previous, who, "ini"), { text: previous, restored: dropped });
    }
  });

  const previous = "[g]\nm0\n# first\nm1 k=v\nm2\n[h]\nm[0:2] a=b\n";
  const one = host("m1");
  const cases: { why: string; text: string; restored: string }[] = [
    { why: "is already there", text: "[g]\nm1\n[h]\nm1\n", restored: "[g]\nm1\n[h]\nm1\n" },
    {
      why: "has a new comment on top",
      text: "[g]\n# new\nm2\n[h]\nm1\n",
      restored: "[g]\n# new\nm1 k=v\nm2\n[h]\nm1\n",
    },
    { why: "is there in one group", text: "[g]\nm1\n[h]\n", restored: "[g]\nm1\n[h]\nm1 a=b\n" },
    { why: "has lost the line above", text: "[g]\nm2\n[h]\nm0\n", restored: "[g]\nm1 k=v\nm2\n[h]\nm0\nm1 a=b\n" },
    {
      why: "has other variables above",
      text: "[g]\nm0 x=y\nm2\n[h]\n",
      restored: "[g]\nm0 x=y\nm1 k=v\nm2\n[h]\nm1 a=b\n",
    },
    {
      why: "has other variables in the cut range",
      text: "[g]\n[h]\nm0 a=c\nm2 a=b\n",
      restored: "[g]\nm1 k=v\n[h]\nm0 a=c\nm1 a=b\nm2 a=b\n",
    },
    {
      why: "has its groups in another order",
      text: "[h]\nm0 a=b\nm2 a=b\n[g]\n",
      restored: "[h]\nm[0:2] a=b\n[g]\nm1 k=v\n",
    },
  ];
  for (const { why, text, restored } of cases) {
    it(`when it ${why}`, () => assert.equal(restoreHost(text, previous, one, "ini").text, restored));
  }

  it("ends a line that was the last and is not any more", () => {
    assert.equal(restoreHost("[g]\na\n[h]\nb\n", "[g]\na\nm1", one, "ini").text, "[g]\na\nm1\n[h]\nb\n");
    assert.equal(restoreHost("[g]\r\na", "[g]\r\na\r\nm1", one, "ini").text, "[g]\r\na\r\nm1");
  });

  it("counts lines in the returned text", () => {
    const { text, restored } = restoreHost("[h]\nm0 a=b\nm2 a=b\n[g]\nm0\n", previous, one, "ini");
    assert.equal(text, "[h]\nm[0:2] a=b\n[g]\nm0\nm1 k=v\n");
    assert.deepEqual(restored, [
      { group: "h", line: 2 },
      { group: "g", line: 5 },
    ]);
  });

  it("refuses when the group is gone", () => {
    assert.throws(() => restoreHost("[g]\n", previous, one, "ini"), refusal(/\[h\] is no longer .*line 7/));
  });
});

describe("a YAML inventory", () => {
  it("loses only the lines of the host's pairs", () => {
    const before = fixture("ose.yaml");
    for (const [text, eol] of [
      [before, "LF"],
      [before.replaceAll("\n", "\r\n"), "CRLF"],
      [before.trimEnd(), "no end"],
    ] as const) {
      const after = dropHost(text, leaving, "yaml");
      assert.equal(
        after.text,
        withLines(text, { 12: [], 17: [], 25: [], 26: [], 27: [], 28: [], 29: [], 30: [], 31: [], 40: [] }),
        eol,
      );
      assert.deepEqual(after.dropped, [
        { group: "masters", line: 12 },
        { group: "etcd", line: 17 },
        { group: "nodes", line: 25 },
        { group: "lb", line: 40 },
      ]);
      assert.deepEqual(groupsOf(after.text, "yaml"), without(groupsOf(text, "yaml"), leaving.name));
      assert.deepEqual(dropHost(after.text, leaving, "yaml"), { text: after.text, dropped: [] });
    }
  });

  it("cuts a range and repeats its variables", () => {
    const before = fixture("ose.yaml");
    const pair = (name: string): string =>
      `            ${name}.example.com:\n              openshift_node_group_name: node-config-compute\n`;
    assert.equal(
      dropHost(before, host("node-2.example.com"), "yaml").text,
      withLines(before, { 36: [pair("node-1")], 37: [pair("node-3")] }),
    );
  });

  it("finds aliases, and hosts shared through a YAML alias", () => {
    const text = "all:\n  hosts:\n    m0: {ansible_host: 192.168.55.8}\n    m1: {ansible_host: 192.168.55.12}\n";
    assert.equal(dropHost(text, leaving, "yaml").text, withLines(text, { 4: [] }));
    const shared = "a:\n  hosts: &h\n    m0:\n    m1:\nb:\n  hosts: *h\n";
    assert.deepEqual(dropHost(shared, host("m1"), "yaml"), {
      text: withLines(shared, { 4: [] }),
      dropped: [
        { group: "a", line: 4 },
        { group: "b", line: 4 },
      ],
    });
    const merged = "v: &v\n  vars: &w {ansible_host: 192.168.55.12}\na:\n  hosts:\n    m0:\n    m1:\n      <<: *w\n";
    assert.equal(dropHost(merged, leaving, "yaml").text, withLines(merged, { 6: [], 7: [] }));
  });

  it("keeps an emptied group", () => {
    const { text } = dropHost("masters:\n  hosts:\n    m1:\n      a: b\n  vars:\n    k: m1\n", host("m1"), "yaml");
    assert.equal(text, "masters:\n  hosts:\n  vars:\n    k: m1\n");
    assert.deepEqual(groupsOf(text, "yaml"), { all: [], masters: [] });
  });

  const refused: [string, RegExp][] = [
    ["a:\n  hosts:\n    m1:\n      x: &x\n        k: v\n    m2: *x\n", /line 3 .*&x, which other lines need/],
    ["a:\n  hosts:\n    m1: &x\n      k: v\n    m2: {y: *x}\n", /line 3 .*&x, which other lines need/],
    ["a:\n  hosts:\n    m[0:2]: &x\n      k: v\n    m5: *x\n", /line 3 .*&x, which cannot be there twice/],
    ["a:\n  hosts:\n    ? m1\n    : {}\n", /line 3 .*other text/],
    ["a:\n  hosts:\n    m[1:2:\n", /line 3 .*bracket/],
    ["a:\n  hosts:\n    - m1\n", /line 2 .*mapping/],
    ["a:\n  hosts: m1\n", /line 2 .*only one/],
    ["a:\n  hosts:\n    m1: 5\n", /line 3 .*variables/],
    ["a:\n  hosts: &h\nb:\n  hosts:\n    <<: *h\n    m1:\n", /line 4 .*<< that is no mapping/],
    ["a:\n  hosts:\n    12:\n", /line 3 .*plain name/],
    ["a:\n  hosts:\n    m1:\n    m1:\n", /line 2 has in hosts of a the key m1 twice/],
    ["a:\n\thosts:\n", /line 2 is no YAML/],
    ["a: &a\n  children:\n    b:\n      children:\n        a: *a\n", /line 5 .*descendant/],
    ["plugin: aws_ec2\n", /line 1 .*plugin/],
    ["$ANSIBLE_VAULT;1.1;AES256\n6234\n", /line 1 is encrypted/],
    ["[masters]\nm1\n", /line \d /],
  ];
  for (const [text, message] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(() => dropHost(text, host("m1"), "yaml"), refusal(message)));
  }

  const flows: [string, string][] = [
    ["{m0: , m1: }", "{m0:  }"],
    ["{m1: {k: v}, m0: {k: w}}", "{m0: {k: w}}"],
    ["{m1, m0}", "{m0}"],
    ["{m1}", "{}"],
    ['{"m1": {"k": "}, \\" {"}, "m0": {}}', '{"m0": {}}'],
    ['{ "m0": null, "m1": null }', '{ "m0": null }'],
    ["{'m[0:2]': {k: v}, m9: }", "{'m0': {k: v}, 'm2': {k: v}, m9: }"],
    [
      "{\n    m0: {},  # zero\n    m1: {},  # one\n    # nine\n    m9: {}\n  }",
      "{\n    m0: {},  # zero\n    # nine\n    m9: {}\n  }",
    ],
    ["{\n    m0: {}, # zero, first\n    # one\n    m1: {}\n  }", "{\n    m0: {} # zero, first\n    # one\n  }"],
    ["{\n    m0: {},\n    m1: {},\n  }", "{\n    m0: {},\n  }"],
  ];
  for (const [flow, rest] of flows)
    it(`takes it out of ${JSON.stringify(flow)}`, () => {
      const file = (hosts: string) => `a:\n  hosts: ${hosts}\n  vars: {x: y}\n`;
      const { text } = dropHost(file(flow), host("m1"), "yaml");
      assert.equal(text, file(rest));
      assert.deepEqual(groupsOf(text, "yaml"), without(groupsOf(file(flow), "yaml"), "m1"));
    });

  const shared: [string, string][] = [
    // an anchor that only lines of the host use goes with it
    ["a:\n  hosts:\n    m1: &x {k: v}\nb:\n  hosts:\n    m1: *x\n    m2:\n", "a:\n  hosts:\nb:\n  hosts:\n    m2:\n"],
    [
      "a:\n  hosts: &h\n    m1:\n    m2:\nb:\n  hosts:\n    <<: *h\n    m3:\n",
      "a:\n  hosts: &h\n    m2:\nb:\n  hosts:\n    <<: *h\n    m3:\n",
    ],
    ["a: &a\n  hosts:\n    m1:\n    m2:\nb: *a\n", "a: &a\n  hosts:\n    m2:\nb: *a\n"],
    // one that others use moves to the first of them
    [
      "a:\n  hosts:\n    m1: &x {k: v}\n    m2: *x # c\n    m3: *x\n",
      "a:\n  hosts:\n    m2: &x {k: v} # c\n    m3: *x\n",
    ],
    [
      "a:\n  hosts:\n    m1: &x # one\n      k: v\n\n      l: |\n        # two\n    # three\n    m2: *x # c\n    m3: *x\n",
      "a:\n  hosts:\n    # three\n    m2: &x # one # c\n      k: v\n\n      l: |\n        # two\n    m3: *x\n",
    ],
    [
      "a:\n  hosts:\n    m1: &x\n      k: v\nb:\n  children:\n    c:\n      hosts:\n        m1:\n        m2:\n          <<: *x",
      "a:\n  hosts:\nb:\n  children:\n    c:\n      hosts:\n        m2:\n          <<: &x\n            k: v\n",
    ],
    ["a:\n  hosts:\n    m1: {p: &p !vault '$A'}\n    m2: {q: *p}\n", "a:\n  hosts:\n    m2: {q: &p !vault '$A'}\n"],
    ['a:\n  hosts:\n    "m[1:2]": {k: v}\n', 'a:\n  hosts:\n    "m2": {k: v}\n'],
  ];
  for (const [text, rest] of shared)
    it(`resolves ${JSON.stringify(text)}`, () => {
      assert.equal(dropHost(text, host("m1"), "yaml").text, rest);
      assert.equal(editInventory(text, "yaml", [host("m1")]).text, rest);
    });
});

describe("properties", () => {
  const pattern = fc.constantFrom(
    "m1",
    "m2",
    "m10",
    "m[1:3]",
    "m[0:9:3]",
    "m[01:03]",
    "x[a:c]m[1:2]",
    "m[1:1]",
    "m1:22",
    '"m2"',
  );
  const tail = fc.constantFrom("", " k=v", "\tk='a # b'  ", " # m1", " j=\"{'m1': 1}\"");
  const line = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(pattern, tail).map(([name, rest]) => name + rest) },
    { weight: 1, arbitrary: fc.constantFrom("", "# m1", "; m2", "  ", "  m1", "\tm[1:2]") },
  );
  const section = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(fc.constantFrom("[masters]", "[etcd] # m1", "[nodes]"), fc.array(line, { maxLength: 6 })),
    },
    { weight: 1, arbitrary: fc.constant(["[masters:vars]", ["a=m1", "# m1"]] as [string, string[]]) },
  );
  const inventory = fc
    .record({
      top: fc.array(line, { maxLength: 3 }),
      sections: fc.array(section, { maxLength: 5 }),
      eol: fc.constantFrom("\n", "\r\n"),
      final: fc.boolean(),
    })
    .map(({ top, sections, eol, final }) => {
      const headers = sections.flatMap(([header, lines]) => [header, ...lines]);
      return ["# inventory", ...top, "[masters]", ...headers].join(eol) + (final ? eol : "");
    });
  const who = fc.constantFrom(host("m1"), host("m2"), host("m01"), host("xbm1"), host("m10", "m3"));

  it("a host leaves every group, nobody else does, and comes back byte for byte", () => {
    fc.assert(
      fc.property(inventory, who, (text, leaver) => {
        const after = dropHost(text, leaver, "ini");
        assert.deepEqual(groupsOf(after.text), without(groupsOf(text), leaver.name, ...leaver.addresses));
        assert.deepEqual(dropHost(after.text, leaver, "ini"), { text: after.text, dropped: [] });
        assert.equal(restoreHost(after.text, text, leaver, "ini").text, text);
      }),
      { numRuns: 1000 },
    );
  });

  it("lines that do not name the host stay as they are", () => {
    fc.assert(
      fc.property(inventory, who, (text, leaver) => {
        const { text: after, dropped } = dropHost(text, leaver, "ini");
        const touched = new Set(dropped.map(({ line }) => line));
        const untouched = text.split(/(?<=\n)/).filter((_, at) => !touched.has(at + 1));
        const left = after.split(/(?<=\n)/);
        for (const each of untouched) {
          const at = left.indexOf(each);
          assert.ok(at >= 0, `${JSON.stringify(each)} is gone or moved`);
          left.splice(0, at + 1);
        }
      }),
      { numRuns: 500 },
    );
  });
});
