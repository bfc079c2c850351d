/** Restores on trial, with a real etcd: live ones on unix sockets, whose snapshots are rehearsed in a folder of the test's own. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, afterEach, before, describe, test } from "node:test";
import { chooseEtcd, foundBinaries, lookForEtcd, type EtcdSet } from "../../providers/plan/etcd-binaries.ts";
import { parseCount, parseSnapshotStatus } from "../../providers/plan/etcdctl.ts";
import { sh } from "../../providers/plan/quote.ts";
import { rehearsalScript, scratchName } from "../../providers/plan/rehearsal-script.ts";
import { RemoteError } from "../../providers/remote/errors.ts";
import { rehearse, type RehearsalOrder } from "../../providers/remote/rehearsal.ts";
import { Connections } from "../../providers/remote/ssh.ts";
import { thisMachine, type ScriptRunner } from "../../providers/remote/this-machine.ts";
import { hasEtcd, processesWith, startEtcd } from "./etcd.ts";
import { startSshd } from "./sshd.ts";

const skip = hasEtcd ? false : "there is no etcd here (apt-get install etcd-server etcd-client)";
const root = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), "rehearsal-"));
chmodSync(folder, 0o755);
const scratches = join(folder, "scratches");
mkdirSync(scratches);
process.env["TMPDIR"] = scratches;
const version = hasEtcd
  ? (/(\d+\.\d+\.\d+)/.exec(execFileSync("etcd", ["--version"], { encoding: "utf8" }))?.[1] ?? "")
  : "";

interface Snapshot {
  bytes: Buffer;
  revision: string;
  keys: number;
  /** What `snapshot status` counts. */
  total: number;
}

/** A live etcd with keys that are overwritten, deleted and compacted, so that few counts agree; its snapshot. */
async function snapshotOf(keys: number): Promise<Snapshot> {
  const live = await startEtcd();
  try {
    for (let n = 0; n < keys + 2; n += 1) live.ctl(3, "put", `/registry/k${n}`, "v".repeat(100));
    live.ctl(3, "put", "/registry/k0", "w");
    live.ctl(3, "compact", "4");
    live.ctl(3, "del", "/registry/k1");
    live.ctl(3, "put", "/registry/k2", "w");
    live.ctl(3, "del", "/registry/k0");
    const { revision, count } = parseCount(
      live.ctl(3, "get", "", "--prefix", "--keys-only", "--limit=1", "-w", "json"),
    );
    live.ctl(3, "snapshot", "save", "s.db");
    const status = parseSnapshotStatus(live.ctl(3, "snapshot", "status", "s.db", "-w", "json"));
    assert.equal(status.revision, revision);
    return { bytes: readFileSync(join(live.folder, "s.db")), revision, keys: count, total: status.keys };
  } finally {
    await live.remove();
  }
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const orderOf = (s: Snapshot, over: Partial<RehearsalOrder> = {}): RehearsalOrder => ({
  on: "this machine",
  open: () => Readable.from([s.bytes]),
  bytes: s.bytes.length,
  sha256: sha256(s.bytes),
  revision: s.revision,
  keys: s.keys,
  clusterVersion: version,
  say: () => undefined,
  ...over,
});

/** This machine under another name, its scripts changed on the way. */
const meddled = (change: (script: string) => string): ScriptRunner => ({
  name: "here",
  run: (script, o) => thisMachine.run(change(script), o),
});
/** A program in a folder of its own that nobody may run too. */
function fake(name: string, text: string): string {
  const bin = mkdtempSync(join(folder, "bin-"));
  chmodSync(bin, 0o755);
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(bin, name), 0o755);
  // the etcdctl beside the etcd is preferred
  if (name === "etcdctl") symlinkSync("/usr/bin/etcd", join(bin, "etcd"));
  return bin;
}
const pathBefore = process.env["PATH"] ?? "";
const first = (bin: string) => (process.env["PATH"] = `${bin}:${pathBefore}`);
const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const left = () => readdirSync(scratches).filter((name) => name.startsWith(scratchName));
const orEmpty = (ask: () => string): string => {
  try {
    return ask();
  } catch {
    return "";
  }
};
/** Of this file, that is: another one may rehearse at the same time, in a folder of its own. One that cannot be looked at counts, unless it is just ending. */
function isOurs({ pid }: { pid: number }): boolean {
  const of = (name: string) => orEmpty(() => readFileSync(`/proc/${pid}/${name}`, "latin1"));
  const where = `${of("environ")}${orEmpty(() => readlinkSync(`/proc/${pid}/cwd`))}`;
  return where === "" ? of("cmdline") !== "" : where.includes(folder);
}
const running = () =>
  processesWith("--name rehearsal")
    .filter(isOurs)
    .map(({ line }) => line);
