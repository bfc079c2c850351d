/** A host comes back into a YAML inventory: to the byte where nothing else happened, in its place where something did, else not at all. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { editInventory } from "../../providers/plan/inventory-edit.ts";
import { readInventory } from "../../providers/plan/inventory-file.ts";
import { inventoryForm } from "../../providers/plan/inventory-groups.ts";
import { differenceOf } from "../../providers/plan/inventory-proof.ts";
import { dropHost, restoreHost } from "../../providers/plan/inventory.ts";
import { Refusal } from "../../providers/plan/refusal.ts";
import { yamlInventory } from "../remote/inventory-forms.ts";

const host = (name: string, ...addresses: string[]) => ({ name, addresses });
const m1 = host("m1");
const restored = (now: string, former: string, who = m1): string => restoreHost(now, former, who, "yaml").text;

describe("a host of a YAML inventory comes back", () => {
  const folder = new URL("../fixtures/inventory/", import.meta.url);
  const fixtures = readdirSync(folder).filter((name) => inventoryForm(name) === "yaml");
  const hosts = [host("master-1.example.com", "192.168.55.12"), host("node-2.example.com")];
  for (const name of fixtures)
    it(`into ${name}, every byte of it`, () => {
      const text = readFileSync(new URL(name, folder), "utf8");
      for (const who of hosts) {
        const { text: without, dropped } = dropHost(text, who, "yaml");
        assert.deepEqual(restoreHost(without, text, who, "yaml"), { text, restored: dropped });
      }
    });

  const whole: [what: string, text: string][] = [
    ["the only one of its group", "a:\n  hosts:\n    m1:\n      k: v # w\n"],
    ["the last one, without a final newline", "a:\n  hosts:\n    m0:\n    m1: {k: v}"],
    ["with CRLF", "a:\r\n  hosts:\r\n    m0:\r\n    m1: # one\r\n    m2:\r\n"],
    ["behind a blank line and a comment", "a:\n  hosts:\n    m0:\n\n    # room 2\n    m1:\n\n    m2:\n"],
    ["a range, cut in two", "a:\n  hosts:\n    m[0:3]: # all\n      k: v\n    m7:\n"],
    ["a range in quotes", 'a:\n  hosts:\n    "m[1:2]": {k: v}\n'],
    ["in flow", "a: {hosts: {m0: , m1: {k: v}, m2: }}\n"],
    ["the last one in flow, on a line of its own", 'a: {\n  "hosts": {\n    "m0": {},\n    "m1": {"k": 1}\n  }\n}\n'],
    ["with the anchor that moved", "a:\n  hosts:\n    m1: &x # one\n      k: v\n    m2: *x # c\n    m3: *x\n"],
    ["in an anchored mapping", "a:\n  hosts: &h\n    m0:\n    m1: {k: v}\nb:\n  hosts: *h\nc:\n  hosts:\n    <<: *h\n    m9:\n"],
    ["twice in a row", "a:\n  hosts:\n    m1:\n      ansible_host: 10.0.0.1\n    other:\n      ansible_host: 10.0.0.1\n    m2:\n"],
    ["below itself", "all:\n  hosts:\n    m1: {k: v}\n  children:\n    a:\n      hosts:\n        m1:\n    b:\n      children:\n        c:\n          hosts:\n            m1:\n"],
  ]; // prettier-ignore
  for (const [what, text] of whole)
    it(`to the byte: ${what}`, () => {
      const who = host("m1", "10.0.0.1");
      const { text: without, dropped } = dropHost(text, who, "yaml");
      assert.notEqual(without, text);
      assert.equal(restored(without, text, who), text);
      assert.ok(dropped.length > 0);
      assert.equal(restored(text, text, who), text);
    });

  const former = "a:\n  hosts:\n    m0: {x: 1}\n    m1: # one\n      k: v\n    m2:\n      x: 2\n  vars:\n    y: 1\n";
  const back = "    m1: # one\n      k: v\n";
  const changed: [what: string, now: string, after: string][] = [
    [
      "the host above has other variables",
      "a:\n  hosts:\n    m0:\n      x: 2\n      z: 3\n    m2:\n      x: 2\n",
      `a:\n  hosts:\n    m0:\n      x: 2\n      z: 3\n${back}    m2:\n      x: 2\n`,
    ],
    ["the host above is gone", "a:\n  hosts:\n    m2:\n", `a:\n  hosts:\n${back}    m2:\n`],
    ["the host below is gone", "a:\n  hosts:\n    m0: {}\n  vars:\n", `a:\n  hosts:\n    m0: {}\n${back}  vars:\n`],
    ["all are gone", "a:\n  hosts: # none\n  vars: {}\n", `a:\n  hosts: # none\n${back}  vars: {}\n`],
    ["others are there", "a:\n  hosts:\n    n0:\n      x: 1\n\n# b\n", `a:\n  hosts:\n    n0:\n      x: 1\n${back}\n# b\n`],
    ["no final newline", "a:\n  hosts:\n    m0:", `a:\n  hosts:\n    m0:\n${back}`],
    [
      "the groups are in another order",
      "b:\n  hosts:\n    m0:\n    m2:\na:\n  vars: {}\n  hosts:\n    m0:\n    m2:\n",
      `b:\n  hosts:\n    m0:\n    m2:\na:\n  vars: {}\n  hosts:\n    m0:\n${back}    m2:\n`,
    ],
  ]; // prettier-ignore
  for (const [what, now, after] of changed)
    it(`where it was: ${what}`, () => assert.equal(restored(now, former), after));

  it("as a line of its own where its range has become something else", () => {
    const range = "a:\n  hosts:\n    m[0:4]: {k: v}\nb:\n  hosts:\n    m[1:2]:\n";
    assert.equal(
      restored("a:\n  hosts:\n    m0: {k: w}\n    m[2:4]: {k: v}\nb:\n  hosts:\n    m2:\n", range),
      "a:\n  hosts:\n    m0: {k: w}\n    m1: {k: v}\n    m[2:4]: {k: v}\nb:\n  hosts:\n    m1:\n    m2:\n",
    );
  });

  it("only into the groups that have it no more", () => {
    const two = "a:\n  hosts:\n    m0:\n    m1: {k: v}\nb:\n  hosts:\n    m1: {l: w}\n";
    const now = "a:\n  hosts:\n    m0:\nb:\n  hosts:\n    m1: {l: other}\n";
    assert.deepEqual(restoreHost(now, two, m1, "yaml"), {
      text: "a:\n  hosts:\n    m0:\n    m1: {k: v}\nb:\n  hosts:\n    m1: {l: other}\n",
      restored: [{ group: "a", line: 4 }],
    });
  });

  const told: [what: string, now: string, former: string, why: RegExp][] = [
    ["its group is gone", "b:\n  hosts:\n    m0:\n", former, /mapping of line 4 .* no longer there, .*; put it back by hand, where the former file has it: a \(line 4\)$/],
    ["the file is indented otherwise", "a:\n   hosts:\n      m0: {x: 1}\n      m2:\n", former, /line 4 .* now indented otherwise/],
    ["its group has become flow", "a:\n  hosts: {m0: {x: 1}, m2: }\n", former, /by hand/],
    ["its group is an alias now", "z: &z\n  hosts:\n    m0:\na: *z\n", former, /by hand/],
    ["its flow mapping was changed", "a:\n  hosts: {m0: , m3: }\n", "a:\n  hosts: {m0: , m1: {pw: canary}, m2: }\n", /line 2 of the former file was "hosts" and would be "hosts" without it, and the inventory has neither now/],
    ["the anchor it needs is gone", "a:\n  hosts:\n    m0:\n", "a:\n  hosts:\n    m0: &x {k: v}\n    m1: *x\n", /by hand/],
    ["the anchor it needs has another value", "a:\n  hosts:\n    m0: &x {k: w}\n", "a:\n  hosts:\n    m0: &x {k: v}\n    m1: *x\n", /m1 would have another value of k than it had/],
    ["the anchor it gave is elsewhere", "a:\n  hosts:\n    m3: *x\n    m2: &x {k: v}\n", "a:\n  hosts:\n    m1: &x {k: v}\n    m2: *x\n    m3: *x\n", /by hand|no YAML|cannot be understood/],
  ]; // prettier-ignore
  for (const [what, now, then, why] of told)
    it(`not where ${what}`, () =>
      assert.throws(
        () => restored(now, then),
        (error: unknown) =>
          error instanceof Refusal && why.test(error.message) && !/canary/.test(error.message)
            ? true
            : assert.fail(String(error)),
      ));
});

describe("properties of coming back into YAML", () => {
  const who = fc.constantFrom(m1, host("m2"), host("mb.example.com"), host("m5"));
  /** Undefined where it cannot be read or taken out. */
  function orRefused<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  }
  const resolved = (text: string) => readInventory(text, "yaml").resolved;

  it("what was taken out comes back byte for byte", () => {
    let came = 0;
    fc.assert(
      fc.property(yamlInventory, who, (text, leaver) => {
        const without = orRefused(() => editInventory(text, "yaml", [leaver]));
        if (without === undefined || !without.dropped) return;
        came += 1;
        assert.equal(restored(without.text, text, leaver), text);
      }),
      { numRuns: 300, seed: 20261130 },
    );
    assert.ok(came > 100, String(came));
  });

  it("and when others changed the file in between: in its groups with its variables, and nobody else is changed, or not at all", () => {
    let [came, refused] = [0, 0];
    fc.assert(
      fc.property(
        yamlInventory,
        who,
        fc.nat(),
        fc.constantFrom("drop", "comment", "change"),
        (text, leaver, at, how) => {
          const without = orRefused(() => editInventory(text, "yaml", [leaver]));
          if (without === undefined || !without.dropped) return;
          const lines = without.text.split("\n");
          const n = at % lines.length;
          if (how === "drop") lines.splice(n, 1);
          else if (how === "comment") lines.splice(n, 0, "  # mine");
          else lines[n] = (lines[n] ?? "").replace(/: 1$/, ": 2");
          const now = lines.join("\n");
          if (orRefused(() => resolved(now)) === undefined) return;
          const result = orRefused(() => restoreHost(now, text, leaver, "yaml"));
          if (result === undefined) return void (refused += 1);
          came += 1;
          assert.deepEqual(orRefused(() => dropHost(result.text, leaver, "yaml"))?.text, now);
          const leaving = new Set([leaver.name]);
          assert.equal(differenceOf(resolved(result.text), resolved(now), { leaving }), undefined);
        },
      ),
      { numRuns: 300, seed: 20261130 },
    );
    assert.ok(came > 3 * refused && refused > 0, `${came} came back, ${refused} did not`);
  });
});
