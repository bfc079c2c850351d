/**
 * Pure: the script that restores a snapshot into a scratch etcd of one member and counts its keys. It is the same on the machine
 * that runs pulumi and on a rehearsal host: a POSIX sh that gets the snapshot by standard input, needs no network, and leaves
 * nothing. The scratch etcd holds every secret of the cluster, so nobody else may come near it: it listens on unix sockets in a
 * folder that only its owner enters.
 */
import type { EtcdSet } from "./etcd-binaries.ts";
import { quote, sh } from "./quote.ts";
import { Refusal } from "./refusal.ts";

export interface RehearsalScript extends EtcdSet {
  /** Of the snapshot. */
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Decimal; the revision whose keys are counted. */
  readonly revision: string;
}

const MiB = 1024 * 1024;

/** How much a rehearsal of a snapshot of that size may take. Times in seconds; together they stay below the hour after which a scratch is swept. */
export interface RehearsalLimits {
  /** Free bytes that are asked for first: the snapshot, its restored copy, and etcd's own files. */
  readonly room: number;
  /** Bytes of private memory of each process (RLIMIT_DATA: etcd maps its database, which RLIMIT_AS would count). */
  readonly memory: number;
  /** Bytes of one file. */
  readonly file: number;
  readonly receive: number;
  readonly restore: number;
  readonly serve: number;
  /** Everything. */
  readonly whole: number;
}

/** @throws Refusal above 8 GiB, etcd's own limit */
export function rehearsalLimits(bytes: number): RehearsalLimits {
  if (!Number.isSafeInteger(bytes) || bytes < 1 || bytes > 8.5 * 1024 * MiB)
    throw new Refusal(`refusing to rehearse the restore of ${bytes} bytes: no etcd holds more than 8 GiB`);
  const seconds = (least: number, perSecond: number) => Math.max(least, Math.ceil(bytes / perSecond));
  const [receive, restore, serve] = [seconds(120, 6 * MiB), seconds(120, 10 * MiB), seconds(60, 20 * MiB)];
  return {
    room: 3 * bytes + 192 * MiB,
    memory: 512 * MiB + 2 * bytes,
    file: bytes + 128 * MiB,
    receive,
    restore,
    serve,
    whole: receive + restore + serve + 30,
  };
}

/** Exit codes that say what went wrong; any other one is another failure. The last line on standard error says more. */
export const rehearsalExit = { restore: 3, serve: 4 } as const;

/** The name of a scratch folder, up to mktemp's six letters. */
export const scratchName = "openshift-masters-rehearsal-";

/** Member, URLs: etcd 3.4 wants a port even of a socket's name, and puts the socket into the working directory. */
const [client, peer] = ["unix://c:0", "unix://p:0"];
const alone = sh`--name rehearsal --initial-cluster ${`rehearsal=${peer}`} --initial-advertise-peer-urls ${peer} --data-dir data`;

const opening = (need: number) => sh`set -u; umask 077; LC_ALL=C; export LC_ALL
die() { printf '%s\\n' "$*" >&2; exit "\${bad:-1}"; }
base=\${TMPDIR:-/var/tmp}; etcd=; scratch=
case $base in /*) ;; *) die "TMPDIR is $base and should be an absolute path" ;; esac
[ -d "$base" ] && [ -w "$base" ] || die "$base cannot be written: set TMPDIR to a folder that can"
find "$base" -mindepth 1 -maxdepth 1 -type d -user "$(id -u)" -name ${`${scratchName}*`} -mmin +60 -exec rm -rf -- {} + 2>/dev/null
free=$(df -Pk -- "$base" | { read -r _; read -r _ _ _ k _; echo "$k"; })
[ "$free" -ge ${need} ] || die "$base has $free KiB free, and three times the snapshot and 192 MiB are wanted, ${need} KiB: free some, or set TMPDIR"
clean() { code=$?; trap '' HUP INT PIPE TERM
  [ -z "$etcd" ] || { kill -TERM "$etcd"; wait "$etcd"; } 2>/dev/null
  cd /; [ -z "$scratch" ] || rm -rf -- "$scratch" || { echo "$scratch cannot be removed: remove it by hand, it holds the cluster's data" >&2; exit 1; }
  exit "$code"; }
trap clean EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 141' PIPE; trap 'exit 143' TERM
scratch=$(mktemp -d "$base/${scratchName}XXXXXX") && cd "$scratch" && mkdir work || die "no folder can be made in $base"`;

/** One byte more than there should be is read, and no more: whoever sends cannot fill the disk. */
const receiving = (
  o: RehearsalScript,
  limit: number,
) => sh`timeout --foreground -k 2 ${limit} head -c ${o.bytes + 1} >work/snapshot.db || die "the snapshot did not come within ${limit} s, or cannot be written to $scratch"
bytes=$(stat -c %s work/snapshot.db); sum=$(sha256sum <work/snapshot.db | cut -c 1-64)
[ "$bytes" = ${o.bytes} ] && [ "$sum" = ${o.sha256} ] || die "$bytes bytes of sha256 $sum came, expected were ${o.bytes} of ${o.sha256}"`;

