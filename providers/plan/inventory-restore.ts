import { alignLines } from "./align-lines.ts";
import { type IniLine, readIni } from "./inventory-ini.ts";
import { editsOf, type IniEdit, withPattern } from "./inventory-ini-edit.ts";
import { type Insertion, withInsertions } from "./inventory-insert.ts";
import { Refusal } from "./refusal.ts";
import { joinLines, type TextLine } from "./text-lines.ts";

interface Restored extends Insertion {
  readonly group: string;
}

/** A line the section should have now, after the removal; `key` is undefined where only a gap is left. */
interface FormerLine {
  readonly key: string | undefined;
  readonly edit?: IniEdit;
}

/** Puts the host's lines back into an INI inventory; see `restoreHost` of inventory.ts. */
export function restoreToIni(
  text: string,
  previous: string,
  names: ReadonlySet<string>,
): { text: string; restored: { group: string; line: number }[] } {
  const now = readIni(text);
  const before = readIni(previous);
  const there = new Set(editsOf(now, names).map(({ line }) => line.section.group));
  const edits = editsOf(before, names).filter(({ line }) => !there.has(line.section.group));
  const insertions = edits.map((edit) => insertionOf(edit, formerLines(edit, edits, before), now));
  const ordered = insertions.toSorted((a, b) => a.at - b.at);
  return { text: joinLines(withInsertions(now, ordered)), restored: placesOf(ordered) };
}

function placesOf(ordered: readonly Restored[]): { group: string; line: number }[] {
  let shift = 0;
  return ordered.map(({ group, at, replaced, lines }) => {
    const line = at + shift + 1;
    shift += lines.length - replaced;
    return { group, line };
  });
}

function formerLines({ line }: IniEdit, edits: readonly IniEdit[], before: readonly IniLine[]): FormerLine[] {
  return before.filter(inSectionOf(line)).flatMap((each): FormerLine[] => {
    const edit = edits.find((other) => other.line === each);
    if (!edit) return [{ key: keyOf(each) }];
    const [above, below] = aroundGap(edit);
    return [...above, { key: undefined, edit }, ...below];
  });
}

/** The rest of a cut range, in front of the host and behind it. */
function aroundGap({ line, rest }: IniEdit): [FormerLine[], FormerLine[]] {
  const order = line.host?.names ?? [];
  const lines = rest.flatMap((body) => readIni(body));
  const gone = order.findIndex((name) => !lines.some((each) => each.host?.names.includes(name)));
  const isAbove = (each: IniLine): boolean => order.indexOf(each.host?.names[0] ?? "") < gone;
  const keyed = (each: IniLine): FormerLine => ({ key: keyOf(each) });
  return [lines.filter(isAbove).map(keyed), lines.filter((each) => !isAbove(each)).map(keyed)];
}

function insertionOf(edit: IniEdit, former: readonly FormerLine[], now: readonly IniLine[]): Restored {
  const { line, rest } = edit;
  const { group, line: headerLine } = line.section;
  const present = now.filter(inSectionOf(line));
  const headers = headerLine > 0 ? 1 : 0;
  if (present.length < headers) refuseGone(line);
  const start = (present[0]?.number ?? 1) - 1;
  const aligned = alignLines(
    former.map(({ key }, at) => key ?? `gap ${at}`),
    present.map(keyOf),
  );
  const gap = former.findIndex((each) => each.edit === edit);
  const over = aroundGap(edit)[0].length;
  const top = aligned[over > 0 ? gap - over : gap + 1];
  if (top !== undefined && rest.length > 0 && rest.every((body, at) => present[top + at]?.body === body)) {
    return { group, at: start + top, replaced: rest.length, lines: [line] };
  }
  const above = aligned.slice(headers, gap).findLast((each) => each !== undefined);
  const below = aligned.slice(gap + 1).find((each) => each !== undefined);
  const at = above !== undefined ? above + 1 : (below ?? behindHosts(present, headers));
  return { group, at: start + at, replaced: 0, lines: linesOfHost(edit) };
}

/** The host's own line: the former one, or what it is without the other hosts of its range. */
function linesOfHost({ line, rest }: IniEdit): TextLine[] {
  const { host, body, eol } = line;
  if (!host || rest.length === 0) return [line];
  const others = new Set(rest.flatMap((each) => readIni(each)[0]?.host?.names ?? []));
  const names = host.names.filter((name) => !others.has(name));
  return names.map((name) => ({ body: withPattern(body, host, name), eol: eol || "\n" }));
}

function inSectionOf({ section }: IniLine): (line: IniLine) => boolean {
  const { group, kind, occurrence } = section;
  return ({ section: other }) => other.group === group && other.kind === kind && other.occurrence === occurrence;
}

/** A host keeps its place when its variables were changed in between. */
function keyOf({ host, body }: IniLine): string {
  return host ? `host ${host.pattern}` : `line ${body}`;
}

function behindHosts(present: readonly IniLine[], headers: number): number {
  return Math.max(headers, present.findLastIndex((line) => line.host !== undefined) + 1);
}

function refuseGone({ section, number, body }: IniLine): never {
  throw new Refusal(
    `[${section.group}] is no longer in the inventory, so "${body.trim().split(/\s/)[0] ?? ""}" (line ${number} of the ` +
      `former file) has no place; put it back by hand`,
  );
}
