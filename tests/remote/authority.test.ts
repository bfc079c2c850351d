import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { after, before, beforeEach, describe, test } from "node:test";
import tar from "tar-stream";
import { packAuthority, takeEtcdAuthority, takeSerial } from "../../providers/plan/authority-script.ts";
import { Connections, type RemoteHost } from "../../providers/remote/ssh.ts";
import { RemoteError } from "../../providers/remote/errors.ts";
import {
  ansibleConfiguration,
  authorityIn,
  etcdTree,
  fileDigest,
  inventoryOf,
  labConfiguration,
  treeDigest,
} from "./authority-fixtures.ts";
import { startSshd, type Sshd } from "./sshd.ts";

let sshd: Sshd;
let connections: Connections;
let host: RemoteHost;
/** The authorities, made once. */
let made: { cluster: string; foreign: string };
/** Source and target, as /etc/etcd or /etc/origin/master of two hosts, with an awkward name. */
let from: string;
let to: string;
const isRoot = process.getuid?.() === 0;
const run = "101500-abc123";
before(async () => {
  sshd = await startSshd();
  connections = new Connections(sshd.settings());
  host = connections.host({ name: "master-1.example.com", address: "127.0.0.1" });
  made = { cluster: join(sshd.folder, "cluster"), foreign: join(sshd.folder, "foreign") };
  authorityIn(made.cluster, "etcd-signer@1700000000");
  authorityIn(made.foreign, "etcd-signer@1800000000");
});
after(async () => {
  await connections.close();
  await sshd.stop();
});
beforeEach(() => {
  const folder = mkdtempSync(join(realpathSync(sshd.folder), "it's a $folder "));
  [from, to] = [join(folder, "from"), join(folder, "to")];
  for (const one of [from, to]) mkdirSync(one, { mode: 0o700 });
  cpSync(join(made.cluster, "ca.crt"), join(to, "ca.crt"));
});

const quick = { what: "handing over", deadline: 60 } as const;
const pack = async (folder: string, ...names: string[]): Promise<Buffer> =>
  (await host.runBytes(packAuthority(folder, names), { ...quick, limit: 1 << 27 })).stdout;
const tree = ["ca", "generated_certs"];
type Over = Partial<Parameters<typeof takeEtcdAuthority>[0]>;
const take = async (stdin: Buffer, digest: string, over: Over = {}): Promise<string> => {
  const o = { members: [], root: ".", gzip: false, digest, run, folder: to, ...over };
  return (await host.run(takeEtcdAuthority(o), { ...quick, stdin })).stdout;
};
const takeSerialFile = async (stdin: Buffer, digest: string, over: Over = {}): Promise<string> => {
  const o = { members: [], root: ".", gzip: false, digest, run, folder: to, ...over };
  return (await host.run(takeSerial(o), { ...quick, stdin })).stdout;
};
/** It says no, for that reason, and nothing at the target is other than before. */
async function refuses(work: () => Promise<unknown>, reason: RegExp): Promise<void> {
  const was = inventoryOf(to);
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof RemoteError, String(error));
    assert.match(error.message, reason);
    assert.doesNotMatch(error.message, /PRIVATE KEY|CANARY/);
    return true;
  });
  assert.deepEqual(inventoryOf(to), was);
}
/** What came is what was there: kinds, modes, owners, contents; and nothing of ours stays. */
function arrived(kept: readonly string[] = []): void {
  const source = inventoryOf(from);
  const target = inventoryOf(to);
  for (const [name, what] of Object.entries(source)) assert.equal(target[name], what, name);
  const others = Object.keys(target).filter(
    (name) => !(name in source) && !kept.some((one) => name === one || name.startsWith(`${one}/`)),
  );
  assert.deepEqual(others, ["ca.crt"]);
}

