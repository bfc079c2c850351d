/**
 * Archives through a throw-away sshd on this machine: odd trees, full disks, broken links, hostile hosts, retention, encryption. What a master really holds is
 * in backup.test.ts, on the lab.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import type { ArchiveEntry } from "../../providers/plan/archive.ts";
import { Refusal } from "../../providers/plan/refusal.ts";
import { type ArchiveOrder, archiveState, takeArchive } from "../../providers/remote/backup.ts";
import { encryptionTo } from "../../providers/remote/encrypt.ts";
import { RemoteError } from "../../providers/remote/errors.ts";
import { manifestOf } from "../../providers/remote/local-archive.ts";
import { plainTar } from "../../providers/remote/open-archive.ts";
import { Connections, type RemoteHost } from "../../providers/remote/ssh.ts";
import { readEntries } from "../../providers/remote/tar-entries.ts";
import { startSshd, type Sshd } from "./sshd.ts";

const name = "master-1.example.com";
const root = mkdtempSync(join(tmpdir(), "archive-"));
const [there, here, tree] = ["there", "here", "tree"].map((part) => join(root, part)) as [string, string, string];
let sshd: Sshd;
let connections: Connections;
let host: RemoteHost;
before(async () => {
  sshd = await startSshd();
  connections = new Connections(sshd.settings());
  host = connections.host({ name, address: "127.0.0.1" });
  mkdirSync(tree);
  execFileSync("sh", [
    "-c",
    `cd "$1" && mkdir real 'sp ace' && echo a >'a b
c' && echo b >"$(printf '\\377x')" && echo é >größe && ln -s loop loop && ln -s ../nowhere/else dangling
    echo s >real/s && ln real/s hard && chown 1234:4321 real/s && chmod 4750 real/s && mkdir -m 1711 sticky && ln -s real link
    truncate -s 1G real/sparse && printf x | dd of=real/sparse bs=1 seek=500000000 conv=notrunc 2>/dev/null
    mkdir -p "${"d".repeat(120)}/${"e".repeat(120)}" && echo deep >"${"d".repeat(120)}/${"e".repeat(120)}/f"
    mkdir -p etc/etcd/ca && printf '0A\\n' >etc/etcd/ca/serial
    python3 -c 'import os, socket
os.setxattr("real/s", "user.note", b"kept"); socket.socket(socket.AF_UNIX).bind("socket")' && mkfifo pipe`,
    "tree",
    tree,
  ]);
});
after(async () => {
  await connections.close();
  await sshd.stop();
  rmSync(root, { recursive: true, force: true });
});

const order = (run: string, over: Partial<ArchiveOrder> & { said?: string[] } = {}): ArchiveOrder => ({
  directory: there,
  archive: here,
  run,
  date: "20261124",
  keep: 7,
  say: (text) => over.said?.push(text),
  kind: "master",
  content: { paths: [tree], noted: [join(tree, "missing")], packages: true },
  ...over,
});
const namesIn = (folder: string, run: string): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((one) => one.includes(run)) : [];
/** Names of a run, on the host and here. */
const leftOf = (run: string) => [...namesIn(join(there, name), run), ...namesIn(join(here, name), run)];
const manifest = (archive: string) =>
  JSON.parse(readFileSync(manifestOf(archive), "utf8")) as Record<string, unknown> & { entries: ArchiveEntry[] };

/** The host with its scripts or its streams changed on the way. */
const meddled = (o: { run?: (s: string) => string; stream?: (s: string) => string }): RemoteHost => ({
  name,
  address: host.address,
  run: (s, r) => host.run((o.run ?? String)(s), r),
  runBytes: (s, r) => host.runBytes(s, r),
  stream: (s, r) => host.stream((o.stream ?? String)(s), r),
  hold: (s, r) => host.hold(s, r),
});

/** Every name below a folder with kind, mode, owner, link, hash and extended attributes, as this machine's python sees them. */
const walk = (folder: string): string =>
  execFileSync(
    "python3",
    [
      "-c",
      `import os, stat, hashlib, sys
top = os.fsencode(sys.argv[1]); rows = []
for base, folders, files in os.walk(top):
    for one in folders + files:
        path = os.path.join(base, one); seen = os.lstat(path)
        if stat.S_ISSOCK(seen.st_mode): continue
        row = [os.path.relpath(path, top), oct(seen.st_mode), seen.st_uid, seen.st_gid, seen.st_nlink > 1 and not stat.S_ISDIR(seen.st_mode)]
        if stat.S_ISLNK(seen.st_mode): row.append(os.readlink(path))
        elif stat.S_ISREG(seen.st_mode):
            hash = hashlib.sha256()
            with open(path, "rb") as file:
                while chunk := file.read(1 << 20): hash.update(chunk)
            row += [seen.st_size, hash.hexdigest(), [(key, os.getxattr(path, key)) for key in os.listxattr(path)]]
        rows.append(repr(row))
print("\\n".join(sorted(rows)))`,
      folder,
    ],
    { encoding: "latin1" },
  );

