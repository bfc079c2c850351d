/**
 * What makes a removal from etcd dangerous, on real members: each refused with its sentence and nothing touched; then the removal itself, killed before, in and after it;
 * and members that are half there.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { type Ran, type TestStack, etcdctl, eventually, fingerprint, on } from "./stack.ts";

const survivors = ["master-0", "master-1", "master-2"];
const leaving = "https://192.168.55.21:2380";
let stack: TestStack;
const target = () => [
  "--target",
  `urn:pulumi:${stack.name}::openshift-masters::openshift:cluster:ControlPlane$pulumi-nodejs:dynamic/openshift:EtcdMembership::etcd`,
];
const succeeded = (ran: Ran) => assert.equal(ran.code, 0, ran.output.slice(-4000));
const listed = async (): Promise<string[]> => (await etcdctl("master-0", "member list")).output.trim().split("\n");
const healthy = (count: number) =>
  eventually(`${count} healthy members`, 90, async () => {
    const { output } = await etcdctl("master-0", "endpoint health --cluster 2>&1; true");
    return (output.match(/is healthy/g) ?? []).length === count && (await listed()).length === count
      ? undefined
      : output;
  });

/** A preview that must be refused with these sentences; no host is touched, the leaving one neither. */
async function refused(...sentences: readonly RegExp[]): Promise<void> {
  const prints = await Promise.all(["master-1", "master-3"].map(fingerprint));
  const members = await listed();
  const ran = await stack.preview();
  assert.notEqual(ran.code, 0, ran.output);
  for (const sentence of [...sentences, /refused, nothing was touched/]) assert.match(ran.output, sentence);
  assert.deepEqual(await Promise.all(["master-1", "master-3"].map(fingerprint)), prints);
  assert.deepEqual(await listed(), members);
}

