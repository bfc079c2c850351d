import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServiceFacts } from "../../providers/plan/facts.ts";
import { memberOf } from "../../providers/plan/members.ts";
import {
  type Planner,
  planAuthority,
  planBackups,
  planBalancer,
  planDrain,
  planEndpoints,
  planFlannel,
  planInventory,
  planMasterConfig,
  planMembership,
  planNodeRemoval,
  planSnapshot,
  planStaticPods,
} from "../../providers/plan/plans.ts";
import { diffOf, editsOf } from "../../providers/plan/show.ts";
import type { Change, Step, World } from "../../providers/plan/steps.ts";
import {
  addressOf,
  after,
  configured,
  etcdConfText,
  fileOf,
  flanneldText,
  haproxyText,
  healthy,
  idOf,
  inventoryText,
  master,
  masterConfigText,
  masterEnvText,
  now,
  removal,
  started,
  swap,
  unreachable,
  withBalancer,
  withCluster,
  withConfig,
  withEtcd,
  withFile,
  withMaster,
  withNode,
} from "./world.ts";

const [lb0, lb1, node0] = ["lb-0.example.com", "lb-1.example.com", "node-0.example.com"];
/** The planners that find out what is left; a backup is due whatever the hosts show. */
const chain: readonly [name: string, plan: Planner][] = [
  ["CertificateAuthority", planAuthority],
  ["LoadBalancerPool lb-0", planBalancer(lb0)],
  ["LoadBalancerPool lb-1", planBalancer(lb1)],
  ["NodeDrain", planDrain],
  ["StaticPods", planStaticPods],
  ["EtcdMembership", planMembership],
  ["MasterConfig", planMasterConfig],
  ["FlannelNetwork", planFlannel],
  ["ServiceEndpoints", planEndpoints],
  ["NodeRemoval", planNodeRemoval],
  ["AnsibleInventory", planInventory],
];
const brief = (steps: readonly Step[]): string[] => steps.map((step) => `${step.do} ${step.host}`);
const only = (steps: readonly Step[]): Step => {
  const [step, ...more] = steps;
  assert.ok(step !== undefined && more.length === 0, `one step expected, got: ${brief(steps).join(", ")}`);
  return step;
};
/** The lines that an edit takes out and puts in, without context. */
const changed = (step: Step | undefined): string[] =>
  (step === undefined ? [] : editsOf(step)).flatMap(({ before, after: text }) => {
    const [old, young] = [before.text.split("\n"), text.split("\n")];
    const context = old.filter((line) => young.includes(line)).join("\n");
    assert.equal(young.filter((line) => old.includes(line)).join("\n"), context, "the other lines stay as they were");
    return [
      ...old.filter((line) => !young.includes(line)).map((line) => `-${line}`),
      ...young.filter((line) => !old.includes(line)).map((line) => `+${line}`),
    ];
  });
const settled = (world: World, steps: readonly Step[]): World => steps.reduce(after, world);

