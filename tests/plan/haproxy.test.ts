import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  dropHost,
  hasHost,
  restoreHost,
  serversFor,
  serversOf,
  setDisabled,
  statsOf,
} from "../../providers/plan/haproxy.ts";
import type { HostIdentity } from "../../providers/plan/host.ts";

const fixture = (name: string): string => readFileSync(new URL(`../fixtures/haproxy/${name}`, import.meta.url), "utf8");
const host = (name: string, ...addresses: string[]): HostIdentity => ({ name, addresses });
const leaving = host("master-1.example.com", "192.168.55.12");
const refusal = (message: RegExp): { name: string; message: RegExp } => ({ name: "Refusal", message });

/** A backend named `api` with the given lines; `leaving` is line 2, unless the case says otherwise. */
const backend = (...lines: string[]): string => ["backend api", ...lines, ""].join("\n");
const gone = "  server m1 192.168.55.12:8443 check";
const stays = "  server m2 192.168.55.13:8443 check";

function linesOf(text: string, ...numbers: number[]): string {
  return text
    .split(/(?<=\n)/)
    .filter((_, at) => !numbers.includes(at + 1))
    .join("");
}

describe("dropHost takes exactly the host's lines", () => {
  const files: { file: string; who: HostIdentity; lines: number[] }[] = [
    { file: "stock.cfg", who: host("ose-a.example.com", "192.168.55.8"), lines: [51] },
    { file: "stock.cfg", who: host("ose-b.example.com", "192.168.55.80"), lines: [52] },
    { file: "stock.cfg", who: host("ose-c.example.com", "192.168.55.9"), lines: [53] },
    { file: "stock.cfg", who: host("ose-d.example.com", "192.168.55.1"), lines: [] },
    { file: "crlf.cfg", who: host("ose-c.example.com", "192.168.55.9"), lines: [53] },
    { file: "vendor.cfg", who: leaving, lines: [16] },
    { file: "vendor.cfg", who: host("master-1.example.com"), lines: [16] },
    { file: "vendor.cfg", who: host("other", "192.168.55.120"), lines: [18] },
    { file: "vendor.cfg", who: host("master-1", "192.168.55.1"), lines: [] },
    { file: "listen.cfg", who: leaving, lines: [19, 26] },
    { file: "listen.cfg", who: host("MASTER-3.example.com", "10.1.1.1"), lines: [23, 27] },
    { file: "listen.cfg", who: host("m-2", "FD00:0:0::13"), lines: [22] },
    { file: "listen.cfg", who: host("infra-2", "192.168.55.4"), lines: [] },
  ];
  for (const { file, who, lines } of files) {
    it(`${file} without ${who.name} ${who.addresses.join(" ")}`, () => {
      const config = fixture(file);
      const { text, dropped } = dropHost(config, who);
      assert.deepEqual(
        dropped.map(({ line }) => line),
        lines,
      );
      assert.equal(text, linesOf(config, ...lines));
      assert.equal(hasHost(config, who), lines.length > 0);
      assert.equal(hasHost(text, who), false);
    });
  }

  it("names section, server and line", () => {
    assert.deepEqual(dropHost(fixture("listen.cfg"), leaving).dropped, [
      { section: "listen api", server: "master-1.example.com", line: 19 },
      { section: "backend konnectivity", server: "a", line: 26 },
    ]);
  });

  const written = [
    "server m1 192.168.55.12",
    "\tserver\tm1\t192.168.55.12:8443\tcheck",
    "server m1 ipv4@192.168.55.12:8443",
    "server m1 tcp4@192.168.55.12:8443",
    'server m1 "192.168.55.12:8443" check',
    "server m1 '192.168.55.12':8443 check",
    "server m1 192.168.55.12:8443#the first",
    "server m1 192.168.55.12:+1000",
    "server m1 master-1.example.com:8443",
    "server m1 Master-1.Example.COM:8443",
    "server m1 [fd00::12]:8443",
    "server m1 ipv6@[FD00:0::12]",
    "server m1 fd00::12:8443",
    "server master-1.example.com 172.16.0.1:8443",
    "server master-1.example.com unix@/run/master-1.sock",
    "   server m1 192.168.55.12:8443 check   \r",
  ];
  for (const line of written) {
    it(`matches ${JSON.stringify(line)}`, () => {
      const who = host("master-1.example.com", ...(line.includes("172.16") ? [] : ["192.168.55.12", "fd00::12"]));
      const config = backend(line, stays);
      assert.equal(dropHost(config, who).text, backend(stays));
    });
  }

  const others = [
    "# server m1 192.168.55.12:8443",
    "#server m1 192.168.55.12:8443",
    "  option httpchk # server m1 192.168.55.12:8443",
    "server m1 192.168.55.120:8443",
    "server m1 92.168.55.12:8443",
    "server m1 1192.168.55.12:8443",
    "server m1 192.168.55.1:2",
    "server m1 192.168.55.13:8443 source 192.168.55.12",
    "server m1 unix@/run/192.168.55.12",
    "server master-1 192.168.55.13:8443",
    "server master-1.example.com.au 192.168.55.13:8443",
    "server xmaster-1.example.com 192.168.55.13:8443",
    "default-server inter 2s",
    "server-template m 3 masters.example.com:8443 check",
    "use-server m2 if { src 192.168.55.12 }",
    'bad "quote 192.168.55.12',
  ];
  for (const line of others) {
    it(`leaves ${JSON.stringify(line)}`, () => {
      const config = backend(line, stays);
      assert.deepEqual(dropHost(config, leaving), { text: config, dropped: [] });
    });
  }

  it("only looks into backends and listens", () => {
    const config = `peers p\n server master-1.example.com 192.168.55.12:1024\nring r\n${gone}\n${backend(gone, stays)}`;
    assert.deepEqual(
      dropHost(config, leaving).dropped.map(({ line }) => line),
      [6],
    );
  });

  it("takes a stock name for a position, not for a host", () => {
    const config = backend(
      "server master0 10.0.0.11:8443",
      "server master1 10.0.0.12:8443",
      "server master2 10.0.0.13:8443",
    );
    const who = host("master1", "10.0.0.11");
    const { text, dropped } = dropHost(config, who);
    assert.deepEqual(dropped, [{ section: "backend api", server: "master0", line: 2 }]);
    assert.deepEqual(dropHost(text, who).dropped, []);
  });

  it("handles a file without a final newline and an empty one", () => {
    assert.equal(dropHost(`${backend(stays)}${gone}`, leaving).text, backend(stays));
    assert.equal(dropHost(`${backend(gone)}${stays}`, leaving).text, `backend api\n${stays}`);
    assert.deepEqual(dropHost("", leaving), { text: "", dropped: [] });
  });
});

