/**
 * Finds, in a file that a shell sources (etcd.conf, flanneld, master.env), the assignment of a key that takes effect —
 * the last one — and takes items out of its comma-separated value. Every byte outside that value stays as it is.
 * What cannot be read without running a shell (expansions, conditionals, values over several lines) is refused.
 */
import { Refusal } from "./refusal.ts";

/** A run of the value inside one kind of quotes. */
interface Piece {
  readonly quote: string;
  readonly text: string;
}

/** The assignment that takes effect. */
export interface Assignment {
  readonly key: string;
  /** 1-based line number. */
  readonly line: number;
  /** Offsets in the whole text of the value as written: with its quotes, without a trailing comment or line end. */
  readonly start: number;
  readonly end: number;
  /** The value as the shell sees it, without quotes. */
  readonly value: string;
  readonly pieces: readonly Piece[];
}

/** A word of a line as written; `operator` is one of `;`, `&`, `|`, `(`, `)`, `<`, `>`. */
interface Token {
  readonly kind: "word" | "operator";
  readonly raw: string;
  readonly column: number;
}

/** One physical line, with what the lines before it left open. */
interface Line {
  readonly number: number;
  readonly offset: number;
  readonly tokens: readonly Token[];
  /** The line without its comment and line end. */
  readonly code: string;
  /** It begins inside a quoted value, or continues the line before it. */
  readonly carried: boolean;
  /** What it leaves open: a quote, or `\` when it continues on the next line. */
  readonly open: string;
  /** Conditionals, loops, functions and here-documents around it. */
  readonly depth: number;
}

const WORD = /(?:[^ \t'"\\;&|()<>]|'[^']*'|"(?:\\.|[^"\\])*"|\\.)+/y;
const QUOTED = /'[^']*'|"(?:\\.|[^"\\])*"/g;
const OPENERS = new Set(["if", "for", "while", "until", "case", "select", "function", "{"]);
const CLOSERS = new Set(["fi", "done", "esac", "}"]);
const LEADS_COMMAND = new Set([
  "then",
  "do",
  "else",
  "elif",
  "!",
  "if",
  "while",
  "until",
  "{",
  ";",
  "&",
  "|",
  "(",
  ")",
]);

/**
 * The last assignment of `key`, or undefined when no line assigns it.
 * @throws Refusal naming line and key when the last line that could set it is not a plain `KEY=value`.
 */
export function effectiveAssignment(text: string, key: string): Assignment | undefined {
  const last = scanLines(text).findLast((line) => concerns(line, key));
  if (last === undefined) return undefined;
  const reason = obstacle(last, key);
  if (reason !== undefined) {
    throw new Refusal(
      `line ${last.number}: cannot tell what ${key} is set to: ${reason}; write it as one plain ${key}=value line`,
    );
  }
  return assignmentOn(last, key);
}

/** What `dropItems` leaves: the whole text, the items taken out, and the items (not blank) that stay. */
export interface DroppedItems {
  readonly text: string;
  readonly dropped: readonly string[];
  readonly left: readonly string[];
}

