/**
 * The holder of both certificate authorities is retired, 4→3: alive, with the hand-over from host to host, in runs that meet a dozen faults of every kind, among them
 * pulumi killed right before the etcd removal and in the middle of the rolling restart, and the removal's answer lost together with the leaving host; and dead, with the
 * authorities taken from an encrypted archive. Each time a member is signed for by the new holder; the alive one's etcd joins again with that certificate, and the dead machine comes back.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { container, podman } from "../../lab/hosts.ts";
import { reset } from "../../lab/lab.ts";
import { files } from "../../lab/stack.ts";
import { faultKinds, faultsFrom } from "../../providers/plan/faults.ts";
import { type Ran, TestStack, cutOff, etcdctl, eventually, idsOn, on, onlyWithAll, transcript } from "./stack.ts";

const survivors = ["master-1", "master-2", "master-3"];
const [oldFirst, newFirst] = ["master-0", "master-1"];
const succeeded = (ran: Ran) => assert.equal(ran.code, 0, ran.output.slice(-6000));
const places = "/etc/origin/master/ca.serial.txt /etc/etcd/ca /etc/etcd/generated_certs";
/** Names, owners, modes and hashes of the authorities' files on a host. */
const authorities = async (host: string): Promise<string> =>
  (
    await on(
      host,
      `find ${places} -printf '%p %m %U:%G\\n' | sort; find ${places} -type f -exec sha256sum {} + | sort -k2`,
    )
  ).output;

/** A request for a member's certificate is signed on the new holder as openshift-ansible does it, and verified against the cluster's CA. */
async function sign(name: string, address: string): Promise<void> {
  const signed = await on(
    newFirst,
    `set -e; cd /etc/etcd/generated_certs; mkdir -p new; cd new
    for kind in server peer; do
      openssl req -new -newkey rsa:2048 -nodes -keyout $kind.key -out $kind.csr -subj /CN=${name} 2>/dev/null
      printf 'basicConstraints=CA:FALSE\\nkeyUsage=digitalSignature,keyEncipherment\\nextendedKeyUsage=serverAuth,clientAuth\\nsubjectAltName=IP:${address},DNS:${name}\\n' >$kind.ext
      openssl ca -batch -notext -config /etc/etcd/ca/openssl.cnf -name etcd_ca -in $kind.csr -out $kind.crt -extfile $kind.ext 2>/dev/null
      openssl verify -CAfile /etc/etcd/ca.crt $kind.crt
    done`,
  );
  assert.equal(signed.output, "server.crt: OK\npeer.crt: OK\n");
}

