/** Pure: the final report of a retired host, as it is kept: who still names it, and what on it still opens the cluster. */
import { type Credential, type Rotation, credentials } from "./credentials.ts";
import type { CredentialFacts } from "./credentials-script.ts";
import { type Unreachable, isReachable } from "./facts.ts";
import { globExpression } from "./globs.ts";
import { escapeControls, sh } from "./quote.ts";
import { type Finding, isLeft } from "./sweep-findings.ts";
import { inWords } from "./sweep-told.ts";

/** A credential on a retired host, as it is kept in the state: no key, no text of a file. */
export interface KeptCredential {
  readonly path: string;
  readonly what: string;
  readonly subject?: string;
  /** ISO 8601; without one it has no end that is known. */
  readonly notAfter?: string;
  /** Files in a folder. */
  readonly files?: number;
  /** Which rotation makes a copy of it worthless: a heading of docs/retired-host.md. */
  readonly rotation: Rotation;
}

export interface RetirementRecord {
  /** ISO 8601. */
  readonly at: string;
  readonly reachable: boolean;
  /** Why the host was not looked at, or what of it could not be told. */
  readonly seen?: string;
  /** Places that still name it, each with what to do. */
  readonly stillNamed: readonly string[];
  /** Of these a resource had to take care, and has not. */
  readonly notMended: readonly string[];
  /** Where nobody could look. */
  readonly notSwept: readonly string[];
  /** Found there; of a host that cannot be reached, what must be assumed to be there. */
  readonly credentials: readonly KeptCredential[];
  /** Commands for that host, in this order. */
  readonly destroy: readonly string[];
}

export interface Retired {
  readonly name: string;
  /** ISO 8601. */
  readonly at: string;
  readonly findings: readonly Finding[];
  readonly notSwept: readonly string[];
  readonly seen: CredentialFacts | Unreachable;
  readonly backupDirectory: string;
}

/** Paths a command line names at most: an administrator pastes it. */
const perCommand = 40;

export function recordOf({ name, at, findings, notSwept, seen, backupDirectory }: Retired): RetirementRecord {
  const mended = (outcome: Finding["outcome"]) =>
    isLeft(outcome) ? outcome.left : `${outcome.fixedBy} had to take it out`;
  const split = (left: boolean) =>
    inWords(
      findings.filter(({ outcome }) => isLeft(outcome) === left),
      mended,
    );
  const table = credentials(name, backupDirectory);
  const common = {
    at,
    stillNamed: split(true),
    notMended: split(false),
    notSwept: notSwept.map((one) => escapeControls(one)),
  };
  if (!isReachable(seen)) {
    const assumed = table.flatMap((of) =>
      [...(of.files ?? []), ...(of.folders ?? [])].map((path) => ({ path, what: of.what, rotation: of.rotation })),
    );
    return {
      ...common,
      reachable: false,
      seen: escapeControls(seen.unreachable),
      credentials: assumed,
      destroy: destroying(table, undefined),
    };
  }
  const flaws = [
    ...(seen.whole ? [] : ["its answer ended early"]),
    ...(seen.openssl ? [] : ["it has no openssl: until when the certificates are valid is not known"]),
  ];
  return {
    ...common,
    reachable: true,
    ...(flaws.length === 0 ? {} : { seen: flaws.join("; ") }),
    credentials: seen.found.map(({ of, path, files, subject, notAfter }) => ({
      path,
      what: of.what,
      rotation: of.rotation,
      ...(subject === undefined ? {} : { subject }),
      ...(notAfter === undefined ? {} : { notAfter }),
      ...(files === undefined ? {} : { files }),
    })),
    destroy: destroying(table, new Set(seen.found.map(({ path }) => path))),
  };
}

/**
 * What destroys it all on that host, the last undo last.
 * @param there only these; undefined: nobody looked, and the whole table is meant
 */
function destroying(table: readonly Credential[], there: ReadonlySet<string> | undefined): string[] {
  const commands = (lastUndo: boolean): string[] => {
    const some = table.filter((one) => (one.lastUndo === true) === lastUndo);
    const folders = some.flatMap((one) => one.folders ?? []).filter((path) => there?.has(path) ?? true);
    if (there === undefined) {
      const files = some.flatMap((one) => one.files ?? []);
      return [...(files.length === 0 ? [] : [`shred -u -- ${files.join(" ")}`]), ...folders.map(emptied)];
    }
    const globs = some.flatMap((one) => one.files ?? []).map(globExpression);
    const others = table
      .filter((one) => !some.includes(one))
      .flatMap((one) => one.files ?? [])
      .map(globExpression);
    const mine = [...there].filter(
      (path) => globs.some((glob) => glob.test(path)) && (!lastUndo || !others.some((glob) => glob.test(path))),
    );
    return [...chunks(mine).map((paths) => sh`shred -u -- ${paths}`), ...folders.map(emptied)];
  };
  return [...commands(false), ...commands(true)];
}

const emptied = (folder: string): string => sh`find ${folder} -xdev -type f -exec shred -u -- {} +`;
const chunks = (paths: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(paths.length / perCommand) }, (_, n) =>
    paths.slice(n * perCommand, (n + 1) * perCommand),
  );
