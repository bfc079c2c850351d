/** Pure: the final report of a retired host: who still names it, and what on it still opens the cluster. What is kept of it, and how it is told. */
import { type Credential, type Rotation, credentials, rotations } from "./credentials.ts";
import type { CredentialFacts } from "./credentials-script.ts";
import { type Unreachable, isReachable } from "./facts.ts";
import { sh } from "./quote.ts";
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
  const mended = (outcome: Finding["outcome"]) => (isLeft(outcome) ? outcome.left : `${outcome.fixedBy} had to take it out`);
  const split = (left: boolean) => inWords(findings.filter(({ outcome }) => isLeft(outcome) === left), mended);
  const table = credentials(name, backupDirectory);
  const common = { at, stillNamed: split(true), notMended: split(false), notSwept: [...notSwept] };
  if (!isReachable(seen)) {
    const assumed = table.flatMap((of) =>
      [...(of.files ?? []), ...(of.folders ?? [])].map((path) => ({ path, what: of.what, rotation: of.rotation })),
    );
    return { ...common, reachable: false, seen: seen.unreachable, credentials: assumed, destroy: destroying(table, undefined) };
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
    const globs = some.flatMap((one) => one.files ?? []).map(toExpression);
    const others = table.filter((one) => !some.includes(one)).flatMap((one) => one.files ?? []).map(toExpression);
    const mine = [...there].filter(
      (path) => globs.some((glob) => glob.test(path)) && (!lastUndo || !others.some((glob) => glob.test(path))),
    );
    return [...chunks(mine).map((paths) => sh`shred -u -- ${paths}`), ...folders.map(emptied)];
  };
  return [...commands(false), ...commands(true)];
}

const emptied = (folder: string): string => sh`find ${folder} -xdev -type f -exec shred -u -- {} +`;
const toExpression = (glob: string): RegExp => new RegExp(`^${glob.replace(/[.]/g, "\\.").replaceAll("*", "[^/]*")}$`);
const chunks = (paths: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(paths.length / perCommand) }, (_, n) => paths.slice(n * perCommand, (n + 1) * perCommand));

/** As it is printed at the end of the run; one line each. */
export function renderReport(name: string, record: RetirementRecord): string[] {
  const { credentials: kept } = record;
  const loud = record.notMended.map((one) => `STILL THERE: ${one}`);
  const still = [...loud, ...record.stillNamed];
  return [
    `${name} is retired. ${still.length === 0 ? `Nothing that was looked at names it any more.` : "It is still named in:"}`,
    ...indented(still),
    ...(record.notSwept.length === 0 ? [] : ["Not looked at:", ...indented(record.notSwept)]),
    ...(record.reachable
      ? [`Retiring ended none of the credentials on it; these are there now${record.seen === undefined ? "" : ` (${record.seen})`}:`]
      : [
          `It could not be looked at (${record.seen ?? "no answer"}): whoever has its disks has to be taken for the owner of all of these:`,
        ]),
    ...(kept.length === 0 ? ["  none of those that are known"] : grouped(kept)),
    ...(record.destroy.length === 0 || kept.length === 0
      ? []
      : [
          `They cannot be revoked, only destroyed${record.reachable ? "" : ", once it is under your hands again"}, on ${name} as root (backups and etcd's data last, and only when nobody needs the way back):`,
          ...indented(record.destroy.map((one) => `$ ${one}`)),
        ]),
    ...(kept.length === 0
      ? []
      : [
          record.reachable
            ? "If anybody may have copied them, or the disk leaves your hands unwiped (docs/retired-host.md):"
            : "To make them worthless (docs/retired-host.md):",
          ...indented([...new Set(kept.map(({ rotation }) => rotation))].map((one) => `${one}: ${rotations[one]}`)),
        ]),
  ];
}

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** One line for each kind, with the latest end of its certificates. */
function grouped(kept: readonly KeptCredential[]): string[] {
  return [...new Set(kept.map(({ what }) => what))].map((what) => {
    const some = kept.filter((one) => one.what === what);
    const ends = some.flatMap(({ notAfter }) => notAfter ?? []).toSorted();
    const subjects = [...new Set(some.flatMap(({ subject }) => subject ?? []))];
    const paths = some.map(({ path, files }) => (files === undefined ? path : `${path} (${files} files)`));
    const until = ends.length === 0 ? "" : `, valid until ${ends.at(-1)?.slice(0, 10) ?? ""}`;
    const who = subjects.length === 0 ? "" : ` (${subjects.slice(0, 3).join("; ")}${subjects.length > 3 ? "; …" : ""})`;
    return `  ${what}${until}${who}: ${paths.slice(0, 12).join(", ")}${paths.length > 12 ? ` and ${paths.length - 12} more` : ""}`;
  });
}
