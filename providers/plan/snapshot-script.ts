/** Pure: the scripts that take etcd's data, v3 and v2, on a member's host. Nothing of theirs stays in /var/lib/etcd. */
import { opening, packed, packing, settling } from "./backup-shell.ts";
import type { BackupPlace } from "./backup-names.ts";
import { etcdctl, type EtcdctlVia } from "./etcdctl-command.ts";
import { sh } from "./quote.ts";

/** The pod's only writable folder that the host sees too. It counts against etcd's disk. */
const dataDirectory = "/var/lib/etcd";

export interface SnapshotSource {
  readonly via: EtcdctlVia;
  readonly pod?: string | undefined;
  /** Exactly one, `https://ip:2379`. */
  readonly endpoint: string;
  readonly run: string;
}

/** What a killed run (no trap runs then) left there an hour ago and more; a younger one may be at work. */
const sweep = sh`find ${dataDirectory} -xdev -mindepth 1 -maxdepth 1 -name 'openshift-masters-*' -mmin +60 -exec rm -rf -- {} +
need=$(du -skx -- ${dataDirectory}/member | cut -f 1) && [ -n "$need" ] || die "etcd's data is not in ${dataDirectory}/member"
room ${dataDirectory} "$need"; room "$folder" "$need"`;

/**
 * `snapshot save`, believed by its words and the file only; then `snapshot status`, while the container can still see it; then out
 * of etcd's folder. The temporary file is made beforehand because a container has its own umask and old etcdctls write for all to read.
 */
export function snapshotScript(place: BackupPlace, source: SnapshotSource): string {
  const scratch = `${dataDirectory}/openshift-masters-${source.run}.db`;
  const save = etcdctl(source.via, 3, ["snapshot", "save", scratch], source);
  const status = etcdctl(source.via, 3, ["snapshot", "status", "-w", "json", scratch], { pod: source.pod });
  return [
    opening(place, [scratch, `${scratch}.part`]),
    sweep,
    sh`: >${scratch}.part`,
    `${save} >"$work/said" 2>&1; code=$?`,
    sh`grep -q 'Snapshot saved' "$work/said" && [ -f ${scratch} ] && [ ! -L ${scratch} ] || {
  tail -n 6 "$work/said" >&2; die "etcdctl (exit $code) did not say that the snapshot is saved, or it is not there"; }`,
    `status=$(${status} 2>"$work/said") && [ -n "$status" ] || { tail -n 6 "$work/said" >&2; die "snapshot status did not take it for a snapshot"; }`,
    sh`mv -fT -- ${scratch} "$part" || die "the snapshot cannot be moved out of ${dataDirectory}"`,
    settling,
    String.raw`printf 'status %s\n' "$(printf %s "$status" | tr -d '\r\n')"`,
  ].join("\n");
}

/**
 * v2 `backup` rewrites ids, so that it is restored as a new cluster of one; it prints a line per log entry, of which the last are kept.
 * etcd 3.2 writes the v2 part alone, and no etcd starts from that once the cluster is one of v3 ("database file of the backend is
 * missing"): a snapshot of v3 is put beside it then. It is saved before the log is backed up: a database that is ahead of its log would
 * pass over what is written next.
 */
export function v2BackupScript(place: BackupPlace, source: SnapshotSource): string {
  const scratch = `${dataDirectory}/openshift-masters-${source.run}-v2`;
  const database = `${scratch}.db`;
  const args = ["backup", "--data-dir", dataDirectory, "--backup-dir", scratch];
  const backup = etcdctl(source.via, 2, args, { pod: source.pod });
  const save = etcdctl(source.via, 3, ["snapshot", "save", database], source);
  return [
    opening(place, [scratch, database, `${database}.part`]),
    packing,
    sweep,
    sh`backup() { mkdir -- ${scratch} || die "${scratch} cannot be made"`,
    `  { ${backup}; echo "exit $?"; } 2>&1 | tail -n 6 >"$work/backup"`,
    sh`  grep -qx 'exit 0' "$work/backup" && [ -d ${scratch}/member/snap ] && [ -n "$(find ${scratch}/member/wal -name '*.wal' -size +0)" ] || {
    cat "$work/backup" >&2; die "etcdctl backup left no member folder with a log"; }
}
backup
if [ ! -f ${scratch}/member/snap/db ]; then
  : >${database}.part`,
    `  ${save} >"$work/said" 2>&1`,
    sh`  grep -q 'Snapshot saved' "$work/said" && [ -f ${database} ] && [ ! -L ${database} ] || {
    tail -n 6 "$work/said" >&2; die "etcdctl backup leaves no database here, and etcdctl did not say that a snapshot is saved in its place"; }
  rm -rf -- ${scratch}; backup
  head -c -32 ${database} >${scratch}/member/snap/db || die "the database cannot be put into ${scratch}"
fi
pack -C ${scratch} member`,
    settling,
    packed,
  ].join("\n");
}

/**
 * Starts a new cluster of one from a v2 backup; `data` is the folder that its `member` was unpacked into. Nothing of what it says of
 * its peers holds any more: before others are added, `etcdctl member update` gives its own peer URL anew, and it is started without
 * `--force-new-cluster`.
 */
export function v2RestoreCommand(o: { data: string; name: string; client: string; peer: string }): string {
  const { data, name, client, peer } = o;
  return sh`etcd --force-new-cluster --enable-v2 --data-dir ${data} --name ${name} --listen-client-urls ${client} --advertise-client-urls ${client} --listen-peer-urls ${peer}`;
}
