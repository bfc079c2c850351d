/**
 * etcd's data from one healthy, surviving member: the v3 snapshot, and the v2 store where it is used. Believed by what it is,
 * never by an exit status. On the host nothing changes but the backup folder.
 */
import { join } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { backupPlace, type BackupPlace } from "../plan/backup-names.ts";
import { parseLanded, printed } from "../plan/backup-script.ts";
import { etcdctl, type EtcdctlVia } from "../plan/etcdctl-command.ts";
import {
  parseCount,
  parseEndpointStatus,
  parseMembers,
  parseSnapshotStatus,
  type EndpointStatus,
} from "../plan/etcdctl.ts";
import { Refusal } from "../plan/refusal.ts";
import { snapshotScript } from "../plan/snapshot-script.ts";
import type { BackupOrder } from "./backup.ts";
import { orDiscard, understood } from "./both-sides.ts";
import { bring } from "./bring.ts";
import { RemoteError } from "./errors.ts";
import { takeV2, type StoredCopy } from "./etcd-v2.ts";
import { megabytes } from "./receive.ts";
import { rehearse, type Rehearsal, type RehearsalOrder } from "./rehearsal.ts";
import type { RemoteHost } from "./remote-host.ts";
import { prune } from "./retention.ts";
import { proveSnapshot } from "./snapshot-trailer.ts";

export type { StoredCopy } from "./etcd-v2.ts";
export type { EtcdctlVia } from "../plan/etcdctl-command.ts";

export interface SnapshotRecord extends StoredCopy {
  /** Decimal. */
  revision: string;
  /** As `snapshot status` counts them: all revisions of all keys. */
  keys: number;
  /** Keys of the live cluster at `revision`. */
  liveKeys: number;
  rehearsal: Rehearsal;
  /** Name of the host it was taken from. */
  member: string;
  /** ISO, UTC. */
  takenAt: string;
  v2: StoredCopy | null;
}

export interface SnapshotOrder extends BackupOrder {
  /** Exactly one, `https://ip:2379`, of that host's member. */
  endpoint: string;
  via: EtcdctlVia;
  /** For `oc-exec`. */
  pod?: string;
  /** Decimal; read from the cluster before this call. */
  liveRevision: string;
  /** Take the v2 store too. */
  v2: boolean;
  /** Where the copy is restored on trial. */
  rehearsal: RehearsalOrder["on"];
  /** Revisions the cluster may have moved on by the time the snapshot is taken; default 10 000. */
  maximumLag?: number;
}

/** Seconds for saving, moving and hashing: at most 8 GB of data, at no less than 5 MB/s. */
const savingDeadline = 1800;

/**
 * Takes the snapshot, proves it, and brings it here.
 * @throws RemoteError when a step fails or the snapshot is not what it should be (nothing then has a final name, here or there, and nothing
 *   stays in /var/lib/etcd); Refusal for an order that cannot be
 */
export async function takeSnapshot(host: RemoteHost, o: SnapshotOrder): Promise<SnapshotRecord> {
  if (!/^https?:\/\/[^\s,/]+$/.test(o.endpoint))
    throw new Refusal(
      `refusing to take a snapshot: "${o.endpoint}" is not exactly one endpoint like https://192.0.2.1:2379`,
    );
  if (!/^\d+$/.test(o.liveRevision))
    throw new Refusal(`refusing to take a snapshot: "${o.liveRevision}" is no revision to compare it with`);
  const place = backupPlace("etcd-snapshot", host.name, o);
  const member = await statusOf(host, o);
  const v2 = o.v2 ? await takeV2(host, o, savingDeadline) : null;
  const takenAt = new Date().toISOString();
  const record = await orDiscard(host, place, async (): Promise<SnapshotRecord> => {
    o.say(`${host.name}: saving etcd's snapshot from ${o.endpoint} (${o.via})`);
    const taken = (await saved(host, o, place)) ?? (await savedAgain(host, o, place));
    const { revision, keys, liveKeys } = taken;
    mustNotLag(host, o, revision, await statusOf(host, o));
    const members = await membersOf(host, o);
    o.say(`${host.name}: revision ${revision} saved, ${megabytes(taken.bytes)}; copying it here`);
    let rehearsal: Rehearsal = { rehearsed: false, why: "not yet" };
    const copy = await bring(host, o, "etcd-snapshot", place, taken, async (arrival) => {
      await proveSnapshot(host, place.path, arrival);
      const { clusterId, memberId, version } = member;
      const { bytes } = arrival;
      const { sha256 } = taken;
      const order = { on: o.rehearsal, open: () => later(arrival.open), bytes, sha256, revision, keys: liveKeys };
      const say = (text: string) => o.say(`${host.name}: ${text}`);
      rehearsal = await rehearse({ ...order, clusterVersion: version, say });
      say(outcomeOf(rehearsal));
      const from = { endpoint: o.endpoint, via: o.via, clusterId, memberId, version, members };
      return { ...from, revision, keys, liveKeys, rehearsal, v2, restore: byHand(taken.sha256) };
    });
    return { ...copy, revision, keys, liveKeys, rehearsal, member: host.name, takenAt, v2 };
  });
  await prune(join(o.archive, host.name), host.name, ["etcd-snapshot", "etcd-v2"], o.keep, o.say);
  o.say(`${host.name}: ${record.archive} is verified`);
  return record;
}

/** A stream that is opened when somebody reads it. */
function later(open: () => Promise<Readable>): Readable {
  const through = new PassThrough();
  open()
    .then((source) => pipeline(source, through))
    .catch((error: unknown) => through.destroy(error instanceof Error ? error : new Error(String(error))));
  return through;
}