describe("4→3: each planner's steps", () => {
  const { world, change } = removal(4, [3]);

  it("backups of every master, the leaving one first", () => {
    const steps = planBackups(world, change);
    assert.deepEqual(
      brief(steps),
      [3, 0, 1, 2].map((n) => `backup ${master(n)}`),
    );
    assert.ok(steps.every((step) => step.do === "backup" && step.what === "master"));
  });

  it("a snapshot of the survivor that is furthest, with the v2 store", () => {
    const steps = planSnapshot(world, change);
    assert.deepEqual(brief(steps), [...[3, 0, 1, 2].map((n) => `backup ${master(n)}`), `snapshot ${master(2)}`]);
    assert.ok(steps.slice(0, 4).every((step) => step.do === "backup" && step.what === "etcd-config"));
    const { title, commands, ...step } = steps.at(-1) ?? assert.fail();
    assert.deepEqual(step, {
      do: "snapshot",
      host: master(2),
      v2: true,
      revision: "9007199254741002",
      endpoint: "https://192.168.55.13:2379",
      via: "host",
    });
    assert.match(title, /revision 9007199254741002 or later, and of the v2 store/);
    assert.match(commands?.join("") ?? "", /^etcdctl --endpoints https:\/\/192\.168\.55\.13:2379 snapshot save/);
  });

  it("each load balancer: one edit, one reload", () => {
    for (const [name, admin] of [
      [lb0, false],
      [lb1, true],
    ] as const) {
      const step = only(planBalancer(name)(world, change));
      assert.ok(step.do === "balance");
      assert.deepEqual(
        [step.host, step.service, step.reload, step.socket],
        [name, "haproxy", true, "/var/lib/haproxy/stats"],
      );
      assert.equal(step.edit?.before.text, haproxyText(4, admin));
      assert.equal(step.edit.after, haproxyText(3, admin));
      assert.deepEqual(changed(step), ["-    server      master3 192.168.55.21:8443 check"]);
      const section = "backend atomic-openshift-api";
      assert.deepEqual(
        step.up,
        [0, 1, 2].map((n) => ({ section, server: `master${n}` })),
      );
      assert.deepEqual(step.drain, admin ? [{ section, server: "master3" }] : []);
      assert.deepEqual(step.commands, [
        ...(admin ? ["set server atomic-openshift-api/master3 state drain"] : []),
        "haproxy -c -f /etc/haproxy/haproxy.cfg",
        "systemctl reload haproxy",
      ]);
    }
  });
  it("UP is asked of the survivors' enabled servers only", () => {
    const more = (text: string) =>
      `${swap(text, "192.168.55.12:8443 check", "192.168.55.12:8443 check disabled")}    server      other 10.0.0.9:8443 check\n`;
    const step = only(planBalancer(lb0)(withConfig(world, lb0, more), change));
    assert.ok(step.do === "balance");
    assert.deepEqual(
      step.up.map(({ server }) => server),
      ["master0", "master2"],
    );
  });
  it("a haproxy that cannot reload is restarted, and the plan says so", () => {
    const step = only(planBalancer(lb0)(withBalancer(world, lb0, { canReload: false }), change));
    assert.equal(step.commands?.at(-1), "systemctl restart haproxy");
  });
  it("a load balancer that is not declared has no plan", () =>
    assert.deepEqual(planBalancer("other.example.com")(world, change), []));

  it("cordon and drain, asked through a survivor", () => {
    const steps = planDrain(world, change);
    assert.deepEqual(brief(steps), [`cordon ${master(0)}`, `drain ${master(0)}`]);
    assert.deepEqual(steps[0]?.commands, ["oc adm cordon master-3.example.com"]);
    assert.deepEqual(steps[1]?.commands, ["oc adm drain master-3.example.com --ignore-daemonsets --timeout=300s"]);
    assert.match(steps[1].title, /: 1 pods \(default\/router-1-abcde\)$/);
  });
  it("acknowledged risks become options of the drain, for their host only", () => {
    const flags = (acknowledge: string[]) =>
      planDrain(world, removal(4, [3], acknowledge).change).flatMap((step) =>
        step.do === "drain" ? [step.flags] : [],
      );
    assert.deepEqual(flags([`evict-bare-pods:${master(3)}`]), [["--ignore-daemonsets", "--force"]]);
    assert.deepEqual(flags([`local-data:${master(3)}`]), [["--ignore-daemonsets", "--delete-local-data"]]);
    assert.deepEqual(flags([`local-data:${master(2)}`, `evict-bare-pods:${master(1)}`]), [["--ignore-daemonsets"]]);
  });

  it("controllers first, and another must hold the lease; then the API", () => {
    const steps = planStaticPods(world, change);
    assert.deepEqual(
      steps.map((step) => step.do === "disable-manifest" && [step.host, step.manifest, step.port, step.lease]),
      [
        [master(3), "controller.yaml", 8444, true],
        [master(3), "apiserver.yaml", 8443, false],
      ],
    );
    assert.deepEqual(steps[0]?.commands, [
      "mkdir -p /etc/origin/node/pods/disabled",
      "mv /etc/origin/node/pods/controller.yaml /etc/origin/node/pods/disabled/controller.yaml",
    ]);
  });

  it("the member by its id through a survivor, then its pod, then the survivors' etcd.conf", () => {
    const steps = planMembership(world, change);
    assert.deepEqual(brief(steps), [
      `remove-member ${master(0)}`,
      `disable-manifest ${master(3)}`,
      ...[0, 1, 2].map((n) => `edit ${master(n)}`),
    ]);
    const [removal, pod, ...edits] = steps;
    assert.ok(removal?.do === "remove-member" && pod?.do === "disable-manifest");
    assert.deepEqual([removal.member, removal.peer], [idOf(3), "https://192.168.55.21:2380"]);
    assert.deepEqual(removal.commands, [`etcdctl member remove ${idOf(3)}`]);
    assert.match(removal.title, /then prove 3 healthy members$/);
    assert.deepEqual([pod.manifest, pod.port, pod.lease], ["etcd.yaml", 2379, false]);
    for (const [n, step] of edits.entries()) {
      assert.ok(step.do === "edit");
      assert.equal(step.edit.before.text, etcdConfText(n, 4));
      assert.equal(step.edit.after, etcdConfText(n, 3));
    }
  });

  it("each survivor in its turn: edits, then one restart out of every load balancer", () => {
    const steps = planMasterConfig(world, change);
    assert.deepEqual(
      brief(steps),
      [0, 1, 2].flatMap((n) => ["edit", "edit", "restart-master"].map((what) => `${what} ${master(n)}`)),
    );
    for (const n of [0, 1, 2]) {
      const [config, env, restart] = steps.slice(3 * n);
      assert.ok(config?.do === "edit" && env?.do === "edit" && restart?.do === "restart-master");
      assert.equal(config.edit.after, masterConfigText(n, 3));
      assert.deepEqual(changed(config), [
        "-  - https://master-3.example.com:2379",
        "-  masterCount: 4",
        "+  masterCount: 3",
      ]);
      assert.equal(env.edit.after, masterEnvText(3));
      assert.deepEqual(restart.components, ["api", "controllers"]);
      assert.deepEqual(restart.balancers, [lb0, lb1]);
      assert.deepEqual(restart.node, { name: master(n), addresses: [addressOf(n)] });
      assert.deepEqual(restart.commands, [
        `${lb0}: \`disabled\` on its server lines, reload`,
        `${lb1}: set server … state maint through the stats socket`,
        "master-restart api",
        "master-restart controllers",
        `${lb0}: put back, proved UP`,
        `${lb1}: put back, proved UP`,
      ]);
    }
  });

  it("flannel on every survivor and every node, restarted where it is edited", () => {
    const steps = planFlannel(world, change);
    assert.deepEqual(
      brief(steps),
      [master(0), master(1), master(2), node0].flatMap((host) => [`edit ${host}`, `restart-flannel ${host}`]),
    );
    for (const step of steps) if (step.do === "edit") assert.equal(step.edit.after, flanneldText(3));
  });

  it("the kubernetes service: waits for exactly the survivors", () => {
    const step = only(planEndpoints(world, change));
    assert.ok(step.do === "await-endpoints");
    assert.deepEqual(step.addresses, ["192.168.55.12", "192.168.55.13", "192.168.55.8"]);
    assert.match(step.title, /no longer has 192\.168\.55\.21$/);
  });

  it("the node service first, then the Node", () => {
    const steps = planNodeRemoval(world, change);
    assert.deepEqual(brief(steps), [`stop-node-service ${master(3)}`, `delete-node ${master(0)}`]);
    assert.deepEqual(
      steps.map((step) => step.commands),
      [["systemctl disable --now origin-node.service"], ["oc delete node master-3.example.com"]],
    );
  });

  it("the inventory of this machine", () => {
    const step = only(planInventory(world, change));
    assert.ok(step.do === "edit-inventory");
    assert.deepEqual([step.host, step.local], ["this machine", true]);
    assert.equal(step.edit.after, inventoryText(3));
  });
  it("an inventory on another host, in YAML", () => {
    const yaml =
      "all:\n  children:\n    masters:\n      hosts:\n        master-0.example.com:\n        master-3.example.com:\n";
    const inventory = { path: "/etc/ansible/hosts.yml", host: "admin.example.com", address: "10.0.0.4" };
    const there = { ...change, settings: { ...change.settings, inventory } };
    const step = only(planInventory({ ...world, inventory: fileOf(inventory.path, yaml) }, there));
    assert.ok(step.do === "edit-inventory");
    assert.deepEqual([step.host, step.local], ["admin.example.com", false]);
    assert.equal(step.edit.after, yaml.replace("        master-3.example.com:\n", ""));
  });

  it("every edit carries the text and the hash that were read, and its diff has both", () => {
    for (const [, plan] of chain)
      for (const edit of plan(world, change).flatMap(editsOf)) {
        assert.deepEqual(edit.before, fileOf(edit.before.path, edit.before.text));
        assert.match(diffOf(edit), /^-/m);
      }
  });

  it("nothing of it is on the leaving host but its own pods and services", () => {
    const steps = chain.flatMap(([, plan]) => plan(world, change)).filter((step) => step.host === master(3));
    assert.deepEqual(
      steps.map((step) => step.do),
      ["disable-manifest", "disable-manifest", "disable-manifest", "stop-node-service"],
    );
  });
});

