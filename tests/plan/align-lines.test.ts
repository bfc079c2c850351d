import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { alignLines } from "../../providers/plan/align-lines.ts";

const align = (before: string, after: string, ...gaps: number[]): string =>
  alignLines(Array.from(before), Array.from(after), new Set(gaps))
    .map((at) => at ?? "-")
    .join("");

/** Every pair is of equal lines, and both rise. */
function isSound(
  before: readonly string[],
  after: readonly string[],
  aligned: readonly (number | undefined)[],
): boolean {
  const pairs = [...aligned.entries()].filter(([, at]) => at !== undefined) as [number, number][];
  return (
    aligned.length === before.length &&
    pairs.every(([i, j], n) => before[i] === after[j] && (n === 0 || j > (pairs[n - 1]?.[1] ?? 0)))
  );
}

describe("alignLines", () => {
  const cases: [string, string, string][] = [
    ["", "abc", ""],
    ["abc", "", "---"],
    ["abc", "abc", "012"],
    ["abc", "xaybzc", "135"],
    ["axb", "ab", "0-1"],
    ["..x", "....x", "234"],
    ["x..", "x....", "012"],
    ["x..y", "x....y", "0125"],
  ];
  for (const [before, after, expected] of cases)
    it(`${before} in ${after}`, () => assert.equal(align(before, after), expected));

  it("breaks neighbours where lines may be left out", () => {
    assert.equal(align("x....y", "x.......y", 1), "015678");
    assert.equal(align("x....y", "x.......y", 3), "012378");
  });

  it("finds as many as there are", () => {
    const lines = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 12 });
    const common = (a: readonly string[], b: readonly string[]): number => {
      const [first, ...rest] = a;
      if (first === undefined || b.length === 0) return 0;
      const at = b.indexOf(first);
      return Math.max(common(rest, b), at < 0 ? 0 : 1 + common(rest, b.slice(at + 1)));
    };
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const aligned = alignLines(before, after);
        assert.ok(isSound(before, after, aligned));
        assert.equal(aligned.filter((at) => at !== undefined).length, common(before, after));
      }),
    );
  });

  const many = Array.from({ length: 20_000 }, (_, at) => (at % 4 === 0 ? "" : `line ${at}`));
  const moved = ["new", ...many.slice(1, 9_000), "new", ...many.slice(9_007, -1), "newer"];
  it("takes 20,000 lines against 20,000", () => {
    const aligned = alignLines(many, moved);
    assert.ok(isSound(many, moved, aligned));
    assert.equal(aligned.filter((at) => at === undefined).length, 9);
    assert.deepEqual(aligned.slice(0, 3), [undefined, 1, 2]);
    assert.deepEqual(aligned.slice(8_999, 9_008), [8_999, ...Array<undefined>(7), 9_001]);
    assert.deepEqual(
      alignLines(
        many.map((each) => `${each}!`),
        many,
      ),
      many.map(() => undefined),
    );
  });
});
