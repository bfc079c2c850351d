/** On the lab's real masters, below /backup-test-e; skipped where no lab is up. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { etcdConfigContent, masterContent } from "../../providers/plan/backup-script.ts";
import { etcdctl } from "../../providers/plan/etcdctl-command.ts";
import { parseEndpointStatus } from "../../providers/plan/etcdctl.ts";
import { sh } from "../../providers/plan/quote.ts";
import { archiveState, type BackupOrder, takeArchive } from "../../providers/remote/backup.ts";
import { manifestOf } from "../../providers/remote/local-archive.ts";
import { takeSnapshot, type SnapshotOrder } from "../../providers/remote/snapshot.ts";
import { snapshotFlaw } from "../../providers/remote/snapshot-trailer.ts";
import { Connections, type RemoteHost } from "../../providers/remote/ssh.ts";

const lab = join(import.meta.dirname, "../../.lab");
const connections = new Connections({
  user: "root",
  become: false,
  privateKeyPath: join(lab, "id_ed25519"),
  knownHosts: join(lab, "known_hosts"),
  port: 22,
});
const first = connections.host({ name: "master-0.example.com", address: "192.168.55.8" });
const second = connections.host({ name: "master-1.example.com", address: "192.168.55.12" });
const third = connections.host({ name: "master-2.example.com", address: "192.168.55.13" });
const hosts = [first, second, third];
const quick = { what: "testing", deadline: 60 };
const up = await Promise.all(hosts.map((h) => h.run("test -d /var/lib/etcd/member", { ...quick, deadline: 10 }))).then(
  () => true,
  () => false,
);
const skip = up ? false : "the lab is not up (npm run lab -- up)";

const directory = `/backup-test-e/${process.pid}`;
const local = mkdtempSync(join(tmpdir(), "backup-"));
after(async () => {
  // First: it holds copies of keys, and the hosts may be gone by now.
  rmSync(local, { recursive: true });
  const clean = sh`rm -rf -- ${directory}; rmdir /backup-test-e 2>/dev/null || :`;
  if (up) await Promise.allSettled(hosts.map((h) => h.run(clean, quick)));
  await connections.close();
});

const order = (run: string, said: string[] = []): BackupOrder => ({
  directory,
  archive: join(local, "archive"),
  run,
  date: "20261123",
  keep: 7,
  say: (text) => said.push(text),
});
const backupMaster = (host: RemoteHost, o: BackupOrder) =>
  takeArchive(host, { ...o, kind: "master", content: masterContent });
const backupEtcdConfig = (host: RemoteHost, o: BackupOrder) =>
  takeArchive(host, { ...o, kind: "etcd-config", content: etcdConfigContent });
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const hostModes = async (host: RemoteHost, ...paths: string[]) =>
  (await host.run(sh`stat -c %a -- ${paths}`, quick)).stdout.trim().split("\n");

/** Everything below the paths: name, kind, mode, owner, link, and the hash of each file. */
const walk = (paths: readonly string[]) => sh`for path in ${paths.map((p) => p.slice(1))}; do
  [ -e "$path" ] || continue
  find "$path" -printf '%p|%y|%m|%U:%G|%l\\0'; find "$path" -type f -print0 | xargs -0r sha256sum -z
done | sort -z | tr '\\0' '\\n'`;
function extract(archive: string): { folder: string; walk: (paths: readonly string[]) => string } {
  const folder = mkdtempSync(join(local, "out-"));
  execFileSync("tar", ["-xzpf", archive, "-C", folder, "--numeric-owner"]);
  const options = { cwd: folder, env: { ...process.env, LC_ALL: "C" }, encoding: "latin1" as const };
  return { folder, walk: (paths) => execFileSync("sh", ["-c", walk(paths)], options) };
}
const onHost = async (host: RemoteHost, paths: readonly string[]) =>
  (await host.runBytes(`cd / && ${walk(paths)}`, quick)).stdout.toString("latin1");

/** The host, its scripts changed on the way. */
const meddled = (host: RemoteHost, o: { run: (s: string) => string }): RemoteHost => ({
  name: host.name,
  address: host.address,
  run: (s, r) => host.run(o.run(s), r),
  runBytes: (s, r) => host.runBytes(s, r),
  stream: (s, r) => host.stream(s, r),
  hold: (s, r) => host.hold(s, r),
});