describe("nothing leaves: nothing to do", () => {
  for (const count of [1, 3, 4]) {
    const { world, change } = removal(count, []);
    for (const [name, plan] of chain) it(`${name} of ${count}`, () => assert.deepEqual(plan(world, change), []));
  }
  it("not even for a hand-made mess: that is drift of nobody who leaves", () => {
    const { world, change } = removal(4, []);
    const mess = withFile(
      withConfig(world, lb0, (text) => swap(text, "master3 192.168.55.21", "x 10.9.9.9")),
      master(1),
      "etcdConf",
      () => "",
    );
    assert.deepEqual(
      chain.flatMap(([, plan]) => plan(mess, change)),
      [],
    );
  });
});

describe("what is already so is no step", () => {
  const run = (count: number, leaving: number[], leader = 0) => {
    const { change } = removal(count, leaving);
    return { world: healthy(count, Object.keys(change.leaving), leader), change };
  };

  it("once a resource's steps are done it has none, and no other has more than before", () => {
    const { world: start, change } = run(4, [3], 3);
    let world = start;
    for (const [name, plan] of chain) {
      const before = chain.map(([, each]) => brief(each(world, change)));
      world = settled(world, plan(world, change));
      assert.deepEqual(plan(world, change), [], name);
      for (const [at, [other, each]] of chain.entries())
        for (const step of brief(each(world, change)))
          assert.ok(before[at]?.includes(step), `${name} made ${other} plan ${step}`);
    }
    assert.deepEqual(
      chain.flatMap(([, plan]) => plan(world, change)),
      [],
    );
  });

  it("stopped after any step, the rest is planned again, and no step that is done", () => {
    for (const [count, leaving] of [
      [4, [3]],
      [5, [1, 4]],
    ] as const) {
      const { world: start, change } = run(count, [...leaving], 1);
      let world = start;
      for (const [name, plan] of chain) {
        const all = plan(world, change);
        for (const [at, step] of all.entries()) {
          // one edit takes every leaving host out, and the restart behind it is found by the age of the process
          assert.deepEqual(
            brief(plan(world, change)),
            brief(all.slice(at)),
            `${name} before ${brief([step]).join("")}`,
          );
          world = after(world, step);
        }
      }
      assert.deepEqual(
        chain.flatMap(([, plan]) => plan(world, change)),
        [],
      );
    }
  });

  it("two that leave: one edit and one reload for each load balancer, everything else for both", () => {
    const { world, change } = run(5, [1, 4]);
    const step = only(planBalancer(lb1)(world, change));
    assert.deepEqual(changed(step), [
      "-    server      master1 192.168.55.12:8443 check",
      "-    server      master4 192.168.55.22:8443 check",
    ]);
    assert.deepEqual(
      planMembership(world, change).flatMap((one) => (one.do === "remove-member" ? [one.member] : [])),
      [idOf(1), idOf(4)],
    );
    assert.deepEqual(
      brief(planStaticPods(world, change)),
      [1, 1, 4, 4].map((n) => `disable-manifest ${master(n)}`),
    );
    const counts = planMasterConfig(world, change)
      .flatMap(editsOf)
      .map((edit) => /masterCount: \d/.exec(edit.after)?.[0]);
    assert.deepEqual(
      counts.filter(Boolean),
      Array.from({ length: 3 }, () => "masterCount: 3"),
    );
    assert.equal(planMasterConfig(world, change).filter((one) => one.do === "restart-master").length, 3);
  });

  const { world, change } = run(4, [3]);
  it("the line is gone from the load balancer, and haproxy runs without it", () => {
    const done = withBalancer(
      withConfig(world, lb0, () => haproxyText(3, false)),
      lb0,
      ({ stats }) => ({
        ...(stats && { stats: stats.slice(0, 3) }),
      }),
    );
    assert.deepEqual(planBalancer(lb0)(done, change), []);
    assert.equal(planBalancer(lb1)(done, change).length, 1);
  });
  it("the member is gone: only its pod and the files are left", () => {
    const done = withEtcd(world, ({ members }) => ({ members: members.slice(0, 3) }));
    assert.deepEqual(
      planMembership(done, change).map((step) => step.do),
      ["disable-manifest", "edit", "edit", "edit"],
    );
  });
  it("the manifest is moved and the port is closed", () => {
    const done = withMaster(world, master(3), {
      pods: ["etcd.yaml"],
      listeners: [{ port: 2379, since: started }],
    });
    assert.deepEqual(planStaticPods(done, change), []);
  });
  it("the Node is deleted and its service off", () => {
    const gone = withCluster(world, ({ nodes }) => ({ nodes: nodes.filter(({ name }) => name !== master(3)) }));
    assert.deepEqual(brief(planNodeRemoval(gone, change)), [`stop-node-service ${master(3)}`]);
    assert.deepEqual(planDrain(gone, change), []);
    const off = withMaster(gone, master(3), ({ nodeService }) => ({
      nodeService: nodeService && { ...nodeService, active: false, enabled: false },
    }));
    assert.deepEqual(planNodeRemoval(off, change), []);
  });
  it("a service that is stopped and would start again, or runs and would not, is still to be disabled", () => {
    for (const [active, enabled] of [
      [false, true],
      [true, false],
    ] as const) {
      const half = withMaster(world, master(3), ({ nodeService }) => ({
        nodeService: nodeService && { ...nodeService, active, enabled },
      }));
      assert.equal(planNodeRemoval(half, change)[0]?.do, "stop-node-service");
    }
  });
  it("master-config edited, and everything restarted since", () => {
    const done = [0, 1, 2].reduce(
      (now_, n) =>
        withMaster(
          withFile(
            withFile(now_, master(n), "masterConfig", () => masterConfigText(n, 3)),
            master(n),
            "masterEnv",
            () => masterEnvText(3),
          ),
          master(n),
          { configChanged: started - 1 },
        ),
      world,
    );
    assert.deepEqual(planMasterConfig(done, change), []);
  });
  it("nothing of the leaving host in the inventory", () =>
    assert.deepEqual(planInventory({ ...world, inventory: fileOf("/h", inventoryText(3)) }, change), []));
  it("a Node that was cordoned is drained; one whose pods are gone is only cordoned", () => {
    const cordoned = withCluster(world, ({ nodes }) => ({
      nodes: nodes.map((one) => ({ ...one, unschedulable: one.name === master(3) })),
    }));
    assert.deepEqual(brief(planDrain(cordoned, change)), [`drain ${master(0)}`]);
    const empty = withCluster(world, ({ pods }) => ({ pods: { [master(3)]: (pods[master(3)] ?? []).slice(0, 3) } }));
    assert.deepEqual(brief(planDrain(empty, change)), [`cordon ${master(0)}`]);
  });
});

