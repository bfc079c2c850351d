import { expandPattern } from "./inventory-ranges.ts";
import { wordsOf } from "./inventory-words.ts";
import { Refusal } from "./refusal.ts";
import { splitLines } from "./text-lines.ts";

/** A section of an INI inventory; lines above the first header belong to group `ungrouped`. */
export interface IniSection {
  readonly group: string;
  readonly kind: "hosts" | "children" | "vars";
  /** 1-based line of the header; 0 above the first. */
  readonly line: number;
  /** 0-based among the sections of the same group and kind: a group may be written in several. */
  readonly occurrence: number;
}

/** What a line of a hosts section declares. */
export interface HostEntry {
  /** The pattern without port and brackets: `master-[1:3].example.com`. */
  readonly pattern: string;
  readonly names: readonly string[];
  readonly variables: ReadonlyMap<string, string>;
  readonly port: string | undefined;
  /** Place of the pattern in the line's body. */
  readonly start: number;
  readonly end: number;
  /** The pattern is quoted or escaped, so its place does not hold it as it reads. */
  readonly quoted: boolean;
}

/** A line of an INI inventory. */
export interface IniLine {
  /** 1-based. */
  readonly number: number;
  readonly body: string;
  readonly eol: string;
  readonly section: IniSection;
  readonly host?: HostEntry;
  readonly child?: string;
}

const HEADER = /^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$/;
const GROUP = /^([^:\]\s]+)\s*(?:#.*)?$/;
const KINDS: Record<string, IniSection["kind"]> = { hosts: "hosts", children: "children", vars: "vars" };

/**
 * Reads an INI inventory as Ansible's `ini` inventory plugin does.
 * @throws Refusal naming the first line that Ansible would not understand either, or that is encrypted.
 */
export function readIni(text: string): IniLine[] {
  const counts = new Map<string, number>();
  let section: IniSection = { group: "ungrouped", kind: "hosts", line: 0, occurrence: -1 };
  return splitLines(text).map(({ body, eol }, index) => {
    const number = index + 1;
    const content = body.trim();
    if (content.startsWith("$ANSIBLE_VAULT")) refuse(number, "is encrypted by ansible-vault", "decrypt the file first");
    if (content === "" || /^[#;]/.test(content)) return { number, body, eol, section };
    const header = HEADER.exec(content);
    if (header) {
      section = sectionOf(header, number, counts);
      return { number, body, eol, section };
    }
    if (content.startsWith("[") && content.endsWith("]")) refuse(number, `is no section header: ${content}`);
    return { number, body, eol, section, ...declared(body, number, section) };
  });
}

function sectionOf(
  [, group = "", tag = "hosts"]: RegExpExecArray,
  line: number,
  counts: Map<string, number>,
): IniSection {
  const kind = Object.hasOwn(KINDS, tag) ? KINDS[tag] : undefined;
  if (!kind) return refuse(line, `opens a section of the unknown kind ":${tag}"`);
  const id = `${group}:${kind}`;
  const occurrence = counts.get(id) ?? 0;
  counts.set(id, occurrence + 1);
  return { group, kind, line, occurrence };
}

function declared(body: string, line: number, { kind, group }: IniSection): Pick<IniLine, "host" | "child"> {
  if (kind === "hosts") return { host: hostOf(body, line) };
  if (kind === "children") {
    const child = GROUP.exec(body.trim())?.[1];
    return { child: child ?? refuse(line, `of [${group}:children] is no group name: ${body.trim()}`) };
  }
  // Only the key is shown: what stands behind it may be a password.
  if (!body.includes("=")) refuse(line, `of [${group}:vars] has no "="`);
  return {};
}

function hostOf(body: string, line: number): HostEntry {
  try {
    const [first, ...rest] = wordsOf(body);
    if (!first || first.value === "") throw new SyntaxError("no host name");
    const variables = new Map(rest.map((word) => assignment(word.value)));
    return { ...patternOf(first.value, first.start, body.slice(first.start, first.end)), variables };
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError)
      refuse(line, `cannot be understood: ${error.message}`);
    throw error;
  }
}

function assignment(word: string): [string, string] {
  const at = word.indexOf("=");
  if (at < 0) throw new SyntaxError(`a word behind the host name that is not key=value`);
  return [word.slice(0, at), word.slice(at + 1)];
}

/** Takes the port off, `host:22` or `[fd00::1]:22`, as Ansible's `parse_address` does. */
export function patternOf(word: string, start: number, raw: string): Omit<HostEntry, "variables"> {
  if (word === "---" || word.endsWith(":")) throw new SyntaxError(`${word} looks like YAML`);
  const bracketed = /^\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|[^:]+)\]:(\d+)$/.exec(word);
  const plain = /^((?:[^:[\]]|\[[^\]]*\])+):(\d+)$/.exec(word);
  const [, pattern = word, port] = bracketed ?? plain ?? [];
  const from = start + (bracketed ? 1 : 0);
  const names = pattern.includes("[") || pattern.includes("]") ? expandPattern(pattern) : [pattern];
  return { pattern, names, port, start: from, end: from + pattern.length, quoted: raw !== word };
}

/** @throws Refusal always, naming the line and what to do about it. */
export function refuse(line: number, why: string, remedy = "mend it, then try again"): never {
  throw new Refusal(`inventory line ${line} ${why}; ${remedy}`);
}
