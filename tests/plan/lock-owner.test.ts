import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { judge, readLook, showLook } from "../../providers/plan/lock-look.ts";
import {
  addressOf,
  type Here,
  isGone,
  type Link,
  type Owner,
  ownerLine,
  readLockLine,
  shownOwner,
} from "../../providers/plan/lock-owner.ts";

const origin = { machine: "aa11", boot: "bb22", pidns: "4026531836", start: "700", engine: "127.0.0.1:4711" };
const owner: Owner = {
  run: "101500-ab12cd",
  user: "ops",
  host: "desk",
  pid: 42,
  since: "2026-11-30T10:15:00.000Z",
  origin,
};
const link: Link = { peer: "10.0.0.9:50000", state: "ESTAB", timer: "keepalive,118min,0" };
const hereIs = (over: Partial<Here> = {}): Here => ({
  ...{ machine: "aa11", boot: "bb22", pidns: "4026531836", host: "desk", bootedAt: Date.parse("2026-11-29T00:00:00Z") },
  ...{ addresses: ["127.0.0.1", "10.0.0.9"], startOf: (pid: number) => (pid === 42 ? "700" : undefined) },
  ...over,
});
const rebooted = hereIs({ boot: "cc33", bootedAt: Date.parse("2026-11-30T10:16:00Z"), startOf: () => undefined });

describe("the line in the lock file", () => {
  it("is read back as it was written, with the holder that the host adds", () => {
    const word = fc.stringMatching(/^[\w.@+-]{1,20}$/);
    const hex = fc.stringMatching(/^[0-9a-f]{16}$/);
    const number = fc.nat().map(String);
    const origins = fc.record(
      {
        machine: hex,
        boot: hex,
        pidns: number,
        start: number,
        engine: fc.option(fc.constant("127.0.0.1:4711"), { nil: undefined }),
      },
      { noNullPrototype: true },
    );
    const noNullPrototype = { noNullPrototype: true };
    const owners = fc.record(
      {
        run: word,
        user: word,
        host: word.filter((one) => !one.includes("@")),
        pid: fc.nat(),
        since: fc.constant(owner.since),
        origin: fc.option(origins, { nil: undefined }),
      },
      noNullPrototype,
    );
    fc.assert(
      fc.property(
        owners,
        fc.option(fc.record({ pid: fc.nat(), start: number }, noNullPrototype), { nil: undefined }),
        (one, holder) => {
          const line = `${ownerLine(one)}${holder === undefined ? "" : `; holder ${holder.pid} start ${holder.start}`} `;
          const read = readLockLine(line);
          // the last @ parts user and host
          assert.ok(read !== undefined);
          assert.equal(shownOwner(read.owner), shownOwner(one));
          assert.deepEqual([read.owner.origin, read.holder], [one.origin, holder]);
        },
      ),
    );
  });
  it("of earlier versions has an owner of whom nothing can be proved", () => {
    const read = readLockLine("run 1-a of ops@desk, process 42, since 2026-11-30T10:15:00.000Z");
    assert.deepEqual(read, { owner: { ...owner, run: "1-a", origin: undefined }, holder: undefined });
  });
  it("of somebody else is none", () => {
    for (const line of ["", " ", "hello", `${ownerLine(owner)}; and more`, `x ${ownerLine(owner)}`, "run a of b"])
      assert.equal(readLockLine(line), undefined, line);
  });
});

describe("is the owner gone?", () => {
  const table: [
    what: string,
    owner: Owner | undefined,
    here: Here,
    link: Link | undefined,
    gone: boolean,
    says: RegExp,
  ][] = [
    ["its process is there", owner, hereIs(), link, false, /process 42 is on this machine and runs/],
    [
      "its process is not there",
      owner,
      hereIs({ startOf: () => undefined }),
      link,
      true,
      /process 42 is no longer on this machine/,
    ],
    ["the number was given out again", owner, hereIs({ startOf: () => "701" }), link, true, /another one/],
    ["/proc hides it", owner, hereIs({ startOf: () => "" }), link, false, /may not see which one/],
    [
      "in a container here",
      owner,
      hereIs({ pidns: "9", startOf: () => undefined }),
      link,
      false,
      /another PID namespace/,
    ],
    [
      "a copy of this machine, made while it ran",
      owner,
      hereIs({ addresses: ["10.0.0.8"], startOf: () => undefined }),
      link,
      false,
      /no address of this machine/,
    ],
    [
      "through a bastion",
      owner,
      hereIs({ startOf: () => undefined }),
      { ...link, peer: "10.0.0.1:22" },
      false,
      /bastion or NAT/,
    ],
    ["no connection is found", owner, hereIs({ startOf: () => undefined }), undefined, false, /not found/],
    [
      "on another machine",
      owner,
      hereIs({ machine: "dd", boot: "ee", startOf: () => undefined }),
      link,
      false,
      /only on desk/,
    ],
    ["on a machine of that id and another name", owner, { ...rebooted, host: "lap" }, link, false, /only on desk/],
    ["this machine was started since", owner, rebooted, link, true, /started since, at 2026-11-30T10:16/],
    [
      "a copy that was started since",
      owner,
      { ...rebooted, addresses: ["10.0.0.8"] },
      link,
      false,
      /no address of this/,
    ],
    ["another machine of the same ids", owner, { ...rebooted, bootedAt: 0 }, link, false, /started before it/],
    [
      "an earlier version",
      { ...owner, origin: undefined },
      hereIs({ startOf: () => undefined }),
      link,
      false,
      /earlier version/,
    ],
    [
      "an earlier version that hung up",
      { ...owner, origin: undefined },
      rebooted,
      { ...link, state: "CLOSE-WAIT" },
      true,
      /has closed/,
    ],
    [
      "whoever hung up, from anywhere",
      owner,
      hereIs({ machine: "d", boot: "e" }),
      { ...link, state: "CLOSE-WAIT" },
      true,
      /has closed/,
    ],
    [
      "who does not answer may wake up",
      owner,
      hereIs({ machine: "d", boot: "e" }),
      { ...link, timer: "on,1min,9" },
      false,
      /only on desk/,
    ],
    [
      "somebody unknown who hung up",
      undefined,
      hereIs(),
      { ...link, state: "CLOSE-WAIT" },
      false,
      /not one of this program's/,
    ],
  ];
  for (const [what, who, here, by, gone, says] of table)
    it(`${what}: ${gone ? "yes" : "not proved"}`, () => {
      const verdict = isGone(who, here, by);
      assert.equal(verdict.gone, gone, JSON.stringify(verdict));
      assert.match(verdict.gone ? verdict.proof : verdict.why, says);
    });
  it("addresses as ss writes them", () => {
    const forms = ["10.0.0.9:5", "[::ffff:10.0.0.9]:5", "[fe80::1]%eth0:5", "[2001:db8::1]:5", "::ffff:10.0.0.9:5"];
    assert.deepEqual(forms.map(addressOf), ["10.0.0.9", "10.0.0.9", "fe80::1", "2001:db8::1", "10.0.0.9"]);
  });
});