describe("etcd's CA, from its host", () => {
  for (const [what, configuration] of [
    ["the lab's openssl.cnf", labConfiguration],
    ["openshift-ansible's openssl.cnf, with SAN from the environment", ansibleConfiguration],
    ["another's, whose section only default_ca names", labConfiguration.replaceAll("etcd_ca", "my-ca")],
    ["no openssl.cnf", undefined],
  ] as const)
    test(`${what}: proved, put in place, index and serial as they were`, async () => {
      etcdTree(from, made.cluster, "0A\n", configuration);
      const digest = treeDigest(from);
      const stdout = await take(await pack(from, ...tree), digest);
      assert.equal(stdout, `digest ${digest}\n`);
      assert.equal(treeDigest(to), digest);
      arrived();
    });

  test("owners and modes", { skip: !isRoot }, async () => {
    etcdTree(from, made.cluster, "0A", labConfiguration);
    chownSync(join(from, "ca"), 998, 996);
    chownSync(join(from, "ca/serial"), 998, 996);
    chmodSync(join(from, "ca/serial"), 0o640);
    chmodSync(join(from, "ca"), 0o2751);
    await take(await pack(from, ...tree), treeDigest(from));
    arrived();
  });

  test("what was there is kept, a run that did the same before included", async () => {
    etcdTree(from, made.cluster, "0A", labConfiguration);
    etcdTree(to, made.cluster, "05", labConfiguration);
    const old = inventoryOf(join(to, "ca"));
    for (const kept of [`ca.before-${run}`, `ca.before-${run}.1`]) {
      await take(await pack(from, ...tree), treeDigest(from));
      assert.deepEqual(inventoryOf(join(to, `ca.before-${run}`)), old);
      assert.ok(existsSync(join(to, kept)));
    }
    arrived(["ca", "generated_certs"].flatMap((name) => [`${name}.before-${run}`, `${name}.before-${run}.1`]));
  });

  test("a source without generated_certs: the target's are kept aside", async () => {
    etcdTree(from, made.cluster, "0A", labConfiguration);
    etcdTree(to, made.cluster, "05", labConfiguration);
    rmSync(join(from, "generated_certs"), { recursive: true });
    await take(await pack(from, ...tree), treeDigest(from));
    assert.equal(treeDigest(to), treeDigest(from));
    assert.ok(existsSync(join(to, `generated_certs.before-${run}`)));
  });

  test("trusted as the second of a bundle", async () => {
    etcdTree(from, made.cluster, "0A", labConfiguration);
    const bundle = ["foreign", "cluster"].map((name) => readFileSync(join(sshd.folder, name, "ca.crt"), "utf8"));
    writeFileSync(join(to, "ca.crt"), `# both\n${bundle.join("")}`);
    await take(await pack(from, ...tree), treeDigest(from));
    assert.equal(treeDigest(to), treeDigest(from));
  });

  test("killed between any two of its renames: the next run converges, and all that was there is kept", async () => {
    etcdTree(from, made.cluster, "0A", labConfiguration);
    etcdTree(to, made.cluster, "05", labConfiguration);
    const old = [inventoryOf(join(to, "ca")), inventoryOf(join(to, "generated_certs"))];
    const digest = treeDigest(from);
    const stdin = await pack(from, ...tree);
    const script = takeEtcdAuthority({ members: [], root: ".", gzip: false, digest, run, folder: to });
    for (const point of ["keep generated_certs\n", "keep ca\n"]) {
      assert.ok(script.includes(`\n${point}`));
      // KILL runs no trap: the scratch folder stays, and the renames so far
      const killed = script.split(`\n${point}`).join(`\n${point}kill -9 $$\n`);
      await assert.rejects(host.run(killed, { ...quick, stdin }));
      assert.notEqual(treeDigest(to), digest);
      assert.ok(readdirSync(to).some((name) => name.startsWith(".openshift-masters-authority.")));
      assert.ok(!existsSync(join(to, "ca/serial")) || readFileSync(join(to, "ca/serial"), "utf8") === "05");
    }
    await take(stdin, digest);
    assert.equal(treeDigest(to), digest);
    assert.deepEqual(
      [inventoryOf(join(to, `ca.before-${run}`)), inventoryOf(join(to, `generated_certs.before-${run}`))],
      old,
    );
    assert.deepEqual(
      readdirSync(to).filter((name) => name.startsWith(".")),
      [],
    );
  });
});

