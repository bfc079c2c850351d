/** What `balancerFacts` makes of a probe's parts: which files haproxy reads, whether it has read our last edit, and who it is. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BalancerFacts, balancerFacts } from "../../providers/plan/facts.ts";
import { judge } from "../../providers/plan/preflight.ts";
import { type Given, balancerParts, mastersOf, now, probed, removal, started } from "./world.ts";

const declared = "/etc/haproxy/haproxy.cfg";
/** A healthy haproxy, with some parts otherwise. */
const seen = (parts: Record<string, Given> = {}, path = declared): BalancerFacts =>
  balancerFacts(probed({ ...balancerParts("lb-0.example.com", 4), ...parts }), path);
/** The parts of the nth file that haproxy reads. */
const file = (n: number, path: string, given: Given = `# ${path}\n`, real = path): Record<string, Given> => ({
  [`path:${n}`]: path,
  [`real:${n}`]: `${real}\n`,
  [`config:${n}`]: given,
});
const pathsOf = ({ files }: BalancerFacts): string[] => files.map(({ path }) => path);

describe("the files", () => {
  it("two, in the order of the command line", () => {
    const facts = seen({ ...file(1, "/etc/haproxy/global.cfg"), ...file(2, declared) });
    assert.deepEqual(pathsOf(facts), ["/etc/haproxy/global.cfg", declared]);
    assert.deepEqual(
      facts.files.map(({ text }) => text),
      ["# /etc/haproxy/global.cfg\n", `# ${declared}\n`],
    );
    assert.equal(facts.filesSeen, "");
  });
  it("ten and more stay in their order", () => {
    const many = Array.from({ length: 12 }, (_, n) => `/etc/haproxy/conf.d/${String(n).padStart(2, "0")}.cfg`);
    const facts = seen(
      {
        configured: "/etc/haproxy/conf.d\n",
        ...Object.fromEntries(many.flatMap((path, n) => Object.entries(file(n + 1, path)))),
      },
      "/etc/haproxy/conf.d",
    );
    assert.deepEqual(pathsOf(facts), many);
  });
  it("a folder that is declared holds them", () => {
    const parts = { configured: "/etc/haproxy/conf.d\n", ...file(1, "/etc/haproxy/conf.d/10-api.cfg") };
    assert.deepEqual(pathsOf(seen(parts, "/etc/haproxy/conf.d")), ["/etc/haproxy/conf.d/10-api.cfg"]);
  });
  it("a folder whose name only begins the same does not", () => {
    const parts = { configured: "/etc/haproxy/conf\n", ...file(1, "/etc/haproxy/conf.d/10-api.cfg") };
    const { files, filesSeen } = seen(parts, "/etc/haproxy/conf");
    assert.deepEqual([files, filesSeen], [[], "haproxy there reads /etc/haproxy/conf.d/10-api.cfg instead"]);
  });
  it("a link that is declared leads to what haproxy reads, whose name is shown", () => {
    const facts = seen({ configured: "/srv/lb.cfg\n", ...file(1, "/run/lb.cfg", "a\n", "/srv/lb.cfg") });
    assert.deepEqual(pathsOf(facts), ["/run/lb.cfg"]);
  });
  it("others than the declared one are told", () => {
    const { files, filesSeen } = seen({ ...file(1, "/opt/a.cfg"), ...file(2, "/opt/b\x1b.cfg") });
    assert.deepEqual([files, filesSeen], [[], "haproxy there reads /opt/a.cfg and /opt/b\\x1b.cfg instead"]);
  });
  it("a declared one that nothing leads to is not what haproxy reads", () => {
    const { files, filesSeen } = seen({ configured: "", ...file(1, "/opt/a.cfg") }, "/nowhere/haproxy.cfg");
    assert.deepEqual([files, filesSeen], [[], "haproxy there reads /opt/a.cfg instead"]);
  });
  for (const state of ["absent", "large", "unreadable"])
    it(`one of several is ${state}: none is edited, and it is named`, () => {
      const { files, filesSeen } = seen({ ...file(1, declared), ...file(2, "/etc/haproxy/b.cfg", { state }) });
      assert.deepEqual([files, filesSeen], [[], `/etc/haproxy/b.cfg: ${state}`]);
    });
  it("Preflight tells what is read instead", () => {
    const { world, change } = removal(4, [3]);
    const balancers = { ...world.balancers, "lb-0.example.com": seen(file(1, "/opt/a.cfg")) };
    assert.deepEqual(judge({ ...world, balancers }, change, mastersOf(4)).refusals, [
      `lb-0.example.com: ${declared} cannot be read (haproxy there reads /opt/a.cfg instead): correct the path in openshift-masters:loadBalancers`,
    ]);
  });
});

