import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  bindsFor,
  type ConfigFile,
  disableIn,
  dropFrom,
  dropHost,
  serversIn,
  serversOf,
  serversOfHostIn,
} from "../../providers/plan/haproxy.ts";
import type { HostIdentity } from "../../providers/plan/host.ts";

const leaving: HostIdentity = { name: "master-1.example.com", addresses: ["192.168.55.12", "api-1.internal"] };
const refusal = (message: RegExp): { name: string; message: RegExp } => ({ name: "Refusal", message });
const gone = "  server m1 192.168.55.12:8443 check";
const stays = "  server m2 192.168.55.13:8443 check";
const api = ["backend api", gone, stays];

/** `/etc/haproxy/0.cfg`, `1.cfg`, … with these lines. */
const filesOf = (...texts: string[][]): ConfigFile[] =>
  texts.map((lines, at) => ({ path: `/etc/haproxy/${at}.cfg`, text: lines.map((line) => `${line}\n`).join("") }));

describe("several files", () => {
  it("lose the host's lines wherever they are; the others are the objects given", () => {
    const files = filesOf(
      ["global"],
      api,
      ["listen b", stays, "  server x api-1.internal:22623"],
      ["backend c", stays],
    );
    const { files: after, dropped } = dropFrom(files, leaving);
    assert.deepEqual(dropped, [
      { file: "/etc/haproxy/1.cfg", section: "backend api", server: "m1", line: 2 },
      { file: "/etc/haproxy/2.cfg", section: "listen b", server: "x", line: 3 },
    ]);
    assert.deepEqual(after, filesOf(["global"], ["backend api", stays], ["listen b", stays], ["backend c", stays]));
    assert.equal(after[0], files[0]);
    assert.equal(after[3], files[3]);
    assert.deepEqual(dropFrom(after, leaving), { files: after, dropped: [] });
  });

  it("do not continue a section", () => {
    const files = filesOf(["backend api", stays], [gone, "backend b", stays]);
    assert.deepEqual(serversOfHostIn(files, leaving), []);
    assert.deepEqual(dropFrom(files, leaving).files, files);
  });

  it("hand defaults on, and end what .if began", () => {
    const files = filesOf(["defaults", "  default-server disabled", ".if 1"], api, ["defaults", "  mode tcp"], api);
    assert.deepEqual(
      serversIn(files).map(({ file, disabled }) => `${file} ${disabled}`),
      ["1 true", "1 true", "3 false", "3 false"].map((each) => `/etc/haproxy/${each.replace(" ", ".cfg ")}`),
    );
    assert.equal(dropFrom(filesOf([".if 1"], api), leaving).dropped.length, 1);
  });

  it("know defaults by name", () => {
    const named = ["defaults off", "  default-server disabled", "defaults on", "backend a from off", stays];
    const derived = ["defaults more from off", "backend b", stays, "backend from", stays, "backend c from on", stays];
    const nameless = ["defaults from off", "backend d", stays];
    assert.deepEqual(
      serversIn(filesOf(named, derived, nameless)).map(({ section, disabled }) => `${section} ${disabled}`),
      ["backend a true", "backend b true", "backend from true", "backend c false", "backend d true"],
    );
  });

  it("keep sections of one title apart", () => {
    const files = filesOf(api, ["backend api", gone]);
    assert.throws(() => dropFrom(files, leaving), refusal(/^\/etc\/haproxy\/1\.cfg line 2 \(backend api\).*no server/));
  });

  it("tell the port that is written", () => {
    const written = ["10.0.0.1:8443", "10.0.0.1", "10.0.0.1:+1000", "[fd00::1]:22623", "[fd00::1]", "fd00::1:80"];
    const more = ["unix@/run/a:1", 'ipv4@"a.example.com:443"', "a.example.com:https"];
    assert.deepEqual(
      serversIn(filesOf(["backend a", ...[...written, ...more].map((each) => `server s ${each}`)])).map(
        ({ port }) => port,
      ),
      [8443, undefined, undefined, 22623, undefined, 80, undefined, 443, undefined],
    );
  });

  it("are drained for the lines that are meant", () => {
    const both = [...api, "  server c 192.168.55.12:22623"];
    const { files, changed } = disableIn(filesOf(both, api), leaving, true, ({ port }) => port === 8443);
    const marked = `${gone} disabled #openshift-masters`;
    assert.deepEqual(files, filesOf(["backend api", marked, stays, ...both.slice(3)], ["backend api", marked, stays]));
    assert.deepEqual(
      changed.map(({ file, line }) => `${file} ${line}`),
      ["/etc/haproxy/0.cfg 2", "/etc/haproxy/1.cfg 2"],
    );
    assert.deepEqual(disableIn(files, leaving, false).files, filesOf(both, api));
  });

  it("are marked in front of their comments, and what an administrator disabled stays so", () => {
    const files = filesOf(["backend api", `${gone} # the first`, stays, "  server c 192.168.55.12:22623 disabled"]);
    const { files: off, changed } = disableIn(files, leaving, true);
    assert.deepEqual(
      off,
      filesOf([
        "backend api",
        `${gone} disabled #openshift-masters # the first`,
        stays,
        "  server c 192.168.55.12:22623 disabled",
      ]),
    );
    assert.equal(changed.length, 1);
    assert.deepEqual(
      serversOfHostIn(off, leaving).map(({ disabled, marked }) => [disabled, marked]),
      [
        [true, true],
        [true, false],
      ],
    );
    assert.deepEqual(disableIn(off, leaving, false).files, files);
    assert.deepEqual(disableIn(files, leaving, false), { files, changed: [] });
  });

  it("count a line that is not meant among those that stay", () => {
    const files = filesOf(["backend api", gone, "  server c 192.168.55.12:22623"]);
    assert.equal(disableIn(files, leaving, true, ({ port }) => port === 8443).changed.length, 1);
    assert.throws(() => disableIn(files, leaving, true), refusal(/0\.cfg line 2 .*last enabled/));
  });
});

