/** Pure: the edit of an inventory as people read it: host lines only, each hunk with its group, secrets masked. */
import { structuredPatch } from "diff";
import { inventoryForm, type InventoryForm } from "./inventory-groups.ts";
import { isSecretKey, maskLine } from "./mask.ts";
import { escapeControls } from "./quote.ts";
import type { Edit } from "./steps.ts";

/** The unified diff without lines around it, since those may be variables; safe for a terminal. */
export function inventoryDiffOf({ before, after }: Edit): string {
  const { path, text } = before;
  const form = inventoryForm(path);
  const [old, now] = [shownLines(text, form), shownLines(after, form)];
  const { hunks } = structuredPatch(path, path, text, after, "", "", { context: 0 });
  const lines = hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines: changed }) => {
    const group = oldLines > 0 ? old[oldStart - 1]?.group : now[newStart - 1]?.group;
    // an empty side is told by the line in front of it
    const at = (start: number, count: number): string => `${count === 0 ? start - 1 : start},${count}`;
    const shown = (side: readonly ShownLine[], start: number, count: number, sign: string): string[] =>
      side.slice(start - 1, start - 1 + count).map((line) => sign + line.text);
    return changed.length === 0
      ? []
      : [
          `@@ -${at(oldStart, oldLines)} +${at(newStart, newLines)} @@${group === undefined ? "" : ` ${group}`}`,
          ...shown(old, oldStart, oldLines, "-"),
          ...shown(now, newStart, newLines, "+"),
        ];
  });
  return [`--- ${path}`, `+++ ${path}`, ...lines].map((line) => escapeControls(line)).join("\n");
}

interface ShownLine {
  readonly text: string;
  /** `[masters]`, `masters.hosts`. */
  readonly group: string | undefined;
}

const longest = 500;

/** Every line as it may be shown: what stands below a key that looks secret is masked too. */
function shownLines(text: string, form: InventoryForm): ShownLine[] {
  const path: { indent: number; key: string }[] = [];
  let secret = Infinity;
  let inKey = false;
  let section: string | undefined;
  return text.split("\n").map((line) => {
    const indent = line.trim() === "" ? Infinity : line.length - line.trimStart().length;
    if (indent <= secret) secret = Infinity;
    inKey ||= line.includes("-----BEGIN");
    const isHidden = inKey || (secret < Infinity && line.trim() !== "");
    if (line.includes("-----END")) inKey = false;
    if (form === "ini") section = /^\s*(\[[^\]\s]+\])/.exec(line)?.[1] ?? section;
    const key =
      form === "yaml" && !isHidden ? /^\s*(?:- +)?(["']?)([^\s"'#:][^"'#:]*)\1\s*:(?=\s|$)/.exec(line)?.[2] : undefined;
    if (key !== undefined) {
      while ((path.at(-1)?.indent ?? -1) >= indent) path.pop();
      section =
        path
          .slice(-2)
          .map((one) => one.key)
          .join(".") || undefined;
      path.push({ indent, key });
      if (isSecretKey(key)) secret = indent;
    }
    const shown = isHidden ? "[masked]" : maskLine(line.length > 4 * longest ? `${line.slice(0, 4 * longest)}…` : line);
    return { text: shown.length > longest ? `${shown.slice(0, longest)}…` : shown, group: section };
  });
}