describe("how it runs", () => {
  it("the words a check needs too, one a line", () =>
    assert.deepEqual(seen({ options: "-C\n/etc/my haproxy\n-dr" }).options, ["-C", "/etc/my haproxy", "-dr"]));
  for (const [words, workers] of [
    ["/usr/sbin/haproxy\n-Ws\n-f\n/a", true],
    ["/usr/sbin/haproxy\n-W\n-f\n/a", true],
    ["/usr/sbin/haproxy\n-D\n-f\n/a", false],
    ["/usr/sbin/haproxy\n-f\n/etc/-Ws\n-p\n-Wsx", false],
    ["", false],
  ] as const)
    it(`workers: ${words.replaceAll("\n", " ") || "no process"}`, () =>
      assert.equal(seen({ words: `${words}\n` }).workers, workers));
  for (const [socket, path, admin] of [
    ["0 /run/haproxy/admin.sock", "/run/haproxy/admin.sock", true],
    ["1 /run/haproxy/stats", "/run/haproxy/stats", false],
    ["0 /run/my haproxy/s", "/run/my haproxy/s", true],
    ["", "", false],
  ] as const)
    it(`socket "${socket}"`, () => {
      const facts = seen({ socket: `${socket}\n` });
      assert.deepEqual([facts.socket, facts.admin], [path, admin]);
    });
  it("the program that runs, whatever it is", () => {
    assert.equal(seen().program, "/usr/sbin/haproxy");
    assert.equal(seen({ program: "/usr/bin/docker" }).program, "/usr/bin/docker");
    assert.equal(seen({ program: "" }).program, "haproxy");
  });
  it("who listens: the header alone is nobody", () => {
    assert.equal(seen().listening, true);
    assert.equal(seen({ listening: "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n" }).listening, false);
    assert.equal(seen({ listening: "sh: ss: not found\n" }).listening, false);
  });
  it("names as that host resolves them; one that nobody knows has no address", () =>
    assert.deepEqual(seen({ aliases: "Master-1.example.com 192.168.55.12 fd00::12\nother.example.com\n" }).aliases, {
      "master-1.example.com": ["192.168.55.12", "fd00::12"],
      "other.example.com": [],
    }));
});

describe("written by us and not loaded", () => {
  const parts = (written: number, kept: number | "", born: number | "" = started): Record<string, Given> => ({
    born: `${born}\n`,
    "written:1": `${written}\n`,
    "kept:1": `${kept}\n`,
  });
  const cases: [what: string, parts: Record<string, Given>, unloaded: boolean][] = [
    ["after the youngest process, with a copy kept for it", parts(now, now - 1), true],
    ["the copy was kept a minute before", parts(now, now - 60), true],
    ["a copy of an earlier edit, more than a minute old: somebody else wrote since", parts(now, now - 61), false],
    ["the copy was touched long after", parts(now, now + 61), false],
    ["nobody kept a copy: an administrator's own edit", parts(now, ""), false],
    ["before the process began", parts(started - 1, started - 1), false],
    ["within the same second", parts(started, started), false],
    ["within the next, which ps may have counted before", parts(started + 1, started), false],
    ["two seconds after it", parts(started + 2, started), true],
    ["no process", parts(now, now, ""), false],
    ["a process of no age that could be told", parts(now, now, 0), false],
  ];
  for (const [what, given, unloaded] of cases) it(what, () => assert.equal(seen(given).unloaded, unloaded));
  it("any of several files counts", () => {
    const second = { ...file(2, "/etc/haproxy/b.cfg"), "written:2": `${now}\n`, "kept:2": `${now}\n` };
    assert.equal(seen(second).unloaded, true);
    assert.equal(seen({ ...second, "written:2": `${started - 9}\n` }).unloaded, false);
  });
});
