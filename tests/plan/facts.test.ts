import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import { balancerFacts, clusterFacts, isReachable, masterFacts, nodeFacts } from "../../providers/plan/facts.ts";
import { inParts, largestFile, partsIn, partsOf } from "../../providers/plan/parts.ts";
import {
  type Given,
  balancerParts,
  clusterParts,
  configured,
  ca,
  etcdConfText,
  hashOf,
  idOf,
  master,
  masterParts,
  nodeParts,
  now,
  placeOf,
  printed,
  probed,
  started,
} from "./world.ts";

const fixture = (name: string): string => readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8");
const sha256 = (bytes: string | Buffer): string => createHash("sha256").update(bytes).digest("hex");
/** A healthy master-1 of four, with some parts otherwise; `undefined` takes the part out. */
const seen = (parts: Record<string, Given | undefined> = {}, n = 1) =>
  masterFacts(probed(without(masterParts(n, 4), parts)));
const balancer = (parts: Record<string, Given | undefined> = {}) =>
  balancerFacts(probed(without(balancerParts("lb-0.example.com", 4), parts)), "/etc/haproxy/haproxy.cfg");
const cluster = (parts: Record<string, Given | undefined> = {}, leaving: string[] = []) =>
  clusterFacts(probed(without(clusterParts(4, leaving), parts)));
function without(parts: Record<string, Given>, changed: Record<string, Given | undefined>): Record<string, Given> {
  return Object.fromEntries(
    Object.entries({ ...parts, ...changed }).flatMap(([name, given]) => (given === undefined ? [] : [[name, given]])),
  );
}

/** The state of a checked part that ends like this. */
function cut(text: string): unknown {
  const whole = printed(probed({ a: [text, 0] }));
  const without = whole.replace(/::0\n(?=\n\S+ end$)/, "");
  assert.notEqual(without, whole);
  return partsOf(Buffer.from(without).toString("base64")).get("a")?.state;
}
/** The first line of an answer. */
const markOf = (stdout: string): string => printed(stdout).slice(0, 36);