async function until<T>(ask: () => T | undefined | false): Promise<T> {
  for (let i = 0; i < 200; i += 1) {
    const answer = ask();
    if (answer !== undefined && answer !== false) return answer;
    await pause(0.05);
  }
  throw new Error("it did not come");
}
const failsWith = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RemoteError, String(error));
  assert.match(error.message, message);
  return true;
};

describe("a rehearsal", { skip }, () => {
  let good: Snapshot;
  before(async () => {
    good = await snapshotOf(6);
  });
  afterEach(() => {
    process.env["PATH"] = pathBefore;
    assert.deepEqual(running(), [], "no process is left");
    assert.deepEqual(left(), [], "no scratch is left");
  });
  after(() => rmSync(folder, { recursive: true }));

  test("of a good snapshot: the live keys, not those that snapshot status counts", async (t) => {
    assert.notEqual(good.keys, good.total);
    const said: string[] = [];
    const { seconds, ...rest } = (await rehearse(orderOf(good, { say: (text) => said.push(text) }))) as {
      seconds: number;
    };
    assert.deepEqual(rest, { rehearsed: true, where: "this machine", etcd: version, keys: 6, revision: good.revision });
    assert.deepEqual(said, [`restoring the snapshot into a scratch etcd ${version} on this machine`]);
    assert.ok(seconds > 0 && seconds < 30);
    t.diagnostic(`${good.bytes.length} bytes in ${seconds} s`);
  });

  test("of an etcd without keys", async () => {
    const live = await startEtcd();
    live.ctl(3, "snapshot", "save", "s.db");
    const bytes = readFileSync(join(live.folder, "s.db"));
    await live.remove();
    const empty = { bytes, revision: "1", keys: 0, total: 0 };
    await assert.rejects(
      rehearse(orderOf(empty, { keys: 1 })),
      failsWith(/has 0 keys at revision 1, the live cluster had 1;/),
    );
  });

  test("not at all, when the configuration says so", async () =>
    assert.deepEqual(await rehearse(orderOf(good, { on: "nowhere" })), {
      rehearsed: false,
      why: "backup.rehearsal is false",
    }));

  test("through SSH, the snapshot by standard input, whatever ETCD_ variables are there", async () => {
    const sshd = await startSshd([
      `SetEnv ETCD_NAME=evil ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:1 ETCDCTL_ENDPOINTS=a:1 TMPDIR=${scratches}`,
    ]);
    const connections = new Connections(sshd.settings());
    try {
      const on = connections.host({ name: "etcd.example.com", address: "127.0.0.1" });
      const file = join(folder, "s.db");
      writeFileSync(file, good.bytes);
      const done = await rehearse(orderOf(good, { on, open: () => createReadStream(file, { highWaterMark: 512 }) }));
      assert.ok(done.rehearsed && done.where === "etcd.example.com" && done.keys === good.keys);
    } finally {
      await connections.close();
      await sshd.stop();
    }
  });

  const ways: [string, (script: string) => string][] = [
    ["under bash, which is RHEL's sh", (s) => sh`ln -sf /bin/bash ${folder}/sh; exec ${folder}/sh -c ${s}`],
    ["by runuser, where there is no setpriv", (s) => `PATH=${fake("setpriv", "exit 1")}:$PATH; ${s}`],
  ];
  if (root)
    ways.push([
      "as an ordinary user",
      (s) => sh`chmod 1777 "$TMPDIR"; exec setpriv --reuid=54321 --regid=54321 --clear-groups /bin/sh -c ${s}`,
    ]);
  for (const [what, changed] of ways)
    test(what, async () => {
      const done = await rehearse(orderOf(good, { on: meddled(changed) }));
      assert.ok(done.rehearsed && done.keys === good.keys);
    });

  const refused: [string, (s: Snapshot) => Partial<RehearsalOrder>, RegExp][] = [
    [
      "keys that are not the live cluster's",
      (s) => ({ keys: s.keys + 1 }),
      /^rehearsing the restore of the snapshot on this machine failed: the restored etcd has 6 keys at revision \d+, the live cluster had 7; this snapshot would not bring the cluster back; take it again/,
    ],
    [
      "a revision before the snapshot's own",
      (s) => ({ revision: String(BigInt(s.revision) - 1n), keys: s.keys + 1 }),
      /the restored etcd is at revision \d+, the snapshot at \d+;/,
    ],
    [
      "a revision that it does not hold",
      (s) => ({ revision: String(BigInt(s.revision) + 1n) }),
      /exit 4; [^]*required revision is a future revision[^]*does not hold revision \d+/,
    ],
    [
      "cut on the way",
      (s) => ({ open: () => Readable.from([s.bytes.subarray(0, 5000)]) }),
      /5000 bytes of sha256 .* came, expected were \d+ of/,
    ],
    ["nothing came", () => ({ open: () => Readable.from([]) }), /0 bytes of sha256/],
    [
      "more than announced",
      (s) => ({ open: () => Readable.from(Array.from({ length: 900 }, () => s.bytes)) }),
      /: exit 1; [^]*bytes of sha256/,
    ],
    [
      "a bit flipped on the way",
      (s) => ({ open: () => Readable.from([flipped(s)]) }),
      /bytes of sha256 .* came, expected were/,
    ],
    [
      "a bit flipped before it was hashed",
      (s) => ({ open: () => Readable.from([flipped(s)]), sha256: sha256(flipped(s)) }),
      /exit 3; etcd \S+ did not restore the snapshot of an etcd \S+: take the snapshot again[^]*sha256[^]*restoring failed with exit/,
    ],
    [
      "no snapshot at all",
      () => ({ open: () => Readable.from([Buffer.alloc(4096)]), bytes: 4096, sha256: sha256(Buffer.alloc(4096)) }),
      /exit 3; /,
    ],
    [
      "a source that cannot be read",
      () => ({ open: () => createReadStream(join(folder, "nowhere")) }),
      /what was to be sent to it could not be read \(ENOENT.*, so it was ended/,
    ],
  ];
  const flipped = ({ bytes }: Snapshot): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(9000) ^ 4, 9000);
    return copy;
  };
  for (const [what, over, message] of refused)
    test(`refused: ${what}`, () => assert.rejects(rehearse(orderOf(good, over(good))), failsWith(message)));

  test("refused: a snapshot of another cluster", async () => {
    const other = await snapshotOf(4);
    const of = orderOf(other, { keys: good.keys });
    await assert.rejects(rehearse(of), failsWith(/has 4 keys at revision \d+, the live cluster had 6/));
  });

  test("refused: too little room, said in numbers", () =>
    assert.rejects(
      rehearse(orderOf(good, { on: meddled((s) => s.replace('echo "$k"', "echo 7")) })),
      failsWith(
        /on here failed: exit 1; mend what[^]*scratches has 7 KiB free, and three times the snapshot and 192 MiB are wanted, \d+ KiB/,
      ),
    ));

  test("a later etcd that does not restore it: both versions are told, and the way out", async () => {
    const later = "3.99.1";
    const bin = fake("etcd", `echo "etcd Version: ${later}"`);
    for (const tool of ["etcdctl", "etcdutl"]) {
      const says = `case "$*" in *version*) echo "${tool} version: ${later}";; *) echo "unknown storage version" >&2; exit 1;; esac`;
      writeFileSync(join(bin, tool), `#!/bin/sh\n${says}\n`);
      chmodSync(join(bin, tool), 0o755);
    }
    first(bin);
    await assert.rejects(
      rehearse(orderOf(good, { clusterVersion: "3.50.2" })),
      failsWith(
        /exit 3; etcd 3\.99\.1 did not restore the snapshot of an etcd 3\.50\.2: put an etcd 3\.50 there, or set backup\.rehearsal to false; last lines:\n {2}\| unknown storage version/,
      ),
    );
  });

  describe("which etcd", () => {
    const only = (folders: string) => (script: string) =>
      script.replace(/^look "\$@".*$/m, `set -- ${folders}; look "$@"`);
    const why = async (folders: string) => {
      const { stdout } = await meddled(only(folders)).run(lookForEtcd, { what: "looking", deadline: 30 });
      return chooseEtcd(foundBinaries(stdout), "3.4.23", "this machine");
    };

    test("none on PATH, nor where one is put by hand", async () =>
      assert.deepEqual(await why("/nowhere relative"), { why: "no etcd on this machine: install etcd 3.4 or later" }));
    test("an older one, which is asked for its version with a clean environment", async () => {
      const bin = fake("etcd", `[ -z "$ETCD_NAME" ] || exit 1; echo "etcd Version: 3.3.1"; echo "Git SHA: 1.2.3"`);
      process.env["ETCD_NAME"] = "x";
      try {
        assert.deepEqual(await why(bin), {
          why: "etcd 3.3.1 on this machine is older than the cluster's 3.4.23: install etcd 3.4 or later on this machine",
        });
      } finally {
        delete process.env["ETCD_NAME"];
      }
    });
    test("the real one", async () => {
      const etcd = (await why("/usr/bin")) as EtcdSet;
      assert.deepEqual([etcd.version, etcd.etcd], [version, "/usr/bin/etcd"]);
    });
    test("this machine's is too old: not rehearsed, and said plainly", async () =>
      assert.deepEqual(await rehearse(orderOf(good, { clusterVersion: "3.98.0" })), {
        rehearsed: false,
        why: `etcd ${version} on this machine is older than the cluster's 3.98.0: install etcd 3.98 or later on this machine, or set backup.rehearsal.host to a machine that has it`,
      }));
    test("a host that was named for it is a promise", () =>
      assert.rejects(
        rehearse(orderOf(good, { on: meddled(only("/nowhere")) })),
        failsWith(/on here failed: no etcd on here: install etcd \d\.\d or later; or take backup\.rehearsal out/),
      ));
  });

  test(
    "while it runs: nobody, a clean environment, limits, private sockets, nothing on TCP",
    { skip: !root && "not root" },
    async (t) => {
      // its question waits, so that one can look
      first(fake("etcdctl", `case "$*" in *" get "*) sleep 2 ;; esac; exec /usr/bin/etcdctl "$@"`));
      const rehearsal = rehearse(orderOf(good));
      const [scratch, pid] = await until(() => {
        const [name] = left();
        const [etcd] = processesWith("/etcd --name rehearsal").filter(
          ({ line }) => !/timeout|nice|setpriv|sh -c/.test(line),
        );
        return name !== undefined && etcd && existsSync(join(scratches, name, "work/c:0"))
          ? ([join(scratches, name), etcd.pid] as const)
          : undefined;
      });
      const proc = (name: string) => readFileSync(`/proc/${pid}/${name}`, "utf8");
      const status = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(proc("status"))?.[1]?.trim();
      assert.match(status("Uid") ?? "", /^65534(\t65534){3}$/);
      assert.match(status("Gid") ?? "", /^(60[7-9]\d\d|61[01]\d\d)(\t\d+){3}$/);
      assert.deepEqual([status("Groups"), status("CapEff"), status("NoNewPrivs")], ["", "0000000000000000", "1"]);
      assert.equal(
        proc("environ").split("\0").sort().join(" ").trim(),
        "ETCDCTL_API=3 HOME=/nonexistent LC_ALL=C PATH=/usr/bin:/bin",
      );
      const memory = 512 * 2 ** 20 + 2 * good.bytes.length;
      assert.match(proc("limits"), new RegExp(`^Max data size +${Math.ceil(memory / 1024) * 1024} `, "m"));
      assert.match(proc("limits"), /^Max core file size +0 /m);
      assert.match(proc("limits"), /^Max file size +1342\d{5} /m);
      assert.equal(Number(proc("stat").split(") ")[1]?.split(" ")[16]), Math.min(19, getPriority() + 10), "nice");
      const mode = (path: string) => {
        const { mode, uid, gid } = statSync(path);
        return [(mode & 0o777).toString(8), uid, gid];
      };
      const group = Number(status("Gid")?.split("\t")[0]);
      assert.deepEqual(
        [mode(scratch), mode(join(scratch, "work"))],
        [
          ["710", 0, group],
          ["700", 65534, group],
        ],
      );
      const ss = (kind: string) =>
        execFileSync("ss", [kind, "-l", "-n", "-p"], { encoding: "utf8" })
          .split("\n")
          .filter((line) => line.includes(`pid=${pid},`));
      assert.deepEqual([...ss("-t"), ...ss("-u"), ...ss("-w")], []);
      assert.deepEqual(
        ss("-x")
          .flatMap((line) => /[cp]:0/.exec(line) ?? [])
          .sort(),
        ["c:0", "p:0"],
        "ss sees the sockets, so it would see a port",
      );
      // others of nobody's, of nobody's own group, do not get in: neither by name, nor by /proc
      for (const path of [`${scratch}/work`, `/proc/${pid}/cwd/`])
        assert.throws(() =>
          execFileSync("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "ls", path], {
            stdio: "ignore",
          }),
        );
      t.diagnostic(`the scratch etcd: ${status("VmHWM")} resident at most, ${status("VmData")} of data`);
      assert.ok((await rehearsal).rehearsed);
    },
  );

  for (const [what, limit, small] of [
    ["memory", /ulimit -d \d+/, "ulimit -d 30000"],
    ["a file's size", /ulimit -f \d+/, "ulimit -f 20"],
  ] as const)
    test(`the limit of ${what} bites`, async () => {
      const on = meddled((s) => s.replace(limit, small));
      await assert.rejects(rehearse(orderOf(good, { on })), failsWith(/exit [34]; /));
    });

  test("of an etcd that hangs: ended in time", async () => {
    first(fake("etcd", `case "$*" in --version) echo "etcd Version: ${version}" ;; *) exec sleep 1000 ;; esac`));
    const started = Date.now();
    const on = meddled((s) => s.replace("part 60 ", "part 2 "));
    await assert.rejects(rehearse(orderOf(good, { on })), failsWith(/exit 4; [^]*etcd did not answer within/));
    assert.ok(Date.now() - started < 10_000);
  });

  test("of a restorer that hangs, and does not mind TERM", async () => {
    const hangs = `case "$*" in *restore*) trap '' TERM; while :; do sleep 1; done ;; esac; exec /usr/bin/etcdctl "$@"`;
    first(fake("etcdctl", hangs));
    const on = meddled((s) => s.replace("part 120 ", "part 1 "));
    await assert.rejects(rehearse(orderOf(good, { on })), failsWith(/exit 3; [^]*restoring/));
    await until(() => processesWith("snapshot restore").length === 0);
  });

  test("ended by its deadline: everything it started ends too, and cleans up", async () => {
    first(fake("etcdctl", `case "$*" in *" get "*) sleep 100 ;; esac; exec /usr/bin/etcdctl "$@"`));
    const on: ScriptRunner = {
      name: "here",
      run: (s, o) => thisMachine.run(s, s.includes(scratchName) ? { ...o, deadline: 2 } : o),
    };
    await assert.rejects(rehearse(orderOf(good, { on })), failsWith(/not finished within 2 s, so it was ended/));
  });

  describe("killed in the middle", () => {
    /** The bare script under a shell of our own, until its etcd runs. */
    async function begun(serve: number): Promise<{ pid: number; scratch: string }> {
      const set = chooseEtcd(
        foundBinaries((await thisMachine.run(lookForEtcd, { what: "looking", deadline: 30 })).stdout),
        version,
        "x",
      ) as EtcdSet;
      // nobody asks, so it would wait for ever
      const script = rehearsalScript({
        ...set,
        bytes: good.bytes.length,
        sha256: sha256(good.bytes),
        revision: good.revision,
      })
        .replace("part 60 ", `part ${serve} `)
        .replace("[ -S work/c:0 ]", "false");
      const child = spawn("/bin/sh", ["-c", script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
      child.stdin.end(good.bytes);
      await until(() => running().length > 0 && existsSync(join(scratches, left()[0] ?? "-", "work/c:0")));
      return { pid: child.pid ?? 0, scratch: join(scratches, left()[0] ?? "") };
    }

    test("by TERM: nothing is left", async () => {
      const { pid } = await begun(60);
      process.kill(pid, "SIGTERM");
      await until(() => left().length === 0 && running().length === 0);
    });

    test("by KILL: its etcd ends at its limit; the scratch goes with the next run once it is an hour old", async () => {
      const { pid, scratch } = await begun(3);
      process.kill(pid, "SIGKILL");
      assert.ok(running().length > 0);
      await until(() => running().length === 0);
      assert.ok((await rehearse(orderOf(good))).rehearsed);
      assert.ok(existsSync(scratch), "a young one may be at work");
      const hourAgo = new Date(Date.now() - 3_660_000);
      utimesSync(scratch, hourAgo, hourAgo);
      assert.ok((await rehearse(orderOf(good))).rehearsed);
      assert.ok(!existsSync(scratch));
    });
  });
});