describe("what names a leaving server is refused, with its file and line", () => {
  const own: string[] = [
    "use-server m1 if TRUE",
    "use-server m1 unless { src 10.0.0.0/8 }",
    "server m3 10.0.0.3 track m1",
    "http-response set-header X 1 if { srv_name m1 }",
    "http-response set-header X 1 if { srv_name m2 } || { srv_name -m str m1 }",
    "acl first srv_name,lower m3 m1",
    "http-request set-header X %[srv_queue(m1)]",
    "acl first srv_id 1",
    "acl second srv_id 2",
    "acl late srv_id gt 1",
  ];
  const anywhere: string[] = [
    "server x 10.0.0.9 track api/m1",
    "default-server track api/m1",
    "server-template x 3 a.example.com:1 track api/m1",
    ...["conn", "conn_free", "is_up", "queue", "sess_rate", "uweight", "weight", "iweight"].map(
      (asked) => `acl a srv_${asked}(api/m1) gt 0`,
    ),
    "http-request deny if { srv_is_up( api/m1 ) }",
    "http-request deny unless !{ srv_is_up(api/m1) }",
    'http-request set-header X "%[srv_queue(api/m1)] %[src]"',
    "http-request deny if { str(api/m1),srv_queue gt 3 }",
    "tcp-request session attach-srv api/m1",
    "bind rhttp@api/m1",
  ];
  const places = [
    ...own.map((line) => ({ line, files: filesOf(["global"], [...api, line]), at: /^\/etc\/haproxy\/1\.cfg line 4 / })),
    ...anywhere.map((line) => ({
      line,
      files: filesOf(api, ["frontend f", "  mode tcp"], ["listen l", `  ${line}`, "  server z 10.0.0.1"]),
      at: /^\/etc\/haproxy\/2\.cfg line 2 \(listen l\) refers to m1 of backend api \(master-1.*, \/etc\/haproxy\/0\.cfg line 2\)/,
    })),
    { line: "acl a srv_name m1", files: filesOf(["frontend f", "acl a srv_name m1"], api), at: /^\S+0\.cfg line 2 / },
    {
      line: "acl a srv_id 2",
      files: filesOf(["frontend f", "acl a srv_id 2"], api),
      at: /^\S+0\.cfg line 2 .*by its number/,
    },
    { line: "default-server", files: filesOf(["defaults", "default-server track m1"], api), at: /^\S+0\.cfg line 2 / },
  ];
  for (const { line, files, at } of places) {
    it(`${line} (${files.length} files)`, () => assert.throws(() => dropFrom(files, leaving), refusal(at)));
  }

  const harmless: string[] = [
    "# use-server m1 if TRUE",
    "use-server m2 if TRUE # not m1, nor { srv_is_up(api/m1) }",
    "use-server m2 if m1",
    "acl m1 src 10.0.0.1",
    "acl a hdr(host) m1",
    "acl a srv_name m2 m10",
    "acl a nbsrv(api) lt 2",
    "acl a srv_is_up(api/m10)",
    "acl a srv_is_up(apis/m1)",
    "acl a srv_id 3",
    "http-request set-header X m1",
    "description api/m1",
    "balance hdr(m1)",
    "stick-table type ip size 1m",
    "server m3 10.0.0.3 cookie m1",
    "email-alert from m1@example.com",
    "http-request deny if { str(api/m1) -m found }",
  ];
  for (const line of harmless) {
    it(`not so ${line}`, () => {
      assert.equal(dropFrom(filesOf([...api, line], ["frontend f", line]), leaving).dropped.length, 1);
    });
  }

  it("not so what haproxy ignores where it stands", () => {
    const ignored = ["frontend f", "use-server m1 if TRUE", "stick on src if m1", "server x 10.0.0.1 track m1"];
    assert.equal(dropFrom(filesOf(api, ignored, ["peers p", "server m1 10.0.0.1:1"]), leaving).dropped.length, 1);
  });

  it("but in whatever section, when it says the backend", () => {
    assert.throws(
      () => dropFrom(filesOf(api, ["fcgi-app a", "acl up srv_is_up(api/m1)"]), leaving),
      refusal(/1\.cfg line 2 /),
    );
  });

  it("not so another backend's own m1, nor a number that keeps its server", () => {
    const other = ["backend b", "server m1 10.0.0.1", "use-server m1 if TRUE", "acl a srv_name m1", "acl b srv_id 1"];
    const numbered = ["backend c", "server a 10.0.0.1", gone, "acl first srv_id 1"];
    const fixed = ["backend d", `${gone} id 7`, `${stays} id 3`, "acl a srv_id 3"];
    assert.equal(dropFrom(filesOf(api, other, numbered, fixed), leaving).dropped.length, 3);
  });
});

