import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ArchiveEntry } from "../../providers/plan/archive.ts";
import { Refusal } from "../../providers/plan/refusal.ts";
import { objections } from "../../providers/plan/restore-archive.ts";
import { choose, compare, lineOf, namesFor, restartAdvice, type Seen } from "../../providers/plan/restore.ts";
import { parseLook, putBackList } from "../../providers/plan/restore-script.ts";

const hash = "a".repeat(64);
const file = (path: string, over: Partial<ArchiveEntry> = {}): ArchiveEntry => ({
  path,
  type: "file",
  mode: "0600",
  uid: 0,
  gid: 0,
  size: 3,
  sha256: hash,
  ...over,
});
const folder = (path: string, mode = "0755"): ArchiveEntry => ({ path, type: "folder", mode, uid: 0, gid: 0, size: 0 });
const link = (path: string, target: string, type: "symlink" | "link" = "symlink"): ArchiveEntry => ({
  ...{ path, type, target },
  ...{ mode: "0777", uid: 0, gid: 0, size: 0 },
});
const paths = ["/etc/origin", "/etc/dnsmasq.conf"];
const good = [file("packages.txt"), folder("etc/origin"), file("etc/origin/a b\n"), file("etc/dnsmasq.conf")];
const judged = (entries: readonly ArchiveEntry[], listed = entries) => objections({ entries, paths, listed });
const saysRefusal = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Refusal, String(error));
  assert.match(error.message, pattern);
  return true;
};

