/** Steps as people read them: a numbered list with commands, and unified diffs with what looks secret masked. */
import { createTwoFilesPatch } from "diff";
import { escapeControls } from "./quote.ts";
import type { Edit, Step } from "./steps.ts";

const secretWord =
  "(?:pass(?:word|phrase|wd)?|secret|token|auth(?:entication|orization)?|encryption|credential|private|api_?key|bindpw)";
const keyed = new RegExp(
  String.raw`(["']?[\w.-]*${secretWord}[\w.-]*["']?(?:\s*[:=]\s*|\s+))("(?:\\.|[^"\\])*"|'[^']*'|\S.*?(?=\s+[\w.-]+=|$))`,
  "gi",
);

/**
 * Masks what looks secret in a line, keeping its key: `bindPassword: x`, `stats auth u:p`, `key='x'`, a URL's password,
 * long runs of base64. Rather too much than too little.
 */
export function maskLine(line: string): string {
  if (/-----BEGIN|^[+\- ]?\s*[A-Za-z0-9+/=]{60,}$/.test(line)) return `${line.slice(0, 1)}[masked]`;
  return line
    .replace(/(:\/\/[^\s/:@]*:)[^\s@]+@/g, "$1[masked]@")
    .replace(/[A-Za-z0-9+/=]{60,}/g, "[masked]")
    .replace(keyed, "$1[masked]");
}

/** Masks lines of a diff; what stands between BEGIN and END of a key is masked whole. */
function maskLines(lines: readonly string[]): string[] {
  let inside = false;
  return lines.map((line) => {
    const begins = line.includes("-----BEGIN");
    inside ||= begins;
    const shown = inside ? `${line.slice(0, 1)}[masked]` : maskLine(line);
    if (line.includes("-----END")) inside = false;
    return shown;
  });
}

/** The unified diff of an edit with two lines of context, masked, safe for a terminal. */
export function diffOf(edit: Edit): string {
  const { path, text } = edit.before;
  const patch = createTwoFilesPatch(path, path, text, edit.after, "", "", { context: 2 });
  const [from = "", to = "", ...rest] = patch
    .split("\n")
    .filter((line) => line !== "" && !/^(Index: |===|\\ No newline)/.test(line));
  return [from.trimEnd(), to.trimEnd(), ...maskLines(rest).map(shorten)].map((line) => escapeControls(line)).join("\n");
}
const shorten = (line: string): string => (line.length > 500 ? `${line.slice(0, 500)}…` : line);

export const editsOf = (step: Step): Edit[] => ("edit" in step ? [step.edit] : []);

/** What identifies a step from one run to the next. */
export const labelOf = (step: Step): string => `${step.host}: ${step.title}`;

/** The plan of a resource, ready to be printed. */
export function render(steps: readonly Step[]): string {
  return steps
    .map((step, n) => {
      const commands = (step.commands ?? []).map((command) => `\n       $ ${escapeControls(command)}`);
      const diffs = editsOf(step).map(
        (edit) =>
          `\n${diffOf(edit)
            .split("\n")
            .map((line) => `       ${line}`)
            .join("\n")}`,
      );
      return `  ${n + 1}. ${escapeControls(labelOf(step))}${commands.join("")}${diffs.join("")}`;
    })
    .join("\n");
}
