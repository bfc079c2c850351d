/** A line of a file: its bytes without the line end, and the line end, so that joining gives the file back. */
export interface TextLine {
  readonly body: string;
  readonly eol: string;
}

/** Splits at `\n`; `\r\n` stays whole, a last line without an end has `eol: ""`. `joinLines` is the inverse. */
export function splitLines(text: string): TextLine[] {
  return [...text.matchAll(/([^\n]*?)(\r?\n|$)/gy)]
    .map(([, body = "", eol = ""]) => ({ body, eol }))
    .filter((line) => line.body !== "" || line.eol !== "");
}

/** The file's text again. */
export function joinLines(lines: readonly TextLine[]): string {
  return lines.map((line) => line.body + line.eol).join("");
}

/**
 * For every line of `before` the index of the same line in `after`, or undefined: a longest common subsequence, so
 * that repeated lines (blank ones, `#`) keep their order. Lines are the same when their keys are equal.
 */
export function alignLines(before: readonly string[], after: readonly string[]): (number | undefined)[] {
  const lengths = commonLengths(before, after);
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  const aligned: (number | undefined)[] = before.map(() => undefined);
  for (let i = 0, j = 0; i < before.length && j < after.length;) {
    if (before[i] === after[j]) aligned[i++] = j++;
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return aligned;
}

function commonLengths(before: readonly string[], after: readonly string[]): number[][] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0));
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const skip = Math.max(lengths[i + 1]?.[j] ?? 0, lengths[i]?.[j + 1] ?? 0);
      const row = lengths[i] ?? [];
      row[j] = before[i] === after[j] ? (lengths[i + 1]?.[j + 1] ?? 0) + 1 : skip;
    }
  }
  return lengths;
}

/**
 * Puts a line in front of index `at`. Only a file's last line may lack its end: a line that stops being the last
 * is lent one.
 */
export function insertLine(lines: readonly TextLine[], at: number, line: TextLine): TextLine[] {
  const result = [...lines.slice(0, at), line, ...lines.slice(at)];
  const eol = lines.find((other) => other.eol !== "")?.eol ?? "\n";
  return result.map((each, index) =>
    each.eol === "" && index < result.length - 1 ? { body: each.body, eol: line.eol || eol } : each,
  );
}
