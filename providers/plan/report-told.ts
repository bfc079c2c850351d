/** Pure: the final report of a retired host, as it is printed. */
import { rotations } from "./credentials.ts";
import { shortened } from "./quote.ts";
import type { KeptCredential, RetirementRecord } from "./report.ts";

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
      ? [
          `Retiring ended none of the credentials on it; these are there now${record.seen === undefined ? "" : ` (${record.seen})`}:`,
        ]
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
    return `  ${what}${until}${who}: ${shortened(paths, 12)}`;
  });
}
