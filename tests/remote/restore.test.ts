/** Files put back through a throw-away sshd, below a folder that stands for `/`: never this machine's own /etc. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  createWriteStream,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { after, before, beforeEach, describe, test } from "node:test";
import tar from "tar-stream";
import type { ArchiveEntry } from "../../providers/plan/archive.ts";
import { Refusal } from "../../providers/plan/refusal.ts";
import { choose, compare, namesFor } from "../../providers/plan/restore.ts";
import { RemoteError } from "../../providers/remote/errors.ts";
import { hashFile, manifestOf } from "../../providers/remote/local-archive.ts";
import { plainTar } from "../../providers/remote/open-archive.ts";
import { look, putBack, readBackup } from "../../providers/remote/restore.ts";
import { Connections, type RemoteHost } from "../../providers/remote/ssh.ts";
import { readEntries } from "../../providers/remote/tar-entries.ts";
import { startSshd, type Sshd } from "./sshd.ts";

const top = realpathSync(mkdtempSync(join(tmpdir(), "restore-")));
const machineId = "0123456789abcdef0123456789abcdef";
const name = "master-1.example.com";
let sshd: Sshd;
let connections: Connections;
let host: RemoteHost;
/** What stands for `/` on the host, and its backup folder. */
let root: string;
let folder: string;
let run: string;
let runs = 0;
before(async () => {
  sshd = await startSshd();
  connections = new Connections(sshd.settings());
  host = connections.host({ name, address: "127.0.0.1" });
});
after(async () => {
  await connections.close();
  await sshd.stop();
  rmSync(top, { recursive: true, force: true });
});
beforeEach(() => {
  run = `20261124-101500-${(runs += 1).toString(16).padStart(6, "0")}`;
  root = join(top, `it's a $root ${run}`);
  folder = join(top, `backup ${run}`);
  mkdirSync(join(root, "etc/origin/node"), { recursive: true });
  writeFileSync(join(root, "etc/machine-id"), `${machineId}\n`);
});

/** Packs a tree as the backup does, with its manifest; `paths` relative to the tree. */
async function packed(tree: string, paths = ["etc/origin"]): Promise<string> {
  const archive = join(top, `${run}.tar.gz`);
  const attributes = ["--xattrs", "--numeric-owner", "--sparse"];
  execFileSync("tar", [...attributes, "-czf", archive, "-C", tree, ...paths]);
  await describeIt(archive, paths);
  return archive;
}

async function describeIt(archive: string, paths = ["etc/origin"]): Promise<void> {
  const entries: ArchiveEntry[] = [];
  await readEntries(await plainTar(archive), { each: (entry) => entries.push(entry) });
  const content = { host: name, machineId, takenAt: "2026-11-24T00:00:00Z", sha256: await hashFile(archive), entries };
  writeFileSync(manifestOf(archive), JSON.stringify({ ...content, paths: paths.map((path) => `/${path}`) }));
}

/** A tree like a master's, with the names that tear scripts apart. */
function tree(): string {
  const at = join(top, `tree ${run}`);
  mkdirSync(join(at, "etc/origin/node/pods"), { recursive: true });
  execFileSync("sh", [
    "-c",
    `cd "$1/etc/origin" && echo config >master-config.yaml && chmod 640 master-config.yaml && echo pod >node/pods/etcd.yaml
    mkdir 'a b' && echo 1 >'a b/c
d' && echo 2 >'a b/-rf' && echo 3 >'a b/\\n*?[x]' && echo 4 >"a b/it's \\"q\\" \\$HOME" && echo 5 >größe && : >empty
    mkdir -m 1711 sticky && echo s >sticky/s && chown 1234:4321 sticky/s && chmod 4750 sticky/s
    python3 -c 'import os; os.setxattr("sticky/s", "user.note", b"kept")'
    truncate -s 3M sticky/sparse && printf x | dd of=sticky/sparse bs=1 seek=2000000 conv=notrunc 2>/dev/null`,
    "tree",
    at,
  ]);
  return at;
}

const walk = (at: string): string =>
  execFileSync(
    "sh",
    [
      "-c",
      `cd "$1"; find . -printf '%p|%y|%m|%U:%G|%l\\0' | sort -z; find . -type f -print0 | sort -z | xargs -0r sha256sum -z`,
      "walk",
      at,
    ],
    { encoding: "latin1", env: { ...process.env, LC_ALL: "C" } },
  );
