import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { locked } from "../../tools/lock.mjs";
import { isAtLeast, type Machine, type Needs, needs, run } from "../../tools/needs.ts";

const right: Machine = { platform: "linux", uid: 0, goVersion: () => "1.26.8", freeGiB: () => 100 };

suite("needs", () => {
  const everything: Needs = { root: true, linux: true, go: "1.26", diskGiB: 20, path: "/data" };
  test("is silent when all is there", () => assert.doesNotThrow(() => needs(everything, right)));
  test("asks only for what was named", () =>
    assert.doesNotThrow(() => needs({ linux: true }, { ...right, uid: 1000, goVersion: () => undefined })));

  const sentences: [string, Partial<Machine>, RegExp][] = [
    ["not Linux", { platform: "darwin" }, /^This needs Linux and this is darwin: run it on a Linux machine/],
    ["not root", { uid: 1000 }, /^This must run as root and runs as user id 1000: run it again from a root shell/],
    ["no Go", { goVersion: () => undefined }, /^Go is not installed: install Go 1\.26 or newer/],
    ["an old Go", { goVersion: () => "1.9.7" }, /^Go 1\.9\.7 is too old: install Go 1\.26 or newer/],
    ["a full disk", { freeGiB: () => 3.21 }, /^The disk of \/data has 3\.2 GiB free and 20 GiB are needed: free some/],
  ];
  for (const [what, fact, message] of sentences)
    test(`${what}: one sentence`, () =>
      assert.throws(() => needs(everything, { ...right, ...fact }), { name: "Missing", message }));

  test("the free space of a folder that does not exist yet is that of its disk", () =>
    assert.throws(
      () => needs({ diskGiB: 1e9, path: "/tmp/not/yet/there" }),
      /^Missing: The disk of \/tmp\/not\/yet\/there/,
    ));
});

test("versions are compared number by number", () => {
  for (const [version, wanted, answer] of [
    ["1.26.8", "1.26", true],
    ["1.26", "1.26", true],
    ["1.26rc1", "1.26", true],
    ["1.9", "1.26", false],
    ["2.0", "1.26", true],
    ["3.199.9", "3.200.0", false],
  ] as const)
    assert.equal(isAtLeast(version, wanted), answer, `${version} at least ${wanted}`);
});

suite("run", () => {
  test("returns stdout and logs all of the output", async () => {
    const folder = mkdtempSync(join(tmpdir(), "run-test-"));
    const log = join(folder, "deep", "run.log");
    assert.equal(await run("sh", ["-c", "echo out; echo err >&2"], { log }), "out\n");
    assert.deepEqual(readFileSync(log, "utf8").split("\n").sort(), ["", "err", "out"]);
    rmSync(folder, { recursive: true });
  });
  test("tells the exit and the last lines", () =>
    assert.rejects(run("sh", ["-c", "seq 100; exit 3"]), (error: Error) => {
      assert.match(error.message, /^sh -c seq 100; exit 3 failed with exit 3 \(after 0\.\d s\)\n86\n/);
      return error.message.endsWith("\n100");
    }));
  test("tells that a command is not there", () =>
    assert.rejects(run("not-a-command", []), {
      name: "Failed",
      message: /^not-a-command cannot be started: .*ENOENT/,
    }));
  test("kills the grandchildren too when the time is up", async () => {
    const folder = mkdtempSync(join(tmpdir(), "run-test-"));
    const grandchild = `(sleep 2; touch ${folder}/alive) & wait`;
    await assert.rejects(run("sh", ["-c", grandchild], { timeoutSeconds: 0.3 }), /took too long and was stopped/);
    await pause(2200);
    assert.equal(existsSync(join(folder, "alive")), false);
    rmSync(folder, { recursive: true });
  });
});

suite("locked", () => {
  const inLock = async (body: (lock: string) => Promise<void>) => {
    const folder = mkdtempSync(join(tmpdir(), "lock-test-"));
    await body(join(folder, "lock"));
    rmSync(folder, { recursive: true });
  };
  test("processes take turns", () =>
    inLock(async (lock) => {
      const module = new URL("../../tools/lock.mjs", import.meta.url).href;
      const counter = `${lock}.counter`;
      writeFileSync(counter, "0");
      const program = `
        import { locked } from ${JSON.stringify(module)}; import { readFileSync, writeFileSync } from "node:fs";
        for (let i = 0; i < 3; i++) await locked(process.argv[1], async () => {
          const before = Number(readFileSync(process.argv[2]));
          await new Promise((done) => setTimeout(done, 30));
          writeFileSync(process.argv[2], String(before + 1));
        });`;
      const one = () => run(process.execPath, ["--input-type=module", "-e", program, lock, counter]);
      await Promise.all([one(), one(), one(), one()]);
      assert.equal(readFileSync(counter, "utf8"), "12");
      assert.equal(existsSync(lock), false);
    }));
  test("what a killed process held is taken over", () =>
    inLock(async (lock) => {
      const module = new URL("../../tools/lock.mjs", import.meta.url).href;
      const program = `import { locked } from ${JSON.stringify(module)};
        await locked(process.argv[1], () => process.kill(process.pid, "SIGKILL"));`;
      await assert.rejects(
        run(process.execPath, ["--input-type=module", "-e", program, lock]),
        /was killed by SIGKILL/,
      );
      assert.equal(existsSync(lock), true);
      assert.equal(await locked(lock, () => "mine"), "mine");
    }));
  test("is released when the work throws", () =>
    inLock(async (lock) => {
      await assert.rejects(
        locked(lock, () => Promise.reject(new Error("work"))),
        /work/,
      );
      assert.equal(existsSync(lock), false);
    }));
});
