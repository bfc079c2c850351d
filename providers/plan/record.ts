/** The record of a run as data: what a line of it says, and how it is written: in the transcript of this machine, and in the hosts' journals. */
import { maskLine } from "./mask.ts";
import { shortened } from "./quote.ts";

/** How a step came out; a host that is left behind is done by the next run. */
export type StepResult = "done" | "failed" | "left behind";

/** `interrupted`: a step was under way; `pulumi is gone`: its provider ended itself between two steps. */
export type RunResult = "done" | "failed" | "interrupted" | "pulumi is gone";

/** `not-done`: it was never sent; `unknown`: it was cut off, and may have done all, some or nothing. */
export type CommandOutcome = "done" | "failed" | "not-done" | "unknown";

export interface RunBegins {
  readonly kind: "run";
  readonly state: "begin";
  /** Whose process it is; by `sudo`, and from which address, as far as the environment tells. */
  readonly user: string;
  readonly sudo?: string;
  readonly from?: string;
  readonly machine: string;
  readonly pid: number;
  /** git commit of the program, `+changes` where its files are others by now; its version where it is in no work tree. */
  readonly program: string;
  readonly project?: string;
  readonly stack?: string;
  /** Names. */
  readonly leaves: readonly string[];
  readonly stays: readonly string[];
}

export interface RunEnds {
  readonly kind: "run";
  readonly state: "end";
  readonly result: RunResult;
  readonly seconds: number;
}

export interface ResourceEnds {
  readonly kind: "resource";
  readonly state: "end";
  readonly resource: string;
  readonly result: "done" | "failed";
  readonly reason?: string;
}

export interface StepBegins {
  readonly kind: "step";
  readonly state: "begin";
  /** Of this run. */
  readonly step: number;
  readonly resource: string;
  /** Its number among the steps of its resource, from 1. */
  readonly number: number;
  readonly of: number;
  readonly does: string;
  readonly host: string;
  readonly title: string;
}

export interface StepEnds extends Omit<StepBegins, "state"> {
  readonly state: "end";
  readonly result: StepResult;
  readonly reason?: string;
  readonly seconds: number;
}

export interface CommandBegins {
  readonly kind: "command";
  readonly state: "begin";
  /** Of this run; steps and commands are counted together. */
  readonly id: number;
  /** Whose it is. */
  readonly step: number;
  readonly host: string;
  readonly what: string;
  readonly command: string;
}

export interface CommandEnds extends Omit<CommandBegins, "state" | "command"> {
  readonly state: "end";
  /** In journals, which are not told of its beginning. */
  readonly command?: string;
  readonly outcome: CommandOutcome;
  readonly exit?: number;
  readonly seconds: number;
}

/** A host that is left behind, whatever was or was not begun on it; or one whose answer was lost and that was seen to have done its step. */
export interface HostTold {
  readonly kind: "host";
  readonly state: "left behind" | "read back";
  readonly resource: string;
  readonly host: string;
  readonly reason: string;
}

/** Lines that could not be written. */
export interface Gap {
  readonly kind: "gap";
  readonly state: "end";
  readonly missed: number;
}

export type Said =
  RunBegins | RunEnds | ResourceEnds | StepBegins | StepEnds | CommandBegins | CommandEnds | HostTold | Gap;

/** A line of the record: when, by which run, and what. */
export type Entry = { readonly at: string; readonly run: string } & Said;

/** By our own habit, what only looks says so at its beginning: it is not in the record, and no fault is put there. */
export const onlyLooks = (what: string): boolean => /^(asking|listing|looking|taking the lock|reading)/.test(what);

/** One line, without its end: JSON of ASCII only, so that no terminal or log reader takes anything in it for more than text. */
export const lineOf = (entry: Entry): string =>
  JSON.stringify(entry).replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Bytes of a line that every `logger` takes as one message: that of util-linux 2.23 cuts at 1,023. */
export const longestInJournal = 900;

/** The same line, its longest texts shortened until a journal takes it as one. */
export function journalLineOf(entry: Entry): string {
  let fields: Record<string, unknown> = { ...entry };
  for (;;) {
    const line = lineOf(fields as unknown as Entry);
    if (line.length <= longestInJournal) return line;
    fields = shorter(fields);
  }
}

function shorter(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const texts = Object.entries(fields).map(
    ([key, value]) => [key, Array.isArray(value) ? shortened(value.map(String), 3) : value] as const,
  );
  const isLonger = (a: unknown, b: unknown) => typeof a === "string" && a.length > String(b).length;
  const [longest] = texts.reduce((most, one) => (isLonger(one[1], most[1]) ? one : most), ["", ""]);
  return Object.fromEntries(
    texts.map(([key, value]) => [
      key,
      key === longest && typeof value === "string" ? ends(value, Math.floor(value.length / 2), "...") : value,
    ]),
  );
}

/** Characters of a command that are kept. */
const longestCommand = 2000;
/** Characters of a line of it that are looked at. */
const longestLine = 4000;

/** A command as it may be kept: what looks secret masked line by line, its beginning and its end where it is long. */
export function maskedCommand(script: string): string {
  let inside = false;
  const lines = script.split("\n").map((line) => {
    inside ||= line.includes("-----BEGIN");
    const masked = inside ? "[masked]" : maskLine(line.slice(0, longestLine));
    if (line.includes("-----END")) inside = false;
    return masked;
  });
  return ends(lines.join("\n"), longestCommand);
}

/** One line of text, masked, of at most 500 characters; what follows its first line (a host's own words) is left out. */
export function maskedReason(text: string): string {
  const [first = ""] = text.replace(/; last lines:\n[^]*/, "").split("\n");
  return ends(maskLine(first.slice(0, longestLine)), 500, " … ");
}

/** Beginning and end of what is longer than so many characters. */
export function ends(text: string, most: number, between?: string): string {
  if (text.length <= most) return text;
  const mark = between ?? `\n… ${text.length - most} characters left out …\n`;
  const head = Math.ceil(most * 0.4);
  return `${text.slice(0, head)}${mark}${text.slice(text.length - (most - head))}`;
}