/** The same without what the run kept. */
const walkWithoutKept = (at: string) =>
  walk(at)
    .split("\0")
    .filter((line) => !line.includes(".before-restore-"))
    .join("\n");

async function prepared(archive: string, files: readonly string[] = [], skipLinks = false) {
  const backup = await readBackup(archive, {});
  const { chosen } = choose(backup.entries, { files, skipLinks });
  const { seen } = await look(host, chosen, root);
  return { backup, opening: {}, differences: compare(chosen, seen), folder, run, root };
}
const restored = async (archive: string, files?: readonly string[], by = host) =>
  putBack(by, await prepared(archive, files));
/** The host with its scripts changed on the way. */
const meddled = (change: (script: string) => string): RemoteHost => ({
  name,
  address: host.address,
  run: (s, r) => host.run(change(s), r),
  runBytes: (s, r) => host.runBytes(s, r),
  stream: (s, r) => host.stream(s, r),
  hold: (s, r) => host.hold(s, r),
});
const saysError = (kind: new (...words: never[]) => Error, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof kind, String(error));
  assert.match(error.message, pattern);
  return true;
};
const scratchLeft = () => (existsSync(folder) ? readdirSync(folder).filter((one) => one !== ".restore.lock") : []);

describe("a good archive", () => {
  test("everything comes back: odd names, modes, owners, attributes, holes", async () => {
    const source = tree();
    const archive = await packed(source);
    rmSync(join(root, "etc/origin"), { recursive: true });
    await restored(archive);
    assert.equal(walk(join(root, "etc/origin")), walk(join(source, "etc/origin")));
    const at = join(root, "etc/origin/sticky/s");
    assert.equal(
      execFileSync(
        "python3",
        ["-c", `import os, sys; sys.stdout.write(os.getxattr(sys.argv[1], "user.note").decode())`, at],
        { encoding: "utf8" },
      ),
      "kept",
    );
    assert.ok(statSync(join(root, "etc/origin/sticky/sparse")).blocks * 512 < 1_000_000, "holes stay holes");
    assert.deepEqual(scratchLeft(), []);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
  });

  test("a replaced file is kept beside it, 0600; what is the same is not touched; other files neither", async () => {
    const source = tree();
    const archive = await packed(source);
    execFileSync("cp", ["-a", join(source, "etc"), root]);
    const config = join(root, "etc/origin/master-config.yaml");
    writeFileSync(config, "spoilt\n");
    writeFileSync(join(root, "etc/origin/newer"), "stays");
    writeFileSync(join(root, "etc/origin/node/pods/etcd.yaml"), "spoilt\n");
    execFileSync("chmod", ["700", join(root, "etc/origin/sticky")]);
    const untouched = statSync(join(root, "etc/origin/größe")).ino;
    await restored(archive);
    assert.equal(readFileSync(config, "utf8"), "config\n");
    const kept = `${config}.before-restore-${run}`;
    assert.equal(readFileSync(kept, "utf8"), "spoilt\n");
    assert.equal(statSync(kept).mode & 0o777, 0o600);
    const pods = readdirSync(join(root, "etc/origin/node/pods")).sort();
    assert.deepEqual(pods, [`.etcd.yaml.before-restore-${run}`, "etcd.yaml"], "the kubelet sees one manifest");
    assert.equal(statSync(join(root, "etc/origin/größe")).ino, untouched);
    assert.equal(statSync(join(root, "etc/origin/sticky")).mode & 0o7777, 0o1711);
    assert.equal(readFileSync(join(root, "etc/origin/newer"), "utf8"), "stays");
    assert.equal(readdirSync(join(root, "etc/origin")).filter((one) => one.includes("restore-")).length, 1);
  });

  test("only what was chosen, and the folders above it", async () => {
    const archive = await packed(tree());
    rmSync(join(root, "etc/origin"), { recursive: true });
    await restored(archive, ["/etc/origin/a b"]);
    assert.deepEqual(readdirSync(join(root, "etc/origin")), ["a b"]);
    assert.equal(readdirSync(join(root, "etc/origin/a b")).length, 4);
    await restored(archive, ["/etc/origin/a b"]);
  });

  test("long names, more than one command line of xargs holds", async () => {
    const source = join(top, `many ${run}`);
    const deep = ["etc/origin", ...["d", "e", "f", "g", "h"].map((one) => one.repeat(240))].join("/");
    mkdirSync(join(source, deep), { recursive: true });
    for (let n = 0; n < 100; n++) writeFileSync(join(source, deep, `${"i".repeat(190)}${n}`), String(n));
    const archive = await packed(source);
    await restored(archive);
    assert.equal(walk(join(root, deep)), walk(join(source, deep)));
  });

  test("links are left out on request", async () => {
    const source = tree();
    execFileSync("sh", ["-c", `cd "$1/etc/origin" && ln -s ../../shadow soft && ln größe hard`, "links", source]);
    const archive = await packed(source);
    const order = await prepared(archive, [], true);
    await putBack(host, order);
    assert.ok(existsSync(join(root, "etc/origin/master-config.yaml")));
    assert.ok(
      !existsSync(join(root, "etc/origin/soft")) &&
        lstatSync(join(root, "etc/origin"), { throwIfNoEntry: false })?.isDirectory() === true,
    );
    const names = readdirSync(join(root, "etc/origin"));
    assert.ok(!names.includes("soft"));
    assert.equal(
      names.filter((one) => ["hard", "größe"].includes(one)).length,
      1,
      "one of two names is a file, the other a link",
    );
  });
});

