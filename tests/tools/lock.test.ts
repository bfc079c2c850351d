/** `npm run lock` as a command, against a throw-away master; its owners are runs in processes of their own. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { shownOwner } from "../../providers/plan/lock-owner.ts";
import { clearLock, lockPath } from "../../providers/plan/lock-script.ts";
import { sh } from "../../providers/plan/quote.ts";
import { lookAt } from "../../providers/remote/lock-look.ts";
import { Connections, type RemoteHost } from "../../providers/remote/ssh.ts";
import { orderOf } from "../../tools/lock.ts";
import { Link, LockRun } from "../remote/lock-run.ts";
import { type Sshd, startMaster, user } from "../remote/sshd.ts";

const name = "master-1.example.com";
let sshd: Sshd;
let host: RemoteHost;
let connections: Connections;
const links: Link[] = [];
const runs: LockRun[] = [];
before(async () => {
  sshd = await startMaster();
  connections = new Connections(sshd.settings({ knownHosts: sshd.knownHosts(`* ${sshd.hostKey("ed25519")}`) }));
  host = connections.host({ name, address: "127.0.0.1" });
});
afterEach(async () => {
  await Promise.all(runs.splice(0).map((run) => run.end("SIGKILL")));
  for (const link of links.splice(0)) link.close();
  await free();
});
after(async () => {
  await connections.close();
  await sshd.stop();
});

const ask = async (script: string) => (await host.run(script, { what: "looking", deadline: 30 })).stdout.trim();
const free = () => ask(sh`touch ${lockPath}; flock -w 20 ${lockPath} true`);
const inode = () => ask(sh`stat -c %i ${lockPath}`);

function tool(...words: string[]): Promise<{ code: number | null; output: string }> {
  const config = join(sshd.folder, "Pulumi.test.yaml");
  const { clientKey: key } = sshd;
  const known = sshd.knownHosts(`* ${sshd.hostKey("ed25519")}`);
  writeFileSync(
    config,
    `config:
  openshift-masters:ssh: { user: ${user}, privateKeyPath: ${key}, knownHosts: ${known}, port: ${sshd.port} }
  openshift-masters:masters: { ${name}: { address: 127.0.0.1 } }
  openshift-masters:inventory: { path: ./hosts }
`,
  );
  const script = join(import.meta.dirname, "../../tools/lock.ts");
  const child = spawn(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    script,
    ...words,
    "--config-file",
    config,
  ]);
  return outputOf(child);
}
function outputOf(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, output })));
}

/** A run that has the lock, through a link that can become half-open. */
async function owner(): Promise<{ run: LockRun; link: Link }> {
  const link = await new Link(sshd.port).listen();
  const settings = sshd.settings({ port: link.port, knownHosts: sshd.knownHosts(`* ${sshd.hostKey("ed25519")}`) });
  const run = new LockRun({ run: "a", masters: [{ name, address: "127.0.0.1", settings }] });
  links.push(link);
  runs.push(run);
  const answer = await run.answer();
  assert.equal(answer.did, "locked", answer.why);
  return { run, link };
}

it("wants to know what to do", () => {
  assert.deepEqual(orderOf(["show"]), { verb: "show", stack: undefined, configFile: undefined });
  for (const words of [[], ["free"], ["show", "clear"], ["--force", "clear"]])
    assert.throws(() => orderOf(words), { name: "Refusal", message: /usage: npm run lock -- show \| clear/ });
});

it("free: both say so", async () => {
  assert.deepEqual(await tool("show"), { code: 0, output: `${name}: free\n` });
  assert.deepEqual(await tool("clear"), { code: 0, output: `${name}: free\n` });
});

