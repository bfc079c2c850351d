import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { keysFor, keyType } from "../../providers/plan/known-hosts.ts";

/** A key blob of a type; the seed makes it this one and no other. */
function blob(type: string, seed: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), Buffer.from(seed)]);
}
const entry = (hosts: string, key: Buffer) => `${hosts} ${keyType(key) ?? ""} ${key.toString("base64")}`;
const hashed = (name: string) => {
  const salt = Buffer.from("0123456789abcdefghij");
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
};
const ed = blob("ssh-ed25519", "one");
const other = blob("ssh-ed25519", "two");
const rsa = blob("ssh-rsa", "three");
const names = ["lb-0.example.com", "192.168.55.5"];

test("which first fields mean the host", () => {
  const table: [hosts: string, port: number, found: boolean][] = [
    ["lb-0.example.com", 22, true],
    ["LB-0.Example.com", 22, true],
    ["192.168.55.5", 22, true],
    ["other,lb-0.example.com,192.168.55.9", 22, true],
    ["lb-0.example.co", 22, false],
    ["b-0.example.com", 22, false],
    ["*.example.com", 22, true],
    ["lb-?.example.com", 22, true],
    ["lb-?0.example.com", 22, false],
    ["lb-0xexamplexcom", 22, false],
    ["*.example.com,!lb-0.example.com", 22, false],
    ["!lb-0.example.com", 22, false],
    ["!lb-1.example.com,*", 22, true],
    [hashed("lb-0.example.com"), 22, true],
    [hashed("192.168.55.5"), 22, true],
    [hashed("lb-1.example.com"), 22, false],
    ["|2|x|y", 22, false],
    ["|1||", 22, false],
    ["[lb-0.example.com]:2222", 2222, true],
    ["[192.168.55.5]:2222", 2222, true],
    [hashed("[lb-0.example.com]:2222"), 2222, true],
    ["lb-0.example.com", 2222, false],
    ["[lb-0.example.com]:2222", 22, false],
  ];
  for (const [hosts, port, found] of table)
    assert.equal(
      keysFor(entry(hosts, ed), names, port).accepts(ed),
      found ? "match" : "unknown",
      `${hosts} at ${String(port)}`,
    );
});

test("types and lines of all entries; other keys are a mismatch", () => {
  const text = [
    "# a comment",
    "",
    entry("lb-0.example.com", ed),
    `${entry("192.168.55.5", rsa)} root@lb a comment`,
  ].join("\r\n");
  const known = keysFor(text, names, 22);
  assert.deepEqual(known.types, ["ssh-ed25519", "ssh-rsa"]);
  assert.deepEqual(known.lines, [3, 4]);
  assert.equal(known.accepts(rsa), "match");
  assert.equal(known.accepts(other), "mismatch");
  assert.equal(known.accepts(blob("ecdsa-sha2-nistp256", "x")), "mismatch");
  assert.equal(known.accepts(Buffer.from("junk")), "mismatch");
});

test("the declared name decides before the address, whose entry may be another machine's of old", () => {
  const text = [entry("192.168.55.5", other), entry("lb-0.example.com", ed)].join("\n");
  assert.equal(keysFor(text, names, 22).accepts(ed), "match");
  assert.equal(keysFor(text, names, 22).accepts(other), "mismatch");
});

test("several keys of one type under one name are all accepted", () => {
  const text = [entry("lb-0.example.com", ed), entry("lb-0.example.com", other)].join("\n");
  assert.equal(keysFor(text, names, 22).accepts(ed), "match");
  assert.equal(keysFor(text, names, 22).accepts(other), "match");
});

test("a revoked key is refused wherever else it is listed, and only that key", () => {
  const text = [entry("lb-0.example.com", ed), entry("@revoked *", ed), entry("lb-0.example.com", other)].join("\n");
  assert.equal(keysFor(text, names, 22).accepts(ed), "revoked");
  assert.equal(keysFor(text, names, 22).accepts(other), "match");
  assert.deepEqual(keysFor(entry("@revoked *", ed), names, 22).types, []);
});

test("an authority's key is no host key", () => {
  const known = keysFor(entry("@cert-authority *.example.com", ed), names, 22);
  assert.equal(known.accepts(ed), "unknown");
  assert.deepEqual(known.types, []);
  assert.equal(known.onlyAuthority, true);
  assert.equal(keysFor(entry("@unheard-of *", ed), names, 22).accepts(ed), "unknown");
});

test("damaged lines give no key", () => {
  const mislabelled = `lb-0.example.com ssh-rsa ${ed.toString("base64")}`;
  for (const text of [
    "lb-0.example.com",
    "lb-0.example.com ssh-ed25519",
    "lb-0.example.com ssh-ed25519 !!!!",
    mislabelled,
  ])
    assert.equal(keysFor(text, names, 22).accepts(ed), "unknown", text);
});
