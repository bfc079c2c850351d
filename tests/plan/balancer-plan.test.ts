/** planBalancer beyond the plain removal of plans.test.ts: several files, lost lines, names, what haproxy is told, and the ways out for a restart. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BalancerFacts, FileFacts } from "../../providers/plan/facts.ts";
import { isReachable } from "../../providers/plan/facts.ts";
import type { Sketch } from "../../providers/plan/haproxy.ts";
import { isServing } from "../../providers/plan/haproxy-stats.ts";
import {
  apiLines,
  checkCommand,
  homeless,
  disabledEdits,
  identityThere,
  ownLines,
  isUp,
  peersOf,
  planBalancer,
  planMasterConfig,
  rememberedLines,
  runtimeCommand,
} from "../../providers/plan/plans.ts";
import { isOut, wayOut } from "../../providers/plan/plans/balancer.ts";
import type { Change, Step, World } from "../../providers/plan/steps.ts";
import {
  addressOf,
  after,
  changeOf,
  fileOf,
  haproxyText,
  master,
  removal,
  swap,
  unreachable,
  withBalancer,
  withConfig,
  withMaster,
} from "./world.ts";

const [lb0, lb1] = ["lb-0.example.com", "lb-1.example.com"];
const section = "backend atomic-openshift-api";
const api = (n: number) => ({ section, server: `master${n}` });
type Balance = Extract<Step, { do: "balance" }>;

/** The plan's only step; undefined when nothing is to be done. */
function stepOf(world: World, change: Change, balancer = lb0, sketch: Sketch = {}): Balance | undefined {
  const [step, ...more] = planBalancer(balancer, sketch)(world, change);
  assert.deepEqual(more, []);
  if (step === undefined) return undefined;
  assert.ok(step.do === "balance");
  return step;
}
const planned = (...o: Parameters<typeof stepOf>): Balance => stepOf(...o) ?? assert.fail("nothing is planned");
const factsOf = (world: World, balancer = lb0): BalancerFacts => {
  const facts = world.balancers[balancer];
  return isReachable(facts) ? facts : assert.fail();
};
const withFiles = (world: World, ...files: readonly FileFacts[]): World => withBalancer(world, lb0, { files });
const withText = (world: World, text: string): World => withConfig(world, lb0, () => text);
/** Another value of one setting of the load balancer. */
const declared = (change: Change, more: object): Change => ({
  ...change,
  settings: {
    ...change.settings,
    loadBalancers: Object.fromEntries(
      Object.entries(change.settings.loadBalancers).map(([name, entry]) => [name, { ...entry, ...more }]),
    ),
  },
});
/** Without the line of master n. */
const lacking = (n: number, text = haproxyText(4, false)): string =>
  text.replace(new RegExp(` {4}server {6}master${n} .*\n`), "");

describe("several files", () => {
  const { world, change } = removal(4, [3]);
  const console_ = "backend console\n    server master0 192.168.55.8:8443\n    server master3 192.168.55.21:8443\n";
  const pools = fileOf("/etc/haproxy/conf.d/20 pools.cfg", haproxyText(4, false));
  const more = fileOf("/etc/haproxy/conf.d/30-console.cfg", console_);
  const global = fileOf("/etc/haproxy/haproxy.cfg", "global\n    maxconn 20000\n");
  const so = withFiles(world, global, pools, more);

  it("one step edits those that hold the host, and no other", () => {
    const step = planned(so, change);
    assert.deepEqual(
      step.edits.map(({ before, after: text }) => [before, text]),
      [
        [pools, haproxyText(3, false)],
        [more, "backend console\n    server master0 192.168.55.8:8443\n"],
      ],
    );
    assert.deepEqual(step.gone, [api(3), { section: "backend console", server: "master3" }]);
    assert.deepEqual(step.up, [api(0), { section: "backend console", server: "master0" }, api(1), api(2)]);
    assert.equal(step.on, factsOf(so));
  });
  it("the check is the unit's own, with every file and its words", () => {
    const facts = factsOf(withBalancer(so, lb0, { program: "/opt/h/haproxy", options: ["-C", "/etc/my haproxy"] }));
    assert.equal(
      checkCommand(facts),
      "/opt/h/haproxy -c -C '/etc/my haproxy' -f /etc/haproxy/haproxy.cfg -f '/etc/haproxy/conf.d/20 pools.cfg' -f /etc/haproxy/conf.d/30-console.cfg",
    );
    assert.equal(
      checkCommand(facts, { [pools.path]: "/etc/haproxy/conf.d/.new" }),
      "/opt/h/haproxy -c -C '/etc/my haproxy' -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/conf.d/.new -f /etc/haproxy/conf.d/30-console.cfg",
    );
    assert.ok(planned(so, change).commands?.some((one) => one.includes("'/etc/haproxy/conf.d/20 pools.cfg'")));
  });
  it("done, nothing is left", () => assert.equal(stepOf(after(so, planned(so, change)), change), undefined));
  it("a section that would be empty is refused with its file and line", () => {
    const alone = fileOf(more.path, "backend console\n    server master3 192.168.55.21:8443\n");
    assert.throws(() => stepOf(withFiles(world, pools, alone), change), {
      name: "Refusal",
      message:
        /^lb-0\.example\.com: \/etc\/haproxy\/conf\.d\/30-console\.cfg line 2 \(backend console\) is master-3\.example\.com, and without it/,
    });
  });
});

