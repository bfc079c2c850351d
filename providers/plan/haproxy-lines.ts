import { splitLines, type TextLine } from "./text-lines.ts";

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
export interface ConfigLine extends LinePlace {
  /** The first word, or empty. */
  readonly keyword: string;
  readonly words: readonly Word[];
  /** A quote is opened and never closed: haproxy refuses the file, and the words are a guess. */
  readonly unbalanced: boolean;
}

/** What a line is before anybody reads its words. */
export interface LinePlace extends TextLine {
  readonly file: ConfigFile;
  /** 1-based, within its file. */
  readonly number: number;
  readonly section: Section;
  /** Stands between `.if` and `.endif`: whether haproxy reads it is decided at start. */
  readonly conditional: boolean;
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
    return splitLines(file.text).map(({ body, eol }, index) => {
      const keyword = keywordOf(body);
      if (SECTIONS.has(keyword)) section = open(wordsOf(body).words.map((word) => word.value));
      if (keyword === ".if") depth++;
      const conditional = depth > 0;
      if (keyword === ".endif") depth = Math.max(0, depth - 1);
      return new ReadLine(keyword, { file, number: index + 1, body, eol, section, conditional });
    });
  });
}

/** Most lines of a file are only asked for their first word: the others are read when somebody wants them. */
class ReadLine implements ConfigLine {
  readonly keyword: string;
  readonly file: ConfigFile;
  readonly number: number;
  readonly body: string;
  readonly eol: string;
  readonly section: Section;
  readonly conditional: boolean;
  #read: ReturnType<typeof wordsOf> | undefined;

  constructor(keyword: string, place: LinePlace) {
    this.keyword = keyword;
    this.file = place.file;
    this.number = place.number;
    this.body = place.body;
    this.eol = place.eol;
    this.section = place.section;
    this.conditional = place.conditional;
  }

  get words(): readonly Word[] {
    return (this.#read ??= wordsOf(this.body)).words;
  }

  get unbalanced(): boolean {
    return /["']/.test(this.body) && (this.#read ??= wordsOf(this.body)).unbalanced;
  }
}

/** A line that no file has, or not there. */
export const lineAt = (place: LinePlace): ConfigLine => new ReadLine(keywordOf(place.body), place);

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
  return /["'\\#]/.test(body) ? quotedWords(body) : { words: plainWords(body), unbalanced: false };
}

/** Character by character: a file has some hundred thousand, and most lines neither quotes nor a comment. */
function plainWords(body: string): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < body.length; at++) {
    const start = at;
    while (at < body.length && !isSpace(body.charCodeAt(at))) at++;
    if (at > start) words.push({ value: body.slice(start, at), start, end: at });
  }
  return words;
}

/** As C's isspace: blank, tab, and what ends lines. */
const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);

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

/** The lines of each file, or of each section: whatever `of` tells of a line. */
export function groupLines<K>(lines: readonly ConfigLine[], of: (line: ConfigLine) => K): Map<K, ConfigLine[]> {
  const groups = new Map<K, ConfigLine[]>();
  for (const line of lines) {
    const key = of(line);
    const group = groups.get(key);
    if (group) group.push(line);
    else groups.set(key, [line]);
  }
  return groups;
}
