/** The record as people read it: a table of runs, and one run with its steps and commands. Bounded, and safe for a terminal. */
import { escapeControls, shortened } from "./quote.ts";
import { type Run, endOf } from "./record-read.ts";
import type { CommandBegins, CommandEnds } from "./record.ts";

/** Characters of a line. */
const widest = 300;

export const shown = (text: string): string => {
  const safe = escapeControls(text);
  return safe.length > widest ? `${safe.slice(0, widest)}…` : safe;
};

/** Rows as columns; the last one is as wide as it is. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join("  "),
  );
}

const time = (at: string): string => at.slice(0, 19).replace("T", " ");
const took = (seconds: number | undefined): string => (seconds === undefined ? "" : `${seconds.toFixed(1)} s`);
const commit = (program: string): string => program.replace(/^([0-9a-f]{12})[0-9a-f]{28}/, "$1");
const names = (all: readonly string[] = []): string => (all.length > 0 ? shortened(all, 3) : "–");

function whoOf({ begin }: Run): string {
  if (begin === undefined) return "unknown";
  const from = begin.from === undefined ? "" : ` from ${begin.from}`;
  return `${begin.sudo === undefined ? "" : `${begin.sudo} as `}${begin.user}@${begin.machine}${from}`;
}

/** One line a run, in their order. @param isAlive whether the process of a run is still there */
export function tableOf(runs: readonly Run[], isAlive: (run: Run) => boolean): string[] {
  const heads = ["run", "began (UTC)", "who", "program", "leaves", "steps", "commands", "end"];
  const rows = runs.map((run) => [
    run.run,
    time(run.begin?.at ?? run.last),
    whoOf(run),
    commit(run.begin?.program ?? "unknown"),
    names(run.begin?.leaves),
    String(run.steps.size),
    String(run.commands.size),
    endOf(run, isAlive(run)),
  ]);
  return table([heads, ...rows].map((row) => row.map(shown)));
}

/**
 * One run: who and what, then each step, with its commands below it.
 * @param whole the commands themselves too, as far as they were kept
 */
export function* storyOf(run: Run, isAlive: boolean, whole: boolean): Iterable<string> {
  const { begin, end } = run;
  yield* table([
    ["run", shown(run.run)],
    ["began", shown(`${time(begin?.at ?? run.last)} UTC`)],
    ["who", shown(`${whoOf(run)}, process ${begin?.pid ?? "unknown"}`)],
    ["program", shown(begin?.program ?? "unknown")],
    ...(begin?.stack === undefined ? [] : [["stack", shown(`${begin.project ?? ""}/${begin.stack}`)]]),
    ["leaves", shown(names(begin?.leaves))],
    ["stays", shown(names(begin?.stays))],
    [
      "end",
      shown(
        `${endOf(run, isAlive)}, ${time(end?.at ?? run.last)} UTC${end === undefined ? " (its last line)" : `, ${took(end.seconds)}`}`,
      ),
    ],
  ]);
  yield "";
  for (const [number, step] of run.steps) {
    const { resource, number: n, of, host, title, at } = step.begin;
    const how = step.end?.result ?? (isAlive ? "under way" : "no end");
    yield shown(`${at.slice(11, 19)}  ${how}  ${took(step.end?.seconds)}  ${resource} ${n}/${of}  ${host}: ${title}`);
    if (step.end?.reason !== undefined) yield shown(`            ${step.end.reason}`);
    for (const command of run.commands.values()) if (command.begin.step === number) yield* commandLines(command, whole);
  }
  for (const { state, resource, host, reason } of run.hosts) yield shown(`${state}  ${resource}  ${host}: ${reason}`);
  for (const { resource, result, reason } of run.resources)
    if (result === "failed") yield shown(`failed  ${resource}: ${reason ?? ""}`);
}

function* commandLines({ begin, end }: { begin: CommandBegins; end?: CommandEnds }, whole: boolean): Iterable<string> {
  const exit = end?.exit === undefined ? "" : ` (exit ${end.exit})`;
  yield shown(`            ${end?.outcome ?? "no end"}${exit}  ${took(end?.seconds)}  ${begin.host}: ${begin.what}`);
  if (!whole) return;
  for (const line of begin.command.split("\n")) yield shown(`              $ ${line}`);
}
