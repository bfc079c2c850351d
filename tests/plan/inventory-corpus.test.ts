/** Every layout of tests/fixtures/inventory without one host: exactly these lines are gone, or replaced by those. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { editInventory } from "../../providers/plan/inventory-edit.ts";
import { inventoryForm } from "../../providers/plan/inventory-groups.ts";

const folder = new URL("../fixtures/inventory/", import.meta.url);
const text = (name: string): string => readFileSync(new URL(name, folder), "utf8");
const leaving = { name: "master-1.example.com", addresses: ["192.168.55.12"] };
const called = (name: string) => ({ name, addresses: [] });

interface Expected {
  readonly host?: { readonly name: string; readonly addresses: readonly string[] };
  /** 1-based line of the file → what stands there afterwards, without line end. */
  readonly lines: Readonly<Record<number, readonly string[]>>;
}
const gone = (...lines: number[]): Expected => ({ lines: Object.fromEntries(lines.map((line) => [line, []])) });

const corpus: Record<string, readonly Expected[]> = {
  "native-ha.ini": [
    {
      lines: {
        ...gone(28, 33, 40).lines,
        43: [
          "master-0.example.com openshift_node_group_name='node-config-master' # all masters",
          "master-2.example.com openshift_node_group_name='node-config-master' # all masters",
        ],
      },
    },
    {
      host: called("node-01.example.com"),
      lines: {
        45: ["node-[02:12].example.com openshift_node_group_name='node-config-compute' openshift_hostname_check=false"],
      },
    },
    {
      host: called("infra-b.example.com"),
      lines: { 44: ["infra-a.example.com openshift_node_group_name='node-config-infra'"] },
    },
  ],
  "glusterfs.ini": [gone(15, 20, 25, 33, 38)],
  "etcd-apart.ini": [
    gone(14, 21),
    { host: called("node-2.example.com"), lines: { 33: ["node-0.example.com", "node-4.example.com"] } },
  ],
  "single-master.ini": [gone(2, 21, 24)],
  "vendor.ini": [gone(8, 13, 19), { ...gone(9, 14, 20), host: called("master-2.example.com") }],
  "crlf-tabs.ini": [gone(5, 11, 14, 22)],
  "names.ini": [
    {
      lines: {
        ...gone(3, 8, 14).lines,
        17: ["192.168.55.[10:11]", "192.168.55.[13:14]"],
      },
    },
  ],
  "ranges-nasty.ini": [
    { host: called("m2"), lines: { 2: ["m1 k=1", "m3 k=1"], 16: ["m0", "m[4:10:2]"] } },
    {
      host: called("m-c.example.com"),
      lines: { 5: ["m-[a:b].example.com", "m-[d:e].example.com"], 6: ["m-a.example.com", "m-e.example.com"] },
    },
    {
      host: called("m002.example.com"),
      lines: {
        9: [
          "\"m001.example.com:2222\" a='b c' # quoted, with a port",
          "\"m003.example.com:2222\" a='b c' # quoted, with a port",
        ],
      },
    },
    { host: called("m09"), lines: { 10: ["m08", "m[10:12]"] } },
    {
      host: called("m2-b.example.com"),
      lines: { 13: ['m1-[a:c].example.com x="y # z"', 'm2-a.example.com x="y # z"', 'm2-c.example.com x="y # z"'] },
    },
    { host: called("m5"), lines: { 17: ["m[1:3:2]:22", "m[7:9:2]:22"] } },
    { host: called("m1"), lines: { 2: ["m[2:3] k=1"], 17: ["m[3:9:2]:22"], 20: [] } },
  ],
  "anchors.yml": [
    // the first master has the anchor that the others use
    {
      host: called("master-0.example.com"),
      lines: {
        ...gone(16, 17, 18).lines,
        21: [
          "              <<: &master",
          "                openshift_node_group_name: node-config-master",
          '                labels: [a, "b # c"]',
        ],
      },
    },
    {
      lines: {
        ...gone(20, 21, 22).lines,
        34: ["        lb: { hosts: { lb-0.example.com: { x: 1 } }, vars: { y: 1:30 } }"],
        37: [],
      },
    },
    {
      host: called("node-1.example.com"),
      lines: {
        30: [
          "            node-0.example.com: # compute",
          "              openshift_node_group_name: node-config-compute",
          "            node-2.example.com: # compute",
        ],
      },
    },
  ],
  "flow.json": [
    {
      lines: {
        7: ['          "master-0.example.com": { "ansible_host": "192.168.55.8" }'],
        8: [],
        11: ['      "etcd": { "hosts": { "master-0.example.com": {} } },'],
        ...gone(15, 16, 17, 18).lines,
      },
    },
  ],
  "vault.yml": [gone(13)],
  "nested.yaml": [gone(4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 18, 23)],
  "aliases.ini": [gone(3, 8, 15)],
  "ose.ini": [gone(18, 24, 32)],
  "ose-crlf.ini": [gone(18, 24, 32)],
  "ose.yaml": [gone(12, 17, 25, 26, 27, 28, 29, 30, 31, 40)],
  "ranges.ini": [{ host: called("late.test.example.com"), lines: { 16: [] } }],
};

describe("the corpus", () => {
  for (const [name, all] of Object.entries(corpus))
    for (const { host = leaving, lines } of all)
      it(`${name} without ${host.name}`, () => {
        const before = text(name);
        const eol = before.includes("\r\n") ? "\r\n" : "\n";
        const expected = before
          .split(/(?<=\n)/)
          .flatMap((line, at) => lines[at + 1]?.map((each) => each + (line.endsWith("\n") ? eol : "")) ?? [line])
          .join("");
        const { text: after } = editInventory(before, inventoryForm(name), [host]);
        assert.equal(after, expected);
        assert.equal(editInventory(after, inventoryForm(name), [host]).text, after);
      });

  it("is all of it", () => assert.deepEqual(readdirSync(folder).sort(), Object.keys(corpus).sort()));
});
