import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import {
  parseRehearsed,
  rehearsalLimits,
  rehearsalScript,
  type RehearsalScript,
} from "../../providers/plan/rehearsal-script.ts";
import { Refusal } from "../../providers/plan/refusal.ts";

const order: RehearsalScript = {
  version: "3.4.23",
  etcd: "/opt/a b/etcd",
  etcdctl: "/usr/bin/etcdctl",
  restorer: "/usr/bin/etcdctl",
  bytes: 24_608,
  sha256: "ab".repeat(32),
  revision: "8",
};

describe("limits", () => {
  const [MiB, GiB] = [2 ** 20, 2 ** 30];
  test("of a small snapshot and of a big one", () => {
    assert.deepEqual(rehearsalLimits(MiB), {
      room: 195 * MiB,
      memory: 514 * MiB,
      file: 129 * MiB,
      receive: 120,
      restore: 120,
      serve: 60,
      whole: 330,
    });
    assert.equal(rehearsalLimits(200 * MiB).memory, 912 * MiB);
  });
  test("the largest ends before its scratch would be swept", () => {
    const { whole } = rehearsalLimits(8 * GiB);
    assert.ok(whole < 3600, String(whole));
  });
  for (const bytes of [0, -1, 1.5, NaN, 9 * GiB])
    test(`refused: ${bytes} bytes`, () => assert.throws(() => rehearsalLimits(bytes), Refusal));
});

describe("the script", () => {
  for (const shell of ["dash", "bash"])
    test(`is understood by ${shell}`, (t) => {
      const { error, status, stderr } = spawnSync(shell, ["-n", "-c", rehearsalScript(order)], { encoding: "utf8" });
      if (error) t.skip(`there is no ${shell}`);
      else assert.deepEqual([status, stderr], [0, ""]);
    });
  test("listens on unix sockets only, and names no TCP address", () => {
    const script = rehearsalScript(order);
    assert.deepEqual(
      [...script.matchAll(/--\S*(?:listen|advertise)\S*urls (\S+)/g)].map(([, to]) => to),
      ["unix://p:0", "unix://p:0", "unix://c:0", "unix://c:0", "unix://p:0"],
    );
    assert.doesNotMatch(script, /https?:|\d+\.\d+\.\d+\.\d+/);
  });
  test("paths are quoted", () => assert.match(rehearsalScript(order), /part 60 '\/opt\/a b\/etcd' /));
  for (const over of [
    { sha256: "x" },
    { sha256: "AB".repeat(32) },
    { revision: "" },
    { revision: "1;id" },
    { bytes: 0 },
  ])
    test(`refused: ${JSON.stringify(over)}`, () =>
      assert.throws(() => rehearsalScript({ ...order, ...over }), Refusal));
});

describe("what it printed", () => {
  test("is read", () =>
    assert.deepEqual(parseRehearsed("etcd 3.4.23\nrevision 8\ncount 4\n"), { etcd: "3.4.23", revision: "8", keys: 4 }));
  for (const text of [
    "",
    "etcd 3.4.23\nrevision 8\n",
    "etcd 3.4.23\nrevision 8\ncount -4\n",
    "x\netcd 3\nrevision 8\ncount 4\n",
  ])
    test(`refused: ${JSON.stringify(text)}`, () => assert.throws(() => parseRehearsed(text), Refusal));
});
