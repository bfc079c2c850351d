import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type ConfigFile, dropFrom, restoreIn, type Sketch, sketchOf } from "../../providers/plan/haproxy.ts";
import type { HostIdentity } from "../../providers/plan/host.ts";

const path = "/etc/haproxy/haproxy.cfg";
const survivor: HostIdentity = { name: "master-1.example.com", addresses: ["192.168.55.12"] };
const refusal = (message: RegExp): { name: string; message: RegExp } => ({ name: "Refusal", message });
const m = (n: number, options = ""): string => `  server m${n} 192.168.55.1${n + 1}:8443${options}`;
const fileOf = (...lines: string[]): ConfigFile => ({ path, text: lines.map((line) => `${line}\n`).join("") });
const backend = (...lines: string[]): ConfigFile => fileOf("backend api", ...lines);
/** sha256 of the line, as `printf %s <line> | sha256sum` prints it, cut to four digits. */
const blank = "~e3b0";

/** What somebody took out by hand. */
const without = ({ text, ...file }: ConfigFile, part: string): ConfigFile => ({
  ...file,
  text: text
    .split(/(?<=\n)/)
    .filter((line) => !line.includes(part))
    .join(""),
});

describe("sketchOf", () => {
  it("shows server lines, and of the three lines around them a hash", () => {
    const filler = ["  a", "  b", "  c", "", "", ""];
    const sketch = sketchOf([backend(...filler, m(1), ...filler)], [survivor]);
    assert.deepEqual(sketch, {
      [`${path} backend api`]: [blank, blank, blank, m(1), "~8c48", "~7d28", "~1138"].join("\n"),
    });
  });

  it("has the sections of the hosts, under names of their own", () => {
    const other: HostIdentity = { name: "o", addresses: ["192.168.55.13"] };
    const files = [
      fileOf("backend api", m(1), "backend b", m(2), "backend c", m(3), "backend api", m(1)),
      { path: "/etc/haproxy/conf.d/x y.cfg", text: `backend api\n${m(2)}\nlisten l\n${m(1)}` },
    ];
    const keys = (...hosts: HostIdentity[]): string[] => Object.keys(sketchOf(files, hosts));
    assert.deepEqual(keys(survivor), [
      `${path} backend api`,
      `${path} backend api #2`,
      "/etc/haproxy/conf.d/x y.cfg listen l",
    ]);
    assert.deepEqual(keys(other), [`${path} backend b`, "/etc/haproxy/conf.d/x y.cfg backend api"]);
    assert.deepEqual(sketchOf(files, [survivor, other]), sketchOf(files, [other, survivor]));
    assert.deepEqual(keys(), []);
  });

  it("holds nothing secret", () => {
    const secret = m(2, " check password geheim");
    const kept = JSON.stringify(sketchOf([backend("  stats auth admin:geheim", m(1), secret)], [survivor]));
    assert.doesNotMatch(kept, /geheim|stats|m2/);
    assert.equal(
      kept.match(/~[0-9a-f]+/g)?.every((hash) => hash.length === 5),
      true,
    );
  });
});

