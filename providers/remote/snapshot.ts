/**
 * etcd's data from one healthy, surviving member: the v3 snapshot, and the v2 store where it is used. Believed by what it is,
 * never by an exit status. On the host nothing changes but the backup folder.
 */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
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
import { onBothSides, understood } from "./both-sides.ts";
import { RemoteError } from "./errors.ts";
import { takeV2, type StoredCopy } from "./etcd-v2.ts";
import { readManifest, writeManifest } from "./local-archive.ts";
import { megabytes, receive } from "./receive.ts";
import { rehearse, type Rehearsal, type RehearsalOrder } from "./rehearsal.ts";
import type { RemoteHost } from "./remote-host.ts";
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
 * Takes the snapshot, proves it, and brings it here. A snapshot this run took already is returned, unless the cluster has moved on
 * from it by more than `maximumLag`.
 * @throws RemoteError when a step fails or the snapshot is not what it should be (nothing then has a final name here, nothing stays in
 *   /var/lib/etcd); Refusal for an order that cannot be
 */
export async function takeSnapshot(host: RemoteHost, o: SnapshotOrder): Promise<SnapshotRecord> {
  if (!/^https?:\/\/[^\s,/]+$/.test(o.endpoint))
    throw new Refusal(
      `refusing to take a snapshot: "${o.endpoint}" is not exactly one endpoint like https://192.0.2.1:2379`,
    );
  if (!/^\d+$/.test(o.liveRevision))
    throw new Refusal(`refusing to take a snapshot: "${o.liveRevision}" is no revision to compare it with`);
  const place = backupPlace("etcd-snapshot", host.name, o);
  const archive = join(o.archive, host.name, place.file);
  const known = await alreadyTaken(host, o, place, archive);
  if (known) {
    o.say(`${host.name}: ${place.file} is already there, on the host and here`);
    return known;
  }
  const member = await statusOf(host, o);
  const v2 = o.v2 ? await takeV2(host, o, savingDeadline) : null;
  o.say(`${host.name}: saving etcd's snapshot from ${o.endpoint} (${o.via})`);
  const { liveKeys, ...taken } = (await saved(host, o, place)) ?? (await savedAgain(host, o, place));
  mustNotLag(host, o, taken.revision, await statusOf(host, o));
  const record: SnapshotRecord = {
    path: place.path,
    archive,
    ...taken,
    liveKeys,
    rehearsal: { rehearsed: false, why: "not yet" },
    member: host.name,
    takenAt: new Date().toISOString(),
    v2,
  };
  const members = await membersOf(host, o);
  const seal = async (temporary: string) => {
    await proveSnapshot(host, place.path, temporary);
    const { clusterId, memberId, version } = member;
    const open = () => createReadStream(temporary);
    const { bytes, sha256, revision } = record;
    const order = { on: o.rehearsal, open, bytes, sha256, revision, keys: liveKeys, clusterVersion: version };
    record.rehearsal = await rehearse({ ...order, say: (text) => o.say(`${host.name}: ${text}`) });
    o.say(`${host.name}: ${outcomeOf(record.rehearsal)}`);
    const more = {
      host: host.name,
      run: o.run,
      endpoint: o.endpoint,
      via: o.via,
      clusterId,
      memberId,
      version,
      members,
    };
    await writeManifest(archive, { ...more, ...record, restore: byHand(record) });
  };
  o.say(`${host.name}: revision ${taken.revision} saved, ${megabytes(taken.bytes)}; copying it here`);
  await receive(host, { ...taken, path: place.path, into: archive, say: o.say, seal });
  o.say(`${host.name}: ${archive} is verified`);
  return record;
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

const copy = z.object({ path: z.string(), archive: z.string(), sha256: z.string(), bytes: z.number() });
const recorded = copy.extend({
  revision: z.string().regex(/^\d+$/),
  keys: z.number(),
  liveKeys: z.number(),
  rehearsal: z.discriminatedUnion("rehearsed", [
    z.object({
      rehearsed: z.literal(true),
      where: z.string(),
      etcd: z.string(),
      keys: z.number(),
      revision: z.string(),
      seconds: z.number(),
    }),
    z.object({ rehearsed: z.literal(false), why: z.string() }),
  ]),
  member: z.string(),
  takenAt: z.string(),
  v2: copy.nullable(),
});

async function alreadyTaken(
  host: RemoteHost,
  o: SnapshotOrder,
  place: BackupPlace,
  archive: string,
): Promise<SnapshotRecord | undefined> {
  const manifest = recorded.safeParse(await readManifest(archive));
  if (!manifest.success || manifest.data.path !== place.path || manifest.data.archive !== archive) return undefined;
  const record = manifest.data;
  if ((o.v2 && record.v2 === null) || BigInt(o.liveRevision) - BigInt(record.revision) > lagOf(o)) return undefined;
  const whole = (await onBothSides(host, record)) && (record.v2 === null || (await onBothSides(host, record.v2)));
  return whole ? record : undefined;
}

/** How one restores without any of this: as one new member, to which the others are added. */
function byHand(record: SnapshotRecord): string[] {
  return [
    `sha256sum <file>   # must be ${record.sha256}; stop etcd on every member first (move its static pod's manifest away)`,
    "mv /var/lib/etcd /var/lib/etcd.old   # on the one host that begins anew; keep it",
    "ETCDCTL_API=3 etcdctl snapshot restore <file> --data-dir /var/lib/etcd --name <member> --initial-cluster <member>=https://<ip>:2380 --initial-advertise-peer-urls https://<ip>:2380",
    "set ETCD_INITIAL_CLUSTER in /etc/etcd/etcd.conf to that one member, then bring its static pod back",
    "add the others one by one with etcdctl member add, each with an empty /var/lib/etcd",
  ];
}