describe("a line that a master which stays has lost", () => {
  const { world, change } = removal(4, []);
  const leaves = removal(4, [3]).change;
  const sketch = rememberedLines(world, change, lb0, {});
  const lost = withText(world, lacking(2));

  it("comes back as the same bytes, by an edit and a reload", () => {
    const step = planned(lost, change, lb0, sketch);
    assert.deepEqual(
      step.edits.map(({ after: text }) => text),
      [haproxyText(4, false)],
    );
    assert.equal(
      step.title,
      `put the lost lines of ${master(2)} back where they were, reload haproxy, prove the others UP`,
    );
    assert.deepEqual([step.gone, step.drain, step.peers, step.up], [[], [], [], [api(0), api(1), api(2), api(3)]]);
    assert.deepEqual(step.commands, [checkCommand(factsOf(lost)), "systemctl reload haproxy"]);
    assert.equal(stepOf(after(lost, step), change, lb0, sketch), undefined);
  });
  it("with what somebody had written on it, and a comment around it", () => {
    const own = (text: string) =>
      swap(
        text,
        "    server      master2 192.168.55.13:8443 check\n",
        "    # the one in the other room\n\tserver master2 192.168.55.13:8443  check weight 7\n",
      );
    const before = withConfig(world, lb0, own);
    const remembered = rememberedLines(before, change, lb0, {});
    const gone = withConfig(before, lb0, (text) => text.replace(/\tserver master2.*\n/, ""));
    assert.equal(planned(gone, change, lb0, remembered).edits[0]?.after, own(haproxyText(4, false)));
  });
  it("not while its API is not ready, or it cannot be asked", () => {
    const off = { readiness: { ready: false, asked: "/healthz/ready", seen: "HTTP 500" } };
    assert.equal(stepOf(withMaster(lost, master(2), off), change, lb0, sketch), undefined);
    assert.equal(
      stepOf({ ...lost, masters: { ...lost.masters, [master(2)]: { unreachable: "x" } } }, change, lb0, sketch),
      undefined,
    );
  });
  it("not when nothing was remembered", () => {
    assert.equal(stepOf(lost, change), undefined);
    assert.equal(stepOf(lost, change, lb0, rememberedLines(lost, change, lb0, {})), undefined);
  });
  it("leaving and lost at once: one edit, one reload", () => {
    const step = planned(lost, leaves, lb0, rememberedLines(world, leaves, lb0, {}));
    assert.deepEqual(
      step.edits.map(({ after: text }) => text),
      [haproxyText(3, false)],
    );
    assert.equal(
      step.title,
      `take ${master(3)} out of the pools, put the lost lines of ${master(2)} back where they were, reload haproxy, prove the others UP`,
    );
    assert.deepEqual([step.gone, step.up], [[api(3)], [api(0), api(1), api(2)]]);
    assert.equal(step.commands?.filter((one) => one.startsWith("systemctl")).length, 1);
  });
  it("the only other server of the section may be the lost one: it is refused, not guessed", () => {
    // what leaves is judged before what comes back
    const two = withText(world, haproxyText(4, false).replace(/ {4}server {6}master[0-2] .*\n/g, ""));
    assert.throws(() => stepOf(two, leaves, lb0, sketch), /no server that takes traffic/);
  });
  it("one that leaves is not put back", () => {
    const gone = withText(world, haproxyText(3, false));
    const quiet = withBalancer(gone, lb0, ({ stats }) => ({
      stats: (stats ?? []).filter(({ server }) => server !== "master3"),
    }));
    assert.equal(stepOf(quiet, leaves, lb0, sketch), undefined);
  });

  describe("whose section is gone", () => {
    const renamed = withConfig(world, lb0, (text) => lacking(2, text).replaceAll("atomic-openshift-api", "mgmt8443"));
    it("does not block", () => {
      assert.equal(stepOf(renamed, change, lb0, sketch), undefined);
      assert.deepEqual(planned(renamed, leaves, lb0, sketch).gone, [
        { section: "backend mgmt8443", server: "master3" },
      ]);
    });
    it("is told, but for hosts that have lines in other sections", () =>
      assert.deepEqual(homeless(renamed, change, lb0, sketch), [
        `${lb0}: backend atomic-openshift-api is no longer in /etc/haproxy/haproxy.cfg, so "server      master2 ${addressOf(2)}:8443 check" of ${master(2)} has no place; put it back by hand`,
      ]));
    it("of a load balancer that cannot be asked nothing is told", () =>
      assert.deepEqual(homeless({ ...world, balancers: { [lb0]: { unreachable: "x" } } }, change, lb0, sketch), []));
    it("nor of one that has all", () => assert.deepEqual(homeless(world, change, lb0, sketch), []));
  });
  it("a name that stands for another host now is told too", () => {
    const taken = withConfig(world, lb0, (text) => swap(text, "192.168.55.13:8443", "192.168.55.99:8443"));
    assert.equal(stepOf(taken, change, lb0, sketch), undefined);
    assert.match(homeless(taken, change, lb0, sketch).join(), /already has a server master2 at 192\.168\.55\.99:8443/);
  });

  describe("what is remembered", () => {
    it("a server line as it is, a line near one as a hash, and no line far from one", () => {
      const [first, ...others] = Object.entries(sketch);
      const [of, text] = first ?? assert.fail();
      assert.deepEqual([of, others], ["/etc/haproxy/haproxy.cfg backend atomic-openshift-api", []]);
      assert.match(text, /^(?:~[0-9a-f]{4}\n){3} {4}server {6}master0 192\.168\.55\.8:8443 check\n/);
      const far = withConfig(world, lb0, (whole) => `${whole}\n    # 1\n    # 2\n    # 3\n    # 4\n`);
      const [lines = ""] = Object.values(rememberedLines(far, change, lb0, {}));
      assert.match(lines, /master3 192\.168\.55\.21:8443 check(?:\n~[0-9a-f]{4}){3}$/);
    });
    it("as long as a line is lost, the place where it stood", () =>
      assert.equal(rememberedLines(lost, change, lb0, sketch), sketch));
    it("what was there before, of a file that cannot be read or understood", () => {
      assert.equal(rememberedLines(withBalancer(world, lb0, { files: [] }), change, lb0, sketch), sketch);
      const odd = withConfig(world, lb0, (text) => swap(text, "192.168.55.8:8443", "$MASTER0"));
      assert.equal(rememberedLines(odd, change, lb0, sketch), sketch);
      assert.equal(rememberedLines({ ...world, balancers: {} }, change, lb0, sketch), sketch);
    });
    it("a new line, once all are there", () => {
      const more = withConfig(world, lb0, (text) => `${text}backend b\n    server m0 192.168.55.8:8443\n`);
      assert.deepEqual(Object.keys(rememberedLines(more, change, lb0, sketch)), [
        "/etc/haproxy/haproxy.cfg backend atomic-openshift-api",
        "/etc/haproxy/haproxy.cfg backend b",
      ]);
    });
    it("the lines of a host that leaves, until nothing of it is left: a drain that is blocked puts them back", () => {
      const quiet = withText(world, haproxyText(3, false));
      assert.equal(rememberedLines(quiet, leaves, lb0, sketch), sketch);
      const retired = { ...leaves, leaving: {} };
      assert.doesNotMatch(JSON.stringify(rememberedLines(quiet, retired, lb0, sketch)), /master3/);
    });
    it("and those that it has in sections of nobody else", () => {
      const own = withConfig(world, lb0, (text) => `${text}backend b\n    server m3 192.168.55.21:80\n`);
      assert.match(JSON.stringify(rememberedLines(own, leaves, lb0, sketch)), /backend b/);
    });
  });
});