/** Declares the tests, for a stack that is adopted and has master-3 dropped; the last ones remove its member. */
export function membershipTests(stackOf: () => TestStack): void {
  before(() => (stack = stackOf()));

  test("a member that nobody declares and that never started", async () => {
    const added = await etcdctl("master-0", "member add --peer-urls=https://192.168.55.99:2380 stranger");
    const [, id = ""] = /Member\s+([0-9a-f]+) added/.exec(added.output) ?? [];
    try {
      await refused(
        new RegExp(`a member that is not declared: ${id} \\(unstarted, https://192\\.168\\.55\\.99:2380\\)`),
      );
    } finally {
      await etcdctl("master-0", `member remove ${id}`);
    }
    await healthy(4);
  });

  test("two members on one host, both of one name: neither is chosen", async () => {
    const added = await etcdctl("master-0", "member add --peer-urls=https://192.168.55.21:3380 master-3.example.com");
    const [, id = ""] = /Member\s+([0-9a-f]+) added/.exec(added.output) ?? [];
    const [, cluster = ""] = /ETCD_INITIAL_CLUSTER="([^"]+)"/.exec(added.output) ?? [];
    await on(
      "master-3",
      `mkdir -m 700 /var/lib/second && systemd-run --unit=second-etcd --property=EnvironmentFile=/etc/etcd/etcd.conf \\
        --setenv=X=1 /bin/sh -c 'ETCD_DATA_DIR=/var/lib/second ETCD_LISTEN_PEER_URLS=https://192.168.55.21:3380 ETCD_INITIAL_ADVERTISE_PEER_URLS=https://192.168.55.21:3380 \\
        ETCD_LISTEN_CLIENT_URLS=https://192.168.55.21:3379 ETCD_ADVERTISE_CLIENT_URLS=https://192.168.55.21:3379 ETCD_INITIAL_CLUSTER_STATE=existing ETCD_INITIAL_CLUSTER=${cluster} exec etcd'`,
    );
    try {
      await eventually("five members, two of one name", 60, async () => {
        const members = (await listed()).filter((line) => line.includes("started, master-3.example.com,"));
        return members.length === 2 ? undefined : members.join("\n");
      });
      await refused(
        /2 etcd members fit master-3\.example\.com: [0-9a-f]+, [0-9a-f]+; remove the wrong one by hand first/,
      );
    } finally {
      await etcdctl("master-0", `member remove ${id}`);
      await on("master-3", "systemctl stop second-etcd; rm -rf /var/lib/second");
    }
    await healthy(4);
  });

  test("an alarm: NOSPACE", async () => {
    const quota = async (to: string) => {
      await on(
        "master-3",
        `sed -i 's/^ETCD_QUOTA_BACKEND_BYTES=.*/ETCD_QUOTA_BACKEND_BYTES=${to}/' /etc/etcd/etcd.conf; pkill -x etcd`,
      );
      await eventually("etcd of master-3 answers", 60, async () => {
        const { output } = await etcdctl("master-3", "endpoint status 2>&1; true");
        return output.includes("3.4") ? undefined : output;
      });
    };
    await quota("1000");
    try {
      await etcdctl("master-3", "put /openshift-masters/alarm x");
      await eventually("the alarm", 30, async () =>
        (await etcdctl("master-0", "alarm list")).output.includes("NOSPACE") ? undefined : "none",
      );
      await refused(
        /master-3\.example\.com \([0-9a-f]+\) has an alarm \(NOSPACE\): clear its cause and disarm it first/,
      );
    } finally {
      await quota("4294967296");
      await etcdctl("master-0", "alarm disarm");
    }
    await healthy(4);
  });

  test("a certificate of etcd that ends in three days", async () => {
    const short = await on(
      "master-0",
      `cd /etc/etcd && cp -p peer.crt /root/peer.crt && openssl x509 -x509toreq -in peer.crt -signkey peer.key -out /root/peer.csr 2>/dev/null &&
        printf 'extendedKeyUsage=serverAuth,clientAuth\\nsubjectAltName=IP:192.168.55.8,DNS:master-0.example.com\\n' >/root/ext &&
        openssl x509 -req -in /root/peer.csr -CA ca/ca.crt -CAkey ca/ca.key -set_serial 4711 -days 3 -extfile /root/ext -out peer.crt 2>/dev/null && openssl verify -CAfile ca.crt peer.crt`,
    );
    assert.equal(short.output, "peer.crt: OK\n");
    try {
      await refused(/master-0\.example\.com: .*\/etc\/etcd\/peer\.crt/);
    } finally {
      await on("master-0", "mv /root/peer.crt /etc/etcd/peer.crt");
    }
  });

  test("killed before, in and after the removal: one removal, and a plain up ends it", async () => {
    await healthy(4);
    const ids = (await listed()).map((line) => line.split(",")[0] ?? "");
    const step = "EtcdMembership:remove-member";
    await stack.killedBy([`${step}:before:kill-engine`], target());
    assert.equal((await listed()).length, 4);
    await stack.killedBy([`${step}:in:kill-engine`], target());
    const after = await listed();
    assert.equal(after.length, 3, "what the host was told is done");
    const again = await stack.up(...target());
    succeeded(again);
    assert.doesNotMatch(again.output, /remove etcd member/, "it is found done");
    const left = (await listed()).map((line) => line.split(",")[0] ?? "");
    assert.equal(left.length, 3);
    assert.ok(left.every((id) => ids.includes(id)));
    await ended();
  });

  test("the leaving host's member was added again and never started: found by its peer URL, and removed", async () => {
    assert.equal((await etcdctl("master-0", `member add --peer-urls=${leaving} again`)).code, 0);
    const ran = await stack.up(...target());
    succeeded(ran);
    assert.match(ran.output, /remove etcd member [0-9a-f]+ \(unstarted, https:\/\/192\.168\.55\.21:2380/);
    await ended();
  });

  test("removed by hand: nothing to remove, and the rest is done", async () => {
    await on("master-1", `sed -i 's#^ETCD_INITIAL_CLUSTER=#&master-3.example.com=${leaving},#' /etc/etcd/etcd.conf`);
    const ran = await stack.up(...target());
    succeeded(ran);
    assert.match(ran.output, /master-1\.example\.com: \/etc\/etcd\/etcd\.conf: take master-3\.example\.com out/);
    assert.doesNotMatch(ran.output, /remove etcd member/);
    await ended();
  });
}

/** Three healthy members, nothing else named, and the retired host's etcd off with its data where it was. */
async function ended(): Promise<void> {
  const members = await listed();
  assert.equal(members.length, 3, members.join("\n"));
  for (const host of survivors) {
    assert.match((await etcdctl(host, "endpoint health")).output, /is healthy/);
    assert.doesNotMatch((await on(host, "grep ^ETCD_INITIAL_CLUSTER= /etc/etcd/etcd.conf")).output, /master-3/);
  }
  const retired = await on("master-3", "ls /etc/origin/node/pods/disabled /var/lib/etcd; pidof etcd");
  assert.equal(retired.output, "/etc/origin/node/pods/disabled:\netcd.yaml\n\n/var/lib/etcd:\nmember\n");
}
