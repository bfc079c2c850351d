/** How a host is named in a text: the words are tried with JavaScript and with the real grep, which must say the same. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import fc from "fast-check";
import { linesNaming, wordsOf } from "../../providers/plan/sweep-words.ts";

const words = wordsOf("master-1.example.com", "192.168.55.21");

/** Numbers of the lines that the hosts' grep finds. */
function grep(pattern: string, text: string): number[] {
  const { stdout, status } = spawnSync("grep", ["-aniE", "-e", pattern], {
    input: text,
    encoding: "latin1",
    env: { LC_ALL: "C", PATH: process.env["PATH"] ?? "" },
  });
  assert.ok(status === 0 || status === 1, `grep ended with ${status ?? "a signal"}`);
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [Number(line.split(":")[0])]));
}
const says = (pattern: string, line: string): boolean => {
  const [ours, theirs] = [linesNaming(line, pattern), grep(pattern, line)];
  assert.deepEqual(ours, theirs, line);
  return ours.length > 0;
};

describe("whole words", () => {
  const named = [
    "192.168.55.21 master-1.example.com master-1",
    "  - https://master-1.example.com:2379",
    "ETCD_INITIAL_CLUSTER=master-0.example.com=https://192.168.55.8:2380,MASTER-1.Example.COM=https://192.168.55.9:2380",
    "    server: https://192.168.55.21:8443",
    "server x 192.168.55.21:8443 check",
    "nameserver 192.168.55.21",
    "server=/cluster.local/192.168.55.21",
    "see master-1.example.com.",
    "192.168.55.21/32",
    "NO_PROXY=.svc,master-1.example.com",
    "- (?i)//192\\.168\\.55\\.21(:|\\z)",
    "- (?i)//master\\-1\\.example\\.com(:|\\z)",
    '"{\\n \\"etcd\\": \\"x\\nmaster-1.example.com\\nb"',
    "master-1.example.com\r",
    "unicast_peer { 192.168.55.21 }",
    "key: [192.168.55.21]",
    "ä192.168.55.21ä",
  ];
  const neighbours = [
    "192.168.55.210 x",
    "1192.168.55.21",
    "1.192.168.55.21",
    "192.168.55.21.1",
    "192.168.55.2 1",
    "192x168x55x21",
    "xmaster-1.example.com",
    "x.master-1.example.com",
    "a-master-1.example.com",
    "master-1.example.com.au",
    "master-1.example.comx",
    "master-1.example.com-old",
    "master-1.example.com_2",
    "master-10.example.com",
    "master-1-example-com:8443",
    "master1.example.com",
    "master-1",
    "(?i)//x\\.master\\-1\\.example\\.com(:|\\z)",
    "(?i)//master\\-1\\.example\\.com\\.au(:|\\z)",
    "",
  ];
  for (const line of named) it(`names it: ${line}`, () => assert.ok(says(words.whole, line)));
  for (const line of neighbours) it(`does not: ${line}`, () => assert.ok(!says(words.whole, line)));
  it("a line that only comments names nobody", () =>
    assert.deepEqual(
      linesNaming("# 192.168.55.21\n  ; 192.168.55.21\n! 192.168.55.21\nx 192.168.55.21 # y", words.whole),
      [4],
    ));
});

describe("short names", () => {
  for (const line of ["192.168.55.9 master-1", "10.0.0.1\tmaster-1\talias", "1 master-1 master-1.other.net"])
    it(`names it: ${line}`, () => {
      assert.ok(says(words.short, line));
      assert.ok(!says(words.whole, line));
    });
  for (const line of ["1 master-1.other.net", "1 master-10", "1 xmaster-1", "1 a.master-1", "1 master-1-old"])
    it(`does not: ${line}`, () => assert.ok(!says(words.short, line)));
  it("none where another host has the same, where it is a number, or where the name is short already", () => {
    const { whole, short } = wordsOf("m1.a.example.com", "10.0.0.1", { "m1.b.example.com": "10.0.0.2" });
    assert.equal(short, whole);
    assert.ok(!says(wordsOf("10.example.com", "10.0.0.1").short, "10 20 30"));
    assert.equal(wordsOf("m1", "10.0.0.1").short, wordsOf("m1", "10.0.0.1").whole);
  });
});

describe("an IPv6 address", () => {
  const six = wordsOf("m1.example.com", "fd00::21").whole;
  for (const line of ["https://[fd00::21]:2379", "FD00::21 m", "x fd00::21: y", "fd00:0:0:0:0:0:0:21 m", "fd00::21"])
    it(`names it: ${line}`, () => assert.ok(says(six, line)));
  for (const line of ["fd00::211", "fd00::21:1", "1:fd00::21", "afd00::21", "fd00::2"])
    it(`does not: ${line}`, () => assert.ok(!says(six, line)));
});

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?$/);
const hostName = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join("."));
const address = fc.oneof(
  fc.ipV4(),
  fc
    .tuple(fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 0, max: 65535 }))
    .map(([a, b]) => `fd00:${a.toString(16)}::${b.toString(16)}`),
);

it("whatever host it is, its own words are found between any others, and no longer or shorter word is", () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(hostName, address), { minLength: 30, maxLength: 30 }),
      fc.constantFrom(" ", "/", ",", "=", '"', "[", "(", "\t"),
      fc.constantFrom(" ", ":8443", ",", '"', "]", ")", "/", "\t", ""),
      fc.constantFrom("x", "0", "-", "_", ".a"),
      (hosts, left, right, more) => {
        for (const [n, [name, own]] of hosts.entries()) {
          const { whole } = wordsOf(name, own);
          const ipv6 = own.includes(":");
          // a port cannot follow a bare IPv6 address
          const behind = ipv6 && right === ":8443" ? "]:8443" : right;
          const text = [
            `${left}${name}${right}`,
            `${left}${own}${behind}`,
            `${left}${name}${more}${right}`,
            `${left}${own}${ipv6 || more === "-" || more === "_" ? "0" : more}`,
            `x${name}`,
            `${ipv6 ? "f" : "1"}${own}`,
            `a.${name}`,
          ].join("\n");
          assert.deepEqual(linesNaming(text, whole), [1, 2], JSON.stringify(text));
          // the real one takes its time: a few of them
          if (n < 4) assert.deepEqual(grep(whole, text), [1, 2], JSON.stringify(text));
        }
      },
    ),
    { numRuns: 12 },
  ));

it("grep and JavaScript agree on any line of such pieces", () => {
  const pieces = [
    "master-1",
    ".example",
    ".com",
    "192.168",
    ".55",
    ".21",
    "\\",
    ".",
    "-",
    ":",
    " ",
    "/",
    "x",
    "0",
    "_",
    "\\n",
    "=",
  ];
  const line = fc.array(fc.constantFrom(...pieces, "master-1.example.com", "192.168.55.21"), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(line, { minLength: 400, maxLength: 400 }), (lines) => {
      const text = lines
        .map((one) => `z${one.join("")}`.slice(1))
        .filter((one) => !/^\s*[#;!]/.test(one))
        .join("\n");
      for (const pattern of [words.whole, words.short])
        assert.deepEqual(linesNaming(text, pattern), grep(pattern, text));
    }),
    { numRuns: 25 },
  );
});
