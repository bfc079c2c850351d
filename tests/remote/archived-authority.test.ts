import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { inspect } from "node:util";
import { createGunzip } from "node:zlib";
import { openArchive } from "../../providers/remote/open-archive.ts";
import { after, before, beforeEach, describe, test } from "node:test";
import { Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import type { ManifestEntry } from "../../providers/plan/archived-authority.ts";
import { Refusal } from "../../providers/plan/refusal.ts";
import type { Step } from "../../providers/plan/steps.ts";
import type { Context } from "../../providers/remote/apply/context.ts";
import { handOver } from "../../providers/remote/apply/authority.ts";
import { archivedAuthorities } from "../../providers/remote/archived-authority.ts";
import { readEntries } from "../../providers/remote/tar-entries.ts";
import { Connections } from "../../providers/remote/ssh.ts";
import { ansibleConfiguration, authorityIn, etcdTree, fileDigest, treeDigest } from "./authority-fixtures.ts";
import { startSshd, type Sshd } from "./sshd.ts";

const name = "master-0.example.com";
let sshd: Sshd;
let connections: Connections;
/** A dead host's /etc, and the plain archive of it. */
let root: string;
let plain: Buffer;
/** Of a test: the archives of this machine, and the target's folders. */
let archives: string;
let to: { etcd: string; openshift: string };
before(async () => {
  sshd = await startSshd();
  connections = new Connections(sshd.settings());
  root = join(sshd.folder, "root");
  const cluster = join(sshd.folder, "cluster");
  authorityIn(cluster, "etcd-signer");
  const etcd = join(root, "etc/etcd");
  etcdTree(etcd, cluster, "0A\n", ansibleConfiguration);
  // a manifest cannot hold a name that is no UTF-8
  for (const file of readdirSync(join(etcd, "generated_certs/etcd-master-1.example.com"), { encoding: "buffer" }))
    if (file.includes(0xff))
      rmSync(Buffer.concat([Buffer.from(join(etcd, "generated_certs/etcd-master-1.example.com/")), file]));
  cpSync(join(cluster, "ca.crt"), join(etcd, "ca.crt"));
  cpSync(cluster, join(root, "etc/origin/master"), { recursive: true });
  writeFileSync(join(root, "etc/origin/master/ca.serial.txt"), "3A7F");
  plain = execFileSync("tar", ["-czf", "-", "-C", root, "etc/origin", "etc/etcd"]);
});
after(async () => {
  await connections.close();
  await sshd.stop();
});
beforeEach(() => {
  const folder = mkdtempSync(join(sshd.folder, "archives "));
  archives = join(folder, "archives");
  to = { etcd: join(folder, "etcd"), openshift: join(folder, "master") };
  for (const one of [join(archives, name), to.etcd, to.openshift]) mkdirSync(one, { recursive: true });
  cpSync(join(root, "etc/etcd/ca.crt"), join(to.etcd, "ca.crt"));
  for (const file of ["ca.crt", "ca.key"]) cpSync(join(root, "etc/origin/master", file), join(to.openshift, file));
});

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** The manifest's entries, from the archive itself. */
async function entriesOf(archive: Buffer): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  await readEntries(Readable.from([archive]).pipe(createGunzip()), { each: (entry) => entries.push(entry) });
  return entries;
}

/** Lays an archive down as MasterBackup does; gives its path. */
async function archived(
  day: string,
  over: { bytes?: Buffer; encrypted?: Buffer; manifest?: object } = {},
): Promise<string> {
  const bytes = over.bytes ?? plain;
  const path = join(archives, name, `${name}-${day}-101500-abc123.tar.gz${over.encrypted ? ".age" : ""}`);
  writeFileSync(path, over.encrypted ?? bytes);
  const manifest = {
    host: name,
    machineId: "0".repeat(32),
    run: "101500-abc123",
    path: "/backup/openshift-masters/x.tar.gz",
    sha256: sha256(bytes),
    bytes: bytes.length,
    files: 3,
    takenAt: `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T10:00:00.000Z`,
    entries: await entriesOf(plain),
    serials: { "etc/etcd/ca/serial": "0A", "etc/origin/master/ca.serial.txt": "3A7F" },
    ...(over.encrypted
      ? { encrypted: { recipient: "age1…" }, stored: { sha256: sha256(over.encrypted), bytes: over.encrypted.length } }
      : {}),
    ...over.manifest,
  };
  writeFileSync(`${path}.json`, JSON.stringify(manifest));
  return path;
}
const found = async (): Promise<string[]> => (await archivedAuthorities(archives, name)).map(({ archive }) => archive);