describe("a master's archive", { skip }, () => {
  test("equals the host: names, modes, owners, links, hashes", async () => {
    const record = await backupMaster(first, order("equal"));
    const { folder, walk: here } = extract(record.archive);
    const there = await onHost(first, masterContent.paths);
    assert.ok(there.split("\n").length > 50, "the host has a tree worth comparing");
    assert.equal(here(masterContent.paths), there);
    const files = execFileSync("find", [folder, "-not", "-type", "d"], { encoding: "utf8" }).trim().split("\n");
    assert.equal(record.files, files.length);
    assert.match(readFileSync(join(folder, "packages.txt"), "utf8"), /^openssh-server/m);
    const absent = (await first.run("ls -d /etc/cni /etc/etcd/ca /etc/etcd/generated_certs 2>/dev/null; :", quick))
      .stdout;
    for (const path of ["/etc/cni", "/etc/etcd/ca", "/etc/etcd/generated_certs"])
      assert.notEqual(
        absent.includes(`${path}\n`),
        readFileSync(join(folder, "absent.txt"), "utf8").includes(`${path}\n`),
      );
  });

  test("is private on both sides, verified, and explained by a manifest with every file's hash", async () => {
    const record = await backupMaster(first, order("private"));
    const [here, there] = [join(local, "archive", first.name), `${directory}/${first.name}`];
    assert.deepEqual([record.archive, manifestOf(record.archive)].map(modeOf), ["600", "600"]);
    assert.equal(modeOf(here), "700");
    assert.deepEqual(await hostModes(first, record.path, there), ["600", "700"]);
    const seen = (await first.run(sh`ls -A ${there}; sha256sum ${record.path}`, quick)).stdout;
    assert.match(seen, new RegExp(`^${record.sha256} `, "m"));
    assert.doesNotMatch(seen, /\.part|\.work/);
    const manifest = JSON.parse(readFileSync(manifestOf(record.archive), "utf8")) as Record<string, unknown>;
    assert.equal(manifest["sha256"], record.sha256);
    assert.equal((manifest["restore"] as string[]).length, 5);
    const serial = (await first.run("tr -d '\\n' </etc/etcd/ca/serial", quick)).stdout;
    assert.equal((manifest["serials"] as Record<string, string>)["etc/etcd/ca/serial"], serial);
    const hashes = (manifest["entries"] as { path: string; type: string; sha256?: string }[])
      .filter((entry) => entry.type === "file" && entry.path.startsWith("etc/"))
      .map((entry) => `${entry.sha256 ?? ""}  ${entry.path}`)
      .sort();
    const asked =
      "cd / && find etc/origin etc/sysconfig etc/etcd etc/dnsmasq.d etc/dnsmasq.conf etc/cni etc/pki/ca-trust/source/anchors -type f -exec sha256sum {} +";
    const counted = (await first.run(asked, quick)).stdout.trim().split("\n").sort();
    assert.deepEqual(hashes, counted);
  });

  test("etcd's configuration alone", async () => {
    const record = await backupEtcdConfig(second, order("whole"));
    assert.equal(extract(record.archive).walk(["/etc/etcd"]), await onHost(second, ["/etc/etcd"]));
    assert.match(record.archive, /etcd-config-master-1\.example\.com-20261123-whole\.tar\.gz$/);
  });
});

