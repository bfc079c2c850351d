/** Removals as they are carried out, on an etcd of 3.2 and of 3.4 that is played. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import type { Change, Step } from "../../providers/plan/steps.ts";
import { idOf, master, removal } from "../plan/world.ts";
import { failed, inNoTime } from "./played-clock.ts";
import { PlayedEtcd } from "./played-etcd.ts";

const versions = ["3.2.32", "3.4.27"] as const;
const ask = (n: number) => `removing etcd member ${idOf(n)}`;
const [off, move, aside] = ["moving etcd.yaml away", "moving etcd's leadership", "setting etcd's data aside"] as const;
const left = (count: number, leaving: readonly number[]) =>
  Array.from({ length: count }, (_, n) => n).filter((n) => !leaving.includes(n));
const ended = async (work: () => Promise<unknown>) => assert.equal(await inNoTime(work), undefined);
const purging = (change: Change): Change => ({ ...change, settings: { ...change.settings, etcd: { purge: true } } });
/** How often somebody was told that. */
const times = (etcd: PlayedEtcd, what: string) => etcd.told.filter((one) => one.endsWith(`: ${what}`)).length;

/** Everything that was wanted is so. */
function proved(etcd: PlayedEtcd, count: number, leaving: readonly number[]): void {
  assert.deepEqual(etcd.members, left(count, leaving));
  assert.ok(etcd.leader !== undefined && etcd.members.includes(etcd.leader));
  for (const n of leaving) assert.equal(etcd.hosts[n]?.pod, false, `etcd of ${master(n)} is still on`);
  assert.deepEqual(etcd.plan(), []);
  assert.equal(new Set(etcd.removed).size, etcd.removed.length, "a member was removed twice");
}

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() }));
afterEach(() => mock.timers.reset());

