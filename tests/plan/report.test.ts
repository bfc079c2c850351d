/** The final report: what is kept of it and how it is told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { credentials } from "../../providers/plan/credentials.ts";
import type { CredentialFacts, FoundCredential } from "../../providers/plan/credentials-script.ts";
import { renderReport } from "../../providers/plan/report-told.ts";
import { type Retired, recordOf } from "../../providers/plan/report.ts";
import type { Finding } from "../../providers/plan/sweep-findings.ts";

const name = "master-3.example.com";
const table = credentials(name, "/backup/");
const of = (path: string) =>
  table.find(({ files = [], folders = [] }) => files.includes(path) || folders.includes(path)) ?? assert.fail(path);
const found = (path: string, more: Partial<FoundCredential> = {}, entry = path): FoundCredential => ({
  path,
  of: of(entry),
  ...more,
});
const admin = { subject: "CN=system:admin,O=system:masters", notAfter: "2028-11-22T10:00:00.000Z" };
const seen: CredentialFacts = {
  found: [
    found("/etc/origin/master/admin.kubeconfig", admin),
    found("/root/.kube/config", { ...admin, notAfter: "2027-01-01T00:00:00.000Z" }),
    found("/etc/origin/node/certificates/it's.pem", {}, "/etc/origin/node/certificates/*.pem"),
    found("/etc/etcd/generated_certs", { files: 12 }),
    found(`/backup/${name}`, { files: 3 }),
    found("/var/lib/etcd", { files: 9 }),
  ],
  openssl: true,
  whole: true,
};
const finding = (what: string, outcome: Finding["outcome"]): Finding => ({
  leaving: name,
  on: "master-0",
  what,
  lines: [7],
  outcome,
});
const retired = (more: Partial<Retired> = {}): Retired => ({
  name,
  at: "2026-11-25T00:00:00.000Z",
  findings: [],
  notSwept: [],
  seen,
  backupDirectory: "/backup/",
  ...more,
});
const told = (more: Partial<Retired> = {}): string => renderReport(name, recordOf(retired(more))).join("\n");

describe("a host that was looked at", () => {
  it("is kept without anything but names", () =>
    assert.deepEqual(recordOf(retired()), {
      at: "2026-11-25T00:00:00.000Z",
      stillNamed: [],
      notMended: [],
      notSwept: [],
      reachable: true,
      credentials: [
        {
          path: "/etc/origin/master/admin.kubeconfig",
          what: "cluster administrator, may do everything",
          rotation: "OpenShift's CA",
          ...admin,
        },
        {
          path: "/root/.kube/config",
          what: "cluster administrator, may do everything",
          rotation: "OpenShift's CA",
          ...admin,
          notAfter: "2027-01-01T00:00:00.000Z",
        },
        {
          path: "/etc/origin/node/certificates/it's.pem",
          what: "the node itself, may register again and read what its pods may",
          rotation: "OpenShift's CA",
        },
        {
          path: "/etc/etcd/generated_certs",
          what: "etcd client or member, reads and writes every Secret",
          rotation: "etcd's CA",
          files: 12,
        },
        {
          path: `/backup/${name}`,
          what: "backups: all of the above, and all of etcd",
          rotation: "All of it",
          files: 3,
        },
        { path: "/var/lib/etcd", what: "etcd's data as it was, every Secret in it", rotation: "All of it", files: 9 },
      ],
      destroy: [
        String.raw`shred -u -- /etc/origin/master/admin.kubeconfig /root/.kube/config '/etc/origin/node/certificates/it'\''s.pem'`,
        "find /etc/etcd/generated_certs -xdev -type f -exec shred -u -- {} +",
        `find /backup/${name} -xdev -type f -exec shred -u -- {} +`,
        "find /var/lib/etcd -xdev -type f -exec shred -u -- {} +",
      ],
    }));
  it("is told by kind, with the latest end, the commands, and one line for each rotation", () =>
    assert.equal(
      told(),
      `${name} is retired. Nothing that was looked at names it any more.
Retiring ended none of the credentials on it; these are there now:
  cluster administrator, may do everything, valid until 2028-11-22 (CN=system:admin,O=system:masters): /etc/origin/master/admin.kubeconfig, /root/.kube/config
  the node itself, may register again and read what its pods may: /etc/origin/node/certificates/it's.pem
  etcd client or member, reads and writes every Secret: /etc/etcd/generated_certs (12 files)
  backups: all of the above, and all of etcd: /backup/${name} (3 files)
  etcd's data as it was, every Secret in it: /var/lib/etcd (9 files)
They cannot be revoked, only destroyed, on ${name} as root (backups and etcd's data last, and only when nobody needs the way back):
  $ shred -u -- /etc/origin/master/admin.kubeconfig /root/.kube/config '/etc/origin/node/certificates/it'\\''s.pem'
  $ find /etc/etcd/generated_certs -xdev -type f -exec shred -u -- {} +
  $ find /backup/${name} -xdev -type f -exec shred -u -- {} +
  $ find /var/lib/etcd -xdev -type f -exec shred -u -- {} +
If anybody may have copied them, or the disk leaves your hands unwiped (docs/retired-host.md):
  OpenShift's CA: ansible-playbook playbooks/openshift-master/redeploy-openshift-ca.yml, then ansible-playbook -e openshift_redeploy_openshift_ca=true playbooks/redeploy-certificates.yml: until the second has run, the old CA is still believed
  etcd's CA: ansible-playbook playbooks/openshift-etcd/redeploy-ca.yml, then ansible-playbook playbooks/openshift-etcd/redeploy-certificates.yml
  All of it: each of the others, and every Secret of the cluster's applications`,
    ));
  it("who still names it: what a resource had to mend loudly, the rest with what to do, and where nobody could look", () => {
    const findings = [
      finding("/etc/hosts", { left: "delete the line" }),
      finding("/etc/haproxy/haproxy.cfg", { fixedBy: "LoadBalancerPool" }),
    ];
    assert.match(
      told({ findings, notSwept: ["node-0 (no route)"] }),
      /^master-3\.example\.com is retired\. It is still named in:\n {2}STILL THERE: \/etc\/haproxy\/haproxy\.cfg:7 on master-0: LoadBalancerPool had to take it out\n {2}\/etc\/hosts:7 on master-0: delete the line\nNot looked at:\n {2}node-0 \(no route\)\n/,
    );
  });
  it("an answer that is not whole, or without openssl, is told as such", () =>
    assert.match(
      told({ seen: { ...seen, whole: false, openssl: false } }),
      /there now \(its answer ended early; it has no openssl: .*\):/,
    ));
  it("nothing is there: nothing to destroy and nothing to rotate", () =>
    assert.equal(
      told({ seen: { found: [], openssl: true, whole: true } }),
      `${name} is retired. Nothing that was looked at names it any more.\nRetiring ended none of the credentials on it; these are there now:\n  none of those that are known`,
    ));
  it("a command line names 40 files at most", () => {
    const many = Array.from({ length: 90 }, (_, n) =>
      found(`/etc/origin/master/${n}.key`, {}, "/etc/origin/master/*.key"),
    );
    const { destroy } = recordOf(retired({ seen: { ...seen, found: many } }));
    assert.deepEqual(
      destroy.map((one) => one.split(" ").length - 3),
      [40, 40, 10],
    );
  });
  it("every file of the table is destroyed once, and the last undo last", () => {
    const all = table.flatMap((entry) => [
      ...(entry.files ?? []).map((path) => ({ path: path.replaceAll("*", "x"), of: entry })),
      ...(entry.folders ?? []).map((path) => ({ path, of: entry, files: 1 })),
    ]);
    const { destroy } = recordOf(retired({ seen: { ...seen, found: all } }));
    for (const { path } of all) {
      const with1 = destroy.filter((command) => command.split(" ").includes(path));
      assert.equal(with1.length, 1, path);
    }
    const firstUndo = destroy.findIndex((command) => command.includes("-backup-") || command.includes("/backup/"));
    assert.ok(
      destroy.slice(firstUndo).every((command) => /backup|\/var\/lib\/etcd/.test(command)),
      destroy.join("\n"),
    );
  });
});

describe("a host that is gone", () => {
  const gone = recordOf(retired({ seen: { unreachable: "Timed out" } }));
  it("is taken for the owner of everything in the table", () => {
    assert.equal(gone.reachable, false);
    const all = table.flatMap(({ files = [], folders = [] }) => [...files, ...folders]);
    assert.deepEqual(
      gone.credentials.map(({ path }) => path),
      all,
    );
    assert.match(
      gone.destroy[0] ?? "",
      /^shred -u -- \/etc\/origin\/master\/admin\.kubeconfig .* \/etc\/origin\/node\/certificates\/\*\.pem/,
    );
    assert.equal(gone.destroy.at(-1), "find /var/lib/etcd -xdev -type f -exec shred -u -- {} +");
  });
  it("and told so, with every rotation", () => {
    const text = renderReport(name, gone).join("\n");
    assert.match(text, /^It could not be looked at \(Timed out\): whoever has its disks/m);
    assert.match(text, /only destroyed, once it is under your hands again, on master-3/);
    assert.equal(
      text.match(
        /^ {2}(OpenShift's CA|The masters' certificates|etcd's CA|The service accounts' key|The bootstrap token|Passwords and other logins|All of it): /gm,
      )?.length,
      7,
    );
  });
});
