/** What oc answers about budgets, literally as kubectl 1.24 printed it (1.11 knows the same templates), and what a budget selects. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Budget, type BudgetFacts, budgetFacts, budgetProbe, selects } from "../../providers/plan/budgets.ts";
import { probed } from "./world.ts";

const [node, other] = ["master-3.example.com", "master-2.example.com"];
const budgetsText = [
  "budget|demo|web|policy/v1|0|2|2|2|2|<no value>|selector|app=web,|",
  "budget|demo|expr|policy/v1|0|0|0|0|<no value>|50%|selector||app:In:web,a%7Cb%0Ac%3B%2C%3A%3D,;x:Exists:;",
  "budget|demo|empty|policy/v1|1000000|1|1|2|0|<no value>|selector||",
  "budget|demo|null|policy/v1|<no value>|<no value>|<no value>|<no value>|<no value>|0|||",
  "end",
  "",
].join("\n");
const podsText = [
  "pod|demo|web-0||app=web,tier=a+b%7Cc,",
  "pod|demo|web-1|ending|app=web,",
  "pod|kube-system|bare||",
  "end",
  "",
].join("\n");
const answer = (budgets = budgetsText, pods = podsText, exit = 0): string =>
  probed({ budgets: [budgets, exit], [`pods:${node}`]: [pods, exit] });
const facts = (found: ReturnType<typeof budgetFacts>): BudgetFacts =>
  "unknown" in found ? assert.fail(found.unknown) : found;
const read = (budgets?: string, pods?: string): BudgetFacts => facts(budgetFacts(answer(budgets, pods), [node]));
const line = (fields: string): Budget => read(`${fields}\nend\n`).budgets[0] ?? assert.fail("no budget");

describe("what is read", () => {
  it("of a budget: its numbers, what it wants, and its selector", () => {
    const [web, expr] = read().budgets;
    assert.deepEqual(web, {
      namespace: "demo",
      name: "web",
      allowed: 0,
      healthy: 2,
      desired: 2,
      expected: 2,
      wants: "minAvailable 2",
      empty: false,
      selector: { labels: new Map([["app", "web"]]), requirements: [] },
    });
    assert.equal(expr?.wants, "maxUnavailable 50%");
    assert.deepEqual(expr.selector?.requirements, [
      { key: "app", operator: "In", values: ["web", "a|b\nc;,:="] },
      { key: "x", operator: "Exists", values: [] },
    ]);
  });
  it("of a budget without a status: nothing is allowed; without a selector: nothing is selected", () => {
    const none = read().budgets[3];
    assert.deepEqual(
      [none?.allowed, none?.wants, none?.empty, none?.selector],
      [0, "maxUnavailable 0", false, undefined],
    );
  });
  it("an empty selector selects everything from policy/v1 on, nothing in policy/v1beta1", () => {
    const of = (version: string) => line(`budget|demo|all|${version}|0|0|0|0|1|<no value>|selector||`);
    const pod = { namespace: "demo" };
    for (const [version, all] of [
      ["policy/v1", true],
      ["policy/v1beta1", false],
      ["<no value>", true],
    ] as const) {
      assert.equal(of(version).empty, true);
      assert.equal(selects(of(version), pod, new Map([["a", "b"]])), all, version);
    }
    assert.equal(selects(of("policy/v1"), { namespace: "other" }, new Map()), false);
  });
  it("of pods: their labels, and whether they were told to end", () => {
    assert.deepEqual(
      read().pods,
      new Map([
        [
          node,
          new Map([
            [
              "demo/web-0",
              {
                labels: new Map([
                  ["app", "web"],
                  ["tier", "a b|c"],
                ]),
                ending: false,
              },
            ],
            ["demo/web-1", { labels: new Map([["app", "web"]]), ending: true }],
            ["kube-system/bare", { labels: new Map(), ending: false }],
          ]),
        ],
      ]),
    );
  });
  it("no budgets and no pods", () =>
    assert.deepEqual(read("end\n", "end\n"), { budgets: [], pods: new Map([[node, new Map()]]) }));
  it("a warning in front of the answer is none of it", () => {
    const warned = `Warning: policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+\n${budgetsText}`;
    assert.deepEqual(read(warned), read());
  });
  it("names that a terminal would take for orders stay data", () =>
    assert.equal(line("budget|demo|%1B%5B2J|policy/v1|0|0|0|0|1|<no value>|selector|a=b,|").name, "\x1b[2J"));
});

describe("what is not understood is not known", () => {
  const cases: [what: string, stdout: string, told: RegExp][] = [
    ["no answer at all", "", /^budgets: no answer$/],
    [
      "oc that failed",
      answer("error: You must be logged in\x07", "", 1),
      /^budgets: error: You must be logged in\\x07$/,
    ],
    ["an answer that was cut off", answer(budgetsText.slice(0, -5)), /^budgets: the answer was cut off$/],
    ["a budget with a field too few", answer("budget|demo|web\nend\n"), /^budgets: the answer is not understood$/],
    ["a number that is none", answer("budget|a|b|policy/v1|-1|0|0|0|1|1|selector|a=b,|\nend\n"), /not understood/],
    [
      "a number without end",
      answer(`budget|a|b|policy/v1|${"9".repeat(40)}|0|0|0|1|1|selector|a=b,|\nend\n`),
      /not understood/,
    ],
    ["a label without a value", answer("budget|a|b|policy/v1|1|0|0|0|1|1|selector|a,|\nend\n"), /not understood/],
    ["labels that do not end", answer("budget|a|b|policy/v1|1|0|0|0|1|1|selector|a=b|\nend\n"), /not understood/],
    ["an encoding that is none", answer("budget|a|%zz|policy/v1|1|0|0|0|1|1|selector|a=b,|\nend\n"), /not understood/],
    [
      "pods that were cut off",
      answer(budgetsText, "pod|a|b||x=y,\n"),
      /^pods of master-3\.example\.com: the answer was cut off$/,
    ],
  ];
  for (const [what, stdout, told] of cases)
    it(what, () => {
      const found = budgetFacts(stdout, [node]);
      assert.match("unknown" in found ? found.unknown : "it was understood", told);
    });
  it("a node that was asked for and did not come back", () =>
    assert.deepEqual(budgetFacts(answer(), [node, other]), { unknown: `pods of ${other}: no answer` }));
  it("no answer makes it throw", () =>
    fc.assert(
      fc.property(fc.string(), fc.string(), (budgets, pods) => {
        budgetFacts(answer(`budget|${budgets}\nend\n`, `pod|${pods}\nend\n`), [node]);
      }),
    ));
});

describe("what a budget selects", () => {
  const labels = new Map([
    ["app", "web"],
    ["tier", "front"],
  ]);
  const of = (selector: string, requirements = ""): Budget =>
    line(`budget|demo|web|policy/v1beta1|1|1|1|1|1|<no value>|selector|${selector}|${requirements}`);
  const cases: [selector: string, requirements: string, expected: boolean][] = [
    ["app=web,", "", true],
    ["app=web,tier=front,", "", true],
    ["app=web,tier=back,", "", false],
    ["app=we,", "", false],
    ["owner=web,", "", false],
    ["", "app:In:api,web,;", true],
    ["", "app:In:api,;", false],
    ["", "zone:In:a,;", false],
    ["", "app:NotIn:api,;", true],
    ["", "app:NotIn:web,;", false],
    ["", "zone:NotIn:a,;", true],
    ["", "tier:Exists:;", true],
    ["", "zone:Exists:;", false],
    ["", "zone:DoesNotExist:;", true],
    ["", "tier:DoesNotExist:;", false],
    ["app=web,", "tier:DoesNotExist:;", false],
    ["", "tier:Exists:;zone:DoesNotExist:;", true],
    // such a selector is invalid, and the eviction API passes it over
    ["", "tier:Likes:front,;", false],
    // policy/v1's word for an empty selector that was written in policy/v1beta1
    ["", "pdb.kubernetes.io%2Fdeprecated-v1beta1-empty-selector-match:Exists:;", false],
  ];
  for (const [selector, requirements, expected] of cases)
    it(`${selector}${requirements} ${expected ? "does" : "does not"}`, () => {
      assert.equal(selects(of(selector, requirements), { namespace: "demo" }, labels), expected);
      assert.equal(selects(of(selector, requirements), { namespace: "other" }, labels), false);
    });
});

it("every node is asked for, its name quoted, and nothing but read", () => {
  const script = budgetProbe([node, "m'; reboot"]);
  assert.match(script, /--field-selector 'spec\.nodeName=master-3\.example\.com' /);
  assert.match(script, /--field-selector 'spec\.nodeName=m'\\''; reboot' /);
  const verbs = [...script.matchAll(/^checked .* o (\w+) (?:pods|poddisruptionbudget) /gm)].map(([, verb]) => verb);
  assert.deepEqual(verbs, ["get", "get", "get"]);
});
