/** Where `etcdShell` finds etcdctl: run for real, in a world of three programs that tell how they were called. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { etcdShell } from "../../providers/plan/probe.ts";

const folder = mkdtempSync(join(tmpdir(), "etcd-shell-"));
after(() => rmSync(folder, { recursive: true }));

/** Runs `e3 member list` where only these programs are. */
function shown(...programs: string[]): string {
  const bin = mkdtempSync(join(folder, "bin-"));
  mkdirSync(join(bin, "local"));
  for (const name of ["sh", "timeout", "env", "tr"]) symlinkSync(`/usr/bin/${name}`, join(bin, name));
  const fake = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  fake("hostname", "echo Master-1.Example.com");
  for (const name of programs) fake(name, `echo "${name} $KUBECONFIG $HOME $*"`);
  const script = etcdShell("192.168.55.12").replaceAll("/usr/local/bin/master-exec", join(bin, "local/master-exec"));
  return execFileSync("/bin/sh", ["-c", `${script}\necho "$via"; [ $via = none ] || e3 member list`], {
    env: { PATH: bin, HOME: "/root" },
    encoding: "utf8",
  });
}

const asked =
  "--cert /etc/etcd/peer.crt --key /etc/etcd/peer.key --cacert /etc/etcd/ca.crt --endpoints https://192.168.55.12:2379 --command-timeout 6s member list\n";

test("on the host first", () =>
  assert.equal(shown("etcdctl", "local/master-exec", "oc"), `host\netcdctl  /root ${asked}`));
test("then by master-exec", () =>
  assert.equal(
    shown("local/master-exec", "oc"),
    `master-exec\nlocal/master-exec  /root etcd etcd env ETCDCTL_API=3 etcdctl ${asked}`,
  ));
test("then by oc, as system:admin, in the pod of this host, writing nothing", () =>
  assert.equal(
    shown("oc"),
    `oc-exec\noc /etc/origin/master/admin.kubeconfig /proc/self exec master-etcd-master-1.example.com -n kube-system -c etcd -- env ETCDCTL_API=3 etcdctl ${asked}`,
  ));
test("or not at all", () => assert.equal(shown(), "none\n"));