/**
 * Root is given up for nobody, with a group of its own and no others: so that other processes of nobody's, which are not of that
 * group, neither get through the folder above (etcd from 3.5 on uses absolute paths, so it must be passable) nor in by /proc.
 * `part SECONDS PROGRAM …`, in a subshell of its own, becomes a program in the work folder with a clean environment, limits, and an end.
 */
const unprivileged = (l: RehearsalLimits) => sh`as=
if [ "$(id -u)" = 0 ]; then
  group=$((60706 + $$ % 470))
  as="setpriv --reuid=65534 --regid=$group --clear-groups --no-new-privs"; owner=65534
  $as true 2>/dev/null || { as="runuser -u nobody --"; owner=$(id -u nobody); group=$(id -g nobody); }
  $as true 2>/dev/null || die "etcd must not run as root, and neither setpriv nor runuser can make it nobody here"
  chgrp "$group" . && chmod 710 . && chown -R "$owner:$group" work || die "$scratch cannot be given to nobody"
fi
part() { cd work || exit 1; ulimit -c 0; ulimit -d ${Math.ceil(l.memory / 1024)}; ulimit -f ${Math.ceil(l.file / 512)}
  limit=$1; shift
  exec timeout --foreground -k 2 "$limit" nice -n 10 $as env -i PATH=/usr/bin:/bin HOME=/nonexistent LC_ALL=C ETCDCTL_API=3 "$@"; }
touch .`;

const restoring = (o: RehearsalScript, limit: number) => `bad=${rehearsalExit.restore}
( part ${limit} ${quote(o.restorer)} snapshot restore snapshot.db ${alone} ) >restored 2>&1 </dev/null; code=$?
[ "$code" = 0 ] && [ -d work/data/member ] || { tail -n 6 restored >&2
  [ "$code" -ne 124 ] || die "restoring did not end within ${limit} s"
  die "restoring failed with exit $code"; }
rm -f work/snapshot.db; touch .`;

/** Asked at the snapshot's own revision, and at once: leases begin their whole time anew when an etcd starts, so no key expires meanwhile. */
const serving = (o: RehearsalScript, limit: number) => `bad=${rehearsalExit.serve}
part ${limit} ${quote(o.etcd)} ${alone} --listen-client-urls ${client} --advertise-client-urls ${client} --listen-peer-urls ${peer} >served 2>&1 </dev/null & etcd=$!
until [ -S work/c:0 ] && ( part 30 ${quote(o.etcdctl)} --endpoints ${client} --command-timeout 25s \\
  get '' --prefix --rev=${o.revision} --keys-only --limit=1 -w json ) >answer 2>asked </dev/null
do
  ! grep -q 'required revision' asked 2>/dev/null || { tail -n 1 asked >&2; die "the restored etcd does not hold revision ${o.revision}"; }
  kill -0 "$etcd" 2>/dev/null || { wait "$etcd"; code=$?; etcd=; cat served asked 2>/dev/null | tail -n 6 >&2
    [ "$code" -ne 124 ] || die "etcd did not answer within ${limit} s"
    die "etcd ended with exit $code"; }
  sleep 0.2
done`;

/** No key can look like these fields: keys come as base64. Without any key there is no count. */
const telling = (
  o: RehearsalScript,
) => String.raw`revision=$(sed -n 's/.*"revision":\([0-9]\{1,20\}\).*/\1/p' answer); count=$(sed -n 's/.*"count":\([0-9]\{1,20\}\).*/\1/p' answer)
[ -n "$revision" ] || die "etcdctl gave no revision"
[ -n "$count" ] || count=0
printf 'etcd %s\nrevision %s\ncount %s\n' ${quote(o.version)} "$revision" "$count"`;

/**
 * Restores what comes by standard input and prints `etcd <version>`, `revision <n>` (where the restored etcd is) and `count <n>`
 * (its keys at `revision`).
 * @throws Refusal for a size, a hash or a revision that is none
 */
export function rehearsalScript(o: RehearsalScript): string {
  if (!/^[0-9a-f]{64}$/.test(o.sha256) || !/^\d{1,19}$/.test(o.revision))
    throw new Refusal(`refusing to rehearse a restore: "${o.sha256}" is no sha256, or "${o.revision}" no revision`);
  const limits = rehearsalLimits(o.bytes);
  return [
    opening(Math.ceil(limits.room / 1024)),
    receiving(o, limits.receive),
    unprivileged(limits),
    restoring(o, limits.restore),
    serving(o, limits.serve),
    telling(o),
  ].join("\n");
}

/** What the script printed. @throws Refusal when something is missing, or is no number */
export function parseRehearsed(stdout: string): { etcd: string; revision: string; keys: number } {
  const [, etcd, revision, count] =
    /^etcd ([0-9A-Za-z.+-]{1,40})\nrevision (\d{1,19})\ncount (\d{1,15})\n?$/.exec(stdout) ?? [];
  if (etcd === undefined || revision === undefined || count === undefined)
    throw new Refusal(`the rehearsal printed "${stdout.slice(0, 200)}" instead of a version, a revision and a count`);
  return { etcd, revision, keys: Number(count) };
}
