import { type Pattern, patternOf } from "./inventory-address.ts";
import type { Value, Variables } from "./inventory-groups.ts";
import { type InventoryWord, wordsOf } from "./inventory-words.ts";
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
export interface HostEntry extends Pattern {
  /** Values with the quotes of the line undone. */
  readonly variables: Variables;
  /** Place of the pattern in the line's body. */
  readonly start: number;
  readonly end: number;
  /** The pattern has quotes or escapes within, so its place does not hold it as it reads. */
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
  readonly variable?: readonly [key: string, value: Value];
}

const HEADER = /^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$/;
const GROUP = /^([^:\]\s]+)\s*(?:#.*)?$/;
const KINDS: Record<string, IniSection["kind"]> = { hosts: "hosts", children: "children", vars: "vars" };
/** To Ansible (Python's `splitlines` and `strip`) these end a line, or are (U+FEFF) or are not (U+001F) part of a word. */
const STRAY = /[\x0b-\x0d\x1c-\x1f\x85\u2028\u2029\ufeff]/;

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
    if (STRAY.test(body)) refuseStray(body, number);
    if (content.startsWith("$ANSIBLE_VAULT")) refuse(number, "is encrypted by ansible-vault", "decrypt the file first");
    if (content === "" || content.startsWith("#") || content.startsWith(";")) return { number, body, eol, section };
    const header = content.startsWith("[") ? HEADER.exec(content) : null;
    if (header) {
      section = sectionOf(header, number, counts);
      return { number, body, eol, section };
    }
    if (content.startsWith("[") && content.endsWith("]")) refuse(number, "is no section header");
    return { number, body, eol, section, ...declared(body, number, section) };
  });
}

function refuseStray(body: string, line: number): never {
  const code = STRAY.exec(body)?.[0].charCodeAt(0) ?? 0;
  const character = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return refuse(line, `holds the character ${character}, which Ansible may take for the end of a line`, "take it out");
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

function declared(
  body: string,
  line: number,
  { kind, group }: IniSection,
): Pick<IniLine, "host" | "child" | "variable"> {
  if (kind === "hosts") return { host: hostOf(body, line) };
  const content = body.trim();
  if (kind === "children")
    return { child: GROUP.exec(content)?.[1] ?? refuse(line, `of [${group}:children] is no group name`) };
  const at = content.indexOf("=");
  if (at < 0) refuse(line, `of [${group}:vars] has no "="`);
  return { variable: [content.slice(0, at).trim(), { form: "ini", text: content.slice(at + 1).trim() }] };
}

const NO_VARIABLES: Variables = new Map();

function hostOf(body: string, line: number): HostEntry {
  const indent = body.length - body.trimStart().length;
  try {
    const words = wordsOf(body.trim());
    const first = words[0];
    if (!first || first.value === "") throw new SyntaxError("no host name");
    const found = patternOf(first.value);
    if (first.value.trim() === "---" || (first.value.trim().endsWith(":") && found.port === undefined))
      throw new SyntaxError(`${first.value} looks like YAML`);
    const variables = words.length === 1 ? NO_VARIABLES : assigned(words);
    const written = body.slice(indent + first.start, indent + first.end);
    const inQuotes = written === `"${first.value}"` || written === `'${first.value}'`;
    const start = indent + first.start + found.at + (inQuotes ? 1 : 0);
    const quoted = written !== first.value && !inQuotes;
    return { ...found, variables, start, end: start + found.pattern.length, quoted };
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError)
      refuse(line, `cannot be understood: ${error.message}`);
    throw error;
  }
}

/** Those behind the host name. */
function assigned(words: readonly InventoryWord[]): Variables {
  const found = new Map<string, Value>();
  for (let n = 1; n < words.length; n += 1) {
    const word = words[n]?.value ?? "";
    const at = word.indexOf("=");
    if (at < 0) throw new SyntaxError(`a word behind the host name that is not key=value`);
    found.set(word.slice(0, at), { form: "ini", text: word.slice(at + 1) });
  }
  return found;
}

/** @throws Refusal always, naming the line and what to do about it; what else stands there may be a password. */
export function refuse(line: number, why: string, remedy = "mend it, then try again"): never {
  throw new Refusal(`inventory line ${line} ${why}; ${remedy}`);
}