describe("etcd's CA, out of an archive", () => {
  const archive = (root: string, ...options: string[]): Buffer =>
    execFileSync("tar", [...options, "-cf", "-", "-C", root, "etc"], { maxBuffer: 1 << 27 });
  /** A host's /etc, with the authority in a folder of it. */
  const hostTree = (folder: string): string => {
    const root = join(from, "root");
    etcdTree(join(root, folder), made.cluster, "0A", ansibleConfiguration);
    mkdirSync(join(root, "etc/sysconfig"), { recursive: true });
    writeFileSync(join(root, "etc/sysconfig/docker"), "x".repeat(100_000));
    symlinkSync("/etc/passwd", join(root, "etc/sysconfig/link"));
    return root;
  };
  for (const [folder, options] of [
    ["etc/etcd", ["-z"]],
    ["etc/etcd", []],
    ["etc/origin/master/etc/etcd", ["-z"]],
  ] as const)
    test(`${folder} ${options.join(" ")}: only that is taken, hard links within it as they are`, async () => {
      const root = hostTree(folder);
      const digest = treeDigest(join(root, folder));
      await take(archive(root, ...options), digest, {
        members: tree.map((name) => `${folder}/${name}`),
        root: folder,
        gzip: options.length > 0,
      });
      assert.equal(treeDigest(to), digest);
      assert.deepEqual(readdirSync(to).toSorted(), ["ca", "ca.crt", "generated_certs"]);
    });

  test("a hard link to a file beside them, taken out with it", async () => {
    const root = hostTree("etc/etcd");
    linkSync(join(root, "etc/sysconfig/docker"), join(root, "etc/etcd/generated_certs/docker"));
    const bytes = execFileSync("tar", ["-cf", "-", "-C", root, "etc/sysconfig", "etc/etcd"]);
    const digest = treeDigest(join(root, "etc/etcd"));
    const members = tree.map((name) => `etc/etcd/${name}`);
    await refuses(() => take(bytes, digest, { members, root: "etc/etcd" }), /cannot be unpacked|hard link/);
    await take(bytes, digest, { members: [...members, "etc/sysconfig/docker"], root: "etc/etcd" });
    assert.equal(treeDigest(to), digest);
  });

  test("a hard link to a file of the target, by a whole name or by `..`", async () => {
    const secret = join(realpathSync(sshd.folder), "secret");
    writeFileSync(secret, "secret");
    for (const linkname of [secret, `${"../".repeat(12)}${secret.slice(1)}`]) {
      const archive = tar.pack();
      archive.entry({ name: "ca/", type: "directory" });
      archive.entry({ name: "ca/ca.key", type: "link", linkname });
      archive.finalize();
      await refuses(async () => take(await buffer(archive), "0".repeat(64)), /cannot be unpacked/);
    }
  });

  test("damaged: cut off, changed, empty, no archive at all, not in it", async () => {
    const root = hostTree("etc/etcd");
    const digest = treeDigest(join(root, "etc/etcd"));
    const whole = archive(root, "-z");
    const o = { members: tree.map((name) => `etc/etcd/${name}`), root: "etc/etcd", gzip: true };
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(whole.length >> 1) ^ 1, whole.length >> 1);
    for (const bytes of [whole.subarray(0, whole.length >> 1), flipped, Buffer.alloc(0), Buffer.from("no archive")])
      await refuses(() => take(bytes, digest, o), /cannot be unpacked|is not what was read/);
    await refuses(() => take(whole, digest, { ...o, members: ["etc/etcd/gone"] }), /cannot be unpacked/);
  });
});