for (const version of versions)
  describe(`etcd ${version}`, () => {
    const played = (count: number, leaving: readonly number[], leader = 0) =>
      new PlayedEtcd(version, count, removal(count, leaving).change, leader);

    it("a follower leaves: one removal, then its pod", async () => {
      const etcd = played(4, [3]);
      await ended(() => etcd.up());
      assert.deepEqual(etcd.told, [`${master(0)}: ${ask(3)}`, `${master(3)}: ${off}`]);
      proved(etcd, 4, [3]);
    });

    it("the leader leaves: it leads no more before it is removed", async () => {
      const etcd = played(4, [3], 3);
      let ledAt: number | undefined;
      etcd.before = (what) => {
        if (what === ask(3)) ledAt = etcd.leader;
        return undefined;
      };
      await ended(() => etcd.up());
      const first = version === "3.2.32" ? off : move;
      assert.deepEqual(
        etcd.told.map((one) => one.slice(one.indexOf(": ") + 2)),
        version === "3.2.32" ? [first, ask(3)] : [first, ask(3), off],
      );
      assert.equal(ledAt, 0);
      proved(etcd, 4, [3]);
    });

    it("the answer is lost before it took effect: read back, judged again, asked again", async () => {
      const etcd = played(4, [3]);
      etcd.before = (what) => (what === ask(3) && times(etcd, ask(3)) === 1 ? etcd.lost(what) : undefined);
      await ended(() => etcd.up());
      assert.equal(times(etcd, ask(3)), 2);
      assert.match(etcd.said.join("\n"), /the answer to the removal was lost .*; reading the list back/);
      proved(etcd, 4, [3]);
    });

    it("the answer is lost after it took effect: read back, and nothing is repeated", async () => {
      const etcd = played(4, [3]);
      etcd.after = (what) => (what === ask(3) ? etcd.lost(what) : undefined);
      await ended(() => etcd.up());
      assert.equal(times(etcd, ask(3)), 1);
      proved(etcd, 4, [3]);
    });

    it("lost with the survivor that was asked: another one lists the members; that all are well again is still waited for", async () => {
      for (const away of [20_000, Infinity]) {
        const etcd = played(4, [3]);
        etcd.after = (what) => {
          if (what !== ask(3)) return undefined;
          const host = etcd.hosts[0] ?? assert.fail();
          host.reachable = false;
          if (away < Infinity) setTimeout(() => (host.reachable = true), away);
          return etcd.lost(what);
        };
        if (away < Infinity) {
          await ended(() => etcd.up());
          proved(etcd, 4, [3]);
        } else
          assert.match(
            await failed(() => etcd.up()),
            /^every surviving etcd member is healthy and lists 3 members, twice: not so after 9\d s; last seen: master-0\.example\.com: .*no route to host/,
          );
        assert.equal(times(etcd, ask(3)), 1);
      }
    });

    it("well once is not enough: a survivor that is ill a second after the removal is waited for before anything else", async () => {
      const etcd = played(4, [3]);
      const host = etcd.hosts[1] ?? assert.fail();
      let endedAt = 0;
      etcd.after = (what) => {
        if (what === ask(3)) {
          setTimeout(() => (host.ill = "failed to commit proposal"), 1000);
          setTimeout(() => (host.ill = ""), 15_000);
          endedAt = Date.now() + 15_000;
        } else assert.ok(Date.now() >= endedAt + 2000, what);
        return undefined;
      };
      await ended(() => etcd.up());
      proved(etcd, 4, [3]);
    });

    it("removed by somebody else in the meantime: success, and nobody is asked to remove it", async () => {
      const etcd = played(4, [3]);
      const steps = etcd.plan();
      etcd.remove(3);
      await ended(() => etcd.up(steps));
      assert.deepEqual(etcd.told, [`${master(3)}: ${off}`]);
      proved(etcd, 4, [3]);
    });

    it("`unhealthy cluster` for some seconds after a restart: tried again, with growing pauses", async () => {
      const etcd = played(4, [3]);
      const begun = Date.now();
      const at: number[] = [];
      etcd.before = (what) => {
        if (what !== ask(3)) return undefined;
        at.push(Math.round((Date.now() - begun) / 1000));
        return Date.now() - begun < 5000 ? { code: 1, stdout: "Error:  etcdserver: unhealthy cluster\n" } : undefined;
      };
      await ended(() => etcd.up());
      const pauses = at.slice(1).map((second, n) => second - (at[n] ?? 0));
      assert.deepEqual(
        pauses,
        pauses.toSorted((a, b) => a - b),
      );
      assert.ok(at.length >= 3 && at.length <= 5, at.join());
      proved(etcd, 4, [3]);
    });

    it("`unhealthy cluster` for ever: told after a minute and a half, with what etcd said", async () => {
      const etcd = played(4, [3]);
      const begun = Date.now();
      etcd.before = (what) =>
        what === ask(3) ? { code: 1, stdout: "Error:  etcdserver: unhealthy cluster\n" } : undefined;
      const told = await failed(() => etcd.up());
      assert.match(told, /^etcd member ed4f0efd277d7599 removed: not so after \d+ s; last seen: .*unhealthy cluster/);
      assert.ok(Date.now() - begun < 130_000);
      assert.deepEqual(etcd.removed, []);
    });

    it("an answer that will not change is told at once", async () => {
      const etcd = played(4, [3]);
      etcd.before = (what) =>
        what === ask(3) ? { code: 1, stdout: "Error: etcdserver: permission denied\x1b[2J\n" } : undefined;
      const begun = Date.now();
      assert.equal(
        await failed(() => etcd.up()),
        `etcd on ${master(0)} did not remove member ${idOf(3)}: Error: etcdserver: permission denied\\x1b[2J`,
      );
      assert.ok(Date.now() - begun < 5000);
      assert.equal(times(etcd, ask(3)), 1);
    });

    it("a survivor that is ill for some seconds is waited for", async () => {
      const etcd = played(4, [3]);
      const steps = etcd.plan();
      const host = etcd.hosts[1] ?? assert.fail();
      host.ill = "failed to commit proposal: context deadline exceeded";
      setTimeout(() => (host.ill = ""), 20_000);
      await ended(() => etcd.up(steps));
      assert.equal(times(etcd, ask(3)), 1);
      proved(etcd, 4, [3]);
    });

    it("an alarm does not pass: refused at once, nothing told", async () => {
      const etcd = played(4, [3]);
      const steps = etcd.plan();
      (etcd.hosts[1] ?? assert.fail()).alarm = "NOSPACE";
      (etcd.hosts[0] ?? assert.fail()).alarm = "NOSPACE";
      const begun = Date.now();
      const error = await inNoTime(() => etcd.up(steps));
      assert.equal(error?.name, "Refusal");
      assert.match(
        error.message,
        /^refused, etcd member ed4f0efd277d7599 of master-3\.example\.com was not removed; .*NOSPACE/,
      );
      assert.ok(Date.now() - begun < 5000);
      assert.deepEqual(etcd.told, []);
    });

    describe("5→3", () => {
      it("one after the other: a removed member's etcd is off before the next is removed", async () => {
        const etcd = played(5, [3, 4]);
        await ended(() => etcd.up());
        assert.deepEqual(etcd.told, [
          `${master(0)}: ${ask(3)}`,
          `${master(3)}: ${off}`,
          `${master(0)}: ${ask(4)}`,
          `${master(4)}: ${off}`,
        ]);
        proved(etcd, 5, [3, 4]);
      });

      it("a survivor falls ill between the two: the first stays done, the second is refused; repaired, the next run ends it", async () => {
        const etcd = played(5, [3, 4]);
        const host = etcd.hosts[2] ?? assert.fail();
        etcd.after = (what) => {
          if (what === off) host.ill = "failed to commit proposal: context deadline exceeded";
          return undefined;
        };
        const begun = Date.now();
        const error = await inNoTime(() => etcd.up());
        assert.equal(error?.name, "Refusal");
        assert.match(
          error.message,
          /^refused, etcd member a3f1c5e7d9b8240a of master-4\.example\.com was not removed; seen just before: .*master-2\.example\.com \(fd422379fda50e48\) is not healthy/,
        );
        assert.ok(Date.now() - begun > 85_000 && Date.now() - begun < 130_000, `${Date.now() - begun}`);
        assert.deepEqual(etcd.members, [0, 1, 2, 4]);
        assert.equal(etcd.hosts[3]?.pod, false);
        assert.equal(times(etcd, ask(4)), 0);
        etcd.after = () => undefined;
        host.ill = "";
        await ended(() => etcd.up());
        assert.equal(times(etcd, ask(3)), 1);
        proved(etcd, 5, [3, 4]);
      });

      it("one that leaves too dies in the meantime: it has to go first, which the next run plans", async () => {
        const etcd = played(5, [3, 4]);
        const steps = etcd.plan();
        (etcd.hosts[4] ?? assert.fail()).ill = "failed to commit proposal: context deadline exceeded";
        assert.match(
          await failed(() => etcd.up(steps)),
          /refusing to remove master-3\.example\.com from etcd before master-4/,
        );
        assert.deepEqual(etcd.told, []);
        await ended(() => etcd.up());
        assert.deepEqual(etcd.removed, [idOf(4), idOf(3)]);
        proved(etcd, 5, [3, 4]);
      });

      it("an election makes one the leader that leaves next: it hands over first", async () => {
        const etcd = played(5, [3, 4], 4);
        const ledAt: Record<string, number | undefined> = {};
        etcd.before = (what) => {
          if (what.startsWith("removing")) ledAt[what] = etcd.leader;
          return undefined;
        };
        const steps = etcd.plan();
        etcd.leader = 3;
        await ended(() => etcd.up(steps));
        assert.notEqual(ledAt[ask(3)], 3);
        assert.notEqual(ledAt[ask(4)], 4);
        proved(etcd, 5, [3, 4]);
      });
    });

    describe("killed at any command, before or after it took effect: the next run ends in the same state, by one removal each", () => {
      for (const [count, leaving, leader] of [
        [4, [3], 0],
        [4, [3], 3],
        [5, [3, 4], 4],
      ] as const)
        it(`${count}→${count - leaving.length}, ${master(leader)} leads`, async () => {
          const change = purging(removal(count, leaving).change);
          const whole = new PlayedEtcd(version, count, change, leader);
          await ended(() => whole.up());
          for (const at of whole.told.keys())
            for (const when of ["before", "after"] as const) {
              const etcd = new PlayedEtcd(version, count, change, leader);
              etcd[when] = () => {
                if (etcd.told.length <= at) return undefined;
                etcd.dead = true;
                return new Error("killed");
              };
              await failed(() => etcd.up());
              etcd.dead = false;
              etcd[when] = () => undefined;
              // what the host was told by the killed run goes on
              mock.timers.tick(10_000);
              await ended(() => etcd.up());
              proved(etcd, count, leaving);
              assert.deepEqual(etcd.removed.toSorted(), leaving.map(idOf).toSorted());
              assert.ok(leaving.every((n) => etcd.hosts[n]?.data === false));
            }
        });
    });

    it("an unstarted member, and a host that is gone: removed without a word to the host", async () => {
      for (const away of [true, false]) {
        const { change } = removal(5, [3, 4], [`host-gone:${master(4)}`]);
        const etcd = new PlayedEtcd(version, 5, change);
        const host = etcd.hosts[4] ?? assert.fail();
        host.reachable = !away;
        host.started = away;
        await ended(() => etcd.up());
        assert.deepEqual(etcd.removed, [idOf(4), idOf(3)]);
        assert.deepEqual(etcd.members, [0, 1, 2]);
        assert.equal(
          etcd.told.some((one) => one.startsWith(master(4))),
          !away,
        );
      }
    });

    it("data is set aside when that is configured, and never while a survivor still lists the member", async () => {
      const change = purging(removal(4, [3]).change);
      const etcd = new PlayedEtcd(version, 4, change);
      const step = etcd.plan().find((one) => one.do === "set-aside-data") ?? assert.fail();
      assert.match(await failed(() => etcd.up([step])), /stays: master-0\.example\.com still lists its member ed4f/);
      assert.deepEqual(etcd.told, []);
      await ended(() => etcd.up());
      assert.equal(times(etcd, aside), 1);
      proved(etcd, 4, [3]);
    });
  });

