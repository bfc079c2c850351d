import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { type ManifestEntry, placesIn } from "../../providers/plan/archived-authority.ts";
import { hashOf } from "./world.ts";

const file = (path: string, text = path, over: Partial<ManifestEntry> = {}): ManifestEntry => ({
  path,
  type: "file",
  size: text.length,
  sha256: hashOf(text),
  ...over,
});
const folder = (path: string): ManifestEntry => ({ path, type: "folder", size: 0 });
const link = (path: string, target: string, type: ManifestEntry["type"] = "link"): ManifestEntry => ({
  path,
  type,
  size: 0,
  target,
});
/** etcd's CA below a root. */
const tree = (root: string): ManifestEntry[] => [
  folder(`${root}/ca`),
  folder(`${root}/generated_certs`),
  file(`${root}/generated_certs/m-1/server.key`, "server"),
  file(`${root}/ca/serial`, "0A\n"),
  file(`${root}/ca/ca.key`, "key"),
  file(`${root}/ca/ca.crt`, "certificate"),
  file(`${root}/ca.crt`, "trusted"),
];
const digestOf = (...lines: [text: string, path: string][]): string =>
  hashOf(lines.map(([text, path]) => `${hashOf(text)}  ${path}\n`).join(""));
const plain = digestOf(
  ["certificate", "ca/ca.crt"],
  ["key", "ca/ca.key"],
  ["0A\n", "ca/serial"],
  ["server", "generated_certs/m-1/server.key"],
);
const serials = { "etc/etcd/ca/serial": "0A\n", "etc/origin/master/etc/etcd/ca/serial": "0B" };
const only = (entries: ManifestEntry[]) => {
  const [place, ...more] = placesIn(entries, serials);
  assert.ok(place !== undefined && more.length === 0);
  return place;
};

