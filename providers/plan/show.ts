/** Steps as people read them: a numbered list with commands, and unified diffs with what looks secret masked. */
import { createTwoFilesPatch } from "diff";
import { escapeControls } from "./quote.ts";
import type { Edit, Step } from "./steps.ts";

const secretWord =
  /(pass(word|phrase|wd)?|secret|token|auth(entication|orization)?|encryption|credential|private|api_?key|bindpw)/i;

/** Masks the value of a line whose key looks secret (`bindPassword: x`, `stats auth u:p`, `key='x'`), keeping the key. */
export function maskLine(line: string): string {
  if (/-----BEGIN|^[+\- ]?\s*[A-Za-z0-9+/=]{60,}$/.test(line)) return `${line.slice(0, 1)}[masked]`;
  return line.replace(
    /([\w.-]*)(\s*[:=]\s*|\s+)("[^"]*"|'[^']*'|\S.*?)(?=\s+[\w.-]+=|$)/g,
    (whole: string, key: string, gap: string) => (secretWord.test(key) && key !== "" ? `${key}${gap}[masked]` : whole),
  );
}

/** The unified diff of an edit with two lines of context, masked, safe for a terminal. */
export function diffOf(edit: Edit): string {
  const patch = createTwoFilesPatch(edit.before.path, edit.before.path, edit.before.text, edit.after, "", "", {
    context: 2,
  });
  const lines = patch
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("===") && !line.startsWith("\\ No newline"));
  return lines
    .map((line) => escapeControls(/^(---|\+\+\+|@@)/.test(line) ? line.trimEnd() : shorten(maskLine(line))))
    .join("\n");
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
