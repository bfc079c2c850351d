import { splitLines } from "./text-lines.ts";

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
export interface ConfigLine {
  readonly file: ConfigFile;
  /** 1-based, within its file. */
  readonly number: number;
  readonly body: string;
  readonly eol: string;
  readonly words: readonly Word[];
  /** A quote is opened and never closed: haproxy refuses the file, and the words are a guess. */
  readonly unbalanced: boolean;
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
      const { words, unbalanced } = wordsOf(body);
      const keyword = words[0]?.value ?? "";
      if (SECTIONS.has(keyword)) section = open(words.map((word) => word.value));
      if (keyword === ".if") depth++;
      const conditional = depth > 0;
      if (keyword === ".endif") depth = Math.max(0, depth - 1);
      return { file, number: index + 1, body, eol, words, unbalanced, section, conditional };
    });
  });
}

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

/** The words of one line, as haproxy's own reader splits them; a `#` outside quotes ends the line, even inside a word. */
export function wordsOf(body: string): { words: Word[]; unbalanced: boolean } {
  return /["'\\#]/.test(body) ? quotedWords(body) : { words: plainWords(body), unbalanced: false };
}

function plainWords(body: string): Word[] {
  const words: Word[] = [];
  const word = /\S+/g;
  for (let found = word.exec(body); found; found = word.exec(body)) {
    words.push({ value: found[0], start: found.index, end: word.lastIndex });
  }
  return words;
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
    if (quote === "" && /\s/.test(char)) {
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