describe("partsOf: a mark in front of each part", () => {
  it("exit codes of checked parts stand behind the last `::`", () => {
    const parts = partsOf(probed({ a: ["x::0\n::9\ny\n", 3], b: ["", 0], c: "plain ::7" }));
    const told = [...parts].map(([name, { state, bytes }]) => [name, state, Buffer.from(bytes).toString()]);
    assert.deepEqual(told, [
      ["a", 3, "x::0\n::9\ny\n"],
      ["b", 0, ""],
      ["c", 0, "plain ::7"],
    ]);
  });

  it("why there is no file", () => {
    const parts = partsOf(
      probed({
        a: { state: "absent" },
        b: { state: "large" },
        c: { state: "unreadable" },
        d: Buffer.alloc(largestFile + 1, 120),
        e: Buffer.alloc(largestFile, 120),
      }),
    );
    assert.deepEqual(
      [...parts.values()].map(({ state, bytes }) => [state, bytes.length]),
      [
        ["absent", 0],
        ["large", 0],
        ["unreadable", 0],
        ["large", 0],
        [0, largestFile],
      ],
    );
  });

  it("garbage before and behind it is no part of anything", () => {
    const encoded = Buffer.from("x".repeat(200)).toString("base64");
    const noise = `\nLast login: today\n\x1b[31mmotd\x1b[0m\n===\n0\n${encoded}\nno newline`;
    assert.deepEqual(masterFacts(noise + probed(masterParts(1, 4)) + noise), seen());
    assert.deepEqual([...partsOf(noise)], []);
  });

  for (const shell of ["dash", "bash"])
    it(`by ${shell}: bytes come as they are, exit codes are told, and what one part does to its shell is gone in the next`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "parts-"));
      try {
        const bytes = Buffer.from([0, 10, 255, 254, 10, 0]);
        await writeFile(join(folder, "-f"), bytes);
        await writeFile(join(folder, "large"), Buffer.alloc(largestFile + 1));
        const script = inParts(`fails() { cd /; x=2; echo out; echo err >&2; return 7; }
leaves() { echo 'the last words'; exit 9; }
x=1
file bytes -f
file large large
file none none
file folder .
checked fails fails
checked leaves leaves
value x "$x"
part pwd pwd
value empty ''
part missing no-such-program
value twice a
value twice b`);
        const { stdout } = await promisify(execFile)(shell, ["-c", `printf 'rc without a newline'; ${script}`], {
          cwd: folder,
          maxBuffer: 64 * 2 ** 20,
        });
        const found = partsIn(stdout).map(([name, { state, bytes }]) => [
          name,
          state,
          Buffer.from(bytes).toString("latin1"),
        ]);
        assert.match(String(found.find(([name]) => name === "missing")?.[2]), /not found/);
        assert.deepEqual(
          found.filter(([name]) => name !== "missing"),
          [
            ["bytes", 0, bytes.toString("latin1")],
            ["large", "large", ""],
            ["none", "absent", ""],
            ["folder", "unreadable", ""],
            ["fails", 7, "out\nerr\n"],
            ["leaves", 9, "the last words\n"],
            ["x", 0, "1"],
            ["pwd", 0, `${folder}\n`],
            ["empty", 0, ""],
            ["twice", 0, "a"],
            ["twice", 0, "b"],
          ],
        );
        assert.notEqual(
          markOf(stdout),
          markOf((await promisify(execFile)(shell, ["-c", script], { cwd: folder, maxBuffer: 64 * 2 ** 20 })).stdout),
        );
      } finally {
        await rm(folder, { recursive: true });
      }
    });

  it("a checked part that was cut off has failed", () => {
    assert.equal(cut("some output"), 255);
    assert.notEqual(cut("some output::x"), 0);
    assert.equal(cut("some output::1"), 1);
  });
  it("a checked part that was cut off before its code has failed", () => {
    for (const end of ["::", "::\n"]) assert.equal(cut(`x${end}`), 255);
  });

  it("an answer that was cut off anywhere is none", () => {
    const whole = probed({ a: "first", b: ["second", 0], c: { state: "absent" } }).trim();
    const bytes = Buffer.from(whole, "base64");
    assert.equal(partsIn(whole).length, 3);
    for (let at = 0; at < bytes.length; at += 1)
      assert.deepEqual(partsIn(bytes.subarray(0, at).toString("base64")), [], `after ${at} bytes`);
    for (let at = 0; at < whole.length - 4; at += 1) assert.deepEqual(partsIn(whole.slice(0, at)), []);
  });

  it("what a host prints can neither end a part nor begin another", () =>
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 0, max: 255 }), (output, exit) => {
        const parts = partsOf(probed({ first: [output, exit], second: output }));
        assert.deepEqual([...parts.keys()], ["first", "second"]);
        assert.equal(parts.get("first")?.state, exit);
        assert.equal(Buffer.from(parts.get("first")?.bytes ?? []).toString(), Buffer.from(output).toString());
      }),
    ));
});

