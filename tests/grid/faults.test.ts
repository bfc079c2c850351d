/**
 * `npm run test:all`: every fault at every step. Labs of five masters, two of which are retired one after the other, each the leader of etcd and the holder of both
 * certificate authorities; as many as are needed until nothing is left to be met. Every run of `up` is given the next fault of each step; it ends at the first that it does not get over by itself, and the next run goes on, until
 * one is not stopped any more. Clients write to etcd all the time. What happened is written to docs/faults.md.
 *
 * What it costs: 15 faults a step, those after which the step is still to be done all in the first decommission: 150 to 250 runs of 8 to 15 s; each of the others is the last
 * that a step meets in its decommission. Two hours on two processors, one with `OPENSHIFT_MASTERS_GRID=kinds`. `OPENSHIFT_MASTERS_GRID_MINUTES` ends it earlier, and with
 * `OPENSHIFT_MASTERS_GRID_GO_ON` it goes on from what docs/faults.md tells of the sittings before.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { cast } from "../../lab/cluster.ts";
import { reset } from "../../lab/lab.ts";
import { startWriter, writtenInWords } from "../../lab/writer.ts";
import { faultKinds } from "../../providers/plan/faults.ts";
import { TestStack, etcdctl, eventually, makeLeader, on } from "../lab/stack.ts";
import { Schedule, rare, steps } from "./blows.ts";
import { duplicatesBetween, effectsOn, watchLeases, watchQuorum } from "./effects.ts";
import { type Met, type Watched, metIn } from "./observed.ts";
import { type Row, faultsDocument, readBack } from "./written-down.ts";

const document = join(import.meta.dirname, "../../docs/faults.md");
/** Minutes after which no more faults are asked for: what is left is told as not met. */
const enough = Number(process.env["OPENSHIFT_MASTERS_GRID_MINUTES"] ?? "100");
const asked = `${process.env["OPENSHIFT_MASTERS_GRID"] === "kinds" ? "every kind in the middle of every step" : "every kind before, in and after every step"}, for ${enough} minutes at most`;
const isOver = (): boolean =>
  Date.now() - since > enough * 60_000 || !schedule.isDue(steps.filter((step) => !rare.includes(step)));
/** Runs of one decommission, at most. */
const most = 250;
/** At most: of the faults after which a step is done, it meets one in each decommission. */
const labs = 7;
const addresses = cast(5);

const schedule = new Schedule();
const rows: Row[] = [];
const totals = {
  runs: 0,
  decommissions: 0,
  acknowledged: 0,
  lostWrites: 0,
  quorumLost: 0,
  longestGap: 0,
  lostLeases: 0,
};
const sittings: string[] = [];
if (process.env["OPENSHIFT_MASTERS_GRID_GO_ON"] !== undefined) {
  const before = readBack(readFileSync(document, "utf8"));
  for (const row of before.rows) schedule.met(row);
  rows.push(...before.rows);
  Object.assign(totals, before.totals);
  sittings.push(before.totals.asked);
}
const duplicates: string[] = [];
const since = Date.now();

/** `up`, with the time of what it prints. */
async function watched(stack: TestStack, faults: readonly string[]): Promise<Watched> {
  const started = Date.now();
  const marks: { at: number; length: number }[] = [];
  const ran = await stack.withFaults(faults, () =>
    stack.watchedUp((output) => marks.push({ at: (Date.now() - started) / 1000, length: output.length })),
  );
  totals.runs += 1;
  return { ...ran, marks };
}

/** Archives have a new name in every run. */
const nameless = (text: string): string => text.replaceAll(/-\d{8}-\d{6}-[0-9a-f]{6}/g, "");

/** Whether the next run did the step `again`, something `more` of its resource, or `not` even that. */
function doneNext(met: Met, next: Watched): "again" | "more" | "not" {
  if (met.label !== "" && nameless(next.output).includes(`${nameless(met.label)} …`)) return "again";
  return new RegExp(`\\[${met.step.split(":")[0]}[^\\]]*\\] \\d+/\\d+ `).test(next.output) ? "more" : "not";
}

/** The fault that ended a run, judged by the run that followed. */
function judged(met: Met, next: Watched | undefined): Row {
  const { step, phase, kind, seen, inRun } = met;
  if (inRun !== undefined) return { step, phase, kind, seen, converged: "in the same run", recovery: inRun };
  if (next === undefined) return { step, phase, kind, seen, converged: "not", recovery: undefined };
  const converged = {
    again: "the next up did the step",
    more: "the next up found it done, or did what was left of it",
    not: "the next up found it done",
  }[doneNext(met, next)];
  return { step, phase, kind, seen, converged, recovery: metIn(next)[0]?.at ?? next.took };
}

/** One decommission, struck until it is not stopped any more. @throws Error when runs without a fault fail twice in a row */
async function struck(stack: TestStack): Promise<void> {
  let open: Met | undefined;
  let failures = 0;
  for (let n = 0; ; n += 1) {
    assert.ok(n < most, `${most} runs, and not at the end`);
    const run = await watched(stack, isOver() ? [] : schedule.next());
    if (run.code === -1) await stack.cancel();
    const met = metIn(run);
    // a run that fails without any fault may do so once: what the fault before it began may have to end first
    if (run.code !== 0 && met.length === 0) {
      failures += 1;
      console.log(`a run without a fault failed:\n${run.output.slice(-3000)}`);
      if (failures < 2) continue;
      if (open !== undefined) rows.push(judged(open, undefined));
      assert.fail(
        `two runs without a fault failed in a row, after ${open?.label ?? "nothing"}:\n${run.output.slice(-6000)}`,
      );
    }
    failures = 0;
    if (open !== undefined) rows.push(judged(open, run));
    for (const one of met) schedule.met(one);
    open = undefined;
    for (const one of met)
      if (one.inRun === undefined) open = one;
      else rows.push(judged(one, undefined));
    const last = met.at(-1);
    console.log(
      `${met.map((one) => `${one.kind} ${one.phase} ${one.step}`).join(", ") || "no fault"}: ${run.code}, ${run.took.toFixed(0)} s${last === undefined ? "" : `; ${last.seen}`}`,
    );
    if (run.code === 0) return;
  }
}

