/**
 * Words that try to be more than words, and hosts that answer what they please, over a real sshd: a sentence each, bounded and harmless to show, and nothing half done.
 * What else of this kind is kept where is listed in SECURITY.md.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import fc from "fast-check";
import { masterFacts } from "../../providers/plan/facts.ts";
import { largestFile } from "../../providers/plan/parts.ts";
import { masterProbe } from "../../providers/plan/probe.ts";
import { sh } from "../../providers/plan/quote.ts";
import { askHost } from "../../providers/remote/ask-host.ts";
import { takeArchive } from "../../providers/remote/backup.ts";
import { lockAll } from "../../providers/remote/lock.ts";
import { Connections, type RemoteHost } from "../../providers/remote/ssh.ts";
import { type Sshd, startMaster, startSshd } from "./sshd.ts";

let sshd: Sshd;
const others: Sshd[] = [];
const opened: Connections[] = [];
before(async () => {
  sshd = await startSshd();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
  await Promise.all(others.splice(0).map((one) => one.stop()));
});
after(() => sshd.stop());

const name = "master-1.example.com";
const quick = { what: "testing", deadline: 60 };
function hostOf(at: Sshd): RemoteHost {
  const connections = new Connections(at.settings());
  opened.push(connections);
  return connections.host({ name, address: "127.0.0.1" });
}
async function started(options: readonly string[], master = false): Promise<Sshd> {
  const other = await (master ? startMaster(sshd, options) : startSshd(options, sshd));
  others.push(other);
  return other;
}
/** An sshd that runs this instead of every command; what was wanted is in $SSH_ORIGINAL_COMMAND. */
async function forced(script: string): Promise<Sshd> {
  const path = join(sshd.folder, `forced-${Math.random().toString(36).slice(2)}`);
  writeFileSync(path, `#!/bin/bash\n${script}\n`);
  chmodSync(path, 0o755);
  return started([`ForceCommand ${path}`]);
}

describe("10,000 words", () => {
  const nasty = [
    "'",
    '"',
    "\\",
    "$(touch /tmp/owned)",
    "`id`",
    "\n",
    "\r",
    "\t",
    "-",
    "--",
    "-rf",
    "!",
    "*",
    "?",
    "~",
    "#",
    ";",
    "&",
    "|",
    "<",
    ">",
    "%s",
    "\\0",
    "\x1b[2J",
    "\x7f",
    "\u0085",
    "\u202e",
    "{a,b}",
    "=",
    " ",
  ];
  const word = fc.oneof(
    fc.array(fc.constantFrom(...nasty), { maxLength: 6 }).map((parts) => parts.join("")),
    fc.string({ unit: "binary", maxLength: 12 }).filter((one) => !/\0|\p{Surrogate}/u.test(one)),
    fc
      .integer({ min: 1, max: 0x10ffff })
      .filter((code) => code < 0xd800 || code > 0xdfff)
      .map((code) => `-${String.fromCodePoint(code)}`),
  );

  it("come back unchanged through sshd and sh, and hold every byte that UTF-8 has", async () => {
    const host = hostOf(sshd);
    const everyByte = Array.from({ length: 0x24f }, (_, code) => String.fromCodePoint(code + 1));
    const leads = [
      0x800, 0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000, 0x8000, 0x9000, 0xa000, 0xb000, 0xc000, 0xd000,
      0xe000, 0xf000,
    ];
    const higher = [
      0x250, 0x3c0, 0x400, 0x440, 0x480, 0x4c0, 0x500, 0x540, 0x580, 0x5c0, 0x600, 0x640, 0x680, 0x6c0, 0x700, 0x740,
      0x780, 0x7c0,
    ];
    const planes = [0x10000, 0x40000, 0x80000, 0xc0000, 0x100000];
    const fixed = [
      ...everyByte,
      ...[0x280, 0x2c0, 0x300, 0x340, 0x380, ...higher, ...leads, ...planes].map((code) => String.fromCodePoint(code)),
    ];
    const words = [...fixed, ...fc.sample(word, 10_000 - fixed.length)];
    const bytes = new Set(Buffer.from(words.join("")));
    assert.deepEqual(
      Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !bytes.has(byte)),
      [0, 0xc0, 0xc1, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff],
    );
    for (let at = 0; at < words.length; at += 700) {
      const some = words.slice(at, at + 700);
      const { stdout } = await host.runBytes(sh`printf '%s\\0' ${some}`, quick);
      assert.deepEqual(stdout.toString("utf8").split("\0").slice(0, -1), some);
    }
  });

  it("one too long for the kernel (128 KiB) is told, and nothing is run", async () => {
    const failed = hostOf(sshd).run(sh`printf '%s' ${"a b".repeat(350_000)}; echo ran`, quick);
    await assert.rejects(failed, (error: Error) => {
      assert.match(error.message, /^testing on master-1\.example\.com failed: /);
      assert.ok(error.message.length < 4000, `${error.message.length}`);
      return !/ran$/.test(error.message);
    });
  });
});

