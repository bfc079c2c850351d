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

/** v2 `backup` rewrites ids, so that it is restored as a new cluster of one; it prints a line per log entry, of which the last are kept. */
export function v2BackupScript(place: BackupPlace, source: SnapshotSource): string {
  const scratch = `${dataDirectory}/openshift-masters-${source.run}-v2`;
  const args = ["backup", "--data-dir", dataDirectory, "--backup-dir", scratch];
  const backup = etcdctl(source.via, 2, args, { pod: source.pod });
  return [
    opening(place, [scratch]),
    packing,
    sweep,
    sh`mkdir -- ${scratch} || die "${scratch} cannot be made"`,
    `{ ${backup}; echo "exit $?"; } 2>&1 | tail -n 6 >"$work/backup"`,
    sh`grep -qx 'exit 0' "$work/backup" && [ -d ${scratch}/member/snap ] && [ -n "$(find ${scratch}/member/wal -name '*.wal' -size +0)" ] || {
  cat "$work/backup" >&2; die "etcdctl backup left no member folder with a log"; }
pack -C ${scratch} member`,
    settling,
    packed,
  ].join("\n");
}
