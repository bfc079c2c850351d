/** The grid of faults without a lab: what it asks for next, how it reads a run, what it counts, and what it writes down. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { faultKinds, faultsFrom, phasesOf } from "../../providers/plan/faults.ts";
import { Schedule, blows, pointIn, steps } from "../grid/blows.ts";
import { duplicatesBetween } from "../grid/effects.ts";
import { type Watched, metIn } from "../grid/observed.ts";
import { type Row, type Totals, faultsDocument, readBack } from "../grid/written-down.ts";

describe("what comes next", () => {
  it("every kind in every phase that it has, once at each step; those that leave the step undone come first", () => {
    const wanted = faultKinds.flatMap((kind) => phasesOf(kind).map((phase) => `${phase} ${kind}`));
    assert.deepEqual(blows.map(({ phase, kind }) => `${phase} ${kind}`).toSorted(), wanted.toSorted());
    const schedule = new Schedule();
    for (let n = 0; n < blows.length; n += 1) {
      const next = schedule.next();
      assert.equal(faultsFrom(next.join()).length, steps.length);
      for (const one of faultsFrom(next.join())) schedule.met({ ...one, step: `${one.resource}:${one.step}` });
    }
    assert.deepEqual([schedule.next(), schedule.unmet()], [[], []]);
    const order = blows.map(({ phase, kind }) => `${phase} ${kind}`);
    assert.ok(order.indexOf("in hang") < order.indexOf("before drop-link"));
    assert.ok(order.indexOf("before drop-link") < order.indexOf("in lose-answer"));
  });
  it("a step has met every kind before it meets one again", () => {
    const schedule = new Schedule();
    const met = faultKinds.map(() => {
      const [first = assert.fail()] = faultsFrom(schedule.next().join());
      schedule.met({ ...first, step: `${first.resource}:${first.step}` });
      return first.kind;
    });
    assert.deepEqual(met.toSorted(), [...faultKinds].toSorted());
  });
  it("what was not met is told", () => {
    const schedule = new Schedule();
    for (const blow of blows.slice(1)) schedule.met({ ...blow, step: "NodeDrain:drain" });
    const [first] = blows;
    assert.deepEqual(
      schedule.unmet().find(([step]) => step === "NodeDrain:drain"),
      ["NodeDrain:drain", `${first?.phase ?? ""} ${first?.kind ?? ""}`],
    );
  });
  it("a fault is read back as it is printed", () =>
    assert.deepEqual(pointIn("kill-engine before EtcdMembership 1 (remove-member)"), {
      kind: "kill-engine",
      phase: "before",
      step: "EtcdMembership:remove-member",
    }));
});

/** As the engine prints it; a second for each line. */
function run(code: number, lines: readonly string[], diagnostics = ""): Watched {
  const head = lines.map((line) => `    pulumi:pulumi:Stack x running ${line}\n`);
  const marks = head.map((_, n) => ({ at: n + 1, length: head.slice(0, n + 1).join("").length }));
  const tail = code === -1 ? "" : `Diagnostics:\n  pulumi:pulumi:Stack (x):\n${lines.join("\n")}\n${diagnostics}`;
  return { code, output: head.join("") + tail, took: lines.length + 1, marks };
}

describe("what a run shows", () => {
  it("one that got over a lost answer, and ended at a failure", () => {
    const met = metIn(
      run(
        1,
        [
          "[NodeDrain] 1/2 master-1: make master-0 unschedulable …",
          "fault: lose-answer in NodeDrain 1 (cordon)",
          "[NodeDrain] the answer was lost (making master-0 unschedulable on master-1 failed: x); reading back",
          "[NodeDrain] the answer was lost; the hosts show it done",
          "[StaticPods] 1/2 master-0: controllers off …",
          "fault: fail in StaticPods 1 (disable-manifest)",
        ],
        "  pulumi-nodejs:dynamic/openshift:StaticPods (x):\n    error: 1 error occurred:\n    \t* moving controller.yaml away on master-0 failed: exit 1\n",
      ),
    );
    assert.deepEqual(met, [
      {
        kind: "lose-answer",
        phase: "in",
        step: "NodeDrain:cordon",
        label: "master-1: make master-0 unschedulable",
        at: 2,
        seen: "the answer was lost (making master-0 unschedulable on master-1 failed: x); reading back",
        inRun: 2,
      },
      {
        kind: "fail",
        phase: "in",
        step: "StaticPods:disable-manifest",
        label: "master-0: controllers off",
        at: 6,
        seen: "moving controller.yaml away on master-0 failed: exit 1",
        inRun: undefined,
      },
    ]);
  });
  it("one that got over a dropped link, and ended since the lock went with it: it ended at that fault", () => {
    const lines = [
      "[MasterConfig] 1/2 m: t …",
      "fault: drop-link in MasterConfig 1 (edit)",
      "[MasterConfig] the answer was lost; the hosts show it done",
    ];
    const reason =
      "  x:\n    error: 1 error occurred:\n    \t* the lock on the masters was lost, nothing more is done: x\n";
    assert.deepEqual(
      metIn(run(1, lines, reason)).map(({ seen, inRun }) => [seen, inRun]),
      [["the lock on the masters was lost, nothing more is done: x", undefined]],
    );
  });
  it("one whose pulumi was killed, one whose provider was, one that was not stopped", () => {
    const lines = ["[NodeDrain] 1/2 m: t …", "fault: kill-engine before NodeDrain 1 (cordon)"];
    const [killed] = metIn(run(-1, lines));
    assert.deepEqual([killed?.seen, killed?.inRun], ["pulumi was killed", undefined]);
    const eof = "  x:\n    error: error reading from server: EOF\n";
    assert.equal(metIn(run(1, lines, eof))[0]?.seen, "error reading from server: EOF");
    const [over] = metIn(run(0, [...lines, "[NodeDrain] 1/2 done in 0.3 s"]));
    assert.deepEqual([over?.seen, over?.inRun], ["nothing: the step went on", 1]);
    assert.deepEqual(metIn(run(0, ["[NodeDrain] 1/2 m: t …"])), []);
  });
});

