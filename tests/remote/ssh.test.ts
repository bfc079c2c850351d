import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, createReadStream, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { sh } from "../../providers/plan/quote.ts";
import { RemoteError } from "../../providers/remote/errors.ts";
import { Connections, type RemoteHost, type SshSettings } from "../../providers/remote/ssh.ts";
import { keygen, startSshd, user, type Sshd } from "./sshd.ts";

let sshd: Sshd;
const opened: Connections[] = [];
before(async () => {
  sshd = await startSshd();
});
after(async () => {
  await Promise.all(opened.map((c) => c.close()));
  await sshd.stop();
});

function connect(over: Partial<SshSettings> = {}): { connections: Connections; host: RemoteHost } {
  const connections = new Connections(sshd.settings(over));
  opened.push(connections);
  return { connections, host: connections.host({ name: "lb-0.example.com", address: "127.0.0.1" }) };
}

function keyless(over: Partial<SshSettings> = {}): SshSettings {
  const settings: { -readonly [K in keyof SshSettings]: SshSettings[K] } = sshd.settings(over);
  delete settings.privateKeyPath;
  return settings;
}

const quick = { what: "testing", deadline: 10 };
/** The RemoteError a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<RemoteError> {
  const error: unknown = await promise.then(
    () => assert.fail("did not fail"),
    (e: unknown) => e,
  );
  assert.ok(error instanceof RemoteError, String(error));
  return error;
}

describe("host keys", () => {
  const place = () => `[127.0.0.1]:${String(sshd.port)}`;
  const withKnown = (...lines: string[]) =>
    connect({ knownHosts: sshd.knownHosts(...lines) }).host.run("echo in", quick);

  test("the entry of the declared name is accepted, for each key type alone", async () => {
    for (const type of ["ed25519", "rsa", "ecdsa"] as const)
      assert.equal((await withKnown(`[lb-0.example.com]:${String(sshd.port)} ${sshd.hostKey(type)}`)).stdout, "in\n");
  });

  test("entries that ssh-keygen -H hashed are accepted", async () => {
    const file = sshd.knownHosts(`${place()} ${sshd.hostKey("ed25519")}`);
    execFileSync("ssh-keygen", ["-q", "-H", "-f", file], { stdio: "ignore" });
    assert.match(readFileSync(file, "utf8"), /^\|1\|/);
    assert.equal((await connect({ knownHosts: file }).host.run("echo in", quick)).stdout, "in\n");
  });

  test("an unknown host is refused, with the fingerprint ssh-keygen would show", async () => {
    const error = await failure(withKnown("# nothing"));
    assert.equal(error.outcome, "not-done");
    assert.match(error.message, /has no key for lb-0\.example\.com or 127\.0\.0\.1/);
    const [, shown = ""] = /SHA256:([A-Za-z0-9+/]{43})/.exec(error.message) ?? [];
    const keys = (["ed25519", "rsa", "ecdsa"] as const).map((type) =>
      Buffer.from(sshd.hostKey(type).split(" ")[1] ?? "", "base64"),
    );
    assert.ok(keys.some((key) => createHash("sha256").update(key).digest("base64") === `${shown}=`));
  });

  test("the name without its port does not count", async () => {
    await failure(withKnown(`127.0.0.1 ${sshd.hostKey("ed25519")}`));
  });

  test("another key of the same type is refused", async () => {
    keygen(join(sshd.folder, "stranger"), "ed25519");
    const stranger = readFileSync(join(sshd.folder, "stranger.pub"), "utf8").trim();
    const error = await failure(withKnown("# first", `${place()} ${stranger}`));
    assert.match(error.message, /host key is not the one in .*known_hosts.* line 2 .*SHA256:.*may be another machine/);
  });

  test("a revoked key is refused, even when it is also listed", async () => {
    const key = sshd.hostKey("ed25519");
    assert.match((await failure(withKnown(`${place()} ${key}`, `@revoked * ${key}`))).message, /@revoked/);
    const all = (["ed25519", "rsa", "ecdsa"] as const).map((type) => `@revoked * ${sshd.hostKey(type)}`);
    assert.match((await failure(withKnown(...all))).message, /@revoked/);
  });

  test("no known_hosts file, no connection", async () => {
    await assert.rejects(connect({ knownHosts: "/nowhere/known_hosts" }).host.run("true", quick), {
      name: "Refusal",
      message: /\/nowhere\/known_hosts cannot be read \(ENOENT\)/,
    });
  });
});

describe("our key", () => {
  const key = (name: string) => join(sshd.folder, name);
  const refused = (over: Partial<SshSettings>, message: RegExp) =>
    assert.rejects(connect(over).host.run("true", quick), { name: "Refusal", message });

  test("an encrypted one, with and without its passphrase", async () => {
    for (const type of ["ed25519", "rsa"]) {
      keygen(key(`locked_${type}`), type, "open sesame");
      writeFileSync(key("more_keys"), readFileSync(key(`locked_${type}.pub`)));
      const privateKeyPath = key(`locked_${type}`);
      assert.equal(
        (await connect({ privateKeyPath, sshPassphrase: "open sesame" }).host.run("echo in", quick)).stdout,
        "in\n",
      );
      await refused({ privateKeyPath }, /is encrypted and no passphrase/);
      await refused({ privateKeyPath, sshPassphrase: "close sesame" }, /sshPassphrase is wrong/);
    }
  });

  test("missing, public, open to others, or none at all", async () => {
    await refused({ privateKeyPath: "/nowhere/key" }, /\/nowhere\/key cannot be read \(ENOENT\)/);
    writeFileSync(key("public"), readFileSync(`${sshd.clientKey}.pub`), { mode: 0o600 });
    await refused({ privateKeyPath: key("public") }, /holds a public key/);
    keygen(key("open"), "ed25519");
    chmodSync(key("open"), 0o640);
    await refused({ privateKeyPath: key("open") }, /mode 0640.*chmod 600/);
    await assert.rejects(new Connections(keyless()).host({ name: "x", address: "127.0.0.1" }).run("true", quick), {
      name: "Refusal",
    });
  });

  test("one the host does not know", async () => {
    keygen(key("unknown"), "ed25519");
    const error = await failure(connect({ privateKeyPath: key("unknown") }).host.run("true", quick));
    assert.match(error.message, /does not accept our key.*authorized_keys/);
    assert.equal(error.outcome, "not-done");
  });

  test("from an agent", async () => {
    const socket = key("agent.sock");
    const said = execFileSync("ssh-agent", ["-s", "-a", socket], { encoding: "utf8" });
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(said)?.[1]);
    const before = process.env["SSH_AUTH_SOCK"];
    try {
      process.env["SSH_AUTH_SOCK"] = socket;
      execFileSync("ssh-add", ["-q", sshd.clientKey], { stdio: "ignore" });
      const connections = new Connections(keyless({ agent: true }));
      opened.push(connections);
      const { stdout } = await connections
        .host({ name: "x", address: "127.0.0.1" })
        .run('echo "in${SSH_AUTH_SOCK:-}"', quick);
      assert.equal(stdout, "in\n", "logged in, and the agent was not forwarded");
    } finally {
      process.kill(pid);
      if (before === undefined) delete process.env["SSH_AUTH_SOCK"];
      else process.env["SSH_AUTH_SOCK"] = before;
    }
  });
});

describe("commands", () => {
  test("weird arguments come back unchanged", async () => {
    const { host } = connect();
    const word = fc.string({ unit: "binary" }).filter((w) => !/\0|\p{Surrogate}/u.test(w));
    const weird = fc.oneof(
      word,
      fc.string({ unit: fc.constantFrom("'", '"', "\\", "\n", "!", "$", "`", "%", "0", "~", "ü") }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(weird, { minLength: 10, maxLength: 30 }), async (words) => {
        const { stdout } = await host.runBytes(sh`printf '%s\\0' ${words}`, quick);
        assert.deepEqual(stdout.toString("utf8").split("\0").slice(0, -1), words);
      }),
      { numRuns: 30 },
    );
  });

  test("a non-zero exit is a failure that says what was seen", async () => {
    const error = await failure(
      connect().host.run("echo out; echo 'bad \x1b[31mthing' >&2; exit 3", { ...quick, what: "reading x" }),
    );
    assert.equal(error.exit, 3);
    assert.equal(error.outcome, "failed");
    assert.deepEqual(error.lastLines, ["bad \\x1b[31mthing"]);
    assert.match(
      error.message,
      /^reading x on lb-0\.example\.com failed: exit 3 after \d\.\d s; last lines:\n {2}\| bad/,
    );
  });

  test("exit codes that are no error", async () => {
    const { host } = connect();
    assert.equal((await host.run("exit 3", { ...quick, ok: [0, 3] })).code, 3);
    assert.equal((await host.run("exit 7", { ...quick, ok: "any" })).code, 7);
    await failure(host.run("exit 0", { ...quick, ok: [3] }));
  });

  test("secrets do not get into errors", async () => {
    const { host } = connect();
    const error = await failure(host.run("echo hunter2 >&2; exit 1", { ...quick, secrets: ["hunter2"] }));
    assert.doesNotMatch(`${error.message}${error.command ?? ""}${error.lastLines.join()}`, /hunter2/);
  });

  test("death by signal is a failure", async () => {
    const error = await failure(connect().host.run("kill -9 $$", { ...quick, ok: "any" }));
    assert.ok(error.exit === null || error.exit === 137);
  });

  test("stdin from a stream arrives identical; what breaks on the way here is told, and ends the command", async () => {
    const { host } = connect();
    const bytes = randomBytes(9_000_000);
    const file = join(sshd.folder, "stream");
    writeFileSync(file, bytes);
    const { stdout } = await host.run("sha256sum", { ...quick, stdin: () => createReadStream(file) });
    assert.ok(stdout.startsWith(createHash("sha256").update(bytes).digest("hex")));
    const early = await host.run("echo enough", { ...quick, stdin: () => createReadStream(file) });
    assert.equal(early.stdout, "enough\n");
    const gone = host.run("cat >/dev/null", { ...quick, stdin: () => createReadStream(join(sshd.folder, "nowhere")) });
    await assert.rejects(gone, /could not be read here \(ENOENT/);
  });

  test("stdin bytes arrive identical, and without any there is end of file", async () => {
    const { host } = connect();
    const stdin = randomBytes(3_000_000);
    assert.ok((await host.runBytes("cat", { ...quick, stdin })).stdout.equals(stdin));
    assert.equal((await host.run("cat; echo done", quick)).stdout, "done\n");
    assert.equal((await host.run("cat; echo done", { ...quick, stdin: "" })).stdout, "done\n");
  });

  test("the C locale, stdout and stderr apart", async () => {
    const { stdout, stderr } = await connect().host.run('echo "$LC_ALL"; echo err >&2', quick);
    assert.deepEqual([stdout, stderr], ["C\n", "err\n"]);
  });

  test("output over the limit is an error, not a cut text", async () => {
    const { host } = connect();
    const error = await failure(host.run("head -c 200000 /dev/zero; sleep 30", { ...quick, limit: 100_000 }));
    assert.match(error.message, /more than 100000 bytes/);
    assert.ok((error.took ?? Infinity) < 5000);
    assert.equal((await host.run("head -c 100000 /dev/zero", { ...quick, limit: 100_000 })).stdout.length, 100_000);
  });

  test("a deadline ends the command here and on the host, whose traps run", async () => {
    const { host } = connect();
    for (const stdin of [undefined, "x"]) {
      const mark = join(sshd.folder, `mark_${stdin ?? ""}`);
      const script = sh`trap 'rm -f ${mark}; exit 1' TERM; echo $$ > ${mark}; echo begun; sleep 60 & wait; echo after`;
      const o = { what: "waiting", deadline: 1, ...(stdin === undefined ? {} : { stdin }) };
      const error = await failure(host.run(script, o));
      assert.match(error.message, /^waiting on .* failed: not finished within 1 s, so it was ended after [12]\.\d s/);
      assert.equal(error.outcome, "unknown");
      assert.deepEqual(error.lastLines, ["begun"]);
      await sleep(500);
      assert.equal(existsSync(mark), false, "the trap ran");
    }
    assert.equal((await host.run("echo on", quick)).stdout, "on\n", "the connection is still good");
  });

  test("20 commands at once over one connection", async () => {
    const { connections, host } = connect();
    const runs = Array.from({ length: 20 }, (_, i) => host.run(`sleep 0.2; echo ${String(i)}`, quick));
    assert.deepEqual(
      (await Promise.all(runs)).map((r) => Number(r.stdout)),
      [...runs.keys()],
    );
    assert.deepEqual(connections.stats, { connections: 1, commands: 20 });
  });

  test("a host that allows fewer sessions than we thought", async () => {
    const narrow = await startSshd(["MaxSessions 2"], sshd);
    const connections = new Connections(narrow.settings());
    try {
      const host = connections.host({ name: "narrow", address: "127.0.0.1" });
      const runs = Array.from({ length: 12 }, (_, i) => host.run(`sleep 0.1; echo ${String(i)}`, quick));
      assert.deepEqual(
        (await Promise.all(runs)).map((r) => Number(r.stdout)),
        [...runs.keys()],
      );
      assert.equal(connections.stats.connections, 1);
    } finally {
      await connections.close();
      await narrow.stop();
    }
  });

  test("nobody there", async () => {
    const error = await failure(connect({ port: 1, knownHosts: sshd.knownHosts("# none") }).host.run("true", quick));
    assert.match(error.message, /no SSH connection to .*@127\.0\.0\.1:1: .*ECONNREFUSED.*nothing was done/);
  });
});

describe("a connection that nobody uses", () => {
  test("is closed after a while, and the next command opens another", async () => {
    const { connections, host } = connect();
    await host.run("true", quick);
    connections.rest(60);
    await host.run("true", quick);
    assert.equal(connections.stats.connections, 1);
    connections.rest(0);
    await host.run("true", quick);
    assert.equal(connections.stats.connections, 2);
  });
  test("whoever comes at the same moment gets another", async () => {
    const { connections, host } = connect();
    await host.run("true", quick);
    connections.rest(0);
    assert.equal((await host.run("echo here", quick)).stdout, "here\n");
    const coming = host.run("echo again", quick);
    connections.rest(0);
    assert.equal((await coming).stdout, "again\n");
  });
  test("not while a command runs", async () => {
    const { connections, host } = connect();
    await host.run("true", quick);
    const running = host.run("sleep 0.4; echo done", quick);
    await new Promise((resolve) => setImmediate(resolve));
    connections.rest(0);
    assert.equal((await running).stdout, "done\n");
    assert.equal(connections.stats.connections, 1);
  });
});

describe("a connection that is lost", () => {
  test("in the middle of a command: outcome unknown, the next command gets a new connection", async () => {
    const { connections, host } = connect();
    const running = failure(host.run("echo begun; sleep 20", { ...quick, deadline: 30 }));
    await sleep(500);
    sshd.cutConnections();
    const error = await running;
    assert.equal(error.outcome, "unknown");
    assert.equal(error.exit, null);
    assert.match(error.message, /the connection was lost .* after .* s; how much of it was done is unknown/);
    assert.equal((await host.run("echo back", quick)).stdout, "back\n");
    assert.equal(connections.stats.connections, 2);
  });

  test("while commands wait for their turn: those are sent over the next one", async () => {
    const { host } = connect();
    const running = Array.from({ length: 8 }, () => failure(host.run("sleep 20", quick)));
    await sleep(500);
    const waiting = Array.from({ length: 4 }, () => host.run("echo late", quick));
    await sleep(100);
    sshd.cutConnections();
    for (const error of await Promise.all(running)) assert.equal(error.outcome, "unknown");
    for (const result of await Promise.all(waiting)) assert.equal(result.stdout, "late\n");
  });

  test("close ends it all", async () => {
    const { connections, host } = connect();
    await host.run("true", quick);
    await connections.close();
    assert.equal((await failure(host.run("true", quick))).outcome, "not-done");
  });
});

test("close hangs up on an sshd that hangs, too", async () => {
  const { connections, host } = connect();
  // the shell is a child of `timeout`, which sshd began
  const hung = Number((await host.run("ps -o ppid= -p $PPID", quick)).stdout);
  process.kill(hung, "SIGSTOP");
  try {
    const slow = sleep(10_000, "slow", { ref: false });
    assert.notEqual(await Promise.race([connections.close(), slow]), "slow");
  } finally {
    process.kill(hung, "SIGCONT");
  }
});

describe("streams", () => {
  const read = async (stream: AsyncIterable<Buffer>) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const o = { what: "copying", deadline: 20, idle: 5 };

  test("20 MB come whole, with exit code and stderr", async () => {
    const { stdout, done } = await connect().host.stream("head -c 20000000 /dev/zero; echo hm >&2; exit 4", o);
    assert.equal((await read(stdout)).length, 20_000_000);
    assert.deepEqual(await done, { code: 4, stderr: "hm\n" });
  });

  test("silence, the deadline and a lost connection destroy the stream", async () => {
    const { host } = connect();
    const table: [script: string, o: { deadline: number; idle: number }, seen: RegExp][] = [
      ["echo a; sleep 30", { deadline: 20, idle: 0.5 }, /no byte for 0\.5 s/],
      ["while :; do echo a; sleep 0.1; done", { deadline: 1, idle: 5 }, /not finished within 1 s/],
    ];
    for (const [script, limits, seen] of table) {
      const { stdout, done } = await host.stream(script, { what: "copying", ...limits });
      await assert.rejects(read(stdout), seen);
      await assert.rejects(done, seen);
    }
    const { stdout, done } = await host.stream("echo a; sleep 30", o);
    setTimeout(() => sshd.cutConnections(), 300);
    await assert.rejects(read(stdout), /connection was lost/);
    await assert.rejects(done, /connection was lost/);
  });

  test("a slow reader is no silent host; one that goes away ends the command", async () => {
    const { host } = connect();
    const slow = await host.stream("head -c 10000000 /dev/zero", { what: "copying", deadline: 20, idle: 0.4 });
    await sleep(1500);
    assert.equal((await read(slow.stdout)).length, 10_000_000);
    const left = await host.stream("while :; do echo a; sleep 0.05; done", o);
    left.stdout.destroy();
    await assert.rejects(left.done, /nobody read on/);
  });
});

describe("holding something", () => {
  test("the first line comes, the hold lasts until released", async () => {
    const { host } = connect();
    const mark = join(sshd.folder, "held");
    const held = await host.hold(sh`touch ${mark}; echo 'got it'; cat >/dev/null; rm ${mark}`, {
      what: "locking",
      deadline: 5,
    });
    assert.equal(held.line, "got it");
    await sleep(300);
    assert.ok(existsSync(mark));
    held.release();
    await sleep(300);
    assert.equal(existsSync(mark), false);
  });

  test("an end before the first line, no line in time, a loss later", async () => {
    const { host } = connect();
    const o = { what: "locking", deadline: 0.5 };
    assert.match(
      (await failure(host.hold("echo taken >&2; exit 1", { ...o, deadline: 10 }))).message,
      /exit 1 .*\n {2}\| taken/,
    );
    assert.match((await failure(host.hold("sleep 20", o))).message, /no answer within 0\.5 s/);
    const ended = await host.hold("echo in; exit 2", { ...o, deadline: 5 });
    assert.equal((await ended.lost).exit, 2);
    const cut = await host.hold("echo in; cat", { ...o, deadline: 5 });
    sshd.cutConnections();
    assert.match((await cut.lost).message, /connection was lost/);
  });
});

describe("becoming root", () => {
  const noSudo = spawnSync("sudo", ["-n", "true"]).status === 0 ? false : "no sudo without a password here";

  test("by sudo, with stdin, exit code and weird words as without", { skip: noSudo }, async () => {
    const { host } = connect({ become: true });
    const word = "a'b\\n\\\\ !$(x)\n\u00fc";
    assert.equal((await host.run(sh`id -u; printf %s ${word}; cat`, { ...quick, stdin: "in" })).stdout, `0\n${word}in`);
    assert.equal((await failure(host.run("exit 5", quick))).exit, 5);
  });

  test("sudo that wants a password, or has other wishes, is told with the remedy", async () => {
    const path = join(sshd.folder, "path");
    mkdirSync(path);
    const strict = await startSshd([`SetEnv PATH=${path}:/usr/bin:/bin`], sshd);
    const connections = new Connections(strict.settings({ become: true }));
    const host = connections.host({ name: "strict", address: "127.0.0.1" });
    const table: [says: string, seen: RegExp][] = [
      [
        "sudo: a password is required",
        /sudo wants a password for .*nothing was done; allow it in \/etc\/sudoers\.d: ".* NOPASSWD: ALL"/,
      ],
      ["sudo: sorry, you must have a tty to run sudo", /sudo wants a terminal.*!requiretty/],
      [
        "Sorry, user ops is not allowed to execute '/bin/sh' as root on lb-0. (sudo)",
        /does not let .* run commands as root/,
      ],
    ];
    try {
      for (const [says, seen] of table) {
        writeFileSync(join(path, "sudo"), sh`#!/bin/sh\necho ${says} >&2; exit 1\n`, { mode: 0o755 });
        const error = await failure(host.run("echo never", { ...quick, ok: "any" }));
        assert.match(error.message, seen);
        assert.equal(error.outcome, "not-done");
        assert.match((await failure(host.hold("echo never", quick))).message, seen);
      }
    } finally {
      await connections.close();
      await strict.stop();
    }
  });
});

test("through a bastion, whose key is verified as well", async () => {
  const bastion = await startSshd([], sshd);
  const entry = (port: number, key: string) => `[127.0.0.1]:${String(port)} ${key}`;
  const inner = entry(sshd.port, sshd.hostKey("ed25519"));
  const place = { host: "127.0.0.1", user, port: bastion.port };
  try {
    const both = sshd.knownHosts(inner, entry(bastion.port, bastion.hostKey("ed25519")));
    const { connections, host } = connect({ bastion: place, knownHosts: both });
    const second = connections.host({ name: "other", address: "127.0.0.1" });
    const [a, b] = await Promise.all([host.run("echo $SSH_CONNECTION", quick), second.run("echo in", quick)]);
    assert.deepEqual([a.stdout.trim().split(" ")[3], b.stdout], [String(sshd.port), "in\n"]);
    assert.equal(connections.stats.connections, 3, "one bastion, two hosts");
    bastion.cutConnections();
    await sleep(300);
    assert.equal((await host.run("echo back", quick)).stdout, "back\n");
    const error = await failure(
      connect({ bastion: place, knownHosts: sshd.knownHosts(inner) }).host.run("true", quick),
    );
    assert.match(error.message, /bastion: no SSH connection .* has no key for 127\.0\.0\.1/);
    const wrong = sshd.knownHosts(
      entry(sshd.port, bastion.hostKey("ed25519")),
      entry(bastion.port, bastion.hostKey("ed25519")),
    );
    assert.match(
      (await failure(connect({ bastion: place, knownHosts: wrong }).host.run("true", quick))).message,
      /host key is not the one/,
    );
    const closed = { ...sshd.settings({ bastion: place, knownHosts: both }), port: 1 };
    assert.match(
      (await failure(new Connections(closed).host({ name: "x", address: "127.0.0.1" }).run("true", quick))).message,
      /bastion could not reach/,
    );
  } finally {
    await Promise.all(opened.map((c) => c.close()));
    await bastion.stop();
  }
});
