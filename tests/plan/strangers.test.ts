/** Adoption without a state, with a master that nobody declares: whole, half retired in every way there is, or something else altogether. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isReachable } from "../../providers/plan/facts.ts";
import {
  type Planner,
  planBalancer,
  planDrain,
  planEndpoints,
  planFlannel,
  planInventory,
  planMasterConfig,
  planMembership,
  planNodeRemoval,
  planStaticPods,
} from "../../providers/plan/plans.ts";
import { judge } from "../../providers/plan/preflight.ts";
import type { Change, World } from "../../providers/plan/steps.ts";
import type { KeptFile, StrangerFacts } from "../../providers/plan/strangers/facts.ts";
import { halfRetired, verdicts, visited } from "../../providers/plan/strangers.ts";
import {
  addressOf,
  after,
  changeOf,
  fileOf,
  healthy,
  idOf,
  inventoryText,
  master,
  now,
  swap,
  unreachable,
  withBalancer,
  withCluster,
  withConfig,
  withEtcd,
  withFile,
  withMaster,
} from "./world.ts";

const m3 = master(3);
const [lb0, lb1] = ["lb-0.example.com", "lb-1.example.com"];
const config = "/etc/haproxy/haproxy.cfg";

/** The chain's own order, without what only reads. */
const chain: Readonly<Record<string, Planner>> = {
  lb0: planBalancer(lb0),
  lb1: planBalancer(lb1),
  drain: planDrain,
  pods: planStaticPods,
  etcd: planMembership,
  config: (world, change) => [...planMasterConfig(world, change), ...planFlannel(world, change)],
  endpoints: planEndpoints,
  node: planNodeRemoval,
  inventory: planInventory,
};
const parts = Object.keys(chain);
const retirement = changeOf(4, [3]);
/** Three are declared, and there is no state. */
const adoption = (acknowledge: readonly string[] = []): Change => changeOf(3, [], acknowledge);

/** What a host shows once the steps of a planner are done; what a load balancer's edit replaces is kept beside the file. */
function carriedOut(world: World, plan: Planner, change: Change): World {
  let so = world;
  for (let rounds = 0; rounds < 20; rounds += 1) {
    const steps = plan(so, change);
    if (steps.length === 0) return so;
    for (const step of steps) so = after(so, step);
  }
  return assert.fail("it never ends");
}

/** Its inventory tells addresses: else, out of order, nothing may be left that joins a name and an address. */
const told: World = {
  ...healthy(4, [m3]),
  inventory: fileOf("/srv/stack/hosts", swap(inventoryText(4), `${m3}\n`, `${m3} openshift_ip=${addressOf(3)}\n`)),
};

/** The four masters after these parts of the retirement of the last one, and nothing else. */
function after4(done: readonly string[], from = healthy(4, [m3])): { world: World; kept: StrangerFacts["kept"] } {
  const kept: Record<string, KeptFile[]> = {};
  const world = parts
    .filter((part) => done.includes(part))
    .reduce((so, part) => {
      const balancer = { lb0, lb1 }[part];
      const facts = balancer === undefined ? undefined : so.balancers[balancer];
      if (balancer !== undefined && isReachable(facts))
        kept[balancer] = [{ ...fileOf(`${config}.before-211501-ab12cd`, facts.files[0]?.text ?? ""), at: now }];
      return carriedOut(so, chain[part] ?? assert.fail(part), retirement);
    }, from);
  return { world, kept };
}

/** As an adoption sees it: the undeclared host among the strangers, not among the masters. */
function seenBy({ world, kept }: ReturnType<typeof after4>): World {
  const { [m3]: host, ...masters } = world.masters;
  return { ...world, masters, strangers: { hosts: host === undefined ? {} : { [m3]: host }, kept } };
}
/** As it is seen once the host is known to leave. */
const leaving = (world: World): World => ({
  ...world,
  masters: { ...world.masters, ...(world.strangers?.hosts ?? {}) },
});
const adopted = (done: readonly string[], from?: World): World => seenBy(after4(done, from));

