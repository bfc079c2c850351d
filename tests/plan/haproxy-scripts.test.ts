/**
 * What is run on a load balancer, by real shells on a played host: systemctl, ss, ps, curl and socat are fakes, because there is no haproxy that runs as a unit
 * here, and the clock is one that `sleep` moves, so that a minute costs nothing. The lab's tests run the same scripts on hosts that have all of it.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";
import { after, beforeEach, describe, it } from "node:test";
import {
  type Drain,
  type Proof,
  type Wanted,
  drainScript,
  ending,
  proofScript,
  reloadScript,
  tellScript,
} from "../../providers/plan/haproxy-scripts.ts";
import { type Answer, PlayedHost, real, shells, syntaxOf } from "./played-host.ts";

const fixture = (name: string): string => readFileSync(new URL(`../fixtures/haproxy/${name}`, import.meta.url), "utf8");
const [api, section] = ["192.168.55.5:8443", "backend atomic-openshift-api"];
const line = (server: string) => ({ section, server });
const [m0, m1, m3] = [line("master0"), line("master1"), line("master3")];

let host: PlayedHost;
const hosts: PlayedHost[] = [];
after(() => hosts.forEach((one) => one.remove()));
beforeEach(() => {
  host = new PlayedHost();
  hosts.push(host);
  host.clock();
});
const orders = (): string[] => host.read("orders").split("\n").filter(Boolean);
const states = (state: string, ...servers: { server: string }[]): string[] =>
  servers.map(({ server }) => `set server atomic-openshift-api/${server} state ${state}`);

/** Rows of `show stat`, in the columns of 2.6. */
const header = fixture("show-stat-2.6.csv").split("\n")[0] ?? "";
const columns = header.slice(2).split(",");
const row = (server: string, values: Readonly<Record<string, string | number>> = {}): string => {
  const all: Record<string, string | number> = {
    pxname: "atomic-openshift-api",
    svname: server,
    scur: 0,
    status: "UP",
    check_status: "L7OK",
    type: 2,
    ...values,
  };
  return columns.map((name) => all[name] ?? "").join(",");
};
const rows = (...lines: readonly string[]): string => [header, ...lines, "", ""].join("\n");

describe("every script", () => {
  const odd = "it's $(x) `y`\n";
  const drain: Drain = { socket: odd, peers: [odd], out: [odd], back: [odd], then: [odd], seconds: 1 };
  const proof: Proof = {
    service: "haproxy@x",
    api: "[fd00::5]:443",
    socket: odd,
    wanted: [{ be: "up", server: line(odd) }],
    seconds: 1,
    first: { script: reloadScript("haproxy", true), reloads: true },
  };
  for (const shell of shells)
    it(`is understood by ${shell}, whatever stands in it`, () => {
      const scripts = [drainScript(drain), tellScript(odd, [odd]), proofScript(proof), reloadScript("h@x", false)];
      for (const script of scripts) assert.equal(syntaxOf(script, shell), "");
    });
});