describe("masterFacts", () => {
  it("a healthy master, whole", () => {
    const facts = seen();
    assert.deepEqual(facts.identity, {
      hostname: "master-1.example.com",
      machineId: createHash("md5").update("master-1.example.com").digest("hex"),
      time: now,
    });
    assert.deepEqual(facts.files.etcdConf, {
      path: "/etc/etcd/etcd.conf",
      text: etcdConfText(1, 4),
      sha256: sha256(etcdConfText(1, 4)),
    });
    assert.deepEqual(
      Object.values(facts.files).map((file) => file.path),
      [
        "/etc/etcd/etcd.conf",
        "/etc/origin/master/master-config.yaml",
        "/etc/origin/master/master.env",
        "/etc/sysconfig/flanneld",
        "/etc/origin/node/pods/etcd.yaml",
      ],
    );
    assert.deepEqual(facts.unreadable, []);
    assert.deepEqual(facts.pods, ["apiserver.yaml", "controller.yaml", "etcd.yaml"]);
    assert.equal(facts.configChanged, configured);
    assert.deepEqual(facts.listeners, [
      { port: 2379, since: started },
      { port: 8443, since: started },
      { port: 8444, since: started },
    ]);
    assert.deepEqual(facts.nodeService, { unit: "origin-node", active: true, enabled: true, stale: false });
    assert.deepEqual(facts.flanneld, { unit: "flanneld", active: true, enabled: true, stale: false });
    assert.equal(facts.freeForBackup, 30_000_000 * 1024);
    assert.equal(facts.backupNeed, 1300 * 1024);
    assert.deepEqual(facts.authority, []);
    assert.deepEqual(facts.readiness, { ready: true, asked: "/healthz/ready", seen: "HTTP 200" });
    assert.equal(facts.etcdSeen, "");
    assert.equal(facts.etcd?.via, "host");
    assert.equal(facts.etcd.healthy, true);
    assert.equal(facts.etcd.v2, true);
    assert.deepEqual(facts.etcd.alarms, []);
    assert.deepEqual(
      facts.etcd.members.map(({ id }) => id),
      [0, 1, 2, 3].map(idOf),
    );
    assert.deepEqual(facts.etcd.status, {
      endpoint: "https://192.168.55.12:2379",
      clusterId: "cdf818194e3a8c32",
      memberId: idOf(1),
      leaderId: idOf(0),
      revision: "9007199254741001",
      raftIndex: "80001",
      version: "3.2.32",
      dbSize: 25165824,
      errors: [],
    });
  });

  it("no output at all: nothing is known, nothing is thrown", () => {
    const facts = masterFacts("");
    assert.deepEqual(facts.files, {});
    assert.equal(facts.etcd, undefined);
    assert.equal(facts.etcdSeen, "neither etcdctl nor master-exec nor oc is there");
    assert.equal(facts.readiness.ready, false);
    assert.equal(facts.readiness.seen, "HTTP no answer");
    assert.equal(facts.nodeService, undefined);
    assert.deepEqual([facts.pods, facts.listeners, facts.authority], [[], [], []]);
    assert.deepEqual(facts.identity, { hostname: "", machineId: "", time: 0 });
  });

  it("any one part missing throws nothing", () => {
    for (const name of Object.keys(masterParts(1, 4))) assert.doesNotThrow(() => seen({ [name]: undefined }), name);
  });

  it("whatever a host prints throws nothing", () => {
    const names = Object.keys(masterParts(1, 4));
    const given = fc.oneof(fc.string({ unit: "binary" }), fc.tuple(fc.string({ unit: "binary" }), fc.nat(255)));
    fc.assert(fc.property(fc.constantFrom(...names), given, (name, output) => void seen({ [name]: output })));
    fc.assert(fc.property(fc.string({ unit: "binary" }), (noise) => void masterFacts(noise)));
  });

  describe("files", () => {
    it("the hash is of the bytes, and text that is not UTF-8 loses nothing", () => {
      const bytes = Buffer.from([0x41, 0xe9, 0x0a, 0xff]);
      const file = seen({ "etcd.conf": bytes }).files.etcdConf;
      assert.equal(file?.sha256, sha256(bytes));
      assert.deepEqual(Buffer.from(file.text, "latin1"), bytes);
    });
    it("UTF-8 stays UTF-8, with its byte order mark", () => {
      const text = "\ufeffname: müller\r\n";
      assert.equal(seen({ "master.env": text }).files.masterEnv?.text, text);
    });
    it("an empty file is a file, an absent one is none", () => {
      assert.equal(seen({ "master.env": "" }).files.masterEnv?.text, "");
      const gone = seen({ "master.env": { state: "absent" } });
      assert.equal("masterEnv" in gone.files, false);
      assert.deepEqual(gone.unreadable, []);
    });
    it("what cannot be edited says why", () => {
      const facts = seen({ "master-config": { state: "large" }, flanneld: { state: "unreadable" } });
      assert.deepEqual(facts.unreadable, ["master-config is larger than 4 MiB", "flanneld is no readable file"]);
      assert.equal(facts.files.masterConfig, undefined);
    });
  });

  describe("services", () => {
    const service = (text: string) => seen({ "service:flanneld": text }).flanneld;
    const cases: [text: string, active: boolean, enabled: boolean][] = [
      ["LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n", true, true],
      ["LoadState=loaded\nActiveState=activating\nUnitFileState=enabled-runtime\n", true, true],
      ["LoadState=loaded\nActiveState=failed\nUnitFileState=disabled\n", false, false],
      ["LoadState=loaded\nActiveState=inactive\nUnitFileState=masked\n", false, false],
      ["LoadState=loaded\nActiveState=deactivating\nUnitFileState=\n", false, false],
    ];
    for (const [text, active, enabled] of cases)
      it(text.replaceAll("\n", " "), () =>
        assert.deepEqual(service(text), { unit: "flanneld", active, enabled, stale: false }),
      );
    it("a unit that is not there, or systemctl's error, is no service", () => {
      assert.equal(service("LoadState=not-found\nActiveState=inactive\nUnitFileState=\n"), undefined);
      assert.equal(service("sh: systemctl: not found\n"), undefined);
    });
    it("flanneld that is older than its file is stale", () =>
      assert.equal(seen({ "stale:flanneld": "stale\n" }).flanneld?.stale, true));
    it("the node service of Enterprise", () => {
      const loaded = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n";
      const none = "LoadState=not-found\nActiveState=inactive\nUnitFileState=\n";
      const facts = seen({ "service:origin-node": none, "service:atomic-openshift-node": loaded });
      assert.equal(facts.nodeService?.unit, "atomic-openshift-node");
    });
  });

  describe("readiness", () => {
    const cases: [text: string, ready: boolean, asked: string, what: string][] = [
      ["healthz/ready\nok\n200", true, "/healthz/ready", "HTTP 200"],
      ["readyz\nok\n200", true, "/readyz", "HTTP 200"],
      ["healthz/ready\n[+]ping ok\n[-]etcd failed\nhealthz check failed\n500", false, "/healthz/ready", "HTTP 500"],
      ["readyz\nnot ok\n200", false, "/readyz", "HTTP 200"],
      ["readyz\n<html>login</html>\n200", false, "/readyz", "HTTP 200"],
      ["readyz\n\n000", false, "/readyz", "HTTP no answer"],
      ["readyz\nForbidden\n403", false, "/readyz", "HTTP 403"],
      ["readyz\nok\n\x1b[2J", false, "/readyz", "HTTP \\x1b[2J"],
    ];
    for (const [text, ready, asked, what] of cases)
      it(JSON.stringify(text), () =>
        assert.deepEqual(seen({ ready: `${text}\n` }).readiness, { ready, asked, seen: what }),
      );
  });

  describe("etcd", () => {
    const etcd = (parts: Record<string, Given | undefined>) => {
      const { etcd, etcdSeen } = seen(parts);
      return { etcd, etcdSeen };
    };
    const refused = (parts: Record<string, Given | undefined>, why: RegExp) => {
      const { etcd: facts, etcdSeen } = etcd(parts);
      assert.equal(facts, undefined);
      assert.match(etcdSeen, why);
    };
    it("etcd that was not asked: nothing listens", () =>
      refused({ members: undefined, status: undefined, health: undefined }, /^nothing listens on port 2379$/));
    it("neither way to ask", () => refused({ via: "none\n" }, /neither etcdctl nor master-exec/));
    it("master-exec without its pod: exit 0, and no list", () =>
      refused(
        { via: "master-exec\n", members: ["Component etcd is stopped or not running\n", 0] },
        /^Component etcd is stopped or not running$/,
      ));
    it("an empty list is no list", () => refused({ members: ["", 0] }, /^no answer$/));
    it("a failed command is no list, whatever it prints", () =>
      refused({ members: [`${idOf(0)}, started, a, https://a:2380, https://a:2379\n`, 1] }, /started/));
    it("a list with a line that is not understood is no list", () =>
      refused(
        { members: [`${idOf(0)}, started, a, https://a:2380, https://a:2379\nrm, -rf\n`, 0] },
        /cannot make out "rm, -rf"/,
      ));
    it("control characters of a host are shown as such", () =>
      refused({ members: ["\x1b]0;owned\x07\n\x1b[2Jgone\n", 1] }, /^\\x1b\]0;owned\\x07 \/ \\x1b\[2Jgone$/));
    it("status that is no JSON leaves etcd unasked", () =>
      refused({ status: ["[oops\n", 0] }, /endpoint status: cannot make out/));
    it("a failed status leaves it unknown", () => assert.equal(etcd({ status: ["[]", 1] }).etcd?.status, undefined));
    it("a warning before the JSON is passed over", () => {
      const [json, exit] = masterParts(1, 4)["status"] as [string, number];
      assert.equal(etcd({ status: [`WARN: x\n${json}`, exit] }).etcd?.status?.memberId, idOf(1));
    });
    it("health is what the member's own line says", () => {
      const health = (text: string, exit = 0) => etcd({ health: [text, exit] }).etcd?.healthy;
      assert.equal(health("https://a:2379 is healthy: took = 1ms\n"), true);
      assert.equal(health("https://a:2379 is unhealthy: refused\n", 1), false);
      assert.equal(health("https://a:2379 is healthy: took = 1ms\n", 1), false);
      assert.equal(health("cluster is healthy\n"), false);
      assert.equal(health(""), false);
      assert.equal(health(fixture("etcdctl/v3.2-endpoint-health.txt")), false);
    });
    it("no health at all is not healthy", () => {
      const { etcd: facts } = etcd({ health: undefined });
      assert.deepEqual([facts?.healthy, facts?.detail], [false, "no answer"]);
    });
    it("alarms, with their member's id in hex", () =>
      assert.deepEqual(etcd({ alarms: [fixture("etcdctl/v3-alarm-list.txt"), 0] }).etcd?.alarms, [
        { memberId: "91bc3c398fb3c146", alarm: "NOSPACE" },
        { memberId: "5ee0b4528001", alarm: "CORRUPT" },
      ]));
    it("the v2 store has keys only when `ls` lists some", () => {
      const v2 = (text: string, exit: number) => etcd({ v2: [text, exit] }).etcd?.v2;
      assert.equal(v2("/openshift.com\n", 0), true);
      assert.equal(v2("", 0), false);
      assert.equal(v2("/openshift.com\n", 1), false);
      assert.equal(v2("Error:  client: etcd cluster is unavailable\n", 0), false);
    });
    it("members of a fixture: an unstarted one, ids as they are", () => {
      const members = etcd({ members: [fixture("etcdctl/v3.2-member-list.txt"), 0] }).etcd?.members;
      assert.deepEqual(
        members?.map(({ id, started }) => `${id} ${started}`),
        ["2a529ba1840722c0 true", "5ee217d19001 true", "8372784203e11288 false", "ed4f0efd277d7599 true"],
      );
    });
    it("alarms that could not be asked are not none", () => {
      for (const [alarms, detail] of [
        [["Error: context deadline exceeded\n", 1], "Error: context deadline exceeded"],
        [{ state: "absent" }, "no answer"],
      ] as const) {
        const facts = etcd({ alarms }).etcd;
        assert.deepEqual([facts?.healthy, facts?.detail, facts?.alarms], [false, detail, []]);
      }
    });
  });

  it("room for the backups: none is 0, and what `df` did not tell is unknown", () => {
    const free = (df: string) => seen({ free: `${df}\n900\t/etc/origin\n` }).freeForBackup;
    assert.equal(free("/dev/vda1 41152736 41152736 0 100% /backup"), 0);
    assert.equal(free("overlay 41152736 9000000 512 24% /"), 512 * 1024);
    assert.equal(free("df: /backup: No such file or directory"), undefined);
    assert.equal(free(""), undefined);
    assert.equal(seen({ free: { state: "absent" } }).freeForBackup, undefined);
  });

  it("a process whose start is unknown has since 0", () =>
    assert.deepEqual(seen({ started: "8443 0 0\n8444 12 \n" }).listeners, [
      { port: 8443, since: 0 },
      { port: 8444, since: 0 },
    ]));

  it("the certificate authorities of a first master", () => {
    const { authority, trust, openssl } = seen({}, 0);
    assert.deepEqual(authority, [
      placeOf("/etc/origin/master/ca.serial.txt", "1F"),
      placeOf("/etc/etcd/ca/serial", "0A"),
    ]);
    assert.deepEqual([trust, openssl], [{ openshift: [ca.openshift], etcd: [ca.etcd] }, true]);
  });
  it("a hostile serial escaped, what is no hash left out, what is missing not there", () => {
    const lines = [
      "/etc/etcd/ca/serial \x1b[1m",
      `/etc/origin/master/etc/etcd/ca/serial - - ${ca.etcd} - -`,
      `/etc/origin/master/ca.serial.txt 1F ${ca.etcd.toUpperCase()} x keys ${ca.etcd.slice(1)}`,
      `/etc/a/ca/serial 1 ${ca.etcd} ${ca.openshift} key links`,
      "sha256sum: 'standard input': Input/output error",
    ];
    const nothing = { certificate: [], key: false, digest: "" };
    assert.deepEqual(seen({ authority: `${lines.join("\n")}\n` }).authority, [
      { path: "/etc/etcd/ca/serial", serial: "\\x1b[1m", ...nothing },
      { path: "/etc/origin/master/etc/etcd/ca/serial", serial: "", ...nothing },
      { path: "/etc/origin/master/ca.serial.txt", serial: "1F", ...nothing },
      { path: "/etc/a/ca/serial", serial: "1", certificate: [ca.etcd, ca.openshift], key: true, digest: "links" },
    ]);
  });
  it("a bundle of what is trusted, each certificate once", () => {
    const lines = ["a", "b", "a", "not a hash"].map(
      (text) => `/etc/etcd/ca.crt ${text.length > 1 ? text : hashOf(text)}\n`,
    );
    assert.deepEqual(seen({ trust: lines.join("") }).trust, { openshift: [], etcd: [hashOf("a"), hashOf("b")] });
    assert.equal(seen({ openssl: "" }).openssl, false);
  });
  it("etcd's data is there, or not", () =>
    assert.deepEqual(
      [{}, { "etcd-data": "" }].map((parts) => seen(parts).etcdData),
      [true, false],
    ));

  it("an empty folder of manifests, and one that is not there", () => {
    assert.deepEqual(seen({ pods: "" }).pods, []);
    const names = seen({ pods: "ls: cannot access '/etc/origin/node/pods': No such file or directory\n" }).pods;
    assert.equal(
      names.some((file) => file.endsWith(".yaml")),
      false,
    );
  });
});

