/** Pure: changes of a text by offsets as changes of whole lines. */
import { type Splice, lineEnd, lineStart, spliced } from "./inventory-yaml-splice.ts";
import { splitLines, type TextLine } from "./text-lines.ts";

/** Lines of a text, and those that stand there after the change. */
export interface Hunk {
  /** 0-based, in the text. */
  readonly from: number;
  readonly lines: readonly TextLine[];
  /** 0-based, in the changed text. */
  readonly at: number;
  readonly rest: readonly TextLine[];
}

/** Those that touch are one. */
export function hunksOf(text: string, splices: readonly Splice[]): Hunk[] {
  const ranges: { from: number; to: number; splices: Splice[] }[] = [];
  for (const splice of splices.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const from = lineStart(text, splice.from);
    const isWhole = splice.to === lineStart(text, splice.to);
    const to = isWhole && (splice.to > splice.from || splice.from === from) ? splice.to : lineEnd(text, splice.to);
    const last = ranges.at(-1);
    if (last !== undefined && from <= last.to) {
      last.to = Math.max(last.to, to);
      last.splices.push(splice);
    } else ranges.push({ from, to, splices: [splice] });
  }
  let shift = 0;
  return ranges.map((range) => {
    const moved = range.splices.map((one) => ({ ...one, from: one.from - range.from, to: one.to - range.from }));
    const lines = splitLines(text.slice(range.from, range.to));
    const rest = splitLines(spliced(text.slice(range.from, range.to), moved));
    const from = splitLines(text.slice(0, range.from)).length;
    const at = from + shift;
    shift += rest.length - lines.length;
    return { from, lines, at, rest };
  });
}

/** The changed text. */
export function textOfRest(text: string, hunks: readonly Hunk[]): string {
  const lines = splitLines(text);
  const changed = hunks
    .toReversed()
    .reduce<readonly TextLine[]>(
      (now, { from, lines: { length }, rest }) => [...now.slice(0, from), ...rest, ...now.slice(from + length)],
      lines,
    );
  return changed.map(({ body, eol }) => body + eol).join("");
}