describe("half done", () => {
  const { world, change } = removal(4, [3]);

  it("haproxy.cfg is edited and haproxy still runs the dropped server: reload", () => {
    const step = only(
      planBalancer(lb0)(
        withConfig(world, lb0, () => haproxyText(3, false)),
        change,
      ),
    );
    assert.ok(step.do === "balance");
    assert.equal("edit" in step, false);
    assert.equal(step.reload, true);
    assert.match(step.title, /^reload haproxy: it still runs without the last edit$/);
    assert.deepEqual(step.drain, []);
    assert.equal(step.up.length, 3);
  });
  it("without statistics an edited file is taken for done", () => {
    const edited = withConfig(world, lb0, () => haproxyText(3, false));
    assert.deepEqual(planBalancer(lb0)(withBalancer(edited, lb0, { stats: undefined }), change), []);
  });
  it(
    "servers of a template are no reason to reload for ever",
    { todo: "plans.ts isStale(): rows of a server-template are in no server line" },
    () => {
      const template = "\nbackend apps\n    server-template app 2 apps.example.com:80 check\n";
      const edited = withBalancer(
        withConfig(world, lb0, () => haproxyText(3, false) + template),
        lb0,
        ({ stats }) => ({
          stats: [...(stats ?? []).slice(0, 3), { backend: "apps", server: "app1", status: "UP", sessions: 0 }],
        }),
      );
      assert.deepEqual(planBalancer(lb0)(edited, change), []);
    },
  );

  it("the manifest is moved and the process still listens: wait", () => {
    const step = only(
      planStaticPods(
        withMaster(world, master(3), {
          pods: ["apiserver.yaml", "etcd.yaml"],
          listeners: [{ port: 8444, since: started }],
        }),
        change,
      ).slice(0, 1),
    );
    assert.ok(step.do === "disable-manifest");
    assert.equal(step.title, "wait until the controllers has ended");
    assert.deepEqual(step.commands, []);
  });
  it("the manifest is there and nothing listens: it goes", () =>
    assert.equal(
      planStaticPods(withMaster(world, master(3), { pods: ["apiserver.yaml"], listeners: [] }), change)[0]?.commands
        ?.length,
      2,
    ));

  const edited = [0, 1, 2].reduce(
    (so, n) =>
      withMaster(
        withFile(
          withFile(so, master(n), "masterConfig", () => masterConfigText(n, 3)),
          master(n),
          "masterEnv",
          () => masterEnvText(3),
        ),
        master(n),
        { configChanged: started - 1 },
      ),
    world,
  );
  const restarts = (so: World) =>
    planMasterConfig(so, change).map((step) => step.do === "restart-master" && [step.host, ...step.components]);
  it("master-config is edited and the API is older: restart", () =>
    assert.deepEqual(restarts(withMaster(edited, master(1), { configChanged: started + 1 })), [
      [master(1), "api", "controllers"],
    ]));
  it("started within the second of the edit counts as older", () =>
    assert.deepEqual(restarts(withMaster(edited, master(1), { configChanged: started })), [
      [master(1), "api", "controllers"],
    ]));
  it("the API is restarted and the controllers are older", () =>
    assert.deepEqual(
      restarts(
        withMaster(edited, master(2), {
          configChanged: now,
          listeners: [
            { port: 8443, since: now + 9 },
            { port: 8444, since: started },
          ],
        }),
      ),
      [[master(2), "controllers"]],
    ));
  it("controllers alone are restarted with the API in its pools, and put back into them first", () => {
    const old = withMaster(edited, master(2), { configChanged: now, listeners: [{ port: 8444, since: started }] });
    const out = withConfig(old, lb0, (text) =>
      swap(text, "192.168.55.13:8443 check", "192.168.55.13:8443 check disabled"),
    );
    const [back, restart] = planMasterConfig(out, change);
    assert.ok(back?.do === "put-back" && restart?.do === "restart-master");
    assert.deepEqual([restart.components, restart.balancers], [["controllers"], []]);
    assert.deepEqual(restart.commands, ["master-restart controllers"]);
  });
  it("a process of unknown age is not restarted again and again", () =>
    assert.deepEqual(
      restarts(withMaster(edited, master(2), { configChanged: now, listeners: [{ port: 8443, since: 0 }] })),
      [],
    ));
  it("only master.env names it: edit and restart", () => {
    const env = withFile(edited, master(0), "masterEnv", () => masterEnvText(4));
    assert.deepEqual(brief(planMasterConfig(env, change)), [`edit ${master(0)}`, `restart-master ${master(0)}`]);
  });

  const putBack = (so: World) =>
    planMasterConfig(so, change).map((step) => step.do === "put-back" && [step.host, step.balancer, step.node.name]);
  it("a server that was left disabled in the file: put back", () =>
    assert.deepEqual(
      putBack(
        withConfig(edited, lb0, (text) =>
          swap(text, "master1 192.168.55.12:8443 check", "master1 192.168.55.12:8443 check disabled"),
        ),
      ),
      [[lb0, lb0, master(1)]],
    ));
  for (const status of ["MAINT", "DRAIN", "MAINT (via api/x)"])
    it(`a server that was left in ${status}: put back`, () =>
      assert.deepEqual(
        putBack(
          withBalancer(edited, lb1, ({ stats }) => ({
            stats: (stats ?? []).map((row) => (row.server === "master2" ? { ...row, status } : row)),
          })),
        ),
        [[lb1, lb1, master(2)]],
      ));
  it("a server that is DOWN is not put back: that is for Preflight", () =>
    assert.deepEqual(
      putBack(
        withBalancer(edited, lb1, ({ stats }) => ({ stats: (stats ?? []).map((row) => ({ ...row, status: "DOWN" })) })),
      ),
      [],
    ));
  it("the leaving one's server in MAINT is nobody's to put back", () =>
    assert.deepEqual(
      putBack(
        withBalancer(edited, lb1, ({ stats }) => ({
          stats: (stats ?? []).map((row) => (row.server === "master3" ? { ...row, status: "MAINT" } : row)),
        })),
      ),
      [],
    ));
  it("a host that is restarted anyway is put back by that", () =>
    assert.equal(
      planMasterConfig(
        withConfig(world, lb0, (text) => swap(text, "192.168.55.12:8443 check", "192.168.55.12:8443 check disabled")),
        change,
      ).some((step) => step.do === "put-back"),
      false,
    ));

  const stale = (service: ServiceFacts | undefined) => ({ flanneld: service && { ...service, stale: true } });
  it("flanneld's file is edited and flanneld is older: restart", () => {
    const all = settled(world, planFlannel(world, change));
    const half = withNode(
      withMaster(all, master(1), ({ flanneld }) => stale(flanneld)),
      node0,
      ({ flanneld }) => stale(flanneld),
    );
    assert.deepEqual(brief(planFlannel(half, change)), [`restart-flannel ${master(1)}`, `restart-flannel ${node0}`]);
  });
  it("a flanneld that does not run is edited and left alone", () => {
    const off = withNode(world, node0, ({ flanneld }) => ({ flanneld: flanneld && { ...flanneld, active: false } }));
    assert.deepEqual(brief(planFlannel(off, change)).slice(-2), [`restart-flannel ${master(2)}`, `edit ${node0}`]);
  });
  it("a node without flannel has nothing to do, one that cannot be reached neither", () => {
    const none = withNode(world, node0, { flanneldFile: undefined, flanneld: undefined });
    for (const so of [none, unreachable(world, node0)]) assert.equal(planFlannel(so, change).length, 6);
  });
});

