import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ServiceFacts, isReachable } from "../../providers/plan/facts.ts";
import { memberOf, membersOf, observedMembers } from "../../providers/plan/members.ts";
import {
  type Planner,
  canSetState,
  clusterPlanners,
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
import { Refusal, Unasked } from "../../providers/plan/refusal.ts";
import { diffOf, editsOf } from "../../providers/plan/show.ts";
import type { Settings } from "../../providers/plan/settings.ts";
import type { Change, Step, World } from "../../providers/plan/steps.ts";
import { decide } from "../../providers/plan/topology.ts";
import {
  addressOf,
  after,
  configured,
  etcdConfText,
  etcdManifestText,
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
const ofEtcd = (version: string, world: World): World =>
  withEtcd(world, ({ status }) => ({ status: status && { ...status, version } }));
const settled = (world: World, steps: readonly Step[]): World => steps.reduce(after, world);

const waiting = "# wait for the open connections to 192.168.55.21:8443, 60 s at most; what is left ends with the API";

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
      assert.deepEqual([step.host, step.on.socket], [name, "/var/lib/haproxy/stats"]);
      assert.deepEqual(
        step.edits.map(({ before, after: text }) => [before.text, text]),
        [[haproxyText(4, admin), haproxyText(3, admin)]],
      );
      assert.deepEqual(changed(step), ["-    server      master3 192.168.55.21:8443 check"]);
      const section = "backend atomic-openshift-api";
      assert.deepEqual(
        step.up,
        [0, 1, 2].map((n) => ({ section, server: `master${n}` })),
      );
      assert.deepEqual(step.gone, [{ section, server: "master3" }]);
      assert.deepEqual(step.drain, admin ? step.gone : []);
      assert.deepEqual(step.commands, [
        ...(admin ? ["set server atomic-openshift-api/master3 state drain", waiting] : []),
        "/usr/sbin/haproxy -c -f /etc/haproxy/haproxy.cfg",
        "systemctl reload haproxy",
        ...(admin ? [] : [waiting]),
      ]);
      assert.deepEqual(step.peers, ["192.168.55.21:8443"]);
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
    assert.equal(step.commands?.at(-2), "systemctl restart haproxy");
  });
  it("a load balancer that is not declared has no plan", () =>
    assert.deepEqual(planBalancer("other.example.com")(world, change), []));

  it("cordon and drain, asked through a survivor", () => {
    const steps = planDrain(world, change);
    assert.deepEqual(brief(steps), [`cordon ${master(0)}`, `drain ${master(0)}`]);
    assert.deepEqual(steps[0]?.commands, ["oc adm cordon master-3.example.com"]);
    assert.equal(steps[1]?.commands?.[0], "oc adm drain master-3.example.com --ignore-daemonsets --timeout=300s");
    assert.equal(steps[1].title, `drain ${master(3)}: 1 to move: default/router-1-abcde`);
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
    assert.equal(removal.member, idOf(3));
    assert.match(removal.title, /, https:\/\/192\.168\.55\.21:2380\)/);
    assert.deepEqual(removal.commands, [`etcdctl member remove ${idOf(3)}`]);
    assert.match(removal.title, /\); judged anew right before, then prove 3 healthy members$/);
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
        `${lb1}: set server atomic-openshift-api/master${n} state drain`,
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
    const inventory = {
      path: "/etc/ansible/hosts.yml",
      host: "admin.example.com",
      address: "10.0.0.4",
      moveHostVars: false,
      commit: false,
    };
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
  it("a Node that was cordoned is drained, one whose pods are gone too only as long as it is not cordoned", () => {
    const cordoned = withCluster(world, ({ nodes }) => ({
      nodes: nodes.map((one) => ({ ...one, unschedulable: one.name === master(3) })),
    }));
    assert.deepEqual(brief(planDrain(cordoned, change)), [`drain ${master(0)}`]);
    const empty = withCluster(world, ({ pods }) => ({ pods: { [master(3)]: (pods[master(3)] ?? []).slice(0, 3) } }));
    const steps = planDrain(empty, change);
    assert.deepEqual(brief(steps), [`cordon ${master(0)}`, `drain ${master(0)}`]);
    assert.equal(steps[1]?.title, `drain ${master(3)}: no pod to move now`);
    const [cordon] = steps;
    assert.deepEqual(planDrain(after(empty, cordon ?? assert.fail()), change), []);
  });
  it("of many pods the drain names five", () => {
    const many = withCluster(world, ({ pods }) => {
      const pod = (pods[master(3)] ?? []).at(-1) ?? assert.fail();
      return { pods: { [master(3)]: [1, 2, 3, 4, 5, 6].map((n) => ({ ...pod, name: `p${n}` })) } };
    });
    assert.equal(
      planDrain(many, change)[1]?.title,
      `drain ${master(3)}: 6 to move: default/p1, default/p2, default/p3, default/p4, default/p5, …`,
    );
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
    assert.match(step.title, /^reload haproxy: it still runs without the last edit$/);
    assert.deepEqual(step.drain, []);
    assert.equal(step.up.length, 3);
  });
  it("without statistics an edited file is taken for done", () => {
    const edited = withConfig(world, lb0, () => haproxyText(3, false));
    assert.deepEqual(planBalancer(lb0)(withBalancer(edited, lb0, { stats: undefined }), change), []);
  });
  it("servers of a template are no reason to reload for ever", () => {
    const template = "\nbackend apps\n    server-template app 2 apps.example.com:80 check\n";
    const edited = withBalancer(
      withConfig(world, lb0, () => haproxyText(3, false) + template),
      lb0,
      ({ stats }) => ({
        stats: [
          ...(stats ?? []).slice(0, 3),
          { backend: "apps", server: "app1", status: "UP", sessions: 0, check: "" },
        ],
      }),
    );
    assert.deepEqual(planBalancer(lb0)(edited, change), []);
  });

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
    assert.equal(step.title, "wait until port 8444 of the controllers is closed");
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
      swap(text, "192.168.55.13:8443 check", "192.168.55.13:8443 check disabled #openshift-masters"),
    );
    const steps = planMasterConfig(out, change);
    assert.deepEqual(brief(steps), [`put-back ${lb0}`, `restart-master ${master(2)}`]);
    const [back, restart] = steps;
    assert.ok(back?.do === "put-back" && restart?.do === "restart-master");
    assert.deepEqual([back.balancer, back.node], [lb0, { name: master(2), addresses: [addressOf(2)] }]);
    assert.deepEqual([restart.components, restart.balancers], [["controllers"], []]);
    assert.deepEqual(restart.commands, ["master-restart controllers"]);
    assert.deepEqual(brief(planMasterConfig(after(out, back), change)), [`restart-master ${master(2)}`]);
    assert.deepEqual(brief(planMasterConfig(old, change)), [`restart-master ${master(2)}`]);
  });
  it("the only master left is restarted in its pools, and put back into them first", () => {
    const { world: two, change: last } = removal(2, [1]);
    const out = withConfig(two, lb0, (text) =>
      swap(text, "192.168.55.8:8443 check", "192.168.55.8:8443 check disabled #openshift-masters"),
    );
    const steps = planMasterConfig(out, last);
    assert.deepEqual(brief(steps), [
      `put-back ${lb0}`,
      `edit ${master(0)}`,
      `edit ${master(0)}`,
      `restart-master ${master(0)}`,
    ]);
    const restart = steps.at(-1);
    assert.ok(restart?.do === "restart-master");
    assert.deepEqual([restart.components, restart.balancers], [["api", "controllers"], []]);
    assert.deepEqual(restart.commands, ["master-restart api", "master-restart controllers"]);
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
          swap(
            text,
            "master1 192.168.55.12:8443 check",
            "master1 192.168.55.12:8443 check disabled #openshift-masters",
          ),
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
        withConfig(world, lb0, (text) =>
          swap(text, "192.168.55.12:8443 check", "192.168.55.12:8443 check disabled #openshift-masters"),
        ),
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
    assert.deepEqual(
      membersOf(master(3), hosts, twice).map(({ id }) => id),
      [idOf(3), "abc"],
    );
    assert.throws(() => planMembership(withEtcd(world, { members: twice }), change), refusal);
  });
});

