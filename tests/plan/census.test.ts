/** Hashes as etcdctl prints them, the script of a round, and what is made of the answers. The round itself: `tests/remote/census.test.ts`. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Census,
  type Counted,
  askedMembers,
  censusScript,
  commonRevision,
  compactionsOf,
  differingData,
  isSettled,
  revisionOf,
  withHashes,
  withStatus,
} from "../../providers/plan/census.ts";
import { parseHashes } from "../../providers/plan/etcdctl-hashes.ts";
import { observedMembers } from "../../providers/plan/members.ts";
import { isReachable } from "../../providers/plan/facts.ts";
import {
  type Given,
  addressOf,
  changeOf,
  healthy,
  idOf,
  master,
  memberIds,
  probed,
  removal,
  unreachable,
  withEtcd,
} from "./world.ts";

const decimal = (hex: string): string => BigInt(`0x${hex}`).toString();
const hashJson = (hex: string, hash: number, compacted: number, revision = "7"): string =>
  `[{"Endpoint":"https://10.0.0.1:2379","HashKV":{"header":{"cluster_id":14841639068965178418,"member_id":${decimal(hex)},"revision":${revision},"raft_term":2},"hash":${hash}${compacted === 0 ? "" : `,"compact_revision":${compacted}`}}}]`;

describe("endpoint hashkv", () => {
  it("ids and numbers keep every digit", () =>
    assert.deepEqual(
      parseHashes(`${hashJson("8e9e05c52164694d", 4294967295, 9007199254740992, "18014398509481985")}\n`),
      [
        {
          endpoint: "https://10.0.0.1:2379",
          memberId: "8e9e05c52164694d",
          revision: "18014398509481985",
          hash: "4294967295",
          compactRevision: "9007199254740992",
        },
      ],
    ));
  for (const [told, read] of [
    [-1, "-1"],
    [0, "0"],
    [12, "12"],
  ] as const)
    it(`compacted at ${told}`, () => assert.equal(parseHashes(hashJson("1", 1, told))[0]?.compactRevision, read));
  for (const none of ["[]", "null"]) it(`${none}: none`, () => assert.deepEqual(parseHashes(none), []));
  const wrong: [what: string, text: string][] = [
    ["no JSON", "Error: unknown flag: --rev"],
    ["no list", "{}"],
    ["cut off", hashJson("1", 1, 1).slice(0, 100)],
    ["no hash", hashJson("1", 1, 1).replace('"hash":1,', "")],
    ["a hash that is none", hashJson("1", 1, 1).replace('"hash":1', '"hash":"x"')],
    ["no member", hashJson("1", 1, 1).replace('"member_id":1,', "")],
    ["no endpoint", hashJson("1", 1, 1).replace("https://10.0.0.1:2379", "")],
    ["a compaction that is none", hashJson("1", 1, 1).replace('"compact_revision":1', '"compact_revision":"x"')],
    ["a list of nothing", "[null]"],
  ];
  for (const [what, text] of wrong)
    it(`${what}: refused`, () =>
      assert.throws(() => parseHashes(text), { name: "Refusal", message: /endpoint hashkv|member id/ }));
});

describe("whom a round asks", () => {
  const { world, change } = removal(4, [3]);
  const asked = (so = world) => Object.entries(askedMembers(so, change)).map(([name, { id }]) => [name, id]);
  const all = [3, 0, 1, 2].map((n) => [master(n), idOf(n)]);
  it("every declared host that is a member", () => {
    assert.deepEqual(asked(), all);
    assert.equal(askedMembers(world, change)[master(1)]?.url, `https://${addressOf(1)}:2379`);
  });
  it("at its declared address, whatever the list says", () => {
    const so = withEtcd(world, ({ members }) => ({
      members: members.map((one) => ({ ...one, clientURLs: ["https://10.66.66.66:2379"] })),
    }));
    assert.deepEqual(askedMembers(so, change), askedMembers(world, change));
  });
  it("nobody that has not started, is not declared, or is not one member", () => {
    const so = withEtcd(world, ({ members: [first, second, third, ...more] }) => ({
      members: [
        ...(first ? [{ ...first, started: false }] : []),
        ...(second ? [second, { ...second, id: "abc" }] : []),
        ...(third ? [{ ...third, name: "stranger", peerURLs: ["https://10.9.9.9:2380"] }] : []),
        ...more,
      ],
    }));
    assert.deepEqual(asked(so), [all[0]]);
  });
  it("a host that cannot be reached too: its etcd may answer", () =>
    assert.deepEqual(asked(unreachable(world, master(3))), all));
  it("nobody, when nobody could say who is a member", () =>
    assert.deepEqual(asked(withEtcd(world, { healthy: false })), []));
});

describe("the script of a round", () => {
  const script = censusScript("10.0.0.10", ["https://10.0.0.10:2379", "https://[fd00::1]:2379"], "42; reboot");
  it("one call for each endpoint, each at the same time, and every word quoted", () =>
    assert.deepEqual(
      script.split("\n").filter((line) => line.startsWith("say ")),
      [
        "say hash:0 at https://10.0.0.10:2379 endpoint hashkv --rev '42; reboot' -w json &",
        "say hash:1 at 'https://[fd00::1]:2379' endpoint hashkv --rev '42; reboot' -w json &",
      ],
    ));
  it("one endpoint in each call: a second flag would add to the first", () =>
    assert.equal(/^at\(\).*$/m.exec(script)?.[0].match(/--endpoints/g)?.length, 1));
});

const members = {
  a: { id: "8e9e05c52164694d", url: "https://a:2379" },
  b: { id: "91bc3c398fb3c146", url: "https://b:2379" },
};
const statusJson = (hex: string, revision: string) =>
  `[{"Endpoint":"https://a:2379","Status":{"header":{"cluster_id":1,"member_id":${decimal(hex)}${revision === "" ? "" : `,"revision":${revision}`}},"version":"3.2.32","leader":1}}]\n`;
const [a, b] = [members.a.id, members.b.id];

describe("answers of a round", () => {
  const cases: [what: string, answers: Record<string, Given>, revisions: string[], seen: (string | RegExp)[]][] = [
    ["both", { "status:0": [statusJson(a, "7"), 0], "status:1": [statusJson(b, "8"), 0] }, ["7", "8"], ["", ""]],
    [
      "a warning before the JSON",
      { "status:0": [`{"level":"warn","msg":"x"}\n${statusJson(a, "7")}`, 0], "status:1": [statusJson(b, "8"), 0] },
      ["7", "8"],
      ["", ""],
    ],
    [
      "a dead one",
      {
        "status:0": [statusJson(a, "7"), 0],
        "status:1": ['{"level":"warn"}\nFailed to get it\nError: context deadline exceeded\n[]\n', 1],
      },
      ["7", ""],
      ["", "context deadline exceeded"],
    ],
    ["no answer at all", {}, ["", ""], ["no answer", "no answer"]],
    [
      "nothing printed, as master-exec does without its pod",
      { "status:0": ["", 0], "status:1": ["\n", 0] },
      ["", ""],
      ["no answer", "no answer"],
    ],
    [
      "what would write in the terminal",
      { "status:0": ["\x1b[2JError: \x1b[31mboo\n", 1], "status:1": [statusJson(b, "8"), 0] },
      ["", "8"],
      ["\\x1b[2JError: \\x1b[31mboo", ""],
    ],
    [
      "another member",
      { "status:0": [statusJson(b, "7"), 0], "status:1": [statusJson(b, "8"), 0] },
      ["", "8"],
      [`member ${b} answers there, and not ${a}`, ""],
    ],
    [
      "cut off",
      { "status:0": [statusJson(a, "7").slice(0, 50), 0], "status:1": [statusJson(b, "8"), 0] },
      ["", "8"],
      [/cannot make out/, ""],
    ],
    ["no revision", { "status:0": [statusJson(a, ""), 0], "status:1": [statusJson(b, '"x"'), 0] }, ["", ""], ["", ""]],
  ];
  for (const [what, answers, revisions, seen] of cases)
    it(what, () => {
      const found = Object.values(withStatus(members, probed(answers)));
      assert.deepEqual(
        found.map(({ status }) => revisionOf(status)),
        revisions,
      );
      for (const [n, one] of seen.entries())
        if (typeof one === "string") assert.equal(found[n]?.seen, one);
        else assert.match(found[n]?.seen ?? "", one);
    });

  const statuses = withStatus(
    members,
    probed({ "status:0": [statusJson(a, "7"), 0], "status:1": [statusJson(b, "8"), 0] }),
  );
  const unknown: [by: string, said: string][] = [
    ["etcdctl of 3.2", "Error: unknown flag: --rev\n"],
    ["etcdctl of 3.2, its help", "NAME:\n\tendpoint - Endpoint related commands\n"],
    ["an older command line", 'Error: unknown command "hashkv" for "etcdctl endpoint"\n'],
    ["etcd of 3.2", "Error: rpc error: code = Unimplemented desc = unknown method HashKV\n"],
    ["etcd of 3.1", "Error: unknown method HashKV for service etcdserverpb.Maintenance\n"],
  ];
  for (const [by, text] of unknown)
    it(`no hash of ${by}`, () => {
      const found = withHashes(statuses, probed({ "hash:0": [text, 1], "hash:1": [hashJson(b, 5, -1), 0] }));
      assert.deepEqual([found["a"]?.hash, found["a"]?.status, found["a"]?.seen], ["none", statuses["a"]?.status, ""]);
      assert.deepEqual(found["b"]?.hash !== "none" && found["b"]?.hash?.hash, "5");
    });
  it("a hash that failed keeps the status, and says why", () => {
    const why = "etcdserver: mvcc: required revision has been compacted";
    const found = withHashes(
      statuses,
      probed({ "hash:0": [`Error: ${why}\n[]\n`, 1], "hash:1": [hashJson(b, 5, -1), 0] }),
    );
    assert.deepEqual([found["a"]?.hash, found["a"]?.status, found["a"]?.seen], [undefined, statuses["a"]?.status, why]);
  });
});

/** `7:5@3`: at revision 7, hash 5 at compaction 3; `7`: no hash; `?`: no answer; `7!`: hash failed for its revision. */
function censusOf(...sketches: string[]): Census {
  const found = sketches.map((sketch, n): [string, Counted] => {
    const [, revision = "", hash, compacted = ""] = /^(\d*)!?(?::(\d+)@(-?\d+))?/.exec(sketch) ?? [];
    const at = { id: memberIds[n] ?? "", url: `https://m${n}:2379` };
    const [status] =
      revision === ""
        ? []
        : Object.values(withStatus({ m: at }, probed({ "status:0": [statusJson(at.id, revision), 0] })));
    const hashed = hash === undefined ? undefined : parseHashes(hashJson(at.id, Number(hash), Number(compacted)))[0];
    return [
      `m${n}`,
      {
        ...at,
        status: status?.status,
        hash: hashed,
        seen: sketch.endsWith("!") ? "required revision is a future revision" : "",
      },
    ];
  });
  return { through: "m0", looks: 1, revision: "7", members: Object.fromEntries(found) };
}