describe("what a manifest says of the authorities", () => {
  it("none", () => assert.deepEqual(placesIn([file("etc/etcd/ca.crt"), folder("etc/etcd/ca")], serials), []));
  it("etcd's in either place: the digest is that of the host", () => {
    assert.deepEqual(only(tree("etc/etcd")), {
      path: "/etc/etcd/ca/serial",
      serial: "0A",
      certificate: [hashOf("certificate")],
      key: true,
      digest: plain,
      members: ["etc/etcd/ca", "etc/etcd/generated_certs"],
    });
    const slip = only(tree("etc/origin/master/etc/etcd"));
    assert.deepEqual([slip.serial, slip.digest, slip.path], ["0B", plain, "/etc/origin/master/etc/etcd/ca/serial"]);
  });
  it("OpenShift's serial: its digest is the file's", () =>
    assert.deepEqual(
      placesIn(
        [
          file("etc/origin/master/ca.serial.txt", "1F"),
          file("etc/origin/master/ca.crt", "c"),
          file("etc/origin/master/ca.key", "k"),
        ],
        { "etc/origin/master/ca.serial.txt": " 1F\n" },
      ),
      [
        {
          path: "/etc/origin/master/ca.serial.txt",
          serial: "1F",
          certificate: [hashOf("c")],
          key: true,
          digest: hashOf("1F"),
          members: ["etc/origin/master/ca.serial.txt"],
        },
      ],
    ));
  it("no generated_certs: only ca is taken out", () => {
    const { members, digest } = only(tree("etc/etcd").filter(({ path }) => !path.includes("generated_certs")));
    assert.deepEqual(members, ["etc/etcd/ca"]);
    assert.equal(digest, digestOf(["certificate", "ca/ca.crt"], ["key", "ca/ca.key"], ["0A\n", "ca/serial"]));
  });
  it("no serial in the manifest, no key, an empty key", () => {
    assert.equal(placesIn(tree("etc/etcd"), {})[0]?.serial, "");
    assert.equal(only(tree("etc/etcd").filter(({ path }) => !path.endsWith("ca.key"))).key, false);
    assert.equal(only([...tree("etc/etcd"), file("etc/etcd/ca/ca.key", "")]).key, false);
  });

  it("hard links count as what they point to, whichever way round", () => {
    const linked = [...tree("etc/etcd"), link("etc/etcd/generated_certs/m-1/ca.crt", "etc/etcd/ca/ca.crt")];
    const turned = [
      ...tree("etc/etcd").filter(({ path }) => path !== "etc/etcd/ca/ca.crt"),
      file("etc/etcd/generated_certs/m-1/ca.crt", "certificate"),
      link("etc/etcd/ca/ca.crt", "etc/etcd/generated_certs/m-1/ca.crt"),
    ];
    const wanted = digestOf(
      ["certificate", "ca/ca.crt"],
      ["key", "ca/ca.key"],
      ["0A\n", "ca/serial"],
      ["certificate", "generated_certs/m-1/ca.crt"],
      ["server", "generated_certs/m-1/server.key"],
    );
    for (const entries of [linked, turned]) {
      const { digest, certificate, members } = only(entries);
      assert.deepEqual([digest, certificate], [wanted, [hashOf("certificate")]]);
      assert.deepEqual(members, ["etc/etcd/ca", "etc/etcd/generated_certs"]);
    }
  });
  it("a hard link to a file outside: that is taken out too", () => {
    const entries = [...tree("etc/etcd"), link("etc/etcd/generated_certs/ca.crt", "etc/etcd/ca.crt")];
    assert.deepEqual(only(entries).members, ["etc/etcd/ca", "etc/etcd/generated_certs", "etc/etcd/ca.crt"]);
    assert.match(only(entries).digest, /^[0-9a-f]{64}$/);
  });
  it("a name that is no UTF-8: no digest", () =>
    assert.equal(only([...tree("etc/etcd"), file("etc/etcd/ca/\uFFFD")]).digest, ""));
  it("a hard link to nowhere, to itself, a file without a hash: no digest", () => {
    for (const odd of [
      link("etc/etcd/ca/x", "etc/gone"),
      link("etc/etcd/ca/x", "etc/etcd/ca/x"),
      { ...file("etc/etcd/ca/x"), sha256: undefined },
      file("etc/etcd/ca/x", "x", { sha256: "0".repeat(63) }),
    ])
      assert.equal(only([...tree("etc/etcd"), odd]).digest, "", odd.target);
  });
  it("symbolic links and devices; beside the tree they are no matter", () => {
    for (const type of ["symlink", "other"] as const) {
      assert.equal(only([...tree("etc/etcd"), link("etc/etcd/ca/x", "serial", type)]).digest, "links");
      assert.equal(only([...tree("etc/etcd"), link("etc/etcd/x", "serial", type)]).digest, plain);
    }
  });
  it("too large", () =>
    assert.equal(only([...tree("etc/etcd"), file("etc/etcd/ca/x", "x", { size: 2 ** 26 })]).digest, "large"));
  it("sorted by bytes, as sort does in the C locale, not by UTF-16", () => {
    const names = ["\u{1F600}", "\uFFFC", "Z", "a", "_", " ", "ca-x"];
    const entries = names.map((name) => file(`etc/etcd/ca/${name}`, name));
    const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const hash = createHash("sha256");
    for (const [text, path] of [
      ...sorted.map((name) => [name, `ca/${name}`] as const),
      ["certificate", "ca/ca.crt"] as const,
      ["key", "ca/ca.key"] as const,
      ["0A\n", "ca/serial"] as const,
      ["server", "generated_certs/m-1/server.key"] as const,
    ].toSorted((a, b) => Buffer.compare(Buffer.from(a[1]), Buffer.from(b[1]))))
      hash.update(`${hashOf(text)}  ${path}\n`);
    assert.equal(only([...tree("etc/etcd"), ...entries]).digest, hash.digest("hex"));
  });
});