interface Saved {
  bytes: number;
  sha256: string;
  revision: string;
  keys: number;
  liveKeys: number;
}

/** Saves it, and counts the live keys at its revision; undefined when that revision was compacted meanwhile. */
async function saved(host: RemoteHost, o: SnapshotOrder, place: BackupPlace): Promise<Saved | undefined> {
  const what = `saving etcd's snapshot as ${place.path}`;
  const { stdout } = await host.run(snapshotScript(place, o), { what, deadline: savingDeadline });
  const taken = understood(host, what, () => parseSaved(stdout));
  const liveKeys = await keysAt(host, o, taken.revision);
  return liveKeys === undefined ? undefined : { ...taken, liveKeys };
}

async function savedAgain(host: RemoteHost, o: SnapshotOrder, place: BackupPlace): Promise<Saved> {
  o.say(`${host.name}: etcd has compacted the snapshot's revision before its keys were counted; taking it again`);
  const again = await saved(host, o, place);
  if (again !== undefined) return again;
  const seen = "the snapshot's revision was compacted before it could be done, twice";
  const remedy = "see what compacts etcd all the time, or has written nothing since, and take it again later";
  throw new RemoteError({ host: host.name, what: "counting etcd's keys", outcome: "failed", seen, remedy });
}

/** Keys of the live cluster at a revision; undefined when it was compacted. */
async function keysAt(host: RemoteHost, o: SnapshotOrder, revision: string): Promise<number | undefined> {
  const what = `counting etcd's keys at revision ${revision}`;
  const args = ["get", "", "--prefix", `--rev=${revision}`, "--keys-only", "--limit=1", "-w", "json"];
  const { code, stdout, stderr } = await host.run(etcdctl(o.via, 3, args, o), { what, deadline: 60, ok: "any" });
  if (/revision has been compacted/.test(`${stdout}${stderr}`)) return undefined;
  if (code === 0) return understood(host, what, () => parseCount(stdout)).count;
  throw new RemoteError({ host: host.name, what, outcome: "failed", seen: `exit ${code}`, exit: code, output: stderr });
}

/** Who was a member, for whoever rebuilds the cluster. */
async function membersOf(
  host: RemoteHost,
  o: SnapshotOrder,
): Promise<{ id: string; name: string; peerURLs: string[] }[]> {
  const what = "listing etcd's members";
  const { stdout } = await host.run(etcdctl(o.via, 3, ["member", "list"], o), { what, deadline: 30 });
  const members = understood(host, what, () => parseMembers(stdout));
  return members.map(({ id, name, peerURLs }) => ({ id, name, peerURLs }));
}

function outcomeOf(rehearsal: Rehearsal): string {
  if (!rehearsal.rehearsed) return `the restore is NOT rehearsed: ${rehearsal.why}`;
  const { where, etcd, keys, revision, seconds } = rehearsal;
  return `restored on ${where} by etcd ${etcd} in ${seconds} s: ${keys} keys at revision ${revision}, as in the live cluster`;
}

function parseSaved(stdout: string): { bytes: number; sha256: string; revision: string; keys: number } {
  const { revision, keys } = parseSnapshotStatus(printed(stdout).get("status")?.[0] ?? "");
  return { ...parseLanded(stdout), revision, keys };
}

/** What the member says of itself. `snapshot save` would wait for a dead one until its deadline; this does not. */
async function statusOf(host: RemoteHost, o: SnapshotOrder): Promise<EndpointStatus> {
  const what = `asking etcd at ${o.endpoint} for its status`;
  const { stdout } = await host.run(etcdctl(o.via, 3, ["endpoint", "status", "-w", "json"], o), { what, deadline: 30 });
  const [status] = understood(host, what, () => parseEndpointStatus(stdout));
  if (status !== undefined) return status;
  const remedy = "see whether its etcd runs, and take the snapshot from a healthy member";
  throw new RemoteError({ host: host.name, what, outcome: "failed", seen: "it gave none", remedy });
}

/** The snapshot must hold all that was live before it was asked for, and must not be far behind what is live now. */
function mustNotLag(host: RemoteHost, o: SnapshotOrder, revision: string, now: EndpointStatus): void {
  const wrong = (seen: string, remedy: string) =>
    new RemoteError({ host: host.name, what: "verifying etcd's snapshot", outcome: "failed", seen, remedy });
  if (BigInt(revision) < BigInt(o.liveRevision))
    throw wrong(
      `it holds revision ${revision}, the cluster was already at ${o.liveRevision}`,
      "this member lags; take the snapshot from the one with the highest revision",
    );
  if (BigInt(now.revision) - BigInt(revision) > lagOf(o))
    throw wrong(
      `it holds revision ${revision}, the member is at ${now.revision} by now`,
      "see what writes so much, or allow a greater lag",
    );
}

function lagOf(o: SnapshotOrder): bigint {
  return BigInt(o.maximumLag ?? 10_000);
}

/** How one restores without any of this: as one new member, to which the others are added. */
function byHand(sha256: string): string[] {
  return [
    `sha256sum <file>   # must be ${sha256}; stop etcd on every member first (move its static pod's manifest away)`,
    "mv /var/lib/etcd /var/lib/etcd.old   # on the one host that begins anew; keep it",
    "ETCDCTL_API=3 etcdctl snapshot restore <file> --data-dir /var/lib/etcd --name <member> --initial-cluster <member>=https://<ip>:2380 --initial-advertise-peer-urls https://<ip>:2380",
    "set ETCD_INITIAL_CLUSTER in /etc/etcd/etcd.conf to that one member, then bring its static pod back",
    "add the others one by one with etcdctl member add, each with an empty /var/lib/etcd",
  ];
}
