/** A line of a file: its bytes without the line end, and the line end, so that joining gives the file back. */
export interface TextLine {
  readonly body: string;
  readonly eol: string;
}

/** Splits at `\n`; `\r\n` stays whole, a last line without an end has `eol: ""`. `joinLines` is the inverse. */
export function splitLines(text: string): TextLine[] {
  return mapLines(text, (body, eol) => ({ body, eol }));
}

/** `splitLines` for readers that make something else of each line: a large file is not held twice. */
export function mapLines<T>(text: string, to: (body: string, eol: string) => T): T[] {
  const mapped: T[] = [];
  for (let start = 0; start < text.length;) {
    const feed = text.indexOf("\n", start);
    const end = feed < 0 ? text.length : feed;
    const eol = feed < 0 ? "" : feed > start && text.charAt(feed - 1) === "\r" ? "\r\n" : "\n";
    mapped.push(to(text.slice(start, eol === "\r\n" ? end - 1 : end), eol));
    start = end + 1;
  }
  return mapped;
}

/** The file's text again. */
export function joinLines(lines: readonly TextLine[]): string {
  return lines.map((line) => line.body + line.eol).join("");
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
