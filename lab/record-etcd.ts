/**
 * `node lab/record-etcd.ts VERSION [FOLDER]`: what etcdctl of a version answers, into tests/fixtures/etcdctl/recorded/VERSION.json.
 * Without a folder of its `etcd` and `etcdctl` they are built. Takes some minutes.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatMemberId, parseMembers } from "../providers/plan/etcdctl.ts";
import { Failed } from "../tools/needs.ts";
import { main, say } from "../tools/say.ts";
import { isOldEtcd, oldEtcd } from "./etcd32.ts";
import { type Answer, LoopbackEtcd, type MemberName } from "./loopback-etcd.ts";

const all: MemberName[] = ["m1", "m2", "m3"];
/** First of the ports of a version: each may be recorded beside the others. */
const port = (minor: number): number => 23_000 + 100 * minor;
/** etcd counts a member as connected after 5 s only. */
const connected = 6000;

type Recordings = Record<string, Answer>;
interface Leadership {
  readonly leader: MemberName;
  readonly followers: readonly [MemberName, MemberName];
  readonly ids: Readonly<Record<string, string>>;
}

/** `again`: the words of the second run, `once` for what must not be run twice. */
type Note = (name: string, api: 2 | 3, words: string, at?: readonly MemberName[], again?: string) => void;
const once = "";
const one: readonly MemberName[] = ["m1"];

async function recorded(
  etcd: LoopbackEtcd,
  into: Recordings,
  scenes: (etcd: LoopbackEtcd, note: Note) => Promise<void>,
): Promise<void> {
  const split = (words: string): string[] => words.split(" ").map((word) => (word === "''" ? "" : word));
  try {
    await etcd.begin();
    await scenes(etcd, (name, api, words, at = one, again = words) => {
      say(name);
      into[name] = etcd.record(api, split(words), at, again === once ? undefined : split(again));
    });
  } finally {
    await etcd.end();
  }
}

async function membership(etcd: LoopbackEtcd, note: Note, minor: number): Promise<void> {
  note("version", 3, "version");
  note("v2 version", 2, "--version");
  note("v2 ls, nothing", 2, "ls /");
  for (const key of ["a", "b", "c"]) etcd.record(3, ["put", key, key], one);
  etcd.record(2, ["set", "/coreos.com/network/config", "{}"], one);
  await sleep(connected);

  note("member list", 3, "member list");
  note("member list, json", 3, "member list -w json");
  note("v2 member list", 2, "member list");
  note("v2 cluster-health", 2, "cluster-health", all);
  note("v2 ls", 2, "ls /");
  note("endpoint status", 3, "endpoint status", all);
  note("endpoint status, json", 3, "endpoint status -w json", all);
  note("endpoint health", 3, "endpoint health", all);
  note("endpoint health of one", 3, "endpoint health");
  note("alarm list, none", 3, "alarm list");
  note("endpoint hashkv", 3, "endpoint hashkv", all);
  note("endpoint hashkv, json", 3, "endpoint hashkv -w json", all);
  note("endpoint hashkv at a revision, json", 3, "endpoint hashkv --rev 3 -w json", all);
  note("endpoint hashkv at a future revision, json", 3, "endpoint hashkv --rev 3000 -w json", all);
  note("get, count", 3, "get '' --prefix --keys-only --limit=1 -w json");
  note("get, count of none", 3, "get nothing --prefix --keys-only --limit=1 -w json");
  note("snapshot save", 3, "snapshot save one.db", one, "snapshot save two.db");
  note("snapshot status", 3, "snapshot status one.db");
  note("snapshot status, json", 3, "snapshot status -w json one.db");
  note("snapshot status of no snapshot", 3, "snapshot status peer.crt");

  moving(etcd, note);
  await unstarted(etcd, note, minor);
  await down(etcd, note);

  const { ids } = leadership(etcd);
  note("member remove", 3, `member remove ${ids["m3"] ?? ""}`, one, once);
  await sleep(2000);
  note("member list, one removed", 3, "member list");
  note("member list of the removed", 3, "member list", ["m3"]);
  note("member remove of the removed", 3, `member remove ${ids["m3"] ?? ""}`);
  etcd.record(3, ["compact", "4"], one);
  note("get, compacted", 3, "get '' --prefix --rev=2 --keys-only --limit=1 -w json");
  note("endpoint hashkv, compacted, json", 3, "endpoint hashkv --rev 2 -w json");
}