describe("dropHost refuses", () => {
  const cases: { why: string; lines: string[]; message: RegExp }[] = [
    { why: "an empty backend", lines: [gone], message: /line 2 \(backend api\).*no server that takes traffic;/ },
    { why: "only disabled ones left", lines: [gone, `${stays} disabled`], message: /line 2 .*only m2 \(disabled\)/ },
    {
      why: "only default-disabled ones left",
      lines: ["default-server disabled", `${gone} enabled`, stays],
      message: /line 3 .*only m2 \(disabled\)/,
    },
    { why: "only backups left", lines: [gone, `${stays} backup`], message: /line 2 .*m2 \(backup or weight 0\)/ },
    { why: "only weight 0 left", lines: [gone, `${stays} weight 0`], message: /line 2 .*m2 \(backup or weight 0\)/ },
    { why: "only a template left", lines: [gone, "server-template t 3 x.example.com:1"], message: /line 2 / },
    {
      why: "use-server",
      lines: [gone, stays, "use-server m1 if TRUE"],
      message: /line 4 \(backend api\) refers to m1/,
    },
    { why: "a stick rule", lines: [gone, stays, "stick on src if m1"], message: /line 4 / },
    {
      why: "an acl in a frontend",
      lines: [gone, stays, "frontend f", "acl up srv_is_up(api/m1)"],
      message: /line 5 \(frontend f\)/,
    },
    {
      why: "an acl of its own",
      lines: [gone, stays, "http-request deny if { srv_conn(m1) gt 1 }"],
      message: /line 4 /,
    },
    {
      why: "track",
      lines: [gone, stays, "backend b", "server x 10.0.0.1 track api/m1"],
      message: /line 5 \(backend b\)/,
    },
    { why: "track in its own backend", lines: [gone, `${stays} track m1`], message: /line 3 / },
    { why: "a template", lines: [stays, "server-template m 3 master-1.example.com:8443"], message: /line 3 / },
    { why: "a condition", lines: [stays, ".if defined(X)", gone, ".endif"], message: /line 4 \(backend api\).*\.if/ },
    { why: "an open condition", lines: [".endif", stays, ".if defined(X)", gone], message: /line 5 / },
    { why: "a continued line", lines: [stays, `${gone} \\`, "  weight 3"], message: /line 3 .*backslash/ },
    { why: "an open quote", lines: [stays, 'server m1 "192.168.55.12:8443'], message: /line 3 \(backend api\).*quote/ },
    { why: "a nameless line", lines: [stays, "server m1"], message: /line 3 .*without a name/ },
    { why: "the environment", lines: [stays, 'server m1 "${M1}:8443"'], message: /line 3 .*environment/ },
    {
      why: "a name and an address at odds",
      lines: ["server master-1.example.com 10.9.9.9:8443", gone, stays],
      message: /line 2 .*line 3 gives/,
    },
  ];
  for (const { why, lines, message } of cases) {
    it(why, () => assert.throws(() => dropHost(backend(...lines), leaving), refusal(message)));
  }

  it("but not for another backend's server of the same name, an unused default or nbsrv", () => {
    const more = "backend b\nserver m1 10.0.0.1\nserver m9 10.0.0.9 track m1\nuse-server m1 if { nbsrv(api) lt 2 }\n";
    const config = backend(gone, stays, "acl few nbsrv(api) lt 2") + more;
    assert.equal(dropHost(config, leaving).dropped.length, 1);
  });

  it("but not when what refers to it leaves too", () => {
    const config = `${backend(gone, stays)}backend b\nserver a 192.168.55.12:1 track api/m1\nserver b 10.0.0.1:1\n`;
    assert.equal(dropHost(config, leaving).dropped.length, 2);
  });
});

