import { splitLines } from "./text-lines.ts";

/** A word of a line as haproxy sees it: quotes and escapes undone, with its place in the line's bytes. */
export interface Word {
  readonly value: string;
  readonly start: number;
  readonly end: number;
  /** Holds `$NAME` in double quotes: only haproxy's own environment tells what it says. */
  readonly fromEnvironment: boolean;
}

/** A line of haproxy.cfg with the section it stands in. */
export interface ConfigLine {
  /** 1-based. */
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

/** A section: its keyword and name (`backend mgmt8443`), and which of that title it is in the file. */
export interface Section {
  readonly kind: string;
  readonly name: string;
  readonly title: string;
  /** 0-based among the sections of the same title: haproxy 1.5 only warns about two. */
  readonly occurrence: number;
}

const SECTIONS =
  /^(?:global|defaults|frontend|backend|listen|peers|mailers|userlist|resolvers|program|cache|http-errors|ring|log-forward|log-profile|fcgi-app|crt-store|traces|acme)$/;
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

/**
 * The file's lines, each with its words and its section. Source: haproxy configuration manual, "Configuration file
 * format" and "Quoting and escaping". Before 1.6 quotes were plain characters; no server line of 1.5 holds one.
 */
export function readConfig(config: string): ConfigLine[] {
  const seen = new Map<string, number>();
  let section: Section = { kind: "", name: "", title: "", occurrence: 0 };
  let depth = 0;
  return splitLines(config).map(({ body, eol }, index) => {
    const { words, unbalanced } = wordsOf(body);
    const keyword = words[0]?.value ?? "";
    if (SECTIONS.test(keyword)) section = sectionOf(words, seen);
    if (keyword === ".if") depth++;
    const conditional = depth > 0;
    if (keyword === ".endif") depth = Math.max(0, depth - 1);
    return { number: index + 1, body, eol, words, unbalanced, section, conditional };
  });
}

function sectionOf(words: readonly Word[], seen: Map<string, number>): Section {
  const [kind = "", name = ""] = words.map((word) => word.value);
  const title = name === "" ? kind : `${kind} ${name}`;
  const occurrence = seen.get(title) ?? 0;
  seen.set(title, occurrence + 1);
  return { kind, name, title, occurrence };
}

/** The words of one line, as haproxy's own reader splits them; a `#` outside quotes ends the line, even inside a word. */
export function wordsOf(body: string): { words: Word[]; unbalanced: boolean } {
  const words: Word[] = [];
  let open: { value: string; start: number; fromEnvironment: boolean } | undefined;
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
    open ??= { value: "", start: at, fromEnvironment: false };
    const escaped = char === "\\" && quote !== "'" ? ESCAPED[body.charAt(at + 1)] : undefined;
    if (escaped !== undefined) {
      open.value += escaped;
      at++;
    } else if (char === quote) quote = "";
    else if (quote === "" && (char === '"' || char === "'")) quote = char;
    else {
      open.fromEnvironment ||= quote === '"' && char === "$";
      open.value += char;
    }
  }
  close();
  return { words, unbalanced: quote !== "" };
}
