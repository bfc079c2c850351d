/** The drain beforehand: what preview says of it, what is refused, what the plan names, and how lines would come back. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Budget, BudgetFacts, PodLabels } from "../../providers/plan/budgets.ts";
import { leftInWords, rehearseDrain } from "../../providers/plan/drain-rehearsal.ts";
import type { PodFacts } from "../../providers/plan/facts.ts";
import { planDrain, planReturn, rememberedLines, standingInWords, standingOf } from "../../providers/plan/plans.ts";
import { judge } from "../../providers/plan/preflight.ts";
import { readSettings } from "../../providers/plan/settings.ts";
import type { Change, Step, World } from "../../providers/plan/steps.ts";
import {
  after,
  configuration,
  haproxyText,
  master,
  mastersOf,
  removal,
  unreachable,
  withCluster,
  withConfig,
  withMaster,
} from "./world.ts";

const [lb0, lb1] = ["lb-0.example.com", "lb-1.example.com"];
const node = master(3);
const four = mastersOf(4);
const { world, change } = removal(4, [3]);

const pod = (name: string, over: Partial<PodFacts> = {}): PodFacts => ({
  namespace: "demo",
  name,
  owner: "ReplicaSet",
  mirror: false,
  localData: false,
  phase: "Running",
  ...over,
});
const budget = (name: string, over: Partial<Budget> = {}): Budget => ({
  namespace: "demo",
  name,
  allowed: 1,
  healthy: 4,
  desired: 3,
  expected: 4,
  wants: "minAvailable 3",
  empty: false,
  selector: { labels: new Map([["app", "web"]]), requirements: [] },
  ...over,
});
const labelled = (pods: readonly PodFacts[], labels: Record<string, string> = { app: "web" }): Map<string, PodLabels> =>
  new Map(
    pods.map((one) => [`${one.namespace}/${one.name}`, { labels: new Map(Object.entries(labels)), ending: false }]),
  );
const factsOf = (pods: readonly PodFacts[], ...budgets: Budget[]): BudgetFacts => ({
  budgets,
  pods: new Map([[node, labelled(pods)]]),
});
const withPods = (so: World, pods: readonly PodFacts[], ...budgets: Budget[]): World => ({
  ...withCluster(so, { pods: { [node]: pods } }),
  budgets: factsOf(pods, ...budgets),
});
const full = budget("web", { allowed: 0, desired: 4, wants: "minAvailable 4" });
const web = [pod("web-1"), pod("web-2")];
const cordoned = (so: World): World =>
  withCluster(so, ({ nodes }) => ({ nodes: nodes.map((one) => ({ ...one, unschedulable: one.name === node })) }));
const putBack = (so: Change): Change => ({
  ...so,
  settings: { ...so.settings, drain: { timeout: 300, blocked: "put-back" } },
});

describe("preview rehearses the drain", () => {
  it("a budget that allows nothing now blocks: named with its numbers, its pods and the remedy, and waited for", () => {
    const judged = judge(withPods(world, web, full), change, four);
    assert.deepEqual(judged.refusals, []);
    assert.deepEqual(judged.passing, [
      "the drain of master-3.example.com would be blocked: the budget demo/web (minAvailable 4) allows 0 disruptions: 4 of 4 pods are healthy, 4 have to be, " +
        "and it selects demo/web-1, demo/web-2 there; give it room (more replicas, or a budget that asks for less)",
    ]);
  });
  it("pods that are not healthy are to be repaired first", () => {
    const sick = budget("web", { allowed: 0, healthy: 3 });
    assert.match(
      judge(withPods(world, web, sick), change, four).passing.join(),
      /3 of 4 pods are healthy, 3 have to be, .*; repair the pods that are not healthy, or give it room/,
    );
  });
  it("a pod with two budgets is refused at once: that never passes", () => {
    const all = budget("all", {
      selector: { labels: new Map(), requirements: [{ key: "app", operator: "Exists", values: [] }] },
    });
    const judged = judge(withPods(world, [pod("web-1")], budget("web"), all), change, four);
    assert.deepEqual(judged.passing, []);
    assert.deepEqual(judged.refusals, [
      "the drain of master-3.example.com would be blocked for ever: demo/web-1 is selected by 2 budgets (demo/web, demo/all), and the eviction API refuses such a pod; " +
        "change their selectors so that one is left",
    ]);
  });
  it("a budget that allows fewer than have to move: noted, they go one after the other", () => {
    const judged = judge(withPods(world, web, budget("web")), change, four);
    assert.deepEqual([judged.refusals, judged.passing], [[], []]);
    assert.deepEqual(judged.notes.slice(2, -1), [
      `${node}: the drain moves 2 pods (demo/web-1, demo/web-2); it leaves no pods of daemon sets and no static pods where they are`,
      `${node}: the budget demo/web (minAvailable 3) allows 1 disruption: 4 of 4 pods are healthy, 3 have to be; 2 pods under it have to move, so they go one after the other, as the earlier ones become ready elsewhere`,
    ]);
  });
  it("budgets of other pods and other namespaces block nothing", () => {
    const elsewhere = budget("web", { allowed: 0, namespace: "shop" });
    const others = budget("api", { allowed: 0, selector: { labels: new Map([["app", "api"]]), requirements: [] } });
    const judged = judge(withPods(world, web, elsewhere, others), change, four);
    assert.deepEqual([judged.refusals, judged.passing], [[], []]);
  });
  it("daemons' and static pods do not move, whatever selects them", () => {
    const staying = [
      pod("sdn", { owner: "DaemonSet" }),
      pod("api", { mirror: true, owner: "" }),
      pod("done", { phase: "Succeeded" }),
    ];
    const judged = judge(withPods(world, staying, full), change, four);
    assert.deepEqual([judged.refusals, judged.passing, judged.notes.length], [[], [], 3]);
  });
  it("an empty selector of policy/v1 selects every pod of its namespace, and is told as such", () =>
    assert.match(
      judge(
        withPods(world, web, { ...full, empty: true, selector: { labels: new Map(), requirements: [] } }),
        change,
        four,
      ).passing.join(),
      /4 have to be \(its selector is empty, which selects every pod of its namespace\), and it selects demo\/web-1, demo\/web-2 there/,
    ));
  it("one of policy/v1beta1 selects none: noted", () => {
    const judged = judge(withPods(world, web, { ...full, empty: true, selector: undefined }), change, four);
    assert.deepEqual([judged.refusals, judged.passing], [[], []]);
    assert.match(
      judged.notes.join("\n"),
      /^the budget demo\/web has an empty selector: before policy\/v1 that selects no pod/m,
    );
  });
  it("budgets that cannot be asked: refused, but only while a pod has to move", () => {
    const unknown = (pods: PodFacts[]) => ({ ...withPods(world, pods), budgets: { unknown: "budgets: Forbidden" } });
    assert.match(
      judge(unknown(web), change, four).passing.join(),
      /^the drain of master-3\.example\.com cannot be rehearsed, since its disruption budgets could not be asked \(budgets: Forbidden\); make `oc get poddisruptionbudget/,
    );
    assert.deepEqual(judge(unknown([pod("sdn", { owner: "DaemonSet" })]), change, four).passing, []);
    const unasked = Object.entries(withPods(world, web)).filter(([part]) => part !== "budgets");
    assert.match(
      judge(Object.fromEntries(unasked) as unknown as World, change, four).passing.join(),
      /\(they were not asked\)/,
    );
  });
  it("a pod whose labels were not seen beside budgets that may select it is no pod without a budget", () => {
    const so = { ...withPods(world, web), budgets: factsOf([], full) };
    assert.match(
      judge(so, change, four).passing.join(),
      /the labels of demo\/web-1, demo\/web-2 were not seen; run this again/,
    );
  });
  it("a host that is gone is not drained, so no budget blocks it", () => {
    const gone = { ...change, settings: { ...change.settings, acknowledge: [`host-gone:${node}`] } };
    const so = unreachable(withPods(world, web, full), node);
    assert.doesNotMatch(JSON.stringify(judge(so, gone, four)), /the drain (?:of|moves)/);
  });
  it("what an interrupted run left behind is part of the refusal", () => {
    const out = withConfig(cordoned(withPods(world, web, full)), lb0, () => haproxyText(3, false));
    assert.match(
      judge(out, change, four).passing.join(),
      /asks for less\)\. Until then master-3\.example\.com stays as it is: out of the pools of lb-0\.example\.com and unschedulable$/,
    );
  });
  it("names of many pods are bounded, and control characters are no orders", () => {
    const many = Array.from({ length: 40 }, (_, n) => pod(`web-${n}\x1b[2J`));
    const [told = ""] = judge(withPods(world, many, full), change, four).passing;
    assert.match(told, /web-4\\x1b\[2J and 35 more there/);
  });

  /** The blockers are exactly what the eviction API would refuse. */
  it("blockers are exactly the pods of two budgets and the budgets that allow nothing", () => {
    const letters = fc.constantFrom("a", "b", "c");
    const pods = fc.uniqueArray(
      fc.record({
        name: letters,
        kind: fc.constantFrom("ReplicaSet", "DaemonSet", ""),
        app: letters,
        namespace: fc.constantFrom("x", "y"),
      }),
      { selector: ({ name, namespace }) => `${namespace}/${name}`, maxLength: 6 },
    );
    const budgets = fc.uniqueArray(
      fc.record({ name: letters, namespace: fc.constantFrom("x", "y"), app: letters, allowed: fc.nat(3) }),
      { selector: ({ name, namespace }) => `${namespace}/${name}`, maxLength: 6 },
    );
    fc.assert(
      fc.property(pods, budgets, (podsGiven, budgetsGiven) => {
        const all = podsGiven.map(({ name, kind, namespace }) => pod(name, { owner: kind, namespace }));
        const facts: BudgetFacts = {
          budgets: budgetsGiven.map(({ name, namespace, app, allowed }) =>
            budget(name, { namespace, allowed, selector: { labels: new Map([["app", app]]), requirements: [] } }),
          ),
          pods: new Map([
            [
              node,
              new Map(
                podsGiven.map((one) => [
                  `${one.namespace}/${one.name}`,
                  { labels: new Map([["app", one.app]]), ending: false },
                ]),
              ),
            ],
          ]),
        };
        const found = rehearseDrain(node, all, facts);
        const moving = podsGiven.filter(({ kind }) => kind !== "DaemonSet");
        const over = (one: (typeof podsGiven)[number]) =>
          budgetsGiven.filter(({ namespace, app }) => namespace === one.namespace && app === one.app);
        const key = ({ namespace, name }: { namespace: string; name: string }) => `${namespace}/${name}`;
        assert.deepEqual(
          found.several.map((move) => key(move.pod)),
          moving.filter((one) => over(one).length > 1).map(key),
        );
        const covered = (one: (typeof budgetsGiven)[number]) =>
          moving.filter((some) => over(some).includes(one)).length;
        assert.deepEqual(
          found.blocking.map((held) => key(held.budget)),
          budgetsGiven.filter((one) => one.allowed === 0 && covered(one) > 0).map(key),
        );
        assert.deepEqual(
          found.slow.map((held) => key(held.budget)),
          budgetsGiven.filter((one) => one.allowed > 0 && covered(one) > one.allowed).map(key),
        );
      }),
    );
  });
});

