/** When etcd's certificates end: the question by the real sh and openssl, the reader, and what Preflight makes of it is in `etcd-health.test.ts`. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { after, describe, it } from "node:test";
import { certificateFacts, endOf, ends } from "../../providers/plan/certificates.ts";
import { PlayedHost, shells } from "./played-host.ts";

const host = new PlayedHost(["openssl"]);
const bare = new PlayedHost();
after(() => [host, bare].forEach(({ folder }) => rmSync(folder, { recursive: true })));

/** PEM of a certificate that is good for so many days. */
function certificate(days: number): string {
  const key = host.at("key");
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key];
  return execFileSync("openssl", [...args, "-days", String(days), "-subj", "/CN=m"], { stdio: "pipe" }).toString();
}
const [short, long] = [certificate(5), certificate(700)];
const dates = [short, long].map((pem) => {
  const said = execFileSync("openssl", ["x509", "-noout", "-enddate"], { input: pem }).toString();
  return Date.parse(said.slice("notAfter=".length)) / 1000;
});
const [soon, late] = [dates[0] ?? 0, dates[1] ?? 0];

describe("asked on a host", () => {
  const asked = async (shell: string, at = host) => {
    const { stdout } = await at.run(`${ends.replaceAll("/etc/etcd", at.at("etc"))}\nends`, shell);
    return certificateFacts(stdout.replaceAll(at.at("etc"), "/etc/etcd").split("\n"));
  };
  for (const shell of shells) {
    it(`${shell}: a member's own file by its first certificate, authorities by the last to end`, async () => {
      host.file("etc/peer.crt", `Certificate:\n    Data:\n${short}${long}`);
      host.file("etc/server.crt", long.replaceAll("\n", "\r\n"));
      host.file("etc/ca.crt", `# old\n${short}# new\n${long}${short}`);
      assert.deepEqual(await asked(shell), [
        { path: "/etc/etcd/peer.crt", ends: soon },
        { path: "/etc/etcd/server.crt", ends: late },
        { path: "/etc/etcd/ca.crt", ends: late },
      ]);
    });
    it(`${shell}: what is no certificate, and what is not there`, async () => {
      rmSync(host.at("etc"), { recursive: true });
      host.file("etc/peer.crt", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
      host.file("etc/ca.crt", "");
      assert.deepEqual(await asked(shell), [
        { path: "/etc/etcd/peer.crt", ends: undefined },
        { path: "/etc/etcd/ca.crt", ends: undefined },
      ]);
    });
    it(`${shell}: without openssl nothing is told`, async () => {
      bare.file("etc/peer.crt", long);
      assert.deepEqual(await asked(shell, bare), []);
    });
  }
});

describe("the reader", () => {
  const cases: [line: string, end: number | undefined][] = [
    ["notAfter=Nov 14 22:13:20 2025 GMT", 1_763_158_400],
    ["notAfter=Nov  4 22:13:20 2025 GMT", 1_762_294_400],
    ["notAfter=Dec 31 23:59:59 9999 GMT", 253_402_300_799],
    ["notAfter=Nov 44 22:13:20 2025 GMT", undefined],
    ["notAfter=Nov 14 22:13:20 2025", undefined],
    ["notAfter=", undefined],
    ["", undefined],
  ];
  for (const [line, end] of cases) it(line || "nothing", () => assert.equal(endOf(line), end));
  it("other paths and lines are left out", () =>
    assert.deepEqual(
      certificateFacts([
        "/etc/shadow notAfter=Nov 14 22:13:20 2025 GMT",
        "/etc/etcd/peer.crtnotAfter=Nov 14 22:13:20 2025 GMT",
        "sh: 1: Syntax error",
        "/etc/etcd/server.crt \x1b[2J",
      ]),
      [{ path: "/etc/etcd/server.crt", ends: undefined }],
    ));
});
