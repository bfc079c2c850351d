import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { sh } from "../../providers/plan/quote.ts";
import { RemoteError } from "../../providers/remote/errors.ts";
import { encode, readFile, replaceFile, type Replacement } from "../../providers/remote/files.ts";
import { Connections, type RemoteHost } from "../../providers/remote/ssh.ts";
import { startSshd, type Sshd } from "./sshd.ts";

let sshd: Sshd;
let connections: Connections;
let host: RemoteHost;
/** A folder of its own for each test, with an awkward name. */
let folder: string;
before(async () => {
  sshd = await startSshd();
  connections = new Connections(sshd.settings());
  host = connections.host({ name: "lb-0.example.com", address: "127.0.0.1" });
});
after(async () => {
  await connections.close();
  await sshd.stop();
});
beforeEach(() => {
  folder = mkdtempSync(join(realpathSync(sshd.folder), "it's a $folder "));
});

const hash = (bytes: Buffer | string) => createHash("sha256").update(bytes).digest("hex");
const isRoot = process.getuid?.() === 0;

describe("readFile", () => {
  test("bytes, text and hash, by the resolved path", async () => {
    const bytes = Buffer.from("# Grüße\r\nno newline at the end\0\x01");
    writeFileSync(join(folder, "real"), bytes);
    symlinkSync("real", join(folder, "-link"));
    const file = await readFile(host, join(folder, "-link"));
    assert.ok(file);
    assert.ok(file.bytes.equals(bytes));
    assert.deepEqual([file.path, file.text, file.sha256], [join(folder, "real"), bytes.toString(), hash(bytes)]);
  });

  test("an empty file is there, a missing one, a dangling link and a file below a file are not", async () => {
    writeFileSync(join(folder, "empty"), "");
    symlinkSync("nowhere", join(folder, "dangling"));
    assert.equal((await readFile(host, join(folder, "empty")))?.text, "");
    for (const name of ["missing", "dangling", "empty/below"])
      assert.equal(await readFile(host, join(folder, name)), undefined, name);
  });

  test("every byte comes back, whatever it decodes to", async () => {
    for (const bytes of [
      Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
      Buffer.from("\ufeffb\u00fcm"),
      randomBytes(100_000),
    ]) {
      writeFileSync(join(folder, "f"), bytes);
      const file = await readFile(host, join(folder, "f"));
      assert.ok(file);
      assert.ok(file.bytes.equals(bytes));
      assert.ok(encode(file.bytes, file.text).equals(bytes));
    }
  });

  test("what the encoding does not have cannot be written", () => {
    assert.deepEqual(encode(Buffer.from([0xe4]), "ä!"), Buffer.from([0xe4, 0x21]));
    assert.throws(() => encode(Buffer.from([0xe4]), "ä→"), { name: "Refusal", message: /latin1/ });
    assert.equal(encode(Buffer.from("a"), "a→").toString(), "a→");
  });

  test("a folder and a file too big are errors", async () => {
    await assert.rejects(readFile(host, folder), /it is a directory, not a file/);
    writeFileSync(join(folder, "big"), Buffer.alloc(1001));
    await assert.rejects(readFile(host, join(folder, "big"), { limit: 1000 }), /it has 1001 bytes, more than 1000/);
    assert.equal((await readFile(host, join(folder, "big"), { limit: 1001 }))?.bytes.length, 1001);
  });

  test(
    "a file that may not be seen is not taken for a missing one",
    { skip: !isRoot && "only root can drop its rights" },
    async () => {
      // The script under test, run by nobody: the host is given a way to it.
      const asNobody: RemoteHost = {
        ...host,
        name: host.name,
        address: host.address,
        run: notUsed,
        stream: notUsed,
        hold: notUsed,
        runBytes: (script, o) =>
          host.runBytes(sh`setpriv --reuid=65534 --regid=65534 --clear-groups /bin/sh -c ${script}`, o),
      };
      mkdirSync(join(folder, "closed"), { mode: 0o700 });
      await assert.rejects(readFile(asNobody, join(folder, "closed", "f")), /Permission denied/);
    },
  );
});