describe("who is who in etcd", () => {
  const { world, change } = removal(4, [3]);
  const hosts = { ...change.survivors, ...change.leaving };
  const members =
    (world.masters[master(0)] as { etcd?: { members: Parameters<typeof memberOf>[2] } }).etcd?.members ?? [];

  it("by the exact host of the peer URL first, whatever the name", () => {
    const renamed = members.map((member, n) => ({ ...member, name: n === 0 ? master(3) : `etcd-${n}` }));
    assert.equal(memberOf(master(3), hosts, renamed)?.id, idOf(3));
  });
  it("an unstarted one has only its peer URL", () => {
    const unstarted = members.map((member, n) =>
      n === 3 ? { ...member, name: "", clientURLs: [], started: false } : member,
    );
    assert.equal(memberOf(master(3), hosts, unstarted)?.id, idOf(3));
    const steps = planMembership(withEtcd(world, { members: unstarted }), change);
    assert.match(steps[0]?.title ?? "", new RegExp(`^remove etcd member ${idOf(3)} \\(unstarted, `));
  });
  it("by name where no URL fits", () => {
    const elsewhere = members.map((member, n) =>
      n === 3 ? { ...member, peerURLs: ["https://10.1.1.1:2380"] } : member,
    );
    assert.equal(memberOf(master(3), hosts, elsewhere)?.id, idOf(3));
  });
  it("an address that only begins alike is another host's", () => {
    const near = members.map((member, n) =>
      n === 3 ? { ...member, name: "x", peerURLs: ["https://192.168.55.210:2380"] } : member,
    );
    assert.equal(memberOf(master(3), hosts, near), undefined);
  });
  it("two that fit: refused, with both ids", () => {
    const twice = [...members, { ...members[3], id: "abc", name: "again" } as (typeof members)[number]];
    const refusal = { name: "Refusal", message: new RegExp(`2 etcd members fit ${master(3)}: ${idOf(3)}, abc;`) };
    assert.throws(() => memberOf(master(3), hosts, twice), refusal);
    assert.throws(() => planMembership(withEtcd(world, { members: twice }), change), refusal);
  });
});