function moving(etcd: LoopbackEtcd, note: Note): void {
  const { leader, followers, ids } = leadership(etcd);
  const [to, other] = followers.map((name) => ids[name] ?? "");
  note("move-leader to no member", 3, "move-leader 1234abcd", [leader]);
  note("move-leader to no id", 3, "move-leader m1", [leader]);
  note("move-leader asked of a follower", 3, `move-leader ${to ?? ""}`, [followers[1]]);
  note("move-leader to itself", 3, `move-leader ${ids[leader] ?? ""}`, [leader]);
  note("move-leader", 3, `move-leader ${to ?? ""}`, all, `move-leader ${other ?? ""}`);
}

async function unstarted(etcd: LoopbackEtcd, note: Note, minor: number): Promise<void> {
  const add = `member add m4 --peer-urls=${etcd.peer("m4")}`;
  note("member add", 3, add, one, once);
  note("member list, one unstarted", 3, "member list");
  note("member list, one unstarted, json", 3, "member list -w json");
  note("v2 member list, one unstarted", 2, "member list");
  note("v2 cluster-health, one unstarted", 2, "cluster-health");
  note("member remove of the unstarted", 3, `member remove ${idsOf(etcd)["m4"] ?? ""}`, one, once);
  note("member remove of no member", 3, "member remove 1234abcd");
  note("member remove of no id", 3, "member remove m1");
  note("member add of a learner", 3, `${add} --learner`, one, once);
  if (minor < 4) return;
  note("member list, a learner unstarted", 3, "member list");
  etcd.start("m4", "existing");
  await sleep(connected);
  note("member list, a learner", 3, "member list");
  note("member list, a learner, json", 3, "member list -w json");
  note("endpoint status, a learner, json", 3, "endpoint status -w json", [...all, "m4"]);
  note("endpoint health, a learner", 3, "endpoint health", [...all, "m4"]);
  note("v2 member list, a learner", 2, "member list");
  note("member remove of a learner", 3, `member remove ${idsOf(etcd)["m4"] ?? ""}`, one, once);
  await etcd.stop("m4");
}

async function down(etcd: LoopbackEtcd, note: Note): Promise<void> {
  const { ids } = leadership(etcd);
  etcd.signal("m3", "SIGSTOP");
  await sleep(connected);
  state(note, "one stalled");
  etcd.signal("m3", "SIGCONT");
  await etcd.stop("m3");
  await sleep(connected);
  state(note, "one down");
  note("endpoint status of the one down, json", 3, "endpoint status -w json", ["m3"]);
  note("endpoint health of the one down", 3, "endpoint health", ["m3"]);
  note("member list of the one down", 3, "member list", ["m3"]);
  note("member remove of a healthy one, one down", 3, `member remove ${ids["m2"] ?? ""}`, one, once);
  etcd.start("m3", "new");
  await etcd.healthy(...all);
  note("member remove just after a restart", 3, `member remove ${ids["m2"] ?? ""}`, one, once);
  await sleep(connected);
}

/** Much of this waits for a time limit: one run is enough. */
function state(note: Note, what: string): void {
  note(`endpoint status, ${what}, json`, 3, "endpoint status -w json", all, once);
  note(`endpoint health, ${what}`, 3, "endpoint health", all, once);
  note(`endpoint hashkv, ${what}, json`, 3, "endpoint hashkv -w json", all, once);
  note(`alarm list, ${what}`, 3, "alarm list", one, once);
  note(`v2 cluster-health, ${what}`, 2, "cluster-health", one, once);
}

