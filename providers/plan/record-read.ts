/** The record read back: lines → runs, with what became of each. Pure. */
import type {
  CommandBegins,
  CommandEnds,
  Entry,
  HostTold,
  ResourceEnds,
  RunBegins,
  RunEnds,
  StepBegins,
  StepEnds,
} from "./record.ts";

type Of<S> = S & Pick<Entry, "at" | "run">;

/** Something that began, and how it ended; without an end it was cut off, or is under way. */
export interface Told<B, E> {
  readonly begin: Of<B>;
  end?: Of<E>;
}

export interface Run {
  readonly run: string;
  /** Undefined: its first line is missing. */
  begin?: Of<RunBegins>;
  end?: Of<RunEnds>;
  /** In the order in which they began; by their numbers. */
  readonly steps: Map<number, Told<StepBegins, StepEnds>>;
  readonly commands: Map<number, Told<CommandBegins, CommandEnds>>;
  readonly resources: Of<ResourceEnds>[];
  readonly hosts: Of<HostTold>[];
  /** Lines that it could not write. */
  missed: number;
  /** When its last line was written. */
  last: string;
}

export interface Record {
  /** In the order in which they began. */
  readonly runs: Run[];
  /** Lines that are none of ours, or half. */
  readonly unread: number;
}

/** Kinds and states that are not known (a later version's) are passed over. */
export function readRecord(lines: Iterable<string>): Record {
  const runs = new Map<string, Run>();
  let unread = 0;
  for (const line of lines) {
    if (line === "") continue;
    const entry = entryOf(line);
    if (entry === undefined) unread += 1;
    else take(runs, entry);
  }
  return { runs: [...runs.values()], unread };
}

function entryOf(line: string): Entry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null) return undefined;
    const { at, run, kind } = value as Partial<globalThis.Record<string, unknown>>;
    const isOurs = [at, run, kind].every((one) => typeof one === "string") && Object.entries(value).every(fits);
    return isOurs ? (value as Entry) : undefined;
  } catch {
    return undefined;
  }
}

const numbers = new Set(["step", "number", "of", "id", "pid", "exit", "seconds", "missed"]);
const lists = new Set(["leaves", "stays"]);
const isText = (value: unknown): boolean => typeof value === "string";

/** A field is what its name promises; one that only a later version knows may be anything. */
function fits([key, value]: [string, unknown]): boolean {
  if (numbers.has(key)) return typeof value === "number";
  if (lists.has(key)) return Array.isArray(value) && value.every(isText);
  return isText(value) || typeof value === "object";
}

/** A kind that is not known may be here. */
const isGap = (entry: { readonly kind: string }): boolean => entry.kind === "gap";

const empty = (run: string): Run => ({
  run,
  steps: new Map(),
  commands: new Map(),
  resources: [],
  hosts: [],
  missed: 0,
  last: "",
});

function take(runs: Map<string, Run>, entry: Entry): void {
  const run = runs.get(entry.run) ?? empty(entry.run);
  runs.set(entry.run, run);
  run.last = entry.at;
  if (entry.kind === "run") {
    if (entry.state === "begin") run.begin = entry;
    else run.end = entry;
  } else if (entry.kind === "step") pair(run.steps, entry.step, entry);
  else if (entry.kind === "command") pair(run.commands, entry.id, entry);
  else if (entry.kind === "resource") run.resources.push(entry);
  else if (entry.kind === "host") run.hosts.push(entry);
  else if (isGap(entry)) run.missed += entry.missed;
}

/** What began in a gap of the record is known by its end only. */
function pair<B extends { state: "begin" }, E extends { state: "end" }>(
  all: Map<number, Told<B, E>>,
  number: number,
  entry: Of<B> | Of<E>,
): void {
  if (entry.state === "begin") all.set(number, { begin: entry });
  else {
    const told = all.get(number) ?? { begin: { command: "", ...entry, state: "begin" } as unknown as Of<B> };
    told.end = entry;
    all.set(number, told);
  }
}

/** Steps and commands of which no end was written. */
export const cutOff = (run: Run): Told<StepBegins, StepEnds>[] =>
  [...run.steps.values()].filter(({ end }) => end === undefined);

/**
 * How a run ended, in words.
 * @param isAlive its process is still there
 */
export function endOf(run: Run, isAlive: boolean): string {
  const gap = run.missed > 0 ? `, ${run.missed} lines missing` : "";
  if (run.end !== undefined) return `${run.end.result}${gap}`;
  const [first, ...more] = cutOff(run).map(
    ({ begin }) => `${begin.resource} ${begin.number}/${begin.of} on ${begin.host}`,
  );
  const where = first === undefined ? "" : ` in ${first}${more.length === 0 ? "" : ` and ${more.length} more`}`;
  if (isAlive) return `under way${where}${gap}`;
  return `${first === undefined ? "killed between two steps" : `killed${where}`}${gap}`;
}
