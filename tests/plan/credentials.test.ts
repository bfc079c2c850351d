/** Which credentials are on a host, by the real sh and openssl over a tree of keys that were made for it; the reader on hostile answers; the table and the administrator's page. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { credentials, rotations } from "../../providers/plan/credentials.ts";
import { credentialFacts, credentialsScript } from "../../providers/plan/credentials-script.ts";
import { PlayedHost, shells, syntaxOf } from "./played-host.ts";
import { printed, probed } from "./world.ts";

const name = "master-3.example.com";
const table = credentials(name, "/backup");
const host = new PlayedHost(["wc", "find", "dirname", "openssl"]);
const tree = (path: string): string => host.at("root", path);

/** A certificate with its key; gives both texts. */
function certificate(path: string, subject: string): { key: string; crt: string } {
  mkdirSync(join(tree(path), ".."), { recursive: true });
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "400"],
      ...["-subj", subject, "-keyout", tree(`${path}.key`), "-out", tree(`${path}.crt`)],
    ],
    { stdio: "ignore" },
  );
  return { key: readFileSync(tree(`${path}.key`), "utf8"), crt: readFileSync(tree(`${path}.crt`), "utf8") };
}
const b64 = (text: string): string => Buffer.from(text).toString("base64");

before(() => {
  const admin = certificate("etc/origin/master/admin", "/O=system:masters/CN=system:admin");
  const block = `apiVersion: v1\nusers:\n- name: u\n  user:\n    client-certificate-data: ${b64(admin.crt)}\n    client-key-data: ${b64(admin.key)}\n`;
  const flow = `users: [{name: u, user: {client-certificate-data: "${b64(admin.crt)}", client-key-data: ${b64(admin.key)}}}]\n`;
  host.file("root/etc/origin/master/admin.kubeconfig", block);
  host.file("root/root/.kube/config", flow);
  certificate("etc/origin/master/ca", "/CN=openshift-signer@1");
  certificate("etc/etcd/peer", `/CN=${name}`);
  host.file("root/etc/origin/master/serviceaccounts.private.key", admin.key);
  host.file("root/etc/origin/master/named_certificates/shop.key", admin.key);
  host.file("root/etc/origin/master/master-config.yaml", "bindPassword: LABCANARYbind\n");
  host.file("root/etc/origin/master/htpasswd", "developer:LABCANARYhash\n");
  host.file("root/etc/origin/node/bootstrap.kubeconfig", "users:\n- user:\n    token: LABCANARYtoken\n");
  const node = certificate("etc/origin/node/made", `/O=system:nodes/CN=system:node:${name}`);
  host.file("root/etc/origin/node/certificates/kubelet-client-1.pem", node.crt + node.key);
  symlinkSync("kubelet-client-1.pem", tree("etc/origin/node/certificates/kubelet-client-current.pem"));
  host.file(
    "root/etc/origin/node/node.kubeconfig",
    "user:\n  client-certificate: certificates/kubelet-client-current.pem\n",
  );
  host.file("root/etc/etcd/generated_certs/etcd-a/server.key", admin.key);
  host.file("root/var/lib/etcd/member/snap/db", "LABCANARYdb");
  host.file(`root/backup/${name}/x.tar.gz`, "x");
  host.file("root/backup/other.example.com/x.tar.gz", "x");
});
after(() => host.remove());

