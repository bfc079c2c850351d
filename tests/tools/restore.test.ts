/** `npm run restore` as a command, against a throw-away sshd: the archive's paths lie below a temporary folder, so that nothing else can be written. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ArchiveEntry } from "../../providers/plan/archive.ts";
import { readRecord } from "../../providers/plan/record-read.ts";
import { Refusal } from "../../providers/plan/refusal.ts";
import { hashFile, manifestOf } from "../../providers/remote/local-archive.ts";
import { plainTar } from "../../providers/remote/open-archive.ts";
import { readEntries } from "../../providers/remote/tar-entries.ts";
import { orderOf } from "../../tools/restore.ts";
import { passphraseVariable, settingsOf, stackFile } from "../../tools/stack-settings.ts";
import { type Sshd, startSshd, user } from "../remote/sshd.ts";

const top = realpathSync(mkdtempSync(join(tmpdir(), "restore-tool-")));
const at = (name: string) => join(top, name);
const [archive, config, kept] = [at("master.tar.gz"), at("Pulumi.test.yaml"), at("live/kept")];
let sshd: Sshd;
before(async () => {
  sshd = await startSshd();
  mkdirSync(at("live"));
  writeFileSync(kept, "right\n", { mode: 0o640 });
  writeFileSync(at("live/other"), "right\n");
  execFileSync("tar", ["-czf", archive, "-C", "/", at("live").slice(1)]);
  const entries: ArchiveEntry[] = [];
  await readEntries(await plainTar(archive), { each: (entry) => entries.push(entry) });
  const machineId = readFileSync("/etc/machine-id", "utf8").trim();
  const about = { host: "master-1.example.com", machineId, takenAt: "2026-11-24T00:00:00Z", paths: [at("live")] };
  writeFileSync(manifestOf(archive), JSON.stringify({ ...about, sha256: await hashFile(archive), entries }));
  const { clientKey, knownHosts, port } = sshd.settings() as { clientKey?: string; knownHosts: string; port: number };
  writeFileSync(
    config,
    `config:
  openshift-masters:ssh: { user: ${user}, privateKeyPath: ${clientKey ?? sshd.clientKey}, knownHosts: ${knownHosts}, port: ${port} }
  openshift-masters:masters: { master-1.example.com: { address: 127.0.0.1 } }
  openshift-masters:inventory: { path: ./hosts }
  openshift-masters:backup: { directory: ${at("backup")}, archive: ${at("archive")} }
`,
  );
});
after(async () => {
  await sshd.stop();
  rmSync(top, { recursive: true, force: true });
});

const tool = join(import.meta.dirname, "../../tools/restore.ts");
const words = (...more: string[]) => [
  ...["--disable-warning=ExperimentalWarning", tool, "--config-file", config, "--host", "master-1.example.com"],
  ...["--from", archive, ...more],
];
const run = (...more: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, words(...more), { encoding: "utf8" });
  return { status, output: stdout + stderr };
};

test("--list only lists", () => {
  writeFileSync(kept, "wrong\n");
  const { status, output } = run("--list");
  assert.equal(status, 0, output);
  assert.match(output, /^ {2}differs {2}0640 \d+:\d+ {2}\/.*\/live\/kept {2}\(there: content\)$/m);
  assert.match(output, /^ {2}2 are the same already$/m);
  assert.equal(readFileSync(kept, "utf8"), "wrong\n");
  assert.ok(!existsSync(at("backup")));
});

test("on a terminal it asks, and takes no for an answer", () => {
  const quoted = words()
    .map((word) => `'${word}'`)
    .join(" ");
  const ran = spawnSync("script", ["-qfec", `'${process.execPath}' ${quoted}`, "/dev/null"], {
    input: "no\n",
    encoding: "utf8",
  });
  assert.match(ran.stdout, /Put these 1 back on master-1\.example\.com\? \(yes\/no\)/);
  assert.equal(ran.status, 1, ran.stdout);
  assert.equal(readFileSync(kept, "utf8"), "wrong\n");
});

test("without one it goes ahead, keeps the old file and tells all; again there is nothing to do", () => {
  const { status, output } = run("--files", kept, at("live/other"));
  assert.equal(status, 0, output);
  assert.equal(readFileSync(kept, "utf8"), "right\n");
  const [old = ""] = readdirSync(at("live")).filter((name) => name.startsWith("kept.before-restore-"));
  assert.equal(readFileSync(at(`live/${old}`), "utf8"), "wrong\n");
  assert.match(
    output,
    new RegExp(`in place on[^]*/live/kept \\(the old one: .*/live/${old}\\)[^]*nothing was restarted`),
  );
  const transcript = readFileSync(at("archive/transcript.jsonl"), "utf8");
  const [recorded] = readRecord(transcript.split("\n")).runs;
  assert.deepEqual([recorded?.begin?.stays, recorded?.end?.result], [["master-1.example.com"], "done"]);
  const titles = [...(recorded?.steps.values() ?? [])].map(({ begin, end }) => [begin.host, begin.title, end?.result]);
  assert.deepEqual(titles, [["master-1.example.com", `put 1 files and folders back from ${archive}`, "done"]]);
  const again = run();
  assert.equal(again.status, 0);
  assert.match(again.output, /3 are the same already/);
  assert.doesNotMatch(again.output, /in place on/);
});

test("another machine is refused unless it is acknowledged", () => {
  const manifest = readFileSync(manifestOf(archive), "utf8");
  writeFileSync(manifestOf(archive), manifest.replace(/"machineId":"[0-9a-f]*"/, `"machineId":"${"0".repeat(32)}"`));
  const refused = run();
  assert.equal(refused.status, 1);
  assert.match(refused.output, /the backup is of master-1\.example\.com \(machine id 0+\).*--other-machine/);
  assert.doesNotMatch(refused.output, /at .*\.ts:\d+/);
  assert.equal(run("--other-machine").status, 0);
  writeFileSync(manifestOf(archive), manifest);
});

test("the words of the command", () => {
  const order = orderOf(["--host", "h", "--from", "a", "--files", "/x", "/y", "--yes"]);
  assert.deepEqual([order.files, order.yes, order.list], [["/x", "/y"], true, false]);
  for (const wrong of [
    [],
    ["--host", "h"],
    ["--host", "h", "--from", "a", "/x"],
    ["--host", "h", "--from", "a", "--sha256", "x"],
    ["--nonsense"],
  ])
    assert.throws(() => orderOf(wrong), Refusal, wrong.join(" "));
});

test("which stack: the only one besides the example, else by name", () => {
  const folder = at("stacks");
  mkdirSync(folder);
  const touch = (name: string) => writeFileSync(join(folder, name), "");
  assert.throws(() => stackFile(folder, {}), /there is no configuration/);
  touch("Pulumi.prod.yaml");
  touch("Pulumi.yaml");
  assert.equal(stackFile(folder, {}), join(folder, "Pulumi.prod.yaml"));
  touch("Pulumi.lab.yaml");
  assert.equal(stackFile(folder, {}), join(folder, "Pulumi.lab.yaml"));
  touch("Pulumi.test.yaml");
  assert.throws(() => stackFile(folder, {}), /several stacks \(lab, test\)/);
  assert.equal(stackFile(folder, { stack: "prod" }), join(folder, "Pulumi.prod.yaml"));
});

test("a scalar that pulumi has put in quotes is what it says", () => {
  const quoted = at("Pulumi.quoted.yaml");
  writeFileSync(quoted, readFileSync(config, "utf8").replace("config:", 'config:\n  openshift-masters:lab: "true"'));
  assert.equal(settingsOf(quoted, {}).lab, true);
});

test("a secret passphrase comes from the environment; a slip of the pen is refused", () => {
  const text = readFileSync(config, "utf8");
  const secret = at("Pulumi.secret.yaml");
  writeFileSync(secret, text.replace("port:", "sshPassphrase: { secure: v1:xyz }, port:"));
  assert.throws(() => settingsOf(secret, {}), new RegExp(passphraseVariable));
  assert.equal(settingsOf(secret, { [passphraseVariable]: "open" }).ssh.sshPassphrase, "open");
  const f5 = "{ kind: command, set: s, verify: v, environment: { F5_PASSWORD: { secure: v1:xyz } } }";
  writeFileSync(secret, text.replace("config:", `config:\n  openshift-masters:loadBalancers: { f5: ${f5} }`));
  assert.deepEqual(settingsOf(secret, {}).loadBalancers["f5"], {
    kind: "command",
    set: "s",
    verify: "v",
    environment: {},
  });
  writeFileSync(secret, text.replace("masters:backup", "masters:bakcup"));
  assert.throws(() => settingsOf(secret, {}), /there is no key openshift-masters:bakcup/);
});