describe("etcd's CA: nothing is put in place", () => {
  const cases: [what: string, spoil: () => void, reason: RegExp][] = [
    [
      "a symbolic link in it",
      () => symlinkSync("ca.crt", join(from, "ca/link")),
      /no file and no folder: \/ca\/link|no file and no folder: .*ca\/link/,
    ],
    [
      "a link that leads out",
      () => symlinkSync("/etc", join(from, "generated_certs/out")),
      /no file and no folder: .*generated_certs\/out/,
    ],
    ["a fifo", () => execFileSync("mkfifo", [join(from, "ca/fifo")]), /no file and no folder/],
    [
      "ca is a link",
      () => {
        renameSync(join(from, "ca"), join(from, "real"));
        symlinkSync("real", join(from, "ca"));
      },
      /no file and no folder/,
    ],
    [
      "the key of another",
      () => cpSync(join(made.foreign, "ca.key"), join(from, "ca/ca.key")),
      /it cannot sign \(openssl ca\)/,
    ],
    [
      "another CA",
      () => cpSync(made.foreign, join(from, "ca"), { recursive: true }),
      /not one of the cluster's \(openssl verify/,
    ],
    ["no key", () => rmSync(join(from, "ca/ca.key")), /its ca\.key or ca\.crt is missing/],
    ["no index", () => rmSync(join(from, "ca/index.txt")), /index\.txt is missing/],
    [
      "a serial that openssl does not take",
      () => writeFileSync(join(from, "ca/serial"), "xyz"),
      /it cannot sign \(openssl ca\)/,
    ],
    [
      "a broken openssl.cnf",
      () => writeFileSync(join(from, "ca/openssl.cnf"), "[ etcd_ca ]\npolicy = nowhere\n"),
      /it cannot sign \(openssl ca\)/,
    ],
    [
      "an openssl.cnf without a CA",
      () => writeFileSync(join(from, "ca/openssl.cnf"), "[ req ]\n"),
      /neither a section etcd_ca nor a default_ca/,
    ],
    [
      "the wrong key and no openssl.cnf",
      () => {
        rmSync(join(from, "ca/openssl.cnf"));
        cpSync(join(made.foreign, "ca.key"), join(from, "ca/ca.key"));
      },
      /it cannot sign \(openssl x509 -req\)/,
    ],
  ];
  for (const [n, [what, spoil, reason]] of cases.entries())
    test(`${what}${n % 2 === 0 ? "" : ", with an older one there"}`, async () => {
      etcdTree(from, made.cluster, "0A", labConfiguration);
      if (n % 2 !== 0) etcdTree(to, made.cluster, "05", labConfiguration);
      spoil();
      const bytes = await pack(from, ...tree);
      const digest = treeDigest(from);
      await refuses(() => take(bytes, digest === "links" ? "0".repeat(64) : digest), reason);
    });

  test("another digest than was read", async () => {
    etcdTree(from, made.cluster, "0A", labConfiguration);
    const digest = treeDigest(from);
    writeFileSync(join(from, "ca/serial"), "0B");
    const bytes = await pack(from, ...tree);
    await refuses(() => take(bytes, digest), /what arrived is not what was read: did the authority change meanwhile\?/);
  });
  test("no ca.crt that the cluster trusts, another than the CA's", async () => {
    etcdTree(from, made.cluster, "0A", labConfiguration);
    const bytes = await pack(from, ...tree);
    cpSync(join(made.foreign, "ca.crt"), join(to, "ca.crt"));
    await refuses(() => take(bytes, treeDigest(from)), /not one of the cluster's/);
    rmSync(join(to, "ca.crt"));
    await refuses(() => take(bytes, treeDigest(from)), /which the cluster trusts, is not there/);
  });
  test("a target folder that is not there; a source that is not there any more", async () => {
    etcdTree(from, made.cluster, "0A", labConfiguration);
    const bytes = await pack(from, ...tree);
    await assert.rejects(take(bytes, treeDigest(from), { folder: join(to, "gone") }), /gone is not there/);
    rmSync(join(from, "ca"), { recursive: true });
    rmSync(join(from, "generated_certs"), { recursive: true });
    await assert.rejects(pack(from, ...tree), /nothing of it is there any more/);
  });
});

describe("OpenShift's serial", () => {
  const name = "ca.serial.txt";
  beforeEach(() => {
    cpSync(join(made.cluster, "ca.key"), join(to, "ca.key"));
    writeFileSync(join(from, name), "3A7F", { mode: 0o640 });
  });
  test("put in place with mode and owner, by a proof with the CA that is there", async () => {
    if (isRoot) chownSync(join(from, name), 998, 996);
    const stdout = await takeSerialFile(await pack(from, name), fileDigest(join(from, name)));
    assert.equal(stdout, `digest ${fileDigest(join(from, name))}\n`);
    assert.equal(inventoryOf(to)[name], inventoryOf(from)[name]);
    assert.deepEqual(readdirSync(to).toSorted(), ["ca.crt", "ca.key", name]);
  });
  test("an older one is kept", async () => {
    writeFileSync(join(to, name), "05\n");
    await takeSerialFile(await pack(from, name), fileDigest(join(from, name)));
    assert.equal(readFileSync(join(to, `${name}.before-${run}`), "utf8"), "05\n");
    assert.equal(readFileSync(join(to, name), "utf8"), "3A7F");
  });
  test("out of an archive", async () => {
    mkdirSync(join(from, "etc/origin/master"), { recursive: true });
    renameSync(join(from, name), join(from, "etc/origin/master", name));
    const bytes = execFileSync("tar", ["-czf", "-", "-C", from, "etc"]);
    const folder = "etc/origin/master";
    await takeSerialFile(bytes, fileDigest(join(from, folder, name)), {
      members: [`${folder}/${name}`],
      root: folder,
      gzip: true,
    });
    assert.equal(readFileSync(join(to, name), "utf8"), "3A7F");
  });
  const cases: [what: string, spoil: () => void, reason: RegExp][] = [
    ["no number", () => writeFileSync(join(from, name), "3A7G"), /it cannot sign/],
    [
      "a link",
      () => {
        renameSync(join(from, name), join(from, "real"));
        symlinkSync("real", join(from, name));
      },
      /no file and no folder/,
    ],
    ["no key of the CA", () => rmSync(join(to, "ca.key")), /ca\.key is not there/],
    ["the key of another", () => cpSync(join(made.foreign, "ca.key"), join(to, "ca.key")), /it cannot sign/],
  ];
  for (const [what, spoil, reason] of cases)
    test(`${what}: nothing is put in place`, async () => {
      writeFileSync(join(to, name), "05");
      spoil();
      const bytes = await pack(from, name);
      await refuses(() => takeSerialFile(bytes, fileDigest(join(from, name))), reason);
    });
  test("another digest than was read", async () => {
    const bytes = await pack(from, name);
    await refuses(() => takeSerialFile(bytes, "0".repeat(64)), /did the serial change meanwhile/);
  });
});
