/** Who is asked for the sweep, and the final report as the resource's life makes it: on a session whose hosts answer from a table; the scripts go through a real sshd once. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it, mock } from "node:test";
import { lifecycle } from "../../providers/lifecycle.ts";
import { credentials } from "../../providers/plan/credentials.ts";
import { credentialFacts, credentialsScript } from "../../providers/plan/credentials-script.ts";
import type { RetirementRecord } from "../../providers/plan/report.ts";
import type { Change, World } from "../../providers/plan/steps.ts";
import { hostSweep, sweepScript } from "../../providers/plan/sweep.ts";
import { wordsOf } from "../../providers/plan/sweep-words.ts";
import type { Session } from "../../providers/remote/session.ts";
import { Connections } from "../../providers/remote/ssh.ts";
import { sweep } from "../../providers/remote/sweep.ts";
import { retirementReport } from "../../providers/retirement-report.ts";
import { changeOf, master, mastersOf, probed, removal, unreachable } from "../plan/world.ts";
import { type Sshd, startSshd } from "./sshd.ts";
import { noConnections, unrecorded } from "../unrecorded.ts";

const [m0, m1, m2, m3] = [master(0), master(1), master(2), master(3)];
const [lb0, lb1, node0] = ["lb-0.example.com", "lb-1.example.com", "node-0.example.com"];

/** Hosts that say of the sweep that nothing was found, unless the table says otherwise; an Error is thrown. */
class Hosts {
  readonly settings = changeOf(4, [3]).settings;
  readonly run = "run";
  readonly connections = noConnections();
  readonly record = unrecorded;
  readonly asked: string[] = [];
  readonly said: Record<string, string | Error> = {};
  world: World;
  constructor(world: World) {
    this.world = world;
  }
  get session(): Session {
    return this as unknown as Session;
  }
  forget(): void {
    // nothing is remembered here
  }
  permit(): Promise<void> {
    return Promise.resolve();
  }
  step<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }
  async look(change: Change): Promise<{ world: World; change: Change }> {
    return { world: { ...this.world, ...(await sweep(this.session, this.world, change)) }, change };
  }
  host(name: string) {
    return {
      run: (script: string) => {
        const what = script.includes("part cluster")
          ? "cluster"
          : script.includes("part sweep")
            ? "sweep"
            : "credentials";
        this.asked.push(`${what} ${name}`);
        const said = this.said[`${what} ${name}`] ?? probed({ [what]: "end\n" });
        return said instanceof Error ? Promise.reject(said) : Promise.resolve({ stdout: said });
      },
    };
  }
}

describe("who is asked", () => {
  it("masters that stay, load balancers and nodes at once, the cluster through the first master; not the one that leaves", async () => {
    const { world, change } = removal(4, [3]);
    const hosts = new Hosts(world);
    hosts.said[`sweep ${node0}`] = probed({ sweep: "named 0 7, /etc/hosts\nend\n" });
    hosts.said[`cluster ${m0}`] = probed({ cluster: "named 0 Lease|kube-system|a|holderIdentity\nend\n" });
    const { sweep: found } = await sweep(hosts.session, world, change);
    assert.deepEqual(
      hosts.asked.toSorted(),
      [`cluster ${m0}`, ...[lb0, lb1, m0, m1, m2, node0].map((name) => `sweep ${name}`)].toSorted(),
    );
    assert.deepEqual(found?.hosts[node0], {
      named: [{ leaving: m3, path: "/etc/hosts", lines: [7] }],
      unread: [],
      cut: "",
    });
    assert.deepEqual(found.cluster, {
      named: [{ leaving: m3, kind: "Lease", namespace: "kube-system", name: "a", key: "holderIdentity" }],
      unknown: [],
    });
  });
  it("nobody leaves, or whoever left is visited no more: nobody is asked", async () => {
    const { world, change } = removal(4, []);
    const hosts = new Hosts(world);
    assert.deepEqual(await sweep(hosts.session, world, change), {});
    assert.deepEqual(await sweep(hosts.session, world, { ...change, leaving: { "old.example.com": "10.0.0.9" } }), {});
    assert.deepEqual(hosts.asked, []);
  });
  it("whoever could not be reached a moment ago is not tried again, and whoever fails now is told; it never throws", async () => {
    const { world: whole, change } = removal(4, [3]);
    const world = unreachable(unreachable(whole, node0), m0);
    const hosts = new Hosts(world);
    hosts.said[`sweep ${lb0}`] = new Error("lb-0: gone");
    hosts.said[`cluster ${m1}`] = probed({ cluster: "unknown leases: EOF\nend\n" });
    hosts.said[`cluster ${m2}`] = new Error("m2: gone");
    const { sweep: found } = await sweep(hosts.session, world, change);
    assert.match(JSON.stringify(found?.hosts[node0]), /unreachable.*Timed out/);
    assert.deepEqual(found?.hosts[lb0], { unreachable: "lb-0: gone" });
    assert.deepEqual(found.cluster, { unreachable: "m2: gone" });
    assert.ok(!hosts.asked.some((one) => one.endsWith(node0) || one.endsWith(m0)));
  });
});