describe("tellScript", () => {
  const told = (...said: readonly string[]): Promise<Answer> => host.run(tellScript("/run/my haproxy/s", said));
  for (const [release, answer] of [
    ["1.5", fixture("set-server-1.5.txt")],
    ["2.6", fixture("set-server-2.6.txt")],
  ] as const)
    it(`each order in its turn, to that socket; ${release} answers with an empty line`, async () => {
      host.file("ok", answer);
      host.socket("", 'set*) cat "$HERE/ok" ;;');
      assert.deepEqual(await told("set server a/b state ready", "set server a/c state ready"), {
        code: 0,
        stdout: "",
        stderr: "",
      });
      assert.deepEqual(orders(), ["set server a/b state ready", "set server a/c state ready"]);
      assert.match(host.read("socat"), /^-t 5 stdio UNIX-CONNECT:\/run\/my haproxy\/s$/m);
    });
  for (const refusal of [
    "set-server-2.6-wrong-state.txt",
    "set-server-2.6-unknown.txt",
    "unknown-command-1.5.txt",
    "disable-server-user-level.txt",
    "disable-server-unknown.txt",
    "disable-server-unknown-backend.txt",
  ])
    it(`a refusal ends it: ${refusal}`, async () => {
      host.file("no", fixture(refusal));
      host.socket("", '*b*) cat "$HERE/no" ;;');
      const { code, stdout } = await told("order a", "order b", "order c");
      assert.equal(code, ending.refused);
      assert.deepEqual(orders(), ["order a", "order b"]);
      const [first = "", ...more] = stdout.trimEnd().split("\n");
      assert.equal(first, `haproxy was told: order b; it said: ${fixture(refusal).split("\n")[0] ?? ""}`);
      assert.ok(more.length < 5);
    });
  it("a socket that does not answer is no consent", async () => {
    host.fake("socat", 'echo "socat: E connect: Connection refused" >&2; exit 1');
    const { code, stdout } = await told("order a");
    assert.deepEqual(
      [code, stdout],
      [87, "haproxy was told: order a; it said: socat: E connect: Connection refused\n"],
    );
  });
  it("an empty answer of a client that failed neither", async () => {
    host.fake("socat", "exit 1");
    assert.deepEqual((await told("order a")).code, 87);
  });
  it("without a client it is said that there is none", async () =>
    assert.match((await told("order a")).stdout, /it said: neither socat nor python is on this host/));
});

