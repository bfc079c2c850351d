/** `npm run restore -- --host <h> --from <archive> [--files …]`: a master's files back from a backup. Lists first; asks on a terminal. */
import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { backupPlace } from "../providers/plan/backup-names.ts";
import { escapeControls } from "../providers/plan/quote.ts";
import { Refusal } from "../providers/plan/refusal.ts";
import { choose, compare, type Difference, lineOf, namesFor, restartAdvice } from "../providers/plan/restore.ts";
import type { Settings } from "../providers/plan/settings.ts";
import { lockAll } from "../providers/remote/lock.ts";
import { RunRecord } from "../providers/remote/record/record.ts";
import { type Backup, look, putBack, readBackup } from "../providers/remote/restore.ts";
import { expandHome } from "../providers/remote/settings.ts";
import { Connections, type RemoteHost } from "../providers/remote/ssh.ts";
import { main, step } from "./say.ts";
import { settingsOf, stackFile } from "./stack-settings.ts";

const usage = `usage: npm run restore -- --host <host> --from <archive> [--files <absolute name>…] [--list] [--yes] [--skip-links]
                          [--other-machine] [--address <address>] [--sha256 <hash>] [--stack <name> | --config-file <path>]`;

interface Order {
  readonly host: string;
  readonly from: string;
  readonly files: readonly string[];
  readonly list: boolean;
  readonly yes: boolean;
  readonly skipLinks: boolean;
  readonly otherMachine: boolean;
  readonly address: string | undefined;
  readonly sha256: string | undefined;
  readonly stack: string | undefined;
  readonly configFile: string | undefined;
}

/** @throws Refusal with the usage */
export function orderOf(words: readonly string[]): Order {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const options = {
    ...{ host: text, from: text, address: text, sha256: text, stack: text, "config-file": text },
    ...{ list: flag, yes: flag, "skip-links": flag, "other-machine": flag },
    files: { type: "string", multiple: true, default: [] as string[] },
  } as const;
  try {
    // `--files a b c`: what follows it without a dash belongs to it
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true });
    if (positionals.length > 0 && values.files.length === 0) throw new Error(`what is ${positionals[0] ?? ""}?`);
    const { host, from, address, sha256, stack } = values;
    if (host === undefined || from === undefined) throw new Error("--host and --from are needed");
    if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) throw new Error("--sha256 takes 64 hexadecimal digits");
    const named = { host, from, address, sha256, stack, configFile: values["config-file"] };
    const flags = { list: values.list, yes: values.yes, skipLinks: values["skip-links"] };
    return { ...named, ...flags, otherMachine: values["other-machine"], files: [...values.files, ...positionals] };
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
}

const checkout = fileURLToPath(new URL("..", import.meta.url));

async function restore(): Promise<number> {
  const order = orderOf(process.argv.slice(2));
  const settings = settingsOf(stackFile(checkout, order), process.env);
  const address = order.address ?? settings.masters[order.host]?.address;
  if (address === undefined)
    throw new Refusal(
      `${order.host} is not among the masters of the stack's configuration: give its address with --address`,
    );
  const connections = new Connections(settings.ssh as ConstructorParameters<typeof Connections>[0]);
  try {
    return await on(connections, connections.host({ name: order.host, address }), settings, order);
  } finally {
    await connections.tellJournals();
    await connections.close();
  }
}

async function on(connections: Connections, host: RemoteHost, settings: Settings, order: Order): Promise<number> {
  const { identity, directory } = settings.backup;
  const opening = identity === undefined ? {} : { identityFile: expandHome(identity) };
  const backup = await step(`reading ${order.from}`, () =>
    readBackup(order.from, { ...opening, sha256: order.sha256 }),
  );
  const choice = choose(backup.entries, order);
  const run = runId();
  const { machineId, seen } = await look(host, choice.chosen);
  sameMachine(host, backup, machineId, order.otherMachine);
  const differences = compare(choice.chosen, seen);
  show(backup, host, differences, choice.leftOut);
  const changes = differences.filter(({ state }) => state !== "same");
  if (order.list) return 0;
  if (changes.length > 0 && !order.yes && !(await agreed(changes.length, host.name))) return 1;
  const { folder } = backupPlace("master", host.name, { directory, run, date: run.slice(0, 8) });
  const record = new RunRecord(resolve(checkout, expandHome(settings.backup.archive)), run);
  record.prepare();
  const lock = await lockAll([host], run);
  connections.guardBy((decided) => lock.guard(decided));
  try {
    await record.begin({ leaves: [], stays: [host.name] });
    const title = `put ${changes.length} files and folders back from ${order.from}`;
    await step(`putting ${changes.length} files and folders back on ${host.name}`, () =>
      record.step({ resource: "restore", number: 1, of: 1 }, { do: "restore", host: host.name, title }, () =>
        putBack(host, { backup, opening, differences, folder, run }),
      ),
    );
    record.ended("restore");
  } catch (error) {
    record.ended("restore", error);
    throw error;
  } finally {
    record.end();
    lock.release();
  }
  if (changes.length > 0) report(host, changes, run);
  return 0;
}

/** `YYYYMMDD-HHMMSS-xxxxxx`. */
const runId = (): string =>
  `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-")}-${randomBytes(3).toString("hex")}`;

/** @throws Refusal when the host is not, or cannot be shown to be, the machine that was backed up */
function sameMachine(host: RemoteHost, backup: Backup, machineId: string, otherMachine: boolean): void {
  if (otherMachine || (machineId !== "" && machineId === backup.machineId)) return;
  const from =
    backup.host === undefined ? "an unknown machine" : `${backup.host} (machine id ${backup.machineId ?? ""})`;
  throw new Refusal(
    `the backup is of ${escapeControls(from)}, and ${host.name} has machine id ${machineId || "none"}: if it is the replacement, say so with --other-machine; mind that certificates and etcd.conf are each host's own`,
  );
}

function show(backup: Backup, host: RemoteHost, differences: readonly Difference[], leftOut: readonly string[]): void {
  const taken =
    backup.takenAt === undefined
      ? ""
      : `, taken ${escapeControls(backup.takenAt)} on ${escapeControls(backup.host ?? "")}`;
  console.log(`${backup.archive}${taken}; on ${host.name}:`);
  const changes = differences.filter(({ state }) => state !== "same");
  for (const change of changes) console.log(`  ${lineOf(change)}`);
  for (const line of leftOut) console.log(`  left out ${line}`);
  console.log(`  ${differences.length - changes.length} are the same already`);
}

async function agreed(count: number, host: string): Promise<boolean> {
  if (!process.stdin.isTTY) return true;
  const asked = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asked.question(`Put these ${count} back on ${host}? (yes/no) `);
  asked.close();
  return /^y(es)?$/i.test(answer.trim());
}

function report(host: RemoteHost, changes: readonly Difference[], run: string): void {
  console.log(`in place on ${host.name}, read back and proved by hash:`);
  for (const { entry, seen } of changes) {
    const kept = seen.is === "file" ? ` (the old one: /${escapeControls(namesFor(entry.path, run).kept)})` : "";
    console.log(`  /${escapeControls(entry.path)}${kept}`);
  }
  console.log("nothing was restarted; these read what was put back:");
  for (const advice of restartAdvice(changes.map(({ entry }) => entry.path))) console.log(`  ${advice}`);
}

if (process.argv[1] === join(import.meta.dirname, "restore.ts")) await main(restore);