/** Items of a comma-separated value, trimmed; a blank item (a trailing comma) is none. */
export function itemsOf(value: string): string[] {
  return value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Takes the items that `leaves` says yes to, each with one comma, out of the value; quotes and the other items stay. */
export function dropItems(text: string, assignment: Assignment, leaves: (item: string) => boolean): DroppedItems {
  const items = assignment.value.split(",");
  const goes = items.map((item) => item.trim() !== "" && leaves(item.trim()));
  const dropped = items.filter((_, index) => goes[index]).map((item) => item.trim());
  const left = itemsOf(items.filter((_, index) => !goes[index]).join(","));
  if (dropped.length === 0) return { text, dropped, left };
  const value = render(assignment.pieces, keptCharacters(items, goes));
  return { text: text.slice(0, assignment.start) + value + text.slice(assignment.end), dropped, left };
}

/** For every character of the joined items whether it stays. A comma goes with the item before it; the last item takes the comma that would dangle. */
function keptCharacters(items: readonly string[], goes: readonly boolean[]): boolean[] {
  const lastKept = goes.lastIndexOf(false);
  return items.flatMap((item, index) => {
    const keep = goes[index] !== true;
    const comma = index < items.length - 1 ? [keep && index !== lastKept] : [];
    return [...new Array<boolean>(item.length).fill(keep), ...comma];
  });
}

/** Quotes that held something and hold nothing now go as well, unless they are all that is left of the value. */
function render(pieces: readonly Piece[], kept: readonly boolean[]): string {
  let offset = 0;
  const parts = pieces.map(({ quote, text }) => {
    const rest = text.replace(/[^]/g, (char, index: number) => (kept[offset + index] === true ? char : ""));
    offset += text.length;
    return { quote, rest, emptied: rest === "" && text !== "" };
  });
  const written = parts.filter((part) => !part.emptied).map(({ quote, rest }) => quote + rest + quote);
  return written.length > 0 ? written.join("") : (pieces[0]?.quote ?? "").repeat(2);
}

/** Whether the line could decide what the key is set to. Another key's value may mention it; `export KEY` sets nothing. */
function concerns(line: Line, key: string): boolean {
  if (!new RegExp(`(?<![A-Za-z0-9_])${key}(?![A-Za-z0-9_])`).test(line.code)) return false;
  if (line.carried || line.open !== "" || line.tokens.some((token) => token.kind === "operator")) return true;
  const words = line.tokens.map((token) => token.raw);
  if (words[0] === "export" && words.slice(1).every((word) => word === key)) return false;
  const assigned = (words[0] === "export" ? words.slice(1) : words).map((word) => /^(\w+)\+?=/.exec(word)?.[1]);
  return assigned.some((name) => name === undefined || name === key);
}

/** Why the line cannot be edited, or undefined when it is a plain assignment. */
function obstacle(line: Line, key: string): string | undefined {
  const { raw = "" } = target(line) ?? {};
  const live = line.code.replace(QUOTED, (quoted) => (quoted.startsWith("'") ? "" : quoted));
  if (line.carried) return "it stands in a value or command that began on an earlier line";
  if (
    line.code
      .trimStart()
      .replace(/^export[ \t]+/, "")
      .startsWith(`${key}+=`)
  )
    return `${key}+= appends to an earlier value`;
  if (line.open === "\\") return "a backslash continues it on the next line";
  if (line.open !== "") return `its quotes (${line.open}) are not balanced`;
  if (/[$`]/.test(live)) return "it holds a shell expansion ($ or backtick)";
  if (!raw.startsWith(`${key}=`)) return "the line holds more than one command or word";
  if (line.depth > 0) return "it stands inside a conditional, loop, function or here-document";
  if (live.includes("\\")) return "its value holds a backslash";
  return undefined;
}

/** The word that assigns, when it is alone on the line or alone behind `export`. */
function target(line: Line): Token | undefined {
  const [first, second] = line.tokens;
  if (line.tokens.length === 1) return first;
  return line.tokens.length === 2 && first?.raw === "export" && second?.kind === "word" ? second : undefined;
}

function assignmentOn(line: Line, key: string): Assignment | undefined {
  const word = target(line);
  if (word === undefined) return undefined;
  const written = word.raw.slice(key.length + 1);
  const start = line.offset + word.column + key.length + 1;
  const pieces = [...written.matchAll(/(['"])([^]*?)\1|[^'"]+/g)].map(([all, quote = "", inner]) => ({
    quote,
    text: inner ?? all,
  }));
  const value = pieces.map((piece) => piece.text).join("");
  return { key, line: line.number, start, end: start + written.length, value, pieces };
}

function scanLines(text: string): Line[] {
  const lines: Line[] = [];
  let offset = 0;
  let open = "";
  let depth = 0;
  for (const [index, whole] of text.split("\n").entries()) {
    const line: Line = {
      number: index + 1,
      offset,
      carried: open !== "",
      depth,
      ...scan(whole.replace(/\r$/, ""), open),
    };
    lines.push(line);
    offset += whole.length + 1;
    open = line.open;
    depth = depthAfter(line.tokens, depth);
  }
  return lines;
}

/** Words and operators of one line that begins inside `open`; stops at a comment or at what does not close on it. */
function scan(line: string, open: string): Pick<Line, "tokens" | "code" | "open"> {
  const tokens: Token[] = [];
  let at = open === "" || open === "\\" ? 0 : afterQuote(line, open);
  if (at < 0) return { tokens, code: line, open };
  while (at < line.length) {
    const char = line.charAt(at);
    WORD.lastIndex = at;
    if (char === "#" && !/[^ \t;&|()<>]/.test(line.charAt(at - 1)))
      return { tokens, code: line.slice(0, at), open: "" };
    const word = ";&|()<>".includes(char) ? null : WORD.exec(line);
    if (word !== null) tokens.push({ kind: "word", raw: word[0], column: at });
    else if (/['"\\]/.test(char)) return { tokens, code: line, open: char };
    else if (!/[ \t]/.test(char)) tokens.push({ kind: "operator", raw: char, column: at });
    at += word?.[0].length ?? 1;
  }
  return { tokens, code: line, open: "" };
}

/** The column behind the quote that closes here, -1 when none does. */
function afterQuote(line: string, quote: string): number {
  const closing = quote === "'" ? /^[^']*'/ : /^(?:\\.|[^"\\])*"/;
  return closing.exec(line)?.[0].length ?? -1;
}

/** Nesting after the line. A here-document is not read to its end: nothing after it is trusted. */
function depthAfter(tokens: readonly Token[], before: number): number {
  let depth = before;
  let command = true;
  for (const [index, { kind, raw }] of tokens.entries()) {
    if (raw === "<" && tokens[index + 1]?.raw === "<") return Infinity;
    const opens = raw === "(" || (command && OPENERS.has(raw));
    const closes = (raw === ")" && tokens.some((token) => token.raw === "(")) || (command && CLOSERS.has(raw));
    depth = Math.max(0, depth + (opens ? 1 : 0) - (closes ? 1 : 0));
    command = LEADS_COMMAND.has(raw) || (command && kind === "word" && /^\w+\+?=/.test(raw));
  }
  return depth;
}
