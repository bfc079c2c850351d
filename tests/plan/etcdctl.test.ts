import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import * as etcdctl from "../../providers/plan/etcdctl.ts";

const fixture = (name: string): string => readFileSync(new URL(`../fixtures/etcdctl/${name}`, import.meta.url), "utf8");
const refusal = (message: RegExp): { name: string; message: RegExp } => ({ name: "Refusal", message });

const MEMBERS = [
  {
    id: "2a529ba1840722c0",
    name: "master-0.example.com",
    peerURLs: ["https://192.168.55.8:2380"],
    clientURLs: ["https://192.168.55.8:2379"],
    started: true,
    learner: false,
  },
  {
    id: "5ee217d19001",
    name: "master-1.example.com",
    peerURLs: ["https://192.168.55.12:2380"],
    clientURLs: ["https://192.168.55.12:2379"],
    started: true,
    learner: false,
  },
  {
    id: "8372784203e11288",
    name: "",
    peerURLs: ["https://192.168.55.21:2380"],
    clientURLs: [],
    started: false,
    learner: false,
  },
  {
    id: "ed4f0efd277d7599",
    name: "master-2.example.com",
    peerURLs: ["https://192.168.55.13:2380"],
    clientURLs: ["https://192.168.55.13:2379", "https://10.1.0.13:2379"],
    started: true,
    learner: false,
  },
];

for (const form of ["v2-member-list.txt", "v3.2-member-list.txt", "v3.4-member-list.txt"]) {
  test(`members of ${form}`, () => {
    // only 3.4 knows learners
    const members = MEMBERS.map((one) => ({ ...one, learner: form.startsWith("v3.4") && !one.started }));
    assert.deepEqual(etcdctl.parseMembers(fixture(form)), members);
    assert.deepEqual(etcdctl.parseMembers(fixture(form).replaceAll("\n", "\r\n").trim()), members);
  });
}

test("a v2 member list of before isLeader, ids in capitals", () => {
  const [member] = etcdctl.parseMembers("8E9E05C52164694D: name=m peerURLs=http://a:2380 clientURLs=http://a:2379\n");
  assert.equal(member?.id, "8e9e05c52164694d");
});

