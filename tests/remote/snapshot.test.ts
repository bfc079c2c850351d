/** A snapshot of a real etcd on this machine, which plays the host: its scripts are run here, with etcd's folder and endpoint put in. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import { manifestOf } from "../../providers/remote/local-archive.ts";
import type { RemoteHost } from "../../providers/remote/remote-host.ts";
import { takeSnapshot, type SnapshotOrder } from "../../providers/remote/snapshot.ts";
import { thisMachine } from "../../providers/remote/this-machine.ts";
import { hasEtcd, startEtcd, type Etcd } from "./etcd.ts";

const skip = hasEtcd ? false : "there is no etcd here (apt-get install etcd-server etcd-client)";
const folder = mkdtempSync(join(tmpdir(), "snapshot-"));
const bin = join(folder, "bin");
const compactions = join(folder, "compactions");

/** An etcdctl that takes no certificate and no endpoint but the live one; before a count it compacts as often as it is told. */
const etcdctl = (live: Etcd): string => `#!/bin/sh
while :; do case $1 in --cert|--key|--cacert|--endpoints) shift 2 ;; *) break ;; esac; done
e() { ( cd ${live.folder} && exec /usr/bin/etcdctl --endpoints unix://c:0 "$@" ); }
case "$*" in *" --rev="*)
  if [ -s ${compactions} ]; then
    sed -i 1d ${compactions}
    e put /registry/k0 again >/dev/null
    r=$(e get x -w json | sed -n 's/.*"revision":\\([0-9]*\\).*/\\1/p'); e compact "$r" >/dev/null
  fi ;; esac
e "$@"
`;

describe("a snapshot", { skip }, () => {
  let live: Etcd;
  let host: RemoteHost;
  before(async () => {
    live = await startEtcd();
    for (let n = 0; n < 9; n += 1) live.ctl(3, "put", `/registry/k${n}`, "v");
    live.ctl(3, "put", "/registry/k1", "w");
    live.ctl(3, "del", "/registry/k2");
    mkdirSync(bin);
    writeFileSync(join(bin, "etcdctl"), etcdctl(live));
    chmodSync(join(bin, "etcdctl"), 0o755);
    host = playedHere(live);
  });
  after(async () => {
    await live.remove();
    rmSync(folder, { recursive: true });
  });

  function playedHere(etcd: Etcd): RemoteHost {
    const here = (script: string) => `PATH=${bin}:$PATH; ${script.replaceAll("/var/lib/etcd", etcd.data)}`;
    const unused = () => Promise.reject(new Error("not played"));
    return {
      name: "master-1.example.com",
      address: "192.0.2.1",
      run: (script, o) => thisMachine.run(here(script), o),
      runBytes: unused,
      hold: unused,
      stream: (script) => {
        const child = spawn("/bin/sh", ["-c", here(script)], { stdio: ["ignore", "pipe", "inherit"] });
        const done = new Promise<{ code: number; stderr: string }>((resolve) =>
          child.once("close", (code) => resolve({ code: code ?? 255, stderr: "" })),
        );
        // as over SSH: what nobody has read yet when the process ends is kept (node would drop a child's)
        return Promise.resolve({ stdout: child.stdout.pipe(new PassThrough()), done });
      },
    };
  }

  const archive = join(folder, "archive");
  const order = (run: string, over: Partial<SnapshotOrder> = {}): SnapshotOrder => ({
    directory: join(folder, "backup"),
    archive,
    run,
    date: "20261123",
    keep: 7,
    say: () => undefined,
    endpoint: "https://192.0.2.1:2379",
    via: "host",
    liveRevision: "1",
    v2: false,
    rehearsal: "this machine",
    ...over,
  });
  const named = (run: string) => readdirSync(join(archive, host.name)).filter((file) => file.includes(run));
  const compact = (times: number) => writeFileSync(compactions, "once\n".repeat(times));

  test("is counted live, restored on trial, and its manifest tells cluster, members and version", async () => {
    const said: string[] = [];
    const record = await takeSnapshot(host, order("good", { say: (text) => said.push(text) }));
    const { rehearsal } = record;
    assert.ok(rehearsal.rehearsed, JSON.stringify(rehearsal));
    assert.deepEqual([record.liveKeys, rehearsal.keys, rehearsal.revision], [8, 8, record.revision]);
    assert.notEqual(record.keys, record.liveKeys, "status counts something else");
    assert.match(
      said.join("\n"),
      /master-1\.example\.com: restored on this machine by etcd \S+ in \S+ s: 8 keys at revision \d+, as in the live cluster/,
    );
    const manifest = JSON.parse(readFileSync(manifestOf(record.archive), "utf8")) as Record<string, unknown>;
    const [id = "", , name, peer] = live.ctl(3, "member", "list").trim().split(", ");
    assert.deepEqual(manifest["members"], [{ id, name, peerURLs: [peer] }]);
    assert.deepEqual(manifest["rehearsal"], rehearsal);
    assert.equal(manifest["memberId"], id);
    assert.match(String(manifest["clusterId"]), /^[0-9a-f]{1,16}$/);
    assert.ok(String(manifest["clusterId"]) !== id && String(manifest["version"]) === rehearsal.etcd);
  });

  test("without a rehearsal it says so, in the record, the manifest and aloud", async () => {
    const said: string[] = [];
    const record = await takeSnapshot(host, order("quiet", { rehearsal: "nowhere", say: (text) => said.push(text) }));
    assert.deepEqual(record.rehearsal, { rehearsed: false, why: "backup.rehearsal is false" });
    assert.match(readFileSync(manifestOf(record.archive), "utf8"), /"why":"backup\.rehearsal is false"/);
    assert.match(said.join("\n"), /the restore is NOT rehearsed: backup\.rehearsal is false/);
  });

  test("whose revision was compacted before it was counted is taken again, once", async () => {
    compact(1);
    const said: string[] = [];
    const record = await takeSnapshot(host, order("again", { say: (text) => said.push(text) }));
    assert.equal(record.liveKeys, 8);
    assert.match(said.join("\n"), /has compacted the snapshot's revision .*taking it again/);
    compact(2);
    await assert.rejects(
      takeSnapshot(host, order("never")),
      /counting etcd's keys on master-1\.example\.com failed: .*compacted before it could be done, twice/,
    );
    assert.deepEqual(named("never"), []);
    assert.ok(!existsSync(compactions) || readFileSync(compactions, "utf8") === "");
  });

  test("that does not restore to the live count gets no final name here", async () => {
    const lying = {
      ...thisMachine,
      name: "here",
      run: (s: string, o: Parameters<RemoteHost["run"]>[1]) => thisMachine.run(s.replace(/"\$count"$/m, "7"), o),
    };
    await assert.rejects(
      takeSnapshot(host, order("wrong", { rehearsal: lying })),
      /has 7 keys at revision \d+, the live cluster had 8/,
    );
    assert.deepEqual(named("wrong"), []);
    assert.deepEqual(readdirSync(live.data), ["member"]);
  });
});