describe("what haproxy is told", () => {
  const { world, change } = removal(4, [3]);
  const line = api(3);
  const told = (version: string) => {
    const facts = factsOf(withBalancer(world, lb1, { version }), lb1);
    return (["drain", "maint", "ready"] as const).map((state) => runtimeCommand(facts, line, state));
  };
  for (const version of ["1.5-dev22-1a34d57", "1.5-dev19", "1.4.27", "1.3.26"])
    it(`${version}: disable and enable`, () =>
      assert.deepEqual(told(version), [
        "disable server atomic-openshift-api/master3",
        "disable server atomic-openshift-api/master3",
        "enable server atomic-openshift-api/master3",
      ]));
  for (const version of ["1.5.18", "1.5.0", "1.8.4", "1.40.1", "2.6.12-1+deb12u1", "3.0-dev5", "unknown"])
    it(`${version}: its states`, () =>
      assert.deepEqual(
        told(version),
        ["drain", "maint", "ready"].map((state) => `set server atomic-openshift-api/master3 state ${state}`),
      ));
  it("and the plan shows it", () => {
    const old = withBalancer(world, lb1, { version: "1.5-dev22-1a34d57" });
    assert.equal(planned(old, change, lb1).commands?.[0], "disable server atomic-openshift-api/master3");
  });
  it("the seconds that sessions are waited for are the setting's", () =>
    assert.match(planned(world, declared(change, { drain: 7 }), lb1).commands?.[1] ?? "", /, 7 s at most;/));
  it("where nothing can be said at run time, the sessions are waited for behind the reload", () => {
    const kinds = (step: Balance): string[] => (step.commands ?? []).map((one) => one.replace(/ .*/, ""));
    assert.deepEqual(kinds(planned(world, change, lb1)), ["set", "#", "/usr/sbin/haproxy", "systemctl"]);
    assert.deepEqual(kinds(planned(world, change, lb0)), ["/usr/sbin/haproxy", "systemctl", "#"]);
  });
  it("the connections that are waited for: every address and port of the lines that go", () => {
    const more = withConfig(
      world,
      lb0,
      (text) =>
        `${text}backend e\n    server e3 192.168.55.21:2379\n    server e0 192.168.55.8:2379\nbackend s\n    server s3 192.168.55.21\n    server s0 192.168.55.8\n`,
    );
    const peers = ["192.168.55.21:8443", "192.168.55.21:2379"];
    assert.deepEqual(planned(more, change).peers, peers);
    assert.match(planned(more, change).commands?.at(-1) ?? "", new RegExp(`connections to ${peers.join(", ")}, 60 s`));
    assert.deepEqual(
      peersOf([{ port: undefined }], { name: "m", addresses: ["m.example.com", "fd00::1", "10.0.0.1"] }),
      ["[fd00::1]:8443", "10.0.0.1:8443"],
    );
  });
  it("nbproc 2: nothing at run time, since each process has a state of its own", () => {
    const two = withConfig(world, lb1, (text) => swap(text, "    daemon\n", "    daemon\n    nbproc 2\n"));
    const step = planned(two, change, lb1);
    assert.deepEqual(step.drain, []);
    assert.deepEqual(step.commands?.slice(0, 2), [checkCommand(factsOf(two, lb1)), "systemctl reload haproxy"]);
    assert.deepEqual(step.gone, [line]);
  });
  it("restart: true restarts, and says so", () => {
    const step = planned(world, declared(change, { restart: true, service: "rh-haproxy18" }));
    assert.equal(step.commands?.[1], "systemctl restart rh-haproxy18");
    assert.match(step.title, /, restart rh-haproxy18, prove the others UP$/);
  });
});

