/** The record's lines, and what is read back from them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Entry,
  journalLineOf,
  lineOf,
  longestInJournal,
  maskedCommand,
  maskedReason,
  onlyLooks,
} from "../../providers/plan/record.ts";
import { endOf, readRecord } from "../../providers/plan/record-read.ts";
import { storyOf, tableOf } from "../../providers/plan/record-show.ts";

const at = "2026-11-30T09:51:29.123Z";
const run = "095129-a1b2c3";
const begin: Entry = {
  ...{ at, run, kind: "run", state: "begin", user: "root", sudo: "alice", from: "10.0.0.9", machine: "admin", pid: 7 },
  ...{ program: "570ef02c33c97bc371c9ca091ff668c03a40f1ae+changes", leaves: ["master-3"], stays: ["master-0"] },
};
const about = { resource: "FlannelNetwork", of: 4, does: "edit", host: "node-1", title: "edit flannel's file" };
const stepBegins = (step: number): Entry => ({ at, run, kind: "step", state: "begin", step, number: step, ...about });
const stepEnds = (step: number): Entry => ({
  ...{ at, run, kind: "step", state: "end", step, number: step, ...about },
  ...{ result: "left behind", reason: "it is silent", seconds: 1.25 },
});
const command = (id: number, what: string, script = "true"): Entry => ({
  ...{ at, run, kind: "command", state: "begin", id, step: 1, host: "node-1", what, command: script },
});
const commandEnds = (id: number, what: string): Entry => ({
  ...{ at, run, kind: "command", state: "end", id, step: 1, host: "node-1", what },
  ...{ outcome: "failed", exit: 3, seconds: 0.5 },
});
const runEnds: Entry = { at, run, kind: "run", state: "end", result: "failed", seconds: 60 };
const read = (...entries: Entry[]) => readRecord(entries.map(lineOf));
const only = (...entries: Entry[]) => read(...entries).runs[0] ?? assert.fail("there is no run");

describe("a line", () => {
  const texts = fc.string({ unit: "binary", maxLength: 3000 });
  it("is one line of printable ASCII, and comes back as it was", () => {
    fc.assert(
      fc.property(texts, texts, (what, script) => {
        const entry = command(1, what, script);
        const line = lineOf(entry);
        assert.match(line, /^[\x20-\x7e]*$/);
        assert.deepEqual(JSON.parse(line), entry);
      }),
    );
  });
  it("of a journal is never longer than every logger takes, whatever it holds, and says what it is of", () => {
    fc.assert(
      fc.property(texts, texts, fc.array(fc.string({ minLength: 1, maxLength: 253 }), { maxLength: 40 }), (a, b, c) => {
        for (const entry of [command(1, a, b), { ...begin, leaves: c, stays: c, user: a }]) {
          const line = journalLineOf(entry);
          assert.ok(line.length <= longestInJournal, `${line.length}`);
          assert.match(line, /^[\x20-\x7e]*$/);
          const { at: when, run: whose, kind, state } = JSON.parse(line) as Entry;
          assert.deepEqual([when, whose, kind, state], [at, run, entry.kind, "begin"]);
        }
      }),
      { numRuns: 200 },
    );
  });
  it("that is short enough is the same in a journal", () =>
    assert.equal(journalLineOf(command(1, "x")), lineOf(command(1, "x"))));
  it("of a long command keeps its beginning and its end in a journal", () => {
    const kept = JSON.parse(journalLineOf(command(1, "x", `first ${"-".repeat(3000)} last`))) as { command: string };
    assert.match(kept.command, /^first -+\.\.\..*- last$/);
  });
});

describe("what looks only", () => {
  for (const what of ["asking etcd", "listing etcd's members", "looking at x", "reading y", "taking the lock z"])
    it(what, () => assert.ok(onlyLooks(what)));
  for (const what of ["replacing x", "removing etcd member 1", "restarting api", "draining x after asking", "readying"])
    it(`not ${what}`, () => assert.equal(onlyLooks(what), false));
});

describe("a command that is kept", () => {
  it("has nothing that looks secret, not even of a key's block whose end is missing", () => {
    const script = [
      "stats auth admin:hunter2",
      "curl https://ops:hunter3@example.com/",
      "bindPassword: 'hunter4'",
      "-----BEGIN CERTIFICATE-----",
      "aHVudGVyNQ==",
      "-----END CERTIFICATE-----",
      "systemctl reload haproxy",
      "-----BEGIN RSA PRIVATE KEY-----",
      "aHVudGVyNg==",
    ].join("\n");
    const kept = maskedCommand(script);
    assert.doesNotMatch(kept, /hunter|aHVudGVy/);
    assert.match(kept, /^systemctl reload haproxy$/m);
  });
  it("keeps 2,000 characters: its beginning and its end", () => {
    const kept = maskedCommand(`first\n${"echo -\n".repeat(5000)}etcdctl member remove 29f8`);
    assert.match(kept, /^first\n[^]*\n… \d+ characters left out …\n[^]*etcdctl member remove 29f8$/);
    assert.ok(kept.length < 2100);
  });
  it("a reason is one line, without the host's own words", () => {
    assert.equal(maskedReason("x on y failed: exit 1; last lines:\n  | LABCANARY"), "x on y failed: exit 1");
    assert.equal(maskedReason("first\nsecond"), "first");
    assert.doesNotMatch(maskedReason("seen: password=LABCANARY"), /LABCANARY/);
  });
});

describe("read back", () => {
  const table: [end: string, entries: Entry[], isAlive: boolean][] = [
    ["failed", [begin, stepBegins(1), stepEnds(1), runEnds], false],
    ["killed in FlannelNetwork 2/4 on node-1", [begin, stepBegins(1), stepEnds(1), stepBegins(2)], false],
    ["killed in FlannelNetwork 1/4 on node-1 and 1 more", [begin, stepBegins(1), stepBegins(2)], false],
    ["killed between two steps", [begin, stepBegins(1), stepEnds(1)], false],
    ["under way in FlannelNetwork 1/4 on node-1", [begin, stepBegins(1)], true],
    ["failed, 3 lines missing", [begin, { at, run, kind: "gap", state: "end", missed: 3 }, runEnds], false],
  ];
  for (const [end, entries, isAlive] of table) it(end, () => assert.equal(endOf(only(...entries), isAlive), end));

  it("half lines, others' lines and kinds of a later version are passed over, and the first two counted", () => {
    const lines = [
      lineOf(begin).slice(0, 40),
      "",
      "[]",
      '{"at":1}',
      lineOf(begin),
      lineOf({ ...begin, kind: "dream" } as never),
    ];
    const { runs, unread } = readRecord(lines);
    assert.deepEqual([runs.length, unread], [1, 3]);
  });
  it("what began in a gap is known by its end; a number that is none is no line of ours", () => {
    const one = only(stepEnds(1), commandEnds(2, "draining"));
    assert.match([...storyOf(one, false, true)].join("\n"), /left behind {2}1\.3 s[^]*failed \(exit 3\).*draining/);
    assert.equal(readRecord([lineOf({ ...stepEnds(1), seconds: "1" } as never)]).unread, 1);
  });
  it("runs beside each other are kept apart", () => {
    const other = (entry: Entry): Entry => ({ ...entry, run: "other" });
    const { runs } = read(begin, other(begin), stepBegins(1), other(stepBegins(1)), other(stepEnds(1)));
    assert.deepEqual(
      runs.map((one) => [one.run, endOf(one, false)]),
      [
        [run, "killed in FlannelNetwork 1/4 on node-1"],
        ["other", "killed between two steps"],
      ],
    );
  });
  it("the table says who, from where, by which program, and how it ended", () => {
    const [heads = "", row = ""] = tableOf([only(begin, stepBegins(1), command(2, "x"), runEnds)], () => false);
    assert.match(heads, /^run +began \(UTC\) +who +program +leaves +steps +commands +end$/);
    assert.match(
      row,
      /^095129-a1b2c3 {2}2026-11-30 09:51:29 {2}alice as root@admin from 10\.0\.0\.9 {2}570ef02c33c9\+changes {2}master-3 +1 +1 +failed$/,
    );
  });
  it("a run is told step by step, with its commands; nothing of it moves the cursor", () => {
    const one = only(
      begin,
      stepBegins(1),
      command(2, "editing\x1b[2J\u202e", "a\nb"),
      commandEnds(2, "editing"),
      stepEnds(1),
      runEnds,
    );
    const lines = [...storyOf(one, false, true)];
    const text = lines.join("\n");
    for (const wanted of [
      /^09:51:29 {2}left behind {2}1\.3 s {2}FlannelNetwork 1\/4 {2}node-1: edit flannel's file$/m,
      /^ +it is silent$/m,
      /^ +failed \(exit 3\) {2}0\.5 s {2}node-1: editing\\x1b\[2J\\u202e$/m,
      /^ +\$ a\n +\$ b$/m,
    ])
      assert.match(text, wanted);
    assert.ok(lines.every((line) => !/[\0-\x1f\x7f-\x9f\u202e]/.test(line)));
    assert.doesNotMatch([...storyOf(one, false, false)].join("\n"), /\$ a/);
  });
});