describe("the whole archive", () => {
  test("a good one has nothing against it, with links and a double of nested paths", () => {
    assert.deepEqual(judged([...good, link("etc/origin/l", "/etc/shadow"), folder("etc/origin")]), []);
  });
  const table: [string, ArchiveEntry[], RegExp][] = [
    ["absolute", [file("/etc/origin/x")], /^\/etc\/origin\/x: an absolute name/],
    ["..", [file("etc/origin/../shadow")], /"\."/],
    [".. at the end", [folder("etc/origin/..")], /"\."/],
    [".", [file("./etc/origin/x")], /"\."/],
    ["empty part", [file("etc/origin//x")], /empty part/],
    ["device", [{ ...file("etc/origin/x"), type: "other" }], /a device or a pipe/],
    ["outside", [file("etc/shadow")], /outside the paths/],
    ["a name that only begins so", [file("etc/origin-other/x")], /outside the paths/],
    ["outside: a link", [link("etc/cron.d", "/tmp")], /outside the paths/],
    [
      "through a link",
      [link("etc/origin/l", "/etc"), file("etc/origin/l/shadow")],
      /below etc\/origin\/l, which is no folder/,
    ],
    ["through a link that comes later", [file("etc/origin/l/m/x"), link("etc/origin/l", "/")], /below etc\/origin\/l/],
    ["below a file", [file("etc/origin/f"), file("etc/origin/f/x")], /below etc\/origin\/f/],
    ["twice, different", [file("etc/origin/x"), file("etc/origin/x", { mode: "4755" })], /there twice/],
    ["a link and a file of one name", [link("etc/origin/x", "/etc/shadow"), file("etc/origin/x")], /there twice/],
    ["control characters are not shown", [file("etc/\x1b[2J")], /\\x1b\[2J: outside/],
  ];
  for (const [name, entries, pattern] of table)
    test(name, () =>
      assert.ok(
        judged(entries).some((line) => pattern.test(line)),
        judged(entries).join("\n"),
      ),
    );

  test("what is not as the manifest lists it, both ways", () => {
    const other = { ...file("etc/dnsmasq.conf"), sha256: "b".repeat(64) };
    const wrong = objections({ entries: [...good.slice(0, 3), other], paths, listed: good });
    assert.deepEqual(wrong, [
      "etc/dnsmasq.conf: not as the manifest lists it",
      "etc/dnsmasq.conf: listed in the manifest, and not so in the archive",
    ]);
    for (const over of [{ mode: "0644" }, { uid: 1 }, { gid: 1 }, { size: 4 }])
      assert.equal(
        objections({ entries: [file("etc/origin/x", over)], paths, listed: [file("etc/origin/x")] }).length,
        2,
      );
    assert.equal(objections({ entries: good.slice(1), paths, listed: good }).length, 1);
    assert.deepEqual(objections({ entries: good, paths, listed: undefined }), []);
  });
});

describe("the choice", () => {
  const entries = [
    ...[folder("etc/origin"), folder("etc/origin/master"), file("etc/origin/master/b"), file("etc/origin/master/a")],
    ...[
      file("etc/origin/master-x"),
      link("etc/origin/l", "master"),
      link("etc/origin/h", "etc/origin/master/a", "link"),
    ],
    file("packages.txt"),
  ];
  const names = (files: string[], skipLinks = true) =>
    choose(entries, { files, skipLinks }).chosen.map(({ path }) => path);

  test("a folder brings all below it and the folders above it, and no other of a like name", () => {
    assert.deepEqual(names(["/etc/origin/master/"]), [
      ...["etc/origin", "etc/origin/master", "etc/origin/master/a", "etc/origin/master/b"],
    ]);
    assert.deepEqual(names(["/etc/origin/master/a"]), ["etc/origin", "etc/origin/master", "etc/origin/master/a"]);
    assert.ok(!names([]).includes("packages.txt"));
    assert.equal(names([]).length, 5);
  });
  test("links are refused one and all, or left out and told", () => {
    assert.throws(
      () => names([], false),
      saysRefusal(/origin\/h: a hard link to etc\/origin\/master\/a; --skip-links[^]*origin\/l: a link to master;/),
    );
    assert.deepEqual(choose(entries, { files: [], skipLinks: true }).leftOut, [
      "/etc/origin/h: a hard link to etc/origin/master/a",
      "/etc/origin/l: a link to master",
    ]);
    assert.equal(names(["/etc/origin/master"], false).length, 4, "links elsewhere do not matter");
  });
  test("what is not there, and names that are not absolute, are refused", () => {
    assert.throws(
      () => names(["/etc/origin/master", "/etc/nothing"]),
      saysRefusal(/\/etc\/nothing: the archive has nothing/),
    );
    for (const name of ["etc/origin", "/etc/../etc/origin", "/etc//origin", "/etc/./origin", "/packages.txt/..", "/"])
      assert.throws(() => names([name]), saysRefusal(/absolute names/), name);
    assert.throws(
      () => choose([file("packages.txt")], { files: ["/etc"], skipLinks: true }),
      saysRefusal(/nothing of that/),
    );
  });
  test("what cannot be proved or kept is refused; a name that is no UTF-8 is left out", () => {
    const { sha256, ...unproved } = file("etc/origin/big");
    assert.equal(sha256, hash);
    assert.throws(() => choose([unproved], { files: [], skipLinks: false }), saysRefusal(/no hash/));
    assert.throws(
      () => choose([file(`etc/${"ß".repeat(110)}`)], { files: [], skipLinks: false }),
      saysRefusal(/too long/),
    );
    const odd = choose([file("etc/origin/\ufffdx")], { files: [], skipLinks: false });
    assert.deepEqual([odd.chosen.length, odd.leftOut.length], [0, 1]);
  });
});

describe("the comparison", () => {
  const there = { mode: "600", uid: 0, gid: 0 };
  const table: [ArchiveEntry, Seen, string][] = [
    [file("f"), { is: "absent" }, "new      0600 0:0  /f"],
    [file("f"), { is: "file", ...there, sha256: hash }, "same     0600 0:0  /f"],
    [
      file("f"),
      { is: "file", ...there, mode: "4644", sha256: "b".repeat(64) },
      "differs  0600 0:0  /f  (there: content, mode 4644)",
    ],
    [file("f"), { is: "file", ...there, gid: 7, sha256: hash }, "differs  0600 0:0  /f  (there: owner 0:7)"],
    [folder("d"), { is: "folder", ...there, mode: "755" }, "same     0755 0:0  /d/"],
  ];
  for (const [entry, seen, line] of table)
    test(line, () => assert.deepEqual(compare([entry], [seen]).map(lineOf), [line]));
  test("something else of that name is refused", () => {
    assert.throws(
      () => compare([file("f")], [{ is: "folder", ...there }]),
      saysRefusal(/a file in the archive, a folder on the host/),
    );
    assert.throws(
      () => compare([file("f")], [{ is: "other", what: "it is a link" }]),
      saysRefusal(/on the host it is a link/),
    );
  });
});

test("names beside a file; none that a daemon would read in folders it takes whole", () => {
  const run = "20261124-101500-abc123";
  assert.deepEqual(namesFor("etc/etcd/etcd.conf", run), {
    folder: "etc/etcd",
    stem: "etc/etcd/.etcd.conf.restore-",
    kept: `etc/etcd/etcd.conf.before-restore-${run}`,
  });
  for (const path of [
    "etc/origin/node/pods/etcd.yaml",
    "etc/dnsmasq.d/x",
    "etc/cni/net.d/x",
    "etc/sysconfig/network-scripts/ifcfg-a",
  ])
    assert.match(namesFor(path, run).kept, /\/\.[^/]+\.before-restore-/);
  assert.equal(namesFor("top", run).kept, `top.before-restore-${run}`);
});

test("what to restart follows from the paths", () => {
  assert.deepEqual(restartAdvice(["etc/origin/node/pods/etcd.yaml"]).length, 1);
  assert.match(restartAdvice(["etc/origin/node/pods/etcd.yaml"])[0] ?? "", /nothing: the node service/);
  assert.match(restartAdvice(["etc/etcd/ca/serial", "etc/origin/master/x"]).join("\n"), /restart etcd[^]*restart api/);
  assert.deepEqual(restartAdvice(["etc/etcd-other"]), []);
});

test("a host's answers are read strictly", () => {
  const sum = "c".repeat(64);
  const machine = "0123456789abcdef0123456789abcdef";
  const { machineId, seen } = parseLook(`machine ${machine}\n1 file 600 0 0 ${sum}\n0 folder 755 1 2\n2 absent\n`, 3);
  assert.equal(machineId, machine);
  assert.deepEqual(seen, [
    { is: "folder", mode: "755", uid: 1, gid: 2 },
    { is: "file", mode: "600", uid: 0, gid: 0, sha256: sum },
    { is: "absent" },
  ]);
  for (const answer of [
    "",
    "0 file 600 0 0",
    "0 file 999 0 0 " + sum,
    "0 folder 755",
    "0 file 600 0 0 xyz",
    "1 absent",
  ])
    assert.throws(() => parseLook(answer, 1), Refusal, answer);
});

test("every entry of the list has ten fields, whatever its name", () => {
  const changes = compare([folder("etc/x"), file("etc/x/a\nb ")], [{ is: "absent" }, { is: "absent" }]);
  const list = putBackList({ root: "", folder: "/backup/h", run: "r", changes, compressed: true })
    .toString()
    .split("\0");
  assert.equal(list.length, 21);
  assert.deepEqual(list.slice(10, 13), ["file", "etc/x/a\nb ", "etc/x"]);
});
