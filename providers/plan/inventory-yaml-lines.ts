/** Pure: lines of a YAML inventory with the mapping that each is in, by indentation: enough to find the same line in another version of the file. */
import { splitLines } from "./text-lines.ts";

export interface PlacedLine {
  readonly body: string;
  /** Of a blank line, -1. */
  readonly indent: number;
  /** Keys of the mappings that it is in, outermost first, with NUL between. */
  readonly path: string;
  /** The path of what is below it; undefined where it has no key. */
  readonly owns: string | undefined;
  /** Equal for lines that stand for each other: a pair keeps its place when its value, or the comment behind it, was changed. */
  readonly key: string;
}

const KEY = /^\s*(?:"([^"]*)"|'([^']*)'|([^\s#"'][^#]*?))\s*:(?=\s|$)/;

export function placed(text: string): PlacedLine[] {
  const open: { indent: number; key: string }[] = [];
  return splitLines(text).map(({ body }) => {
    const indent = body.trim() === "" ? -1 : body.length - body.trimStart().length;
    const [, double, single, plain] = KEY.exec(body) ?? [];
    const key = double ?? single ?? plain;
    if (key !== undefined) while ((open.at(-1)?.indent ?? -1) >= indent) open.pop();
    const path = open
      .filter((one) => indent < 0 || one.indent < indent)
      .map((one) => one.key)
      .join("\0");
    if (key === undefined) return { body, indent, path, owns: undefined, key: `${path}\0\0${body.trim()}` };
    open.push({ indent, key });
    const owns = path === "" ? key : `${path}\0${key}`;
    return { body, indent, path, owns, key: `${owns}:` };
  });
}