describe("what leads to the host without a server line is refused", () => {
  const detours: [string, RegExp][] = [
    ["server-template m 3 api-1.internal:8443", /makes servers of master-1/],
    ["dispatch 192.168.55.12:8443", /sends traffic to master-1/],
    ["http-request set-dst str(192.168.55.12)", /sends traffic to master-1/],
    ["tcp-request content set-dst ipv4(192.168.55.12)", /sends traffic to master-1/],
    ["server m3 10.0.0.3 check addr 192.168.55.12 port 1936", /health of another server/],
    ["default-server agent-check agent-addr 192.168.55.12", /health of another server/],
    ["http-check connect addr 192.168.55.12 port 80", /health of another server/],
  ];
  for (const [line, message] of detours) {
    it(line, () => {
      const files = filesOf(api, ["backend b", "server x 10.0.0.1", line]);
      assert.throws(() => dropFrom(files, leaving), refusal(message));
      assert.throws(() => dropFrom(files, leaving), refusal(/^\/etc\/haproxy\/1\.cfg line 3 \(backend b\)/));
      const other = files.map((file) => ({
        ...file,
        text: file.text.replace(line, line.replace(/192\S+12|api-1\S+/, "10.9.9.9")),
      }));
      assert.equal(dropFrom(other, leaving).dropped.length, 1);
    });
  }

  it("its own line may have a check elsewhere", () => {
    const checked = gone.replace("check", "check addr 192.168.55.12");
    assert.equal(dropFrom(filesOf(["backend a", checked, stays]), leaving).dropped.length, 1);
  });
});

describe("an address that is not written out", () => {
  for (const written of ["${M1}:8443", "$M1:8443", "'${M1}':8443", '"$M1":8443'])
    it(written, () => {
      const files = filesOf(["global"], ["backend a", `server x ${written}`, stays]);
      assert.throws(() => dropFrom(files, leaving), refusal(/^\/etc\/haproxy\/1\.cfg line 2 .*environment/));
    });
});

