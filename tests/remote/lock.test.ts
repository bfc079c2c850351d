/** The lock on real sshds, each a master with a /run/lock of its own; runs in processes of their own where it matters. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { lockPath } from "../../providers/plan/lock-script.ts";
import { lockAll, type Times } from "../../providers/remote/lock.ts";
import { lookAt } from "../../providers/remote/lock-look.ts";
import { Connections, type RemoteHost, type SshSettings } from "../../providers/remote/ssh.ts";
import { Link, LockRun } from "./lock-run.ts";
import type { Order } from "./lock-runner.ts";
import { type Sshd, startMaster } from "./sshd.ts";

const masters: Sshd[] = [];
const runs: LockRun[] = [];
const links: Link[] = [];
const opened: Connections[] = [];
before(async () => {
  const listen = (n: number) => [`ListenAddress 127.0.0.${n + 1}`];
  const first = await startMaster(undefined, listen(0));
  masters.push(first, await startMaster(first, listen(1)), await startMaster(first, listen(2)));
});
afterEach(async () => {
  await Promise.all(runs.splice(0).map((run) => run.end("SIGKILL")));
  await Promise.all(opened.splice(0).map((one) => one.close()));
  for (const link of links.splice(0)) link.close();
});
after(() => Promise.all(masters.map((sshd) => sshd.stop())));

const quick: Times = { freed: 6, beat: 1, ending: 0.4, orphan: 12 };
const place = (n: number) => masters[n] ?? assert.fail();
/** A master as a run names and reaches it; the address is one of loopback's, so that masters have an order. */
const target = (n: number, over: Partial<SshSettings> = {}): Order["masters"][number] => {
  const address = `127.0.0.${n + 1}`;
  const knownHosts = place(n).knownHosts(`* ${place(n).hostKey("ed25519")}`);
  return { name: `master-${n}.example.com`, address, settings: place(n).settings({ knownHosts, ...over }) };
};
function begin(order: Partial<Order> = {}, engine?: string): LockRun {
  const run = new LockRun({ run: "a", masters: [target(0)], times: quick, ...order }, engine);
  runs.push(run);
  return run;
}
function hostOf({ settings, ...at }: Order["masters"][number]): RemoteHost {
  const connections = new Connections(settings);
  opened.push(connections);
  return connections.host(at);
}
/** When the lock can be had, in milliseconds since 1970. */
async function freeAt(n: number): Promise<number> {
  const waiting = { what: "waiting for the lock", deadline: 30 };
  return Number((await hostOf(target(n)).run(`flock ${lockPath} date +%s%3N`, waiting)).stdout);
}
const isFree = async (n: number) => (await lookAt(hostOf(target(n)))).state === "free";
const worked = async (n: number) =>
  (
    await hostOf(target(n)).run("cat /run/lock/work 2>/dev/null; rm -f /run/lock/work", {
      what: "",
      deadline: 5,
      ok: "any",
    })
  ).stdout;

describe("several runs at once", () => {
  it("exactly one of six works, whatever its order and its names; the others are told who it is", async () => {
    const all = [0, 1, 2].map((n) => target(n));
    const started = Array.from({ length: 6 }, (_, n) => {
      const renamed = all.map((one) => ({ ...one, name: `${n}-${one.name}` }));
      const turned = [...renamed.slice(n % 3), ...renamed.slice(0, n % 3)];
      return begin({ run: `run-${n}`, masters: n % 2 === 0 ? turned : turned.toReversed() });
    });
    const answers = await Promise.all(started.map((run) => run.answer()));
    const winners = answers.flatMap(({ did }, n) => (did === "locked" ? [n] : []));
    assert.equal(winners.length, 1, JSON.stringify(answers));
    const [winner = 0] = winners;
    const said = new RegExp(
      `^another run works on this cluster: the lock ${lockPath} on \\d-master-0.* is held by run run-${winner} of \\S+@\\S+, process ${started[winner]?.child.pid ?? 0}, since 20.*Z; wait`,
    );
    for (const [n, { why }] of answers.entries()) if (n !== winner) assert.match(why ?? "", said);
    assert.equal((await started[winner]?.told("prove"))?.did, "prove");
    await started[winner]?.end();
    await freeAt(2);
  });

  it("who cannot have all of them keeps none", async () => {
    const one = begin({ masters: [target(1)] });
    assert.equal((await one.answer()).did, "locked");
    const other = begin({ masters: [target(0), target(1), target(2)] });
    assert.match((await other.answer()).why ?? "", /on master-1\.example\.com is held by/);
    await freeAt(0);
    assert.deepEqual([await isFree(1), await isFree(2)], [false, true]);
  });

  it("an orphan on this machine, whose engine answers no more, is waited for; a run whose engine answers is not", async () => {
    const engine = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve));
    const at = engine.address();
    const run = begin({}, `127.0.0.1:${typeof at === "object" ? (at?.port ?? 0) : 0}`);
    assert.equal((await run.answer()).did, "locked");
    const held = { name: "Refusal", message: /is held by run a of/ };
    await assert.rejects(lockAll([hostOf(target(0))], "b", { ...quick, orphan: 600 }), held);
    await new Promise((resolve) => engine.close(resolve));
    await assert.rejects(lockAll([hostOf(target(0))], "b", { ...quick, orphan: 0.5 }), held);
    const waiting = lockAll([hostOf(target(0))], "b", { ...quick, orphan: 600 });
    await sleep(3000);
    void run.end();
    (await waiting).release();
  });
});

