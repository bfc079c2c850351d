/** The record of a run against a real sshd: `logger` is a shim first on its PATH that writes into a file; the lab has a journald. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { endOf, readRecord } from "../../providers/plan/record-read.ts";
import { thisMachine } from "../../providers/remote/this-machine.ts";
import { Recorded, type Recorder, entriesOf, inWords, startRecorder } from "./recorder.ts";

let recorder: Recorder;
let folder: string;
let one: Recorded;
const opened: Recorded[] = [];
const newRun = (archive: string, run?: string) => {
  const made = new Recorded(archive, recorder.sshd.settings(), run);
  opened.push(made);
  return made;
};
before(async () => {
  recorder = await startRecorder();
});
after(() => recorder.stop());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "record-"));
  recorder.journal();
  one = newRun(join(folder, "archive"));
});
afterEach(async () => {
  for (const each of opened.splice(0)) {
    each.record.end();
    await each.connections.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

const quick = { deadline: 60 };
const told = () => entriesOf(recorder.journal()).map(inWords);

describe("the transcript", () => {
  it("has every step and command that changes something, before and after; questions are not in it; 0600 in 0700", async () => {
    await one.begin();
    await one.step("node-1", "edit", async () => {
      await one.host("node-1").run("echo seen", { what: "asking for x", ...quick });
      await one.host("node-1").run("echo seen", { what: "replacing x", ...quick, looks: true });
      await one.host("lb-0").run("exit 1", { what: "draining y", ...quick, ok: "any" });
      await thisMachine.run("true", { what: "committing", ...quick });
    });
    one.record.ended("FlannelNetwork");
    one.record.end();
    assert.deepEqual(one.lines(), [
      "run begin",
      "step begin edit",
      "command begin lb-0 draining y",
      "command end lb-0 draining y done 1",
      "command begin this machine committing",
      "command end this machine committing done 0",
      "step end edit done",
      "resource end done",
      "run end done",
    ]);
    assert.deepEqual([statSync(one.path).mode & 0o777, statSync(one.archive).mode & 0o777], [0o600, 0o700]);
    const [first] = one.entries();
    assert.ok(first?.kind === "run" && first.state === "begin" && first.pid === process.pid);
    assert.match(first.program, /^[0-9a-f]{40}(\+changes)?$|^version /);
    assert.deepEqual([first.leaves, first.stays], [["master-3"], ["master-0", "master-1"]]);
  });

  it("a line is there before its command is sent", async () => {
    await one.begin();
    const seen = await one.step("node-1", "edit", () =>
      one.host("node-1").run(`cat ${one.path}`, { what: "draining y", ...quick }),
    );
    assert.deepEqual(entriesOf(seen.stdout.trimEnd().split("\n")).map(inWords), [
      "run begin",
      "step begin edit",
      "command begin node-1 draining y",
    ]);
  });

  it("says how a command came out", async () => {
    await one.begin();
    const host = one.host("node-1");
    const silent = new Recorded(one.archive, { ...recorder.sshd.settings(), port: 1 });
    await one.step("node-1", "edit", async () => {
      await host.run("exit 3", { what: "a", ...quick, ok: [3] });
      await assert.rejects(host.run("exit 4", { what: "b", ...quick }));
      await assert.rejects(host.run("sleep 9", { what: "c", deadline: 0.5 }));
      await assert.rejects(silent.host("node-2").run("true", { what: "d", ...quick }));
      const { stdout, done } = await host.stream("exit 5", { what: "e", deadline: 20, idle: 5 });
      stdout.resume();
      await done;
    });
    await silent.connections.close();
    assert.deepEqual(
      one.lines().filter((line) => line.startsWith("command end")),
      [
        "command end node-1 a done 3",
        "command end node-1 b failed 4",
        "command end node-1 c unknown -",
        "command end node-2 d not-done -",
        "command end node-1 e done 5",
      ],
    );
  });

  it("a step that fails says so in one line; one whose host goes apart is left behind; the run has failed", async () => {
    await one.begin();
    const failing = () =>
      one.host("node-1").run("printf 'LAB%s\\n' CANARY >&2; exit 1", { what: "restarting x", ...quick });
    await assert.rejects(one.step("node-1", "first", failing));
    await assert.rejects(one.step("node-1", "second", failing, true));
    one.record.leftBehind("FlannelNetwork", "node-1", "first\nsecond");
    one.record.readBack("FlannelNetwork", { host: "node-2", title: "restart it" });
    one.record.ended("FlannelNetwork", new Error("no\nmore"));
    one.record.end();
    const ends = one.entries().filter((entry) => "reason" in entry || entry.kind === "run");
    assert.deepEqual(
      ends.slice(1).map((entry) => ("result" in entry ? entry.result : entry.state)),
      ["failed", "left behind", "left behind", "read back", "failed", "failed"],
    );
    assert.match(one.text(), /"reason":"restarting x on node-1 failed: exit 1 after [\d.]+ s"/);
    assert.match(one.text(), /"reason":"no"/);
    assert.doesNotMatch(one.text(), /LABCANARY/);
  });

  it("keeps no secret: not those that are named, not keys, not what looks like one, not what is sent to a command's input", async () => {
    await one.begin();
    const script = `: LABCANARY1
: password=LABCANARY2
: '-----BEGIN RSA PRIVATE KEY-----
LABCANARY3
-----END RSA PRIVATE KEY-----'
cat >/dev/null`;
    const o = { what: "writing", ...quick, stdin: "LABCANARY4", secrets: ["LABCANARY1"] };
    await one.step("node-1", "edit", () => one.host("node-1").run(script, o));
    await one.connections.tellJournals();
    for (const text of [one.text(), recorder.journal().join("\n")]) {
      assert.match(text, /cat >\/dev\/null/);
      assert.doesNotMatch(text, /LABCANARY/);
    }
  });

  it("steps beside each other each have their own commands", async () => {
    await one.begin();
    await Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        one.step(`node-${n}`, `step ${n}`, async () => {
          for (const what of [`first ${n}`, `second ${n}`]) await one.host(`node-${n}`).run("true", { what, ...quick });
        }),
      ),
    );
    const run = readRecord(one.text().split("\n")).runs[0] ?? assert.fail();
    for (const [number, { begin }] of run.steps) {
      const n = begin.title.replace("step ", "");
      const commands = [...run.commands.values()].filter((command) => command.begin.step === number);
      assert.deepEqual(
        commands.map(({ begin: { what, host } }) => [what, host]),
        [
          [`first ${n}`, `node-${n}`],
          [`second ${n}`, `node-${n}`],
        ],
      );
    }
    assert.equal(run.steps.size, 5);
  });

  it("is appended to, run after run, after half a line too; what was open to others is closed to them", async () => {
    await one.begin();
    one.record.end();
    writeFileSync(one.path, '{"at":', { flag: "a" });
    chmodSync(one.path, 0o644);
    const two = newRun(one.archive, "two");
    await two.begin();
    two.record.end();
    const { runs, unread } = readRecord(two.text().split("\n"));
    assert.deepEqual([runs.map((run) => run.run), unread], [["095129-a1b2c3", "two"], 1]);
    assert.equal(statSync(one.path).mode & 0o777, 0o600);
  });
});

describe("a transcript that cannot be written", () => {
  it("refuses the run before anything is touched", () => {
    mkdirSync(one.path, { recursive: true });
    assert.throws(() => one.record.prepare(), { name: "Refusal", message: /EISDIR.*nothing was touched/ });
    rmSync(one.path, { recursive: true });
    symlinkSync("/dev/null", one.path);
    assert.throws(() => one.record.prepare(), { name: "Refusal", message: /ELOOP/ });
  });
  it("at the run's first line: refused too, and tried again by the next", async () => {
    one.record.prepare();
    rmSync(one.path);
    mkdirSync(one.path);
    const subject = { leaves: [], stays: [] };
    await assert.rejects(one.record.begin(subject), { name: "Refusal", message: /nothing was touched/ });
    rmSync(one.path, { recursive: true });
    await one.record.begin(subject);
    assert.deepEqual(one.lines(), ["run begin"]);
  });
  it("in the middle: the step in hand is done, it is told once and loudly, and no other is begun until it can be written", async () => {
    await one.begin();
    const before = one.text();
    const did = await one.step("node-1", "first", async () => {
      rmSync(one.path);
      mkdirSync(one.path);
      await one.host("node-1").run("true", { what: "changing", ...quick });
      return (await one.host("node-1").run("echo done", { what: "changing again", ...quick })).stdout;
    });
    assert.equal(did, "done\n");
    assert.equal(one.told.length, 1);
    assert.match(one.told[0] ?? "", /^\[record\] THE RECORD OF THIS RUN HAS A GAP: .*EISDIR/);
    assert.throws(() => one.record.require(), /no further step is begun/);
    const never = () => assert.fail("it was begun");
    await assert.rejects(one.step("node-1", "second", never), /no further step is begun.*pulumi up/);
    rmSync(one.path, { recursive: true });
    writeFileSync(one.path, before);
    await one.step("node-1", "third", () => Promise.resolve());
    const [run] = readRecord(one.text().split("\n")).runs;
    assert.equal(run?.missed, 6);
    assert.match(one.text(), /"third"/);
  });
});

describe("a host's journal", () => {
  it("hears whose run it is, of the step before its first change there, and of what came of it; costs no command of its own", async () => {
    await one.begin();
    const { stdout } = await one.step("master-0", "restart", async () => {
      await one.host("lb-0").run("true", { what: "draining y", ...quick });
      await one.host("lb-0").run("exit 2", { what: "asking", ...quick, ok: "any" });
      return one.host("master-0").run(`cat ${recorder.told}`, { what: "restarting", ...quick });
    });
    assert.deepEqual(entriesOf(stdout.trimEnd().split("\n")).map(inWords), [
      ...["run begin", "step begin restart", "command end lb-0 draining y done 0"],
      ...["run begin", "step begin restart"],
    ]);
    const commands = one.connections.stats.commands;
    await one.host("lb-0").run("true", { what: "asking", ...quick });
    await one.connections.tellJournals();
    // lb-0 had a question to carry it, master-0 had not
    assert.equal(one.connections.stats.commands, commands + 2);
    assert.deepEqual(told().slice(5), [
      "step end restart done",
      "command end master-0 restarting done 0",
      "step end restart done",
    ]);
    await one.connections.tellJournals();
    assert.equal(one.connections.stats.commands, commands + 2);
  });

  it("a host that only answers questions hears nothing", async () => {
    await one.begin();
    await one.step("node-1", "edit", () => one.host("node-1").run("true", { what: "asking", ...quick }));
    await one.connections.tellJournals();
    assert.deepEqual(told(), []);
  });

  it("does not touch the command: its input, output, exit code, variables and shell options", async () => {
    await one.begin();
    const script = 'cat; echo "${j-unset} ${t-unset} $-"; echo said >&2; exit 3';
    const o = { what: "changing", ...quick, ok: [3], stdin: "input\n" };
    const plain = await one.host("node-1").run(script, o);
    const carrying = await one.step("node-1", "edit", () => one.host("node-1").run(script, o));
    assert.equal(told().length, 2);
    assert.deepEqual([carrying.code, carrying.stdout, carrying.stderr], [plain.code, plain.stdout, plain.stderr]);
    const streamed = await one.step("node-1", "edit", async () => {
      const { stdout, done } = await one
        .host("node-1")
        .stream("echo out; echo err >&2", { what: "x", deadline: 9, idle: 9 });
      const parts: unknown[] = [];
      for await (const part of stdout) parts.push(part);
      return [parts.join(""), (await done).stderr];
    });
    assert.deepEqual(streamed, ["out\n", "err\n"]);
  });

  const flaws: [what: string, logger: string, seen: RegExp][] = [
    ["that cannot be written", "echo 'socket /dev/log: no such file' >&2; exit 1", /socket \/dev\/log: no such file/],
    ["that takes no end", "exec sleep 60", /logger did not end in time/],
  ];
  for (const [what, logger, seen] of flaws)
    it(`${what} fails nothing, is told once, and is left alone then`, async (context) => {
      const printed: string[] = [];
      context.mock.method(console, "log", (line: string) => printed.push(line));
      recorder.logger(logger);
      try {
        await one.begin();
        const result = await one.step("node-1", "edit", async () => {
          await one.host("node-1").run("true", { what: "first", ...quick });
          return one.host("node-1").run("echo out; echo err >&2", { what: "second", ...quick });
        });
        await one.connections.tellJournals();
        assert.deepEqual([result.stdout, result.stderr], ["out\n", "err\n"]);
        assert.equal(printed.length, 1, printed.join("\n"));
        assert.match(printed[0] ?? "", /^\[record\] the journal of node-1 cannot be written \(/);
        assert.match(printed[0] ?? "", seen);
        assert.equal(one.lines().at(-1), "step end edit done");
      } finally {
        recorder.logger();
      }
    });
});

describe("a run that is killed", () => {
  const begun = async () => {
    const child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        join(import.meta.dirname, "recorded-run.ts"),
        one.archive,
        JSON.stringify(recorder.sshd.settings()),
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const ended = new Promise<NodeJS.Signals | number | null>((resolve) =>
      child.once("exit", (code, signal) => resolve(signal ?? code)),
    );
    await Promise.race([
      new Promise((resolve) => child.stdout.once("data", resolve)),
      ended.then(() => assert.fail("it ended")),
    ]);
    return { child, ended };
  };
  it("is in the record here and on the host, up to what it had begun", async () => {
    const { child, ended } = await begun();
    const during = readRecord(one.text().split("\n")).runs[0] ?? assert.fail();
    child.kill("SIGKILL");
    assert.equal(await ended, "SIGKILL");
    assert.deepEqual(one.lines(), [
      ...["run begin", "step begin first", "command begin node-1 changing", "command end node-1 changing done 0"],
      ...["step end first done", "step begin second", "command begin node-1 restarting"],
    ]);
    assert.deepEqual(
      [endOf(during, true), endOf(during, false)],
      ["under way in FlannelNetwork 1/2 on node-1", "killed in FlannelNetwork 1/2 on node-1"],
    );
    assert.deepEqual(told(), [
      ...["run begin", "step begin first", "command end node-1 changing done 0", "step end first done"],
      "step begin second",
    ]);
  });
  it("by a signal that it can hear: its end is there, and it dies of that signal all the same", async () => {
    const { child, ended } = await begun();
    child.kill("SIGINT");
    assert.equal(await ended, "SIGINT");
    assert.equal(one.lines().at(-1), "run end interrupted");
    assert.ok(readFileSync(one.path, "utf8").endsWith("\n"));
  });
});
