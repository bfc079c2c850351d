/** What Preflight says of load balancers: the API through them, what cannot be promised, and lines that no restart could take out. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BalancerFacts } from "../../providers/plan/facts.ts";
import { type Judgement, judge } from "../../providers/plan/preflight.ts";
import type { Change, World } from "../../providers/plan/steps.ts";
import { addressOf, master, mastersOf, removal, swap, withBalancer, withConfig } from "./world.ts";

const [lb0, lb1] = ["lb-0.example.com", "lb-1.example.com"];
const four = mastersOf(4);
const { world, change } = removal(4, [3]);
const entry = change.settings.loadBalancers[lb0];
assert.ok(entry?.kind === "haproxy");
const at0 = entry;
const judged = (so: World, wanted: Change = change): Judgement => judge(so, wanted, four);
const lb = (patch: Partial<BalancerFacts>, name = lb0): World => withBalancer(world, name, patch);
const declared = (more: object): Change => ({
  ...change,
  settings: {
    ...change.settings,
    loadBalancers: { ...change.settings.loadBalancers, [lb0]: { ...at0, ...more } },
  },
});

describe("the API through a load balancer", () => {
  const remedy = "repair it first, or name where it does in openshift-masters:loadBalancers.lb-0.example.com.api";
  it("does not answer: may pass by itself, and the way out is told", () => {
    const { refusals, passing } = judged(lb({ through: { ready: false, asked: "/healthz/ready", seen: "HTTP 503" } }));
    assert.deepEqual(
      [refusals, passing],
      [[], [`${lb0}: the API does not answer through it at 192.168.55.5:8443 (/healthz/ready: HTTP 503): ${remedy}`]],
    );
  });
  it("nothing listens", () => {
    const { refusals, passing } = judged(
      lb({ listening: false, through: { ready: false, asked: "/healthz/ready", seen: "HTTP no answer" } }),
    );
    assert.deepEqual(
      [refusals, passing],
      [
        [],
        [`${lb0}: the API does not answer through it at 192.168.55.5:8443 (nothing listens on that port): ${remedy}`],
      ],
    );
  });
  it("answers, while somebody else has the port: that is no proof", () =>
    assert.match(judged(lb({ listening: false })).passing.join(), /nothing listens on that port/));
  it("where haproxy binds is told if it is elsewhere", () => {
    const elsewhere = withConfig(lb({ listening: false }), lb0, (text) =>
      swap(text, "bind *:8443", "bind 10.0.0.9:443"),
    );
    assert.match(
      judged(elsewhere).passing.join(),
      /\(nothing listens on that port; it binds 10\.0\.0\.9:443 in \/etc\/haproxy\/haproxy\.cfg line \d+\): repair it first/,
    );
  });
  it("is asked where the settings say", () =>
    assert.match(
      judged(
        lb({ through: { ready: false, asked: "/readyz", seen: "HTTP 500" } }),
        declared({ api: "api.example.com:443" }),
      ).passing.join(),
      /does not answer through it at api\.example\.com:443 \(\/readyz: HTTP 500; it binds \*:8443 in/,
    ));
});

describe("a unit that runs something else", () => {
  for (const program of ["/usr/bin/docker", "/usr/bin/podman", "/usr/sbin/haproxy-systemd-wrapper", "/opt/nohaproxy"])
    it(program, () =>
      assert.deepEqual(judged(lb({ program })).refusals, [
        `${lb0}: the unit haproxy runs ${program}, not haproxy itself: name the right unit, or declare it as \`kind: command\``,
      ]),
    );
  for (const program of ["haproxy", "/usr/sbin/haproxy", "/opt/rh/rh-haproxy18/root/usr/sbin/haproxy"])
    it(`${program} is haproxy`, () => assert.deepEqual(judged(lb({ program })).refusals, []));
  it("its name is made safe to show", () =>
    assert.match(judged(lb({ program: "/tmp/\x1b[2J" })).refusals.join(), /runs \/tmp\/\\x1b\[2J, not haproxy/));
});

describe("what cannot be promised", () => {
  const notes = (so: World, name = lb0): string[] => judged(so).notes.filter((note) => note.startsWith(name));
  it("workers hand the sockets over: no note", () => assert.deepEqual([notes(world), notes(world, lb1)], [[], []]));
  it("no workers, and no socket that hands its listeners over", () =>
    assert.deepEqual(notes(lb({ workers: false })), [
      `${lb0}: a reload may drop connections, since no stats socket has \`expose-fd listeners\`, and haproxy 2.6.12-1+deb12u1 runs without workers (-W, -Ws)`,
    ]));
  it("no workers, but a socket that does: no note; in a comment it does not", () => {
    assert.deepEqual(notes(lb({ workers: false }, lb1), lb1), []);
    const commented = withConfig(lb({ workers: false }), lb0, (text) =>
      swap(text, "    stats socket", "    # stats socket /x expose-fd listeners\n    stats socket"),
    );
    assert.equal(notes(commented).length, 1);
  });
  it("workers by the file's own word: no note", () => {
    const own = withConfig(lb({ workers: false }), lb0, (text) => swap(text, "    daemon\n", "    master-worker\n"));
    assert.deepEqual(notes(own), []);
  });
  for (const version of ["1.5.18", "1.5-dev22-1a34d57", "1.7.14"])
    it(`${version} cannot reload without a seam, workers or not`, () => {
      for (const workers of [true, false])
        assert.deepEqual(notes(lb({ version, workers })), [
          `${lb0}: haproxy ${version} cannot reload without dropping connections; some requests may fail`,
        ]);
    });
  for (const version of ["2.6.0", "2.6.12", "2.10.1", "3.0.1"])
    it(`${version} can`, () => assert.deepEqual(notes(lb({ version })), []));
  for (const version of ["1.8.4", "1.10.1", "2.5.9"])
    it(`${version} with workers can if a socket hands its listeners over; that it does without is not known`, () => {
      assert.deepEqual(notes(lb({ version }, lb1), lb1), []);
      assert.match(notes(lb({ version })).join(), /is older than 2\.6, from which on workers are known to hand/);
    });
  it("no statistics: the API alone proves", () =>
    assert.deepEqual(notes(lb({ stats: undefined })), [
      `${lb0}: haproxy's statistics cannot be read (no stats socket that answers), so UP is proved by the API through it alone`,
    ]));
});

describe("a restart must be able to take each master that stays out", () => {
  const conditional = (text: string): string =>
    text.replace(/( {4}server {6}master1 .*\n)/, ".if defined(X)\n$1.endif\n");
  const refusal = (name: string) =>
    new RegExp(
      `^${name.replaceAll(".", "\\.")}: /etc/haproxy/haproxy\\.cfg line \\d+ \\(backend atomic-openshift-api\\) names master-1\\.example\\.com between \\.if and \\.endif; edit that block by hand$`,
    );
  it("a line between .if and .endif: refused beforehand where only a reload takes it out", () => {
    const { refusals } = judged(withConfig(world, lb0, conditional));
    assert.equal(refusals.length, 1);
    assert.match(refusals[0] ?? "", refusal(lb0));
  });
  it("but not where the stats socket is admin-level", () =>
    assert.deepEqual(judged(withConfig(world, lb1, conditional)).refusals, []));
  it("refused there too, once its processes are several", () => {
    const { refusals } = judged(
      withConfig(world, lb1, (text) => swap(conditional(text), "    daemon\n", "    daemon\n    nbproc 2\n")),
    );
    assert.match(refusals.join("\n"), refusal(lb1));
  });
  it("nobody leaves, nobody restarts: no word of it", () =>
    assert.deepEqual(judge(withConfig(world, lb0, conditional), removal(4, []).change, four).refusals, []));
  it("the only server of a pool: refused only where a reload would have to disable it", () => {
    const alone = `backend other\n    server a ${addressOf(1)}:8443 check\n`;
    assert.match(
      judged(withConfig(world, lb0, (text) => text + alone)).refusals.join(),
      new RegExp(`is ${master(1).replaceAll(".", "\\.")}, the last enabled server of backend other`),
    );
    assert.deepEqual(judged(withConfig(world, lb1, (text) => text + alone)).refusals, []);
  });
});

describe("haproxy's own check", () => {
  it("names every file it was given", () => {
    const files = ["/etc/haproxy/a.cfg", "/etc/haproxy/b.cfg"];
    const so = withBalancer(world, lb0, ({ files: [only] }) => ({
      valid: false,
      validSeen: "[ALERT] b.cfg:3",
      files:
        only === undefined
          ? []
          : [
              { ...only, path: files[0] ?? "" },
              { ...only, path: files[1] ?? "", text: "" },
            ],
    }));
    assert.deepEqual(judged(so).refusals, [
      `${lb0}: haproxy does not accept its own configuration ${files.join(", ")} as it is now: [ALERT] b.cfg:3; repair it first`,
    ]);
  });
});

describe("a server that was taken out of service at run time", () => {
  const with1 = (status: string, text = (whole: string) => whole): World =>
    withBalancer(withConfig(world, lb1, text), lb1, ({ stats }) => ({
      stats: (stats ?? []).map((row) => (row.server === "master1" ? { ...row, status } : row)),
    }));
  const told = (so: World): string => judged(so).notes.join();
  for (const status of ["MAINT", "DRAIN"])
    it(`${status}: a reload puts it back, and that is told`, () => {
      assert.match(
        told(with1(status)),
        /lb-1\.example\.com: master1 of backend atomic-openshift-api was taken out of service at run time; a reload puts it back: mark it `disabled` in \/etc\/haproxy\/haproxy\.cfg/,
      );
      assert.deepEqual(judged(with1(status)).refusals, []);
    });
  it("not of one that the file disables, nor of one that is in service", () => {
    assert.doesNotMatch(
      told(with1("MAINT", (text) => swap(text, "192.168.55.12:8443 check", "192.168.55.12:8443 check disabled"))),
      /at run time/,
    );
    assert.doesNotMatch(told(world), /at run time/);
  });
});
