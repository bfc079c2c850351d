/** Forms of haproxy.cfg as they are found in front of clusters, and what each editor must make of them; the files are in `fixtures/haproxy/forms`. */
import { readFileSync } from "node:fs";
import type { HostIdentity } from "../../providers/plan/host.ts";

/** One file and one host that leaves. Line numbers are 1-based. */
export interface Form {
  readonly file: string;
  readonly who: HostIdentity;
  /** Every file that haproxy is given with `-f`, in order, or their folder; by default the file alone. */
  readonly started?: readonly string[];
  /** The lines that `dropHost` takes, or the refusal's line and words. */
  readonly drop: readonly number[] | Refused;
  /** The refusal of `setDisabled(…, true)` and of `setDisabled(…, false)`, where there is one. */
  readonly disabling?: Refused;
  readonly enabling?: Refused;
  /** haproxy does not start without the lines of `without`: why the refusal is there. */
  readonly without?: readonly number[];
  /** haproxy 2.6 refuses the file as it is, 1.5 takes it. */
  readonly only15?: true;
}

export interface Refused {
  readonly line: number;
  readonly words: RegExp;
}

const folder = new URL("../fixtures/haproxy/forms/", import.meta.url);
export const textOf = (file: string): string => readFileSync(new URL(file, folder), "utf8");

const host = (name: string, ...addresses: string[]): HostIdentity => ({ name, addresses });
const one = host("master-1.example.com", "192.0.2.11");
const two = host("master-2.example.com", "192.0.2.12");
const three = host("master-3.example.com", "192.0.2.13");

export const forms: readonly Form[] = [
  { file: "per-port.cfg", who: two, drop: [36, 43, 49] },
  { file: "per-port.cfg", who: host("MASTER-3.example.com"), drop: [37, 44, 50] },
  { file: "commented.cfg", who: two, drop: [22] },
  { file: "commented.cfg", who: three, drop: [25] },
  { file: "conditional.cfg", who: two, drop: [34] },
  { file: "quoted.cfg", who: one, drop: [22] },
  { file: "quoted.cfg", who: two, drop: [23] },
  { file: "quoted.cfg", who: three, drop: [24] },
  { file: "quoted.cfg", who: host("master-4.example.com", "192.0.2.14"), drop: [25] },
  { file: "options.cfg", who: one, drop: [29, 39] },
  { file: "options.cfg", who: two, drop: [30, 40] },
  { file: "options.cfg", who: three, drop: [31, 41] },
  { file: "many-backends.cfg", who: host("master-2.example.com", "192.0.2.2"), drop: [30, 35, 55, 60] },
  { file: "many-backends.cfg", who: host("infra-3.example.com", "192.0.2.32"), drop: [43, 48] },
  { file: "ipv6.cfg", who: host("master-2.example.com", "2001:db8::12"), drop: [14, 21] },
  { file: "ipv6.cfg", who: host("master-3.example.com", "2001:DB8::13"), drop: [15, 22] },
  { file: "sni.cfg", who: two, drop: [35, 44] },
  { file: "sni.cfg", who: three, drop: [36, 40, 45] },
  { file: "stick.cfg", who: host("lb-1", "192.0.2.11"), drop: [24, 31] },
  { file: "keepalived.cfg", who: host("lb-b", "192.0.2.12"), drop: [22] },
  { file: "healthz.cfg", who: two, drop: [26, 35] },
  { file: "threads.cfg", who: one, drop: [40, 46] },
  {
    file: "threads.cfg",
    who: three,
    drop: [42, 48],
  },
  { file: "rhel7.cfg", who: two, drop: [56] },
  { file: "ansible-additional.cfg", who: two, drop: [65, 71] },
  { file: "short-names.cfg", who: host("ose-m2.example.com", "192.0.2.12", "ose-m2"), drop: [15] },
  { file: "short-names.cfg", who: host("ose-m3.example.com", "192.0.2.13", "ose-m3"), drop: [16] },
  { file: "no-newline.cfg", who: three, drop: [13], only15: true },
  { file: "no-newline.cfg", who: two, drop: [12], only15: true },
  { file: "split/masters.cfg", who: two, started: ["split/haproxy.cfg", "split/masters.cfg"], drop: [4] },
  { file: "split/haproxy.cfg", who: two, started: ["split/haproxy.cfg", "split/masters.cfg"], drop: [] },
  { file: "conf.d/20-masters.cfg", who: three, started: ["conf.d"], drop: [5] },
  {
    file: "default-disabled.cfg",
    who: three,
    drop: [16],
    enabling: { line: 16, words: /default-server line; enable it there/ },
  },
  {
    file: "rooted-names.cfg",
    who: host("ose-m2.example.com", "192.0.2.12"),
    drop: [16],
  },
  {
    file: "two-defaults.cfg",
    who: two,
    drop: [24],
  },
  { file: "named-defaults.cfg", who: two, drop: [15] },
  {
    file: "refused-use-server.cfg",
    who: three,
    drop: { line: 17, words: /refers to master-3 of backend api .*line 15.*use-server master-3 if/ },
    without: [15],
  },
  {
    file: "refused-track.cfg",
    who: three,
    drop: { line: 19, words: /\(backend console\) refers to master-3 of backend api .*track api\/master-3/ },
    without: [15],
  },
  {
    file: "refused-srv-is-up.cfg",
    who: three,
    drop: { line: 10, words: /\(frontend api\) refers to master-3 of backend api .*srv_is_up\(api\/master-3\)/ },
    without: [17],
  },
  {
    file: "refused-srv-in-condition.cfg",
    who: three,
    drop: { line: 21, words: /\(frontend probe\) refers to master-3 of backend api .*srv_conn/ },
    without: [15],
  },
  { file: "refused-template.cfg", who: three, drop: { line: 18, words: /from a template: "server-template m3- 1/ } },
  // only DNS knows whether the host is in it: the plan refuses, by what the name resolves to on the load balancer
  { file: "template-of-all.cfg", who: three, drop: [] },
  {
    file: "refused-last-server.cfg",
    who: three,
    drop: { line: 21, words: /without it backend etcd-proxy would have no server that takes traffic/ },
    disabling: { line: 21, words: /the last enabled server of backend etcd-proxy/ },
  },
  {
    file: "refused-only-backups.cfg",
    who: three,
    drop: { line: 12, words: /only master-1 \(backup or weight 0\), master-2 \(backup or weight 0\)/ },
  },
  {
    file: "refused-only-drained.cfg",
    who: three,
    drop: { line: 14, words: /only master-1 \(disabled\), master-2 \(backup or weight 0\)/ },
    disabling: { line: 14, words: /the last enabled server of backend api/ },
  },
  {
    file: "refused-conditional.cfg",
    who: three,
    drop: { line: 16, words: /between \.if and \.endif/ },
    disabling: { line: 16, words: /between \.if and \.endif/ },
  },
  {
    file: "refused-conditional-else.cfg",
    who: three,
    drop: { line: 15, words: /between \.if and \.endif/ },
    disabling: { line: 15, words: /between \.if and \.endif/ },
  },
  {
    file: "refused-environment.cfg",
    who: three,
    drop: { line: 17, words: /\$\{MASTER_1\}:8443 from haproxy's environment/ },
    disabling: { line: 17, words: /\$\{MASTER_1\}:8443 from haproxy's environment/ },
  },
  {
    file: "refused-swapped-names.cfg",
    who: three,
    drop: { line: 14, words: /calls 192\.0\.2\.12:8443 by the name master-3\.example\.com, but line 15/ },
    disabling: { line: 14, words: /line 15 gives/ },
  },
];