describe("an archive that is refused whole", () => {
  /** Made entry by entry, as tar itself would not; with a manifest that lists all of it. */
  async function crafted(...headers: (Parameters<tar.Pack["entry"]>[0] & { content?: string })[]): Promise<string> {
    const archive = join(top, `${run}-crafted.tar.gz`);
    const pack = tar.pack();
    for (const { content = "", ...header } of headers) pack.entry(header, content);
    pack.finalize();
    await pipeline(pack, createGzip(), createWriteStream(archive));
    await describeIt(archive);
    return archive;
  }
  const bad: [string, Parameters<typeof crafted>, RegExp][] = [
    ["an absolute name", [{ name: "/etc/origin/x", content: "x" }], /an absolute name/],
    ["..", [{ name: "etc/origin/../../etc/shadow", content: "x" }], /name with/],
    ["outside its paths", [{ name: "etc/cron.d/x", content: "x" }], /outside the paths/],
    [
      "a file through a link",
      [
        { name: "etc/origin/l", type: "symlink", linkname: "/etc" },
        { name: "etc/origin/l/cron.d/x", content: "x" },
      ],
      /below etc\/origin\/l/,
    ],
    [
      "a device",
      [{ name: "etc/origin/null", type: "character-device", devmajor: 1, devminor: 3 }],
      /a device or a pipe/,
    ],
    ["a pipe", [{ name: "etc/origin/pipe", type: "fifo" }], /a device or a pipe/],
  ];
  for (const [what, headers, pattern] of bad)
    test(what, async () => {
      const archive = await crafted(...headers);
      await assert.rejects(readBackup(archive, {}), saysError(Refusal, pattern));
    });

  test("links and hard links within the choice", async () => {
    const archive = await crafted(
      { name: "etc/origin/soft", type: "symlink", linkname: "/etc/shadow" },
      { name: "etc/origin/hard", type: "link", linkname: "etc/shadow" },
    );
    const { entries } = await readBackup(archive, {});
    assert.throws(
      () => choose(entries, { files: [], skipLinks: false }),
      saysError(Refusal, /hard link to etc\/shadow/),
    );
  });

  test("altered, cut off, without a manifest, not as its manifest", async () => {
    const archive = await packed(tree());
    const manifest = readFileSync(manifestOf(archive), "utf8");
    const sha256 = await hashFile(archive);
    const lying = manifest.replace(/"mode":"0640"/, '"mode":"0644"');
    assert.notEqual(lying, manifest);
    writeFileSync(manifestOf(archive), lying);
    await assert.rejects(
      readBackup(archive, {}),
      saysError(Refusal, /master-config\.yaml: not as the manifest lists it/),
    );
    rmSync(manifestOf(archive));
    await assert.rejects(readBackup(archive, {}), saysError(Refusal, /no manifest.*--sha256/));
    assert.ok((await readBackup(archive, { sha256 })).entries.length > 10);
    await assert.rejects(readBackup(archive, { sha256: "0".repeat(64) }), saysError(Refusal, /not what was backed up/));
    writeFileSync(manifestOf(archive), manifest);
    truncateSync(archive, statSync(archive).size - 10);
    await assert.rejects(readBackup(archive, {}), saysError(Refusal, /not what was backed up/));
  });

  test("entries of another content than the manifest's hash", async () => {
    const archive = await packed(tree());
    const manifest = readFileSync(manifestOf(archive), "utf8");
    const wrong = createHash("sha256").update("other").digest("hex");
    const right = createHash("sha256").update("config\n").digest("hex");
    writeFileSync(manifestOf(archive), manifest.replace(right, wrong));
    await assert.rejects(readBackup(archive, {}), saysError(Refusal, /listed in the manifest, and not so/));
  });
});

