import { Refusal } from "./refusal.ts";

/** What a shell takes as it stands. `=` is missing on purpose: `a=b` in front of a command is an assignment. */
const plain = /^[A-Za-z0-9_@%+:,./-]+$/;

/**
 * One word for a POSIX shell, whatever it holds.
 * @throws Refusal for NUL (no argument can hold it) and lone surrogates (no UTF-8 for them).
 */
export function quote(word: string): string {
  if (word.includes("\0")) throw new Refusal(`refusing to quote ${escapeControls(word)}: a shell word cannot hold NUL`);
  if (/\p{Surrogate}/u.test(word)) throw new Refusal("refusing to quote a word that is not well-formed Unicode");
  return plain.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** What may be interpolated into `sh`; an array becomes several words. */
export type ShellValue = string | number | readonly string[];

/**
 * A piece of shell with every interpolated value quoted: sh`mv -- ${from} ${to}`.
 * @throws Refusal as `quote` does.
 */
export function sh(parts: TemplateStringsArray, ...values: readonly ShellValue[]): string {
  return parts.reduce((text, part, i) => text + words(values[i - 1] ?? []) + part);
}

function words(value: ShellValue): string {
  return typeof value === "object" ? value.map(quote).join(" ") : quote(String(value));
}

/** C0, DEL and C1; line and paragraph separators; what turns the direction of writing. */
const controls = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Text of a host made safe to show in a terminal: control characters become `\xNN`, bidi overrides `\uNNNN`.
 * @param keepLayout keep newline and tab as they are
 */
export function escapeControls(text: string, keepLayout = false): string {
  return text.replace(controls, (c) => {
    if (keepLayout && (c === "\n" || c === "\t")) return c;
    const code = c.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** The first of them, and how many more there are: `a, b and 3 more`. */
export const shortened = (all: readonly string[], most: number): string =>
  all.length <= most ? all.join(", ") : `${all.slice(0, most).join(", ")} and ${all.length - most} more`;

/** Longer lines are cut, so that a JSON document on one line does not fill the screen. */
const longest = 400;

/** The last `n` lines of a text, blank ones at its end left out; each cut to 400 characters. */
export function lastLines(text: string, n: number): string[] {
  const lines = text.trimEnd().split(/\r?\n/);
  if (lines.length === 1 && lines[0] === "") return [];
  return lines.slice(Math.max(0, lines.length - n)).map((l) => (l.length > longest ? `${l.slice(0, longest)}…` : l));
}