async function noQuorum(etcd: LoopbackEtcd, note: Note): Promise<void> {
  const { ids } = leadership(etcd);
  for (const name of ["m2", "m3"] as const) await etcd.stop(name);
  await sleep(connected);
  state(note, "no quorum");
  note("member list, no quorum", 3, "member list");
  note("v2 member list, no quorum", 2, "member list");
  note("v2 ls, no quorum", 2, "ls /");
  note("member remove, no quorum", 3, `member remove ${ids["m3"] ?? ""}`, one, once);
  etcd.start("m2", "new");
  await etcd.healthy("m1", "m2");
  await sleep(connected);
  note("member list, quorum again", 3, "member list");
}

async function noSpace(etcd: LoopbackEtcd, note: Note): Promise<void> {
  const value = "x".repeat(100_000);
  for (let i = 0; i < 40; i += 1) if (etcd.record(3, ["put", `k${i}`, value], one).code !== 0) break;
  await sleep(1000);
  note("put, NOSPACE", 3, "put k v");
  note("alarm list, NOSPACE", 3, "alarm list");
  note("endpoint status, NOSPACE, json", 3, "endpoint status -w json", all);
  note("endpoint health, NOSPACE", 3, "endpoint health", all);
  note("v2 cluster-health, NOSPACE", 2, "cluster-health");
  note("member list, NOSPACE", 3, "member list");
}

/** Ids by name, hex, as the simple list has them. */
function idsOf(etcd: LoopbackEtcd): Record<string, string> {
  const members = parseMembers(etcd.record(3, ["member", "list"], one).stdout);
  return Object.fromEntries(members.map(({ id, peerURLs: [peer = ""] }) => [nameAt(etcd, peer), id]));
}
const nameAt = (etcd: LoopbackEtcd, peer: string): string =>
  ([...all, "m4"] as const).find((name) => etcd.peer(name) === peer) ?? peer;

/** @throws Failed when no leader is known */
function leadership(etcd: LoopbackEtcd): Leadership {
  const ids = idsOf(etcd);
  const status = etcd.record(3, ["endpoint", "status", "-w", "json"], one).stdout;
  const leaderId = formatMemberId(/"leader":(\d+)/.exec(status)?.[1] ?? "0");
  const leader = all.find((name) => ids[name] === leaderId);
  const [follower, other] = all.filter((name) => name !== leader);
  if (leader === undefined || follower === undefined || other === undefined) throw new Failed(`no leader: ${status}`);
  return { leader, followers: [follower, other], ids };
}

await main(async () => {
  const [version = "", given] = process.argv.slice(2);
  if (!/^3\.\d+\.\d+$/.test(version) || (given === undefined && !isOldEtcd(version)))
    throw new Failed("usage: record-etcd.ts VERSION [FOLDER of its etcd and etcdctl; built for 3.2.32 and 3.3.25]");
  const programs = given ?? (isOldEtcd(version) ? await oldEtcd(version) : "");
  const minor = Number(version.split(".")[1]);
  const options = minor >= 4 ? ["--enable-v2"] : [];
  const recordings: Recordings = {};
  const small = [...options, "--quota-backend-bytes=1048576"];
  try {
    await recorded(new LoopbackEtcd(programs, port(minor), options), recordings, (etcd, note) =>
      membership(etcd, note, minor),
    );
    await recorded(new LoopbackEtcd(programs, port(minor) + 10, options), recordings, noQuorum);
    await recorded(new LoopbackEtcd(programs, port(minor) + 20, small), recordings, noSpace);
  } finally {
    const folder = join(import.meta.dirname, "../tests/fixtures/etcdctl/recorded");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${version}.json`), `${JSON.stringify(recordings, undefined, 1)}\n`);
  }
  return 0;
});