const WRONG_LISTS: [output: string, message: RegExp][] = [
  ["", /no member at all/],
  ["Component etcd is stopped or not running\n", /cannot make out "Component etcd is/],
  ["Error:  context deadline exceeded", /cannot make out/],
  ["10501334649042878790, started, m, http://a:1, http://a:2", /cannot make out/],
  ["1a, started, , http://a:1, http://a:2", /cannot make out/],
  ["1a, unstarted, m, http://a:1, ", /cannot make out/],
  ["1a, started, m, http://a:1", /cannot make out/],
  ["1a, started, m, http://a:1, http://a:2, maybe", /cannot make out/],
  ["1a, started, m, http://a:1, http://a:2, false, more", /cannot make out/],
  ["1a: name=m peerURLs=http://a:1", /cannot make out/],
  ["1a, started, m, http://a:1, http://a:2\n1A, started, n, http://b:1, http://b:2", /1a is listed twice/],
];
for (const [output, message] of WRONG_LISTS) {
  test(`refuses the member list ${JSON.stringify(output)}`, () =>
    assert.throws(() => etcdctl.parseMembers(output), refusal(message)));
}

test("endpoint status of 3.2: nothing rounded, no leader is 0", () => {
  const common = { version: "3.2.32", dbSize: 25165824, errors: [] };
  assert.deepEqual(etcdctl.parseEndpointStatus(fixture("v3.2-endpoint-status.json")), [
    {
      endpoint: "https://192.168.55.8:2379",
      clusterId: "cdf818194e3a8c32",
      memberId: "91bc3c398fb3c146",
      leaderId: "ed4d2d8e7e88f599",
      revision: "9223372036854775807",
      raftIndex: "9007199254740993",
      ...common,
    },
    {
      endpoint: "https://192.168.55.12:2379",
      clusterId: "cdf818194e3a8c32",
      memberId: "5ee0b4528001",
      leaderId: "0",
      revision: "0",
      raftIndex: "8",
      ...common,
    },
  ]);
});

test("endpoint status of 3.4: digits in strings are left alone", () => {
  const [status, ...more] = etcdctl.parseEndpointStatus(fixture("v3.4-endpoint-status.json"));
  assert.deepEqual(more, []);
  assert.equal(status?.memberId, "91bc3c398fb3c146");
  assert.equal(status.leaderId, status.memberId);
  assert.equal(status.revision, "18014398509481985");
  assert.deepEqual(status.errors, ['memberID:10501334649042878790 alarm:NOSPACE "x" 123']);
});

test("endpoint status: none, and not understood", () => {
  assert.deepEqual(etcdctl.parseEndpointStatus("null\n"), []);
  for (const wrong of ["", "{}", "[{}]", "[1", '[{"Endpoint":"x","Status":{"header":{}}}]', "Error: x"]) {
    assert.throws(() => etcdctl.parseEndpointStatus(wrong), refusal(/endpoint status|member id/), wrong);
  }
});

test("every 64-bit id and revision comes through endpoint status whole", () => {
  const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  fc.assert(
    fc.property(u64, u64, u64, fc.string(), (id, leader, revision, error) => {
      const json = `[{"Endpoint":"h:1","Status":{"header":{"member_id":${id},"revision": ${revision}},"leader":${leader},"errors":[${JSON.stringify(error)}]}}]`;
      const [status] = etcdctl.parseEndpointStatus(json);
      assert.deepEqual(
        [status?.memberId, status?.leaderId, status?.revision, status?.errors],
        [id.toString(16), leader.toString(16), String(revision), [error]],
      );
      assert.equal(etcdctl.formatMemberId(id), id.toString(16));
    }),
    { numRuns: 2000 },
  );
});

test("member ids", () => {
  assert.equal(etcdctl.formatMemberId("18446744073709551615"), "ffffffffffffffff");
  for (const wrong of ["", "-1", "1.5", "18446744073709551616", "0x1f", "ab"]) {
    assert.throws(() => etcdctl.formatMemberId(wrong), refusal(/64-bit member id/), wrong);
  }
});

test("endpoint health of 3.2 and 3.4, log lines between", () => {
  const healthy = (name: string): unknown[] =>
    etcdctl.parseHealth(fixture(name)).map((each) => [each.endpoint, each.healthy]);
  const [a, b, c] = ["https://192.168.55.8:2379", "https://192.168.55.12:2379", "https://192.168.55.21:2379"];
  assert.deepEqual(healthy("v3.2-endpoint-health.txt"), [
    [a, true],
    [b, true],
    [c, false],
  ]);
  assert.deepEqual(healthy("v3.4-endpoint-health.txt"), [
    [a, true],
    [b, false],
    [c, false],
  ]);
  assert.match(etcdctl.parseHealth(fixture("v3.4-endpoint-health.txt"))[1]?.detail ?? "", /NOSPACE$/);
});

test("alarms", () => {
  assert.deepEqual(etcdctl.parseAlarms(fixture("v3-alarm-list.txt")), [
    { memberId: "91bc3c398fb3c146", alarm: "NOSPACE" },
    { memberId: "5ee0b4528001", alarm: "CORRUPT" },
  ]);
  assert.deepEqual(etcdctl.parseAlarms("\n"), []);
  assert.throws(() => etcdctl.parseAlarms("alarm:NOSPACE \n"), refusal(/cannot make out "alarm:NOSPACE"/));
});

test("cluster-health: every member's line, never the last one", () => {
  const health = etcdctl.parseClusterHealth(fixture("v2-cluster-health.txt"));
  assert.deepEqual(
    health.map(({ id, state }) => [id, state]),
    [
      ["5ee217d19001", "healthy"],
      ["2a529ba1840722c0", "unhealthy"],
      ["8372784203e11288", "unreachable"],
      ["ed4f0efd277d7599", "healthy"],
    ],
  );
  assert.match(health[2]?.detail ?? "", /are all unreachable$/);
  assert.throws(() => etcdctl.parseClusterHealth("cluster is healthy\n"), refusal(/no member is named/));
  assert.throws(() => etcdctl.parseClusterHealth("member 1a is fine\n"), refusal(/cannot make out/));
});

test("snapshot status", () => {
  assert.deepEqual(etcdctl.parseSnapshotStatus(fixture("v3-snapshot-status.txt")), {
    hash: "fe01cf57",
    revision: "10",
    keys: 7,
    size: "2.1 MB",
  });
  assert.deepEqual(etcdctl.parseSnapshotStatus(fixture("v3-snapshot-status.json")), {
    hash: "fe01cf57",
    revision: "9007199254740993",
    keys: 7,
    size: "2101248",
  });
  for (const wrong of ["", "{}", "fe01cf57, 10", "Error: x"])
    assert.throws(() => etcdctl.parseSnapshotStatus(wrong), refusal(/snapshot status/), wrong);
});

test("the count of a range: exact revision, no count without keys, other lines passed over", () => {
  const json = `{"header":{"cluster_id":1,"member_id":2,"revision":9223372036854775807,"raft_term":2},"kvs":[{"key":"ImNvdW50Ijo5","create_revision":2,"mod_revision":7,"version":2}],"more":true,"count":41}`;
  assert.deepEqual(etcdctl.parseCount(`${json}\n`), { revision: "9223372036854775807", count: 41 });
  assert.deepEqual(etcdctl.parseCount(`a warning\n{"header":{"revision":3}}`), { revision: "3", count: 0 });
  for (const text of ["", "no pod", "{}", `{"header":{"revision":3},"count":"x"}`, `{"header":`])
    assert.throws(() => etcdctl.parseCount(text), refusal(/^get: cannot make out/), text);
});
