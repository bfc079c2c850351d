import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ObservedMember,
  type Standing,
  decide,
  faultTolerance,
  largestLag,
  quorum,
} from "../../providers/plan/topology.ts";

const BOTH = ["below-three-masters", "even-members"];

/** `"a* b c! d?"`: `*` leader, `!` unhealthy, `?` unstarted, `~` alarm, `^` learner, `-` far behind; `=3.3.1` its version. */
function cluster(sketch: string): ObservedMember[] {
  return sketch.split(" ").map((word, index) => ({
    name: word.replace(/=.*/, "").replace(/\W/g, ""),
    id: (index + 10).toString(16),
    started: !word.includes("?"),
    healthy: !/[!?]/.test(word),
    leader: word.includes("*"),
    learner: word.includes("^"),
    alarms: word.includes("~") ? ["NOSPACE"] : [],
    version: /=(.*)/.exec(word)?.[1] ?? (/[!?]/.test(word) ? "" : "3.2.32"),
    revision: /[!?]/.test(word) ? "" : word.includes("-") ? "9007199254740992" : "9007199254741993",
  }));
}

/** `after` each removal, then `before` the first: members, healthy, quorum, tolerance. */
const GO: [
  sketch: string,
  leaving: string[],
  acknowledge: string[],
  removals: string[],
  before: number,
  after: number,
][] = [
  ["a* b c d", ["d"], [], ["d: 4/4 3+1 → 3/3 2+1"], 1, 1],
  ["a* b c d!", ["d"], [], ["d: 3/4 3+0 → 3/3 2+1"], 0, 1],
  ["a b c d* e", ["c", "d"], [], ["c: 5/5 3+2 → 4/4 3+1", "d: 4/4 3+1 → 3/3 2+1"], 2, 1],
  ["a* b c d e!", ["a", "e"], [], ["e: 4/5 3+1 → 4/4 3+1", "a: 4/4 3+1 → 3/3 2+1"], 1, 1],
  [
    "a* b! c d e",
    ["c", "a", "b"],
    BOTH,
    ["b: 4/5 3+1 → 4/4 3+1", "c: 4/4 3+1 → 3/3 2+1", "a: 3/3 2+1 → 2/2 2+0"],
    1,
    0,
  ],
  ["a* b c", ["c"], BOTH, ["c: 3/3 2+1 → 2/2 2+0"], 1, 0],
  ["a b*", ["b"], ["below-three-masters"], ["b: 2/2 2+0 → 1/1 1+0"], 0, 0],
  ["a* b c d?", ["d"], [], ["d: 3/4 3+0 → 3/3 2+1"], 0, 1],
  ["a* b c d^ e!", ["d", "e"], [], ["e: 3/4 3+0 → 3/3 2+1", "d: 3/3 2+1 → 3/3 2+1"], 0, 1],
  ["a* b c d^!", ["d"], [], ["d: 3/3 2+1 → 3/3 2+1"], 1, 1],
  ["a* b c d^?", ["d"], [], ["d: 3/3 2+1 → 3/3 2+1"], 1, 1],
  ["a*=3.4.1 b=3.4.27 c=3.4.27 d", ["x"], [], [], 1, 1],
  ["a*=3.4.1 b=3.4.27 c=3.4.27 d!", ["d"], [], ["d: 3/4 3+0 → 3/3 2+1"], 0, 1],
  ["a* b c d-", ["d"], [], ["d: 4/4 3+1 → 3/3 2+1"], 1, 1],
  ["a* b c", ["x"], [], [], 1, 1],
  ["a* b! c~ d? e^- f!=3.9", [], [], [], -1, -1],
];
const told = ({ members, healthy, quorum, tolerance }: Standing): string =>
  `${healthy}/${members} ${quorum}+${tolerance}`;
for (const [sketch, leaving, acknowledge, removals, before, after] of GO) {
  test(`${sketch}: ${leaving.join(" ") || "nobody"} may leave`, () => {
    const members = cluster(sketch);
    const decision = decide({ members, leaving, acknowledge });
    assert.deepEqual(decision.reasons, []);
    assert.equal(decision.verdict, "go");
    assert.deepEqual(
      decision.removals.map((one) => `${one.name}: ${told(one.before)} → ${told(one.after)}`),
      removals,
    );
    assert.deepEqual(
      decision.removals.map(({ id }) => members.find((one) => one.id === id)?.name),
      decision.order,
    );
    assert.deepEqual(
      decision.order,
      removals.map((one) => one.charAt(0)),
    );
    assert.deepEqual(decision.tolerance, { before, after });
  });
}

