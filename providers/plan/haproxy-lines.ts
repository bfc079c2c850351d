import { mapLines, type TextLine } from "./text-lines.ts";

/** A file that haproxy reads; several come in the order of its command line. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

/** A word of a line as haproxy sees it: quotes and escapes undone, with its place in the line's bytes. */
export interface Word {
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

/** A line of haproxy's configuration with the section it stands in. */
export interface ConfigLine extends TextLine {
  readonly file: ConfigFile;
  /** 1-based, within its file. */
  readonly number: number;
  readonly section: Section;
  /** Stands between `.if` and `.endif`: whether haproxy reads it is decided at start. */
  readonly conditional: boolean;
  /** The first word, or empty. */
  readonly keyword: string;
  /** Quotes and escapes undone; `wordsOf` tells where they stand. */
  readonly words: readonly string[];
  /** A quote is opened and never closed: haproxy refuses the file, and the words are a guess. */
  readonly unbalanced: boolean;
}

/** A section: its keyword and name (`backend mgmt8443`), and which of that title it is. */
export interface Section {
  readonly kind: string;
  readonly name: string;
  readonly title: string;
  /** 0-based among the sections of the same title in all files: haproxy 1.5 only warns about two. */
  readonly occurrence: number;
  /** The `defaults` section it takes its settings from. */
  readonly defaults: Section | undefined;
}

const SECTIONS = new Set(
  (
    "global defaults frontend backend listen peers mailers userlist resolvers program cache http-errors ring " +
    "log-forward log-profile fcgi-app crt-store traces acme"
  ).split(" "),
);
const ESCAPED: Record<string, string> = {
  " ": " ",
  "#": "#",
  "\\": "\\",
  '"': '"',
  "'": "'",
  n: "\n",
  r: "\r",
  t: "\t",
};
/** What a file has before its first section. */
const NO_SECTION: Section = { kind: "", name: "", title: "", occurrence: 0, defaults: undefined };

/** The lines of a text that came without a path; see `readFiles`. */
export function readConfig(config: string): ConfigLine[] {
  return readFiles([asFile(config)]);
}

/** A text that came without a path. */
export const asFile = (text: string): ConfigFile => ({ path: "haproxy.cfg", text });

/**
 * The lines of all files, each with its words and its section. No section and no `.if` reaches into the next file;
 * `defaults` hold for the files that follow. Source: haproxy configuration manual, "Configuration file format" and
 * "Quoting and escaping". Before 1.6 quotes were plain characters; no server line of 1.5 holds one.
 */
export function readFiles(files: readonly ConfigFile[]): ConfigLine[] {
  const open = sectionOpener();
  return files.flatMap((file) => {
    let section = NO_SECTION;
    let depth = 0;
    let number = 0;
    return mapLines(file.text, (body, eol) => {
      const keyword = keywordOf(body);
      if (SECTIONS.has(keyword)) section = open(wordsOf(body).words.map((word) => word.value));
      if (keyword === ".if") depth++;
      const conditional = depth > 0;
      if (keyword === ".endif") depth = Math.max(0, depth - 1);
      return new ReadLine(body, eol, { file, number: ++number, section }, keyword, conditional);
    });
  });
}

/** Where a line stands. */
type LinePlace = Pick<ConfigLine, "file" | "number" | "section">;

/**
 * Most lines of a file are only asked for their first word: the others are read when somebody wants them, and not kept
 * (of 20,000 lines, moving them about in memory cost more than reading them again).
 */
class ReadLine implements ConfigLine {
  readonly body: string;
  readonly eol: string;
  readonly file: ConfigFile;
  readonly number: number;
  readonly section: Section;
  readonly keyword: string;
  readonly conditional: boolean;

  constructor(body: string, eol: string, { file, number, section }: LinePlace, keyword: string, conditional: boolean) {
    this.body = body;
    this.eol = eol;
    this.file = file;
    this.number = number;
    this.section = section;
    this.keyword = keyword;
    this.conditional = conditional;
  }

