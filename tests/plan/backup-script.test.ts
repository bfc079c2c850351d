import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { backupPlace, type BackupRun } from "../../providers/plan/backup-names.ts";
import { parseTaken } from "../../providers/plan/backup-script.ts";
import { Refusal } from "../../providers/plan/refusal.ts";

const run: BackupRun = { directory: "/backup", run: "r-1", date: "20261123" };

describe("names", () => {
  test("host, day and run are in the name; the folder is our own", () => {
    assert.deepEqual(backupPlace("master", "master-1.example.com", run), {
      folder: "/backup/openshift-masters",
      file: "master-1.example.com-20261123-r-1.tar.gz",
      path: "/backup/openshift-masters/master-1.example.com-20261123-r-1.tar.gz",
    });
    assert.equal(backupPlace("etcd-config", "m", run).file, "etcd-config-m-20261123-r-1.tar.gz");
    assert.equal(
      backupPlace("etcd-snapshot", "m", { ...run, directory: "/b/" }).path,
      "/b/openshift-masters/etcd-snapshot-m-20261123-r-1.db",
    );
    assert.equal(backupPlace("etcd-v2", "m", run).file, "etcd-v2-m-20261123-r-1.tar.gz");
  });

  const wrong: [string, string, Partial<BackupRun>][] = [
    ["a host name that leaves the folder", "../etc/passwd", {}],
    ["a host name that is an option", "-rf", {}],
    ["no host name", "", {}],
    ["a run with a slash", "m", { run: "a/b" }],
    ["a run in capitals", "m", { run: "A" }],
    ["a date with dashes", "m", { date: "2026-11-23" }],
    ["a relative folder", "m", { directory: "backup" }],
    ["the root", "m", { directory: "/" }],
    ["a folder that climbs", "m", { directory: "/backup/../etc" }],
    ["a folder with a newline", "m", { directory: "/a\nb" }],
  ];
  for (const [what, host, part] of wrong)
    test(`${what} is refused`, () => assert.throws(() => backupPlace("master", host, { ...run, ...part }), Refusal));
});

describe("what the host printed", () => {
  const sha256 = "ab".repeat(32);
  const whole = `bytes 512\nsha256 ${sha256}\nentries 3\nfiles 2\nnote tar: etc/\u001b[31m: socket ignored\npackages 7\nabsent /etc/cni\nabsent /etc/etcd/ca\n`;

  test("is read, and safe to show", () => {
    assert.deepEqual(parseTaken(whole), {
      bytes: 512,
      sha256,
      entries: 3,
      files: 2,
      packages: 7,
      absent: ["/etc/cni", "/etc/etcd/ca"],
      notes: ["tar: etc/\\x1b[31m: socket ignored"],
    });
  });

  for (const word of ["bytes", "sha256", "entries", "files"])
    test(`without ${word} it counts for nothing`, () => {
      assert.throws(() => parseTaken(whole.replace(`${word} `, `${word}: `)), Refusal);
    });
});
