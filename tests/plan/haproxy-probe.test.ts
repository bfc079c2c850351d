/** The probe of a load balancer, run by real shells on a played host: what it reads of a running haproxy's command line and files. */
import assert from "node:assert/strict";
import { utimesSync } from "node:fs";
import { createServer } from "node:net";
import { after, beforeEach, describe, it } from "node:test";
import { type BalancerFacts, balancerFacts } from "../../providers/plan/facts.ts";
import { type BalancerProbe, balancerProbe, portOf, probeOf } from "../../providers/plan/haproxy-probe.ts";
import { partsOf } from "../../providers/plan/parts.ts";
import { PlayedHost, real, shells, syntaxOf } from "./played-host.ts";
import { changeOf, master } from "./world.ts";

const asked: BalancerProbe = {
  config: "/etc/haproxy/haproxy.cfg",
  service: "haproxy",
  api: "192.168.55.5:8443",
  names: [],
};

let host: PlayedHost;
const hosts: PlayedHost[] = [];
after(() => hosts.forEach((one) => one.remove()));
beforeEach(() => fresh());

/** A host whose haproxy prints its words and its environment, and whose other fakes answer nothing. */
function fresh(more: readonly string[] = ["bash"]): void {
  host = new PlayedHost(more);
  hosts.push(host);
  running("0");
  for (const name of ["ss", "curl", "ps", "getent"]) host.fake(name, ":");
  const print = `printf '%s\\n' "$@"; env`;
  host.fake("sbin/haproxy", print);
  host.fake("haproxy", print);
}
/** systemd says of the unit that it runs as this process. */
const running = (pid: string): void =>
  host.unit({ LoadState: "loaded", ActiveState: "active", CanReload: "yes", MainPID: pid });
/** A haproxy runs with these words, in the folder of the host unless another is given. */
const start = (words: readonly string[], o: Parameters<PlayedHost["process"]>[1] = {}): void =>
  running(host.process(["/usr/sbin/haproxy", ...words], { exe: host.at("sbin/haproxy"), cwd: host.folder, ...o }));

interface Seen {
  readonly facts: BalancerFacts;
  /** Paths of the files, in order, below the host's folder. */
  readonly paths: readonly string[];
  /** What the check of haproxy was given, and its environment. */
  readonly check: readonly string[];
  part(name: string): string;
}
async function look(over: Partial<BalancerProbe> = {}, shell = "dash"): Promise<Seen> {
  const o = { ...asked, config: host.at("haproxy.cfg"), ...over };
  const { code, stdout, stderr } = await host.run(balancerProbe(o), shell);
  assert.deepEqual([code, stderr.replace(/.*\/proc\/0\/cmdline.*\n/, "")], [0, ""]);
  const parts = partsOf(stdout);
  const part = (name: string): string => Buffer.from(parts.get(name)?.bytes ?? []).toString();
  const facts = balancerFacts(stdout, o.config);
  const paths = [...parts.keys()]
    .filter((name) => name.startsWith("path:"))
    .map((name) => part(name).replace(`${host.folder}/`, ""));
  return { facts, paths, check: part("valid").trimEnd().split("\n"), part };
}
const checked = (seen: Seen): readonly string[] =>
  seen.check
    .slice(
      0,
      seen.check.findIndex((line) => line.includes("=")),
    )
    .map((word) => word.replace(`${host.folder}/`, ""));

describe("the script", () => {
  for (const shell of shells)
    it(`is understood by ${shell}, whatever is declared`, () => {
      const odd = { config: "/a b/$(x)'.cfg", service: "haproxy@x", api: "[fd00::5]:443", names: ["a.example.com"] };
      for (const o of [asked, odd]) assert.equal(syntaxOf(balancerProbe(o), shell), "");
    });
  it("portOf", () => {
    for (const [api, port] of [
      ["192.168.55.5:8443", "8443"],
      ["[fd00::5]:443", "443"],
      ["api.example.com:1", "1"],
    ] as const)
      assert.equal(portOf(api), port);
  });
  it("asks DNS about masters that are declared by name, those that leave too", () => {
    const change = changeOf(4, [3]);
    const entry = change.settings.loadBalancers["lb-0.example.com"];
    assert.ok(entry?.kind === "haproxy");
    const { names, ...rest } = probeOf(entry, {
      ...change,
      survivors: { ...change.survivors, [master(0)]: "m0.example.com", [master(1)]: "fd00::1" },
      leaving: { [master(3)]: "m3.example.com" },
    });
    assert.deepEqual([...names].sort(), ["m0.example.com", "m3.example.com"]);
    assert.deepEqual(rest, { config: asked.config, service: "haproxy", api: asked.api });
  });
});

