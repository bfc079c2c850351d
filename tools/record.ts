/** `npm run record [-- <run>]`: the runs that changed something, or the steps and commands of one. Reads the transcript beside the backups. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Run, readRecord } from "../providers/plan/record-read.ts";
import { storyOf, tableOf } from "../providers/plan/record-show.ts";
import { Refusal, messageOf } from "../providers/plan/refusal.ts";
import { transcriptIn } from "../providers/remote/record/transcript.ts";
import { expandHome } from "../providers/remote/settings.ts";
import { main } from "./say.ts";
import { passphraseVariable, settingsOf, stackFile } from "./stack-settings.ts";

const usage = `usage: npm run record -- [<run>] [--commands] [--all] [--archive <folder> | --stack <name> | --config-file <path>]`;

/** Runs that are listed, and lines that are printed of one, without --all. */
const mostRuns = 50;
const mostLines = 2000;
/** Bytes that are read, from the end. */
const mostRead = 64 * 2 ** 20;

interface Order {
  readonly run: string | undefined;
  readonly commands: boolean;
  readonly all: boolean;
  readonly archive: string | undefined;
  readonly stack: string | undefined;
  readonly configFile: string | undefined;
}

/** @throws Refusal with the usage */
export function orderOf(words: readonly string[]): Order {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const options = { archive: text, stack: text, "config-file": text, commands: flag, all: flag } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true });
    if (positionals.length > 1) throw new Error("one run at a time");
    const { archive, stack, commands, all } = values;
    return { run: positionals[0], commands, all, archive, stack, configFile: values["config-file"] };
  } catch (error) {
    throw new Refusal(`${messageOf(error)}\n${usage}`);
  }
}

const checkout = fileURLToPath(new URL("..", import.meta.url));

function archiveOf(order: Order): string {
  if (order.archive !== undefined) return resolve(order.archive);
  // nobody logs in anywhere: the passphrase is not needed
  const settings = settingsOf(stackFile(checkout, order), { [passphraseVariable]: "none" });
  return resolve(checkout, expandHome(settings.backup.archive));
}

/** The end of the file; a line that begins before it is left out. */
function linesOf(path: string): { lines: string[]; cut: boolean } {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const from = Math.max(0, size - mostRead);
    const bytes = Buffer.alloc(size - from);
    const read = readSync(file, bytes, 0, bytes.length, from);
    const lines = bytes.toString("utf8", 0, read).split("\n");
    return { lines: from === 0 ? lines : lines.slice(1), cut: from > 0 };
  } finally {
    closeSync(file);
  }
}

/** Its process is there, and as old as the run: a number is given again. */
function isAlive({ begin }: Run): boolean {
  if (begin?.machine !== hostname()) return false;
  const since = statSync(`/proc/${begin.pid}`, { throwIfNoEntry: false })?.ctimeMs;
  return since !== undefined && since <= Date.parse(begin.at);
}

function tell(order: Order): number {
  const path = transcriptIn(archiveOf(order));
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    console.log(`there is no record yet: no run has changed anything (${path})`);
    return 0;
  }
  const { lines, cut } = linesOf(path);
  const { runs, unread } = readRecord(lines);
  for (const line of order.run === undefined ? listed(runs, order) : told(runs, order, order.run)) console.log(line);
  if (unread > 0) console.log(`${unread} lines are cut short, or not ours`);
  if (cut) console.log(`only the last ${mostRead / 2 ** 20} MiB of ${path} were read`);
  return 0;
}

function listed(runs: readonly Run[], { all }: Order): string[] {
  const newest = all ? runs : runs.slice(-mostRuns);
  const more = runs.length - newest.length;
  return [...(more === 0 ? [] : [`${more} earlier runs (--all shows them)`]), ...tableOf(newest, isAlive)];
}

/** The newest run whose id is, or begins with, what was named. @throws Refusal when there is none */
function* told(runs: readonly Run[], { all, commands }: Order, name: string): Iterable<string> {
  const run = runs.findLast((one) => one.run.startsWith(name));
  if (run === undefined) throw new Refusal(`there is no run ${name} in the record; \`npm run record\` lists them`);
  let lines = 0;
  for (const line of storyOf(run, isAlive(run), commands)) {
    if ((lines += 1) > mostLines && !all) {
      yield `… (--all shows the rest)`;
      return;
    }
    yield line;
  }
}

if (process.argv[1] === join(import.meta.dirname, "record.ts"))
  await main(() => Promise.resolve(tell(orderOf(process.argv.slice(2)))));