describe("an edit of ours that was not loaded", () => {
  const { world, change } = removal(4, [3]);
  const edited = withBalancer(withText(world, haproxyText(3, false)), lb0, { stats: undefined });
  it("is loaded and proved, even where there are no statistics", () => {
    const step = planned(withBalancer(edited, lb0, { unloaded: true }), change);
    assert.deepEqual([step.edits, step.drain, step.gone], [[], [], []]);
    assert.equal(step.title, "reload haproxy: it still runs without the last edit");
    assert.deepEqual(step.up, [api(0), api(1), api(2)]);
  });
  it("one that was needs nothing", () => assert.equal(stepOf(edited, change), undefined));
  it("by which a lost line came back, too: nobody leaves then", () => {
    const step = planned(withBalancer(world, lb0, { unloaded: true }), changeOf(4, []));
    assert.deepEqual([step.edits, step.gone, step.peers], [[], [], []]);
    assert.match(step.title, /it still runs without the last edit$/);
    assert.equal(stepOf(world, changeOf(4, [])), undefined);
  });
  it("on a load balancer that cannot be asked nothing is to be done", () =>
    assert.deepEqual(planBalancer(lb0)(unreachable(world, lb0), changeOf(4, [])), []));
  it("with its restart, where that is set", () =>
    assert.match(
      planned(withBalancer(edited, lb0, { unloaded: true }), declared(change, { restart: true })).title,
      /^restart haproxy: /,
    ));
});