describe("duplicate effects", () => {
  const before = { ids: ["a", "b", "c"], starts: { "m api": 1, "m controllers": 2, "m etcd": 1 } };
  it("none: one member gone, API and controllers started once", () =>
    assert.deepEqual(
      duplicatesBetween(before, { ids: ["a", "b"], starts: { "m api": 2, "m controllers": 3, "m etcd": 1 } }, {}),
      [],
    ));
  it("a second member gone, a second start, any start of etcd", () =>
    assert.deepEqual(
      duplicatesBetween(before, { ids: ["a"], starts: { "m api": 4, "m controllers": 3, "m etcd": 2 } }, {}),
      [
        "member c is gone as well",
        "m api was started once more than needed",
        "m api was started once more than needed",
        "m etcd was started once more than needed",
      ],
    ));
  it("what the kubelet starts after a lost lease is none, on that host, of the controllers alone", () => {
    const now = { ids: ["a", "b"], starts: { "m api": 3, "m controllers": 5, "m etcd": 1 } };
    assert.deepEqual(duplicatesBetween(before, now, { m: 1, n: 7 }), [
      "m api was started once more than needed",
      "m controllers was started once more than needed",
    ]);
  });
});

it("what happened is written down, with what was not met and what had to be done by hand", () => {
  const row: Row = { step: "A:b", phase: "in", kind: "hang", seen: "a | b", converged: "so", recovery: 9.96 };
  const totals = {
    duplicates: ["m api twice"],
    lostLeases: 0,
    quorumLost: 0,
    longestGap: 2.5,
    acknowledged: 100,
    lostWrites: 0,
    runs: 3,
    decommissions: 1,
    asked: "every kind, for 3 minutes at most",
    at: "2026-11-30",
  };
  const text = faultsDocument([row, { ...row, recovery: undefined }], [["A:b", "after fail"]], totals);
  assert.match(text, /^\| injected .*\| 2 in 3 runs of 1 decommissions \|$/m);
  assert.match(text, /^\| resumed by a plain `up` .*\| 1; time to recover: median 10\.0 s, longest 10\.0 s \|$/m);
  assert.match(text, /Asked for: every kind, for 3 minutes at most\.$/m);
  assert.match(text, /^\| by hand .*\| 1 \|$/m);
  assert.match(text, /^\| duplicate effects .*\| 1: m api twice \|$/m);
  assert.match(text, /^\| hang \| in A:b \| a \\\| b \| so \| 10\.0 s \|$/m);
  assert.match(text, /^\| hang \| in A:b \| a \\\| b \| so \| by hand \|$/m);
  assert.match(text, /^- A:b: after fail$/m);
});

const written: Row[] = [
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
const sums: Totals = {
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

describe("docs/faults.md can be gone on from", () => {
  it("is read back as it was written", () =>
    assert.deepEqual(readBack(faultsDocument(written, unmet, sums)), { rows: written, totals: sums }));
  it("nobody goes on from a duplicate effect, or from a document that lacks a row", () => {
    assert.throws(() => readBack(faultsDocument(written, unmet, { ...sums, duplicates: ["x"] })), /duplicate effects/);
    assert.throws(() => readBack(faultsDocument(written, unmet, sums).replace(/^\| hang .*\n/m, "")), /2 of 3 faults/);
  });
});