describe("a look at the lock", () => {
  const line = `${ownerLine(owner)}; holder 900 start 55 `;
  const held = (...more: string[]) => readLook(["state held", `line ${line}`, ...more, ""].join("\n"));
  const holdersOf = (look: ReturnType<typeof readLook>) =>
    look.state === "held" ? look.holders.map(({ pid }) => pid) : "free";

  it("the kernel says whose the lock is; else the line does; who only tries is none", () => {
    assert.deepEqual(holdersOf(held("open 900 55 yes sh", "open 901 60 no sh")), [900]);
    assert.deepEqual(holdersOf(held("open 900 55 no sh", "open 901 60 no sh")), [900]);
    assert.deepEqual(holdersOf(held("open 900 56 yes sh")), []);
    const old = readLook(`state held\nline ${shownOwner(owner)} \nopen 900 55 no sh\nopen 901 60 no cat\n`);
    assert.deepEqual(holdersOf(old), [900, 901]);
  });
  it("nobody who can be named: not cleared, however gone the owner is", () => {
    const look = held(
      "open 901 60 no sh",
      'sock CLOSE-WAIT 0 0 10.0.0.1:22 10.0.0.9:50000 users:(("sshd",pid=800,fd=4))',
      "kin 901 800",
    );
    assert.equal(look.state === "held" && judge(look, hereIs()).gone, false);
  });
  for (const users of [
    '(("sshd",pid=800,fd=4))',
    '(("sshd",800,4))',
    '(("sshd-session",pid=801,fd=7),("sshd-session",pid=800,fd=7))',
  ])
    it(`its connection is that of an sshd among its ancestors: ${users}`, () => {
      const sockets = [
        'sock LISTEN 0 128 *:22 *:* users:(("sshd",pid=800,fd=3))',
        'sock ESTAB 0 0 10.0.0.1:22 10.0.0.7:1 users:(("sshd",pid=80,fd=4)) timer:(keepalive,9min,0)',
        `sock ESTAB 0 36 10.0.0.1:22 10.0.0.9:50000 users:${users} timer:(on,1.2sec,4)`,
      ];
      const look = held("open 900 55 yes sh", "kin 900 850", "kin 900 800", "kin 900 1", "kin 7 80", ...sockets);
      assert.deepEqual(look.state === "held" && look.link, {
        peer: "10.0.0.9:50000",
        state: "ESTAB",
        timer: "on,1.2sec,4",
      });
      assert.deepEqual(showLook(look, hereIs()).slice(0, 2), [
        `held by ${shownOwner(owner)}`,
        "  on the master by process 900 (sh), through SSH from 10.0.0.9:50000 (does not acknowledge what is sent: 4 times so far, next in 1.2sec)",
      ]);
    });
  it("what a host makes up is shown harmless, and an answer that is none is told", () => {
    const evil = readLook("state held\nline \x1b[2J\x1b]0;gotcha\x07\u202e\nopen 900 55 yes \x1b[31msh\n");
    const shown = showLook(evil, hereIs()).join("\n");
    assert.doesNotMatch(shown, /[\x00-\x09\x0b-\x1f\u202e]/);
    assert.match(shown, /somebody unknown; the file says: \\x1b\[2J/);
    for (const answer of ["", "hello\x1b[2J", "state held\n", "state\n"])
      assert.throws(
        () => readLook(answer),
        (error: Error) => /^the answer is none: [^\x00-\x1f]*$/.test(error.message),
      );
  });
});
