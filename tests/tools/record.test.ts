/** `npm run record` as a command: what it finds, and what it says when there is nothing. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Entry, lineOf } from "../../providers/plan/record.ts";
import { orderOf } from "../../tools/record.ts";

const folder = mkdtempSync(join(tmpdir(), "record-tool-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const archive = join(folder, "backups");
const tool = join(import.meta.dirname, "../../tools/record.ts");
const asked = (...words: string[]) => {
  const args = ["--disable-warning=ExperimentalWarning", tool, ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { status, stdout, stderr };
};
const begin = (run: string, pid: number, machine: string): Entry => ({
  ...{ at: new Date().toISOString(), run, kind: "run", state: "begin", user: "root", machine, pid },
  ...{ program: "version 0", leaves: [], stays: [] },
});
const write = (...entries: Entry[]) => {
  mkdirSync(archive, { recursive: true });
  appendFileSync(join(archive, "transcript.jsonl"), entries.map((entry) => `${lineOf(entry)}\n`).join(""));
};

test("nothing was changed yet; a wrong word", () => {
  const { status, stdout } = asked("--archive", archive);
  assert.deepEqual([status, stdout.startsWith("there is no record yet")], [0, true]);
  assert.throws(() => orderOf(["--what"]), { name: "Refusal", message: /usage: npm run record/ });
  assert.throws(() => orderOf(["a", "b"]), { name: "Refusal", message: /one run at a time/ });
});

test("a run whose process is there is under way; one of a process that came later, or of another machine, was killed", () => {
  write(
    begin("alive", process.pid, hostname()),
    begin("killed", 2 ** 22 + 1, hostname()),
    begin("away", process.pid, "other"),
  );
  write({ ...begin("reused", process.pid, hostname()), at: "2001-01-01T00:00:00.000Z" });
  const { stdout } = asked("--archive", archive);
  assert.match(stdout, /^alive .* under way$/m);
  for (const run of ["killed", "away", "reused"])
    assert.match(stdout, new RegExp(`^${run} .* killed between two steps$`, "m"));
});

test("the archive is that of the stack; its passphrase is not asked for", () => {
  const config = join(folder, "Pulumi.some.yaml");
  writeFileSync(
    config,
    `config:
  openshift-masters:ssh: { sshPassphrase: { secure: x }, privateKeyPath: /k }
  openshift-masters:masters: { m: { address: 10.0.0.1 } }
  openshift-masters:inventory: { path: ./hosts }
  openshift-masters:backup: { archive: ${archive} }
`,
  );
  const { status, stdout, stderr } = asked("--config-file", config, "aliv");
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^run +alive$/m);
  const unknown = asked("--config-file", config, "nobody");
  assert.deepEqual(
    [unknown.status, unknown.stderr.trim()],
    [1, "there is no run nobody in the record; `npm run record` lists them"],
  );
});

test("what is long is cut: fifty runs, and the rest with --all; half a line is counted", () => {
  write(...Array.from({ length: 60 }, (_, n) => begin(`many-${n}`, 2 ** 22 + 1, hostname())));
  appendFileSync(join(archive, "transcript.jsonl"), '{"at"');
  const { stdout } = asked("--archive", archive);
  assert.deepEqual([stdout.match(/^many-/gm)?.length, /^14 earlier runs/m.test(stdout)], [50, true]);
  assert.match(stdout, /^1 lines are cut short, or not ours$/m);
  assert.equal(asked("--archive", archive, "--all").stdout.match(/^many-/gm)?.length, 60);
});