describe("drainScript", () => {
  const peers = ["192.168.55.21:8443"];
  const drain = (over: Partial<Drain> & { servers?: { section: string; server: string }[] } = {}, shell?: string) => {
    const { servers = [m3], ...more } = over;
    const all = { socket: "/run/s", peers, out: states("drain", ...servers), back: states("ready", ...servers) };
    return host.run(drainScript({ ...all, then: [], seconds: 60, ...more }), shell);
  };
  const lines = ({ stdout }: Answer): string[] => stdout.split("\n").filter(Boolean);
  /** Connections to the servers as the seconds go by, below the header of ss. */
  const falling = (...counts: readonly number[]): void => {
    const list = (n: number) => `Recv-Q Send-Q Local Peer\n${"0 0 192.168.55.5:40000 192.168.55.21:8443\n".repeat(n)}`;
    counts.forEach((count, at) => host.file(`open.${at}`, list(count)));
    host.file("open", list(counts[0] ?? 0));
    host.clock('[ ! -f "$HERE/open.$now" ] || mv "$HERE/open.$now" "$HERE/open"');
    host.fake("ss", 'printf "%s\\n" "$*" >>"$HERE/asked"; cat "$HERE/open"');
    host.socket(rows(row("master3")));
  };

  for (const shell of shells)
    it(`tells the open connections when they change, and ends when none is left (${shell})`, async () => {
      falling(3, 3, 1, 0);
      const answer = await drain({}, shell);
      assert.deepEqual(
        [answer.code, lines(answer), answer.stderr],
        [0, ["sessions 3 0", "sessions 1 2", "sessions 0 3"], ""],
      );
      assert.deepEqual(orders(), states("drain", m3));
      assert.match(host.read("asked"), /^-tn state established \( dst 192\.168\.55\.21:8443 \)$/m);
    });
  it("of several servers all connections, by address and port", async () => {
    falling(1, 0);
    await drain({ peers: ["192.168.55.21:8443", "[fd00::21]:443"] });
    assert.match(
      host.read("asked"),
      /^-tn state established \( dst 192\.168\.55\.21:8443 or dst \[fd00::21\]:443 \)$/m,
    );
  });
  it("where a reload took the server out nobody is told anything", async () => {
    falling(2, 0);
    assert.deepEqual(lines(await drain({ socket: "", servers: [] })), ["sessions 2 0", "sessions 0 1"]);
    assert.deepEqual(orders(), []);
  });
  it("none at the begin: it ends at once", async () => {
    falling(0);
    assert.deepEqual(lines(await drain({ then: states("maint", m3) })), ["sessions 0 0"]);
    assert.deepEqual(orders(), [...states("drain", m3), ...states("maint", m3)]);
  });
  it("every ten seconds a line, and an end when the time is over; then what comes next", async () => {
    falling(2);
    const answer = await drain({ seconds: 25, then: states("maint", m3) });
    assert.deepEqual([answer.code, lines(answer)], [0, ["sessions 2 0", "sessions 2 10", "sessions 2 20"]]);
    assert.deepEqual(orders(), [...states("drain", m3), ...states("maint", m3)]);
    assert.equal(host.read("asked").trimEnd().split("\n").length, 26);
  });
  it("no time to wait: one look", async () => {
    falling(2);
    assert.deepEqual(lines(await drain({ seconds: 0 })), ["sessions 2 0"]);
  });
  it("an order that is refused: exit 87, the earlier ones undone, nothing waited for", async () => {
    falling(2);
    host.file("no", fixture("disable-server-unknown.txt"));
    host.socket(rows(row("master3")), '*master3*drain) cat "$HERE/no" ;;');
    const { code, stdout } = await drain({ servers: [m1, m3] });
    assert.equal(code, ending.refused);
    assert.match(
      stdout,
      /^haproxy was told: set server atomic-openshift-api\/master3 state drain; it said: No such server\./,
    );
    assert.deepEqual(orders(), [...states("drain", m1, m3), ...states("ready", m1, m3)]);
  });
  it("of those behind the time an order that is refused takes nothing back", async () => {
    falling(0);
    host.socket(rows(row("master3")), "*maint) echo no ;;");
    const { code, stdout } = await drain({ then: states("maint", m3) });
    assert.deepEqual(
      [code, stdout.split("\n")[1]],
      [87, "haproxy was told: set server atomic-openshift-api/master3 state maint; it said: no"],
    );
    assert.deepEqual(orders(), states("drain", m3).concat(states("maint", m3)));
  });
  it("an ss that cannot tell: nobody knows, and the time is waited for", async () => {
    falling(3);
    host.clock('[ "$now" != 2 ] || printf "#!/bin/sh\\nexit 1\\n" >"$HERE/bin/ss"');
    const answer = await drain({ seconds: 14 });
    assert.deepEqual([answer.code, lines(answer)], [0, ["sessions 3 0", "sessions unknown 2", "sessions unknown 12"]]);
  });
  it("a socket that does not answer ends it before anything is waited for", async () => {
    falling(3);
    host.fake("socat", "exit 1");
    const { code, stdout } = await drain();
    assert.deepEqual([code, stdout.split(";")[0]], [ending.refused, `haproxy was told: ${states("drain", m3).join()}`]);
    assert.equal(host.read("asked"), "");
  });

  it("of real connections, by the real ss", async (t) => {
    if (real("ss") === undefined) {
      t.skip("there is no ss here");
      return;
    }
    host = new PlayedHost(["ss"]);
    hosts.push(host);
    const servers = [createServer(), createServer()];
    const [port = 0, other = 0] = await Promise.all(servers.map(listens));
    const ours = await Promise.all([port, port, port].map(connected));
    const theirs = await connected(other);
    try {
      const here = { socket: "", servers: [], peers: [`127.0.0.1:${port}`, "[::1]:1"] };
      assert.deepEqual(lines(await drain({ ...here, seconds: 0 })), ["sessions 3 0"]);
      const ending = drain({ ...here, seconds: 20 });
      await new Promise((resolve) => setTimeout(resolve, 1000));
      for (const one of ours) one.destroy();
      assert.match((await ending).stdout, /^sessions 3 0\nsessions 0 [1-9]\n$/);
    } finally {
      for (const one of [...ours, theirs]) one.destroy();
      for (const one of servers) one.close();
    }
  });
});

const listens = (server: Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));
const connected = (port: number): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
  });