describe("what a round shows", () => {
  const cases: [what: string, sketches: string[], common: string, groups: string[][], settled: boolean][] = [
    ["all the same", ["7:5@3", "7:5@3", "7:5@3"], "7", [], true],
    ["asked at the least revision", ["9:5@3", "7:5@3", "8:5@3"], "7", [], true],
    ["no further behind than is allowed", ["1007:5@3", "7:5@3"], "7", [], true],
    ["one that is far behind is not waited for", ["1009:5@3", "8!", "1010:5@3"], "1009", [], false],
    ["one differs", ["7:5@3", "7:6@3", "7:5@3"], "7", [["m0", "m2"], ["m1"]], false],
    ["all differ", ["7:5@3", "7:6@3", "7:4@3"], "7", [["m0"], ["m1"], ["m2"]], false],
    ["compacted differently: not compared", ["7:5@3", "7:6@4"], "7", [], false],
    ["compacted differently, and one differs", ["7:5@3", "7:6@4", "7:7@4"], "7", [["m1"], ["m2"]], false],
    ["one does not answer", ["7:5@3", "?", "7:5@3"], "7", [], true],
    ["one was compacted between", ["7:5@3", "7!"], "7", [], false],
    ["no hashes", ["7", "7"], "7", [], true],
    ["nobody answers", ["?", "?"], "", [], true],
    ["above 2^53", ["9007199254740993:5@3", "9007199254740992:5@3"], "9007199254740992", [], true],
  ];
  for (const [what, sketches, common, groups, settled] of cases)
    it(what, () => {
      const census = censusOf(...sketches);
      assert.equal(commonRevision(census.members), common);
      assert.deepEqual(
        differingData(census).map(({ names }) => names),
        groups,
      );
      assert.equal(isSettled(census), settled);
    });
  it("the compactions, each once", () =>
    assert.deepEqual(compactionsOf(censusOf("7:5@3", "7:5@-1", "7:5@3").members), ["3", "-1"]));
});