describe("an archive", () => {
  test("equals the tree: odd names, owners, modes, links, holes, attributes; sockets are told, not fatal", async () => {
    const said: string[] = [];
    const record = await takeArchive(host, order("odd", { said }));
    assert.ok(record.bytes < 1_000_000, "a hole takes no room");
    const out = join(root, "out");
    mkdirSync(out);
    execFileSync("tar", ["-xpzf", record.archive, "-C", out, "--numeric-owner", "--xattrs", "--xattrs-include=*"]);
    assert.equal(walk(join(out, tree)), walk(tree));
    rmSync(out, { recursive: true });
    assert.match(said.join("\n"), /socket: socket ignored/);
    assert.deepEqual(manifest(record.archive)["absent"], [join(tree, "missing")]);
  });

  test("is private, verified on both sides, and its manifest lists every entry with size, mode and hash", async () => {
    const record = await takeArchive(host, order("listed"));
    const modes = [record.archive, manifestOf(record.archive), record.path].map((path) => statSync(path).mode & 0o777);
    assert.deepEqual(modes, [0o600, 0o600, 0o600]);
    assert.deepEqual(
      [dirname(record.archive), dirname(record.path)].map((path) => statSync(path).mode & 0o777),
      [0o700, 0o700],
    );
    assert.deepEqual(readFileSync(record.path), readFileSync(record.archive));
    assert.equal(await archiveState(record), "there");
    const told = manifest(record.archive);
    assert.equal(told["sha256"], record.sha256);
    assert.equal(told["machineId"], readFileSync("/etc/machine-id", "utf8").trim());
    assert.equal((told["restore"] as string[]).length, 5);
    assert.equal(told["files"], record.files);
    const inTree = (path: string) => told.entries.find((entry) => entry.path === `${tree.slice(1)}/${path}`);
    const sparse = inTree("real/sparse");
    assert.equal(sparse?.size, 2 ** 30);
    assert.equal(
      sparse.sha256,
      execFileSync("sha256sum", [join(tree, "real/sparse")], { encoding: "utf8" }).slice(0, 64),
    );
    assert.deepEqual([inTree("real/s")?.mode, inTree("real/s")?.uid, inTree("hard")?.type], ["4750", 1234, "link"]);
    assert.equal(inTree("dangling")?.target, "../nowhere/else");
    assert.ok((told["tools"] as string[]).some((tool) => tool.startsWith("tar: tar (GNU tar)")));
    assert.ok(Number(told["packages"]) > 50);
    // serials of certificate authorities are told only where they belong
    assert.deepEqual(told["serials"], {});
  });

  test("keeps what the file system calls a link to another folder, with what is behind it", async () => {
    const o = order("behind", { content: { paths: [join(tree, "link")], noted: [], packages: false } });
    const entries = manifest((await takeArchive(host, o)).archive).entries.map((entry) => entry.path);
    assert.ok(entries.includes(`${tree.slice(1)}/link`) && entries.includes(`${tree.slice(1)}/real/s`));
  });

  test("a large one is compressed only where that halves it", async () => {
    const [text, noise] = ["text", "noise"].map((part) => join(root, part)) as [string, string];
    [text, noise].forEach((folder) => mkdirSync(folder));
    writeFileSync(join(text, "file"), "all work and no play\n".repeat(3_500_000));
    writeFileSync(join(noise, "file"), randomBytes(70_000_000));
    const take = (run: string, path: string) =>
      takeArchive(host, order(run, { content: { paths: [path], noted: [], packages: false } }));
    const [dense, plain] = [await take("text", text), await take("noise", noise)];
    [text, noise].forEach((folder) => rmSync(folder, { recursive: true }));
    assert.ok(dense.archive.endsWith(".tar.gz") && dense.bytes < 10_000_000);
    assert.ok(plain.archive.endsWith(".tar") && plain.bytes > 70_000_000);
    assert.equal(manifest(plain.archive).entries.length, 3);
    [dense, plain].forEach((record) => [record.archive, record.path].forEach((path) => rmSync(path)));
  });

  test("a file that grows and one that goes while it is read are told and not fatal", async () => {
    const moving = join(root, "moving");
    mkdirSync(moving);
    writeFileSync(join(moving, "log"), randomBytes(3_000_000));
    for (let n = 0; n < 300; n += 1) writeFileSync(join(moving, `file-${n}`), randomBytes(20_000));
    const writer = spawn("sh", [
      "-c",
      `cd ${moving}; n=0; while :; do head -c 100000 /dev/zero >>log; rm -f file-$n; n=$((n + 1)); done`,
    ]);
    const said: string[] = [];
    try {
      const record = await takeArchive(
        host,
        order("moving", { said, content: { paths: [moving], noted: [], packages: false } }),
      );
      assert.equal(await archiveState(record), "there");
    } finally {
      writer.kill("SIGKILL");
    }
    assert.match(said.join("\n"), /file changed as we read it|removed before we read it/);
  });
});