/** Everything that is on a command line or in an environment on this machine, the hosts' processes included, while `work` goes on. */
async function watchingProcesses<T>(work: () => Promise<T>): Promise<{ result: T; seen: string }> {
  const watcher = spawn("sh", ["-c", "while :; do ps axewwo args; sleep 0.3; done"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let seen = "";
  watcher.stdout.setEncoding("latin1").on("data", (part: string) => (seen += part));
  try {
    return { result: await work(), seen };
  } finally {
    watcher.kill();
  }
}

/** Each run of `up` with the faults that it meets: those that it gets over by itself, and last the one that ends it. */
const interruptions = {
  full: ["MasterBackup:backup:in:disk-full"],
  killed: [
    "NodeDrain:cordon:in:lose-answer",
    "StaticPods:disable-manifest:in:drop-link",
    "EtcdMembership:remove-member:before:kill-engine",
  ],
  unheard: ["EtcdMembership:remove-member:in:lose-answer"],
  hanging: ["EtcdMembership:edit:in:hang"],
  orphaned: ["EtcdMembership:edit:after:kill-provider"],
  failing: ["MasterConfig:edit:in:fail"],
  restarting: ["MasterConfig:edit:in:lose-answer"],
  ending: [
    "FlannelNetwork:restart-flannel:in:lose-answer",
    "NodeRemoval:stop-node-service:in:lose-answer",
    "NodeRemoval:delete-node:in:lose-answer",
  ],
} as const;

describe("alive, and interrupted a dozen times, by every kind of fault", () => {
  let stack: TestStack;
  let before0: string;
  let serial: string;
  let ids: string[];

  before(async () => {
    await reset({ masters: 4, grace: 5 });
    stack = await TestStack.create("first-alive");
    succeeded(await stack.up());
    before0 = await authorities(oldFirst);
    serial = (await on(oldFirst, "cat /etc/origin/master/ca.serial.txt")).output;
    ids = await idsOn(newFirst);
    assert.match(before0, /\/etc\/etcd\/ca\/ca\.key/);
  });

  test("preview shows the hand-over, from whom, to whom, with the serial; nothing is refused", async () => {
    stack.drop(oldFirst);
    const seen = await stack.preview();
    succeeded(seen);
    assert.match(seen.output, /\[CertificateAuthority\].*master-1\.example\.com: .*etcd/);
    assert.match(seen.output, /\[CertificateAuthority\].*ca\.serial\.txt/);
    assert.equal((await on(newFirst, "ls /etc/etcd/ca 2>&1")).code, 2);
  });

  test("every kind of fault is among them", () => {
    const kinds = new Set(
      Object.values(interruptions).flatMap((faults) => faultsFrom(faults.join()).map(({ kind }) => kind)),
    );
    assert.deepEqual([...kinds].toSorted(), [...faultKinds].toSorted());
  });

  test("a disk that is full while the first backup is written: nothing else is begun, and no half set is left under a final name", async () => {
    const all = [oldFirst, ...survivors];
    const sets = async () => Promise.all(all.map(async (host) => (await on(host, "ls -A /backup/*/")).output));
    const before = await sets();
    const ran = await stack.meeting(interruptions.full, () => stack.up());
    assert.notEqual(ran.code, 0);
    const [, full = ""] =
      /(?:packing|preparing) .* on (master-\d)\.example\.com failed: [^]*(?:is its disk full\?|cannot be written)/.exec(
        ran.output,
      ) ?? [];
    assert.ok(full !== "", ran.output.slice(-4000));
    assert.equal((await sets())[all.indexOf(full)], before[all.indexOf(full)]);
    assert.doesNotMatch(ran.output, /\[(EtcdSnapshot|CertificateAuthority)\] 1\//);
  });

  test("up hands both authorities over before anything else changes, and no key shows anywhere", async () => {
    const keys = (await on(oldFirst, "cat /etc/etcd/ca/ca.key /etc/origin/master/ca.key")).output
      .split("\n")
      .filter((line) => /^[A-Za-z0-9+/=]{40,}$/.test(line));
    assert.ok(keys.length >= 2);
    const { result, seen } = await watchingProcesses(() => stack.killedBy(...interruptions.killed));
    assert.equal(
      (result.output.split("Diagnostics:")[0]?.match(/the answer was lost; the hosts show it done/g) ?? []).length,
      2,
    );
    assert.equal((await idsOn(newFirst)).length, 4, "killed right before the removal");
    assert.match((await etcdctl(oldFirst, "endpoint health")).output, /is healthy/);
    assert.ok(result.output.indexOf("[CertificateAuthority] 1/") < result.output.indexOf("[LoadBalancerPool"));
    assert.match(result.output, /restored on trial|rehears/i);
    const state = execFileSync(
      "sh",
      ["-c", `find ${join(files.config, "..", "state-first-alive")} -type f -exec cat {} +`],
      {
        encoding: "latin1",
        maxBuffer: 2 ** 28,
      },
    );
    assert.ok(seen.length > 10_000 && state.length > 10_000);
    for (const [where, text] of Object.entries({
      seen,
      state,
      output: result.output,
      log: readFileSync(transcript, "utf8"),
    })) {
      for (const key of keys) assert.ok(!text.includes(key), `a line of a CA's key in ${where}`);
      assert.doesNotMatch(text, /LABCANARY/, where);
    }
  });

  test("run again at once: the removal's answer is lost, and the leaving host is cut off from everybody; removed once, the rest is left and told", async () => {
    let mend: (() => void) | undefined;
    const cut = (output: string) => {
      if (mend === undefined && /\[EtcdMembership\] \d+\/\d+ .*remove etcd member/.test(output))
        mend = cutOff(oldFirst);
    };
    try {
      const ran = await stack.meeting(interruptions.unheard, () => stack.watchedUp(cut));
      assert.ok(mend, "the host was cut off");
      assert.notEqual(ran.code, 0, ran.output.slice(-4000));
      assert.match(ran.output, /the answer to the removal was lost [^]*reading the list back/);
      assert.match(ran.output, /etcd\.yaml[^]*master-0\.example\.com/);
      const left = await idsOn(newFirst);
      assert.equal(left.length, 3);
      assert.ok(left.every((id) => ids.includes(id)));
    } finally {
      mend?.();
    }
    await eventually("the link is back", 60, async () => {
      const { code, output } = await on(oldFirst, "true");
      return code === 0 ? undefined : output;
    });
  });

  test("a command that hangs is ended, read back, and not repeated in that run; the next finds a killed provider, a failure; each goes on where the last ended", async () => {
    const ended = async (faults: readonly string[], seen: RegExp) => {
      const ran = await stack.meeting(faults, () => stack.up());
      assert.notEqual(ran.code, 0, ran.output.slice(-4000));
      assert.match(ran.output, seen);
      assert.doesNotMatch(ran.output, /\[EtcdMembership\] \d+\/\d+ .*remove etcd member/);
    };
    await ended(
      interruptions.hanging,
      /replacing \/etc\/etcd\/etcd\.conf on master-\d\.example\.com failed: not finished within 3 s[^]*read back: .*the hosts show it undone; it is not repeated/,
    );
    await ended(interruptions.orphaned, /fault: kill-provider after EtcdMembership/);
    await ended(interruptions.failing, /replacing \S+ on master-\d\.example\.com failed: exit 1/);
  });

  test("killed once more in the rolling restart, an answer lost before; a plain up ends it over three lost answers, and no member was removed twice", async () => {
    const killed = await stack.meeting(interruptions.restarting, () =>
      stack.killedAt(/\[MasterConfig\] {6}master-2\.example\.com: master-restart api/),
    );
    assert.doesNotMatch(killed.output, /\[EtcdMembership\] \d+\/\d+ .*remove etcd member/);
    succeeded(await stack.meeting(interruptions.ending, () => stack.up()));
    assert.match((await stack.up()).output, /17 unchanged/);
    const left = await idsOn(newFirst);
    assert.equal(left.length, 3);
    assert.ok(left.every((id) => ids.includes(id)));
    for (const host of survivors) assert.match((await etcdctl(host, "endpoint health")).output, /is healthy/);
  });

  test("the end state is that of an undisturbed run, and no lock is left behind", async () => {
    for (const host of survivors) {
      const { output } = await on(
        host,
        "cat /etc/etcd/etcd.conf /etc/origin/master/master-config.yaml /etc/origin/master/master.env /etc/sysconfig/flanneld; tr '\\0' ' ' </proc/$(pidof kube-apiserver)/cmdline",
      );
      assert.doesNotMatch(output, /master-0|192\.168\.55\.8[^0-9]/, host);
      assert.match(output, /--apiserver-count=3/);
      assert.equal((await on(host, "flock -n /run/lock/openshift-masters.lock echo free")).output, "free\n");
    }
    for (const balancer of ["lb-0", "lb-1"]) {
      const { output } = await on(
        balancer,
        "cat /etc/haproxy/haproxy.cfg; echo show stat | socat stdio /var/lib/haproxy/stats | grep ^atomic-openshift-api,master | cut -d, -f2,18",
      );
      assert.doesNotMatch(output, /master0|disabled/);
      assert.match(output, /master1,UP\nmaster2,UP\nmaster3,UP\n$/);
    }
    assert.doesNotMatch(readFileSync(files.inventory, "utf8"), /master-0/);
    assert.equal((await on(newFirst, "oc get nodes -o name | wc -l")).output, "3\n");
    const retired = (
      await on(oldFirst, "ls /etc/origin/node/pods; systemctl is-active origin-node; pidof etcd kube-apiserver")
    ).output;
    assert.equal(retired, "disabled\ninactive\n");
  });

  test("the new holder has the same files, owners and modes; the others have the serial; nothing is left over", async () => {
    assert.equal(await authorities(newFirst), before0);
    for (const host of survivors)
      assert.equal((await on(host, "cat /etc/origin/master/ca.serial.txt")).output, serial, host);
    for (const host of ["master-2", "master-3"]) assert.equal((await on(host, "ls -d /etc/etcd/ca 2>&1")).code, 2);
    for (const host of survivors) {
      const left = await on(
        host,
        "find /etc /root /tmp /var/tmp -xdev -name '*openshift-masters*' -o -xdev -path '/etc/*hand*over*'",
      );
      assert.equal(left.output, "", host);
    }
    const outputs = await stack.outputs();
    assert.deepEqual(outputs["certificateAuthorities"], {
      openshift: "master-1.example.com",
      etcd: "master-1.example.com",
    });
  });

  test("the inventory begins with the holder", () => {
    const inventory = readFileSync(files.inventory, "utf8");
    assert.match(inventory, /\[masters\]\nmaster-1\.example\.com\n/);
    assert.match(inventory, /\[etcd\]\nmaster-\[1:3\]\.example\.com\n/);
  });

  test("a member signed by the new holder joins: the retired machine itself, with an empty data folder", async () => {
    const [name, address] = ["master-0.example.com", "192.168.55.8"];
    await sign(name, address);
    await on(
      newFirst,
      "cd /etc/etcd/generated_certs/new && tar -cf - server.crt server.key peer.crt peer.key | base64 -w0",
    ).then(async ({ output }) => {
      const put = await on(
        oldFirst,
        `echo ${output.trim()} | base64 -d | tar -xf - -C /etc/etcd && mv /var/lib/etcd/member /var/lib/etcd.old && echo put`,
      );
      assert.equal(put.output, "put\n");
    });
    const added = await etcdctl(newFirst, `member add ${name} --peer-urls=https://${address}:2380`);
    assert.match(added.output, /ETCD_INITIAL_CLUSTER="([^"]+)"/);
    const cluster = /ETCD_INITIAL_CLUSTER="([^"]+)"/.exec(added.output)?.[1] ?? "";
    const start = await on(
      oldFirst,
      `sed -i -e 's#^ETCD_INITIAL_CLUSTER=.*#ETCD_INITIAL_CLUSTER=${cluster}#' -e 's#^ETCD_INITIAL_CLUSTER_STATE=.*#ETCD_INITIAL_CLUSTER_STATE=existing#' /etc/etcd/etcd.conf
      systemd-run --unit=joined --property=EnvironmentFile=/etc/etcd/etcd.conf /usr/bin/etcd`,
    );
    succeeded(start);
    await eventually("four healthy members", 60, async () => {
      const { output } = await etcdctl(newFirst, "endpoint health --cluster 2>&1");
      return (output.match(/is healthy/g) ?? []).length === 4 ? undefined : output;
    });
    assert.equal((await etcdctl(newFirst, "member list")).output.trim().split("\n").length, 4);
  });

  test("that is drift, and up would remove it; removed by hand before, nothing is left to do", async () => {
    const id = (await idsOn(newFirst)).find((one) => !ids.includes(one)) ?? "none";
    const refreshed = await stack.refresh();
    succeeded(refreshed);
    assert.match(refreshed.output, new RegExp(`EtcdMembership\\] drift: .*remove etcd member ${id}`));
    assert.match((await etcdctl(newFirst, `member remove ${id}`)).output, /removed from cluster/);
    await eventually("etcd of the retired machine has ended", 60, async () => {
      const { code } = await on(oldFirst, "pidof etcd");
      return code === 0 ? "it runs" : undefined;
    });
    const ran = await stack.up();
    succeeded(ran);
    assert.doesNotMatch(ran.output, /\[EtcdMembership\] \d+\/\d+ .*remove etcd member/);
    assert.equal((await idsOn(newFirst)).length, 3);
  });
});

