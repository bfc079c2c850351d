/** Python's `string.ascii_letters`: the order in which Ansible counts letters. */
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/** More hosts than any OpenShift 3.11 cluster has; a typing error, not a range. */
const TOO_MANY = 10_000;

/** The first range of a host pattern: `m[01:09:2].example.com` → `m`, `01 03 05 07 09`, `.example.com`. */
interface Range {
  readonly head: string;
  readonly values: readonly string[];
  readonly step: number;
  readonly tail: string;
}

/**
 * The host names a pattern stands for, in Ansible's order. Source: ansible, `expand_hostname_range`.
 * @throws RangeError saying what is wrong with the range; the caller knows the line.
 */
export function expandPattern(pattern: string): string[] {
  const range = firstRange(pattern);
  if (!range) return [pattern];
  const tails = expandPattern(range.tail);
  if (range.values.length * tails.length > TOO_MANY) throw new RangeError(`${pattern} stands for too many hosts`);
  return range.values.flatMap((value) => tails.map((tail) => range.head + value + tail));
}

/**
 * The fewest patterns, in order, that stand for the hosts of `pattern` except those that are `gone`; a range is only
 * cut, never rebuilt: `m[1:4]` without m2 is `m1`, `m[3:4]`.
 */
export function patternsWithout(pattern: string, gone: (name: string) => boolean): string[] {
  return cut("", pattern, gone);
}

function cut(before: string, pattern: string, gone: (name: string) => boolean): string[] {
  const range = firstRange(pattern);
  if (!range) return gone(before + pattern) ? [] : [before + pattern];
  const tails = expandPattern(range.tail);
  const isCut = (value: string): boolean => tails.some((tail) => gone(before + range.head + value + tail));
  return runsOf(range.values, isCut).flatMap((run) => {
    const [first = ""] = run;
    const start = before + range.head;
    return isCut(first) ? cut(start + first, range.tail, gone) : [start + written(run, range.step) + range.tail];
  });
}

/** Consecutive values that stay, together; every value that is cut, alone. */
function runsOf(values: readonly string[], isCut: (value: string) => boolean): string[][] {
  const runs: string[][] = [];
  let open = false;
  for (const value of values) {
    const stays = !isCut(value);
    if (stays && open) runs.at(-1)?.push(value);
    else runs.push([value]);
    open = stays;
  }
  return runs;
}

function written(run: readonly string[], step: number): string {
  const [first = ""] = run;
  if (run.length === 1) return first;
  return `[${first}:${run.at(-1) ?? first}${step === 1 ? "" : `:${step}`}]`;
}

function firstRange(pattern: string): Range | undefined {
  if (!/[[\]]/.test(pattern)) return undefined;
  const found = /^([^[\]]*)\[([^[\]]*)\](.*)$/.exec(pattern);
  if (!found) throw new RangeError(`${pattern} has a bracket without its partner`);
  const [, head = "", inside = "", tail = ""] = found;
  return { head, tail, ...valuesOf(inside, pattern) };
}

function valuesOf(inside: string, pattern: string): { values: string[]; step: number } {
  const found = /^(\d*|[a-zA-Z]):(\d+|[a-zA-Z])(?::(\d+))?$/.exec(inside);
  if (!found) throw new RangeError(`${pattern} has a range that is not begin:end or begin:end:step`);
  const [, begin = "", end = "", stepText = "1"] = found;
  const step = Number(stepText);
  const from = begin === "" ? "0" : begin;
  const values = /\d/.test(from) ? numbers(from, end, step) : letters(from, end, step);
  if (!values) throw new RangeError(`${pattern} has a range that begins behind its end, or mixes widths`);
  return { values, step };
}

function numbers(from: string, end: string, step: number): string[] | undefined {
  const padded = from.length > 1 && from.startsWith("0");
  if (!/^\d+$/.test(end) || (padded && from.length !== end.length)) return undefined;
  return counted(Number(from), Number(end), step)?.map((value) =>
    String(value).padStart(padded ? from.length : 0, "0"),
  );
}

function letters(from: string, end: string, step: number): string[] | undefined {
  return counted(LETTERS.indexOf(from), LETTERS.indexOf(end), step)?.map((at) => LETTERS.charAt(at));
}

function counted(from: number, end: number, step: number): number[] | undefined {
  if (end < from || step < 1 || (end - from) / step >= TOO_MANY) return undefined;
  return Array.from({ length: Math.floor((end - from) / step) + 1 }, (_, at) => from + at * step);
}