describe("restoreIn", () => {
  const previous = backend("  mode tcp", m(0), "# first", m(1), m(2), m(3));
  const sketch = sketchOf([previous], [survivor]);
  const cases: { why: string; now: ConfigFile; after: ConfigFile }[] = [
    { why: "nothing is lost", now: previous, after: previous },
    { why: "it is there, disabled", now: backend(m(1, " disabled"), m(2)), after: backend(m(1, " disabled"), m(2)) },
    {
      why: "it is there by another name",
      now: backend("  server x 192.168.55.12:1", m(2)),
      after: backend("  server x 192.168.55.12:1", m(2)),
    },
    {
      why: "its name is another's, and it is there",
      now: backend("  server m1 10.0.0.1:1", "  server x 192.168.55.12:1"),
      after: backend("  server m1 10.0.0.1:1", "  server x 192.168.55.12:1"),
    },
    { why: "only it is lost", now: without(previous, "m1"), after: previous },
    {
      why: "the comment above went too",
      now: backend("  mode tcp", m(0), m(2)),
      after: backend("  mode tcp", m(0), m(1), m(2)),
    },
    { why: "the server above changed", now: backend(m(0, " check"), m(2)), after: backend(m(0, " check"), m(1), m(2)) },
    { why: "only one below is left", now: backend("  mode http", m(3)), after: backend("  mode http", m(1), m(3)) },
    { why: "none is left", now: backend("  a", m(7), "  b"), after: backend("  a", m(7), m(1), "  b") },
    {
      why: "the section is bare",
      now: fileOf("backend api", "", "# next", "backend x"),
      after: fileOf("backend api", m(1), "", "# next", "backend x"),
    },
    { why: "the last line has no end", now: { path, text: `backend api\n${m(0)}` }, after: backend(m(0), m(1)) },
  ];
  for (const { why, now, after } of cases) {
    it(`when ${why}`, () => {
      const { files, restored } = restoreIn([now], sketch, survivor);
      assert.deepEqual(files, [after]);
      assert.equal(files[0] === now, restored.length === 0);
      assert.deepEqual(restoreIn(files, sketch, survivor), { files, restored: [] });
    });
  }

  it("names file, section, server and line as they are afterwards", () => {
    const [first, second] = [
      backend(m(0), m(1), m(2), m(1).replace("m1", "n1")),
      { path: "/b", text: `listen l\n${m(1)}\n` },
    ];
    const both = sketchOf([first, second], [survivor]);
    const { files, restored } = restoreIn([without(first, "55.12"), without(second, "55.12")], both, survivor);
    assert.deepEqual(files, [first, second]);
    assert.deepEqual(restored, [
      { file: path, section: "backend api", server: "m1", line: 3 },
      { file: path, section: "backend api", server: "n1", line: 5 },
      { file: "/b", section: "listen l", server: "m1", line: 2 },
    ]);
  });

  it("puts back one of two lines, and knows sections of one title apart", () => {
    const twice = fileOf(
      "backend api",
      m(0),
      m(1),
      m(1).replace("m1", "n1").replace("8443", "1"),
      "backend api",
      m(0),
      m(1),
    );
    const remembered = sketchOf([twice], [survivor]);
    assert.deepEqual(restoreIn([without(twice, "n1")], remembered, survivor).files, [twice]);
    assert.deepEqual(restoreIn([without(twice, "m1")], remembered, survivor).files, [twice]);
  });

  it("only brings the host asked for, and no line that is a hash", () => {
    const secret = m(1, " check token geheim");
    const file = backend(m(0), secret, m(2));
    const remembered = sketchOf([file], [survivor, { name: "o", addresses: ["192.168.55.13"] }]);
    const lost = without(without(file, "m1"), "m2");
    assert.deepEqual(restoreIn([lost], remembered, survivor), { files: [lost], restored: [] });
    assert.deepEqual(restoreIn([lost], remembered, { name: "m2", addresses: [] }).files, [backend(m(0), m(2))]);
  });

  it("ends a line as its neighbours end, also in a file of two kinds", () => {
    const dos = { path, text: `backend a\r\n${m(0)}\r\n${m(1)}\r\n${m(2)}\r\nbackend b\n${m(0)}\n${m(1)}\n` };
    assert.deepEqual(restoreIn([without(dos, "m1")], sketchOf([dos], [survivor]), survivor).files, [dos]);
  });

  it("finds the place among lines that are all the same", () => {
    const blanks = ["", "", "", "", "", ""];
    for (const file of [
      backend(...blanks, m(1), m(2)),
      backend(m(0), ...blanks, ...blanks, m(1), "", m(2)),
      backend(m(1), ...blanks, m(2)),
      backend(m(0), m(1), ...blanks),
      backend(m(0), ...blanks, ...blanks, m(1)),
    ])
      assert.deepEqual(restoreIn([without(file, "m1")], sketchOf([file], [survivor]), survivor).files, [file]);
  });

  const refused: { why: string; now: ConfigFile[]; message: RegExp }[] = [
    {
      why: "the section is gone",
      now: [fileOf("backend b", m(0))],
      message: /^backend api is no longer in \/etc\/haproxy\/haproxy\.cfg, so "server m1 \S+" of master-1/,
    },
    {
      why: "the file is gone",
      now: [{ ...previous, path: "/etc/other.cfg" }],
      message: /^backend api is no longer in \/etc\/haproxy\/haproxy\.cfg/,
    },
    {
      why: "the name is another's",
      now: [backend(m(0), "  server m1 10.0.0.1:1")],
      message: /^\/etc\/haproxy\/haproxy\.cfg line 3 \(backend api\) already has a server m1 at 10.0.0.1:1/,
    },
    {
      why: "the place is conditional",
      now: [backend(".if 1", m(0), m(2), ".endif")],
      message: /haproxy\.cfg line 3 \(backend api\) stands between \.if and \.endif/,
    },
    { why: "the place is conditional to the end", now: [backend(".if 1", m(0))], message: /line 3 .*\.endif/ },
  ];
  for (const { why, now, message } of refused) {
    it(`refuses when ${why}`, () => assert.throws(() => restoreIn(now, sketch, survivor), refusal(message)));
  }

  it("does not refuse behind an .endif, nor for what is no longer needed", () => {
    assert.equal(restoreIn([backend(".if 1", "  x", ".endif", m(0))], sketch, survivor).restored.length, 1);
    assert.equal(restoreIn([backend(".if 1", "  x", ".endif")], sketch, survivor).restored.length, 1);
    assert.deepEqual(restoreIn([fileOf("global")], sketch, { name: "x", addresses: ["10.9.9.9"] }).restored, []);
    assert.deepEqual(restoreIn([fileOf("global")], {}, survivor).restored, []);
  });

  it("refuses a remembered line that haproxy would not read as one", () => {
    const odd: Sketch = { [`${path} backend api`]: `${m(0)}\n${m(1)} \\` };
    assert.throws(
      () => restoreIn([backend(m(0))], odd, survivor),
      refusal(/^what is remembered of \S+haproxy\.cfg, line 2 .*backslash/),
    );
  });

  it("gives the fixtures back", () => {
    for (const [name, address] of [
      ["stock.cfg", "192.168.55.8"],
      ["stock.cfg", "192.168.55.80"],
      ["crlf.cfg", "192.168.55.9"],
      ["vendor.cfg", "192.168.55.12"],
      ["listen.cfg", "192.168.55.12"],
    ] as const) {
      const host: HostIdentity = { name: "x", addresses: [address] };
      const files = [{ path, text: readFileSync(new URL(`../fixtures/haproxy/${name}`, import.meta.url), "utf8") }];
      const { files: lost, dropped } = dropFrom(files, host);
      assert.notDeepEqual(lost, files);
      assert.deepEqual(restoreIn(lost, sketchOf(files, [host]), host), { files, restored: dropped });
    }
  });
});