describe("the report at the end", () => {
  let printed: string[] = [];
  beforeEach(() => {
    printed = [];
    mock.method(console, "log", (line: string) => printed.push(line));
  });
  afterEach(() => mock.restoreAll());
  const [four, three] = [mastersOf(4), mastersOf(3)];
  const update = async (hosts: Hosts, olds: object, news: object) =>
    (await lifecycle(retirementReport, () => hosts.session).update?.("id", olds, news))?.outs as Record<
      string,
      unknown
    >;
  const reportIn = (outs: Record<string, unknown>) => outs["report"] as Record<string, RetirementRecord>;

  it("looks at the retired host, tells, and is kept beside those of earlier changes", async () => {
    const hosts = new Hosts(removal(4, [3]).world);
    hosts.said[`credentials ${m3}`] = probed({
      credentials:
        "openssl\nfile 0 /etc/origin/master/admin.kubeconfig\nsubject=CN=system:admin\nnotAfter=Nov 22 10:00:00 2028 GMT\nend\n",
    });
    hosts.said[`sweep ${m0}`] = probed({ sweep: "named 0 5, /etc/hosts\nend\n" });
    const outs = await update(
      hosts,
      { masters: four, report: { "old.example.com": { at: "before" } } },
      { masters: three },
    );
    assert.deepEqual(Object.keys(reportIn(outs)), ["old.example.com", m3]);
    const record = reportIn(outs)[m3] ?? assert.fail();
    assert.equal(record.reachable, true);
    assert.deepEqual(record.credentials, [
      {
        path: "/etc/origin/master/admin.kubeconfig",
        what: "cluster administrator, may do everything",
        rotation: "OpenShift's CA",
        subject: "CN=system:admin",
        notAfter: "2028-11-22T10:00:00.000Z",
      },
    ]);
    assert.deepEqual(record.destroy, ["shred -u -- /etc/origin/master/admin.kubeconfig"]);
    assert.match(record.stillNamed.join("\n"), /^\/etc\/hosts:5 on master-0\.example\.com: delete the line/);
    const told = printed.join("\n");
    assert.match(told, /\[RetirementReport\] 1\/1 master-3\.example\.com: report who still names it/);
    assert.match(told, /\[RetirementReport\] {6}master-3\.example\.com is retired\. It is still named in:/);
    assert.match(told, /\$ shred -u -- \/etc\/origin\/master\/admin\.kubeconfig/);
    assert.deepEqual([outs["pending"], outs["masters"]], [[], three]);
  });
  it("a host that cannot be reached any more is reported as such, and the update does not fail", async () => {
    const hosts = new Hosts(removal(4, [3]).world);
    hosts.said[`credentials ${m3}`] = new Error("no route\x1b[2J");
    const record = reportIn(await update(hosts, { masters: four }, { masters: three }))[m3];
    assert.deepEqual([record?.reachable, record?.seen], [false, "no route\\x1b[2J"]);
    assert.ok(printed.every((line) => !line.includes("\x1b")));
  });
  it("one that was gone already is not asked", async () => {
    const hosts = new Hosts(unreachable(removal(4, [3]).world, m3));
    const record = reportIn(await update(hosts, { masters: four }, { masters: three }))[m3];
    assert.equal(record?.reachable, false);
    assert.ok(!hosts.asked.some((one) => one.startsWith("credentials")));
  });
  it("nobody leaves: nothing is looked at, told or lost", async () => {
    const hosts = new Hosts(removal(4, []).world);
    const outs = await update(hosts, { masters: three, report: { [m3]: { at: "before" } } }, { masters: four });
    assert.deepEqual([outs["report"], hosts.asked, printed], [{ [m3]: { at: "before" } }, [], []]);
  });
  it("a preview shows its step only when a change is due", async () => {
    const hosts = new Hosts(removal(4, [3]).world);
    const provider = lifecycle(retirementReport, () => hosts.session);
    await provider.check?.({ masters: three, retired: { [m3]: "192.168.55.21" } }, { masters: three });
    assert.deepEqual(printed, []);
    await provider.check?.({ masters: four }, { masters: three });
    assert.match(printed.join("\n"), /to do, in this order:\n.*1\. master-3\.example\.com: report who still names it/);
  });
});

describe("the scripts over a real sshd", () => {
  let sshd: Sshd;
  let connections: Connections;
  before(async () => {
    sshd = await startSshd();
    connections = new Connections(sshd.settings());
  });
  after(async () => {
    await connections.close();
    await sshd.stop();
  });
  it("arrive whole, and give an answer that ends", async () => {
    const host = connections.host({ name: "here", address: "127.0.0.1" });
    const run = async (script: string) => (await host.run(script, { what: "looking", deadline: 60, ok: "any" })).stdout;
    const words = wordsOf("master-3.no-such-host.example.com", "203.0.113.21");
    assert.deepEqual(hostSweep(await run(sweepScript([words])), ["x"]).cut, "");
    const table = credentials("no-such-host", "/nowhere");
    assert.equal(credentialFacts(await run(credentialsScript(table)), table).whole, true);
  });
});