describe("why pods are still there", () => {
  const left = (pods: PodFacts[], facts: BudgetFacts) => leftInWords(node, pods, facts);
  it("a budget, two, none, and one that ends slowly", () => {
    assert.equal(
      left([pod("web-1")], factsOf([pod("web-1")], full)),
      "demo/web-1 (the budget demo/web (minAvailable 4) allows 0 disruptions: 4 of 4 pods are healthy, 4 have to be)",
    );
    assert.match(
      left(web, factsOf(web, full, budget("b"))),
      /^demo\/web-1 \(the budgets demo\/web and demo\/b select it, which the eviction API refuses for ever\)/,
    );
    assert.equal(left([pod("x")], factsOf([pod("x")])), "demo/x (no budget selects it)");
    const ends: BudgetFacts = {
      budgets: [full],
      pods: new Map([[node, new Map([["demo/x", { labels: new Map(), ending: true }]])]]),
    };
    assert.equal(left([pod("x")], ends), "demo/x (it was told to end and has not ended yet)");
    assert.equal(left([pod("x")], factsOf([], full)), "demo/x (its labels were not seen)");
  });
  it("when the budgets cannot be asked, the pods are named all the same", () =>
    assert.equal(
      leftInWords(node, web, { unknown: "no answer" }),
      "demo/web-1, demo/web-2 (the budgets could not be asked: no answer)",
    ));
});

