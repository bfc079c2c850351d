/** What of a plan is left, and why, in the words that the outputs and errors have for it. */
import { mapOf } from "./asked.ts";
import type { Inputs } from "./kind.ts";
import { escapeControls } from "./plan/quote.ts";
import { Refusal } from "./plan/refusal.ts";
import { editsOf, labelOf } from "./plan/show.ts";
import type { Step } from "./plan/steps.ts";

/** In which step it was, and how long that had taken. */
export function whereIn(left: readonly Step[], begun: ReadonlyMap<Step, number>): string {
  const at = left.flatMap((step) => {
    const since = begun.get(step);
    return since === undefined || step.apart === true
      ? []
      : [`${labelOf(step)}, ${((Date.now() - since) / 1000).toFixed(1)} s after it began`];
  });
  return at.length === 0 ? "" : `\nin this step: ${at.join("; ")}`;
}

/** Hosts that were left behind, with one line of why: what could not be asked, what shows something undone, what failed. */
export function leftBehind(
  unasked: readonly (readonly [string, string])[],
  undone: readonly Step[],
  failed: ReadonlyMap<string, string>,
): Record<string, string> {
  const shown = undone.map((step) => [step.host, `it still shows undone: ${step.title}`] as const);
  const all = Object.fromEntries([...unasked, ...shown, ...failed]);
  return Object.fromEntries(Object.entries(all).map(([host, why]) => [host, firstLine(why)]));
}

const firstLine = (text: string): string => escapeControls(text.replace(/(; last lines:)?\n[^]*/, ""));

/** What the next run has to do on them; where that is not known, to ask. */
export function pendingOf(left: Readonly<Record<string, string>>, steps: readonly Step[]): string[] {
  const known = steps.filter(({ host }) => host in left);
  const unknown = Object.keys(left).filter((one) => !known.some(({ host }) => host === one));
  return [...new Set(known.map(labelOf)), ...unknown.map((host) => `${host}: ask what is left to do`)];
}

/** Every edit was shown by check, and the file is still the one that was shown; else why it is not made. */
export function unplanned(step: Step, inputs: Inputs): Refusal | undefined {
  const files = mapOf(inputs["files"]);
  for (const edit of editsOf(step)) {
    const planned = files[`${step.host}:${edit.before.path}`];
    if (planned === edit.before.sha256) continue;
    return new Refusal(
      `${step.host}: ${edit.before.path} ${planned === undefined ? "is not in the plan that was shown" : "was changed after the plan was shown"}: nothing was written; run \`pulumi up\` again and look at the new plan`,
    );
  }
  return undefined;
}