describe("which archive is offered", () => {
  test("the newest, with what it holds", async () => {
    await archived("20261120");
    const newest = await archived("20261121");
    const [one, ...more] = await archivedAuthorities(archives, name);
    assert.deepEqual([one?.archive, more], [newest, []]);
    assert.deepEqual([one?.takenAt, one?.sha256], ["2026-11-21T10:00:00.000Z", sha256(plain)]);
    assert.deepEqual(
      one?.places.map(({ path, serial, key, digest }) => ({ path, serial, key, digest })),
      [
        {
          path: "/etc/origin/master/ca.serial.txt",
          serial: "3A7F",
          key: true,
          digest: fileDigest(join(root, "etc/origin/master/ca.serial.txt")),
        },
        { path: "/etc/etcd/ca/serial", serial: "0A", key: true, digest: treeDigest(join(root, "etc/etcd")) },
      ],
    );
    assert.deepEqual(one.places[1]?.certificate, [fileDigest(join(root, "etc/etcd/ca.crt"))]);
  });
  test("one that was altered or cut off is not; an older good one is", async () => {
    const good = await archived("20261119");
    const [cut, flipped, gone] = [await archived("20261122"), await archived("20261121"), await archived("20261120")];
    writeFileSync(cut, plain.subarray(0, 100));
    const bytes = Buffer.from(plain);
    bytes.writeUInt8(bytes.readUInt8(200) ^ 1, 200);
    writeFileSync(flipped, bytes);
    rmSync(gone);
    assert.deepEqual(await found(), [good]);
    // what is altered later, with its size and time as they were, is seen as well
    const then = new Date(1_700_000_000_000);
    writeFileSync(good, bytes);
    utimesSync(good, then, then);
    assert.deepEqual(await found(), []);
  });
  test("the newest lacks one of the two: the next is offered as well", async () => {
    const entries = await entriesOf(plain);
    const whole = await archived("20261120");
    const half = await archived("20261121", {
      manifest: { entries: entries.filter(({ path }) => !path.includes("ca.serial.txt")) },
    });
    assert.deepEqual(await found(), [half, whole]);
  });
  test("no manifest, none that is understood, another host's, no folder: none", async () => {
    rmSync(`${await archived("20261120")}.json`);
    writeFileSync(`${await archived("20261121")}.json`, "{");
    await archived("20261122", { manifest: { host: "master-1.example.com" } });
    await archived("20261123", { manifest: { sha256: "x" } });
    assert.deepEqual(await found(), []);
    assert.deepEqual(await archivedAuthorities(join(archives, "gone"), name), []);
  });
});

