import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ownEndpoint, probeEndpoints } from "../../providers/plan/etcd-manifest.ts";
import { Refusal } from "../../providers/plan/refusal.ts";

const host = { name: "master-1.example.com", addresses: ["192.168.55.12"] };
const url = "https://192.168.55.12:2379";

/** As openshift-ansible lays it down. */
const manifest = (command: readonly string[]): string => `apiVersion: v1
kind: Pod
metadata: { name: master-etcd, namespace: kube-system }
spec:
  hostNetwork: true
  containers:
  - name: etcd
    command: ["/bin/sh", "-c"]
    args:
    - |
      set -o allexport
      source /etc/etcd/etcd.conf
      exec etcd --endpoints https://not.this:2379
    livenessProbe:
      exec:
        command:
${command.map((word) => `        - ${JSON.stringify(word)}\n`).join("")}
`;
/** Each line ten times the one before. */
const bomb = ["a: &a [x]", ..."b c d e f g h i".split(" ")].reduce((text, key, n, all) => {
  const before = (all[n - 1] ?? "a").slice(0, 1);
  return `${text}\n${key}: &${key} [${Array.from({ length: 10 }, () => `*${before}`).join(", ")}]`;
});
const stock = (endpoints: string) =>
  manifest(["etcdctl", "--cert-file", "/etc/etcd/peer.crt", "--endpoints", endpoints, "cluster-health"]);

describe("what the liveness probe asks", () => {
  const cases: [string, string, string[]][] = [
    ["two words", stock(url), [url]],
    ["one word", manifest(["etcdctl", `--endpoints=${url}`, "cluster-health"]), [url]],
    ["a shell's one word", manifest(["sh", "-c", `ETCDCTL_API=3 etcdctl --endpoints "${url}" endpoint health`]), [url]],
    ["several", stock(`${url},https://b:2379`), [url, "https://b:2379"]],
    ["none", manifest(["true"]), []],
    ["the option without its value", manifest(["etcdctl", "--endpoints"]), []],
    ["no probe", "spec: { containers: [{ name: etcd }] }", []],
    ["no containers", "kind: Pod\n", []],
    ["an empty file", "", []],
    ["a command that is no list", "spec: {containers: [{livenessProbe: {exec: {command: {a: --endpoints}}}}]}", []],
    ["a number as a word", "spec: {containers: [{livenessProbe: {exec: {command: [7, --endpoints, 7]}}}]}", []],
  ];
  for (const [what, yaml, endpoints] of cases) test(what, () => assert.deepEqual(probeEndpoints(yaml), endpoints));
});

describe("this host's own endpoint", () => {
  const cases: [string, string, string | undefined][] = [
    ["its address", url, url],
    ["its name", "https://master-1.example.com:2379", "https://master-1.example.com:2379"],
    ["its address among others", `https://192.168.55.13:2379,${url}`, url],
    ["loopback counts as none", "https://127.0.0.1:2379", undefined],
    ["localhost too", "https://localhost:2379", undefined],
    ["and [::1]", "https://[::1]:2379", undefined],
    ["another port is kept", "https://192.168.55.12:4001", "https://192.168.55.12:4001"],
  ];
  for (const [what, named, own] of cases) test(what, () => assert.equal(ownEndpoint(stock(named), host), own));

  test("IPv6, in whatever spelling", () => {
    const six = { name: "m", addresses: ["fd00::1"] };
    assert.equal(ownEndpoint(stock("https://[FD00:0::1]:2379"), six), "https://[FD00:0::1]:2379");
  });

  for (const other of [
    "https://192.168.55.120:2379",
    "https://192.168.55.13:2379",
    "https://master-1.example.com.evil:2379",
    "https://192.168.55.12@evil:2379",
    "https://192.168.55.12:2379;reboot",
    "$(reboot)",
    "192.168.55.12:2379",
  ])
    test(`refused: ${other}`, () =>
      assert.throws(() => ownEndpoint(stock(other), host), {
        name: "Refusal",
        message:
          /^the liveness probe of etcd asks .*, which is not master-1\.example\.com \(192\.168\.55\.12\); put this/,
      }));
  test("refused: no YAML", () => assert.throws(() => ownEndpoint("a: [\n", host), Refusal));
  test("refused: aliases, of which a few lines make a billion", () =>
    assert.throws(() => ownEndpoint(bomb, host), Refusal));
});