type Drain = Extract<Step, { do: "drain" }>;
const drainOf = (so: World, of: Change): Drain => {
  const step = planDrain(so, of).find((one) => one.do === "drain");
  return step ?? assert.fail("no drain is planned");
};
/** The world as the load balancers' checks leave it to the drain. */
const remembering = (so: World): World => ({
  ...so,
  sketches: Object.fromEntries([lb0, lb1].map((lb) => [lb, rememberedLines(world, change, lb, {})])),
});

describe("the plan of a drain", () => {
  it("names what holds its pods, its time, and that nothing is put back", () => {
    const so = { ...change, settings: readSettings({ ...configuration(change.survivors), drain: { timeout: 60 } }) };
    const step = drainOf(withPods(world, web, budget("web")), so);
    assert.deepEqual([step.timeout, step.back], [60, undefined]);
    assert.deepEqual(step.commands, [
      "# 2 of them under the budget demo/web (minAvailable 3) allows 1 disruption: 4 of 4 pods are healthy, 3 have to be",
      "oc adm drain master-3.example.com --ignore-daemonsets --timeout=60s",
      "# if it is blocked after 60 s, nothing that comes later is done, etcd is not touched, and",
      "#   master-3.example.com stays unschedulable and out of the pools (openshift-masters:drain.blocked is leave)",
    ]);
  });
  it("put-back names every command on every host, and which lines come back", () => {
    const step = drainOf(remembering(world), putBack(change));
    assert.deepEqual(step.commands?.slice(1), [
      "# if it is blocked after 300 s, nothing that comes later is done, etcd is not touched, and",
      "#   oc adm uncordon master-3.example.com",
      ...[lb0, lb1].map(
        (lb) =>
          `#   ${lb}: put master3 (backend atomic-openshift-api) of ${node} back where it stood; /usr/sbin/haproxy -c -f /etc/haproxy/haproxy.cfg; systemctl reload haproxy; prove it UP`,
      ),
    ]);
    assert.deepEqual([step.back?.hosts, step.back?.uncordon], [{ [node]: "192.168.55.21" }, true]);
  });
  it("the same once the lines are out, since they are remembered; the Node that was cordoned before stays so", () => {
    const out = [lb0, lb1].reduce(
      (so, lb) => withConfig(so, lb, () => haproxyText(3, lb === lb1)),
      cordoned(remembering(world)),
    );
    const step = drainOf(out, putBack(change));
    assert.equal(step.back?.uncordon, false);
    assert.deepEqual(
      step.commands?.slice(2).map((one) => one.replace(/ back where.*/, "")),
      [
        `#   ${node} stays unschedulable, as it is now`,
        `#   ${lb0}: put master3 (backend atomic-openshift-api) of ${node}`,
        `#   ${lb1}: put master3 (backend atomic-openshift-api) of ${node}`,
      ],
    );
  });
  it("what cannot be put back is told beforehand", () => {
    const commands = (so: World, of = putBack(change)) => (drainOf(so, of).commands ?? []).join("\n");
    assert.match(
      commands(world),
      /lb-0\.example\.com: master-3\.example\.com stays out: where its lines stood is not remembered/,
    );
    assert.match(
      commands(unreachable(remembering(world), lb0)),
      /lb-0\.example\.com: .* stays out: the load balancer cannot be asked/,
    );
    const renamed = withConfig(remembering(world), lb0, () =>
      haproxyText(3, false).replaceAll("atomic-openshift-api", "mgmt8443"),
    );
    assert.match(commands(renamed), /lb-0\.example\.com: .* stays out: backend atomic-openshift-api is no longer in/);
    const f5 = {
      ...putBack(change),
      settings: readSettings({
        ...configuration(change.survivors),
        loadBalancers: { f5: { kind: "command", set: "a", verify: "b" } },
        drain: { blocked: "put-back" },
      }),
    };
    assert.match(
      commands(world, f5),
      /f5: its pool stays without master-3\.example\.com; only your own command can put that back/,
    );
  });
  it("of several, those that are drained later come back with the one that is blocked, those drained before do not", () => {
    const two = removal(5, [3, 4]);
    const drains = planDrain(two.world, putBack(two.change)).filter((one) => one.do === "drain");
    assert.deepEqual(
      drains.map((one) => Object.keys(one.back?.hosts ?? {})),
      [[master(3), master(4)], [master(4)]],
    );
  });
});