describe("balancerFacts", () => {
  it("a healthy haproxy", () => {
    const facts = balancer();
    assert.deepEqual(
      facts.files.map(({ path }) => path),
      ["/etc/haproxy/haproxy.cfg"],
    );
    assert.deepEqual(
      [facts.valid, facts.active, facts.canReload, facts.version, facts.socket],
      [true, true, true, "2.6.12-1+deb12u1", "/var/lib/haproxy/stats"],
    );
    assert.deepEqual(
      facts.stats?.map(({ backend, server, status }) => `${backend}/${server} ${status}`),
      [0, 1, 2, 3].map((n) => `atomic-openshift-api/master${n} UP`),
    );
    assert.deepEqual(facts.through, { ready: true, asked: "/healthz/ready", seen: "HTTP 200" });
  });
  it("no output at all", () => {
    const facts = balancerFacts("", "/c");
    assert.deepEqual(
      [facts.files, facts.filesSeen, facts.valid, facts.active, facts.stats, facts.version],
      [[], "no answer", false, false, undefined, "unknown"],
    );
  });
  for (const state of ["absent", "large", "unreadable"])
    it(`a configuration that is ${state}`, () => {
      const facts = balancer({ "config:1": { state } });
      assert.deepEqual([facts.files, facts.filesSeen], [[], `/etc/haproxy/haproxy.cfg: ${state}`]);
    });
  it("what `haproxy -c` says, escaped, its last four lines", () => {
    const facts = balancer({ valid: ["1\n2\n[ALERT] \x1b[31mparsing\n4\n5\n", 1] });
    assert.deepEqual([facts.valid, facts.validSeen], [false, "2 / [ALERT] \\x1b[31mparsing / 4 / 5"]);
  });
  it("statistics that no socket gives are unknown, not empty", () => {
    assert.equal(balancer({ stats: undefined }).stats, undefined);
    assert.equal(balancer({ stats: ["neither socat nor python is on this host\n", 1] }).stats, undefined);
    assert.equal(balancer({ stats: ["Permission denied\n", 0] }).stats, undefined);
  });
  it("statistics of 1.5 and 2.6", () => {
    for (const version of ["1.5", "2.6"])
      assert.ok(
        (balancer({ stats: [fixture(`haproxy/show-stat-${version}.csv`), 0] }).stats?.length ?? 0) > 0,
        version,
      );
  });
  it("statistics that are cut off do not bring the look down", () =>
    assert.equal(balancer({ stats: ["# pxname,svname,scur,status,type,\napi,m0,", 0] }).stats, undefined));
  it("whatever a host prints, the look does not throw", () => {
    const names = Object.keys(balancerParts("lb-0.example.com", 4));
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.string({ unit: "binary" }),
        (name, output) => void balancer({ [name]: output }),
      ),
    );
  });
  it("a unit that reloads is active, one that fails is not; some cannot reload", () => {
    assert.equal(balancer({ service: "ActiveState=reloading\nCanReload=yes\n" }).active, true);
    const failed = balancer({ service: "ActiveState=failed\nCanReload=no\n" });
    assert.deepEqual([failed.active, failed.canReload], [false, false]);
  });
});