describe("the leader leaves", () => {
  const { change } = removal(4, [3]);
  const world = healthy(4, [master(3)], 3);
  it("leadership moves to a survivor before the removal", () => {
    const [move, remove] = planMembership(world, change);
    assert.ok(move?.do === "move-leader" && remove?.do === "remove-member");
    assert.deepEqual([move.host, move.member, move.to], [master(3), idOf(3), idOf(0)]);
    assert.deepEqual(move.commands, [`etcdctl move-leader ${idOf(0)}`]);
  });
  it("once another leads, only the removal is left", () => {
    const [move] = planMembership(world, change);
    assert.equal(planMembership(after(world, move ?? assert.fail()), change)[0]?.do, "remove-member");
  });
  it("a survivor that leads stays the leader", () =>
    assert.equal(planMembership(healthy(4, [master(3)], 1), change)[0]?.do, "remove-member"));
  it("is asked through the first survivor whose member is healthy", () => {
    const steps = planMembership(withEtcd(world, { healthy: false }, master(0)), change);
    assert.deepEqual(brief(steps).slice(0, 2), [`move-leader ${master(3)}`, `remove-member ${master(1)}`]);
  });
  it(
    "and not to an unhealthy survivor",
    { todo: "plans.ts planMembership(): `to` is the first survivor, healthy or not" },
    () => {
      const [move] = planMembership(withEtcd(world, { healthy: false }, master(0)), change);
      assert.ok(move?.do === "move-leader");
      assert.equal(move.to, idOf(1));
    },
  );
  it(
    "several leave: the dead before the living, the leader last",
    { todo: "plans.ts planMembership(): removes in the order of the list, not in that of decide()" },
    () => {
      const acknowledge = ["below-three-masters", "even-members", `host-gone:${master(4)}`];
      const five = removal(5, [1, 2, 4], acknowledge).change;
      const so = unreachable(healthy(5, Object.keys(five.leaving), 1), master(4));
      assert.deepEqual(
        planMembership(so, five).flatMap((step) => (step.do === "remove-member" ? [step.member] : [])),
        [idOf(4), idOf(2), idOf(1)],
      );
    },
  );
});