describe("where a leaving host stands", () => {
  it("in service, half out, and unknown", () => {
    const words = (so: World) => standingInWords(standingOf(so, change, node));
    const out = withConfig(world, lb1, () => haproxyText(3, true));
    assert.equal(words(world), "");
    assert.equal(words(cordoned(out)), `out of the pools of ${lb1} and unschedulable`);
    assert.equal(words(unreachable(cordoned(world), lb0)), `unschedulable (whether ${lb0} has it could not be asked)`);
    assert.equal(words(unreachable(world, lb0)), `whether ${lb0} has it could not be asked`);
  });
});

describe("lines that come back", () => {
  const stays = removal(4, []).change;
  const sketch = rememberedLines(world, change, lb1, {});
  const out = withConfig(world, lb1, () => haproxyText(3, true));
  const back = (so: World, of = sketch) => planReturn(so, stays, lb1, of, [node]);

  it("as the same bytes, every server proved UP", () => {
    const { step = assert.fail("nothing comes back"), missing } = back(out);
    assert.deepEqual(missing, {});
    assert.deepEqual(
      step.edits.map((edit) => edit.after),
      [haproxyText(4, true)],
    );
    assert.deepEqual(
      step.up.map(({ server }) => server),
      ["master0", "master1", "master2", "master3"],
    );
    assert.deepEqual([step.gone, step.drain], [[], []]);
  });
  it("a line of another master that was lost meanwhile is not this plan's to put back", () => {
    const less = withConfig(out, lb1, (text) => text.replace(/ {4}server {6}master1 .*\n/, ""));
    assert.doesNotMatch(back(less).step?.edits[0]?.after ?? "", /master1/);
  });
  it("nothing where they are already", () => assert.deepEqual(back(world), { step: undefined, missing: {} }));
  it("and after it the next plan takes them out again", () => {
    const step = back(out).step ?? assert.fail();
    const again = after(out, step);
    assert.equal(standingOf(again, change, node).out.includes(lb1), false);
  });
  const refused: [what: string, so: World, sketch: typeof sketch, why: RegExp][] = [
    ["nothing is remembered", out, {}, /^where its lines stood is not remembered$/],
    [
      "its API is not ready",
      withMaster(out, node, { readiness: { ready: false, asked: "/readyz", seen: "HTTP 500" } }),
      sketch,
      /^its API is not ready \(\/readyz: HTTP 500\)$/,
    ],
    ["it cannot be asked", unreachable(out, node), sketch, /cannot be asked whether its API is ready$/],
    ["the load balancer cannot be asked", unreachable(out, lb1), sketch, /handshake/],
    [
      "its section is gone",
      withConfig(out, lb1, (text) => text.replaceAll("atomic-openshift-api", "x")),
      sketch,
      /^backend atomic-openshift-api is no longer in/,
    ],
    [
      "its name is another's now",
      withConfig(out, lb1, (text) => `${text}    server master3 10.0.0.1:8443\n`),
      sketch,
      /already has a server master3/,
    ],
  ];
  for (const [what, so, of, why] of refused)
    it(`not when ${what}, and says so`, () => {
      const { step, missing } = back(so, of);
      assert.equal(step, undefined);
      assert.match(missing[node] ?? "", why);
    });
});
