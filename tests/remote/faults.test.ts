/** Every kind of fault over a real sshd: what the host did, and what is said here. Those that kill do so in a process of their own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it, mock } from "node:test";
import { etcdConfigContent } from "../../providers/plan/backup-script.ts";
import { takeArchive } from "../../providers/remote/backup.ts";
import { RemoteError } from "../../providers/remote/errors.ts";
import { armFaults, atPoint } from "../../providers/remote/fault.ts";
import { Connections, type RemoteHost } from "../../providers/remote/ssh.ts";
import { thisMachine } from "../../providers/remote/this-machine.ts";
import { type Sshd, startSshd } from "./sshd.ts";

const point = { resource: "MasterConfig", number: 1, does: "edit", host: "master-0.example.com" };
const here = { ...point, host: "this machine" };
let sshd: Sshd;
let connections: Connections;
let host: RemoteHost;
let folder: string;
const printed: string[] = [];
before(async () => (sshd = await startSshd()));
after(() => sshd.stop());
beforeEach(() => {
  connections = new Connections(sshd.settings());
  host = connections.host({ name: "master-0.example.com", address: "127.0.0.1" });
  folder = mkdtempSync(join(tmpdir(), "faults-"));
  printed.length = 0;
  mock.method(console, "log", (line: string) => printed.push(line));
});
afterEach(async () => {
  armed("", false);
  mock.restoreAll();
  await connections.close();
  rmSync(folder, { recursive: true });
});

function armed(faults: string, isLab = true): void {
  process.env["OPENSHIFT_MASTERS_FAULT"] = faults;
  armFaults(isLab);
  delete process.env["OPENSHIFT_MASTERS_FAULT"];
}
const file = (name: string): string => join(folder, name);
/** A step of two commands, the first of which only looks. */
const step = () =>
  atPoint(
    point,
    async () => {
      await host.run("true", { what: "looking at the file", deadline: 20 });
      await host.run(`sleep 0.5; echo x >${file("written")}`, { what: "writing the file", deadline: 20 });
    },
    () => connections.cut(host.name),
  );
const failureOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => assert.fail("it did not fail"),
    (error: unknown) => (error instanceof Error ? error : assert.fail(String(error))),
  );
const outcome = async (): Promise<string> => {
  const error = await failureOf(step());
  return error instanceof RemoteError ? error.outcome : "no RemoteError";
};
const written = (): string | undefined =>
  existsSync(file("written")) ? readFileSync(file("written"), "utf8") : undefined;