describe("where etcd 3.2 leads and too few others are left, it is not stopped first", () => {
  it("2→1: the removal itself ends its leadership, as the plan says", async () => {
    const { change } = removal(2, [1], ["below-three-masters"]);
    const etcd = new PlayedEtcd("3.2.32", 2, change, 1);
    assert.match(etcd.plan()[0]?.title ?? "", /^remove etcd member .*, which ends its leadership; judged anew/);
    await ended(() => etcd.up());
    assert.deepEqual(
      etcd.told.filter((one) => !one.endsWith(move)),
      [`${master(0)}: ${ask(1)}`, `${master(1)}: ${off}`],
    );
    proved(etcd, 2, [1]);
  });
  it("a survivor that falls ill before the stop: the leader stays on, and is not removed", async () => {
    const etcd = new PlayedEtcd("3.2.32", 4, removal(4, [3]).change, 3);
    const steps = etcd.plan();
    assert.equal(steps[0]?.do, "stop-leader");
    (etcd.hosts[0] ?? assert.fail()).ill = "failed to commit proposal: context deadline exceeded";
    const error = await inNoTime(() => etcd.up(steps));
    assert.equal(error?.name, "Refusal");
    assert.match(
      error.message,
      /^refused, the etcd pod of master-3\.example\.com, which led, was not stopped .*master-0\.example\.com/,
    );
    assert.deepEqual(etcd.told, []);
  });
  it("2→1 is not stopped, whoever asks for it", async () => {
    const etcd = new PlayedEtcd("3.2.32", 2, removal(2, [1], ["below-three-masters"]).change, 1);
    const stop: Step = { do: "stop-leader", host: master(1), member: idOf(1), title: "stop" };
    assert.match(await failed(() => etcd.up([stop])), /without it 1 of 2 members are healthy, and a quorum needs 2$/);
    assert.deepEqual(etcd.told, []);
  });
});
