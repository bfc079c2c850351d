import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decide, faultTolerance, quorum, type ObservedMember } from "../../providers/plan/topology.ts";

const BOTH = ["below-three-masters", "even-members"];

/** `"a* b c! d?"`: `*` leader, `!` unhealthy, `?` unstarted, `~` alarm. */
function cluster(sketch: string): ObservedMember[] {
  return sketch.split(" ").map((word, index) => ({
    name: word.replace(/\W/g, ""),
    id: (index + 10).toString(16),
    started: !word.includes("?"),
    healthy: !/[!?]/.test(word),
    leader: word.includes("*"),
    alarms: word.includes("~") ? ["NOSPACE"] : [],
  }));
}

const GO: [sketch: string, leaving: string[], acknowledge: string[], order: string[], before: number, after: number][] =
  [
    ["a* b c d", ["d"], [], ["d"], 1, 1],
    ["a* b c d!", ["d"], [], ["d"], 0, 1],
    ["a b c d* e", ["c", "d"], [], ["c", "d"], 2, 1],
    ["a* b c d e!", ["a", "e"], [], ["e", "a"], 1, 1],
    ["a* b! c d e", ["c", "a", "b"], BOTH, ["b", "c", "a"], 1, 0],
    ["a* b c", ["c"], BOTH, ["c"], 1, 0],
    ["a b*", ["b"], ["below-three-masters"], ["b"], 0, 0],
    ["a* b c d?", ["d"], [], ["d"], 0, 1],
    ["a* b c", ["x"], [], [], 1, 1],
    ["a* b! c~ d?", [], [], [], -1, -1],
  ];
for (const [sketch, leaving, acknowledge, order, before, after] of GO) {
  test(`${sketch}: ${leaving.join(" ") || "nobody"} may leave`, () =>
    assert.deepEqual(decide({ members: cluster(sketch), leaving, acknowledge }), {
      verdict: "go",
      order,
      reasons: [],
      tolerance: { before, after },
    }));
}

const REFUSED: [what: string, sketch: string, leaving: string[], acknowledge: string[], reasons: RegExp[]][] = [
  ["both risks at once", "a* b c", ["c"], [], [/`below-three-masters`/, /`even-members`/]],
  ["the risk that is missing", "a* b c", ["c"], ["even-members"], [/`below-three-masters`/]],
  ["an even count", "a* b c d e", ["e"], [], [/`even-members`.*4 etcd members tolerate no more failures than 3/]],
  ["the last member", "a*", ["a"], BOTH, [/last etcd member/]],
  ["all members", "a* b c", ["a", "b", "c"], BOTH, [/last etcd member/]],
  ["an unhealthy survivor", "a* b c! d e", ["d", "e"], [], [/survivor c \(c\) is not healthy/]],
  ["an unstarted survivor", "a* b c d ?", ["d"], ["even-members"], [/survivor \(no name\) \(e\) has not started/]],
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
    assert.deepEqual(decision.order, []);
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
const event = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("remove" as const),
      who: fc.uniqueArray(fc.nat(6), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("fail" as const, "repair" as const),
      who: fc.uniqueArray(fc.nat(6), { maxLength: 2 }),
    }),
  },
);

test("random histories of failures and removals: a removal never loses the quorum, nor the last member", () => {
  let removed = 0;
  const property = fc.property(
    fc.integer({ min: 1, max: 7 }),
    fc.array(event, { minLength: 1, maxLength: 8 }),
    (size, history) => {
      let members = cluster("a* b c d e f g".split(" ").slice(0, size).join(" "));
      for (const { kind, who } of history) {
        const names = who.map((index) => "abcdefg".charAt(index));
        if (kind !== "remove") {
          members = members.map((each) => (names.includes(each.name) ? { ...each, healthy: kind === "repair" } : each));
          continue;
        }
        for (const name of decide({ members, leaving: names, acknowledge: BOTH }).order) {
          assert.ok(commits(members), `no quorum to remove ${name}`);
          members = members.filter((each) => each.name !== name);
          assert.ok(members.length > 0 && commits(members), `quorum lost by removing ${name}`);
          removed++;
        }
      }
    },
  );
  fc.assert(property, { numRuns: 20_000 });
  assert.ok(removed > 10_000, `only ${removed} removals seen`);
});

/** Written apart from the code under test: more than half of the members are up. */
function commits(members: readonly ObservedMember[]): boolean {
  return 2 * members.filter((each) => each.started && each.healthy).length > members.length;
}

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
          alarms: alarmed ? ["CORRUPT"] : [],
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