describe("serversFor", () => {
  const config = `${backend("server m0 10.0.0.1:8443\nserver x master-1.example.com:8443 disabled\nserver m1 192.168.55.12:8443 check")}listen b\nserver master-1.example.com 192.168.55.12:22623\nserver m12 192.168.55.120:1\n`;
  const host = { name: "master-1.example.com", addresses: ["192.168.55.12"] };
  it("every line of the host, by name and by address, in file order", () =>
    assert.deepEqual(
      serversFor(config, host).map(({ section, server, disabled }) => `${section}/${server} ${disabled}`),
      ["backend api/x true", "backend api/m1 false", "listen b/master-1.example.com false"],
    ));
  it("as serversOf has them, and none of another host", () => {
    const all = serversOf(config);
    for (const one of serversFor(config, host))
      assert.deepEqual(
        one,
        all.find(({ line }) => line === one.line),
      );
    assert.deepEqual(serversFor(config, { name: "m2", addresses: ["192.168.55.1"] }), []);
  });
});

describe("serversOf", () => {
  it("lists backends and listens in file order", () => {
    assert.deepEqual(
      serversOf(fixture("stock.cfg")).map((each) => [
        each.section,
        each.server,
        each.address,
        each.line,
        each.disabled,
      ]),
      [
        ["backend atomic-openshift-api", "master0", "192.168.55.8:8443", 51, false],
        ["backend atomic-openshift-api", "master1", "192.168.55.80:8443", 52, false],
        ["backend atomic-openshift-api", "master2", "192.168.55.9:8443", 53, false],
      ],
    );
    const [first] = serversOf(fixture("listen.cfg"));
    assert.equal(first?.address, "ipv4@192.168.55.12:8443");
  });

  const marks: [string, boolean][] = [
    ["server a 10.0.0.1 disabled", true],
    ["server a 10.0.0.1 'disabled'", true],
    ["server a 10.0.0.1 disabled enabled", false],
    ["server a 10.0.0.1 enabled disabled", true],
    ["server a 10.0.0.1 cookie disabled", false],
    ["server a 10.0.0.1 # disabled", false],
    ['server a 10.0.0.1 cookie "a#b" disabled', true],
    ["server a 10.0.0.1 cookie a\\#b disabled", true],
    ["server a 10.0.0.1 cookie a#b disabled", false],
    ["server disabled 10.0.0.1", false],
    ["default-server disabled\nserver a 10.0.0.1", true],
    ["default-server disabled\nserver a 10.0.0.1 enabled", false],
    ["server a 10.0.0.1\ndefault-server disabled", false],
  ];
  for (const [lines, disabled] of marks) {
    it(`${JSON.stringify(lines)} is ${disabled ? "disabled" : "enabled"}`, () => {
      assert.equal(serversOf(backend(lines))[0]?.disabled, disabled);
    });
  }

  it("inherits from the defaults section above", () => {
    const config = `defaults\ndefault-server disabled\n${backend(stays)}defaults\ndefault-server enabled\nlisten b\n${stays}\n`;
    assert.deepEqual(
      serversOf(config).map(({ disabled }) => disabled),
      [true, false],
    );
  });
});