describe("an encrypted archive", () => {
  let identity: string;
  let encrypted: Buffer;
  const file = (text: string) => {
    const path = join(mkdtempSync(join(sshd.folder, "key ")), "age.key");
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  before(async () => {
    identity = await generateX25519Identity();
    const encrypter = new Encrypter();
    encrypter.addRecipient(await identityToRecipient(identity));
    encrypted = Buffer.from(await encrypter.encrypt(plain));
  });
  test("is handed over with its identity", async () => {
    await archived("20261120", { encrypted });
    const [one] = await archivedAuthorities(archives, name);
    assert.deepEqual(one?.stored, { sha256: sha256(encrypted), bytes: encrypted.length });
    await handOver(context(file(`# public key: age1…\n${identity}\n`)), await step("etcd"), to);
    assert.equal(treeDigest(to.etcd), treeDigest(join(root, "etc/etcd")));
  });
  test("without an identity, or with another's, nothing is touched", async () => {
    await archived("20261120", { encrypted });
    const other = file(await generateX25519Identity());
    for (const key of [undefined, other])
      await assert.rejects(async () => handOver(context(key), await step("etcd"), to), Refusal);
    assert.deepEqual(readdirSync(to.etcd), ["ca.crt"]);
  });
  test("with a mistyped identity: refused, and the identity is not told", async () => {
    const path = await archived("20261120", { encrypted });
    const mistyped = identity.replace(/.$/, (last) => (last === "Q" ? "P" : "Q"));
    for (const opening of [{ identity: mistyped }, { identityFile: file(mistyped) }])
      await assert.rejects(openArchive(path, opening), (error) => {
        assert.ok(error instanceof Refusal);
        assert.match(error.message, /is not well-formed/);
        assert.doesNotMatch(inspect(error), /AGE-SECRET-KEY/i);
        return true;
      });
  });
  test("that was cut off or changed when it was stored: nothing is put in place", async () => {
    const changed = Buffer.from(encrypted);
    changed.writeUInt8(changed.readUInt8(encrypted.length - 5) ^ 1, encrypted.length - 5);
    for (const bytes of [encrypted.subarray(0, -20), changed]) {
      await archived("20261120", { encrypted: bytes });
      await assert.rejects(
        async () => handOver(context(file(identity)), await step("etcd"), to),
        /could not be read here/,
      );
      assert.deepEqual(
        readdirSync(to.etcd).filter((one) => !one.startsWith(".")),
        ["ca.crt"],
      );
    }
  });
  test("whose manifest does not say what is stored is not offered", async () => {
    await archived("20261120", { encrypted, manifest: { stored: undefined } });
    assert.deepEqual(await found(), []);
  });
});

const said: string[] = [];
/** As much of a context as a hand-over needs; every host is the sshd. */
const context = (identity?: string): Context =>
  ({
    session: {
      run: "101500-abc123",
      host: (host: string) => connections.host({ name: host, address: "127.0.0.1" }),
    },
    change: {
      survivors: { "master-1.example.com": "127.0.0.1" },
      leaving: { [name]: "127.0.0.1" },
      settings: { backup: { identity }, loadBalancers: {}, nodes: {}, inventory: {} },
    },
    say: (text: string) => said.push(text),
  }) as unknown as Context;

/** The step that the newest archive gives, or the dead host's own folder if it is asked for. */
async function step(
  authority: "etcd" | "openshift",
  from?: { host: string; place: string },
): Promise<Extract<Step, { do: "hand-over" }>> {
  const ending = authority === "etcd" ? "/etcd/ca/serial" : "/ca.serial.txt";
  const [archive] = await archivedAuthorities(archives, name);
  const place = archive?.places.find(({ path }) => path.endsWith(ending));
  return {
    do: "hand-over",
    host: "master-1.example.com",
    title: "",
    authority,
    serial: "0A",
    digest: place?.digest ?? treeDigest(join(root, "etc/etcd")),
    ...(from === undefined
      ? { from: { archive: archive ?? assert.fail("no archive") }, place: place?.path ?? "" }
      : { from: { host: from.host }, place: from.place }),
  };
}

describe("the step", () => {
  test("from a host", async () => {
    await handOver(context(), await step("etcd", { host: name, place: join(root, "etc/etcd/ca/serial") }), to);
    assert.equal(treeDigest(to.etcd), treeDigest(join(root, "etc/etcd")));
  });
  test("out of an archive, both authorities; twice is once more", async () => {
    await archived("20261120");
    for (const time of ["once", "twice"]) {
      await handOver(context(), await step("etcd"), to);
      await handOver(context(), await step("openshift"), to);
      assert.equal(treeDigest(to.etcd), treeDigest(join(root, "etc/etcd")));
      assert.equal(readFileSync(join(to.openshift, "ca.serial.txt"), "utf8"), "3A7F", time);
    }
    assert.match(said.at(-1) ?? "", /signed a throw-away certificate with it/);
  });
  test("an archive that was altered since it was offered is not used", async () => {
    const path = await archived("20261120");
    const planned = await step("etcd");
    appendFileSync(path, "x");
    await assert.rejects(handOver(context(), planned, to), /is no longer what its manifest says/);
    assert.equal(existsSync(join(to.etcd, "ca")), false);
  });
});