/** The first `up`: whoever leaves by it, and the whole chain for them. */
function up(world: World, change: Change): { world: World; change: Change; refusals: readonly string[] } {
  const found = halfRetired(world, change);
  const asked = { ...change, leaving: found };
  const so = Object.keys(found).length === 0 ? world : leaving(world);
  const { refusals, passing } = judge(so, asked, undefined);
  if (refusals.length + passing.length > 0) return { world, change: asked, refusals: [...refusals, ...passing] };
  return {
    world: Object.values(chain).reduce((one, plan) => carriedOut(one, plan, asked), so),
    change: asked,
    refusals,
  };
}

/** What the cluster shows, without what only times tell, and without pods of a Node that is gone, which the simulation keeps. */
const shown = ({ masters, balancers, nodes, inventory, cluster }: World) =>
  JSON.parse(
    JSON.stringify({ masters, balancers, nodes, inventory, cluster }, (key, value: unknown) =>
      ["listeners", "configChanged", "stats"].includes(key) || (key === "pods" && !Array.isArray(value))
        ? undefined
        : key === "disabledPods" || key === "addresses"
          ? (value as string[]).toSorted()
          : value,
    ),
  ) as object;
const undisturbed = shown(after4(parts).world);

const only = (world: World, change = adoption()) => {
  const all = verdicts(world, change);
  assert.equal(all.length, 1, all.map(({ text }) => text).join("\n"));
  return all[0] ?? assert.fail();
};

describe("every set of places that it is gone from", () => {
  const sets = Array.from({ length: 2 ** parts.length }, (_, bits) => parts.filter((_part, n) => (bits >> n) & 1));
  /** The Node is cordoned, and the kubernetes service without it, where its API is off: 128 sets are enough. */
  const goTogether = ["drain", "pods", "endpoints"];
  const grid = sets.filter((done) => [0, 3].includes(goTogether.filter((part) => done.includes(part)).length));
  const counted = { leaves: 0, refused: 0, told: 0, nothing: 0 };
  for (const size of parts.keys())
    it(`${size} of ${parts.length}: it is finished as if nothing had happened, or refused and not touched`, () => {
      for (const done of grid.filter(({ length }) => length === size)) {
        const world = adopted(done, told);
        const [verdict] = verdicts(world, adoption());
        counted[verdict?.says ?? "nothing"] += 1;
        const ended = up(world, adoption());
        const why = `${done.join()}: ${verdict?.says ?? "nothing"}: ${verdict?.text ?? ""}: ${ended.refusals.join("; ")}`;
        if (verdict?.says === "leaves") {
          assert.deepEqual(ended.refusals, [], why);
          assert.deepEqual(ended.change.leaving, { [m3]: addressOf(3) }, why);
          assert.deepEqual(shown(ended.world), undisturbed, why);
        } else assert.equal(ended.world, world, why);
        if (verdict?.says === "refused") assert.deepEqual(ended.refusals, [verdict.text], why);
      }
    });
  it("all of them: nothing is left, nobody leaves", () => {
    assert.deepEqual(verdicts(adopted(parts), adoption()), []);
    assert.deepEqual(visited(adopted(parts), adoption()), {});
  });
  it("most are finished", () => assert.ok(counted.leaves > 80, JSON.stringify(counted)));

  for (const n of parts.keys())
    it(`a run that was killed before ${parts[n] ?? ""}: ${n === 0 ? "nothing had begun" : "it is finished"}`, () => {
      const verdict = only(adopted(parts.slice(0, n)));
      assert.equal(verdict.says, n === 0 ? "refused" : "leaves", verdict.text);
    });
  for (const n of parts.keys())
    it(`the adoption is killed before ${parts[n] ?? ""}, over and over: the next one goes on`, () => {
      const asked = { ...adoption(), leaving: { [m3]: addressOf(3) } };
      let world = after4(["lb0"]);
      for (const [at, part] of parts.entries()) {
        if (at === n) break;
        const { kept } = after4(["lb0"]);
        world = { world: carriedOut(world.world, chain[part] ?? assert.fail(), asked), kept };
      }
      assert.deepEqual(shown(up(seenBy(world), adoption()).world), undisturbed);
    });
});