describe("the leaving host is gone, and that is acknowledged", () => {
  const { world: whole, change } = removal(4, [3], [`host-gone:${master(3)}`]);
  const world = unreachable(whole, master(3));
  const plans: [string, Planner][] = [["MasterBackup", planBackups], ["EtcdSnapshot", planSnapshot], ...chain];

  for (const [name, plan] of plans)
    it(`${name}: nothing on it, everything else as ever`, () => {
      const [here, ever] = [plan(world, change), plan(whole, removal(4, [3]).change)];
      assert.deepEqual(
        brief(here).filter((step) => step.endsWith(master(3))),
        [],
      );
      const own = (step: Step) => step.host === master(3) || step.do === "drain";
      assert.deepEqual(brief(here), brief(ever.filter((step) => !own(step))));
    });
  it("its Node is cordoned and not drained: nobody would answer", () =>
    assert.deepEqual(brief(planDrain(world, change)), [`cordon ${master(0)}`]));
  it(
    "its member leads, and nothing is asked of it all the same",
    { todo: "plans.ts planMembership(): move-leader acts on a host that is gone" },
    () => {
      const steps = planMembership(unreachable(healthy(4, [master(3)], 3), master(3)), change);
      assert.deepEqual(
        brief(steps).filter((step) => step.endsWith(master(3))),
        [],
      );
    },
  );
  it(
    "a host that answers after all gets its backup and its drain",
    { todo: "plans.ts isGone(): the acknowledgement alone skips backup and drain" },
    () => {
      assert.ok(brief(planBackups(whole, change)).includes(`backup ${master(3)}`));
      assert.ok(brief(planDrain(whole, change)).includes(`drain ${master(0)}`));
    },
  );
});