/** One master leaves; what that did to the cluster is counted. */
async function retired(stack: TestStack, leaving: string, staying: readonly string[]): Promise<void> {
  await makeLeader(leaving);
  const before = await effectsOn(staying);
  const at = (host: string): string => addresses[host] ?? "";
  const writer = startWriter([...staying, leaving].map(at), 2, 100);
  const quorum = watchQuorum(staying.map(at));
  const leases = watchLeases(staying);
  stack.drop(leaving);
  try {
    await struck(stack);
  } finally {
    const [written, voted, lost] = await Promise.all([writer.stop(at(staying[0] ?? "")), quorum.stop(), leases.stop()]);
    console.log(writtenInWords(written));
    totals.decommissions += 1;
    totals.acknowledged += written.acknowledged;
    totals.lostWrites += written.lost.length;
    totals.quorumLost += voted.lost;
    totals.longestGap = Math.max(totals.longestGap, voted.longest);
    totals.lostLeases += Object.values(lost).reduce((sum, count) => sum + count, 0);
    duplicates.push(...duplicatesBetween(before, await effectsOn(staying), lost));
  }
  await endState(stack, leaving, staying);
}

/** That of an undisturbed run. */
async function endState(stack: TestStack, leaving: string, staying: readonly string[]): Promise<void> {
  assert.match((await stack.up()).output, /17 unchanged/);
  assert.equal((await on(staying[0] ?? "", "oc get nodes -o name | wc -l")).output, `${staying.length}\n`);
  for (const balancer of ["lb-0", "lb-1"])
    assert.doesNotMatch(
      (await on(balancer, "cat /etc/haproxy/haproxy.cfg")).output,
      new RegExp(`${leaving.replace("-", "")}|disabled`),
    );
  for (const host of staying) {
    const seen = await on(
      host,
      "tr '\\0' ' ' </proc/$(pidof kube-apiserver)/cmdline; find /etc /backup -name '*.part' -o -name '*.work'",
    );
    assert.match(seen.output, new RegExp(`--apiserver-count=${staying.length}`));
    assert.doesNotMatch(seen.output, /\.part|\.work/);
    assert.equal((await on(host, "flock -n /run/lock/openshift-masters.lock echo free")).output, "free\n");
  }
  await eventually("every survivor is healthy", 60, async () => {
    const { output } = await etcdctl(staying[0] ?? "", "endpoint health --cluster 2>&1");
    return (output.match(/is healthy/g) ?? []).length === staying.length ? undefined : output;
  });
}

after(() => {
  if (rows.length > 0)
    writeFileSync(
      document,
      faultsDocument(rows, schedule.unmet(), {
        ...totals,
        duplicates,
        asked: [...sittings, asked].join("; then "),
        at: new Date().toISOString().slice(0, 10),
      }),
    );
});

/** A lab that failed is left as it is, for whoever looks. */
let failed = false;

/** A lab of five, two of which are retired. */
async function labStruck(name: string): Promise<void> {
  await reset({ masters: 5, grace: 5 });
  const stack = await TestStack.create(name, 5);
  // a rehearsal in each of so many runs would cost hours, and none of the faults strikes there
  stack.edit((text) => text.replace(/^( +)keep: 7$/m, "$1keep: 7\n$1rehearsal: false"));
  const adopted = await stack.up();
  assert.equal(adopted.code, 0, adopted.output.slice(-4000));
  stack.acknowledge("even-members");
  await retired(stack, "master-0", ["master-1", "master-2", "master-3", "master-4"]);
  // which holds the authorities since
  if (!isOver()) await retired(stack, "master-1", ["master-2", "master-3", "master-4"]);
}

for (let lab = 1; lab <= labs; lab += 1)
  test(`lab ${lab}: every fault at every step, and each decommission comes to the end of an undisturbed one`, async (t) => {
    if (failed || isOver()) {
      t.skip(failed ? "a lab before it failed" : "everything was met, or the minutes are over");
      return;
    }
    failed = true;
    await labStruck(`grid-${lab}`);
    failed = false;
  });

test("every fault was resumed by a plain up; nothing was done twice, no quorum and no acknowledged write was lost", () => {
  assert.deepEqual(
    rows.filter(({ recovery }) => recovery === undefined),
    [],
  );
  assert.deepEqual(duplicates, []);
  assert.deepEqual([totals.quorumLost, totals.lostWrites], [0, 0]);
  assert.ok(totals.acknowledged > 1000);
});

test("every step met every kind of fault", () => {
  const missing = steps
    .filter((step) => !rare.includes(step))
    .flatMap((step) =>
      faultKinds
        .filter((kind) => !rows.some((row) => row.step === step && row.kind === kind))
        .map((kind) => `${step} ${kind}`),
    );
  assert.deepEqual(missing, []);
});
