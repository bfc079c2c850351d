/** Pure: which etcd of a machine may rehearse the restore of a cluster's snapshot. */
import { Refusal } from "./refusal.ts";

/** A program that was found, with what it says its version is. */
export interface Binary {
  readonly program: "etcd" | "etcdctl" | "etcdutl";
  /** `3.4.23`; empty when it says none. */
  readonly version: string;
  /** Absolute. */
  readonly path: string;
}

/** What a rehearsal runs. */
export interface EtcdSet {
  readonly version: string;
  readonly etcd: string;
  readonly etcdctl: string;
  /** The program with `snapshot restore`: etcdctl until 3.5, etcdutl from 3.6 on. */
  readonly restorer: string;
}

/**
 * Looks on PATH, then where etcd is put by hand. Each program is asked with a clean environment, and for ten seconds at most.
 * Prints `program version path`, one a line, the first found first.
 */
export const lookForEtcd = String.raw`set -u; PATH=$PATH:/usr/sbin:/sbin
version() { sed -n 's/^[A-Za-z ]*[Vv]ersion: *\([0-9][0-9A-Za-z.+-]*\).*/\1/p' | head -n 1; }
asked() { timeout -k 2 10 env -i PATH=/usr/bin:/bin ETCDCTL_API=3 "$@" 2>&1 </dev/null | version; }
look() { for folder; do case $folder in /*) for program in etcd etcdctl etcdutl; do
  file=$folder/$program; [ -f "$file" ] && [ -x "$file" ] || continue
  case $program in etcd) says=$(asked "$file" --version) ;; *) says=$(asked "$file" version) ;; esac
  printf '%s %s %s\n' "$program" "$(printf %s "$says" | grep . || echo -)" "$file"
done ;; esac; done; }
IFS=:; set -f; set -- $PATH; set +f; unset IFS
look "$@" /usr/local/bin /usr/bin /opt/etcd /opt/etcd/bin /opt/etcd-*`;

/** Reads what `lookForEtcd` printed; a line that is not understood, or a path that is no plain text, is left out. */
export function foundBinaries(stdout: string): Binary[] {
  return stdout.split("\n").flatMap((line) => {
    const [, program, version = "", path = ""] = /^(etcd|etcdctl|etcdutl) (\S{1,40}) (\/[ -~]+)$/.exec(line) ?? [];
    if (program !== "etcd" && program !== "etcdctl" && program !== "etcdutl") return [];
    return [{ program, version: minorOf(version) === undefined ? "" : version, path }];
  });
}

/**
 * The cluster's minor release, or else the next later one of the same major, with an etcdctl of its own minor release (and an
 * etcdutl, where etcdctl restores no more).
 * @param cluster version of the cluster's etcd, `3.2.32`
 * @param at the machine as one says it: `this machine`, `admin.example.com`
 * @returns what to run, or `why` there is nothing to run, with what to do
 * @throws Refusal when the cluster's version is none
 */
export function chooseEtcd(found: readonly Binary[], cluster: string, at: string): EtcdSet | { why: string } {
  const wanted = minorOf(cluster);
  if (wanted === undefined) throw new Refusal(`etcd's version "${cluster.slice(0, 40)}" is not like 3.4.23`);
  const etcds = found.filter(({ program, version }) => program === "etcd" && version !== "");
  const remedy = `install etcd ${wanted.text} or later on ${at}`;
  const [first] = etcds;
  if (first === undefined) return { why: `no etcd on ${at}: install etcd ${wanted.text} or later` };
  const able = etcds
    .filter(({ version }) => minorOf(version)?.major === wanted.major && minor(version) >= wanted.minor)
    .toSorted((a, b) => minor(a.version) - minor(b.version));
  const [best] = able;
  if (best === undefined) {
    const other = minorOf(first.version)?.major !== wanted.major;
    return {
      why: `etcd ${first.version} on ${at} is ${other ? "of another major release" : "older"} than the cluster's ${cluster}: ${remedy}`,
    };
  }
  const sets = able.flatMap((etcd) => setOf(etcd, found) ?? []);
  const tools = minor(best.version) >= 6 ? "etcdctl and etcdutl" : "etcdctl";
  return sets[0] ?? { why: `etcd ${best.version} on ${at} has no ${tools} of its own release: install ${tools} there` };
}

function setOf(etcd: Binary, found: readonly Binary[]): EtcdSet | undefined {
  const folder = etcd.path.slice(0, etcd.path.lastIndexOf("/"));
  const beside = ({ path }: Binary) => (path.startsWith(`${folder}/`) ? 0 : 1);
  const tool = (wanted: Binary["program"]) =>
    found
      .filter(({ program, version }) => program === wanted && version !== "" && sameMinor(version, etcd.version))
      .toSorted((a, b) => beside(a) - beside(b))[0]?.path;
  const [etcdctl, etcdutl] = [tool("etcdctl"), tool("etcdutl")];
  const restorer = minor(etcd.version) >= 6 ? etcdutl : (etcdutl ?? etcdctl);
  return etcdctl === undefined || restorer === undefined
    ? undefined
    : { version: etcd.version, etcd: etcd.path, etcdctl, restorer };
}

const sameMinor = (a: string, b: string): boolean => minorOf(a)?.text === minorOf(b)?.text;
const minor = (version: string): number => minorOf(version)?.minor ?? -1;

/** Major and minor of `3.4.23`, `3.6.0-rc.1`; undefined for what is no such version. */
function minorOf(version: string): { major: number; minor: number; text: string } | undefined {
  const [, major, minor] = /^(\d{1,4})\.(\d{1,4})\.\d{1,6}(?:[-+][0-9A-Za-z.+-]*)?$/.exec(version) ?? [];
  return major === undefined || minor === undefined
    ? undefined
    : { major: Number(major), minor: Number(minor), text: `${major}.${minor}` };
}