const REFUSED: [what: string, sketch: string, leaving: string[], acknowledge: string[], reasons: RegExp[]][] = [
  ["both risks at once", "a* b c", ["c"], [], [/`below-three-masters`/, /`even-members`/]],
  ["the risk that is missing", "a* b c", ["c"], ["even-members"], [/`below-three-masters`/]],
  ["an even count", "a* b c d e", ["e"], [], [/`even-members`.*4 etcd members tolerate no more failures than 3/]],
  ["the last member", "a*", ["a"], BOTH, [/last etcd member/]],
  ["all members", "a* b c", ["a", "b", "c"], BOTH, [/last etcd member/]],
  ["an unhealthy survivor", "a* b c! d e", ["d", "e"], [], [/survivor c \(c\) is not healthy/]],
  ["an unstarted survivor", "a* b c d ?", ["d"], ["even-members"], [/survivor \(no name\) \(e\) has not started/]],
  [
    "a learner that stays",
    "a* b c d e^",
    ["d"],
    [],
    [/survivor e \(e\) is a learner, .*promote it, or remove it, first/],
  ],
  ["a learner that would be the last", "a* b^", ["a"], BOTH, [/last etcd member/, /survivor b \(b\) is a learner/]],
  [
    "a survivor that is 1001 revisions behind",
    "a* b- c d",
    ["d"],
    [],
    [
      /survivor b \(b\) is 1001 revisions behind the newest \(it has 9007199254740992, another 9007199254741993\): wait/,
    ],
  ],
  [
    "several versions, wherever they are",
    "a*=3.2.32 b=3.3.27 c=3.2.32 d=3.4.1",
    ["d"],
    [],
    [/different versions \(a \(a\) 3\.2\.32, b \(b\) 3\.3\.27, c \(c\) 3\.2\.32, d \(d\) 3\.4\.1\): bring all to one/],
  ],
  ["an alarm on a survivor", "a* b~ c d", ["d"], [], [/b \(b\) has an alarm \(NOSPACE\)/]],
  ["an alarm on the leaving member", "a* b c d~", ["d"], [], [/d \(d\) has an alarm/]],
  [
    "no quorum to commit the removal",
    "a b!",
    ["b"],
    BOTH,
    [/losing quorum: 1 of 2 members healthy, quorum needs 2 before/],
  ],
  ["no quorum at all", "a b! c! d!", ["b", "c", "d"], BOTH, [/losing quorum/]],
  ["two members of one name", "a* b c d d", ["d"], [], [/named d/]],
  [
    "everything at once",
    "a~ b! c",
    ["c"],
    [],
    [/survivor b/, /alarm/, /losing quorum: 1 of 2 .* after/, /below-three/, /even-members/],
  ],
];
for (const [what, sketch, leaving, acknowledge, reasons] of REFUSED) {
  test(`refuses ${what}`, () => {
    const decision = decide({ members: cluster(sketch), leaving, acknowledge });
    assert.equal(decision.verdict, "refuse");
    assert.deepEqual([decision.order, decision.removals], [[], []]);
    assert.equal(decision.reasons.length, reasons.length, decision.reasons.join("\n"));
    for (const [index, reason] of reasons.entries()) assert.match(decision.reasons[index] ?? "", reason);
  });
}

test("quorum and fault tolerance", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 7].map(quorum), [1, 2, 2, 3, 3, 4]);
  assert.deepEqual([0, 1, 2, 3, 4, 5, 7].map(faultTolerance), [0, 0, 0, 1, 1, 2, 3]);
});

const mostly = (usual: boolean): fc.Arbitrary<boolean> => fc.nat(9).map((n) => (n > 0 ? usual : !usual));
const flags = fc.record({ started: mostly(true), healthy: mostly(true), alarmed: mostly(false), leaves: fc.boolean() });
/** What happens between two removals: nothing mostly, or somebody fails or is repaired. */
const event = fc.record({
  kind: fc.constantFrom("nothing" as const, "nothing" as const, "fail" as const, "repair" as const),
  who: fc.nat(6),
});

