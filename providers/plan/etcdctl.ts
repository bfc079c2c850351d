/**
 * Readers of etcdctl's output, v2 and v3, etcd 3.2 to 3.4 (etcd's `etcdctl/ctlv2/command`, `ctlv3/command/printer*.go`).
 * Ids are 64-bit and stay hex strings without padding, as `member remove` takes them; revisions stay decimal strings. Only what is
 * understood counts: exit codes and the summary line of `cluster-health` say "healthy" too easily.
 */
import { Refusal } from "./refusal.ts";

/** One line of `member list`. An unstarted member has no name yet, and is known by its peer URL. */
export interface ListedMember {
  /** Lower-case hex. */
  readonly id: string;
  readonly name: string;
  readonly peerURLs: string[];
  readonly clientURLs: string[];
  readonly started: boolean;
  /** It has no vote (3.4 and later). */
  readonly learner: boolean;
}

/** One element of `endpoint status -w json`. Ids in hex; `leaderId` is "0" when the member knows no leader. */
export interface EndpointStatus {
  readonly endpoint: string;
  readonly clusterId: string;
  readonly memberId: string;
  readonly leaderId: string;
  /** Decimal, as is `raftIndex`. */
  readonly revision: string;
  readonly raftIndex: string;
  readonly version: string;
  /** Bytes. */
  readonly dbSize: number;
  readonly errors: string[];
}

/** One line of v3 `endpoint health`. */
export interface EndpointHealth {
  readonly endpoint: string;
  readonly healthy: boolean;
  readonly detail: string;
}

/** One line of v2 `cluster-health`. */
export interface MemberHealth {
  readonly id: string;
  readonly state: "healthy" | "unhealthy" | "unreachable";
  readonly detail: string;
}

/** `snapshot status`; `size` as printed (bytes in JSON, rounded like "25 MB" in the simple form). */
export interface SnapshotStatus {
  /** Lower-case hex. */
  readonly hash: string;
  /** Decimal. */
  readonly revision: string;
  readonly keys: number;
  readonly size: string;
}

/** A member's 64-bit id as etcdctl takes it: lower-case hex, not padded. @throws Refusal when the text is no such number. */
export function formatMemberId(decimal: string | bigint): string {
  const text = String(decimal);
  if (!/^\d{1,20}$/.test(text) || BigInt(text) >= 1n << 64n) throw new Refusal(`"${text}" is not a 64-bit member id`);
  return BigInt(text).toString(16);
}

/**
 * `member list` of v2, and of v3 in its simple form.
 * @throws Refusal quoting the first line that is not understood, and when there is no member at all: an etcd that answers has
 * one, and an empty answer (`master-exec` without its pod) must not read as "the member is gone".
 */
export function parseMembers(stdout: string): ListedMember[] {
  const members = linesOf(stdout).map((line) => v2Member(line) ?? v3Member(line) ?? notUnderstood("member list", line));
  if (members.length === 0) throw new Refusal("member list: etcdctl printed no member at all; is its etcd running?");
  const twice = members.find((member, index) => members.findIndex(({ id }) => id === member.id) !== index);
  if (twice !== undefined) throw new Refusal(`member list: member ${twice.id} is listed twice`);
  return members;
}

function v2Member(line: string): ListedMember | undefined {
  const started = /^([0-9a-f]{1,16}): name=(\S+) peerURLs=(\S*) clientURLs=(\S*)(?: isLeader=(?:true|false))?$/i.exec(
    line,
  );
  const [, id, name, peers, clients] = started ?? [];
  if (id !== undefined) return member(id, name, peers, clients, true);
  const [, unstarted, at] = /^([0-9a-f]{1,16})\[unstarted\]: peerURLs=(\S*)$/i.exec(line) ?? [];
  return unstarted === undefined ? undefined : member(unstarted, "", at, "", false);
}

/** `id, started, name, peers, clients[, isLearner]`: several URLs of one field are joined by a bare comma. */
function v3Member(line: string): ListedMember | undefined {
  const [id = "", status = "", name, peers, clients, learner, ...more] = line.split(/, |,$/);
  const known = /^[0-9a-f]{1,16}$/i.test(id) && /^(un)?started$/.test(status) && /^(true|false)?$/.test(learner ?? "");
  if (!known || clients === undefined || more.length > 0 || /\s/.test(`${name}${peers}${clients}`)) return undefined;
  if ((status === "started") === (name === "")) return undefined;
  return member(id, name, peers, clients, status === "started", learner === "true");
}

function member(id: string, name = "", peers = "", clients = "", started: boolean, learner = false): ListedMember {
  const urls = (list: string): string[] => list.split(",").filter((url) => url !== "");
  return { id: id.toLowerCase(), name, peerURLs: urls(peers), clientURLs: urls(clients), started, learner };
}

/**
 * `endpoint status -w json`. Endpoints that did not answer are missing from it (the reason is on stderr): compare with what was
 * asked. A list of none is printed as `null`. Lines that are not the list (of stderr, in the same stream) are passed over.
 * @throws Refusal when the text is not that JSON, or an element lacks its member id.
 */
