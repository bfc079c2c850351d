/** Where the lines of one text stand in another: a longest common subsequence, affordable for files of any length. */

/** For every line of the one text its index in the other, or undefined. */
type Alignment = (number | undefined)[];

/** Pairs of lines that are compared one by one: some 10 ms. Beyond, what is certain is settled first. */
const AFFORDABLE = 2_000_000;

/**
 * For every line of `before` the index of the same line in `after`, or undefined; lines are the same when their keys
 * are equal. Repeated lines (blank ones, `#`) keep their order, and where several would do, neighbours stay neighbours.
 * @param gaps the lines of `before` that need not be neighbours of the next, because some may be left out there.
 */
export function alignLines(
  before: readonly string[],
  after: readonly string[],
  gaps: ReadonlySet<number> = new Set(),
): Alignment {
  if (before.length * after.length <= AFFORDABLE) return alignByTable(before, after, gaps);
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const middle = alignMiddle(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
  return [
    ...before.slice(0, head).keys(),
    ...shifted(middle, head),
    ...before.slice(before.length - tail).map((_, at) => after.length - tail + at),
  ];
}

const shifted = (alignment: Alignment, by: number): Alignment =>
  alignment.map((at) => (at === undefined ? undefined : at + by));

/** Cuts at the lines that both have exactly once, then aligns what lies between; with none of them nothing is the same. */
function alignMiddle(before: readonly string[], after: readonly string[]): Alignment {
  if (before.length * after.length <= AFFORDABLE) return alignByTable(before, after, new Set());
  const anchors = rising(onceInBoth(before, after));
  if (anchors.length === 0) return before.map(() => undefined);
  const ends = [...anchors, { i: before.length, j: after.length }];
  let from = { i: 0, j: 0 };
  return ends.flatMap(({ i, j }) => {
    const between = shifted(alignMiddle(before.slice(from.i, i), after.slice(from.j, j)), from.j);
    from = { i: i + 1, j: j + 1 };
    return i < before.length ? [...between, j] : between;
  });
}

interface Pair {
  readonly i: number;
  readonly j: number;
}

function onceInBoth(before: readonly string[], after: readonly string[]): Pair[] {
  const there = placesOnce(after);
  return [...placesOnce(before)].flatMap(([key, i]) => {
    const j = there.get(key);
    return i === undefined || j === undefined ? [] : [{ i, j }];
  });
}

function placesOnce(keys: readonly string[]): Map<string, number | undefined> {
  const places = new Map<string, number | undefined>();
  keys.forEach((key, at) => places.set(key, places.has(key) ? undefined : at));
  return places;
}

/** The longest part of the pairs (in order of `i`) in which `j` rises: by patience, each pair knowing its forerunner. */
function rising(pairs: readonly Pair[]): Pair[] {
  const piles: { pair: Pair; under: number }[][] = [];
  for (const pair of pairs) {
    let low = 0;
    for (let high = piles.length; low < high;) {
      const half = (low + high) >> 1;
      if ((piles[half]?.at(-1)?.pair.j ?? 0) < pair.j) low = half + 1;
      else high = half;
    }
    (piles[low] ??= []).push({ pair, under: (piles[low - 1]?.length ?? 0) - 1 });
  }
  const found: Pair[] = [];
  for (let pile = piles.length - 1, at = (piles[pile]?.length ?? 0) - 1; pile >= 0; pile--) {
    const top = piles[pile]?.[at];
    if (top) found.push(top.pair);
    at = top?.under ?? 0;
  }
  return found.reverse();
}

/**
 * `best[i][j]`: what the lines from i and from j on are worth together, `met[i][j]`: the same when i stands for j. A
 * common line is worth more than all neighbourhoods, one more for each that follows its neighbour.
 */
function alignByTable(before: readonly string[], after: readonly string[], gaps: ReadonlySet<number>): Alignment {
  const width = after.length + 1;
  const worth = Math.min(before.length, after.length) + 1;
  const best = new Uint32Array((before.length + 1) * width);
  const met = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    const bonus = gaps.has(i) ? 0 : 1;
    for (let j = after.length - 1; j >= 0; j--) {
      const here = i * width + j;
      const next = here + width + 1;
      if (before[i] === after[j]) {
        met[here] = worth + Math.max(best[next] ?? 0, (met[next] ?? 0) > 0 ? (met[next] ?? 0) + bonus : 0);
      }
      best[here] = Math.max(met[here] ?? 0, best[here + 1] ?? 0, best[here + width] ?? 0);
    }
  }
  return follow(best, met, before.length, width, gaps);
}

function follow(
  best: Uint32Array,
  met: Uint32Array,
  height: number,
  width: number,
  gaps: ReadonlySet<number>,
): Alignment {
  const aligned = Array.from({ length: height }, (): number | undefined => undefined);
  let bonus = 0;
  for (let i = 0, j = 0; i < height && j < width - 1;) {
    const here = i * width + j;
    const [now = 0, whenMet = 0] = [best[here], met[here]];
    if (whenMet > 0 && whenMet + bonus >= now) {
      bonus = gaps.has(i) ? 0 : 1;
      aligned[i++] = j++;
      continue;
    }
    bonus = 0;
    if ((best[here + width] ?? 0) === now) i++;
    else j++;
  }
  return aligned;
}