test("random histories: asked again before each removal, quorum is never lost, nor the last member, and the figures are true", () => {
  const seen = { histories: 0, removals: 0, refusals: 0 };
  const property = fc.property(
    fc.array(fc.constantFrom(...Array.from({ length: 15 }, () => ""), "!", "?", "^"), { minLength: 1, maxLength: 7 }),
    fc.nat(6),
    fc.uniqueArray(fc.nat(6), { minLength: 1, maxLength: 6 }),
    fc.array(event, { minLength: 1, maxLength: 10 }),
    (marks, leader, who, history) => {
      let members = cluster(marks.map((mark, index) => `${"abcdefg".charAt(index)}${mark}`).join(" "));
      const leaving = who.map((index) => "abcdefg".charAt(index));
      seen.histories++;
      for (const { kind, who: index } of history) {
        members = members.map((each, at) => ({
          ...each,
          ...(kind !== "nothing" && each.name === "abcdefg".charAt(index) ? { healthy: kind === "repair" } : {}),
          leader: at === leader % members.length,
        }));
        const [next] = decide({ members, leaving, acknowledge: BOTH }).removals;
        if (next === undefined) {
          seen.refusals += leaving.some((name) => members.some((each) => each.name === name)) ? 1 : 0;
          continue;
        }
        assert.ok(modelOf(members).tolerance >= 0, `no quorum to remove ${next.name}`);
        assert.deepEqual(next.before, modelOf(members));
        members = members.filter((each) => each.id !== next.id);
        assert.deepEqual(next.after, modelOf(members));
        assert.ok(next.after.members > 0 && next.after.tolerance >= 0, `quorum lost by removing ${next.name}`);
        seen.removals++;
      }
    },
  );
  fc.assert(property, { numRuns: 20_000, seed: 6 });
  assert.ok(seen.histories >= 10_000 && seen.removals > 10_000 && seen.refusals > 10_000, JSON.stringify(seen));
});

/**
 * Written apart from the code under test, by counting votes and not by a formula: the least number that is more than half; then one
 * more member fails as long as that number of votes is still there.
 */
function modelOf(members: readonly ObservedMember[]): Standing {
  const votes = members.filter((each) => !each.learner);
  const up = votes.filter((each) => each.started && each.healthy).length;
  let needed = 0;
  while (needed * 2 <= votes.length) needed++;
  let tolerance = 0;
  while (up - tolerance > needed) tolerance++;
  while (up - tolerance < needed) tolerance--;
  return { members: votes.length, healthy: up, quorum: needed, tolerance };
}

/** Every order of a list. */
function orders<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((one) => orders(list.filter((other) => other !== one)).map((rest) => [one, ...rest]));
}

test("no other order has more fault tolerance at any step", () => {
  let compared = 0;
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("", "", "!", "?", "^", "^!"), { minLength: 2, maxLength: 4 }),
      fc.integer({ min: 3, max: 5 }),
      fc.nat(8),
      (marks, stay, leader) => {
        const stayers = "stuvw".slice(0, stay).split("");
        const leavers = marks.map((mark, index) => `${"abcd".charAt(index)}${mark}`);
        const members = cluster([...stayers, ...leavers].join(" ")).map((each, at) => ({
          ...each,
          leader: at === leader,
        }));
        const leaving = members.filter(({ name }) => !stayers.includes(name));
        const question = { members, leaving: leaving.map(({ name }) => name), acknowledge: BOTH };
        const { removals } = decide(question);
        for (const order of removals.length === 0 ? [] : orders(leaving)) {
          const tolerances = order.map(
            (_, n) => modelOf(members.filter((each) => !order.slice(0, n + 1).includes(each))).tolerance,
          );
          for (const [n, tolerance] of tolerances.entries())
            assert.ok(tolerance <= (removals[n]?.after.tolerance ?? -9));
          // a plan of that order is refused exactly where it gives up what the other one has
          const exposed = tolerances.some((one, n) => one <= 0 && (removals[n]?.after.tolerance ?? 0) > 0);
          const without = tolerances.some((one) => one < 0);
          const planned = decide({ ...question, planned: order.map(({ name }) => name) });
          assert.equal(planned.verdict, exposed || without ? "refuse" : "go");
          compared++;
        }
      },
    ),
    { numRuns: 2_000, seed: 6 },
  );
  assert.ok(compared > 5_000, `only ${compared} orders compared`);
});

