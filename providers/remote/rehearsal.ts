/** A snapshot is proved by restoring it: into a scratch etcd, whose keys are counted and compared with the live cluster's. */
import type { Readable } from "node:stream";
import { chooseEtcd, foundBinaries, lookForEtcd, type EtcdSet } from "../plan/etcd-binaries.ts";
import { parseRehearsed, rehearsalExit, rehearsalLimits, rehearsalScript } from "../plan/rehearsal-script.ts";
import { Refusal } from "../plan/refusal.ts";
import { RemoteError } from "./errors.ts";
import type { Result } from "./remote-host.ts";
import { thisMachine, type ScriptRunner } from "./this-machine.ts";

/** What came of it; part of the snapshot's record, its manifest, and the stack's outputs. */
export type Rehearsal =
  | {
      rehearsed: true;
      /** `this machine`, or the rehearsal host's name. */
      where: string;
      /** Version of the etcd that restored it. */
      etcd: string;
      /** Keys at `revision`, the same as in the live cluster. */
      keys: number;
      /** Decimal. */
      revision: string;
      seconds: number;
    }
  | { rehearsed: false; why: string };

export interface RehearsalOrder {
  /** This machine; the rehearsal host; or nowhere, because the configuration says so. */
  on: "this machine" | ScriptRunner | "nowhere";
  /** The snapshot's plain bytes, from the copy off the host. */
  open: () => Readable;
  bytes: number;
  /** Hexadecimal, of those bytes. */
  sha256: string;
  /** Decimal; the snapshot's. */
  revision: string;
  /** Keys of the live cluster at that revision. */
  keys: number;
  /** Of the cluster's etcd, `3.2.32`. */
  clusterVersion: string;
  say: (text: string) => void;
}

/**
 * Restores the snapshot and counts its keys. Without a fitting etcd on this machine it is not rehearsed, and `why` says what to do.
 * @throws RemoteError when the snapshot cannot be restored, its keys or revision are not the expected ones, or a host that was named
 *   for it has no fitting etcd; Refusal for an order that cannot be. Nothing may go on then
 */
export async function rehearse(o: RehearsalOrder): Promise<Rehearsal> {
  if (o.on === "nowhere") return { rehearsed: false, why: "backup.rehearsal is false" };
  const runner = o.on === "this machine" ? thisMachine : o.on;
  const looked = await runner.run(lookForEtcd, { what: "looking for an etcd", deadline: 120 });
  const etcd = chooseEtcd(foundBinaries(looked.stdout), o.clusterVersion, runner.name);
  if ("why" in etcd) return withoutEtcd(runner, etcd.why);
  o.say(`restoring the snapshot into a scratch etcd ${etcd.version} on ${runner.name}`);
  const result = await run(runner, etcd, o);
  const restored = { ...read(runner, result), where: runner.name };
  mustEqual(runner, o, restored);
  return { rehearsed: true, ...restored, seconds: Math.round(result.took / 100) / 10 };
}

/** This machine is only the default; a host that was named is a promise. */
function withoutEtcd(runner: ScriptRunner, why: string): Rehearsal {
  if (runner === thisMachine)
    return { rehearsed: false, why: `${why}, or set backup.rehearsal.host to a machine that has it` };
  throw failure(runner, why, "or take backup.rehearsal out, to rehearse on this machine, or set it to false");
}

const what = "rehearsing the restore of the snapshot";

function failure(
  runner: ScriptRunner,
  seen: string,
  remedy: string,
  more: { output?: string; exit?: number } = {},
): RemoteError {
  return new RemoteError({ host: runner.name, what, outcome: "failed", seen, remedy, ...more });
}

async function run(runner: ScriptRunner, etcd: EtcdSet, o: RehearsalOrder): Promise<Result> {
  const script = rehearsalScript({ ...etcd, bytes: o.bytes, sha256: o.sha256, revision: o.revision });
  const deadline = rehearsalLimits(o.bytes).whole;
  const result = await runner.run(script, { what, deadline, stdin: o.open, ok: "any" });
  if (result.code === 0) return result;
  const more = { output: result.stderr, exit: result.code };
  throw failure(runner, `exit ${result.code}`, remedyOf(result.code, etcd.version, o.clusterVersion), more);
}

function remedyOf(code: number, version: string, cluster: string): string {
  if (code !== rehearsalExit.restore && code !== rehearsalExit.serve)
    return "mend what the last line says, or set backup.rehearsal to false";
  const later = version.split(".")[1] !== cluster.split(".")[1];
  return later
    ? `etcd ${version} did not restore the snapshot of an etcd ${cluster}: put an etcd ${cluster.split(".").slice(0, 2).join(".")} there, or set backup.rehearsal to false`
    : `etcd ${version} did not restore the snapshot of an etcd ${cluster}: take the snapshot again; if it happens again, look at the member's disk`;
}

function read(runner: ScriptRunner, { stdout }: Result): { etcd: string; revision: string; keys: number } {
  try {
    return parseRehearsed(stdout);
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    throw failure(runner, cause.message, "look at that machine's etcd and etcdctl");
  }
}

function mustEqual(runner: ScriptRunner, o: RehearsalOrder, restored: { revision: string; keys: number }): void {
  const remedy =
    "this snapshot would not bring the cluster back; take it again, from another member if it happens again";
  if (restored.revision !== o.revision)
    throw failure(
      runner,
      `the restored etcd is at revision ${restored.revision}, the snapshot at ${o.revision}`,
      remedy,
    );
  if (restored.keys !== o.keys)
    throw failure(
      runner,
      `the restored etcd has ${restored.keys} keys at revision ${o.revision}, the live cluster had ${o.keys}`,
      remedy,
    );
}