describe("a host that is not as expected", () => {
  test("a folder, or the file itself, that is a link there", async () => {
    const archive = await packed(tree());
    const elsewhere = join(top, `elsewhere ${run}`);
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(root, "etc/origin/sticky"));
    await assert.rejects(prepared(archive), saysError(Refusal, /sticky: on the host it is a link/));
    await assert.rejects(
      prepared(archive, ["/etc/origin/sticky/s"]),
      saysError(Refusal, /s: on the host its folder is reached through a link/),
    );
    rmSync(join(root, "etc/origin/sticky"));
    symlinkSync("/etc/passwd", join(root, "etc/origin/empty"));
    await assert.rejects(prepared(archive), saysError(Refusal, /empty: on the host it is a link/));
    assert.deepEqual(readdirSync(elsewhere), []);
  });

  test("a link that appears after it was listed: nothing is changed anywhere", async () => {
    const archive = await packed(tree());
    const order = await prepared(archive);
    const elsewhere = join(top, `elsewhere ${run}`);
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(root, "etc/origin/sticky"));
    const was = walk(root);
    await assert.rejects(
      putBack(host, order),
      saysError(RemoteError, /sticky is (not what it was|reached through a link)[^]*nothing was changed/),
    );
    assert.equal(walk(root), was);
    assert.deepEqual(readdirSync(elsewhere), []);
    assert.deepEqual(scratchLeft(), []);
  });

  test("a file that changed after it was listed", async () => {
    const archive = await packed(tree());
    writeFileSync(join(root, "etc/origin/größe"), "old");
    const order = await prepared(archive);
    appendFileSync(join(root, "etc/origin/größe"), "er");
    const was = walk(root);
    await assert.rejects(putBack(host, order), saysError(RemoteError, /is not what it was when it was listed/));
    assert.equal(walk(root), was);
  });

  test("an archive that was exchanged after it was read", async () => {
    const archive = await packed(tree());
    const order = await prepared(archive);
    const other = tree2();
    execFileSync("tar", ["-czf", archive, "-C", other, "etc/origin"]);
    const was = walk(root);
    await assert.rejects(
      putBack(host, order),
      saysError(RemoteError, /did not arrive as the manifest lists it|cannot be unpacked/),
    );
    assert.equal(walk(root), was);
    assert.deepEqual(scratchLeft(), []);
  });
  /** The same names, other contents. */
  function tree2(): string {
    const at = join(top, `other ${run}`);
    execFileSync("cp", ["-a", join(top, `tree ${run}`), at]);
    writeFileSync(join(at, "etc/origin/master-config.yaml"), "evil\n");
    return at;
  }

  test("a tar that unpacks a link for a file", async () => {
    const archive = await packed(tree());
    const evil = meddled((script) =>
      script.replace(
        /^\[ -z "\$\(find "\$work\/tree"/m,
        'rm "$work/tree/etc/origin/empty"; ln -s /etc/shadow "$work/tree/etc/origin/empty"\n$&',
      ),
    );
    const was = walk(root);
    await assert.rejects(restored(archive, [], evil), saysError(RemoteError, /something that is no file came out/));
    assert.equal(walk(root), was);
  });

  test("a disk that fills up while the files are prepared: all is taken away again", async () => {
    const archive = await packed(tree());
    writeFileSync(join(root, "etc/origin/größe"), "old");
    const was = walk(root);
    // the last file of the list cannot be prepared
    const full = meddled((script) =>
      script
        .replaceAll(
          'cp -dT --preserve=all -- "$new" "$temp" ||',
          '{ case $at in *sticky/s) false ;; *) cp -dT --preserve=all -- "$new" "$temp" ;; esac; } ||',
        )
        .replaceAll('cp -dpT -- "$new" "$temp" || no', "false || no"),
    );
    await assert.rejects(
      restored(archive, [], full),
      saysError(RemoteError, /cannot be written[^]*nothing was changed/),
    );
    assert.equal(walk(root), was);
    assert.deepEqual(scratchLeft(), []);
  });
});

