/** Time of the processor, the best of several runs, since other tests run at the same time: the promise is that of a machine that has nothing else to do. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { editInventory } from "../../providers/plan/inventory-edit.ts";
import { dropHost } from "../../providers/plan/inventory.ts";
import { largeInventory } from "./inventory-large.ts";

const best = (runs: number, work: () => void): number =>
  Math.min(
    ...Array.from({ length: runs }, () => {
      const started = process.cpuUsage();
      work();
      const { user, system } = process.cpuUsage(started);
      return (user + system) / 1000;
    }),
  );
const leaving = { name: "master-1.example.com", addresses: ["10.255.0.1"] };

describe("an inventory of 5,000 hosts", () => {
  const { text, gone } = largeInventory(5000);
  const lines = text.split("\n");

  it("loses exactly the intended lines", () => {
    const { text: after } = editInventory(text, "ini", [leaving]);
    assert.equal(after, lines.filter((_, at) => !gone.includes(at + 1)).join("\n"));
    assert.deepEqual(
      dropHost(text, leaving, "ini").dropped.map(({ line }) => line),
      gone,
    );
  });

  it("is edited in under 100 ms", () => {
    const took = best(10, () => dropHost(text, leaving, "ini"));
    assert.ok(took < 100, `${took.toFixed(0)} ms`);
  });

  it("and proved in as much again", () => {
    const took = best(10, () => editInventory(text, "ini", [leaving]));
    assert.ok(took < 200, `${took.toFixed(0)} ms`);
  });
});