describe("bindsFor", () => {
  const backends = [
    "backend api",
    gone,
    "backend other",
    stays,
    "listen own",
    "  bind :22623",
    "  server m1 api-1.internal:1",
  ];
  const binds = (...lines: string[]): string[] =>
    bindsFor(filesOf(lines, backends), [leaving]).map(
      (bind) => `${bind.section} ${bind.line} ${bind.address} ${bind.port}`,
    );

  it("names file, section, line, address and port", () => {
    assert.deepEqual(
      bindsFor(filesOf(["frontend f", "  bind *:8443 ssl crt /x", "  default_backend api"], backends), [leaving]),
      [
        { file: "/etc/haproxy/0.cfg", section: "frontend f", line: 2, address: "*", port: 8443 },
        { file: "/etc/haproxy/1.cfg", section: "listen own", line: 6, address: "", port: 22623 },
      ],
    );
    assert.deepEqual(bindsFor(filesOf(backends), [{ name: "x", addresses: ["10.9.9.9"] }]), []);
  });

  const own = "listen own 6  22623";
  const cases: [string, string[], string[]][] = [
    [
      "use_backend",
      ["frontend f", "bind 10.0.0.5:1", "use_backend api if { src 10.0.0.0/8 }"],
      ["frontend f 2 10.0.0.5 1"],
    ],
    [
      "a listen's use_backend",
      ["listen f", "bind lb.example.com:1", "use_backend own"],
      ["listen f 2 lb.example.com 1"],
    ],
    ["another backend", ["frontend f", "bind :1", "default_backend other"], []],
    ["a computed name", ["frontend f", "bind :1", "use_backend %[hdr(host)]"], []],
    ["that of defaults", ["defaults", "default_backend api", "frontend f", "bind :1"], ["frontend f 4  1"]],
    [
      "its own before that of defaults",
      ["defaults", "default_backend api", "frontend f", "bind :1", "default_backend other"],
      [],
    ],
    ["new defaults", ["defaults", "default_backend api", "defaults", "frontend f", "bind :1"], []],
    [
      "several addresses, families and ranges",
      ["frontend f", "default_backend api", "bind [::]:1,:::2,ipv6@:::3,ipv4@*:4-9", 'bind "10.0.0.1":5 v6only # :6'],
      ["frontend f 3 :: 1", "frontend f 3 :: 2", "frontend f 3 :: 3", "frontend f 3 * 4", "frontend f 4 10.0.0.1 5"],
    ],
    [
      "no sockets",
      [
        "frontend f",
        "default_backend api",
        "bind /run/x",
        "bind unix@/x,fd@3,abns@x:1,rhttp@a/b,quic4@:2,udp@:3",
        "#bind :1",
      ],
      [],
    ],
    ["no number", ["frontend f", "default_backend api", 'bind "*:${PORT}"'], ["frontend f 3 * undefined"]],
    ["haproxy 1.5", ["frontend f *:5000", "default_backend api", "listen stats :9000"], ["frontend f 1 * 5000"]],
  ];
  for (const [why, lines, expected] of cases) {
    it(why, () => assert.deepEqual(binds(...lines), [...expected, own]));
  }
});

describe("properties", () => {
  const body = fc.constantFrom(
    "",
    "# note",
    "  mode tcp",
    gone,
    "  server x api-1.internal:1 check # x",
    "  server y 192.168.55.120:1",
  );
  const section = fc.tuple(fc.constantFrom("backend", "listen"), fc.array(body, { maxLength: 8 }));
  const texts = fc
    .array(fc.array(section, { minLength: 1, maxLength: 3 }), { maxLength: 4 })
    .map((files) =>
      files.map((sections, file) =>
        sections.flatMap(([kind, lines], at) => [`${kind} s${file}-${at}`, "  server keep 10.9.9.9:1", ...lines]),
      ),
    );

  it("several files are edited as their concatenation, and no other file changes", () => {
    fc.assert(
      fc.property(texts, (lines) => {
        const files = filesOf(...lines);
        const whole = files.map(({ text }) => text).join("");
        const after = dropFrom(files, leaving).files;
        assert.equal(after.map(({ text }) => text).join(""), dropHost(whole, leaving).text);
        assert.deepEqual(
          serversIn(files).map(({ server, address, disabled }) => [server, address, disabled]),
          serversOf(whole).map(({ server, address, disabled }) => [server, address, disabled]),
        );
        after.forEach((file, at) => {
          const isTouched = serversOfHostIn(filesOf(...lines), leaving).some((each) => each.file === file.path);
          assert.equal(file === files[at], !isTouched);
        });
        const drained = disableIn(files, leaving, true);
        assert.deepEqual(disableIn(drained.files, leaving, true), { files: drained.files, changed: [] });
        assert.deepEqual(disableIn(drained.files, leaving, false).files, files);
      }),
      { numRuns: 300 },
    );
  });
});