describe("an owner that is gone", () => {
  it("killed: the lock is free at once", async () => {
    const run = begin();
    assert.equal((await run.answer()).did, "locked");
    assert.equal(await isFree(0), false);
    const killed = Date.now();
    run.child.kill("SIGKILL");
    assert.ok((await freeAt(0)) - killed < (quick.freed * 1000) / 2);
  });

  it("behind a link that is half-open: it knows before the host frees the lock, and the host does so by itself", async () => {
    const link = await new Link(place(0).port).listen();
    links.push(link);
    const run = begin({ masters: [target(0, { port: link.port })] });
    assert.equal((await run.answer()).did, "locked");
    // held for longer than a host waits: the answers come
    await sleep(quick.freed * 1000 + 1000);
    assert.equal((await run.told("prove")).did, "prove");
    const free = freeAt(0);
    await sleep(500);
    link.freeze();
    let answer = await run.told("prove");
    while (answer.did === "prove") answer = await run.told("prove");
    assert.match(
      answer.why ?? "",
      /the lock on the masters was lost, nothing more is done: master-0\S* did not answer for \d s/,
    );
    assert.ok(answer.at < (await free), `known at ${answer.at}, free at ${await free}`);
    (await lockAll([hostOf(target(0))], "b", quick)).release();
  });

  it("asleep between the permission and the command: it does not send it, whoever has worked meanwhile", async () => {
    const run = begin({ masters: [target(0), target(1)] });
    assert.equal((await run.answer()).did, "locked");
    assert.equal((await run.told("work")).did, "work");
    assert.deepEqual([await worked(0), await worked(1)], ["worked\n", "worked\n"]);
    const woken = run.told("sleep");
    await Promise.all([freeAt(0), freeAt(1)]);
    const other = await lockAll([hostOf(target(0)), hostOf(target(1))], "b", quick);
    run.child.kill("SIGCONT");
    assert.match(
      (await woken).why ?? "",
      /working on master-0\S* failed: the lock on the masters was lost.*nothing was done/,
    );
    assert.match((await run.told("work")).why ?? "", /nothing was done/);
    assert.deepEqual([await worked(0), await worked(1)], ["", ""]);
    await other.prove();
    other.release();
  });

  it("asleep for a moment only: it asks, and goes on", async () => {
    const run = begin({ times: { ...quick, freed: 15 } });
    assert.equal((await run.answer()).did, "locked");
    const woken = run.told("sleep");
    await sleep(6000);
    run.child.kill("SIGCONT");
    assert.equal((await woken).did, "sleep");
    assert.equal(await worked(0), "worked\n");
  });
});

describe("the lock in the way of others", () => {
  it("one session a connection (MaxSessions 1) is enough for the lock and the work beside it", async () => {
    const narrow = await startMaster(place(0), ["MaxSessions 1"]);
    try {
      const knownHosts = narrow.knownHosts(`* ${narrow.hostKey("ed25519")}`);
      const run = begin({ masters: [{ ...target(0), settings: narrow.settings({ knownHosts }) }] });
      assert.equal((await run.answer()).did, "locked");
      assert.equal((await run.told("work")).did, "work");
      await run.end();
    } finally {
      await narrow.stop();
    }
  });

  it("its file is root's alone, whatever it was before: who can open it can lock it", async () => {
    const host = hostOf(target(2));
    const run = (script: string) => host.run(script, { what: "", deadline: 5 });
    await run(`: >>${lockPath}; chmod 666 ${lockPath}`);
    const inode = (await run(`stat -c %i ${lockPath}`)).stdout;
    const lock = await lockAll([host], "a", quick);
    assert.equal((await run(`stat -c %a ${lockPath}`)).stdout, "600\n");
    lock.release();
    await freeAt(2);
    assert.equal((await run(`stat -c %i ${lockPath}`)).stdout, inode);
  });
});
