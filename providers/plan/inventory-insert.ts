/** Pure: lines put into a text at several places at once. */
import { insertLine, type TextLine } from "./text-lines.ts";

/** In front of line `at` (0-based) of the present file, and in place of `replaced` lines, these lines. */
export interface Insertion {
  readonly at: number;
  readonly replaced: number;
  readonly lines: readonly TextLine[];
}

/** Where two are in front of the same line, the first of them stands first. */
export const withInsertions = (lines: readonly TextLine[], insertions: readonly Insertion[]): readonly TextLine[] =>
  insertions.toSorted((a, b) => a.at - b.at).reduceRight(inserted, lines);

function inserted(lines: readonly TextLine[], { at, replaced, lines: added }: Insertion): readonly TextLine[] {
  const cleared = [...lines.slice(0, at), ...lines.slice(at + replaced)];
  return added.reduceRight<readonly TextLine[]>((result, line) => insertLine(result, at, line), cleared);
}