describe("a host that answers what it pleases", () => {
  const wanted = 'if [ "$SSH_ORIGINAL_COMMAND" = "exec /bin/sh -c :" ]; then exit 0; fi';
  const cases: [what: string, script: string, seen: RegExp][] = [
    ["garbage", `${wanted}; head -c 200000 /dev/urandom`, /^$/],
    ["one line of a megabyte", `${wanted}; head -c 1000000 /dev/zero | tr '\\0' x`, /^$/],
    ["what is not UTF-8, in a part's form", `${wanted}; printf 'hostname 0 \\377\\376\\n\\300\\257 0 eA==\\n'`, /^$/],
    [
      "terminal escapes, in base64 and beside it",
      `${wanted}; printf '\\033[2Jhostname 0 G1sySg==\\nhostname 0 G1sySg==\\n'`,
      /^$/,
    ],
    ["without end", `${wanted}; exec yes garbage`, /more than \d+ bytes of output, so it was ended/],
    ["an error of escapes", `${wanted}; printf '\\033]0;owned\\007' >&2; kill -9 $$`, /killed|no exit code|exit 137/],
  ];
  for (const [what, script, seen] of cases)
    it(`${what}: bounded, nothing known, nothing to harm a terminal`, async () => {
      const host = hostOf(await forced(script));
      const asked = { what: "asking for the state of things", deadline: 60, limit: 8 * largestFile };
      const probe = masterProbe({ address: "127.0.0.1", backupDirectory: "/backup" });
      const facts = await askHost(host, probe, asked, masterFacts);
      if ("unreachable" in facts) {
        assert.match(facts.unreachable, seen);
        assert.doesNotMatch(facts.unreachable, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
        assert.ok(facts.unreachable.length < 5000);
        return;
      }
      assert.equal(seen.source, "^$", `it should have been told: ${seen.source}`);
      assert.deepEqual(
        [facts.etcd, facts.readiness.ready, facts.pods, facts.freeForBackup],
        [undefined, false, [], undefined],
      );
      assert.ok(JSON.stringify(facts).length < 100_000);
      assert.doesNotMatch(`${facts.etcdSeen}${facts.readiness.seen}`, /[\x00-\x1f\x7f-\x9f]/);
    });
});

describe("an rc file that prints", () => {
  const told =
    /the log-in shell there prints something before any command has run: .*; nothing was done; make its rc file .* silent/;

  it("is told, with its words, before any command is sent; the lock is not taken for held", async () => {
    const home = join(sshd.folder, "home");
    mkdirSync(home);
    writeFileSync(join(home, ".bashrc"), "echo 'Welcome to \x1b[31mthe machine'\n");
    const loud = await started([`SetEnv HOME=${home}`], true);
    const failed = (error: Error) =>
      told.test(error.message) && error.message.includes("Welcome to \\x1b[31mthe machine");
    await assert.rejects(hostOf(loud).run("echo in", quick), failed);
    await assert.rejects(lockAll([hostOf(loud)], "a"), failed);
    writeFileSync(join(home, ".bashrc"), "echo quiet >&2\n");
    assert.equal((await hostOf(loud).run("echo in", quick)).stdout, "in\n", "what goes to stderr is nobody's answer");
  });
  it("and a forced command that prints without end", async () => {
    await assert.rejects(hostOf(await forced("exec yes")).run("echo in", quick), told);
  });
  it("and an account that may not log in", async () => {
    const script = "echo 'This account is currently not available.'; exit 1";
    await assert.rejects(hostOf(await forced(script)).run("echo in", quick), /not available.*nothing was done/);
  });
});

describe("a backup folder that cannot take it", () => {
  const order = (directory: string) => {
    const more = { archive: join(sshd.folder, "archive"), run: "1", date: "20261130", keep: 7, say: () => undefined };
    return {
      directory,
      ...more,
      kind: "etcd-config" as const,
      content: { paths: ["/etc/passwd", "/nowhere"], noted: [], packages: false },
    };
  };
  const cases: [what: string, mount: string, fill: string, seen: RegExp][] = [
    ["read-only", "-o ro,size=64k", "true", /failed: .*\n(?:.*\n)*.*the folder cannot be made/],
    [
      "full",
      "-o size=64k",
      'head -c 1m /dev/zero >"$1/filler" 2>/dev/null; true',
      /has \d+ KiB free, twice the need|cannot be (made|written)/,
    ],
  ];
  for (const [what, options, fill, seen] of cases)
    it(`${what}: told, and nothing is left there or here`, async () => {
      const at = join(sshd.folder, `disk-${what}`);
      mkdirSync(at);
      execFileSync("sh", ["-c", `mount -t tmpfs ${options} none "$1"; ${fill}`, "sh", at]);
      try {
        const before = readdirSync(at);
        await assert.rejects(takeArchive(hostOf(sshd), order(at)), (error: Error) => {
          assert.match(error.message, seen);
          return true;
        });
        const left = readdirSync(at, { recursive: true }).filter((path) => !before.includes(String(path)));
        assert.deepEqual(
          left.filter((path) => /\.(tar|gz|part|work|json)/.test(String(path))),
          [],
        );
        assert.deepEqual(
          readdirSync(sshd.folder).includes("archive")
            ? readdirSync(join(sshd.folder, "archive"), { recursive: true }).filter((path) =>
                /\./.test(String(path).replace(name, "")),
              )
            : [],
          [],
        );
      } finally {
        execFileSync("umount", [at]);
      }
    });
});
