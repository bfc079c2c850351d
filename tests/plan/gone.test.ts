/** What preview tells of hosts that are gone or have come back, and of the controllers' lease. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MasterFacts } from "../../providers/plan/facts.ts";
import { gone, lease, returned } from "../../providers/plan/preflight/gone.ts";
import { judge } from "../../providers/plan/preflight.ts";
import type { Change, World } from "../../providers/plan/steps.ts";
import {
  archiveOf,
  changeOf,
  healthy,
  master,
  mastersOf,
  placeOf,
  removal,
  unreachable,
  withCluster,
  withEtcd,
  withMaster,
} from "./world.ts";

const [serialPath, etcdPath] = ["/etc/origin/master/ca.serial.txt", "/etc/etcd/ca/serial"];
const notesOf = (check: typeof gone, world: World, change: Change, before = mastersOf(4)): string[] =>
  check(world, change, before).notes ?? [];

describe("a host that is gone", () => {
  const acknowledged = (n: number) => removal(4, [n], [`host-gone:${master(n)}`]).change;
  const without = (n: number) => unreachable(healthy(4, [master(n)]), master(n));

  it("one line: all that is skipped on it, and what to do when it comes back", () => {
    assert.deepEqual(notesOf(gone, without(3), acknowledged(3)), [
      "master-3.example.com is gone (master-3.example.com: Timed out while waiting for handshake), as acknowledged, so this is skipped: its backup, its drain, " +
        "handing over what it holds of the certificate authorities, moving controller.yaml, apiserver.yaml and etcd.yaml to disabled/, stopping and disabling its node service. " +
        "Should the machine come back, do not start it on the cluster's network: its member is removed, so its etcd is told to shut down, but its API answers on port 8443 as before, " +
        "with the etcd endpoints of before, and its controllers want their lease. Off the network, first `systemctl disable --now` origin-node or atomic-openshift-node, " +
        "then move these manifests out of /etc/origin/node/pods (docs/retired-host.md)",
    ]);
  });
  it("an authority that comes from an archive: from which", () => {
    const archive = archiveOf([placeOf(serialPath, "1F"), placeOf(etcdPath, "0A")]);
    const [note = ""] = notesOf(gone, { ...without(0), archives: { [master(0)]: [archive] } }, acknowledged(0));
    for (const what of ["OpenShift's CA \\(ca\\.serial\\.txt\\)", "etcd's CA \\(/etc/etcd/ca\\)"])
      assert.match(
        note,
        new RegExp(`${what} comes from the archive /srv/backups/2026-11-20\\.tar\\.gz of 2026-11-20T10:00:00\\.000Z`),
      );
  });
  it("one line for each", () => {
    const { change } = removal(
      5,
      [3, 4],
      [3, 4].map((n) => `host-gone:${master(n)}`),
    );
    const world = unreachable(unreachable(healthy(5, Object.keys(change.leaving)), master(3)), master(4));
    assert.deepEqual(
      notesOf(gone, world, change).map((note) => note.split(" ")[0]),
      [master(3), master(4)],
    );
  });
  it("data that would be renamed is named too", () => {
    const change = acknowledged(3);
    const purging = { ...change, settings: { ...change.settings, etcd: { purge: true } } };
    assert.match(notesOf(gone, without(3), purging)[0] ?? "", /, renaming \/var\/lib\/etcd\/member, stopping/);
  });
  it("none where it is not acknowledged, or answers after all", () => {
    assert.deepEqual(notesOf(gone, without(3), removal(4, [3]).change), []);
    assert.deepEqual(notesOf(gone, healthy(4, [master(3)]), acknowledged(3)), []);
  });
  it("it is part of the judgement, which refuses nothing for it", () => {
    const { refusals, passing, notes } = judge(without(3), acknowledged(3), mastersOf(4));
    assert.deepEqual([refusals, passing], [[], []]);
    assert.equal(notes.filter((note) => note.startsWith(`${master(3)} is gone (`)).length, 1);
  });
});

describe("a host that was retired earlier and answers", () => {
  const change = changeOf(4, [3]);
  const three = mastersOf(3);
  const noMember = withEtcd(healthy(4, [master(3)]), ({ members }) => ({ members: members.slice(0, 3) }));
  const off: Partial<MasterFacts> = { pods: ["etcd.yaml"], listeners: [] };

  it("all that runs there is named", () => {
    assert.deepEqual(notesOf(returned, noMember, change, three), [
      "master-3.example.com was retired earlier and answers again: it is no member of etcd any more, and there still run its API (apiserver.yaml), its controllers (controller.yaml), " +
        "its etcd pod (etcd.yaml), its node service (origin-node). They answer and act on what it was configured for: `pulumi refresh`, then `pulumi up`, takes them off",
    ]);
  });
  const cases: [what: string, world: World, before: Record<string, string>][] = [
    ["an interrupted run, whose API went before the member did", withMaster(noMember, master(3), off), three],
    ["it is still a member: it is being retired", healthy(4, [master(3)]), three],
    ["it was a master of the last run", noMember, mastersOf(4)],
    ["it does not answer", unreachable(noMember, master(3)), three],
    ["nobody can say who is a member", withEtcd(noMember, { healthy: false }), three],
  ];
  for (const [what, world, before] of cases)
    it(`no word: ${what}`, () => assert.deepEqual(notesOf(returned, world, change, before), []));
});

describe("the controllers' lease", () => {
  const { world, change } = removal(4, [3]);
  const heldBy = (controllers: string, of = world) => notesOf(lease, withCluster(of, { controllers }), change);

  it("its holder stays", () =>
    assert.deepEqual(heldBy(master(1)), ["the controllers' lease is held by master-1.example.com, which stays"]));
  for (const called of [master(3), "master-3"])
    it(`its holder leaves: ${called}`, () =>
      assert.deepEqual(heldBy(called), [
        "the controllers' lease is held by master-3.example.com, which leaves: once its controllers are off, another master must hold it before the next step",
      ]));
  it("a name that only begins alike is another's", () =>
    assert.match(heldBy("master")[0] ?? "", /by master, which stays$/));
  it("its holder leaves and is gone", () =>
    assert.match(
      heldBy(master(3), unreachable(world, master(3)))[0] ?? "",
      /cannot be asked: another takes it when it has run out$/,
    ));
  it("nobody is named, or nobody can be asked: that is said", () => {
    assert.match(
      heldBy("")[0] ?? "",
      /^who holds the controllers' lease cannot be told \(no object of the cluster names a holder\): /,
    );
    const silent: World = { ...world, cluster: { unreachable: "connection\x1b refused" } };
    assert.match(notesOf(lease, silent, change)[0] ?? "", /cannot be told \(connection\\x1b refused\): /);
  });
  it("nobody leaves: no word", () => assert.deepEqual(notesOf(lease, world, changeOf(4, [])), []));
});