  get words(): readonly string[] {
    return valuesOf(this.body);
  }

  get unbalanced(): boolean {
    return /["']/.test(this.body) && wordsOf(this.body).unbalanced;
  }
}

/** A line as it would be read there. */
export const lineAt = (line: TextLine, place: LinePlace): ConfigLine =>
  new ReadLine(line.body, line.eol, place, keywordOf(line.body), false);

/** Makes a section of each header, in order: titles are counted, and `from NAME` or the nearest `defaults` above hold. */
function sectionOpener(): (words: readonly string[]) => Section {
  const seen = new Map<string, number>();
  const named = new Map<string, Section>();
  let last: Section | undefined;
  return ([kind = "", name = "", ...more]) => {
    const title = name === "" ? kind : `${kind} ${name}`;
    const occurrence = seen.get(title) ?? 0;
    seen.set(title, occurrence + 1);
    const from = [name, ...more].indexOf("from");
    const base = from < 0 ? undefined : named.get(more[from] ?? "");
    const section = { kind, name, title, occurrence, defaults: base ?? (kind === "defaults" ? undefined : last) };
    if (kind === "defaults") {
      last = section;
      named.set(name, section);
    }
    return section;
  };
}

function keywordOf(body: string): string {
  let start = 0;
  while (start < body.length && isSpace(body.charCodeAt(start))) start++;
  let end = start;
  while (end < body.length && !isSpace(body.charCodeAt(end)) && !isSpecial(body.charCodeAt(end))) end++;
  return end < body.length && isSpecial(body.charCodeAt(end))
    ? (wordsOf(body).words[0]?.value ?? "")
    : body.slice(start, end);
}

/** Quotes, backslash and `#`. */
const isSpecial = (code: number): boolean => code === 34 || code === 39 || code === 92 || code === 35;

/** The words of one line, as haproxy's own reader splits them; a `#` outside quotes ends the line, even inside a word. */
export function wordsOf(body: string): { words: Word[]; unbalanced: boolean } {
  return SPECIAL.test(body) ? quotedWords(body) : { words: plainWords(body), unbalanced: false };
}

const SPECIAL = /["'\\#]/;

function valuesOf(body: string): string[] {
  return SPECIAL.test(body)
    ? quotedWords(body).words.map((word) => word.value)
    : body.split(SPACES).filter((word) => word !== "");
}

/** As C's isspace: blank, tab, and what ends lines. */
const SPACES = /[ \t\n\v\f\r]+/;
const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);

function plainWords(body: string): Word[] {
  return [...body.matchAll(/[^ \t\n\v\f\r]+/g)].map(({ 0: value, index }) => ({
    value,
    start: index,
    end: index + value.length,
  }));
}

function quotedWords(body: string): { words: Word[]; unbalanced: boolean } {
  const words: Word[] = [];
  let open: { value: string; start: number } | undefined;
  let quote = "";
  let at = 0;
  const close = (): void => {
    if (open) words.push({ ...open, end: at });
    open = undefined;
  };
  for (; at < body.length; at++) {
    const char = body.charAt(at);
    if (quote === "" && char === "#") break;
    if (quote === "" && isSpace(body.charCodeAt(at))) {
      close();
      continue;
    }
    open ??= { value: "", start: at };
    const escaped = char === "\\" && quote !== "'" ? ESCAPED[body.charAt(at + 1)] : undefined;
    if (escaped !== undefined) {
      open.value += escaped;
      at++;
    } else if (char === quote) quote = "";
    else if (quote === "" && (char === '"' || char === "'")) quote = char;
    else open.value += char;
  }
  close();
  return { words, unbalanced: quote !== "" };
}

/** The items of each group, in order: lines of a file or section, servers of a section. */
export function groupBy<T, K>(items: readonly T[], of: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = of(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
