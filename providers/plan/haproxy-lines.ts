import { keywordOf, valuesOf, wordsOf } from "./haproxy-words.ts";
import { mapLines, type TextLine } from "./text-lines.ts";

/** A file that haproxy reads; several come in the order of its command line. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
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
/** What a file has before its first section. */
const NO_SECTION: Section = { kind: "", name: "", title: "", occurrence: 0, defaults: undefined };

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
    const parent = kind === "defaults" && name === "from" ? more[0] : more[more.indexOf("from") + 1 || more.length];
    const base = parent === undefined ? undefined : named.get(parent);
    const section = { kind, name, title, occurrence, defaults: base ?? (kind === "defaults" ? undefined : last) };
    if (kind === "defaults") {
      last = section;
      named.set(name, section);
    }
    return section;
  };
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