describe("names on server lines", () => {
  const { world, change } = removal(4, [3]);
  const named = (address: string, aliases: Readonly<Record<string, readonly string[]>>) =>
    withBalancer(
      withConfig(world, lb0, (text) => swap(text, "192.168.55.21:8443", `${address}:8443`)),
      lb0,
      { aliases },
    );
  it("one that leads to the leaving host alone is dropped", () => {
    const so = named("Console.example.com", { "console.example.com": ["192.168.55.21"] });
    const step = planned(so, change);
    assert.deepEqual(step.gone, [api(3)]);
    assert.equal(step.edits[0]?.after, haproxyText(3, false));
  });
  it("one that leads elsewhere is not its line", () =>
    assert.equal(
      stepOf(withBalancer(named("c.example.com", { "c.example.com": ["192.168.55.99"] }), lb0, { stats: [] }), change),
      undefined,
    ));
  it("one that leads nowhere is refused: nobody can tell whose line it is", () => {
    for (const aliases of [{}, { "c.example.com": [] }])
      assert.throws(
        () => stepOf(named("c.example.com", aliases), change),
        /haproxy\.cfg line 26 \(backend atomic-openshift-api\) goes to c\.example\.com:8443, which does not resolve there, so it cannot be told whether it is master-3/,
      );
  });
  it("… unless the pool's line of that host is known, it is that of a master, or another service's", () => {
    const more = (line: string) => withConfig(world, lb0, (text) => `${text}    server x ${line}\n`);
    for (const line of ["c.example.com:8443", "master-1.example.com:8443", "c.example.com:443"])
      assert.deepEqual(stepOf(more(line), change)?.gone, [api(3)], line);
    const alone = withConfig(world, lb0, (text) => `${text}\nbackend b\n    server x c.example.com:443\n`);
    assert.deepEqual(stepOf(alone, change)?.gone, [api(3)]);
  });
  it("one that leads to others too is refused, with file and line", () =>
    assert.throws(
      () => stepOf(named("all.example.com", { "all.example.com": ["192.168.55.8", "192.168.55.21"] }), change),
      {
        name: "Refusal",
        message:
          "lb-0.example.com: /etc/haproxy/haproxy.cfg line 26 (backend atomic-openshift-api) goes to all.example.com:8443, " +
          "which resolves there to 192.168.55.8 and 192.168.55.21, master-3.example.com among them; write the addresses out, or take master-3.example.com out of that name first",
      },
    ));
  it("one that leads to several that stay is none of its business", () => {
    const so = withBalancer(
      withConfig(world, lb0, (text) => `${text}\nbackend all\n    server a all.example.com:8443\n`),
      lb0,
      { aliases: { "all.example.com": ["192.168.55.8", "192.168.55.12"] } },
    );
    const step = planned(so, change);
    assert.deepEqual([step.gone, step.up], [[api(3)], [api(0), api(1), api(2)]]);
  });
  it("a host that is declared by name is found by the addresses it has there, and by other names of them", () => {
    const byName: Change = { ...change, leaving: { [master(3)]: "m3.example.com" } };
    const aliases = { "m3.example.com": ["192.168.55.21", "FD00::21"], "c.example.com": ["fd00:0::21"] };
    const so = withBalancer(
      withConfig(
        world,
        lb0,
        (text) => `${text}\nbackend all\n    server a c.example.com:8443\n    server b 192.168.55.8:8443\n`,
      ),
      lb0,
      { aliases },
    );
    assert.deepEqual(planned(so, byName).gone, [api(3), { section: "backend all", server: "a" }]);
    assert.deepEqual(
      new Set(identityThere(factsOf(so), master(3), byName.leaving).addresses),
      new Set(["m3.example.com", "192.168.55.21", "fd00:0:0:0:0:0:0:21", "c.example.com"]),
    );
    assert.equal(
      stepOf(withBalancer(so, lb0, { aliases: {}, files: factsOf(world).files, stats: [] }), byName),
      undefined,
      "without them nothing tells that it is that host",
    );
  });
});