for (const shell of shells)
  describe(`the command line, read by ${shell}`, () => {
    const cases: [what: string, words: readonly string[], paths: readonly string[], options: readonly string[]][] = [
      ["-f", ["-Ws", "-f", "a.cfg", "-p", "/run/haproxy.pid"], ["a.cfg"], []],
      ["-f a -f b -- c d", ["-f", "a.cfg", "-f", "b.cfg", "--", "c.cfg", "-f"], ["a.cfg", "b.cfg", "c.cfg", "-f"], []],
      [
        "-L, -m, -n, -N are kept",
        ["-L", "x", "-m", "9", "-n", "5", "-N", "7", "-f", "a.cfg"],
        ["a.cfg"],
        ["-L", "x", "-m", "9", "-n", "5", "-N", "7"],
      ],
      [
        "-dr and -dV are kept, -db and -D are not",
        ["-dr", "-db", "-D", "-dV", "-q", "-f", "a.cfg"],
        ["a.cfg"],
        ["-dr", "-dV"],
      ],
      ["-sf 1 2 -x sock -Ws", ["-sf", "1", "2", "-x", "/run/s.sock", "-f", "a.cfg", "-Ws"], ["a.cfg"], []],
      ["-f behind process ids", ["-st", "17", "-f", "a.cfg"], ["a.cfg"], []],
      ["-S with its options", ["-Ws", "-S", "/run/master.sock,level,admin", "-f", "a.cfg"], ["a.cfg"], []],
      [
        "the value of one is no word of its own",
        ["-p", "-f", "-x", "-f", "-S", "--", "-L", "--", "-f", "a.cfg"],
        ["a.cfg"],
        ["-L", "--"],
      ],
      ["blanks and quotes", ["-f", "my haproxy/it's $HOME \\n.cfg"], ["my haproxy/it's $HOME \\n.cfg"], []],
      ["blanks around it", ["-f", " a b.cfg "], [" a b.cfg "], []],
      ["an absolute one", ["-f", "/dev/null"], ["/dev/null"], []],
    ];
    for (const [what, words, paths, options] of cases)
      it(what, async () => {
        for (const path of paths.filter((one) => !one.startsWith("/"))) host.file(path, `# ${path}\n`);
        start(words);
        const seen = await look({ config: host.at(paths[0] ?? "") }, shell);
        assert.deepEqual([seen.paths, seen.facts.options], [paths, options]);
        assert.deepEqual(checked(seen), ["-c", ...options, ...paths.flatMap((path) => ["-f", path])]);
        assert.equal(seen.facts.program, host.at("sbin/haproxy"));
        assert.equal(seen.facts.workers, words.includes("-Ws"));
      });
    it("a folder: its *.cfg in byte order, none that is hidden, no folder", async () => {
      for (const path of [
        "conf.d/b.cfg",
        "conf.d/B.cfg",
        "conf.d/10 a.cfg",
        "conf.d/.x.cfg",
        "conf.d/c.cfg.old",
        "conf.d/d.cfg/e",
        "z.cfg",
      ])
        host.file(path, "#\n");
      start(["-f", "conf.d/", "-f", "z.cfg"]);
      const seen = await look({ config: host.at("conf.d") }, shell);
      assert.deepEqual(seen.paths, ["conf.d/10 a.cfg", "conf.d/B.cfg", "conf.d/b.cfg", "z.cfg"]);
      assert.equal(seen.facts.files.length, 4);
    });
    it("-C: relative files begin there, and the check is given it too", async () => {
      host.file("etc/a.cfg", "#\n");
      start(["-C", "etc", "-f", "a.cfg"]);
      const seen = await look({ config: host.at("etc/a.cfg") }, shell);
      assert.deepEqual([seen.paths, seen.facts.options], [["etc/a.cfg"], ["-C", "etc"]]);
      start(["-C", host.at("etc"), "-f", "a.cfg"], { cwd: "/" });
      assert.deepEqual((await look({ config: host.at("etc/a.cfg") }, shell)).paths, ["etc/a.cfg"]);
    });
    it("without a process: the declared file, by the PATH's haproxy", async () => {
      host.file("haproxy.cfg", "#\n");
      const seen = await look({}, shell);
      assert.deepEqual([seen.paths, seen.facts.program, seen.facts.options], [["haproxy.cfg"], "haproxy", []]);
      assert.deepEqual(checked(seen), ["-c", "-f", "haproxy.cfg"]);
    });
  });