describe("nodeFacts", () => {
  it("a node", () => {
    const facts = nodeFacts(probed(nodeParts("node-0.example.com", 2)));
    assert.match(facts.flanneldFile?.text ?? "", /^FLANNEL_ETCD_ENDPOINTS=https:\/\/master-0/m);
    assert.deepEqual(facts.flanneld, { unit: "flanneld", active: true, enabled: true, stale: false });
  });
  it("a node without flannel", () => {
    const facts = nodeFacts(probed({ hostname: "n\n", flanneld: { state: "absent" } }));
    assert.deepEqual([facts.flanneldFile, facts.flanneld], [undefined, undefined]);
  });
});

describe("clusterFacts", () => {
  it("a healthy cluster, with the pods of a host that leaves", () => {
    const facts = cluster({}, [master(3)]);
    assert.deepEqual(facts.unknown, []);
    const known = { address: "192.168.55.8", master: true, created: 1_698_832_800 };
    assert.deepEqual(facts.nodes[0], { name: master(0), unschedulable: false, ready: true, ...known });
    assert.equal(facts.nodes[4]?.master, false);
    assert.equal(facts.nodes.length, 5);
    assert.deepEqual(facts.endpoints, {
      addresses: ["192.168.55.8", "192.168.55.12", "192.168.55.13", "192.168.55.21"],
      ports: { https: 8443, dns: 8053, "dns-tcp": 8053 },
    });
    assert.equal(facts.controllers, "master-0.example.com");
    assert.deepEqual(facts.pods[master(3)]?.[0], {
      namespace: "kube-system",
      name: "master-api-master-3.example.com",
      owner: "",
      mirror: true,
      localData: false,
      phase: "Running",
    });
    assert.equal(facts.pods[master(3)]?.length, 4);
  });
  it("a cordoned node, one that is not ready, a pod with local data", () => {
    const facts = cluster({
      nodes: ["a|true|True\nb||Unknown\n", 0],
      "pods:a": ["ns|p|||map[]|Pending\n", 0],
    });
    assert.deepEqual(facts.nodes, [
      { name: "a", unschedulable: true, ready: true },
      { name: "b", unschedulable: false, ready: false },
    ]);
    assert.deepEqual(facts.pods["a"], [
      { namespace: "ns", name: "p", owner: "", mirror: false, localData: true, phase: "Pending" },
    ]);
  });
  it("who is a master, by the labels as 3.11 prints them and as later ones do", () => {
    const labels: [string, boolean][] = [
      ["map[beta.kubernetes.io/os:linux node-role.kubernetes.io/master:true]", true],
      ["map[node-role.kubernetes.io/master:]", true],
      ['{"a":"b","node-role.kubernetes.io/master":""}', true],
      ['{"openshift.io/role":"master"}', true],
      ["map[openshift.io/role:master x:y]", true],
      ["map[node-role.kubernetes.io/infra:true]", false],
      ["map[my-node-role.kubernetes.io/master:true]", false],
      ["", false],
    ];
    for (const [text, is] of labels)
      assert.equal(cluster({ nodes: [`a||True|10.0.0.1 10.9.0.1||${text}\n`, 0] }).nodes[0]?.master, is, text);
    const [node] = cluster({ nodes: ["a||True|10.0.0.1 10.9.0.1|soon|map[]\n", 0] }).nodes;
    assert.deepEqual([node?.address, node?.created], ["10.0.0.1", 0]);
  });
  it("who holds the lease: ConfigMap, Endpoints, Lease", () => {
    const annotation = (who: string) => [`{"holderIdentity":"${who}","leaseDurationSeconds":15}`, 0] as const;
    const uuid = "5f0d39c8-7d1c-11ee-9f2a-525400d2a1b0";
    const none = ["", 0] as const;
    assert.equal(cluster({ "holder:configmap": none, "holder:endpoints": annotation(`m1_${uuid}`) }).controllers, "m1");
    assert.equal(cluster({ "holder:configmap": none, "holder:lease": [`m2_${uuid}\n`, 0] }).controllers, "m2");
    assert.equal(cluster({ "holder:configmap": annotation(""), "holder:lease": [`m3-${uuid}`, 0] }).controllers, "m3");
    assert.equal(cluster({ "holder:configmap": none }).controllers, "");
    assert.equal(cluster({ "holder:configmap": ["error: no such resource\n", 1] }).controllers, "");
    assert.equal(cluster({ "holder:configmap": annotation("\x1b[2J") }).controllers, "\\x1b[2J");
  });
  it("what could not be asked is named, and a lease that is of another kind is not", () => {
    const facts = cluster(
      { nodes: ["The connection to the server was \x1b[1mrefused\n", 1], "holder:lease": ["no matches for kind\n", 1] },
      [],
    );
    assert.deepEqual(facts.unknown, ["nodes: The connection to the server was \\x1b[1mrefused"]);
    assert.deepEqual(facts.nodes, []);
  });
  it("no endpoints object at all", () => assert.deepEqual(cluster({ endpoints: ["", 0] }).endpoints.addresses, []));
  it("addresses of every subset", () =>
    assert.deepEqual(
      cluster({ endpoints: ["10.0.0.1 |https=8443 \n10.0.0.2 |https=8443 \n", 0] }).endpoints.addresses,
      ["10.0.0.1", "10.0.0.2"],
    ));
  it("a probe that answers nothing is not a cluster without nodes", () => {
    assert.deepEqual(clusterFacts("").unknown, ["nodes: no answer", "endpoints: no answer"]);
    assert.deepEqual(cluster({ endpoints: ["Unable to connect\n", 1] }).unknown, ["endpoints: Unable to connect"]);
  });
  it("names like those of Object's own are names", () =>
    assert.equal(clusterFacts(probed({ "pods:__proto__": ["a|b||||Running\n", 0] })).pods["__proto__"]?.length, 1));
});

it("isReachable", () => {
  assert.equal(isReachable(undefined), false);
  assert.equal(isReachable({ unreachable: "x" }), false);
  assert.equal(isReachable(seen()), true);
});
