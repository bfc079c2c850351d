/**
 * Every form of haproxy.cfg, asked of a real haproxy: it takes the file, and what the editors make of it. Nothing is started: `haproxy -c` reads and ends.
 * The binary is the PATH's, or the one that OPENSHIFT_MASTERS_TEST_HAPROXY names.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { dropHost, setDisabled } from "../../providers/plan/haproxy.ts";
import { type Form, forms } from "../plan/haproxy-forms.ts";

const haproxy =
  process.env["OPENSHIFT_MASTERS_TEST_HAPROXY"] ??
  ["haproxy", "/usr/sbin/haproxy"].find((name) => spawnSync(name, ["-v"]).status === 0);
const version = haproxy === undefined ? "" : spawnSync(haproxy, ["-v"], { encoding: "utf8" }).stdout;
const [, major = "0", minor = "0"] = /version (\d+)\.(\d+)/.exec(version) ?? [];
const skip =
  haproxy === undefined
    ? "there is no haproxy here (apt-get install haproxy)"
    : Number(major) * 100 + Number(minor) < 206
      ? `these forms need haproxy 2.6 or later, and this is ${version.split("\n")[0] ?? "none"}`
      : false;

const source = join(import.meta.dirname, "../fixtures/haproxy/forms");
const folder = mkdtempSync(join(tmpdir(), "haproxy-forms-"));
after(() => rmSync(folder, { recursive: true }));
before(() => {
  if (skip === false) throwAwayCertificate();
});

/** What /etc/haproxy holds on the balancers whose files these are; haproxy -c reads them. */
function throwAwayCertificate(): void {
  const [key, certificate] = [join(folder, "api.key"), join(folder, "ca.crt")];
  const subject = [
    "-subj",
    "/CN=api.example.com",
    "-days",
    "2",
    "-nodes",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
  ];
  execFileSync("openssl", ["req", "-x509", ...subject, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  writeFileSync(join(folder, "api.pem"), Buffer.concat([readFileSync(certificate), readFileSync(key)]));
}

/** The file's meaning is kept; what this machine lacks (certificates, the user haproxy) and 2.6 no longer reads (an address behind a section's name) is put another way. */
function forThisMachine(text: string): string {
  return text
    .replaceAll("/etc/haproxy/", `${folder}/`)
    .replace(/^(\s*(?:user|group)\s+)haproxy$/gm, "$1root")
    .replace(/^((?:listen|frontend)\s+\S+)\s+(\S*:\d+)$/gm, "$1\n    bind $2");
}

interface Answer {
  readonly status: number | null;
  readonly output: string;
}
const answers = new Map<string, Answer>();

/** What `haproxy -c` says with `text` in the form's place; several forms share a file, and each text is asked about once. */
function check(form: Form, text: string): Answer {
  const key = `${form.file}\n${text}`;
  const answer = answers.get(key) ?? ask(form, text);
  answers.set(key, answer);
  return answer;
}

function ask({ file, started = [file] }: Form, text: string): Answer {
  const copy = join(folder, `copy-${answers.size}`);
  mkdirSync(copy);
  for (const each of started) cpSync(join(source, each), join(copy, each), { recursive: true });
  for (const each of [...started, file])
    if (statSync(join(copy, each)).isFile())
      writeFileSync(join(copy, each), forThisMachine(each === file ? text : readFileSync(join(copy, each), "utf8")));
  const files = started.flatMap((each) => ["-f", join(copy, each)]);
  const { status, stdout, stderr } = spawnSync(haproxy ?? "", ["-c", ...files], { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

function assertTaken(form: Form, text: string): void {
  const { status, output } = check(form, text);
  assert.equal(status, 0, `${output}\n${text}`);
}

describe("real haproxy takes", { skip }, () => {
  for (const form of forms) {
    const { file, who, drop, disabling } = form;
    const text = skip === false ? readFileSync(join(source, file), "utf8") : "";
    test(`${file} as it is, and out of service ${who.name}`, () => {
      if (form.only15) assert.match(check(form, text).output, /Missing LF on last line/);
      else assertTaken(form, text);
      if (!disabling && !form.only15) assertTaken(form, setDisabled(text, who, true).text);
    });
    if ("words" in drop) continue;
    test(`${file} without ${who.name}`, () => {
      const dropped = dropHost(text, who).text;
      // the line that goes may be the one without its end: then the file is whole again
      if (form.only15 && !dropped.endsWith("\n")) assert.notEqual(check(form, dropped).status, 0);
      else assertTaken(form, dropped);
    });
  }

  for (const form of forms.filter(({ without }) => without)) {
    test(`${form.file} no more, had the refused line been taken out`, () => {
      const lines = readFileSync(join(source, form.file), "utf8").split(/(?<=\n)/);
      const left = lines.filter((_, at) => !form.without?.includes(at + 1)).join("");
      const { status, output } = check(form, left);
      assert.equal(status, 1, left);
      assert.match(output, /unable to find|master-3/);
    });
  }
});