describe("dead", onlyWithAll, () => {
  let stack: TestStack;
  let before0: string;

  before(async () => {
    await reset({ masters: 4, grace: 5 });
    stack = await TestStack.create("first-dead");
    const identity = await generateX25519Identity();
    const [key, open] = [join(files.config, "..", "backup.key"), join(files.config, "..", "backup.pub")];
    writeFileSync(key, `${identity}\n`, { mode: 0o600 });
    writeFileSync(open, `${await identityToRecipient(identity)}\n`);
    stack.edit((text) => text.replace("    keep: 7\n", `    keep: 2\n    encrypt: ${open}\n    identity: ${key}\n`));
    before0 = await authorities(oldFirst);
    succeeded(await stack.up());
    await podman("kill", container(oldFirst));
    stack.drop(oldFirst);
  });

  test("the copies here are encrypted, and were rehearsed all the same", async () => {
    const { backups, snapshot } = (await stack.outputs()) as {
      backups: Record<string, { archive: string }>;
      snapshot: { archive: string; rehearsal: { rehearsed: boolean; keys: number } };
    };
    for (const { archive } of [...Object.values(backups), snapshot]) {
      assert.match(archive, /\.age$/);
      assert.match(readFileSync(archive, "latin1"), /^age-encryption/);
      assert.equal(statSync(archive).mode & 0o777, 0o600);
    }
    assert.equal(snapshot.rehearsal.rehearsed, true);
    assert.ok(snapshot.rehearsal.keys > 100);
    const plain = readdirSync(files.archive, { recursive: true, encoding: "utf8" }).filter((one) =>
      /\.(tar\.gz|tar|db)$/.test(one),
    );
    assert.deepEqual(plain, []);
  });

  test("gone and not acknowledged: refused with the remedy; without any archive: refused with what was looked for", async () => {
    const refused = await stack.preview();
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /host-gone:master-0\.example\.com/);
    stack.acknowledge("host-gone:master-0.example.com");
    execFileSync("mv", [join(files.archive, "master-0.example.com"), join(files.archive, "away")]);
    const without = await stack.preview();
    execFileSync("mv", [join(files.archive, "away"), join(files.archive, "master-0.example.com")]);
    assert.notEqual(without.code, 0);
    assert.match(without.output, /etcd's CA/);
    assert.match(without.output, /archive/);
  });

  test("preview names the archive with its age and hash; up takes both authorities from it", async () => {
    const seen = await stack.preview();
    succeeded(seen);
    const { backups } = (await stack.outputs()) as { backups: Record<string, { sha256: string }> };
    assert.ok(seen.output.includes((backups["master-0.example.com"]?.sha256 ?? "none").slice(0, 12)), "its hash");
    const ran = await stack.up();
    succeeded(ran);
    assert.equal(await authorities(newFirst), before0);
    await sign("master-9.example.com", "192.168.55.99");
    assert.deepEqual((await stack.outputs())["certificateAuthorities"], {
      openshift: "master-1.example.com",
      etcd: "master-1.example.com",
    });
    assert.match(readFileSync(files.inventory, "utf8"), /\[masters\]\nmaster-1\.example\.com\n/);
  });

  test("up again has nothing to do, and no more than two sets are kept", async () => {
    assert.match((await stack.up()).output, /17 unchanged/);
    stack.edit((text) => text.replace('stamp: "lab"', 'stamp: "lab-2"'));
    succeeded(await stack.up());
    const kept = readdirSync(join(files.archive, "master-1.example.com")).filter((one) =>
      /^master-1.*\.age$/.test(one),
    );
    assert.equal(kept.length, 2);
    const there = (await on("master-1", "ls /backup/master-1.example.com | grep -c ^master-1")).output;
    assert.equal(there, "2\n");
  });

  test("the dead host comes back: etcd does not take it in again, preview tells it, and refresh and up retire what runs on it", async () => {
    const ids = await idsOn(newFirst);
    await podman("start", container(oldFirst));
    await eventually("it has come back as a Node", 180, async () => {
      const { output } = await on(newFirst, "oc get nodes --no-headers");
      return output.includes("master-0.example.com") ? undefined : output;
    });
    assert.deepEqual(await idsOn(newFirst), ids, "its member is gone for good");
    for (const host of survivors) assert.match((await etcdctl(host, "endpoint health")).output, /is healthy/);
    const seen = await stack.preview();
    succeeded(seen);
    assert.match(seen.output, /note: master-0\.example\.com was retired earlier and answers again/);
    const refreshed = await stack.refresh();
    succeeded(refreshed);
    assert.match(refreshed.output, /NodeRemoval\] drift: /);
    succeeded(await stack.up());
    assert.equal(
      (await on(oldFirst, "ls /etc/origin/node/pods; systemctl is-active origin-node; pidof etcd kube-apiserver"))
        .output,
      "disabled\ninactive\n",
    );
    assert.doesNotMatch((await on(newFirst, "oc get nodes -o name")).output, /master-0/);
    assert.match((await stack.up()).output, /17 unchanged/);
  });
});