describe("replaceFile", () => {
  const old = "server master-3\nold\n";
  const content = Buffer.from("new\n\0\xff", "latin1");
  const at = (name: string) => join(folder, name);
  const replacement = (over: Partial<Replacement> = {}): Replacement => ({
    path: at("haproxy.cfg"),
    expected: hash(old),
    content,
    keepAs: at("kept/before/haproxy.cfg"),
    deadline: 20,
    ...over,
  });
  /** Everything a file is, but for when it was last read. */
  const picture = (name: string) => {
    const { ino, mode, uid, gid, mtimeMs } = statSync(at(name));
    return { ino, mode, uid, gid, mtimeMs, content: readFileSync(at(name), "latin1") };
  };
  const refused = async (promise: Promise<void>, message: RegExp) => {
    const before = picture("haproxy.cfg");
    await assert.rejects(promise, (error) => {
      assert.ok(error instanceof RemoteError, String(error));
      assert.match(error.message, message);
      assert.equal(error.outcome, "not-done");
      return true;
    });
    assert.deepEqual(picture("haproxy.cfg"), before);
    assert.deepEqual(temporaries(), []);
  };
  const temporaries = () => readdirSync(folder).filter((name) => name.startsWith("."));
  beforeEach(() => writeFileSync(at("haproxy.cfg"), old, { mode: 0o640 }));

  test("new content, old owner and mode; the old file is kept, for its owner alone", async () => {
    chmodSync(at("haproxy.cfg"), 0o4751);
    if (isRoot) chownSync(at("haproxy.cfg"), 1234, 4321);
    chmodSync(at("haproxy.cfg"), 0o751);
    utimesSync(at("haproxy.cfg"), 1, 1);
    const before = picture("haproxy.cfg");
    await replaceFile(host, replacement());
    const now = picture("haproxy.cfg");
    assert.equal(now.content, content.toString("latin1"));
    assert.deepEqual([now.mode, now.uid, now.gid], [before.mode, before.uid, before.gid]);
    assert.notEqual(now.ino, before.ino, "by rename");
    assert.ok(Date.now() - now.mtimeMs < 60_000, "tools that look at times see the change");
    assert.equal(readFileSync(at("kept/before/haproxy.cfg"), "utf8"), old);
    assert.equal(statSync(at("kept/before/haproxy.cfg")).mode & 0o777, 0o600);
    assert.equal(statSync(at("kept")).mode & 0o777, 0o700);
    assert.deepEqual(temporaries(), []);
  });

  test("a link stays a link", async () => {
    symlinkSync("haproxy.cfg", at("link"));
    await replaceFile(host, replacement({ path: at("link") }));
    assert.ok(lstatSync(at("link")).isSymbolicLink());
    assert.ok(readFileSync(at("haproxy.cfg")).equals(content));
  });

  test("empty and large contents", async () => {
    const large = randomBytes(3_000_000);
    await replaceFile(host, replacement({ content: large }));
    assert.ok(readFileSync(at("haproxy.cfg")).equals(large));
    await replaceFile(host, replacement({ content: Buffer.alloc(0), expected: hash(large) }));
    assert.equal(statSync(at("haproxy.cfg")).size, 0);
  });

  test("what is kept under the same name is not lost", async () => {
    await replaceFile(host, replacement());
    await replaceFile(host, replacement({ content: Buffer.from("newer"), expected: hash(content) }));
    assert.equal(readFileSync(at("kept/before/haproxy.cfg.~1~"), "utf8"), old);
    assert.ok(readFileSync(at("kept/before/haproxy.cfg")).equals(content));
  });

  test("changed since it was read: refused", async () => {
    await refused(
      replaceFile(host, replacement({ expected: hash("something else") })),
      /changed since it was read.*nothing was done/,
    );
  });

  test("changed while it was validated: refused", async () => {
    const { mode } = statSync(at("haproxy.cfg"));
    const before = replaceFile(host, replacement({ validate: () => sh`echo other > ${at("haproxy.cfg")}` }));
    await assert.rejects(before, /changed since it was read/);
    assert.equal(readFileSync(at("haproxy.cfg"), "utf8"), "other\n");
    assert.equal(statSync(at("haproxy.cfg")).mode, mode);
    assert.deepEqual(temporaries(), []);
  });

  test("the validation sees the new file in place of the old; its no leaves all as it was", async () => {
    const see = (temporary: string) => sh`cmp ${temporary} ${at("wanted")} && [ "$(stat -c %a ${temporary})" = 640 ]`;
    writeFileSync(at("wanted"), content);
    await replaceFile(host, replacement({ validate: see }));
    writeFileSync(at("haproxy.cfg"), old);
    const no = () => "echo '[ALERT] parsing: unknown keyword' >&2; exit 1";
    await refused(
      replaceFile(host, replacement({ validate: no })),
      /check of the new file said no.*\n {2}\| \[ALERT\] parsing/,
    );
  });

  test("what a validation quotes of the file is masked where it looks secret", async () => {
    const no = () => "echo \"parsing [x.cfg:3] : unknown 'stats auth admin:hunter2'\" >&2; exit 1";
    await refused(replaceFile(host, replacement({ validate: no })), /stats auth \[masked\]/);
    await refused(replaceFile(host, replacement({ validate: no })), /^(?![^]*hunter2)/);
  });
  test("a validation that tampers, hangs or cannot be run", async () => {
    await refused(
      replaceFile(host, replacement({ validate: (t) => sh`echo x >> ${t}` })),
      /not all of the new content arrived/,
    );
    await refused(replaceFile(host, replacement({ validate: () => "no-such-program" })), /no-such-program: not found/);
    const before = picture("haproxy.cfg");
    await assert.rejects(
      replaceFile(host, replacement({ validate: () => "sleep 60", deadline: 1 })),
      /not finished within 1 s/,
    );
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.deepEqual(picture("haproxy.cfg"), before);
    assert.deepEqual(temporaries(), []);
  });

  test("content that arrives in part is never put in place", async () => {
    const cut = (bytes: Buffer): RemoteHost => ({
      ...host,
      name: host.name,
      address: host.address,
      stream: notUsed,
      hold: notUsed,
      runBytes: notUsed,
      run: (script, o) => host.run(script, o.stdin === undefined ? o : { ...o, stdin: bytes }),
    });
    for (const length of [0, 1, content.length - 1])
      await refused(replaceFile(cut(content.subarray(0, length)), replacement()), /not all of the new content arrived/);
  });

  test("a connection lost in the middle leaves the file as it was and nothing behind", async () => {
    const before = picture("haproxy.cfg");
    const replacing = replaceFile(host, replacement({ validate: () => "sleep 1; exit 1" }));
    setTimeout(() => sshd.cutConnections(), 600);
    await assert.rejects(replacing, (error) => error instanceof RemoteError && error.outcome === "unknown");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(picture("haproxy.cfg"), before);
    assert.deepEqual(temporaries(), []);
  });

  test("the old file cannot be kept: refused", async () => {
    writeFileSync(at("in the way"), "");
    await refused(
      replaceFile(host, replacement({ keepAs: at("in the way/haproxy.cfg") })),
      /old file could not be kept/,
    );
    mkdirSync(at("folder"));
    await refused(replaceFile(host, replacement({ keepAs: at("folder") })), /old file could not be kept/);
  });

  test("a file that is gone", async () => {
    await assert.rejects(replaceFile(host, replacement({ path: at("gone/haproxy.cfg") })), RemoteError);
    await assert.rejects(replaceFile(host, replacement({ path: at("gone.cfg") })), /changed since it was read/);
    assert.equal(existsSync(at("gone.cfg")), false);
  });
});

function notUsed(): never {
  throw new Error("not used here");
}