describe("the program", () => {
  it("of 1.5's wrapper: haproxy beside it", async () => {
    host.file("a.cfg", "#\n");
    host.fake("sbin/haproxy-systemd-wrapper", "exit 9");
    start(["-f", "a.cfg", "-p", "/run/haproxy.pid"], { exe: host.at("sbin/haproxy-systemd-wrapper") });
    const seen = await look({ config: host.at("a.cfg") });
    assert.deepEqual([seen.facts.program, seen.facts.valid], [host.at("sbin/haproxy"), true]);
  });
  it("that an update has replaced", async () => {
    host.file("a.cfg", "#\n");
    start(["-f", "a.cfg"], { exe: `${host.at("sbin/haproxy")} (deleted)` });
    assert.equal((await look({ config: host.at("a.cfg") })).facts.program, host.at("sbin/haproxy"));
  });
  it("its exit code and what it says are haproxy's judgement", async () => {
    host.file("a.cfg", "#\n");
    host.fake("sbin/haproxy", 'echo "HA-Proxy version 1.5.18 2016/05/10"; echo "[ALERT] bad" >&2; exit 1');
    start(["-f", "a.cfg"]);
    const { facts } = await look({ config: host.at("a.cfg") });
    assert.deepEqual([facts.valid, facts.version], [false, "1.5.18"]);
    assert.match(facts.validSeen, /\[ALERT\] bad$/);
  });
});

describe("the check has the unit's environment", () => {
  const environ = {
    MASTER0: `192.168.55.8 "and" it's $HOME\\`,
    LINES: "a\nb",
    "not a name": "x",
    HAPROXY_MWORKER: "1",
    HAPROXY_MWORKER_WAIT_ONLY: "1",
    HAPROXY_CFGFILES: "/x",
    HAPROXY_PROCESSES: "p",
    HAPROXY_OWN: "kept",
    NOTIFY_SOCKET: "/run/systemd/notify",
    WATCHDOG_USEC: "1",
    LISTEN_FDS: "2",
    LC_ALL: "de_DE.UTF-8",
  };
  it("whatever stands in a variable, without what would make it a reload", async () => {
    host.file("a.cfg", "#\n");
    start(["-f", "a.cfg"], { environ });
    const { check } = await look({ config: host.at("a.cfg") });
    for (const line of [`MASTER0=${environ.MASTER0}`, "LINES=a", "b", "HAPROXY_OWN=kept", "LC_ALL=C"])
      assert.ok(check.includes(line), line);
    assert.doesNotMatch(check.join("\n"), /MWORKER|CFGFILES|PROCESSES|NOTIFY|WATCHDOG|LISTEN_|de_DE|not a name/);
  });
  it("without bash, ours", async () => {
    fresh([]);
    host.file("a.cfg", "#\n");
    start(["-f", "a.cfg"], { environ });
    const { check } = await look({ config: host.at("a.cfg") });
    assert.doesNotMatch(check.join("\n"), /MASTER0/);
    assert.deepEqual(check.slice(0, 3), ["-c", "-f", host.at("a.cfg")]);
  });
});