describe("what preview says", () => {
  it("of one that is half retired: what it is gone from, where it still is, with which address", () => {
    const world = adopted(["lb0", "lb1", "drain", "pods", "etcd"]);
    assert.deepEqual(visited(world, adoption()), { [m3]: addressOf(3) });
    const { notes } = judge(leaving(world), { ...adoption(), leaving: halfRetired(world, adoption()) }, undefined);
    assert.equal(
      notes.find((note) => note.startsWith(m3)),
      `${m3} (192.168.55.21) is not declared and is half retired: gone from etcd, the pool of ${lb0} (${config}.before-211501-ab12cd still has its line), ` +
        `the pool of ${lb1} (${config}.before-211501-ab12cd still has its line), the kubernetes service, its own static pods (apiserver.yaml is in disabled/); ` +
        "still in the Nodes, the inventory's [masters], [etcd], etcdClientInfo.urls of master-0.example.com, master-1.example.com, master-2.example.com. " +
        "It leaves by this change, which does what is left",
    );
  });
  it("of a whole one: the line to declare it by, and that it is not begun with", () => {
    const verdict = only(adopted([]));
    assert.equal(verdict.says, "refused");
    assert.match(
      verdict.text,
      /^master-3\.example\.com \(192\.168\.55\.21\) is not declared and is a master: in etcd \(member ed4f0efd277d7599\), the Nodes, the kubernetes service, the pool of lb-0\.example\.com \(master3, line 26\), lb-1.*\. declare it, as `master-3\.example\.com: \{ address: 192\.168\.55\.21 \}` below openshift-masters:masters, run `pulumi up`, and delete that line again if it is to go\. A master that nobody declares is not begun with$/,
    );
    assert.deepEqual(up(adopted([]), adoption()).refusals, [verdict.text], "said once, not by etcd's members too");
  });
  it("of one that only etcd has lost: not to declare it, but what begins its retirement; and that it does", () => {
    const world = adopted(["etcd"]);
    const verdict = only(world);
    assert.equal(verdict.says, "refused");
    assert.match(
      verdict.text,
      /etcd has no member of it, so it cannot be declared as it is: if it is to stay, add its member again, and declare it; if it is to go, move apiserver\.yaml there from \/etc\/origin\/node\/pods to \/etc\/origin\/node\/pods\/disabled, and `pulumi up`/,
    );
    assert.doesNotMatch(verdict.text, /declare it, as/);
    const moved = withMaster(after4(["etcd"]).world, m3, {
      pods: ["controller.yaml"],
      disabledPods: ["apiserver.yaml", "etcd.yaml"],
    });
    assert.equal(only(seenBy({ world: moved, kept: {} })).says, "leaves");
  });
});