describe("the snapshot", () => {
  const { world, change } = removal(4, [3]);
  it("never of the leaving member, though it is furthest", () =>
    assert.equal(planSnapshot(world, change).at(-1)?.host, master(2)));
  it("nor of one that is not healthy or has not told its revision", () => {
    const so = withEtcd(withEtcd(world, { healthy: false }, master(2)), { status: undefined }, master(1));
    assert.equal(planSnapshot(so, change).at(-1)?.host, master(0));
  });
  it("no healthy survivor: refused", () =>
    assert.throws(() => planSnapshot(withEtcd(world, { healthy: false }), change), {
      name: "Refusal",
      message: /no healthy surviving etcd member/,
    }));
  it("the v2 store where it has keys or flannel is there", () => {
    const v2 = (so: World) => planSnapshot(so, change).flatMap((step) => (step.do === "snapshot" ? [step.v2] : []));
    const none = withEtcd(world, { v2: false });
    assert.deepEqual(v2(none), [true]);
    const noFlannel = [0, 1, 2].reduce((so, n) => withMaster(so, master(n), { flanneld: undefined }), none);
    assert.deepEqual(v2(noFlannel), [false]);
    assert.deepEqual(v2(withEtcd(noFlannel, { v2: true })), [true]);
  });
});

describe("what cannot be edited is refused with host and path", () => {
  const { world, change } = removal(4, [3]);
  const cases: [what: string, plan: Planner, world: World, message: RegExp][] = [
    [
      "haproxy",
      planBalancer(lb0),
      withConfig(world, lb0, (text) => text.replace(/ {4}server {6}master[0-2].*\n/g, "")),
      /^lb-0\.example\.com: \/etc\/haproxy\/haproxy\.cfg: .*would have no server/,
    ],
    [
      "etcd.conf",
      planMembership,
      withFile(world, master(1), "etcdConf", (text) =>
        text.replace("ETCD_INITIAL_CLUSTER=", "ETCD_INITIAL_CLUSTER=$X,"),
      ),
      /^master-1\.example\.com: \/etc\/etcd\/etcd\.conf: .*expansion/,
    ],
    [
      "master-config",
      planMasterConfig,
      withFile(world, master(2), "masterConfig", (text) => `${text}\n- x: [\n`),
      /^master-2\.example\.com: \/etc\/origin\/master\/master-config\.yaml: .*not valid YAML/,
    ],
    [
      "flanneld",
      planFlannel,
      withFile(world, master(0), "flanneld", () => "FLANNEL_ETCD_ENDPOINTS=https://master-3.example.com:2379\n"),
      /^master-0\.example\.com: \/etc\/sysconfig\/flanneld: .*empty/,
    ],
    ["the inventory", planInventory, { ...world, inventory: fileOf("/h", "[masters\n") }, /^this machine: \/h: /],
  ];
  for (const [what, plan, so, message] of cases)
    it(what, () => assert.throws(() => plan(so, change), { name: "Refusal", message }));
});

describe(
  "what could not be asked is not done",
  { todo: "plans.ts: a planner without its facts returns no step, and the update takes that for success" },
  () => {
    const { world, change } = removal(4, [3]);
    const silent: World = { ...world, cluster: { unreachable: "connection refused" } };
    const unknown = withCluster(world, { nodes: [], pods: {}, unknown: ["nodes: connection refused"] });
    const cases: [what: string, plan: Planner, world: World, change?: Change][] = [
      ["a load balancer that does not answer", planBalancer(lb0), unreachable(world, lb0)],
      ["a load balancer without its file", planBalancer(lb0), withBalancer(world, lb0, { config: undefined })],
      ["the cluster, for the drain", planDrain, silent],
      ["the list of nodes, for the drain", planDrain, unknown],
      ["the leaving master, for its pods", planStaticPods, unreachable(world, master(3))],
      ["every survivor's etcd", planMembership, withEtcd(world, { healthy: false })],
      ["a survivor, for its etcd.conf", planMembership, unreachable(world, master(1))],
      ["a survivor, for its master-config", planMasterConfig, unreachable(world, master(1))],
      ["a survivor, for its flannel", planFlannel, unreachable(world, master(1))],
      ["the cluster, for the endpoints", planEndpoints, silent],
      ["the cluster, for the Node", planNodeRemoval, silent],
      ["the list of nodes, for the Node", planNodeRemoval, unknown],
      ["the inventory", planInventory, { ...world, inventory: { unreachable: "ENOENT" } }],
    ];
    for (const [what, plan, so] of cases)
      it(what, () => assert.throws(() => plan(so, change), { message: /cannot be|could not be|reach/ }));
  },
);

it("configured before it was started, in every world here", () => assert.ok(configured < started && started < now));