describe("only API lines go out for a restart; all lines go with the host", () => {
  const { world, change } = removal(4, [3]);
  const more = [
    "backend etcd",
    ...[0, 1, 3].map((n) => `    server e${n} ${addressOf(n)}:2379 check`),
    "backend any",
    ...[0, 1, 3].map((n) => `    server a${n} ${addressOf(n)} check`),
    "",
  ].join("\n");
  const so = withConfig(
    withConfig(world, lb0, (text) => text + more),
    lb1,
    (text) => text + more,
  );
  it("dropHost takes every port", () =>
    assert.deepEqual(planned(so, change).gone, [
      api(3),
      { section: "backend etcd", server: "e3" },
      { section: "backend any", server: "a3" },
    ]));
  it("UP is asked of API lines", () =>
    assert.deepEqual(
      planned(so, change).up.map(({ server }) => server),
      ["master0", "a0", "master1", "a1", "master2"],
    ));
  it("drained for a restart: port 8443 and no port", () => {
    assert.equal(
      wayOut(so, lb1, master(0), change),
      "set server atomic-openshift-api/master0 state drain; set server any/a0 state drain",
    );
    const facts = factsOf(so, lb1);
    assert.deepEqual(
      apiLines(facts.files, identityThere(facts, master(0), change.survivors)).map(({ server }) => server),
      ["master0", "a0"],
    );
  });
  it("without the socket its restart is tried on API lines alone", () => {
    const alone = `backend etcd\n    server e0 ${addressOf(0)}:2379 check\n`;
    assert.equal(
      wayOut(
        withConfig(world, lb0, (text) => text + alone),
        lb0,
        master(0),
        change,
      ),
      "`disabled` on its server lines, reload",
    );
    const refused = `backend other\n    server e0 ${addressOf(0)}:8443 check\n`;
    assert.throws(
      () =>
        wayOut(
          withConfig(world, lb0, (text) => text + refused),
          lb0,
          master(0),
          change,
        ),
      /^Refusal: lb-0\.example\.com: \/etc\/haproxy\/haproxy\.cfg line \d+ \(backend other\) is master-0\.example\.com, the last enabled server/,
    );
  });
});

