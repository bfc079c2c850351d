/** What a run with faults shows: which were met, what was seen of each, and whether the run itself got over it. */
import { type Blow, pointIn } from "./blows.ts";
import { metPattern } from "../lab/stack.ts";

/** A run of `up`, with the time of what it printed. */
export interface Watched {
  /** -1: pulumi was killed. */
  readonly code: number;
  readonly output: string;
  /** Seconds. */
  readonly took: number;
  /** Seconds from the start at which so many characters had come. */
  readonly marks: readonly { readonly at: number; readonly length: number }[];
}

export interface Met extends Blow {
  readonly step: string;
  /** The step's line, `host: title`; empty where the output does not tell it. */
  readonly label: string;
  /** Seconds from the start of its run. */
  readonly at: number;
  /** One line. */
  readonly seen: string;
  /** Seconds in which this very run got over it; undefined: it ended there. */
  readonly inRun: number | undefined;
}

/** Pulumi tells everything once more at the end of a run that failed. */
const live = (output: string): string => output.split(/^Diagnostics:/m)[0] ?? "";

/** Every fault once, in the order in which they were met. */
export function metIn(run: Watched): Met[] {
  const text = live(run.output);
  const found = [...text.matchAll(metPattern)];
  return found.map((match, n) => {
    const at = timeOf(run, match.index);
    const point = pointIn(match[1] ?? "");
    const type = point.step.split(":")[0] ?? "";
    const number = / (\d+) \(/.exec(match[1] ?? "")?.[1] ?? "";
    const rest = text.slice(match.index, found[n + 1]?.index);
    // other hosts' steps may go on beside it
    const over = new RegExp(
      `\\[${type}[^\\]]*\\] (?:${number}/\\d+ done in|the answer was lost; the hosts show it done)`,
    );
    const passed = over.exec(rest);
    const isLast = n === found.length - 1;
    return {
      ...point,
      label: labelBefore(text.slice(0, match.index), type, number),
      at,
      seen: seenOf(rest, isLast && run.code !== 0 ? run : undefined),
      inRun: isLast && run.code !== 0 ? undefined : timeOf(run, match.index + (passed?.index ?? 0)) - at,
    };
  });
}

const timeOf = ({ marks, took }: Watched, length: number): number =>
  marks.find((mark) => mark.length > length)?.at ?? took;

const labelBefore = (text: string, type: string, number: string): string =>
  [...text.matchAll(new RegExp(`\\[${type}[^\\]]*\\] ${number}/\\d+ (.*?) …$`, "gm"))].at(-1)?.[1] ?? "";

/** @param ended the run, if it ended at this fault */
function seenOf(rest: string, ended: Watched | undefined): string {
  const told = /the answer was lost \(.*|the answer to .* was lost.*|no answer to .*/.exec(rest)?.[0];
  if (ended === undefined) return short(told ?? "nothing: the step went on");
  if (ended.code === -1) return "pulumi was killed";
  const [, diagnostics = ""] = ended.output.split(/^Diagnostics:/m);
  const reason = /^\s+\* (.+)$/m.exec(diagnostics)?.[1];
  const errors = [...diagnostics.matchAll(/error: (.+)/g)].map((match) => match[1] ?? "");
  return short(
    reason ?? errors.find((one) => !/^(update failed|\d+ errors? occurred)/.test(one)) ?? "no error was told",
  );
}

/** The host's last lines are none of this line. */
const short = (text: string): string => {
  const told = text.replace(/; last lines:\s*$/, "");
  return (told.length > 240 ? `${told.slice(0, 240)}…` : told).trim();
};
