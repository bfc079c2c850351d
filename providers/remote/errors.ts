import { escapeControls, lastLines } from "../plan/quote.ts";

/**
 * What is known about the host after a failure: nothing was sent (`not-done`), the command ran and said no (`failed`),
 * or it was cut off and may have done some of its work, all or none (`unknown`).
 */
export type Outcome = "not-done" | "failed" | "unknown";

/** The data a RemoteError is made of. */
export interface RemoteFailure {
  readonly host: string;
  /** What was attempted, as a participle: `reading haproxy.cfg`. */
  readonly what: string;
  readonly outcome: Outcome;
  /** What was seen: `exit 2`, `the connection was lost`. */
  readonly seen: string;
  readonly remedy?: string | undefined;
  readonly command?: string | undefined;
  /** Exit code; null = none came. */
  readonly exit?: number | null;
  /** Output of which the last lines are shown. */
  readonly output?: string | undefined;
  /** Milliseconds the command ran. */
  readonly took?: number | undefined;
  readonly cause?: unknown;
  /** Values that must not appear anywhere. */
  readonly secrets?: readonly string[] | undefined;
}

/** Something on a host, or on the way to it, did not work. The message is a sentence, safe to show. */
export class RemoteError extends Error {
  override readonly name = "RemoteError";
  readonly host: string;
  readonly what: string;
  readonly outcome: Outcome;
  readonly command: string | undefined;
  readonly exit: number | null;
  readonly lastLines: readonly string[];
  /** Milliseconds the command ran, as far as it was sent. */
  readonly took: number | undefined;

  constructor(f: RemoteFailure) {
    const clean = (text: string) => redact(text, f.secrets ?? []);
    const said = lastLines(clean(f.output ?? ""), 8).map((line) => escapeControls(line));
    super(sentence(f, clean, said), f.cause === undefined ? {} : { cause: f.cause });
    this.host = f.host;
    this.what = clean(f.what);
    this.outcome = f.outcome;
    this.command = f.command === undefined ? undefined : clean(f.command);
    this.exit = f.exit ?? null;
    this.lastLines = said;
    this.took = f.took;
  }
}

/** The failure after which nobody knows what the host did; undefined: it is known, or whoever knows more has put it into words of his own. */
export const unknownIn = (error: unknown): RemoteError | undefined =>
  error instanceof RemoteError && error.outcome === "unknown" ? error : undefined;

const meaning: Record<Outcome, string> = {
  "not-done": "nothing was done",
  failed: "",
  unknown: "how much of it was done is unknown",
};

function sentence(f: RemoteFailure, clean: (text: string) => string, said: readonly string[]): string {
  const elapsed = f.took === undefined ? "" : ` after ${seconds(f.took)}`;
  const parts = [`${f.seen}${elapsed}`, meaning[f.outcome], f.remedy ?? ""].filter((part) => part !== "");
  const head = escapeControls(clean(`${f.what} on ${f.host} failed: ${parts.join("; ")}`));
  return said.length === 0 ? head : `${head}; last lines:\n${said.map((line) => `  | ${line}`).join("\n")}`;
}

/** Milliseconds as one reads them: `0.3 s`, `42 s`. */
function seconds(ms: number): string {
  return `${ms < 9950 ? (ms / 1000).toFixed(1) : (ms / 1000).toFixed(0)} s`;
}

/** The text without the secrets given (those of fewer than 3 characters would take the text apart) and without PEM private keys. */
export function redact(text: string, secrets: readonly string[]): string {
  const longestFirst = secrets.filter((s) => s.length >= 3).sort((a, b) => b.length - a.length);
  return longestFirst
    .reduce((clean, secret) => clean.replaceAll(secret, "[secret]"), text)
    .replace(/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[^]*?(-----END \1-----|$)/g, "[private key]");
}
