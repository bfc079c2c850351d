/** A word of a host line, quotes and escapes undone, with its place in the line. */
export interface InventoryWord {
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Splits a host line as Ansible does, which is Python's `shlex.split(line, comments=True)`: a `#` outside quotes ends
 * the line even inside a word, a backslash is literal in single quotes and, in double quotes, before anything but
 * `"` and itself.
 * @throws SyntaxError for an open quote or a backslash at the end; the caller knows the line.
 */
export const wordsOf = (body: string): InventoryWord[] => ordinary(body) ?? anyWords(body);

/** Plain characters, then perhaps one pair of quotes up to the word's end. */
const WORD = /[^ \t"'\\#]*(?:"[^"\\]*"|'[^']*')?(?=[ \t]|$)/y;

/** Nearly every line, in a fraction of the time. Undefined for one with anything else. */
function ordinary(body: string): InventoryWord[] | undefined {
  const words: InventoryWord[] = [];
  for (let start = 0; start < body.length; start += 1) {
    if (body.charAt(start) === " " || body.charAt(start) === "\t") continue;
    WORD.lastIndex = start;
    if (!WORD.test(body)) return undefined;
    const end = WORD.lastIndex;
    words.push({ value: unquoted(body.slice(start, end)), start, end });
    start = end;
  }
  return words;
}

function unquoted(word: string): string {
  const quote = word.at(-1) ?? "";
  return quote === '"' || quote === "'" ? word.slice(0, -1).replace(quote, "") : word;
}

function anyWords(body: string): InventoryWord[] {
  const words: InventoryWord[] = [];
  let open: { value: string; start: number } | undefined;
  let quote = "";
  let at = 0;
  const close = (): void => {
    if (open) words.push({ ...open, end: at });
    open = undefined;
  };
  while (at < body.length) {
    const char = body.charAt(at);
    if (quote === "" && char === "#") break;
    if (quote === "" && (char === " " || char === "\t")) close();
    else {
      open ??= { value: "", start: at };
      const plain = plainRun(body, at);
      if (plain > at) {
        open.value += body.slice(at, plain);
        at = plain;
        continue;
      }
      if (char === quote) quote = "";
      else if (quote === "" && (char === '"' || char === "'")) quote = char;
      else if (escapes(char, body.charAt(at + 1), quote)) open.value += body.charAt(++at);
      else open.value += char;
    }
    at += 1;
  }
  close();
  if (quote !== "") throw new SyntaxError("a quote that is never closed");
  return words;
}

const SPECIAL = /[ \t"'\\#]/g;

/** Behind the characters from there on that mean themselves, in quotes or not. */
function plainRun(body: string, from: number): number {
  SPECIAL.lastIndex = from;
  return SPECIAL.exec(body)?.index ?? body.length;
}

function escapes(char: string, next: string, quote: string): boolean {
  if (char !== "\\" || quote === "'") return false;
  if (next === "") throw new SyntaxError("a backslash at its end");
  return quote === "" || next === "\\" || next === '"';
}