describe("setDisabled", () => {
  const cases: [string, string][] = [
    [gone, `${gone} disabled`],
    [`${gone} # first`, `${gone} disabled # first`],
    [`${gone}\t#first`, `${gone} disabled\t#first`],
    [`${gone}  \r`, `${gone} disabled  \r`],
    ["\tserver m1 192.168.55.12:8443", "\tserver m1 192.168.55.12:8443 disabled"],
  ];
  for (const [before, after] of cases) {
    it(`marks ${JSON.stringify(before)} and takes the mark off`, () => {
      const on = setDisabled(backend(stays, before), leaving, true);
      assert.deepEqual(on, {
        text: backend(stays, after),
        changed: [{ section: "backend api", server: "m1", line: 3 }],
      });
      assert.deepEqual(setDisabled(on.text, leaving, true), { text: on.text, changed: [] });
      assert.equal(setDisabled(on.text, leaving, false).text, backend(stays, before));
    });
  }

  it("takes every mark off and leaves other values alone", () => {
    const config = backend(stays, "server m1 192.168.55.12 disabled cookie disabled check\tdisabled");
    assert.equal(
      setDisabled(config, leaving, false).text,
      backend(stays, "server m1 192.168.55.12 cookie disabled check"),
    );
  });

  it("refuses to disable the last enabled server", () => {
    for (const rest of [[], [`${stays} disabled`], [`${stays} weight 0`]]) {
      assert.throws(
        () => setDisabled(backend(gone, ...rest), leaving, true),
        refusal(/line 2 .*last enabled server of backend api/),
      );
    }
    assert.equal(setDisabled(backend(gone, `${stays} backup`), leaving, true).changed.length, 1);
  });

  it("refuses to enable what default-server disables, and what is conditional", () => {
    const config = backend(stays, "default-server disabled", gone);
    assert.throws(() => setDisabled(config, leaving, false), refusal(/line 4 .*default-server/));
    assert.throws(() => setDisabled(backend(stays, ".if 1", gone, ".endif"), leaving, true), refusal(/line 4 .*\.if/));
  });
});

describe("restoreHost", () => {
  it("gives the fixtures back after a removal", () => {
    for (const [file, who] of [
      ["stock.cfg", host("a", "192.168.55.8")],
      ["stock.cfg", host("c", "192.168.55.9")],
      ["crlf.cfg", host("b", "192.168.55.80")],
      ["vendor.cfg", leaving],
      ["listen.cfg", leaving],
      ["listen.cfg", host("master-3.example.com")],
    ] as const) {
      const previous = fixture(file);
      const { text, dropped } = dropHost(previous, who);
      assert.notEqual(text, previous);
      assert.deepEqual(restoreHost(text, previous, who), { text: previous, restored: dropped });
    }
  });

  const m = (n: number, options = ""): string => `  server m${n} 192.168.55.1${n + 1}:8443${options}`;
  const previous = backend("  mode tcp", m(0), "# first", m(1), m(2), m(3));
  const cases: { why: string; config: string; text: string }[] = [
    { why: "is already there", config: previous, text: previous },
    { why: "is there, disabled", config: backend(m(1, " disabled"), m(2)), text: backend(m(1, " disabled"), m(2)) },
    {
      why: "the comment above went",
      config: backend("  mode tcp", m(0), m(2)),
      text: backend("  mode tcp", m(0), m(1), m(2)),
    },
    {
      why: "the server above changed its options",
      config: backend(m(0, " check"), m(2)),
      text: backend(m(0, " check"), m(1), m(2)),
    },
    { why: "only one below is left", config: backend("  mode http", m(3)), text: backend("  mode http", m(1), m(3)) },
    { why: "none is left", config: backend("  a", m(7), "  b"), text: backend("  a", m(7), m(1), "  b") },
    {
      why: "the section is bare",
      config: "backend api\n\n# next\nbackend x\n",
      text: `backend api\n${m(1)}\n\n# next\nbackend x\n`,
    },
    { why: "the last line has no end", config: `backend api\n${m(0)}`, text: `backend api\n${m(0)}\n${m(1)}\n` },
  ];
  for (const { why, config, text } of cases) {
    it(`when it ${why}`, () => assert.equal(restoreHost(config, previous, leaving).text, text));
  }

  it("refuses when the section or the name is taken", () => {
    assert.throws(() => restoreHost("backend b\n", previous, leaving), refusal(/backend api is no longer .*line 5/));
    const taken = backend("server m1 192.168.55.99:8443");
    assert.throws(
      () => restoreHost(taken, previous, leaving),
      refusal(/line 2 \(backend api\) already has a server m1/),
    );
  });
});