describe("the files", () => {
  it("what haproxy reads instead of the declared one is told", async () => {
    host.file("haproxy.cfg", "# declared\n");
    host.file("other.cfg", "# read\n");
    start(["-f", "other.cfg"]);
    const { facts } = await look();
    assert.deepEqual([facts.files, facts.filesSeen], [[], `haproxy there reads ${host.at("other.cfg")} instead`]);
  });
  it("a declared path that is not there at all does not stand for it", async () => {
    host.file("other.cfg", "# read\n");
    start(["-f", "other.cfg"]);
    const { facts } = await look({ config: "/nowhere/at/all/haproxy.cfg" });
    assert.deepEqual([facts.files, facts.filesSeen], [[], `haproxy there reads ${host.at("other.cfg")} instead`]);
  });
  it("one that is gone", async () => {
    host.file("haproxy.cfg", "#\n");
    start(["-f", "haproxy.cfg", "-f", "gone.cfg"]);
    assert.equal((await look()).facts.filesSeen, `${host.at("gone.cfg")}: absent`);
  });
  it("one that is larger than 4 MiB", async () => {
    host.file("haproxy.cfg", "#".repeat(4 * 2 ** 20 + 1));
    start(["-f", "haproxy.cfg"]);
    assert.equal((await look()).facts.filesSeen, `${host.at("haproxy.cfg")}: large`);
  });
  it("of a folder of 66 files 64 are read, and none is taken for all there is", async () => {
    for (let n = 0; n < 66; n += 1) host.file(`conf.d/${String(n).padStart(3, "0")}.cfg`, "#\n");
    start(["-f", "conf.d"]);
    const { facts } = await look({ config: host.at("conf.d") });
    assert.deepEqual([facts.files, facts.filesSeen], [[], "the 65th file: large"]);
  });
  it("when each was written, and when a copy of ours was last kept beside it", async () => {
    const path = host.file("haproxy.cfg", "#\n");
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    start(["-f", "haproxy.cfg"]);
    const none = await look();
    assert.deepEqual([none.part("written:1"), none.part("kept:1")], ["1700000000\n", ""]);
    const kept = host.file("haproxy.cfg.before-120000-abcdef", "#\n");
    utimesSync(kept, 5, 5);
    const at = Number((await look()).part("kept:1"));
    assert.ok(Math.abs(at - Date.now() / 1000) < 60, `the time of its inode, not of its text: ${at}`);
  });
});

describe("when the youngest process of the unit began", () => {
  const born = async (table: (main: string) => readonly string[]): Promise<number | undefined> => {
    host.file("haproxy.cfg", "#\n");
    start(["-f", "haproxy.cfg"]);
    const main = host.process(["haproxy", "-f", "haproxy.cfg"], { exe: host.at("sbin/haproxy"), cwd: host.folder });
    host.fake("ps", `cat <<'END'\n${table(main).join("\n")}\nEND`);
    const text = (await look()).part("born").trim();
    return text === "0" ? undefined : Math.round(Date.now() / 1000 - Number(text));
  };
  const near = (age: number | undefined, seconds: number): void =>
    assert.ok(age !== undefined && Math.abs(age - seconds) <= 2, `${age} is not ${seconds}`);
  it("a worker, of a worker too, and nobody else's", async () =>
    near(
      await born((main) => ["1 0 9000", `${main} 1 5000`, `81 ${main} 300`, "82 81 120", "90 1 3", "91 90 2"]),
      120,
    ));
  it("the main process alone", async () => near(await born((main) => ["1 0 9000", `${main} 1 5000`, "90 1 3"]), 5000));
  it("nothing when it is not there", async () => assert.equal(await born(() => ["1 0 9000", "90 1 3"]), undefined));
});

