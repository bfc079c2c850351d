/** docs/faults.md can be gone on from: what was written down is read back. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Row, type Totals, faultsDocument, readBack } from "../grid/written-down.ts";

const rows: Row[] = [
  {
    kind: "hang",
    phase: "in",
    step: "MasterBackup:backup",
    seen: "a | b \\ c",
    converged: "the next up did the step",
    recovery: 16,
  },
  {
    kind: "lose-answer",
    phase: "in",
    step: "EtcdMembership:remove-member",
    seen: "",
    converged: "in the same run",
    recovery: 7.5,
  },
  { kind: "fail", phase: "before", step: "NodeDrain:cordon", seen: "x", converged: "not", recovery: undefined },
];
const totals: Totals = {
  duplicates: [],
  lostLeases: 3,
  quorumLost: 0,
  longestGap: 1.5,
  acknowledged: 14_200,
  lostWrites: 0,
  runs: 32,
  decommissions: 1,
  asked: "every kind in the middle of every step, for 15 minutes at most",
  at: "2026-11-30",
};
const unmet: [string, string][] = [["NodeDrain:drain", "in fail, in hang"]];

describe("docs/faults.md", () => {
  it("is read back as it was written", () =>
    assert.deepEqual(readBack(faultsDocument(rows, unmet, totals)), { rows, totals }));
  it("nobody goes on from a duplicate effect, or from a document that lacks a row", () => {
    assert.throws(() => readBack(faultsDocument(rows, unmet, { ...totals, duplicates: ["x"] })), /duplicate effects/);
    assert.throws(() => readBack(faultsDocument(rows, unmet, totals).replace(/^\| hang .*\n/m, "")), /2 of 3 faults/);
  });
});
