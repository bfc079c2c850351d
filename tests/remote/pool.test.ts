import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { pooled } from "../../providers/remote/pool.ts";

/** Work that takes some turns of the event loop; what is there tells how many run at once. */
class Yard {
  running = 0;
  most = 0;
  readonly begun: number[] = [];
  readonly ended: number[] = [];
  async work(at: number, turns: number, fails = false): Promise<string> {
    this.begun.push(at);
    this.most = Math.max(this.most, (this.running += 1));
    for (let n = 0; n < turns; n += 1) await turn();
    this.running -= 1;
    this.ended.push(at);
    if (fails) throw new Error(`${at} failed`);
    return `did ${at}`;
  }
}

describe("pooled", () => {
  it("all of it, in any mix of lengths: results in order, the bound reached and never exceeded", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 12 }),
        async (turns, atOnce) => {
          const yard = new Yard();
          const did = await pooled([...turns.entries()], atOnce, ([at, n]) => yard.work(at, n));
          assert.deepEqual(
            did,
            turns.map((_, at) => `did ${at}`),
          );
          assert.deepEqual(
            yard.begun,
            turns.map((_, at) => at),
          );
          assert.equal(yard.most, Math.min(atOnce, turns.length));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("the next begins as soon as one has ended, whatever takes long", async () => {
    const yard = new Yard();
    await pooled([40, 1, 1, 1, 1, 1], 2, (turns) => yard.work(turns === 40 ? 0 : yard.begun.length, turns));
    assert.equal(yard.ended.at(-1), 0);
  });

  it("after a failure none begins, those that run are waited for, and the failure is told", async () => {
    const yard = new Yard();
    const failing = pooled([9, 1, 9, 1, 1], 3, (turns) => yard.work(yard.begun.length, turns, turns === 1));
    await assert.rejects(failing, { message: "1 failed" });
    assert.deepEqual([yard.running, yard.begun, yard.ended], [0, [0, 1, 2], [1, 0, 2]]);
  });

  it("several failures are one error with every message", async () => {
    const yard = new Yard();
    const failing = pooled([0, 1, 2], 3, (at) => yard.work(at, 2, at !== 1));
    await assert.rejects(failing, (error: Error) => {
      assert.equal(error.message, "0 failed\n2 failed");
      assert.ok(error.cause instanceof Error);
      return true;
    });
  });

  it("what throws at once counts as a failure too", async () => {
    const thrower = (): Promise<void> => {
      throw new Error("at once");
    };
    await assert.rejects(pooled([1], 1, thrower), { message: "at once" });
  });

  it("nothing to do", async () => assert.deepEqual(await pooled([], 3, () => Promise.resolve(1)), []));
});