describe("the leader leaves", () => {
  const { change } = removal(4, [3]);
  const world = ofEtcd("3.4.27", healthy(4, [master(3)], 3));
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
  it("to the first healthy survivor, not to another one that leaves", () => {
    const { change: two } = removal(5, [0, 1]);
    const moves = planMembership(ofEtcd("3.4.27", healthy(5, Object.keys(two.leaving), 1)), two).flatMap((step) =>
      step.do === "move-leader" ? [[step.host, step.member, step.to]] : [],
    );
    assert.deepEqual(moves, [[master(1), idOf(1), idOf(2)]]);
  });
  it("beside an unhealthy survivor: refused, as Preflight does", () =>
    assert.throws(() => planMembership(withEtcd(world, { healthy: false }, master(0)), change), {
      name: "Refusal",
      message: `refusing to remove a member while survivor ${master(0)} (${idOf(0)}) is not healthy: repair it first`,
    }));
  it("an alarm and an unacknowledged risk are refused in one sentence after the other", () => {
    const { world: three, change: one } = removal(3, [2]);
    const so = withEtcd(three, { alarms: [{ memberId: idOf(1), alarm: "NOSPACE" }] });
    assert.throws(() => planMembership(so, one), {
      name: "Refusal",
      message:
        /master-1\.example\.com \(91bc3c398fb3c146\) has an alarm \(NOSPACE\).*; `below-three-masters` .*; `even-members` /,
    });
  });
});