export function parseEndpointStatus(json: string): EndpointStatus[] {
  const printed = linesOf(json).find((line) => line.startsWith("[") || line === "null") ?? json;
  const list = exactJson(printed, "endpoint status") ?? [];
  if (!Array.isArray(list)) throw new Refusal("endpoint status: not a list of endpoints");
  return list.map((element: unknown) => {
    const outer = fieldsOf(element);
    const status = fieldsOf(outer["Status"]);
    const header = fieldsOf(status["header"]);
    if (text(outer["Endpoint"]) === "") return notUnderstood("endpoint status", json.trim());
    return {
      endpoint: text(outer["Endpoint"]),
      clusterId: formatMemberId(text(header["cluster_id"]) || "0"),
      memberId: formatMemberId(text(header["member_id"])),
      leaderId: formatMemberId(text(status["leader"]) || "0"),
      revision: text(header["revision"]) || "0",
      raftIndex: text(status["raftIndex"]) || "0",
      version: text(status["version"]),
      dbSize: Number(text(status["dbSize"]) || "0"),
      errors: Array.isArray(status["errors"]) ? status["errors"].map(text) : [],
    };
  });
}

/**
 * v3 `endpoint health`, stdout and stderr together (etcdctl 3.2 to 3.4 prints all of it on stderr). Other lines are log lines and are
 * passed over: an endpoint without a line is not healthy.
 */
export function parseHealth(output: string): EndpointHealth[] {
  return linesOf(output).flatMap((line) => {
    const [, endpoint, state, detail = ""] = /^(\S+) is (healthy|unhealthy): ?(.*)$/.exec(line) ?? [];
    return endpoint === undefined ? [] : [{ endpoint, healthy: state === "healthy", detail }];
  });
}

/** `alarm list`: none when there is no line. @throws Refusal quoting a line that is not understood. */
export function parseAlarms(stdout: string): { memberId: string; alarm: string }[] {
  return linesOf(stdout).map((line) => {
    const [, id, alarm] = /^memberID:(\d+) alarm:(\w+)$/.exec(line) ?? [];
    if (id === undefined || alarm === undefined) return notUnderstood("alarm list", line);
    return { memberId: formatMemberId(id), alarm };
  });
}

/**
 * v2 `cluster-health`, one element per member. Its last line and exit code are not read: 3.2 says "cluster is healthy" when any
 * one member is.
 * @throws Refusal quoting a member's line that is not understood, and when no member is named.
 */
export function parseClusterHealth(output: string): MemberHealth[] {
  const lines = linesOf(output).filter((line) => line.startsWith("member "));
  if (lines.length === 0) throw new Refusal(`cluster-health: no member is named in "${output.trim()}"`);
  return lines.map((line) => {
    const [, id, state, detail = ""] = /^member ([0-9a-f]{1,16}) is (\w+)(?:: ?(.*))?$/i.exec(line) ?? [];
    if (id === undefined || !isMemberState(state)) return notUnderstood("cluster-health", line);
    return { id: id.toLowerCase(), state, detail };
  });
}

function isMemberState(state: string | undefined): state is MemberHealth["state"] {
  return state === "healthy" || state === "unhealthy" || state === "unreachable";
}

/** `snapshot status`, simple (`hash, revision, keys, size`) or JSON. @throws Refusal when it is neither. */
export function parseSnapshotStatus(stdout: string): SnapshotStatus {
  const printed = stdout.trim();
  if (printed.startsWith("{")) return snapshotFromJson(printed);
  const [, hash, revision, keys, size] = /^([0-9a-f]{1,8}), (\d+), (\d+), (\S.*)$/i.exec(printed) ?? [];
  if (hash === undefined || revision === undefined || size === undefined)
    return notUnderstood("snapshot status", printed);
  return { hash: hash.toLowerCase(), revision, keys: Number(keys), size };
}

function snapshotFromJson(printed: string): SnapshotStatus {
  const status = fieldsOf(exactJson(printed, "snapshot status"));
  const [hash, revision, keys, size] = ["hash", "revision", "totalKey", "totalSize"].map((name) => text(status[name]));
  if (!hash || !revision || !keys || !size) return notUnderstood("snapshot status", printed);
  return { hash: formatMemberId(hash), revision, keys: Number(keys), size };
}

/**
 * The header's revision and the `count` of `get … -w json`: all keys of the range, however few are listed. No count is none of them.
 * Lines that are not JSON are passed over (etcdctl may warn, `master-exec` too).
 * @throws Refusal when there is no such JSON
 */
export function parseCount(stdout: string): { revision: string; count: number } {
  const json = linesOf(stdout).find((line) => line.startsWith("{")) ?? "";
  const answer = fieldsOf(exactJson(json, "get"));
  const revision = text(fieldsOf(answer["header"])["revision"]);
  const count = text(answer["count"]) || "0";
  if (revision === "" || !/^\d{1,15}$/.test(count)) return notUnderstood("get", "an answer without revision or count");
  return { revision, count: Number(count) };
}

/** JSON whose bare integers become strings: `JSON.parse` would round ids and revisions above 2^53. Strings pass untouched. */
export function exactJson(json: string, what: string): unknown {
  const token = /"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  const quoted = json.replace(token, (match) => (/^-?\d+$/.test(match) ? `"${match}"` : match));
  try {
    return JSON.parse(quoted);
  } catch {
    return notUnderstood(what, json.trim());
  }
}

export function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function linesOf(output: string): string[] {
  return output
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

export function notUnderstood(what: string, line: string): never {
  throw new Refusal(
    `${what}: cannot make out "${line.slice(0, 200)}"; nothing is decided on an answer that is not understood`,
  );
}
