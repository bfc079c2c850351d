/** A line of haproxy's configuration as words. Most have neither quotes nor a comment: those are read the short way. */

/** A word of a line as haproxy sees it: quotes and escapes undone, with its place in the line's bytes. */
export interface Word {
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

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

/** The first word of a line, or empty. */
export function keywordOf(body: string): string {
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

/** The words of a line, quotes and escapes undone. */
export function valuesOf(body: string): string[] {
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