describe("a host with keys", () => {
  for (const shell of shells) {
    it(`by ${shell}: what is there, whose it is and until when; no key`, async () => {
      const { code, stdout, stderr } = await host.run(credentialsScript(table, host.at("root")), shell);
      assert.deepEqual([code, stderr], [0, ""]);
      const { found, openssl, whole } = credentialFacts(stdout, table);
      assert.deepEqual([openssl, whole], [true, true]);
      assert.deepEqual(
        found.map(({ path, subject, files, token }) => [path, subject ?? (token === true ? "a token" : (files ?? ""))]),
        [
          ["/etc/origin/master/admin.kubeconfig", "CN=system:admin,O=system:masters"],
          ["/etc/origin/master/admin.key", "CN=system:admin,O=system:masters"],
          ["/root/.kube/config", "CN=system:admin,O=system:masters"],
          ["/etc/origin/master/ca.key", "CN=openshift-signer@1"],
          ["/etc/origin/master/serviceaccounts.private.key", ""],
          ["/etc/etcd/peer.key", `CN=${name}`],
          ["/etc/etcd/generated_certs", 1],
          ["/etc/origin/node/bootstrap.kubeconfig", "a token"],
          ["/etc/origin/node/node.kubeconfig", `CN=system:node:${name},O=system:nodes`],
          ["/etc/origin/node/made.key", `CN=system:node:${name},O=system:nodes`],
          ["/etc/origin/node/certificates/kubelet-client-1.pem", `CN=system:node:${name},O=system:nodes`],
          ["/etc/origin/node/certificates/kubelet-client-current.pem", `CN=system:node:${name},O=system:nodes`],
          ["/etc/origin/master/named_certificates/shop.key", ""],
          ["/etc/origin/master/master-config.yaml", ""],
          ["/etc/origin/master/htpasswd", ""],
          [`/backup/${name}`, 1],
          ["/var/lib/etcd", 1],
        ],
      );
      const days = (Date.parse(found[0]?.notAfter ?? "") - Date.now()) / 86_400_000;
      assert.ok(days > 398 && days < 401, `${days} days`);
      const all = printed(stdout);
      assert.doesNotMatch(all, /LABCANARY|PRIVATE|BEGIN/);
      assert.doesNotMatch(all, /[A-Za-z0-9+/]{60}/, "nothing that looks like a key in base64");
    });
    it(`${shell} takes it`, () => assert.equal(syntaxOf(credentialsScript(table), shell), ""));
  }
  it("without openssl: what is there, and that nobody could look into it", async () => {
    const bare = new PlayedHost(["wc", "find", "dirname"]);
    try {
      const { stdout } = await bare.run(credentialsScript(table, host.at("root")));
      const { found, openssl } = credentialFacts(stdout, table);
      assert.deepEqual([openssl, found.length, found[0]?.subject], [false, 17, undefined]);
    } finally {
      bare.remove();
    }
  });
  it("a host without any", async () => {
    const { stdout } = await host.run(credentialsScript(table, host.at("nothing")));
    assert.deepEqual(credentialFacts(stdout, table), { found: [], openssl: true, whole: true });
  });
});

describe("an answer that is not to be trusted", () => {
  const read = (...lines: string[]) => credentialFacts(probed({ credentials: lines.join("\n") }), table).found;
  it("what is not of the form is left out", () =>
    assert.deepEqual(
      read("file 99 /x", "file 0 relative", "subject=CN=nobody", "folder 0 many /x", "file 0", "folder 0 0 /etc/empty"),
      [],
    ));
  it("subjects are escaped and cut, dates are dates", () => {
    const [one] = read("file 0 /etc/a", `subject=CN=\x1b[2J${"x".repeat(290)}`, "notAfter=yesterday");
    assert.equal(one?.subject?.slice(0, 12), "CN=\\x1b[2Jxx");
    assert.equal(one.subject.length, 200);
    assert.equal(one.notAfter, undefined);
    assert.equal(read("file 0 /etc/a", "notAfter=Nov  3 10:00:00 2028 GMT")[0]?.notAfter, "2028-11-03T10:00:00.000Z");
    assert.equal(read("file 0 /etc/a", "subject= CN=of openssl 1.0")[0]?.subject, "CN=of openssl 1.0");
  });
  it("a certificate counts for the file before it only, and a file counts once", () => {
    const found = read("file 0 /a", "subject=CN=a", "file 1 /b", "file 2 /a", "subject=CN=forged");
    assert.deepEqual(
      found.map(({ path, subject }) => [path, subject]),
      [
        ["/a", "CN=a"],
        ["/b", undefined],
      ],
    );
  });
  it("no more than the answer's first lines are read; one that ended early is no whole one", () => {
    const long = Array.from({ length: 9000 }, (_, n) => `file 0 /${n}`);
    assert.equal(read(...long).length, 3000);
    assert.equal(credentialFacts("", table).whole, false);
  });
});

describe("docs/retired-host.md", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/retired-host.md"), "utf8");
  const named = credentials("<host>", "<backup.directory>").flatMap(({ files = [], folders = [] }) => [
    ...files,
    ...folders,
  ]);
  it("names every path of the table", () => {
    for (const path of named) assert.ok(page.includes(`\`${path}\``), path);
  });
  it("and no other path as a credential", () => {
    const section = /^## What is on it$(.*?)^## /ms.exec(page)?.[1] ?? assert.fail("no section");
    const told = [...section.matchAll(/`(\/[^`]+|<backup\.directory>[^`]*)`/g)].map((match) => match[1]);
    assert.deepEqual(
      told.filter((path) => !named.includes(path ?? "")),
      [],
    );
  });
  it("has a section for every rotation, with its playbooks", () => {
    for (const [title, how] of Object.entries(rotations)) {
      const section = new RegExp(`^### ${title}$(.*?)(?=^##)`, "ms").exec(page)?.[1];
      assert.ok(section !== undefined, `no section "${title}"`);
      for (const [playbook] of how.matchAll(/playbooks\/[\w/-]+\.yml/g))
        assert.ok(section.includes(playbook), `${title}: ${playbook}`);
    }
  });
});