describe("reloadScript", () => {
  const load = (
    restart: boolean,
    shows: Readonly<Record<string, string>>,
    does?: string,
    shell?: string,
  ): Promise<Answer> => {
    host.unit({ ActiveState: "active", CanReload: "yes", ...shows }, does);
    host.fake("journalctl", 'echo "journal of $*"');
    return host.run(reloadScript("haproxy", restart), shell);
  };
  const cases: [what: string, restart: boolean, shows: Readonly<Record<string, string>>, told: string][] = [
    ["it runs", false, {}, "reload haproxy.service"],
    ["it is being reloaded", false, { ActiveState: "reloading" }, "reload haproxy.service"],
    ["it has failed", false, { ActiveState: "failed" }, "restart haproxy.service"],
    ["it was stopped", false, { ActiveState: "inactive" }, "restart haproxy.service"],
    ["it cannot reload", false, { CanReload: "no" }, "restart haproxy.service"],
    ["it is configured to restart", true, {}, "restart haproxy.service"],
  ];
  for (const shell of shells)
    for (const [what, restart, shows, told] of cases)
      it(`${what}: ${told} (${shell})`, async () => {
        assert.deepEqual(await load(restart, shows, undefined, shell), { code: 0, stdout: "", stderr: "" });
        const first = told.startsWith("restart") ? "reset-failed haproxy.service\n" : "";
        assert.equal(host.read("told"), `${first}${told}\n`);
      });
  it("a failure: exit 88, what systemctl said, and the end of the journal", async () => {
    const { code, stdout } = await load(false, {}, 'echo "Job for haproxy.service failed." >&2; exit 1');
    assert.equal(code, ending.reload);
    assert.equal(
      stdout,
      "systemctl reload haproxy: Job for haproxy.service failed.\njournal of -u haproxy.service -n 5 --no-pager -o cat\n",
    );
  });
});