describe("killed in the middle", () => {
  /** Where the script kills itself and its shells, as a power failure does. */
  const places: [string, RegExp][] = [
    ["while the archive arrives", /^names=/m],
    ["before the check", /^\[ -z "\$\(find "\$work\/tree"/m],
    ["prepared, nothing renamed", /^renaming=yes$/m],
    ["all renamed, nothing said", /^ended=yes$/m],
  ];
  for (const [what, where] of places)
    test(`${what}: the next run does the rest and clears up`, async () => {
      const source = tree();
      const archive = await packed(source);
      mkdirSync(join(root, "etc/origin/a b"));
      writeFileSync(join(root, "etc/origin/a b/-rf"), "old");
      const killed = meddled((script) =>
        script.includes("renaming=yes") ? script.replace(where, (line) => `kill -9 $$\n${line}`) : script,
      );
      await assert.rejects(restored(archive, [], killed), RemoteError);
      run = run.replace("101500", "101600");
      await restored(archive);
      assert.equal(walkWithoutKept(join(root, "etc/origin")), walkWithoutKept(join(source, "etc/origin")));
      assert.deepEqual(scratchLeft(), []);
      const kept = readdirSync(join(root, "etc/origin/a b")).filter((one) => one.startsWith("-rf.before-restore-"));
      assert.ok(kept.some((one) => readFileSync(join(root, "etc/origin/a b", one), "utf8") === "old"));
      assert.deepEqual(execFileSync("find", [root, "-name", ".*.restore-*"], { encoding: "utf8" }), "");
    });

  test("between two renames: the one stays, the others follow", async () => {
    const source = tree();
    const archive = await packed(source);
    const once = meddled((script) =>
      script.replaceAll(
        'mv -fT -- "$temp" "$at"',
        () =>
          '{ [ ! -e "$root/killed" ] && case $at in *größe) : >"$root/killed"; kill -9 $PPID $$ ;; esac; mv -fT -- "$temp" "$at"; }',
      ),
    );
    await assert.rejects(restored(archive, [], once), RemoteError);
    assert.ok(existsSync(join(root, "killed")), "it was killed there");
    const inPlace = readdirSync(join(root, "etc/origin"));
    assert.ok(inPlace.includes("empty") && !inPlace.includes("größe"), inPlace.join(" "));
    run = run.replace("101500", "101600");
    await restored(archive);
    rmSync(join(root, "killed"));
    assert.equal(walkWithoutKept(join(root, "etc/origin")), walkWithoutKept(join(source, "etc/origin")));
    assert.deepEqual(scratchLeft(), []);
    assert.deepEqual(execFileSync("find", [root, "-name", ".*.restore-*"], { encoding: "utf8" }), "");
  });

  test("the connection breaks: nothing is changed, nothing stays", async () => {
    const source = tree();
    // more than the connection and the pipe behind it hold
    writeFileSync(join(source, "etc/origin/large"), randomBytes(2 ** 23));
    const archive = await packed(source);
    const was = walk(root);
    const order = await prepared(archive);
    const slow = meddled((script) => script.replace(/^head -c/m, "sleep 1; $&"));
    const going = putBack(slow, order);
    setTimeout(() => {
      assert.equal(scratchLeft().length, 1, "it is at work");
      sshd.cutConnections();
    }, 700);
    await assert.rejects(going, RemoteError);
    for (let tries = 0; tries < 50 && scratchLeft().length > 0; tries++)
      await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(walk(root), was);
    assert.deepEqual(scratchLeft(), []);
  });
});

test("the host says which machine it is, and the list is read-only", async () => {
  const archive = await packed(tree());
  const was = walk(root);
  const backup = await readBackup(archive, {});
  assert.equal(backup.machineId, machineId);
  const { chosen } = choose(backup.entries, { files: [], skipLinks: false });
  assert.equal((await look(host, chosen, root)).machineId, machineId);
  assert.equal(walk(root), was);
  assert.ok(!existsSync(folder));
  assert.equal(namesFor(chosen[0]?.path ?? "", run).folder, dirname(chosen[0]?.path ?? ""));
});