describe("several leave: the dead before the living, the leader last", () => {
  const acknowledge = [
    "below-three-masters",
    "even-members",
    ...[0, 1, 2, 3, 4, 5].map((n) => `host-gone:${master(n)}`),
  ];
  const gone = (world: World, n: number) => unreachable(world, master(n));
  const sick = (world: World, n: number) => withEtcd(world, { healthy: false }, master(n));
  const unstarted = (world: World, n: number) =>
    withEtcd(world, ({ members }) => ({
      members: members.map((one) => (one.id === idOf(n) ? { ...one, name: "", started: false } : one)),
    }));
  const cases: [
    what: string,
    count: number,
    leaving: number[],
    leader: number,
    so: (world: World) => World,
    order: number[],
  ][] = [
    ["all well", 6, [1, 2, 4], 0, (world) => world, [1, 2, 4]],
    ["the leader among them", 6, [1, 2, 4], 1, (world) => world, [2, 4, 1]],
    ["the last is gone", 5, [1, 2, 4], 1, (world) => gone(world, 4), [4, 2, 1]],
    ["the last does not answer etcd", 5, [1, 2, 4], 0, (world) => sick(world, 4), [4, 1, 2]],
    ["the last never started", 5, [1, 4], 1, (world) => unstarted(world, 4), [4, 1]],
    ["two are dead", 6, [0, 3, 5], 0, (world) => sick(gone(world, 5), 3), [3, 5, 0]],
    ["the leader is gone: it leads no more in truth, and is dead", 5, [1, 2], 2, (world) => gone(world, 2), [2, 1]],
  ];
  for (const [what, count, leaving, leader, so, order] of cases)
    it(what, () => {
      const { change } = removal(count, leaving, acknowledge);
      const world = so(ofEtcd("3.4.27", healthy(count, Object.keys(change.leaving), leader)));
      const removals = planMembership(world, change).filter((step) => step.do === "remove-member");
      assert.deepEqual(
        removals.map(({ member }) => member),
        order.map(idOf),
      );
      const view = world.masters[Object.keys(change.survivors)[0] ?? ""];
      assert.ok(isReachable(view) && view.etcd !== undefined);
      const members = observedMembers(world, change, view.etcd);
      assert.deepEqual(decide({ members, leaving: Object.keys(change.leaving), acknowledge }).order, order.map(master));
      // the one that leads moves its leadership right before it goes, at the very end
      const moves = planMembership(world, change).flatMap((step, at) =>
        step.do === "move-leader" ? [[at, step.host]] : [],
      );
      const leads = leaving.includes(leader) && isReachable(world.masters[master(leader)]);
      const before = planMembership(world, change).findIndex(
        (step) => step.do === "remove-member" && step.of === master(leader),
      );
      assert.deepEqual(moves, leads ? [[before - 1, master(leader)]] : []);
    });
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
  it("its member leads, and nothing is asked of it all the same", () => {
    const steps = planMembership(unreachable(healthy(4, [master(3)], 3), master(3)), change);
    assert.deepEqual(
      brief(steps).filter((step) => step.endsWith(master(3))),
      [],
    );
  });
  it("a host that answers after all gets its backup and its drain", () => {
    assert.ok(brief(planBackups(whole, change)).includes(`backup ${master(3)}`));
    assert.ok(brief(planDrain(whole, change)).includes(`drain ${master(0)}`));
  });
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
  const last = (so: World, over: Change = change) => planSnapshot(so, over).at(-1) ?? assert.fail();
  const manifest = (endpoint: string) => withFile(world, master(2), "manifest", () => etcdManifestText(endpoint));
  it("the endpoint is the manifest's own", () => {
    const step = last(manifest("https://master-2.example.com:4001"));
    assert.ok(step.do === "snapshot" && step.endpoint === "https://master-2.example.com:4001");
    assert.doesNotMatch(step.title, /names no endpoint/);
  });
  it("or the declared address, which the title says", () => {
    for (const so of [
      manifest("https://127.0.0.1:2379"),
      withFile(world, master(2), "manifest", () => "kind: Pod\n"),
      withMaster(world, master(2), { files: {} }),
    ]) {
      const step = last(so);
      assert.ok(step.do === "snapshot" && step.endpoint === "https://192.168.55.13:2379");
      assert.match(step.title, /etcd\.yaml names no endpoint, so the declared address is asked$/);
    }
  });
  it("a manifest that leads to another host: refused", () =>
    assert.throws(() => last(manifest("https://192.168.55.12:2379")), {
      name: "Refusal",
      message: /^master-2\.example\.com: .*etcd\.yaml: .*asks https:\/\/192\.168\.55\.12:2379, which is not/,
    }));
  it("etcdctl in the pod, and how, is shown", () => {
    const by = (via: "host" | "master-exec" | "oc-exec") => last(withEtcd(world, { via }));
    assert.match(by("host").commands?.join("") ?? "", /\(etcdctl of the host\)$/);
    assert.match(by("master-exec").commands?.join("") ?? "", /\(in the etcd pod, by master-exec\)$/);
    const step = by("oc-exec");
    assert.match(step.commands?.join("") ?? "", /\(in the pod master-etcd-master-2\.example\.com, by oc exec\)$/);
    assert.ok(step.do === "snapshot" && step.pod === "master-etcd-master-2.example.com");
  });
  it("where it is restored on trial is shown", () => {
    const { settings } = change;
    const title = (rehearsal: Settings["backup"]["rehearsal"]) =>
      last(world, { ...change, settings: { ...settings, backup: { ...settings.backup, rehearsal } } }).title;
    assert.match(
      title(true),
      /then restored on trial on this machine, if it has a fitting etcd, and its keys counted$/,
    );
    assert.match(title({ host: "etcd.example.com", address: "10.0.0.5" }), /on trial on etcd\.example\.com and its/);
    assert.match(title(false), /; not restored on trial \(backup\.rehearsal is false\)$/);
  });
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
      /^lb-0\.example\.com: \/etc\/haproxy\/haproxy\.cfg line 23 \(backend atomic-openshift-api\) .*would have no server/,
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

describe("what could not be asked is not done", () => {
  const { world, change } = removal(4, [3]);
  const refused = { unreachable: "connection refused" };
  const silent: World = { ...world, cluster: refused };
  const unknown = withCluster(world, { nodes: [], pods: {}, unknown: ["nodes: connection refused"] });
  const [lost0, lost1, lost3] = [0, 1, 3].map((n) => unreachable(world, master(n))) as [World, World, World];
  const handshake = "Timed out while waiting for handshake";
  const off = (n: number) => `${master(n)} could not be asked: ${master(n)}: ${handshake}`;
  const noCluster = "the cluster could not be asked: connection refused";
  const noNodes = "the cluster could not be asked: nodes: connection refused";
  const noMember = withEtcd(world, ({ members }) => ({ members: members.slice(0, 3) }));
  const nobody = (so: World): World => ({ ...so, masters: {} });
  const cases: [what: string, plan: Planner, world: World, message: string][] = [
    ["a survivor, for the snapshot", planSnapshot, lost0, off(0)],
    [
      "every survivor's etcd, for the snapshot",
      planSnapshot,
      withEtcd(world, { healthy: false }),
      "no healthy surviving etcd member to take a snapshot of",
    ],
    [
      "a load balancer that does not answer",
      planBalancer(lb0),
      unreachable(world, lb0),
      `${lb0} could not be asked: ${lb0}: ${handshake}`,
    ],
    [
      "a load balancer that was not looked at",
      planBalancer(lb1),
      { ...world, balancers: {} },
      `${lb1} could not be asked: it was not looked at`,
    ],
    [
      "a load balancer without its file",
      planBalancer(lb0),
      withBalancer(world, lb0, { files: [], filesSeen: "absent" }),
      `${lb0}: /etc/haproxy/haproxy.cfg could not be read (absent)`,
    ],
    ["the cluster, for the drain", planDrain, silent, noCluster],
    ["the list of nodes, for the drain", planDrain, unknown, noNodes],
    ["the leaving master, for its pods", planStaticPods, lost3, off(3)],
    ["the leaving master and the cluster, for its pods", planStaticPods, { ...lost3, cluster: refused }, noCluster],
    [
      "every survivor's etcd",
      planMembership,
      withEtcd(world, { healthy: false }),
      "no healthy etcd member that stays could be asked",
    ],
    ["every survivor", planMembership, nobody(world), "no healthy etcd member that stays could be asked"],
    ["the leaving master, for its etcd pod", planMembership, lost3, off(3)],
    ["a survivor, for its etcd.conf", planMembership, unreachable(noMember, master(1)), off(1)],
    ["a survivor, for its master-config", planMasterConfig, lost1, off(1)],
    [
      "a survivor that was not looked at",
      planMasterConfig,
      nobody(world),
      `${master(0)} could not be asked: it was not looked at`,
    ],
    ["a survivor, for its flannel", planFlannel, lost1, off(1)],
    ["the cluster, for the endpoints", planEndpoints, silent, noCluster],
    ["the list of nodes, for the endpoints", planEndpoints, unknown, noNodes],
    ["the leaving master, for its node service", planNodeRemoval, lost3, off(3)],
    ["the cluster, for the Node", planNodeRemoval, silent, noCluster],
    ["the list of nodes, for the Node", planNodeRemoval, unknown, noNodes],
    [
      "the inventory",
      planInventory,
      { ...world, inventory: { unreachable: "ENOENT" } },
      "the inventory could not be read: ENOENT",
    ],
  ];
  for (const [what, plan, so, message] of cases)
    it(what, () =>
      assert.throws(
        () => plan(so, change),
        (error) => {
          assert.ok(error instanceof Unasked && error instanceof Refusal);
          assert.deepEqual([error.name, error.message], ["Refusal", message]);
          return true;
        },
      ),
    );
  it("a survivor while a member is still to be removed: refused by the quorum's rules", () =>
    assert.throws(
      () => planMembership(lost1, change),
      (error) => {
        assert.ok(error instanceof Refusal && !(error instanceof Unasked));
        assert.match(error.message, /^refusing to remove a member while survivor master-1/);
        return true;
      },
    ));

  const local = { freeForArchive: undefined, keyFlaw: undefined };
  const nothing: World = { masters: {}, balancers: {}, nodes: {}, inventory: refused, cluster: refused, local };
  for (const [name, plan] of chain)
    it(`nobody leaves, nobody need be asked: ${name}`, () =>
      assert.deepEqual(plan(nothing, removal(4, []).change), []));
  it("the planners that name what is left of a host are the chain's but for the drain and the static pods", () => {
    const cluster = chain.filter(([, plan]) => ![planAuthority, planDrain, planStaticPods].includes(plan));
    assert.deepEqual(
      clusterPlanners(change).map((plan) => brief(plan(world, change))),
      cluster.map(([, plan]) => brief(plan(world, change))),
    );
  });
  it("a leaving host whose Node is deleted need not answer any more", () => {
    const forgotten = withCluster(lost3, ({ nodes }) => ({ nodes: nodes.filter(({ name }) => name !== master(3)) }));
    assert.deepEqual(planStaticPods(forgotten, change), []);
    assert.deepEqual(planNodeRemoval(forgotten, change), []);
    assert.deepEqual(brief(planMembership(forgotten, change)), [
      `remove-member ${master(0)}`,
      ...[0, 1, 2].map((n) => `edit ${master(n)}`),
    ]);
  });
});

describe("the snapshot and the stats socket", () => {
  const { world, change } = removal(4, [3]);
  it("the endpoint is the declared address, whatever etcd calls itself", () => {
    const endpoint = (so: World, wanted: Change) =>
      planSnapshot(so, wanted).flatMap((step) => (step.do === "snapshot" ? [step.endpoint] : []));
    const renamed = withEtcd(world, ({ status }) => ({
      status: status && { ...status, endpoint: "https://127.0.0.1:2379" },
    }));
    assert.deepEqual(endpoint(renamed, change), ["https://192.168.55.13:2379"]);
    const six = { ...change, survivors: { ...change.survivors, [master(2)]: "fd00::13" } };
    const asked = withFile(world, master(2), "manifest", () => etcdManifestText("https://[FD00::13]:2379"));
    assert.deepEqual(endpoint(asked, six), ["https://[FD00::13]:2379"]);
    assert.deepEqual(endpoint(withMaster(world, master(2), { files: {} }), six), ["https://[fd00::13]:2379"]);
  });
  it("by revision as a number, not as text", () => {
    const so = withEtcd(
      withEtcd(world, ({ status }) => ({ status: status && { ...status, revision: "999" } })),
      ({ status }) => ({ status: status && { ...status, revision: "1000" } }),
      master(1),
    );
    assert.equal(planSnapshot(so, change).at(-1)?.host, master(1));
  });
  it("a socket that is not admin-level, or does not answer: nothing is set at run time", () => {
    for (const patch of [{ admin: false }, { stats: undefined }]) {
      const so = withBalancer(world, lb1, patch);
      const step = only(planBalancer(lb1)(so, change));
      assert.ok(step.do === "balance");
      assert.deepEqual(step.drain, []);
      assert.deepEqual(step.commands, [
        "/usr/sbin/haproxy -c -f /etc/haproxy/haproxy.cfg",
        "systemctl reload haproxy",
        waiting,
      ]);
      const restart = planMasterConfig(so, change).find((one) => one.do === "restart-master");
      assert.equal(restart?.commands?.[1], `${lb1}: \`disabled\` on its server lines, reload`);
    }
  });
  it("canSetState: admin-level, one process, and the socket answers; whatever the release", () => {
    const facts = (so: World) => {
      const found = so.balancers[lb1];
      return isReachable(found) ? canSetState(found) : assert.fail();
    };
    for (const version of ["1.4.27", "1.5-dev22-1a34d57", "1.5.18", "1.6.0", "1.8.4", "1.10.1", "2.6.12"])
      assert.equal(facts(withBalancer(world, lb1, { version })), true);
    assert.equal(facts(withBalancer(world, lb1, { stats: undefined })), false);
    assert.equal(facts(withBalancer(world, lb1, { admin: false })), false);
    for (const [line, one] of [
      ["nbproc 1", true],
      ["nbproc 2", false],
      ["nbproc  10", false],
      ["# nbproc 2", true],
    ] as const)
      assert.equal(facts(withConfig(world, lb1, (text) => `global\n    ${line}\n${text}`)), one, line);
  });
});

it("configured before it was started, in every world here", () => assert.ok(configured < started && started < now));