describe("what cannot be trusted gets no final name", () => {
  const failures: [string, Parameters<typeof meddled>[0], RegExp][] = [
    [
      "truncated",
      { stream: (s) => s.replace("| copy", "| copy | head -c 5000") },
      /no whole archive|is not what was copied|has not the \d+ bytes/,
    ],
    [
      "empty",
      { stream: (s) => s.replace("| copy", "| copy | head -c 0") },
      /no whole archive|has not the 0 bytes|entries here/,
    ],
    [
      "endless",
      { stream: (s) => s.replace("| copy", "| cat - /dev/zero | copy") },
      /more than 1\.2 times the announced/,
    ],
    [
      "altered",
      {
        stream: (s) =>
          s.replace("| copy", "| copy | { head -c 4000; head -c 1 | tr '\\000-\\377' '\\001-\\377\\000'; cat; }"),
      },
      /no whole archive|is not what was copied/,
    ],
    ["torn", { stream: (s) => s.replace('code=$(cat "$work/code")', "exit 3") }, /exit 3/],
    ["gave-up", { stream: (s) => s.replace("echo $? >", "echo 2 >") }, /tar gave up with exit 2/],
    [
      "miscounted",
      { stream: (s) => s.replace("'\\nentries %s", "'\\nentries 9%s") },
      /\d+ entries here, 9\d+ counted on the host/,
    ],
    ["mute", { stream: (s) => s.replace("printf '\\nentries", "printf '\\nnothing") }, /printed no entries/],
    [
      "disk-lies",
      { run: (s) => s.replace("chmod 600 --", 'printf x >>"$part"; chmod 600 --') },
      /lie there: it is not what was copied/,
    ],
    [
      "no-room",
      { run: (s) => s.replace('echo "$k"', "echo 1") },
      /has 1 KiB free, twice the need of \d+ KiB is wanted/,
    ],
    ["wrong-host", { run: (s) => s.replaceAll(tree.slice(1), "no/such/tree") }, /none of the paths to save is there/],
  ];
  for (const [run, how, message] of failures)
    test(`${run}: refused, and nothing of it is left on either side`, async () => {
      await assert.rejects(takeArchive(meddled(how), order(run)), (error) => {
        assert.ok(error instanceof RemoteError, String(error));
        assert.match(error.message, message);
        return true;
      });
      assert.deepEqual(leftOf(run), []);
    });

  test("what a host prints is shown without its control characters", async () => {
    const shouting = meddled({
      stream: (s) => s.replace("head -n 40", "printf 'note \\033[2Jgone\\n' >&2; head -n 40"),
    });
    const said: string[] = [];
    await takeArchive(shouting, order("shouting", { said }));
    assert.match(said.join("\n"), /\\x1b\[2Jgone/);
  });

  test("the link breaks in the middle of the stream: no final name, and the next run completes and clears up", async () => {
    const big = join(root, "big");
    mkdirSync(big);
    writeFileSync(join(big, "file"), randomBytes(40_000_000));
    const slow = meddled({ stream: (s) => s.replace("| copy", "| { head -c 9000000; sleep 30; cat; } | copy") });
    const o = (run: string) => order(run, { content: { paths: [big], noted: [], packages: false } });
    const taking = takeArchive(slow, o("broken"));
    setTimeout(() => sshd.cutConnections(), 1500);
    await assert.rejects(taking, /connection was lost/);
    assert.deepEqual(namesIn(join(here, name), "broken"), []);
    const record = await takeArchive(host, o("mended"));
    assert.equal(await archiveState(record), "there");
    assert.deepEqual(leftOf("broken"), []);
    rmSync(big, { recursive: true });
  });
});

describe("killed with -9 in the middle of the stream", () => {
  test("no partial file under a final name; the next run completes and clears up", async () => {
    const big = join(root, "killed");
    mkdirSync(big);
    writeFileSync(join(big, "file"), randomBytes(30_000_000));
    const over = { content: { paths: [big], noted: [], packages: false } };
    // a process of its own, as the provider is: it says when bytes are on their way, and is killed then
    const script = `import { Connections } from ${JSON.stringify(join(import.meta.dirname, "../../providers/remote/ssh.ts"))};
      import { takeArchive } from ${JSON.stringify(join(import.meta.dirname, "../../providers/remote/backup.ts"))};
      const real = new Connections(${JSON.stringify(sshd.settings())}).host({ name: "${name}", address: "127.0.0.1" });
      const slow = { name: real.name, address: real.address, run: (s, r) => real.run(s, r), runBytes: (s, r) => real.runBytes(s, r), hold: (s, r) => real.hold(s, r),
        stream: (s, r) => { setTimeout(() => console.log("streaming"), 1500); return real.stream(s.replace("| copy", "| { head -c 9000000; sleep 60; cat; } | copy"), r); } };
      await takeArchive(slow, { ...${JSON.stringify(order("killed", over))}, say: () => {} });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    await ended;
    const isPart = (one: string) => /\.(part|work)$/.test(one);
    const left = leftOf("killed");
    assert.ok(left.length >= 2, `killed too early or too late: ${left.join(", ")}`);
    assert.deepEqual(
      left.filter((one) => !isPart(one)),
      [],
    );
    const record = await takeArchive(host, order("after-kill", over));
    assert.equal(await archiveState(record), "there");
    assert.deepEqual(leftOf("killed"), []);
    rmSync(big, { recursive: true });
  });
});

describe("full disks", () => {
  const skip = process.getuid?.() === 0 ? false : "a small file system needs root";
  const small = (folder: string, mib: number) => {
    mkdirSync(folder, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mib}m,mode=700`, "none", folder]);
  };
  const unmount = (folder: string) => execFileSync("umount", ["-l", folder]);
  const noise = join(root, "noise-20");
  before(() => {
    mkdirSync(noise);
    writeFileSync(join(noise, "file"), randomBytes(20_000_000));
  });
  const o = (run: string, over: Partial<ArchiveOrder>) =>
    order(run, { content: { paths: [noise], noted: [], packages: false }, ...over });

  test("of the host: asked first, and told with numbers", { skip }, async () => {
    const directory = join(root, "small-there");
    small(directory, 30);
    try {
      await assert.rejects(
        takeArchive(host, o("full-there", { directory })),
        /KiB free, twice the need of \d+ KiB is wanted/,
      );
      // somebody else fills it meanwhile
      const hurried = meddled({ run: (s) => s.replace('echo "$k"', "echo 999999999") });
      execFileSync("sh", ["-c", `head -c 25000000 /dev/zero >${directory}/other`]);
      await assert.rejects(
        takeArchive(hurried, o("fills-there", { directory })),
        /writing .*\.part failed; is its disk full\?/,
      );
      assert.deepEqual(readdirSync(join(directory, name)), []);
      assert.deepEqual(namesIn(join(here, name), "-there"), []);
    } finally {
      unmount(directory);
    }
  });

  test(
    "of this machine: refused before a byte is copied, and cut off before the reserve is touched",
    { skip },
    async () => {
      const archive = join(root, "small-here");
      small(archive, 30);
      try {
        await assert.rejects(takeArchive(host, o("full-here", { archive })), (error) => {
          assert.ok(error instanceof Refusal, String(error));
          assert.match(error.message, /free, twice its .* and a reserve of 67 MB wanted/);
          return true;
        });
        unmount(archive);
        small(archive, 150);
        appendFileSync(join(noise, "file"), randomBytes(60_000_000));
        // announced too low, so that there seems to be room
        const low = meddled({
          run: (s) => s.replace("b + 131072", "b * 0 + 41000000 + n * 0").replace('echo "$k"', "echo 999999999"),
        });
        const cut = /this machine's disk is filling up|more than 1\.2 times/;
        execFileSync("sh", ["-c", `head -c 1000 /dev/zero >${archive}/other`]);
        await assert.rejects(takeArchive(low, o("fills-here", { archive })), cut);
        assert.deepEqual(readdirSync(join(archive, name)), []);
        assert.deepEqual(leftOf("fills-here"), []);
      } finally {
        unmount(archive);
        rmSync(noise, { recursive: true });
      }
    },
  );
});

