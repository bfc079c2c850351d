/** Steps as people read them: a numbered list with commands, and unified diffs with what looks secret masked. */
import { createTwoFilesPatch } from "diff";
import { inventoryDiffOf } from "./inventory-show.ts";
import { maskLine } from "./mask.ts";
import { escapeControls } from "./quote.ts";
import type { Edit, Step } from "./steps.ts";

export { maskLine } from "./mask.ts";

/** Masks lines of a diff; what stands between BEGIN and END of a key is masked whole, though a hunk may show only one of the two. */
function maskLines(lines: readonly string[]): string[] {
  const shown: string[] = [];
  const hide = (at: number) => (shown[at] = `${lines[at]?.slice(0, 1) ?? ""}[masked]`);
  let inside = false;
  for (const [at, line] of lines.entries()) {
    const isHeader = line.startsWith("@@");
    inside = !isHeader && (inside || line.includes("-----BEGIN"));
    shown.push(isHeader ? line : maskLine(shorten(line, 2000)));
    if (inside) hide(at);
    if (!line.includes("-----END")) continue;
    inside = false;
    for (let above = at; above === at || !/^@@|-----END/.test(lines[above] ?? "@@"); above -= 1) {
      hide(above);
      if (lines[above]?.includes("-----BEGIN") === true) break;
    }
  }
  return shown;
}

/** The unified diff of an edit with two lines of context, masked, safe for a terminal. */
export function diffOf(edit: Edit): string {
  const { path, text } = edit.before;
  const patch = createTwoFilesPatch(path, path, text, edit.after, "", "", { context: 2 });
  const [from = "", to = "", ...rest] = patch
    .split("\n")
    .filter((line) => line !== "" && !/^(Index: |===|\\ No newline)/.test(line));
  return [from.trimEnd(), to.trimEnd(), ...maskLines(rest).map((line) => shorten(line, 500))]
    .map((line) => escapeControls(line))
    .join("\n");
}
const shorten = (line: string, most: number): string => (line.length > most ? `${line.slice(0, most)}…` : line);

export const editsOf = (step: Step): readonly Edit[] =>
  "edit" in step ? [step.edit] : "edits" in step ? step.edits : [];

/** What identifies a step from one run to the next. */
export const labelOf = (step: Step): string => `${step.host}: ${step.title}`;

/** The plan of a resource, ready to be printed. */
export function render(steps: readonly Step[]): string {
  return steps
    .map((step, n) => {
      const commands = (step.commands ?? []).map((command) => `\n       $ ${escapeControls(command)}`);
      const notes = (step.notes ?? []).map((note) => `\n       (${escapeControls(note)})`);
      const diffs = editsOf(step).map(
        (edit) =>
          `\n${(step.do === "edit-inventory" ? inventoryDiffOf : diffOf)(edit)
            .split("\n")
            .map((line) => `       ${line}`)
            .join("\n")}`,
      );
      return `  ${n + 1}. ${escapeControls(labelOf(step))}${commands.join("")}${notes.join("")}${diffs.join("")}`;
    })
    .join("\n");
}
