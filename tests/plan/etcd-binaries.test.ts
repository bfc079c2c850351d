import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseEtcd, foundBinaries, type Binary } from "../../providers/plan/etcd-binaries.ts";

const found = (...lines: string[]): Binary[] => foundBinaries(lines.join("\n"));
const both = (version: string, folder = "/usr/bin"): string[] => [
  `etcd ${version} ${folder}/etcd`,
  `etcdctl ${version} ${folder}/etcdctl`,
];
const all = (version: string, folder: string): string[] => [
  ...both(version, folder),
  `etcdutl ${version} ${folder}/etcdutl`,
];
const choose = (cluster: string, ...lines: string[]) => chooseEtcd(found(...lines), cluster, "this machine");

describe("what was found", () => {
  test("is read by its form only", () => {
    const [etcd, ...more] = found(
      "etcd 3.4.23 /opt/a b/etcd",
      "vim 1.0.0 /usr/bin/vim",
      "etcd 3.4.1 etcd",
      "etcdctl",
      "",
    );
    assert.deepEqual(etcd, { program: "etcd", version: "3.4.23", path: "/opt/a b/etcd" });
    assert.deepEqual(more, []);
  });
  test("what says no version has none", () => {
    for (const version of ["-", "3.4", "3.x.1", "3.4.1.2", "99999.1.1"])
      assert.equal(found(`etcd ${version} /e`)[0]?.version, "", version);
    assert.equal(found("etcd 3.6.0-rc.1+x /e")[0]?.version, "3.6.0-rc.1+x");
  });
  test("a path with control characters is left out", () => assert.deepEqual(found("etcd 3.4.1 /a\u001b[31m/etcd"), []));
});

describe("the version rule", () => {
  const used: [string, string, string[], { version: string; etcd: string; restorer: string }][] = [
    [
      "the same release",
      "3.4.23",
      both("3.4.23"),
      { version: "3.4.23", etcd: "/usr/bin/etcd", restorer: "/usr/bin/etcdctl" },
    ],
    [
      "an older patch",
      "3.4.23",
      both("3.4.1"),
      { version: "3.4.1", etcd: "/usr/bin/etcd", restorer: "/usr/bin/etcdctl" },
    ],
    [
      "a later minor",
      "3.2.32",
      both("3.4.23"),
      { version: "3.4.23", etcd: "/usr/bin/etcd", restorer: "/usr/bin/etcdctl" },
    ],
    [
      "the nearest of several, wherever",
      "3.4.0",
      [...both("3.3.9", "/a"), ...all("3.10.0", "/b"), ...all("3.5.2", "/c")],
      { version: "3.5.2", etcd: "/c/etcd", restorer: "/c/etcdutl" },
    ],
    ["etcdutl from 3.6 on", "3.4.0", all("3.6.5", "/b"), { version: "3.6.5", etcd: "/b/etcd", restorer: "/b/etcdutl" }],
    [
      "the tool beside it first",
      "3.4.0",
      ["etcdctl 3.4.9 /usr/bin/etcdctl", ...both("3.4.23", "/opt/etcd")],
      { version: "3.4.23", etcd: "/opt/etcd/etcd", restorer: "/opt/etcd/etcdctl" },
    ],
    [
      "a later one whose tools are there, when the nearer has none",
      "3.4.0",
      ["etcd 3.4.23 /a/etcd", ...all("3.5.0", "/b")],
      { version: "3.5.0", etcd: "/b/etcd", restorer: "/b/etcdutl" },
    ],
  ];
  for (const [what, cluster, lines, wanted] of used)
    test(what, () => {
      const { etcdctl, ...rest } = choose(cluster, ...lines) as { etcdctl: string };
      assert.deepEqual(rest, wanted);
      assert.equal(etcdctl, wanted.etcd.replace(/etcd$/, "etcdctl"));
    });

  const not: [string, string, string[], string][] = [
    ["none", "3.4.23", [], "no etcd on this machine: install etcd 3.4 or later"],
    ["one that says nothing", "3.4.23", ["etcd - /e"], "no etcd on this machine: install etcd 3.4 or later"],
    [
      "an older one",
      "3.4.23",
      both("3.3.1"),
      "etcd 3.3.1 on this machine is older than the cluster's 3.4.23: install etcd 3.4 or later on this machine",
    ],
    [
      "3.10 is later than 3.9, and 3.9 older than 3.10",
      "3.10.0",
      both("3.9.9"),
      "etcd 3.9.9 on this machine is older than the cluster's 3.10.0: install etcd 3.10 or later on this machine",
    ],
    [
      "another major release",
      "3.4.23",
      both("4.4.0"),
      "etcd 4.4.0 on this machine is of another major release than the cluster's 3.4.23: install etcd 3.4 or later on this machine",
    ],
    [
      "no etcdctl",
      "3.4.23",
      ["etcd 3.4.23 /e", "etcdctl 3.5.0 /c"],
      "etcd 3.4.23 on this machine has no etcdctl of its own release: install etcdctl there",
    ],
    [
      "3.6 without etcdutl",
      "3.4.23",
      both("3.6.0"),
      "etcd 3.6.0 on this machine has no etcdctl and etcdutl of its own release: install etcdctl and etcdutl there",
    ],
  ];
  for (const [what, cluster, lines, why] of not) test(what, () => assert.deepEqual(choose(cluster, ...lines), { why }));

  test("a cluster's version that is none is refused", () =>
    assert.throws(() => choose("3", ...both("3.4.23")), { name: "Refusal", message: /"3" is not like 3\.4\.23/ }));
});