describe("a lock that is held", () => {
  it("of a run that lives: shown, not cleared, and the run goes on", async () => {
    const { run } = await owner();
    const pid = run.child.pid ?? 0;
    const shown = await tool("show");
    assert.equal(shown.code, 0);
    const [who, there, why] = shown.output.split("\n");
    assert.match(who ?? "", new RegExp(`^${name}: held by run a of \\S+@\\S+, process ${pid}, since 20\\S+Z$`));
    assert.match(
      there ?? "",
      /^ {2}on the master by process \d+ \(sh\), through SSH from 127\.0\.0\.1:\d+ \(established\)$/,
    );
    assert.equal(
      why,
      `  not to be cleared: its process ${pid} is on this machine and runs: wait until it has ended, or end it`,
    );
    const cleared = await tool("clear");
    assert.deepEqual(
      [cleared.code, cleared.output.includes(`not cleared: its process ${pid}`)],
      [1, true],
      cleared.output,
    );
    assert.equal((await run.told("prove")).did, "prove");
  });

  it("of a killed run, behind a half-open link: cleared, by the end of its holder, never of the file", async () => {
    const { run, link } = await owner();
    const before = await inode();
    link.freeze();
    await run.end("SIGKILL");
    const look = await lookAt(host);
    const holder = look.state === "held" ? look.holders : [];
    assert.equal(holder.length, 1, JSON.stringify(look));
    const { code, output } = await tool("clear");
    assert.match(
      output,
      new RegExp(`cleared: process ${run.child.pid ?? 0} is no longer on this machine; its holder was ended`),
    );
    assert.equal(code, 0);
    assert.equal(
      await ask(sh`[ -e ${`/proc/${holder[0]?.pid ?? 0}`} ] && echo there; flock -n ${lockPath} echo free`),
      "free",
    );
    assert.equal(await inode(), before);
  });

  it("of an earlier version: told, and cleared only when the other end has closed the connection", async () => {
    const line = shownOwner({ run: "old", user: "ops", host: "desk", pid: 1, since: "2026-11-30T00:00:00.000Z" });
    // as it was written before: `cat` keeps the lock too
    const script = sh`exec 9>>${lockPath} || exit 1
if flock -n 9; then printf '%s\n' ${line} >${lockPath}; echo locked; cat >/dev/null; : >${lockPath}; fi`;
    const theirs = new Connections(sshd.settings({ knownHosts: sshd.knownHosts(`* ${sshd.hostKey("ed25519")}`) }));
    const held = await theirs.host({ name, address: "127.0.0.1" }).hold(script, { what: "locking", deadline: 10 });
    assert.equal(held.line, "locked");
    const refused = await tool("clear");
    assert.match(
      refused.output,
      /held by run old of ops@desk, process 1.*\n.*process \d+ \(sh\), \d+ \(cat\).*\n {2}not cleared: an earlier version/,
    );
    const look = await lookAt(host);
    assert.ok(look.state === "held" && look.link !== undefined);
    const stopped = await stopSshd(look.link.peer);
    try {
      await theirs.close();
      const { code, output } = await tool("clear");
      assert.match(output, /\(CLOSE-WAIT\)\n {2}cleared: 127\.0\.0\.1:\d+ has closed the connection it came by/);
      assert.equal(code, 0);
      assert.equal(await ask(sh`flock -n ${lockPath} echo free`), "free");
    } finally {
      for (const pid of stopped) process.kill(pid, "SIGCONT");
    }
  });
});

/** The sshd of a connection hangs. */
async function stopSshd(peer: string): Promise<number[]> {
  const sockets = await ask(sh`ss -tnp | grep -F ${` ${peer} `} | grep sshd`);
  const pids = [...sockets.matchAll(/"sshd[^"]*",pid=(\d+)/g)].map(([, pid]) => Number(pid));
  assert.ok(pids.length > 0, sockets);
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  return pids;
}

it("what is no longer as it was judged is left alone: another line, another process of that number, one that has not the file open", async () => {
  const { run } = await owner();
  const look = await lookAt(host);
  assert.ok(look.state === "held");
  const [holder] = look.holders;
  assert.ok(holder !== undefined);
  const cases: [line: string, pid: number, start: string][] = [
    [`${look.line}x`, holder.pid, holder.start],
    [look.line, holder.pid, `${holder.start}0`],
    [
      look.line,
      process.pid,
      readFileSync(`/proc/${process.pid}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ")[19] ?? "",
    ],
  ];
  for (const [line, pid, start] of cases) assert.equal(await ask(clearLock(line, [{ pid, start }])), "changed");
  assert.equal((await run.told("prove")).did, "prove");
});

it("a master that cannot be asked is told, and the exit code says so", async () => {
  const port = sshd.port;
  const closed = Object.create(sshd, { port: { value: 1 } }) as Sshd;
  sshd = closed;
  try {
    const { code, output } = await tool("show");
    assert.match(
      output,
      /^master-1\.example\.com: cannot be told: looking at the lock on master-1\S* failed: no SSH connection/,
    );
    assert.equal(code, 1);
  } finally {
    sshd = Object.getPrototypeOf(closed) as Sshd;
    assert.equal(sshd.port, port);
  }
});