describe("properties", () => {
  const noise = fc.constantFrom(
    "",
    "\t",
    "    # m",
    "#  server m1 192.168.55.12:8443",
    "  mode tcp",
    "\toption tcplog # x",
    " ",
  );
  const address = fc.constantFrom(
    "192.168.55.12",
    "192.168.55.120",
    "10.0.0.12",
    "[fd00::12]",
    "master-1.example.com",
    "master-10.example.com",
  );
  const tail = fc.constantFrom("", " check", "\tcheck inter 2s  ", " check # disabled", " weight 5");
  const section = fc.record({
    kind: fc.constantFrom("backend", "listen"),
    body: fc.array(fc.oneof(noise, fc.tuple(address, tail)), { maxLength: 12 }),
  });
  const config = fc
    .record({ sections: fc.array(section, { maxLength: 3 }), eol: fc.constantFrom("\n", "\r\n"), final: fc.boolean() })
    .map(({ sections, eol, final }) => {
      const lines = sections.flatMap(({ kind, body }, index) => [
        `${kind} s${index}`,
        "  server keep 10.9.9.9:1",
        ...body.map((each, at) => (typeof each === "string" ? each : `  server s${at} ${each[0]}:8443${each[1]}`)),
      ]);
      return lines.join(eol) + (final ? eol : "");
    });
  const who = host("master-1.example.com", "192.168.55.12", "fd00::12");

  it("only whole lines leave, once, and come back as they were", () => {
    fc.assert(
      fc.property(config, (text) => {
        const once = dropHost(text, who);
        assert.equal(once.text, linesOf(text, ...once.dropped.map(({ line }) => line)));
        assert.deepEqual(dropHost(once.text, who), { text: once.text, dropped: [] });
        assert.deepEqual(restoreHost(once.text, text, who), { text, restored: once.dropped });
        assert.deepEqual(
          serversOf(once.text).map(({ server }) => server),
          serversOf(text)
            .filter(({ line }) => !once.dropped.some((each) => each.line === line))
            .map(({ server }) => server),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("a drain marks only the host's lines and is undone byte for byte", () => {
    fc.assert(
      fc.property(config, (text) => {
        const drained = setDisabled(text, who, true);
        const changed = drained.changed.map(({ line }) => line);
        assert.deepEqual(
          changed,
          dropHost(text, who).dropped.map(({ line }) => line),
        );
        assert.equal(linesOf(drained.text, ...changed), linesOf(text, ...changed));
        assert.ok(serversOf(drained.text).every(({ line, disabled }) => disabled === changed.includes(line)));
        assert.equal(setDisabled(drained.text, who, false).text, text);
      }),
      { numRuns: 500 },
    );
  });
});

describe("statsOf", () => {
  it("reads haproxy 1.5 and 2.6", () => {
    const expected = [
      { backend: "atomic-openshift-api", server: "master0", status: "UP", sessions: 12, check: "" },
      { backend: "atomic-openshift-api", server: "master1", status: "DOWN 1/2", sessions: 0, check: "L4CON" },
      { backend: "atomic-openshift-api", server: "master2", status: "MAINT", sessions: 3, check: "" },
    ];
    assert.deepEqual(statsOf(fixture("show-stat-1.5.csv")), expected);
    assert.deepEqual(statsOf(fixture("show-stat-2.6.csv")), expected);
  });

  it("finds columns by name, and reads quoted fields", () => {
    const csv = '# pxname,svname,last_chk,status,scur,\napi,m0,"refused, ""no"" route",UP,4,\n\n';
    assert.deepEqual(statsOf(csv), [{ backend: "api", server: "m0", status: "UP", sessions: 4, check: "" }]);
  });

  it("refuses what is no table, or is cut off", () => {
    assert.throws(() => statsOf("Unknown command. Please enter one of:\n"), refusal(/no header.*Unknown command/));
    assert.throws(() => statsOf(""), refusal(/no header/));
    assert.throws(() => statsOf("# pxname,svname,scur,status\napi,m0,4\n"), refusal(/line 2 .*cut off/));
  });
});
