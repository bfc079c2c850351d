import type { Declaration, Inventory } from "./inventory-groups.ts";
import { type HostEntry, type IniLine, type IniSection, refuse } from "./inventory-ini.ts";
import { patternsWithout } from "./inventory-ranges.ts";
import { joinLines } from "./text-lines.ts";

/** A line that names the host, and the lines that stand there without it: none, or the rest of a range. */
export interface IniEdit {
  readonly line: IniLine;
  readonly rest: readonly string[];
}

/** Takes the lines of these names out; see `dropHost` of inventory.ts. */
export function dropFromIni(
  lines: readonly IniLine[],
  names: ReadonlySet<string>,
): { text: string; dropped: { group: string; line: number }[] } {
  const edits = editsOf(lines, names);
  const byLine = new Map(edits.map((edit) => [edit.line, edit.rest]));
  const lineEnd = lines.find((line) => line.eol !== "")?.eol ?? "\n";
  const kept = lines.flatMap((line) => {
    const rest = byLine.get(line);
    if (rest === undefined) return line;
    return rest.map((body, at) => ({ body, eol: at < rest.length - 1 ? line.eol || lineEnd : line.eol }));
  });
  return {
    text: joinLines(kept),
    dropped: edits.map(({ line }) => ({ group: line.section.group, line: line.number })),
  };
}

/** What leaves, in file order. */
export const editsOf = (lines: readonly IniLine[], names: ReadonlySet<string>): IniEdit[] =>
  lines
    .filter((line) => line.host?.names.some((name) => names.has(name)))
    .map((line) => ({ line, rest: restOf(line, names) }));

/** The bodies that are left of a line. @throws Refusal for a range that cannot be split */
export function restOf(line: IniLine, names: ReadonlySet<string>): string[] {
  const { host, body } = line;
  if (!host || host.names.every((name) => names.has(name))) return [];
  if (host.quoted)
    refuse(
      line.number,
      `of [${line.section.group}] holds the host in a range with quotes within`,
      "write it without quotes",
    );
  return patternsWithout(host.pattern, (name) => names.has(name)).map((pattern) => withPattern(body, host, pattern));
}

/** The same line, with the same port, variables and comment, for another pattern. */
export function withPattern(body: string, { start, end }: { start: number; end: number }, pattern: string): string {
  return body.slice(0, start) + pattern + body.slice(end);
}

/** The line of each group's first section, in file order. */
function firstOf(sections: readonly IniSection[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { group, line } of sections) if (!found.has(group)) found.set(group, line);
  return found;
}

/** The INI lines as an inventory. */
export function inventoryOfIni(lines: readonly IniLine[]): Inventory {
  const sections = [...new Set(lines.map((line) => line.section))].filter(({ line }) => line > 0);
  return {
    hosts: lines.flatMap(({ host, section, number }) => (host ? declarationsOf(host, section.group, number) : [])),
    known: firstOf(sections),
    declared: firstOf(sections.filter(({ kind }) => kind !== "vars")),
    children: lines.flatMap(({ child, section, number }) =>
      child === undefined ? [] : [{ group: section.group, child, line: number, at: number }],
    ),
    variables: lines.flatMap(({ variable, section }) =>
      variable ? [{ group: section.group, key: variable[0], value: variable[1] }] : [],
    ),
    varsOf: sections.filter(({ kind }) => kind === "vars").map(({ group, line }) => ({ group, line })),
  };
}

const declarationsOf = ({ names, port, variables }: HostEntry, group: string, line: number): Declaration[] =>
  names.map((name) => ({ group, name, line, at: line, variables, port }));