describe("members as observed", () => {
  const change = changeOf(4, [3]);
  const observed = (so = healthy(4, [master(3)])) => {
    const view = so.masters[master(0)];
    assert.ok(isReachable(view) && view.etcd !== undefined);
    return observedMembers(so, change, view.etcd);
  };
  const counted = (id: string, revision: string, version: string): Counted => {
    const text = statusJson(id, revision).replace("3.2.32", version);
    const [one] = Object.values(withStatus({ m: { id, url: "x" } }, probed({ "status:0": [text, 0] })));
    assert.ok(one);
    return one;
  };
  it("without a census no revision is known: each host was asked at a moment of its own", () =>
    assert.deepEqual(
      observed().map(({ revision, version }) => [revision, version]),
      [0, 1, 2, 3].map(() => ["", "3.2.32"]),
    ));
  it("with one, what it says of that very member", () => {
    const census = {
      ...censusOf(),
      members: { [master(0)]: counted(idOf(0), "71", "3.4.23"), [master(1)]: counted("abc", "72", "3.4.23") },
    };
    assert.deepEqual(
      observed({ ...healthy(4, [master(3)]), census }).map(({ revision, version }) => [revision, version]),
      [["71", "3.4.23"], ...[1, 2, 3].map(() => ["", "3.2.32"])],
    );
  });
  for (const version of ["", "3", "\x1b[2J3.4.1", "three.four"])
    it(`"${JSON.stringify(version)}" is no version`, () => {
      const so = withEtcd(healthy(4), ({ status }) => ({ status: status && { ...status, version } }));
      assert.deepEqual(
        observed(so).map((one) => one.version),
        ["", "", "", ""],
      );
    });
});