describe("a snapshot", { skip }, () => {
  const endpoint = "https://192.168.55.12:2379";
  async function snapshot(run: string, over: Partial<SnapshotOrder> = {}): Promise<SnapshotOrder> {
    const { stdout } = await second.run(etcdctl("host", 3, ["endpoint", "status", "-w", "json"], { endpoint }), quick);
    const liveRevision = parseEndpointStatus(stdout)[0]?.revision ?? "none";
    return { ...order(run), endpoint, via: "host", liveRevision, v2: false, rehearsal: "nowhere", ...over };
  }
  const inEtcd = async () => (await second.run("ls -A /var/lib/etcd", quick)).stdout;

  const flawIn = (path: string) => snapshotFlaw(createReadStream(path) as AsyncIterable<Buffer>);

  test("v3 and v2, verified on the copies; nothing stays in etcd's folder", async () => {
    const o = await snapshot("both", { v2: true });
    const record = await takeSnapshot(second, o);
    assert.equal(await flawIn(record.archive), undefined);
    assert.ok(BigInt(record.revision) >= BigInt(o.liveRevision) && record.keys > 0);
    assert.deepEqual([record.archive, manifestOf(record.archive), record.v2?.archive ?? ""].map(modeOf), [
      "600",
      "600",
      "600",
    ]);
    assert.deepEqual(await hostModes(second, record.path, record.v2?.path ?? ""), ["600", "600"]);
    assert.equal(await archiveState(record), "there");
    const members = execFileSync("tar", ["-tzf", record.v2?.archive ?? ""], { encoding: "utf8" });
    assert.match(members, /^member\/wal\/.+\.wal$/m);
    assert.match(members, /^member\/snap\/$/m);
    assert.equal(await inEtcd(), "member\n");
  });

  for (const via of ["master-exec", "oc-exec"] as const)
    test(`in the pod by ${via}`, async (t) => {
      const pod = `master-etcd-${second.name}`;
      // A lab that was just reset shows its pods a minute later.
      const wait = sh`for i in $(seq 45); do oc get pod -n kube-system ${pod} >/dev/null 2>&1 && exit 0; sleep 2; done; exit 1`;
      if (via === "oc-exec" && (await second.run(wait, { what: "waiting", deadline: 150, ok: "any" })).code !== 0) {
        t.skip(`the API shows no ${pod}`);
        return;
      }
      const record = await takeSnapshot(second, await snapshot(via, { via, pod, v2: true }));
      assert.equal(await flawIn(record.archive), undefined);
      assert.ok(existsSync(record.v2?.archive ?? ""));
      assert.equal(await inEtcd(), "member\n");
    });

  test("flaws of a copy: cut, empty, a bit flipped, no trailer", async () => {
    const { archive } = await takeSnapshot(second, await snapshot("flaws"));
    const whole = readFileSync(archive);
    const copy = join(local, "copy.db");
    const flawOf = (bytes: Buffer) => {
      writeFileSync(copy, bytes);
      return flawIn(copy);
    };
    assert.equal(await flawOf(whole), undefined);
    assert.match((await flawOf(whole.subarray(0, -512))) ?? "", /its content has/);
    assert.match((await flawOf(whole.subarray(0, -32))) ?? "", /not whole pages/);
    assert.match((await flawOf(Buffer.alloc(0))) ?? "", /^0 bytes/);
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(4711) ^ 8, 4711);
    assert.match((await flawOf(flipped)) ?? "", /its content has/);
    truncateSync(copy, 100);
    assert.match((await flawIn(copy)) ?? "", /^100 bytes/);
  });

  const refused: [string, Partial<SnapshotOrder>, (s: string) => string, RegExp][] = [
    [
      "nobody listens there",
      { endpoint: "https://192.168.55.12:2" },
      String,
      /asking etcd at https:\/\/192\.168\.55\.12:2 /,
    ],
    [
      "master-exec says 0 without a pod",
      { via: "master-exec" },
      (s) => (s.includes("snapshot save") ? s.replaceAll("/usr/local/bin/master-exec", ":") : s),
      /did not say/,
    ],
    [
      "the words, but no file",
      {},
      (s) => s.replace(/^ETCDCTL_API=3 etcdctl .* snapshot save .*? >/m, "echo Snapshot saved >"),
      /is not there/,
    ],
    [
      "it is behind the live revision",
      { liveRevision: "99999999999" },
      String,
      /the cluster was already at 99999999999/,
    ],
    ["several endpoints", { endpoint: "https://a:1,https://b:1" }, String, /not exactly one endpoint/],
  ];
  for (const [what, over, run, message] of refused)
    test(`refused: ${what}`, async () => {
      const name = `bad-${refused.findIndex(([w]) => w === what)}`;
      await assert.rejects(takeSnapshot(meddled(second, { run }), await snapshot(name, over)), message);
      assert.equal(await inEtcd(), "member\n");
      assert.deepEqual(
        readdirSync(join(local, "archive", second.name)).filter((file) => file.includes(name)),
        [],
      );
    });

  test("ended in the middle by its deadline: nothing stays in etcd's folder", async () => {
    const slow = meddled(second, {
      run: (s) => s.replace("\nstatus=", "\nls -A /var/lib/etcd >&2; sleep 30; status="),
    });
    const hurried: RemoteHost = {
      ...slow,
      run: (s, r) => slow.run(s, s.includes("snapshot save") ? { ...r, deadline: 3 } : r),
    };
    const seen = /not finished within 3 s[^]*openshift-masters-ended\.db/;
    await assert.rejects(takeSnapshot(hurried, await snapshot("ended")), (error) => seen.test(String(error)));
    assert.equal(await inEtcd(), "member\n");
    assert.equal((await second.run(sh`ls -A ${directory}/${second.name} | grep ended || :`, quick)).stdout, "");
  });

  test("a trailer that does not fit is refused although both hashes agree", async () => {
    const script = (s: string) =>
      s.replace("\nchmod 600 --", '\nprintf x | dd of="$part" bs=1 seek=5000 conv=notrunc 2>/dev/null\nchmod 600 --');
    await assert.rejects(takeSnapshot(meddled(second, { run: script }), await snapshot("rotten")), /its content has/);
    assert.equal(await inEtcd(), "member\n");
  });
});