describe("retention", () => {
  const run = (n: number) => `12000${n}-00000${n}`;
  const take = (n: number, over: Partial<ArchiveOrder> = {}) =>
    takeArchive(
      host,
      order(run(n), { keep: 2, content: { paths: [join(tree, "real")], noted: [], packages: false }, ...over }),
    );
  const kept = (folder: string) =>
    readdirSync(join(folder, name))
      .filter((one) => /^master-1.*-12000\d-00000\d\.tar\.gz$/.test(one))
      .sort();

  test("keeps the newest of our own complete, verified ones; whatever else is there is neither counted nor touched", async () => {
    await take(1);
    // not ours, unfinished, altered since, without a manifest: none of them counts, none of them goes
    const foreign = [
      `${name}-20261124.tar.gz`,
      `other-${name}-20261124-120000-000000.tar.gz`,
      `${name}-20261124-120009-00000g.tar.gz`,
    ];
    for (const folder of [there, here]) for (const one of foreign) writeFileSync(join(folder, name, one), "x");
    const bare = join(here, name, `${name}-20261124-120009-000009.tar.gz`);
    writeFileSync(bare, "newer, and of no manifest");
    const second = await take(2);
    appendFileSync(second.archive, "altered");
    await take(3);
    const said: string[] = [];
    const fourth = await take(4, { say: (text) => said.push(text) });
    assert.match(said.join("\n"), /2 are kept: removed/);
    // on the host what has a final name was verified when it got it: the newest two; here the altered one does not count
    assert.deepEqual(
      kept(there),
      [3, 4].map((n) => `${name}-20261124-${run(n)}.tar.gz`),
    );
    const archives = kept(here).filter((one) => !bare.endsWith(one));
    assert.deepEqual(
      archives,
      [2, 3, 4].map((n) => `${name}-20261124-${run(n)}.tar.gz`),
    );
    for (const folder of [there, here]) for (const one of foreign) assert.ok(existsSync(join(folder, name, one)), one);
    assert.ok(existsSync(bare));
    assert.equal(await archiveState(fourth), "there");
    const last = await take(5, { keep: 1 });
    assert.equal(await archiveState(last), "there");
    assert.deepEqual(kept(there), [`${name}-20261124-${run(5)}.tar.gz`]);
  });
});

