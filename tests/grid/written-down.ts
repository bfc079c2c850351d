/** docs/faults.md, from what happened. */
import { type FaultKind, type Phase, faultKinds } from "../../providers/plan/faults.ts";

export interface Row {
  readonly step: string;
  readonly phase: Phase;
  readonly kind: FaultKind;
  readonly seen: string;
  readonly converged: string;
  /** Seconds; undefined: somebody had to do something by hand. */
  readonly recovery: number | undefined;
}

export interface Totals {
  readonly duplicates: readonly string[];
  /** How often controllers ended by themselves, and were started by the kubelet. */
  readonly lostLeases: number;
  readonly quorumLost: number;
  /** Seconds. */
  readonly longestGap: number;
  readonly acknowledged: number;
  readonly lostWrites: number;
  readonly runs: number;
  readonly decommissions: number;
  /** What the run was told to do, in words. */
  readonly asked: string;
  /** ISO. */
  readonly at: string;
}

/** What an earlier sitting has written down, to go on from there. @throws Error for a document that is not understood, or tells of a duplicate effect */
export function readBack(document: string): { rows: Row[]; totals: Totals } {
  const total = (name: string, expression: RegExp): number[] => {
    const found = expression.exec(new RegExp(`^\\| ${name} +\\| (.*?) +\\|$`, "m").exec(document)?.[1] ?? "");
    if (found === null) throw new Error(`the document does not tell: ${name}`);
    return found.slice(1).map(Number);
  };
  const [injected = 0, runs = 0, decommissions = 0] = total("injected", /^(\d+) in (\d+) runs of (\d+) decommissions$/);
  total("duplicate effects", /^0$/);
  const [quorumLost = 0, longestGap = 0] = total("quorum lost", /^(\d+); longest time without an answer ([\d.]+) s$/);
  const [lostWrites = 0, acknowledged = 0] = total("acknowledged etcd writes lost", /^(\d+) of (\d+)$/);
  const lostLeases = Number(/is no effect of ours \((\d+) times\)/.exec(document)?.[1] ?? "0");
  const rows = document.split("\n").flatMap((line): Row[] => {
    const cells = line.split(/(?<!\\)\|/).map((one) => one.trim().replaceAll("\\|", "|"));
    const [, kind, where = "", seen = "", converged = "", time = ""] = cells;
    const [, phase, step = ""] = /^(before|in|after) (\w+:[\w-]+)$/.exec(where) ?? [];
    const known = faultKinds.find((one) => one === kind);
    if (known === undefined || phase === undefined) return [];
    const recovery = /^([\d.]+) s$/.exec(time)?.[1];
    return [
      {
        kind: known,
        phase: phase as Phase,
        step,
        seen,
        converged,
        recovery: recovery === undefined ? undefined : Number(recovery),
      },
    ];
  });
  if (rows.length !== injected) throw new Error(`the document tells ${rows.length} of ${injected} faults`);
  const [, at = "", asked = ""] = /, (\d{4}-\d\d-\d\d); do not edit\.[^]*Asked for: ([^]*?)\.\n/.exec(document) ?? [];
  return {
    rows,
    totals: {
      duplicates: [],
      lostLeases,
      quorumLost,
      longestGap,
      acknowledged,
      lostWrites,
      runs,
      decommissions,
      asked,
      at,
    },
  };
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("`", "'").replace(/\s+/g, " ");
const seconds = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} s`;

export function faultsDocument(rows: readonly Row[], unmet: readonly [string, string][], totals: Totals): string {
  const resumed = rows.filter(({ recovery }) => recovery !== undefined);
  const times = resumed.map(({ recovery = 0 }) => recovery).toSorted((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  return `# Faults, and how a decommission gets over them

Written by \`npm run test:all\` (tests/grid) from what happened, ${totals.at}; do not edit. Masters of the lab are retired one after the other,
each as the leader of etcd and the holder of both certificate authorities, while clients write to etcd. At every step every
fault is injected that makes sense there, with the steps before it done. Then a plain \`pulumi up\` follows (after \`kill-engine\` with
\`pulumi cancel\` before it, which frees the state's lock). Asked for: ${totals.asked}.

| total                           |                                                        |
| ------------------------------- | ------------------------------------------------------ |
| injected                        | ${rows.length} in ${totals.runs} runs of ${totals.decommissions} decommissions |
| resumed by a plain \`up\`         | ${resumed.length}; time to recover: median ${seconds(median)}, longest ${seconds(times.at(-1) ?? 0)} |
| by hand                         | ${rows.length - resumed.length} |
| duplicate effects               | ${totals.duplicates.length === 0 ? "0" : `${totals.duplicates.length}: ${totals.duplicates.map(cell).join("; ")}`} |
| quorum lost                     | ${totals.quorumLost}; longest time without an answer ${seconds(totals.longestGap)} |
| acknowledged etcd writes lost   | ${totals.lostWrites} of ${totals.acknowledged} |

- **kill-engine**: \`kill -9\` of pulumi. **kill-provider**: \`kill -9\` of the process that carries the steps out. **drop-link**: the TCP connection to
  the step's host is destroyed. **lose-answer**: the host did it, its answer never comes. **fail**: the host's command ends with 1 before it does
  anything (before, after: the step itself throws). **hang**: the command never ends; its deadline is 3 s then, on the host and here. **disk-full**: no
  command of the step gets a byte into a file of its host (a file size limit of 0, so the error is EFBIG where a full disk says ENOSPC; what
  daemons write, systemd and the kubelet among them, is not limited).
- **Time to recover**: within the same run, from the fault until the step was done; else from the start of the next \`up\` until it met the next
  fault, further on or at the same step again, or ended.
- **Duplicate effects** are counted on the hosts: a member of etcd gone besides the one that leaves; the API, the controllers or etcd of a master that
  stays started more often than in an undisturbed decommission (once, once, never; the kubelet's own count). Controllers end by themselves when
  they lose their lease because their API is away for more than 10 s, as when it is restarted once more within ten minutes, which the kubelet
  delays: what it starts then is no effect of ours (${totals.lostLeases} times). **Quorum lost**: no member that
  stays answered a read that needs a quorum for more than 10 s.

| fault | where | what was seen | how it converged | time to recover |
| ----- | ----- | ------------- | ---------------- | --------------- |
${rows
  .map(
    ({ step, phase, kind, seen, converged, recovery }) =>
      `| ${kind} | ${phase} ${step} | ${cell(seen)} | ${cell(converged)} | ${recovery === undefined ? "by hand" : seconds(recovery)} |\n`,
  )
  .join("")}
## Not met

A step that was done could not be struck again, some are not in every decommission, and a step that sends nothing to a host cannot be struck in the middle.

${unmet.length === 0 ? "Nothing.\n" : unmet.map(([step, blows]) => `- ${step}: ${blows}\n`).join("")}`;
}