describe("properties", () => {
  const options = fc.constantFrom("", " check", "\tcheck inter 2s  ", " check # the first", " weight 5", " backup");
  const server = fc.record({ n: fc.nat({ max: 2 }), options });
  const other = fc.constantFrom("", "", "", "  mode tcp", "# m", "    # server m1 192.168.55.12:8443");
  const line = fc.oneof({ weight: 3, arbitrary: other }, { weight: 1, arbitrary: server });
  const section = fc.array(line, { maxLength: 14, size: "max" });
  const world = fc.record({
    files: fc.array(fc.array(section, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }),
    eol: fc.constantFrom("\n", "\r\n"),
  });
  const addressOf = (n: number): string => `192.168.55.1${n}`;
  const hosts = [0, 1, 2].map((n): HostIdentity => ({ name: `h${n}`, addresses: [addressOf(n)] }));

  it("what a host lost by hand comes back byte for byte, whoever else is remembered", () => {
    fc.assert(
      fc.property(world, fc.nat({ max: 2 }), ({ files: sections, eol }, who) => {
        const lines = sections.map((file) =>
          file.flatMap((each, nth) => [
            { text: `backend s${nth}`, n: -1 },
            { text: "  server first 10.9.9.8:1", n: -1 },
            ...each.map((one, at) =>
              typeof one === "string"
                ? { text: one, n: -1 }
                : { text: `  server s${at} ${addressOf(one.n)}:8443${one.options}`, n: one.n },
            ),
            { text: "  server last 10.9.9.9:1", n: -1 },
          ]),
        );
        const filesOf = (lost: number): ConfigFile[] =>
          lines.map((file, at) => ({
            path: `/etc/haproxy/${at}.cfg`,
            text: file.map(({ text, n }) => (n >= 0 && n === lost ? "" : text + eol)).join(""),
          }));
        const [files, lost, host] = [filesOf(-1), filesOf(who), hosts[who] ?? survivor];
        for (const remembered of [[host], hosts]) {
          const sketch = sketchOf(files, remembered);
          assert.deepEqual(sketchOf(files, remembered), sketch);
          assert.deepEqual(restoreIn(lost, sketch, host).files, files);
        }
      }),
      { numRuns: 500 },
    );
  });
});