describe("a master that was forgotten is not begun with, however it is", () => {
  const whole = after4([]).world;
  const refused = (world: World, sentence: RegExp, kept: StrangerFacts["kept"] = {}) => {
    const verdict = only(seenBy({ world, kept }));
    assert.equal(verdict.says, "refused", verdict.text);
    assert.match(verdict.text, sentence);
    assert.deepEqual(up(seenBy({ world, kept }), adoption()).change.leaving, {});
  };
  const cordoned = withCluster(whole, ({ nodes }) => ({
    nodes: nodes.map((one) => (one.name === m3 ? { ...one, unschedulable: true } : one)),
  }));
  const off = (world: World) =>
    withMaster(world, m3, { pods: ["etcd.yaml"], disabledPods: ["apiserver.yaml", "controller.yaml"] });
  const notIn = (world: World, balancer: string) =>
    withConfig(world, balancer, (text) => swap(text, `    server      master3 ${addressOf(3)}:8443 check\n`, ""));

  it("cordoned", () => refused(cordoned, /but its Node is unschedulable, as after maintenance\./));
  it("disabled at every load balancer", () => {
    const disable = (text: string) => swap(text, `${addressOf(3)}:8443 check`, `${addressOf(3)}:8443 check disabled`);
    refused(withConfig(withConfig(whole, lb0, disable), lb1, disable), /master3, line 26, disabled/);
  });
  it("never put into a pool", () => refused(notIn(whole, lb1), /the pool of lb-1\.example\.com does not have it/));
  it("taken out of all pools by hand", () =>
    refused(notIn(notIn(whole, lb0), lb1), /pool of lb-0\.example\.com, lb-1/));
  it("its API put aside", () => refused(off(whole), /but its API's manifest is in disabled\/, as after/));
  it("cordoned, and its API put aside", () => refused(off(cordoned), /its Node is unschedulable, its API's/));
  it("without etcd on it", () =>
    refused(
      withEtcd(whole, ({ members }) => ({ members: members.filter(({ id }) => id !== idOf(3)) })),
      /but etcd does not have it, as after maintenance/,
    ));
  it("without etcd on it ever, and its API put aside", () =>
    refused(
      withMaster(off(withEtcd(whole, ({ members }) => ({ members: members.filter(({ id }) => id !== idOf(3)) }))), m3, {
        etcdData: false,
        pods: [],
      }),
      /but etcd does not have it, its API's manifest is in disabled\/, as after/,
    ));
  it("without a Node", () =>
    refused(
      withCluster(whole, ({ nodes }) => ({ nodes: nodes.filter(({ name }) => name !== m3) })),
      /is not declared and is a master: in etcd/,
    ));
  it("out of a pool, of which an old copy has it, from before it was set up", () => {
    const kept = { [lb0]: [{ ...fileOf("/k", "backend b\n server master3 192.168.55.21:8443\n"), at: 1_600_000_000 }] };
    refused(notIn(whole, lb0), /the pool of lb-0\.example\.com does not have it/, kept);
  });
  it("a kept copy with another host's line", () => {
    const kept = { [lb0]: [{ ...fileOf("/k", "backend b\n server master3 192.168.55.210:8443\n"), at: now }] };
    refused(notIn(whole, lb0), /the pool of lb-0\.example\.com does not have it/, kept);
  });

  it("what could not be asked is not gone", () => {
    const begun = after4(["lb0", "lb1", "drain", "pods", "etcd"]);
    for (const world of [
      { ...begun.world, cluster: { unreachable: "refused" } },
      withCluster(begun.world, { unknown: ["nodes: timeout"], nodes: [] }),
      { ...begun.world, inventory: { unreachable: "ENOENT" } },
      withEtcd(begun.world, { healthy: false }),
    ])
      assert.deepEqual(halfRetired(seenBy({ ...begun, world }), adoption()), {});
  });
  it("a load balancer that cannot be asked has not lost it", () => {
    const world = unreachable(unreachable(off(notIn(notIn(whole, lb0), lb1)), lb0), lb1);
    assert.equal(only(seenBy({ world, kept: {} })).says, "refused");
  });
});

describe("one that cannot be reached", () => {
  const dead = (done: readonly string[]) => {
    const { world, kept } = after4(done);
    return seenBy({ world: unreachable(world, m3), kept });
  };
  const gone = adoption([`host-gone:${m3}`]);
  for (const done of [[], ["lb0"], ["lb0", "lb1", "drain", "pods", "etcd"]])
    it(`gone from ${done.join() || "nothing"}: refused until it is acknowledged, then finished`, () => {
      const verdict = only(dead(done));
      assert.equal(verdict.says, "refused");
      assert.match(
        verdict.text,
        /cannot be reached \(.*handshake\).*: declare it, as .*; or, .* acknowledge `host-gone:master-3\.example\.com`/,
      );
      const ended = up(dead(done), gone);
      assert.deepEqual([ended.refusals, ended.change.leaving], [[], { [m3]: addressOf(3) }]);
      assert.ok(isReachable(ended.world.cluster));
      assert.ok(!ended.world.cluster.nodes.some(({ name }) => name === m3));
    });
  it("only the inventory has it: it stays, and is told", () => {
    const verdict = only(dead(parts.slice(0, -1)));
    assert.equal(verdict.says, "told");
    assert.match(verdict.text, /is named in the inventory's \[masters\], \[etcd\].*; it stays as it is$/);
  });
  it("an acknowledged risk does not make a host that answers one that leaves", () =>
    assert.equal(only(adopted([]), gone).says, "refused"));
});

describe("what is no half retired master", () => {
  const three = healthy(3);
  const withText = (edit: (text: string) => string): World => ({
    ...three,
    inventory: fileOf("/srv/stack/hosts", edit(inventoryText(3))),
  });
  const members = (name: string, at: string) =>
    withEtcd(three, ({ members: list }) => ({
      members: [
        ...list,
        { id: "abc", name, peerURLs: [`https://${at}:2380`], clientURLs: [], started: true, learner: false },
      ],
    }));
  it("a healthy cluster: nobody", () => assert.deepEqual(verdicts(three, adoption()), []));
  it("etcd on a host of its own: refused as a member that nobody declares", () => {
    const world = members("etcd-9.example.com", "192.168.55.99");
    assert.deepEqual(verdicts(world, adoption()), []);
    assert.match(up(world, adoption()).refusals.join(), /^etcd has a member that is not declared: abc \(etcd-9/);
  });
  it("a text that only files have is told, and stays", () => {
    const world = withFile(three, master(0), "etcdConf", (text) =>
      swap(text, "ETCD_INITIAL_CLUSTER=", "ETCD_INITIAL_CLUSTER=old=https://192.168.55.99:2380,"),
    );
    assert.match(
      only(world).text,
      /^old \(192\.168\.55\.99\) .*ETCD_INITIAL_CLUSTER of master-0\.example\.com, and neither etcd/,
    );
    assert.deepEqual(up(world, adoption()).refusals, []);
  });
  it("a host that is being added", () => {
    const added = withText((text) => `${text}\n[new_masters]\n${m3} openshift_ip=${addressOf(3)}\n`);
    assert.deepEqual(verdicts(added, adoption()), []);
    const world = withCluster(added, ({ nodes }) => ({
      nodes: [...nodes, { name: m3, unschedulable: true, ready: true, master: true, address: addressOf(3) }],
    }));
    assert.deepEqual(visited(world, adoption()), {});
    const verdict = only({
      ...world,
      strangers: { hosts: { [m3]: healthy(4).masters[m3] ?? assert.fail() }, kept: {} },
    });
    assert.equal(verdict.says, "refused");
    assert.match(verdict.text, /is being added, as the inventory's \[new_masters\] says/);
  });
  it("an application node that was a master once", () => {
    const world = withCluster(
      withText((text) => swap(text, "[masters]\n", `[masters]\n${m3}\n`)),
      ({ nodes }) => ({
        nodes: [...nodes, { name: m3, unschedulable: false, ready: true, master: false, address: addressOf(3) }],
      }),
    );
    assert.equal(only(world).says, "told");
    assert.deepEqual(up(world, adoption()).refusals, []);
  });
  it("a pool that leads to a host which is declared as something else", () => {
    const line = "    server      spare 192.168.55.31:8443 check\n";
    const world = withBalancer(three, lb0, ({ files }) => ({
      files: files.map(({ path, text }) => fileOf(path, `${text}${line}`)),
    }));
    assert.deepEqual(verdicts(world, adoption()), []);
  });
});

describe("who it is", () => {
  const begun = after4(["lb0", "lb1", "drain", "pods", "etcd"]);
  const refused = (world: World, sentence: RegExp) => {
    const verdict = verdicts(seenBy({ ...begun, world }), adoption()).find(({ says }) => says === "refused");
    assert.match(verdict?.text ?? "nothing is refused", sentence);
    const who = verdict?.stranger.name ?? "";
    assert.ok(!(who in halfRetired(seenBy({ ...begun, world }), adoption())));
    assert.ok(!(who in visited(seenBy({ ...begun, world }), adoption())), "nobody connects there");
  };
  const nodes = (edit: (node: { name: string; address?: string }) => object) =>
    withCluster(begun.world, ({ nodes: all }) => ({
      nodes: all.map((one) => (one.name === m3 ? { ...one, ...edit(one) } : one)),
    }));
  const withText = (edit: (text: string) => string): World => ({
    ...begun.world,
    inventory: fileOf("/srv/stack/hosts", edit(inventoryText(4))),
  });

  it("two addresses of one name", () =>
    refused(
      withText((text) => swap(text, `${m3}\n`, `${m3} ansible_host=10.9.9.9\n`)),
      /one name has several addresses \(192\.168\.55\.21 in the Nodes; 10\.9\.9\.9 in the inventory's \[masters\], \[etcd\]\)/,
    ));
  it("openshift_ip is the cluster's own", () =>
    assert.deepEqual(
      halfRetired(
        seenBy({
          ...begun,
          world: withText((text) =>
            swap(text, `${m3}\n`, `${m3} ansible_host=10.9.9.9 openshift_ip=${addressOf(3)}\n`),
          ),
        }),
        adoption(),
      ),
      { [m3]: addressOf(3) },
    ));
  it("two names of one address", () =>
    refused(
      withCluster(begun.world, ({ nodes: all }) => ({
        nodes: [
          ...all,
          { name: "evil.example.com", unschedulable: false, ready: true, master: true, address: addressOf(3) },
        ],
      })),
      /one address has several names \(master-3\.example\.com in the Nodes, .*; evil\.example\.com in the Nodes\)/,
    ));
  it("the address of a declared node or load balancer", () => {
    refused(
      nodes(() => ({ address: "192.168.55.31" })),
      /node-0\.example\.com is declared, as no master, with its name or address/,
    );
    refused(
      nodes(() => ({ address: "192.168.55.5" })),
      /lb-0\.example\.com is declared/,
    );
  });
  it("the address of a declared master is that master's", () =>
    assert.deepEqual(
      halfRetired(seenBy({ ...begun, world: nodes(() => ({ address: addressOf(0) })) }), adoption())[m3],
      m3,
    ));
  for (const address of [
    "127.0.0.1",
    "0.0.0.0",
    "::1",
    "::",
    "169.254.1.1",
    "fe80::1",
    "224.0.0.1",
    "::ffff:127.0.0.1",
  ])
    it(`${address} is no other machine's`, () =>
      refused(
        nodes(() => ({ address })),
        /is no address of another machine|several addresses|no host name as of RFC 1123/,
      ));
  it("the bastion is no master", () => {
    const change = adoption();
    const bastion = { host: addressOf(3), user: "ops" };
    const settings = { ...change.settings, ssh: { ...change.settings.ssh, bastion } };
    const [verdict] = verdicts(seenBy(begun), { ...change, settings });
    assert.match(verdict?.text ?? "", /192\.168\.55\.21 is declared, as no master, with its name or address/);
  });
  it("a name that is none", () =>
    refused(
      nodes(() => ({ name: "-rm;evil" })),
      /that is no host name as of RFC 1123/,
    ));
  it("control characters are shown as such", () => {
    const verdict = verdicts(seenBy({ ...begun, world: nodes(() => ({ name: "a\x1b[2J" })) }), adoption()).find(
      ({ says }) => says === "refused",
    );
    assert.ok(verdict?.text.includes("a\\x1b[2j"), verdict?.text);
  });
});

describe("a state that does not know it", () => {
  const before = changeOf(3, []).survivors;
  it("tells how it can be finished, and leaves it", () => {
    const { world } = after4(["lb0", "lb1", "drain", "pods"]);
    const { notes, refusals } = judge(seenBy({ world, kept: {} }), adoption(), before);
    assert.ok(
      notes.some((note) =>
        /^master-3\.example\.com \(192\.168\.55\.21\) is a master, in etcd .*neither the configuration nor this state knows it.*`pulumi destroy` forgets/.test(
          note,
        ),
      ),
      notes.join("\n"),
    );
    assert.match(refusals.join(), /^etcd has a member that is not declared: ed4f0efd277d7599/);
  });
  it("says nothing of what it knows", () => {
    const { world } = after4(["lb0"]);
    const { notes } = judge(world, { ...retirement }, { ...before, [m3]: addressOf(3) });
    assert.ok(!notes.some((note) => note.includes("neither the configuration")));
  });
});