describe("encrypted copies", () => {
  const keys = async () => {
    const identity = await generateX25519Identity();
    const [secret, open] = [join(root, "backup.key"), join(root, "backup.pub")];
    writeFileSync(secret, `# created: today\n${identity}\n`);
    writeFileSync(open, `${await identityToRecipient(identity)}\n`);
    return { secret, open };
  };

  test("the copy here is an age file that only the key opens; what it holds is what the host has", async () => {
    const { secret, open } = await keys();
    const record = await takeArchive(host, order("sealed", { encryption: await encryptionTo(open) }));
    assert.match(record.archive, /\.tar\.gz\.age$/);
    assert.match(readFileSync(record.archive, "latin1"), /^age-encryption\.org\/v1\n/);
    assert.equal(await archiveState(record), "there");
    assert.deepEqual(namesIn(join(here, name), "sealed").length, 2, "the file and its manifest, nothing plain");
    let entries = 0;
    await readEntries(await plainTar(record.archive, { identityFile: secret }), { each: () => (entries += 1) });
    assert.equal(entries, manifest(record.archive).entries.length);
    const bytes = await plainTar(record.archive, { identityFile: secret }).then((stream) => stream.toArray());
    assert.ok(bytes.length > 0);
    await assert.rejects(plainTar(record.archive), /is encrypted: name the identity file/);
    const other = await keys();
    await assert.rejects(plainTar(record.archive, { identityFile: other.secret }), /cannot be decrypted/);
    appendFileSync(record.archive, "x");
    assert.equal(await archiveState(record), "altered");
  });

  test("a key file that is none, a secret one, several, or not there: a sentence", async () => {
    const { secret, open } = await keys();
    await assert.rejects(encryptionTo(join(root, "nowhere")), /backup\.encrypt: .*nowhere cannot be read/);
    await assert.rejects(encryptionTo(secret), /holds a secret key; name a file with the public one alone/);
    writeFileSync(open, "ssh-ed25519 AAAA\n");
    await assert.rejects(encryptionTo(open), /must hold one age public key/);
    writeFileSync(open, `age1qqqqqqqqqqqqqqqqqqqq\n`);
    await assert.rejects(encryptionTo(open), /is no age public key/);
  });
});