test("a planned order that would give up the fault tolerance is refused, with the one that keeps it", () => {
  const question = { members: cluster("a* b c d e!"), leaving: ["d", "e"], acknowledge: [] };
  assert.deepEqual(decide({ ...question, planned: ["e", "d"] }).order, ["e", "d"]);
  assert.deepEqual(decide({ ...question, planned: ["e"] }).order, ["e", "d"]);
  assert.deepEqual(decide({ ...question, planned: ["d", "e"] }).reasons, [
    "refusing to remove d from etcd before e: 3 of 4 members healthy would tolerate no failure, and with e first etcd " +
      "tolerates 1; run this again, which plans that order",
  ]);
});

test("behind by exactly what is allowed is no lag, and only survivors are judged", () => {
  const behind = (lag: bigint) =>
    cluster("a* b c d").map((each) => ({
      ...each,
      revision: each.name === "b" ? String(2n ** 60n - lag) : String(2n ** 60n),
    }));
  assert.equal(decide({ members: behind(largestLag), leaving: ["d"], acknowledge: [] }).verdict, "go");
  assert.equal(decide({ members: behind(largestLag + 1n), leaving: ["d"], acknowledge: [] }).verdict, "refuse");
  assert.equal(decide({ members: behind(largestLag + 1n), leaving: ["b"], acknowledge: [] }).verdict, "go");
  // what a leaving member knows is the cluster's all the same
  assert.equal(decide({ members: behind(-largestLag - 1n), leaving: ["b"], acknowledge: [] }).verdict, "refuse");
});

test("any cluster: dead first, leader last, nobody else; never past a sick survivor or an alarm; reasons or order, never both", () => {
  let went = 0;
  fc.assert(
    fc.property(
      fc.array(flags, { minLength: 1, maxLength: 7 }),
      fc.nat(6),
      fc.subarray(BOTH),
      (list, leader, acknowledge) => {
        const members = list.map(({ started, healthy, alarmed }, index) => ({
          name: `m${index}`,
          id: index.toString(16),
          started,
          healthy,
          leader: index === leader,
          learner: false,
          alarms: alarmed ? ["CORRUPT"] : [],
          version: "3.2.32",
          revision: "",
        }));
        const leaving = members.filter((_, index) => list[index]?.leaves).map(({ name }) => name);
        const { verdict, order, reasons } = decide({ members, leaving, acknowledge });
        assert.equal(verdict === "refuse", reasons.length > 0);
        if (verdict === "refuse" || leaving.length === 0) {
          assert.deepEqual(order, []);
          return;
        }
        went++;
        assert.deepEqual([...order].sort(), leaving);
        const rest = members.filter(({ name }) => !leaving.includes(name));
        assert.ok(
          rest.length > 0 &&
            rest.every(({ started, healthy }) => started && healthy) &&
            members.every(({ alarms }) => alarms.length === 0),
        );
        assert.ok(rest.length >= 3 || acknowledge.includes("below-three-masters"));
        assert.ok(rest.length % 2 === 1 || acknowledge.includes("even-members"));
        const alive = order.map((name) => members.some((each) => each.name === name && each.started && each.healthy));
        assert.deepEqual(alive, [...alive].sort());
        const led = members.find((each) => each.leader && each.healthy && each.started)?.name;
        if (led !== undefined && order.includes(led)) assert.equal(order.at(-1), led);
      },
    ),
    { numRuns: 40_000 },
  );
  assert.ok(went > 500, `only ${went} decisions to go`);
});

test("the answer does not depend on the order of listing", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(cluster("a* b c d! e"), { minLength: 5 }), (members) => {
      assert.deepEqual(decide({ members, leaving: ["a", "d"], acknowledge: [] }).order, ["d", "a"]);
    }),
  );
});