/** What bash says, and dash. */
const full = /File too large|I\/O error/;
async function eventually(so: () => boolean): Promise<void> {
  for (let tries = 0; !so(); tries++) {
    assert.ok(tries < 400, "it did not come to that");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("in a step", () => {
  it("fail: the host says no, and nothing was done", async () => {
    armed("MasterConfig:edit:in:fail");
    assert.equal(await outcome(), "failed");
    assert.equal(written(), undefined);
    assert.deepEqual(printed, ["fault: fail in MasterConfig 1 (edit)"]);
    await step();
    assert.equal(written(), "x\n", "a fault is met once");
  });
  it("hang: the deadline ends it here and there, in a sentence with host and elapsed time", async () => {
    armed("MasterConfig:edit:in:hang");
    const error = await failureOf(step());
    assert.match(
      error.message,
      /^writing the file on master-0\.example\.com failed: not finished within 3 s, so it was ended after \d[.\d]* s; how much of it was done is unknown/,
    );
    assert.equal(written(), undefined);
  });
  it("disk-full: not one byte of the whole step gets into a file", async () => {
    armed("MasterConfig:edit:in:disk-full");
    const error = await failureOf(
      atPoint(
        point,
        async () => {
          await host.run("true", { what: "writing nothing", deadline: 20 });
          await host.run(`echo x >${file("written")}`, { what: "writing the file", deadline: 20 });
        },
        () => Promise.resolve(),
      ),
    );
    assert.match(error.message, full);
    assert.equal(written(), "");
    await step();
    assert.equal(written(), "x\n", "the next step has room again");
  });
  it("lose-answer: it was done, and nobody here knows", async () => {
    armed("MasterConfig:edit:in:lose-answer");
    assert.equal(await outcome(), "unknown");
    assert.equal(written(), "x\n");
    assert.equal(connections.stats.connections, 1, "the link itself stays");
  });
  it("drop-link: the connection is gone; what was begun goes on over there; the next command has a new one", async () => {
    armed("MasterConfig:edit:in:drop-link");
    assert.equal(await outcome(), "unknown");
    assert.equal(written(), undefined, "cut off before it ended");
    await eventually(() => written() === "x\n");
    await host.run("true", { what: "going on", deadline: 20 });
    assert.equal(connections.stats.connections, 2);
  });
  it("on this machine, the command is spoilt as on a host; no link is there to be dropped", async () => {
    const step = () =>
      atPoint(
        here,
        () => thisMachine.run(`echo x >${file("written")}`, { what: "writing the file", deadline: 20 }),
        () => Promise.resolve(),
      );
    armed("MasterConfig:edit:in:drop-link,MasterConfig:edit:in:lose-answer");
    await step();
    assert.deepEqual(printed, []);
    for (const [kind, message] of [
      ["fail", /exit 1/],
      ["disk-full", full],
    ] as const) {
      armed(`MasterConfig:edit:in:${kind}`);
      const error = await failureOf(step());
      assert.ok(error instanceof RemoteError);
      assert.match(error.message, message);
    }
  });
});

it("what another host is told for the step is not struck", async () => {
  armed("MasterConfig:edit:in:fail");
  const balancer = connections.host({ name: "127.0.0.1", address: "127.0.0.1" });
  await atPoint(
    point,
    () => balancer.run("true", { what: "taking it out", deadline: 20 }),
    () => Promise.resolve(),
  );
  assert.deepEqual(printed, []);
});

describe("before and after a step", () => {
  it("fail: nothing done; all done", async () => {
    armed("MasterConfig:1:before:fail");
    assert.match((await failureOf(step())).message, /fault: the step failed on purpose, before it was done/);
    assert.equal(written(), undefined);
    armed("MasterConfig:1:after:fail");
    assert.match((await failureOf(step())).message, /after it was done/);
    assert.equal(written(), "x\n");
  });
  it("drop-link: whoever holds something on the host hears of it; the step itself has a new connection", async () => {
    const held = await host.hold("echo locked; cat", { what: "taking the lock", deadline: 10 });
    armed("MasterConfig:1:before:drop-link");
    await step();
    assert.equal(written(), "x\n");
    assert.equal((await held.lost).outcome, "unknown");
    assert.equal(connections.stats.connections, 2);
  });
});

it("where it is no lab, nothing is listened to, not even to nonsense", async () => {
  armed("MasterConfig:edit:in:fail,nonsense", false);
  await step();
  assert.deepEqual([printed, written()], [[], "x\n"]);
});

it("a backup that is struck by every kind leaves no set under a final name; the next one is whole, and clears up", async () => {
  mkdirSync(file("src"));
  writeFileSync(file("src/a"), "x".repeat(100_000));
  const content = { ...etcdConfigContent, paths: [file("src")] };
  const run = (name: string) =>
    atPoint(
      { ...point, resource: "MasterBackup", does: "backup" },
      () =>
        takeArchive(host, {
          directory: file("backup"),
          archive: file("archive"),
          run: name,
          date: "20261130",
          keep: 7,
          say: () => undefined,
          kind: "etcd-config",
          content,
        }),
      () => connections.cut(host.name),
    );
  const sets = () =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".tar.gz"));
  for (const [kind, seen] of [
    ["disk-full", /(?:packing|preparing) .* failed: exit 1.*(?:is its disk full\?|cannot be written)/s],
    ["fail", /preparing .* failed: exit 1/],
    ["hang", /not finished within 3 s/],
    ["lose-answer", /the connection was lost/],
    ["drop-link", /the connection was lost/],
  ] as const) {
    armed(`MasterBackup:1:in:${kind}`);
    assert.match((await failureOf(run(kind.replace("-", "")))).message, seen);
    assert.deepEqual(sets(), [], kind);
  }
  await run("whole");
  assert.equal(sets().length, 2, "there, and here");
  const left = readdirSync(folder, { recursive: true, encoding: "utf8" });
  assert.deepEqual(
    left.filter((name) => /\.(part|work)/.test(name)),
    [],
  );
});

describe("what kills, in a process of its own below one of the name `pulumi`", () => {
  /** Runs a step that writes on this machine below a process called pulumi; gives what both said of their end. */
  function below(fault: string): { engine: string; said: string } {
    const engine = file("pulumi");
    symlinkSync(process.execPath, engine);
    const provider = `
      const { armFaults, atPoint } = await import(${JSON.stringify(new URL("../../providers/remote/fault.ts", import.meta.url).href)});
      const { thisMachine } = await import(${JSON.stringify(new URL("../../providers/remote/this-machine.ts", import.meta.url).href)});
      armFaults(true);
      await atPoint(${JSON.stringify(here)}, () => thisMachine.run("echo x >${file("written")}", { what: "writing", deadline: 20 }), async () => {});
      require("node:fs").writeFileSync(${JSON.stringify(file("outlived"))}, "");`;
    const parent = `
      const child = require("node:child_process").spawn(${JSON.stringify(process.execPath)}, ["--input-type=module", "-e", ${JSON.stringify(
        provider.replace('require("node:fs")', '(await import("node:fs"))'),
      )}], { stdio: "inherit" });
      child.on("exit", (code, signal) => console.log("provider: " + (signal ?? code)));`;
    const { signal, status, stdout } = spawnSync(engine, ["-e", parent], {
      encoding: "utf8",
      env: { ...process.env, OPENSHIFT_MASTERS_FAULT: fault, NODE_OPTIONS: "" },
      timeout: 20_000,
    });
    return { engine: signal ?? String(status), said: stdout };
  }
  it("kill-engine: pulumi is gone, the provider ends its step", async () => {
    const { engine, said } = below("MasterConfig:1:in:kill-engine");
    assert.equal(engine, "SIGKILL");
    assert.match(said, /^fault: kill-engine in MasterConfig 1 \(edit\)$/m);
    await eventually(() => existsSync(file("outlived")));
    assert.equal(written(), "x\n");
  });
  it("kill-provider: the provider is gone at once, pulumi hears of it", () => {
    const { engine, said } = below("MasterConfig:1:before:kill-provider");
    assert.equal(engine, "0");
    assert.equal(said, "fault: kill-provider before MasterConfig 1 (edit)\nprovider: SIGKILL\n");
    assert.deepEqual([existsSync(file("outlived")), written()], [false, undefined]);
  });
});
