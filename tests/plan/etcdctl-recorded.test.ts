// What real etcdctls printed (lab/record-etcd.ts), read by every parser: the two streams apart, and together as a probe gets them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import * as etcdctl from "../../providers/plan/etcdctl.ts";
import { Refusal } from "../../providers/plan/refusal.ts";

interface Answer {
  readonly command: string;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly merged?: string;
}

const versions = ["3.2.32", "3.3.25", "3.4.23"];
const recorded = (version: string): Record<string, Answer> =>
  JSON.parse(readFileSync(new URL(`../fixtures/etcdctl/recorded/${version}.json`, import.meta.url), "utf8")) as Record<
    string,
    Answer
  >;

/** Member `n` of a recording, by its ports: every cluster has its own ten. */
const memberAt = (url: string, first: number): string => `m${Number(url.slice(-1)) - first}`;
const byText = (a: string, b: string): number => (a < b ? -1 : 1);

const members = (text: string): unknown =>
  etcdctl
    .parseMembers(text)
    .map(({ name, peerURLs, clientURLs, started }) => {
      const [peer = "", ...more] = [...peerURLs];
      assert.deepEqual(more, []);
      assert.equal(clientURLs.length, started ? 1 : 0);
      return `${memberAt(peer, 5)}${started ? ` ${name} ${memberAt(clientURLs[0] ?? "", 0)}` : ""}`;
    })
    .toSorted(byText);
const three = ["m1 m1 m1", "m2 m2 m2", "m3 m3 m3"];

const health = (text: string): unknown =>
  etcdctl
    .parseHealth(text)
    .map(({ endpoint, healthy }) => `${memberAt(endpoint, 0)} ${healthy}`)
    .toSorted(byText);
const clusterHealth = (text: string): unknown =>
  etcdctl
    .parseClusterHealth(text)
    .map(({ state }) => state)
    .toSorted(byText);
const status = (text: string): unknown =>
  etcdctl.parseEndpointStatus(text).map(({ endpoint, leaderId, version, dbSize, raftIndex, revision, errors }) => {
    assert.match(version, /^3\.\d\.\d\d$/);
    assert.ok(dbSize >= 20_480 && BigInt(raftIndex) > 3n && BigInt(revision) > 0n);
    return `${memberAt(endpoint, 0)} ${leaderId === "0" ? "none" : "leader"}${errors.map((one) => ` ${one.replace(/^memberID:\d+ /, "").trim()}`).join("")}`;
  });
const led = ["m1 leader", "m2 leader", "m3 leader"];
const alarms = (text: string): unknown => etcdctl.parseAlarms(text).map(({ alarm }) => alarm);
const count = (text: string): unknown => etcdctl.parseCount(text);
const snapshot = (text: string): unknown => {
  const { revision, keys } = etcdctl.parseSnapshotStatus(text);
  return { revision, keys };
};

type Reader = (text: string) => unknown;
/** What is expected of stdout, and of the merged streams where that differs; a pattern is a refusal's. */
type Row = [recording: string, read: Reader, expected: unknown, merged?: unknown];

const up = ["m1 true", "m2 true", "m3 true"];
const twoUp = ["m1 true", "m2 true", "m3 false"];
const unstarted = [...three, "m4"];
const empty = /no member at all/;
const outside = /cannot make out/;

const rows: readonly Row[] = [
  ["member list", members, three],
  ["member list, json", members, outside],
  ["v2 member list", members, three],
  ["member list, one unstarted", members, unstarted],
  ["v2 member list, one unstarted", members, unstarted],
  ["member list of the one down", members, empty, outside],
  ["member list, one removed", members, three.slice(0, 2)],
  ["member list of the removed", members, empty, outside],
  ["member list, no quorum", members, three],
  ["v2 member list, no quorum", members, empty, outside],
  ["member list, quorum again", members, three],
  ["member list, NOSPACE", members, three],
  ["endpoint status", status, /endpoint status: cannot/],
  ["endpoint status, json", status, led],
  ["endpoint status, one stalled, json", status, led.slice(0, 2)],
  ["endpoint status, one down, json", status, led.slice(0, 2)],
  ["endpoint status of the one down, json", status, outside],
  ["endpoint status, no quorum, json", status, ["m1 none"]],
  ["endpoint status, NOSPACE, json", status, led],
  ["endpoint health", health, [], up],
  ["endpoint health of one", health, [], ["m1 true"]],
  ["endpoint health, one stalled", health, [], twoUp],
  ["endpoint health, one down", health, [], twoUp],
  ["endpoint health of the one down", health, [], ["m3 false"]],
  ["endpoint health, no quorum", health, [], ["m1 false", "m2 false", "m3 false"]],
  ["endpoint health, NOSPACE", health, [], up],
  ["alarm list, none", alarms, []],
  ["alarm list, one stalled", alarms, []],
  ["alarm list, one down", alarms, []],
  ["alarm list, no quorum", alarms, [], outside],
  ["alarm list, NOSPACE", alarms, ["NOSPACE"]],
  ["v2 cluster-health", clusterHealth, ["healthy", "healthy", "healthy"]],
  ["v2 cluster-health, one unstarted", clusterHealth, ["healthy", "healthy", "healthy", "unreachable"]],
  ["v2 cluster-health, one stalled", clusterHealth, ["healthy", "healthy", "unreachable"]],
  ["v2 cluster-health, one down", clusterHealth, ["healthy", "healthy", "unreachable"]],
  ["v2 cluster-health, no quorum", clusterHealth, ["unhealthy", "unreachable", "unreachable"]],
  ["v2 cluster-health, NOSPACE", clusterHealth, ["healthy", "healthy", "healthy"]],
  ["snapshot status", snapshot, { revision: "4", keys: 9 }],
  ["snapshot status, json", snapshot, { revision: "4", keys: 9 }],
  ["snapshot status of no snapshot", snapshot, outside],
  ["get, count", count, { revision: "4", count: 3 }],
  ["get, count of none", count, { revision: "4", count: 0 }],
  ["get, compacted", count, outside],
];

