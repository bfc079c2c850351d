import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { beyond, mountsOf } from "../../providers/plan/pod-mounts.ts";

const pod = (...paths: readonly unknown[]): string =>
  `apiVersion: v1\nkind: Pod\nspec:\n  volumes:\n${paths.map((path) => `  - name: v\n    hostPath:\n      path: ${String(path)}\n`).join("")}`;

describe("what static pods mount", () => {
  it("is saved where it is configuration, and named with its reason where it is not", () => {
    const { saved, leftOut } = mountsOf([
      pod("/etc/origin/master/", "/etc/origin/cloudprovider", "/etc/pki"),
      pod("/etc/etcd/", "/var/lib/etcd/", "/usr/libexec/kubernetes/kubelet-plugins", "/etc/pki"),
      pod("/opt/lab/bin", "/var/lib/origin", "/var/run/docker.sock", "/", "/srv/keys"),
    ]);
    assert.deepEqual(saved, [
      "/etc/etcd",
      "/etc/origin/cloudprovider",
      "/etc/origin/master",
      "/etc/pki",
      "/srv/keys",
      "/usr/libexec/kubernetes/kubelet-plugins",
      "/var/lib/origin",
    ]);
    assert.deepEqual(leftOut, [
      "/ (the whole file system)",
      "/opt/lab/bin (programs: packages bring them)",
      "/var/lib/etcd (etcd's data: the snapshot holds it)",
      "/var/run/docker.sock (of the running system)",
    ]);
  });

  it("takes no word of a host for a path that could mean something else", () => {
    const hostile = [
      '"/etc/../root"',
      '"etc/relative"',
      '"/etc/a b"',
      '"/etc/$(id)"',
      '"/etc/x\\ny"',
      '"-rf"',
      "[1]",
      "null",
    ];
    const { saved, leftOut } = mountsOf([pod(...hostile)]);
    assert.deepEqual(saved, []);
    assert.equal(leftOut.length, 6);
    assert.ok(leftOut.every((line) => line.endsWith("(no plain absolute path)")));
    assert.ok(leftOut.every((line) => !line.includes("\n")));
  });

  it("finds nothing in what is no manifest", () => {
    const bomb = `a: &a [x, x]\n${"bcdefgh"
      .split("")
      .map((c, n) => `${c}: &${c} [*${"abcdefg"[n] ?? "a"}, *${"abcdefg"[n] ?? "a"}]\n`)
      .join("")}`;
    for (const text of ["", "{", "just text", "- 1", "spec: { volumes: 7 }", "spec: { volumes: [null, 3] }", bomb])
      assert.deepEqual(mountsOf([text]), { saved: [], leftOut: [] });
  });

  it("is not saved twice where the vendor's list has it", () => {
    const list = ["/etc/origin", "/etc/dnsmasq.d"];
    assert.deepEqual(beyond(list, ["/etc/origin/master", "/etc/origin", "/etc/originals", "/etc/hosts"]), [
      "/etc/originals",
      "/etc/hosts",
    ]);
  });
});