describe("its stats socket", () => {
  const cases: [what: string, lines: readonly string[], socket: string][] = [
    ["level admin", ["stats socket /run/a mode 600 level admin expose-fd listeners"], "0 /run/a"],
    ["none said", ["stats socket /run/a"], "1 /run/a"],
    ["level operator", ["stats socket /run/a level operator"], "1 /run/a"],
    ["level admin in a comment", ["stats socket /run/a # level admin"], "1 /run/a"],
    [
      "the admin-level one of several",
      ["stats socket /run/a level user", "stats socket unix@/run/b level admin", "stats socket /run/c level admin"],
      "0 /run/b",
    ],
    ["the first of several that are not", ["stats socket /run/b", "stats socket /run/a level operator"], "1 /run/b"],
    ["in quotes, with tabs and CRLF", ['stats\tsocket\t"/run/a"\tlevel\tadmin\r'], "0 /run/a"],
    ["a commented line is none", ["# stats socket /run/a level admin", "#stats socket /run/b level admin"], ""],
    ["over TCP it is not asked", ["stats socket ipv4@127.0.0.1:9999 level admin", "stats socket /run/a"], "1 /run/a"],
    ["none", ["stats timeout 2m"], ""],
  ];
  for (const [what, lines, socket] of cases)
    it(what, async () => {
      host.file("a.cfg", "global\n");
      host.file("haproxy.cfg", `global\n${lines.map((line) => `    ${line}`).join("\n")}`);
      start(["-f", "a.cfg", "-f", "haproxy.cfg"]);
      const seen = await look();
      assert.equal(seen.part("socket").trim(), socket);
    });

  /** haproxy's end of the socket, played by node: it tells what it was asked. */
  async function served<T>(answer: string, ask: () => Promise<T>): Promise<{ got: T; asked: string }> {
    let heard = "";
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.setEncoding("utf8").on("data", (text: string) => {
        heard += text;
        if (heard.includes("\n")) socket.end(answer);
      });
    });
    await new Promise<void>((resolve) => server.listen(host.at("s"), resolve));
    try {
      return { got: await ask(), asked: heard };
    } finally {
      server.close();
    }
  }
  for (const client of ["python3", "socat"])
    it(`is asked by ${client}`, async (t) => {
      if (real(client) === undefined) {
        t.skip(`there is no ${client} here`);
        return;
      }
      fresh(["bash", client]);
      host.file("haproxy.cfg", `global\n    stats socket ${host.at("s")} level admin\n`);
      start(["-f", "haproxy.cfg"]);
      const rows = "# pxname,svname,scur,status,type,check_status,\napi,m0,3,UP,2,L7OK,\n\n";
      const { got, asked: order } = await served(rows, () => look());
      assert.deepEqual(got.facts.stats, [{ backend: "api", server: "m0", status: "UP", sessions: 3, check: "L7OK" }]);
      assert.equal(order, "show stat\n");
    });
  it("without any client there are no statistics, and it is said why", async () => {
    host.file("haproxy.cfg", `global\n    stats socket ${host.at("s")} level admin\n`);
    start(["-f", "haproxy.cfg"]);
    const seen = await look();
    assert.deepEqual([seen.facts.stats, seen.facts.admin], [undefined, true]);
    assert.equal(seen.part("stats"), "neither socat nor python is on this host\n");
  });
});

describe("names and the API", () => {
  it("every name of a server line and every master that is declared by name, once", async () => {
    host.fake(
      "getent",
      'echo "$*" >>"$HERE/asked"; case $2 in c.example.com) echo "10.0.0.2 STREAM c"; echo "10.0.0.2 DGRAM"; echo "10.0.0.1 STREAM" ;; esac',
    );
    host.file(
      "haproxy.cfg",
      "backend b\n  server a C.example.com:8443\n  server b ipv4@d.example.com:8443\r\n  server c 10.0.0.1:8443\n  server d [fd00::1]:8443\n  server e unix@/run/x\n  server f lone\n  server g -x.example.com:1\n  server-template h 3 t.example.com:8443\n",
    );
    start(["-f", "haproxy.cfg"]);
    const { facts } = await look({ names: ["c.example.com", "m0.example.com"] });
    assert.deepEqual(
      host.read("asked").trim().split("\n").sort(),
      ["C.example.com", "c.example.com", "d.example.com", "lone", "m0.example.com", "t.example.com"].map(
        (name) => `ahosts ${name}`,
      ),
    );
    assert.deepEqual(facts.aliases["m0.example.com"], []);
    assert.deepEqual(facts.aliases["c.example.com"], ["10.0.0.1", "10.0.0.2"]);
  });
  it("who listens on the API's port, and what it answers there", async () => {
    host.fake("ss", 'echo "$*" >"$HERE/ss"; echo State; echo "LISTEN 0 9 *:443 *:*"');
    host.fake(
      "curl",
      `printf '%s\\n' "$@" >>"$HERE/curl"; for u; do :; done; case $u in */readyz) printf 'ok\\n200' ;; *) printf 'no\\n404' ;; esac`,
    );
    host.file("haproxy.cfg", "#\n");
    const { facts } = await look({ api: "[fd00::5]:443" });
    assert.equal(host.read("ss"), "-ltn sport = :443\n");
    assert.match(host.read("curl"), /^https:\/\/\[fd00::5\]:443\/healthz\/ready$/m);
    assert.deepEqual([facts.listening, facts.through], [true, { ready: true, asked: "/readyz", seen: "HTTP 200" }]);
  });
});