/** Where a version answers otherwise. */
const otherwise: Readonly<Record<string, readonly Row[]>> = {
  "3.3.25": [
    ["endpoint status of the one down, json", status, []],
    ["alarm list, NOSPACE", alarms, ["NOSPACE", "NOSPACE"]],
    ["v2 cluster-health, NOSPACE", clusterHealth, ["unhealthy", "unhealthy", "unhealthy"]],
  ],
  "3.4.23": [
    ["endpoint status of the one down, json", status, []],
    ["endpoint status, no quorum, json", status, ["m1 none etcdserver: no leader"]],
    ["endpoint status, NOSPACE, json", status, led.map((one) => `${one} alarm:NOSPACE`)],
    ["v2 cluster-health, NOSPACE", clusterHealth, ["unhealthy", "unhealthy", "unhealthy"]],
    ["member list, a learner unstarted", members, unstarted],
    ["member list, a learner", members, [...three, "m4 m4 m4"]],
    ["v2 member list, a learner", members, [...three, "m4 m4 m4"]],
    ["endpoint status, a learner, json", status, [...led, "m4 leader"]],
    ["endpoint health, a learner", health, [], [...up, "m4 false"]],
  ],
};

for (const version of versions)
  describe(`etcdctl ${version}`, () => {
    const answers = recorded(version);
    const own = otherwise[version] ?? [];
    const table = [...rows.filter(([name]) => own.every(([other]) => other !== name)), ...own];
    for (const [name, read, expected, together = expected] of table) {
      it(name, () => {
        const { stdout, stderr, merged = stdout + stderr } = answers[name] ?? assert.fail("it was not recorded");
        reads(read, stdout, expected);
        reads(read, merged, together);
      });
    }

    it("whatever it answers is understood or refused", () => {
      for (const [name, { stdout, stderr, merged = "" }] of Object.entries(answers))
        for (const text of [stdout, stderr, merged, `${stdout}${stderr}`])
          for (const read of Object.values(readers))
            try {
              read(text);
            } catch (error) {
              assert.ok(error instanceof Refusal, `${name}: ${String(error)}`);
            }
    });

    it("help, and what is no such command, is no answer to anything", () => {
      const strange = Object.entries(answers).filter(([, { stdout, stderr }]) => /unknown|USAGE/.test(stdout + stderr));
      assert.equal(strange.length, unknown[version]);
      for (const [name, { stdout, stderr }] of strange)
        for (const [reader, read] of Object.entries(readers))
          if (reader !== "parseHealth") assert.throws(() => read(stdout + stderr), Refusal, `${name}: ${reader}`);
    });
  });

/** How many of the commands a version does not know: `move-leader` and `hashkv` since 3.3, learners since 3.4. */
const unknown: Readonly<Record<string, number>> = { "3.2.32": 14, "3.3.25": 1, "3.4.23": 0 };

const readers: Readonly<Record<string, Reader>> = {
  parseMembers: etcdctl.parseMembers,
  parseEndpointStatus: etcdctl.parseEndpointStatus,
  parseHealth: etcdctl.parseHealth,
  parseAlarms: etcdctl.parseAlarms,
  parseClusterHealth: etcdctl.parseClusterHealth,
  parseSnapshotStatus: etcdctl.parseSnapshotStatus,
  parseCount: etcdctl.parseCount,
};

function reads(read: Reader, text: string, expected: unknown): void {
  if (!(expected instanceof RegExp)) assert.deepEqual(read(text), expected);
  else assert.throws(() => read(text), { name: "Refusal", message: expected });
}
