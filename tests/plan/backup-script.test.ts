import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { backupPlace, type BackupRun, namePattern } from "../../providers/plan/backup-names.ts";
import { parseCounted, parseLanded, parsePrepared } from "../../providers/plan/backup-script.ts";
import { Refusal } from "../../providers/plan/refusal.ts";

const run: BackupRun = { directory: "/backup", run: "r-1", date: "20261123" };

describe("names", () => {
  test("host, day and run are in the name; the folder is our own", () => {
    assert.deepEqual(backupPlace("master", "master-1.example.com", run), {
      folder: "/backup/master-1.example.com",
      file: "master-1.example.com-20261123-r-1.tar.gz",
      path: "/backup/master-1.example.com/master-1.example.com-20261123-r-1.tar.gz",
      part: "/backup/master-1.example.com/master-1.example.com-20261123-r-1.tar.gz.part",
      work: "/backup/master-1.example.com/master-1.example.com-20261123-r-1.work",
    });
    assert.equal(backupPlace("master", "m", run, "tar").file, "m-20261123-r-1.tar");
    assert.equal(backupPlace("etcd-config", "m", run).file, "etcd-config-m-20261123-r-1.tar.gz");
    assert.equal(
      backupPlace("etcd-snapshot", "m", { ...run, directory: "/b/" }).path,
      "/b/m/etcd-snapshot-m-20261123-r-1.db",
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

describe("names that count as ours", () => {
  const isOurs = (kind: Parameters<typeof namePattern>[0], file: string) =>
    new RegExp(`^(?:${namePattern(kind, "m1.example.com")})$`).test(file);
  const own = "m1.example.com-20261123-213301-0a1b2c";

  test("what a run makes is counted, each kind by itself", () => {
    assert.ok(isOurs("master", `${own}.tar.gz`) && isOurs("master", `${own}.tar`));
    assert.ok(isOurs("etcd-config", `etcd-config-${own}.tar.gz`));
    assert.ok(isOurs("etcd-snapshot", `etcd-snapshot-${own}.db`));
    assert.ok(isOurs("etcd-v2", `etcd-v2-${own}.tar.gz`));
  });

  const others: [string, string][] = [
    ["the vendor's own archive", "m1.example.com-20261123.tar.gz"],
    ["another host's", "m11example.com-20261123-213301-0a1b2c.tar.gz"],
    ["a host whose name ends alike", `x${own}.tar.gz`],
    ["another kind's", `etcd-config-${own}.tar.gz`],
    ["an unfinished one", `${own}.tar.gz.part`],
    ["a manifest", `${own}.tar.gz.json`],
    ["a copy", `${own}.tar.gz~`],
  ];
  for (const [what, file] of others) test(`not ${what}`, () => assert.ok(!isOurs("master", file)));
});

describe("what the host printed", () => {
  const sha256 = "ab".repeat(32);
  const prepared =
    "announced 51200\ncount 3\nending tar\npackages 7\nmachine 5f0d\ntool tar: tar (GNU tar) 1.26\nabsent /etc/cni\nabsent /etc/etcd/ca\npath etc/origin\n";
  const counted = "tar: noise\n\nentries 3\nfiles 2\nnote tar: etc/\u001b[31m: socket ignored\n";

  test("is read, and safe to show", () => {
    assert.deepEqual(parsePrepared(prepared), {
      announced: 51200,
      count: 3,
      ending: "tar",
      packages: 7,
      machineId: "5f0d",
      tools: ["tar: tar (GNU tar) 1.26"],
      absent: ["/etc/cni", "/etc/etcd/ca"],
      paths: ["/etc/origin"],
    });
    assert.deepEqual(parseCounted(counted), { entries: 3, files: 2, notes: ["tar: etc/\\x1b[31m: socket ignored"] });
    assert.deepEqual(parseLanded(`bytes 512\nsha256 ${sha256}\n`), { bytes: 512, sha256 });
  });

  for (const word of ["announced", "count", "packages"])
    test(`without ${word} nothing is begun`, () => {
      assert.throws(() => parsePrepared(prepared.replace(`${word} `, `${word}: `)), Refusal);
    });
  for (const word of ["entries", "files"])
    test(`without ${word} it counts for nothing`, () => {
      assert.throws(() => parseCounted(counted.replace(`${word} `, `${word}: `)), Refusal);
    });
  for (const word of ["bytes", "sha256"])
    test(`without ${word} there is nothing to copy`, () => {
      assert.throws(() => parseLanded(`bytes 512\nsha256 ${sha256}\n`.replace(`${word} `, `${word}: `)), Refusal);
    });
  test("an ending of the host's own invention is none", () => {
    assert.equal(parsePrepared(prepared.replace("ending tar", "ending ../../x")).ending, "tar.gz");
  });
});