describe("out of service", () => {
  const { world, change } = removal(4, [3]);
  const status = (text: string, check = "L4OK") =>
    withBalancer(world, lb0, ({ stats }) => ({
      stats: (stats ?? []).map((row) => (row.server === "master1" ? { ...row, status: text, check } : row)),
    }));
  const cases: [status: string, out: boolean][] = [
    ["MAINT", true],
    ["MAINT (via atomic-openshift-api/master0)", true],
    ["DRAIN", true],
    ["MAINT (resolution)", false],
    ["UP", false],
    ["DOWN", false],
    ["NOLB", false],
    ["no check", false],
  ];
  for (const [text, out] of cases) it(text, () => assert.equal(isOut(status(text), change, lb0, master(1)), out));
  it("`disabled` by us in the file", () => {
    const off = withConfig(world, lb0, (text) =>
      swap(text, "192.168.55.12:8443 check", "192.168.55.12:8443 check disabled #openshift-masters"),
    );
    assert.equal(isOut(off, change, lb0, master(1)), true);
    assert.equal(isOut(off, change, lb0, master(0)), false);
  });
  it("what somebody else disabled is theirs: neither taken out nor put back", () => {
    const off = withConfig(status("MAINT"), lb0, (text) =>
      swap(text, "192.168.55.12:8443 check", "192.168.55.12:8443 check disabled"),
    );
    assert.equal(isOut(off, change, lb0, master(1)), false);
    const facts = factsOf(off);
    const node = identityThere(facts, master(1), change.survivors);
    assert.deepEqual([disabledEdits(lb0, facts, node, true), disabledEdits(lb0, facts, node, false)], [[], []]);
    assert.deepEqual(ownLines(facts.files, node), []);
  });
  it("a weight of 0 is somebody's own, and so is a port that is not the API's", () => {
    const light = withConfig(world, lb0, (text) =>
      swap(text, "192.168.55.12:8443 check", "192.168.55.12:8443 check weight 0"),
    );
    // haproxy shows it as DRAIN
    const drained = withBalancer(light, lb0, ({ stats }) => ({
      stats: (stats ?? []).map((row) => (row.server === "master1" ? { ...row, status: "DRAIN" } : row)),
    }));
    assert.equal(isOut(drained, change, lb0, master(1)), false);
    assert.deepEqual(planned(drained, change).up, [api(0), api(2)]);
    const etcd = withConfig(world, lb0, (text) => `${text}backend e\n    server e1 192.168.55.12:2379 disabled\n`);
    assert.equal(isOut(etcd, change, lb0, master(1)), false);
  });
  it("a killed run's master is put back before anything else", () => {
    const settled = [0, 1, 2].reduce(
      (so, n) =>
        withMaster(so, master(n), ({ files }) => ({
          files: {
            ...(files.masterConfig && {
              masterConfig: fileOf(
                files.masterConfig.path,
                files.masterConfig.text
                  .replace("  - https://master-3.example.com:2379\n", "")
                  .replace("masterCount: 4", "masterCount: 3"),
              ),
            }),
          },
        })),
      status("DRAIN"),
    );
    assert.deepEqual(
      planMasterConfig(settled, change).map((one) => `${one.do} ${one.host} ${one.title}`),
      [`put-back ${lb0} put ${master(1)} back into the pools`],
    );
  });
});

describe("in service", () => {
  const row = (status: string, check = "L7OK") => ({ backend: "b", server: "s", status, check, sessions: 0 });
  const cases: [status: string, check: string, serving: boolean][] = [
    ["UP", "L7OK", true],
    ["UP", "* L7OK", true],
    ["UP (via a/b)", "", true],
    ["no check", "", true],
    ["UP", "", true],
    ["UP", "INI", false],
    ["UP", "* INI", false],
    ["UP (via a/b)", "INI", false],
    ["UP 1/3", "L7OK", false],
    ["DOWN", "L4CON", false],
    ["DOWN 2/3", "L4CON", false],
    ["NOLB", "L7OKC", false],
    ["MAINT", "", false],
    ["DRAIN", "L7OK", false],
  ];
  for (const [status, check, serving] of cases)
    it(`${status}, checked ${check || "never"}`, () => assert.equal(isServing(row(status, check)), serving));
  it("its own row: backend and server", () => {
    const line = { section: "listen b", server: "s" };
    assert.equal(isUp([row("UP")], line), true);
    assert.equal(isUp([row("UP")], { ...line, server: "t" }), false);
    assert.equal(isUp([row("UP")], { ...line, section: "listen c" }), false);
    assert.equal(isUp([], line), false);
  });
});