describe("proofScript", () => {
  const up: Wanted[] = [
    { be: "up", server: m0 },
    { be: "up", server: m1 },
  ];
  const good = [row("master0"), row("master1")];
  const healthy = (): void => {
    host.unit({ ActiveState: "active", MainPID: "77", CanReload: "yes" });
    host.fake("ss", "echo State; echo LISTEN");
    host.fake("curl", "printf 'ok\\n200'");
    host.fake("ps", 'echo "1 0 90000"; echo "77 1 5000"; echo "78 77 $(cat "$HERE/age" 2>/dev/null || echo 0)"');
    host.socket(rows(...good));
  };
  beforeEach(healthy);
  const proved = (over: Partial<Proof> = {}, shell?: string): Promise<Answer> =>
    host.run(
      proofScript({
        service: "haproxy",
        api,
        socket: "/run/s",
        wanted: up,
        seconds: 3,
        first: { script: "", reloads: false },
        ...over,
      }),
      shell,
    );
  const waited = (): number => Number(host.read("clock"));

  for (const shell of shells)
    it(`proved at once: silent, and nobody waits (${shell})`, async () => {
      assert.deepEqual(await proved({}, shell), { code: 0, stdout: "", stderr: "" });
      assert.deepEqual([orders(), waited()], [["show stat"], 0]);
    });
  it("looks until it is so", async () => {
    host.file("better", rows(...good));
    host.socket(rows(row("master0", { status: "DOWN" }), row("master1")));
    host.clock('[ "$now" != 2 ] || mv "$HERE/better" "$HERE/stat"');
    assert.deepEqual([(await proved()).code, waited()], [0, 2]);
  });

  const stats =
    (...lines: readonly string[]) =>
    (): void =>
      host.socket(rows(...lines));
  const fake = (name: string, script: string) => (): void => void host.fake(name, script);
  const cases: [reason: string, make: () => void, over?: Partial<Proof>][] = [
    ["the unit is failed", () => host.unit({ ActiveState: "failed", MainPID: "0" })],
    ["the unit is activating", () => host.unit({ ActiveState: "activating", MainPID: "77" })],
    ["nothing listens on port 8443", fake("ss", "echo State")],
    [
      "nothing listens on port 443",
      fake("ss", '[ "$2" = "sport = :443" ] || echo LISTEN; echo State'),
      { api: "[fd00::5]:443" },
    ],
    ["its stats socket does not answer", () => host.fake("socat", "exit 1")],
    ["its stats socket gives no statistics", () => host.socket("Unknown command\n")],
    ["its stats socket gives no statistics", () => host.socket("")],
    [
      "atomic-openshift-api/master1 is DOWN",
      stats(row("master0"), row("master1", { status: "DOWN", check_status: "L4CON" })),
    ],
    ["atomic-openshift-api/master1 is UP 1/3", stats(row("master0"), row("master1", { status: "UP 1/3" }))],
    ["atomic-openshift-api/master1 is NOLB", stats(row("master0"), row("master1", { status: "NOLB" }))],
    ["atomic-openshift-api/master1 is DRAIN", stats(row("master0"), row("master1", { status: "DRAIN" }))],
    [
      "atomic-openshift-api/master1 is MAINT (resolution)",
      stats(row("master0"), row("master1", { status: "MAINT (resolution)" })),
    ],
    ["atomic-openshift-api/master1 is not there", stats(row("master0"), row("master1", { pxname: "other" }))],
    ["atomic-openshift-api/master1 is not checked yet", stats(row("master0"), row("master1", { check_status: "INI" }))],
    [
      "atomic-openshift-api/master1 is not checked yet",
      stats(row("master0"), row("master1", { check_status: "* INI" })),
    ],
    [
      "atomic-openshift-api/master3 is still there",
      stats(...good, row("master3", { status: "MAINT" })),
      { wanted: [...up, { be: "gone", server: m3 }] },
    ],
    ["atomic-openshift-api/master1 is UP", stats(...good), { wanted: [{ be: "out", server: m1 }] }],
    ["atomic-openshift-api/master1 is not there", stats(row("master0")), { wanted: [{ be: "out", server: m1 }] }],
    [`the API through ${api} (/healthz/ready): HTTP 503`, fake("curl", "printf 'no\\n503'")],
    [`the API through ${api} (/healthz/ready): HTTP 200`, fake("curl", "printf 'not ok\\n200'")],
    [
      `the API through ${api} (/readyz): HTTP 500`,
      fake("curl", "for u; do :; done; case $u in */readyz) printf 'no\\n500' ;; *) printf 'no\\n404' ;; esac"),
    ],
    [`the API through ${api} (/healthz/ready): HTTP 000`, fake("curl", "printf '\\n000'; exit 7")],
    [
      "no process was started by the reload",
      () => void host.file("age", "9"),
      { first: { script: ":", reloads: true } },
    ],
    ["no process was started by the reload", fake("ps", "echo 1 0 9"), { first: { script: ":", reloads: true } }],
  ];
  for (const shell of shells)
    for (const [reason, make, over] of cases)
      it(`${reason} (${shell})`, async () => {
        make();
        assert.deepEqual(await proved({ seconds: 1, ...over }, shell), {
          code: ending.unproved,
          stdout: `${reason}\n`,
          stderr: "",
        });
        assert.equal(waited(), 1);
      });

  it("everything that is not so is told", async () => {
    host.socket(rows(row("master0", { status: "DOWN" }), row("master3")));
    const { stdout } = await proved({ wanted: [...up, { be: "gone", server: m3 }] });
    assert.equal(
      stdout,
      ["/master0 is DOWN", "/master1 is not there", "/master3 is still there"]
        .map((one) => `atomic-openshift-api${one}\n`)
        .join(""),
    );
  });
  it("out: drained or in maintenance", async () => {
    host.socket(rows(row("master0", { status: "DRAIN" }), row("master1", { status: "MAINT" })));
    assert.equal((await proved({ wanted: [m0, m1].map((server) => ({ be: "out", server })) })).code, 0);
  });
  it("up: unchecked, and by what it tracks", async () => {
    host.socket(
      rows(
        row("master0", { status: "no check", check_status: "" }),
        row("master1", { status: "UP (via other/m1)", check_status: "" }),
      ),
    );
    assert.equal((await proved()).code, 0);
  });
  it("without a socket the API alone proves", async () => {
    host.fake("socat", "exit 1");
    assert.equal((await proved({ socket: "" })).code, 0);
    host.fake("curl", "printf 'no\\n503'");
    assert.equal((await proved({ socket: "" })).code, ending.unproved);
  });
  it("asks the API where it was told to", async () => {
    host.fake("curl", `printf '%s\\n' "$@" >"$HERE/curl"; printf 'ok\\n200'`);
    await proved({ api: "[fd00::5]:443" });
    assert.match(host.read("curl"), /^https:\/\/\[fd00::5\]:443\/healthz\/ready$/m);
  });
  it("a reload that brought a process: its children count, others' do not", async () => {
    assert.equal((await proved({ first: { script: ":", reloads: true } })).code, 0);
    host.fake("ps", 'echo "77 1 5000"; echo "99 1 0"');
    assert.equal((await proved({ first: { script: ":", reloads: true } })).code, ending.unproved);
  });

  it("what comes first comes first, and ends it where it fails", async () => {
    host.unit({ ActiveState: "active", MainPID: "77", CanReload: "yes" }, "echo no; exit 1");
    const { code, stdout } = await proved({ first: { script: reloadScript("haproxy", false), reloads: true } });
    assert.deepEqual([code, stdout, orders()], [ending.reload, "systemctl reload haproxy: no\n", []]);
    host.socket(rows(...good), "*ready) echo Permission denied ;;");
    const refused = await proved({ first: { script: tellScript("/run/s", states("ready", m1)), reloads: false } });
    assert.deepEqual([refused.code, orders()], [ending.refused, states("ready", m1)]);
  });
  it("orders, a reload and the proof in one", async () => {
    const script = `${tellScript("/run/s", states("ready", m1))}\n${reloadScript("haproxy", false)}`;
    assert.equal((await proved({ first: { script, reloads: true } })).code, 0);
    assert.deepEqual(
      [orders(), host.read("told")],
      [[...states("ready", m1), "show stat"], "reload haproxy.service\n"],
    );
  });

  /** Of the recorded statistics: file → what is said of each server that should be up. */
  const recorded: Record<string, Record<string, string>> = {
    "show-stat-2.6.csv": { master0: "", master1: "is DOWN 1/2", master2: "is MAINT" },
    "show-stat-1.5.csv": { master0: "", master1: "is DOWN 1/2", master2: "is MAINT" },
    "show-stat-2.6-first-checks.csv": {
      master0: "is UP 1/3",
      master2: "is not checked yet",
      master3: "",
      master4: "is MAINT",
      master5: "is MAINT (resolution)",
    },
    "show-stat-2.6-in-check.csv": { master0: "", master1: "is NOLB", master2: "" },
    "show-stat-2.6-falling.csv": { master0: "", master1: "is UP 1/3" },
    "show-stat-2.6-down.csv": { master1: "is DOWN" },
    "show-stat-2.6-rising.csv": { master1: "is DOWN 2/3" },
    "show-stat-2.6-ready-at-once.csv": { master0: "is UP 1/3", master2: "" },
    "show-stat-1.5-states.csv": {
      master0: "",
      master1: "is UP 1/3",
      master5: "is DRAIN",
      master7: "",
      master8: "is NOLB",
    },
    "show-stat-1.5-first-checks.csv": { master0: "is UP 1/3" },
  };
  for (const [file, servers] of Object.entries(recorded))
    it(`reads ${file}`, async () => {
      host.socket(fixture(file));
      const wanted = Object.keys(servers).map((server): Wanted => ({ be: "up", server: line(server) }));
      const { stdout } = await proved({ wanted, seconds: 0 });
      assert.equal(
        stdout,
        Object.entries(servers)
          .filter(([, said]) => said !== "")
          .map(([server, said]) => `atomic-openshift-api/${server} ${said}\n`)
          .join(""),
      );
    });
});
