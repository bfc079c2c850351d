/** A backup of etcd's v2 store is one only when an etcd starts from it and has the keys; tried with a real etcd. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { backupPlace } from "../../providers/plan/backup-names.ts";
import { v2BackupScript, v2RestoreCommand } from "../../providers/plan/snapshot-script.ts";
import { hasEtcd, startEtcd, type Etcd } from "./etcd.ts";

const skip = hasEtcd ? false : "there is no etcd here (apt-get install etcd-server etcd-client)";
const folder = mkdtempSync(join(tmpdir(), "v2-"));
const keys = Array.from({ length: 7 }, (_, n) => `/openshift.com/network/subnets/10.128.${n}.0-23`);

describe("a v2 backup", { skip }, () => {
  let live: Etcd;
  before(async () => {
    // ten entries make a snapshot of raft's, as a hundred thousand do in 3.2
    live = await startEtcd(["--snapshot-count", "10"]);
    for (const key of keys) live.ctl(2, "set", key, "x");
    for (let n = 0; n < 30; n += 1) live.ctl(3, "put", `/registry/k${n}`, "v");
    live.ctl(2, "rm", keys[0] ?? "");
    live.ctl(2, "set", keys[1] ?? "", "y");
  });
  after(async () => {
    await live.remove();
    rmSync(folder, { recursive: true });
  });

  /** An etcdctl that reaches the live etcd whatever endpoint it is given, and changes a backup on the way. */
  function etcdctl(name: string, backup: string): string {
    const bin = join(folder, name);
    mkdirSync(bin);
    writeFileSync(
      join(bin, "etcdctl"),
      `#!/bin/sh
for word; do last=$word; done
case "$*" in
  *"snapshot save"*) cd ${live.folder} && exec /usr/bin/etcdctl --endpoints unix://c:0 snapshot save "$last" ;;
  *backup*) ${backup} ;;
  *) exec /usr/bin/etcdctl "$@" ;;
esac\n`,
    );
    chmodSync(join(bin, "etcdctl"), 0o755);
    return bin;
  }

  /** Runs the host's script, unpacks what it made, and starts an etcd from it by the command that the docs give. */
  async function restored(run: string, backup: string): Promise<{ ctl: Etcd["ctl"]; end: () => Promise<void> }> {
    const bin = etcdctl(run, backup);
    const place = backupPlace("etcd-v2", "m", { directory: join(folder, "backup"), run, date: "20261123" });
    const script = v2BackupScript(place, { via: "host", endpoint: "https://192.0.2.1:2379", run });
    execFileSync("/bin/sh", ["-c", script.replaceAll("/var/lib/etcd", live.data)], {
      env: { PATH: `${bin}:${process.env["PATH"] ?? ""}` },
    });
    assert.deepEqual(readdirSync(live.data), ["member"], "nothing stays in etcd's folder");
    const cwd = mkdtempSync(join(folder, "restored-"));
    mkdirSync(join(cwd, "data"));
    execFileSync("tar", ["-xzpf", place.part, "-C", join(cwd, "data")]);
    return start(cwd, v2RestoreCommand({ data: "data", name: "alone", client: "unix://c:0", peer: "unix://p:0" }));
  }

  async function start(cwd: string, command: string): Promise<{ ctl: Etcd["ctl"]; end: () => Promise<void> }> {
    const child = spawn("/bin/sh", ["-c", `exec ${command}`], { cwd, stdio: "ignore" });
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const ctl: Etcd["ctl"] = (api, ...args) =>
      execFileSync("etcdctl", ["--endpoints", "unix://c:0", ...args], {
        cwd,
        env: { PATH: process.env["PATH"], ETCDCTL_API: String(api) },
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        timeout: 20_000,
      });
    const end = () => (child.kill("SIGTERM"), gone);
    for (let i = 0; ; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      if (child.exitCode !== null) throw new Error(`etcd does not start from the backup (exit ${child.exitCode})`);
      try {
        ctl(2, "ls", "/");
        return { ctl, end };
      } catch (error) {
        if (i < 50) continue;
        await end();
        throw error;
      }
    }
  }

  const count = (ctl: Etcd["ctl"]) => {
    const printed = ctl(3, "get", "", "--prefix", "--keys-only", "--limit=1", "-w", "json");
    return (JSON.parse(printed) as { count?: number }).count ?? 0;
  };
  const listed = (ctl: Etcd["ctl"]) => ctl(2, "ls", "/openshift.com/network/subnets").trim().split("\n").sort();

  test("as etcd 3.4 writes it starts as a new cluster of one with every v2 key", async () => {
    const { ctl, end } = await restored("whole", `exec /usr/bin/etcdctl "$@"`);
    try {
      assert.deepEqual(listed(ctl), keys.slice(1));
      assert.equal(ctl(2, "get", keys[1] ?? ""), "y\n");
      assert.equal(ctl(2, "member", "list").trim().split("\n").length, 1);
      ctl(2, "set", "/new", "1");
    } finally {
      await end();
    }
  });

  test("as etcd 3.2 writes it, without a database, starts too, and takes new v3 keys", async () => {
    // its log keeps the entries of v3: 3.4 does that with --with-v3, and then waits for the database of an etcd that runs
    const copy = join(folder, "copy");
    const { ctl, end } = await restored(
      "old",
      `rm -rf ${copy} && cp -r ${live.data} ${copy} && /usr/bin/etcdctl backup --data-dir ${copy} --backup-dir "$last" --with-v3 && rm "$last/member/snap/db"`,
    );
    try {
      assert.deepEqual(listed(ctl), keys.slice(1));
      assert.equal(count(ctl), 30);
      ctl(3, "put", "/registry/new", "1");
      assert.equal(count(ctl), 31);
    } finally {
      await end();
    }
  });

  test("that has no database is none: an etcd does not start from it", async () => {
    const cwd = mkdtempSync(join(folder, "without-"));
    execFileSync("etcdctl", ["backup", "--data-dir", live.data, "--backup-dir", join(cwd, "data")], {
      env: { PATH: process.env["PATH"], ETCDCTL_API: "2" },
      stdio: "ignore",
    });
    rmSync(join(cwd, "data/member/snap/db"));
    const command = v2RestoreCommand({ data: "data", name: "alone", client: "unix://c:0", peer: "unix://p:0" });
    await assert.rejects(start(cwd, command), /etcd does not start from the backup/);
  });
});
