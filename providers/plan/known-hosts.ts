/**
 * OpenSSH's known_hosts (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), as far as plain host keys go. `@cert-authority` lines
 * are never taken for host keys: that would trust the authority's own key as if it were the host's.
 */
import { createHmac } from "node:crypto";

/** One usable line. */
interface Entry {
  readonly line: number;
  readonly revoked: boolean;
  readonly hosts: string;
  readonly type: string;
  readonly key: Buffer;
}

export type Verdict = "match" | "unknown" | "mismatch" | "revoked";

/** What known_hosts says about one host. */
export interface KnownKeys {
  /** Key types (`ssh-ed25519`, `ssh-rsa`, …) there are keys of, in the file's order; empty = unknown host. */
  readonly types: string[];
  /** 1-based lines of those keys. */
  readonly lines: number[];
  /** The host is only vouched for by a certificate authority, which is not supported. */
  readonly onlyAuthority: boolean;
  /** What a key shown by the host (its raw blob) is worth. */
  accepts(key: Buffer): Verdict;
}

/**
 * The keys of one host.
 * @param text whole known_hosts file; lines that cannot be read are passed over, as ssh does
 * @param names names and addresses of the host, the one that decides first: where it has a key of the type shown, a key
 *   under a later name does not help
 * @param port where ≠ 22 the names are looked up as `[name]:port`, and only so
 */
export function keysFor(text: string, names: readonly string[], port: number): KnownKeys {
  const { entries, authorities } = parse(text);
  const wanted = [...new Set(names.map((n) => lookupName(n, port)))];
  const byName = wanted.map((name) => entries.filter((e) => matchesHost(e.hosts, name)));
  const keys = byName.map((found) => found.filter((e) => !e.revoked));
  const revoked = byName.flat().filter((e) => e.revoked);
  const all = keys.flat();
  return {
    types: [...new Set(all.map((e) => e.type))],
    lines: [...new Set(all.map((e) => e.line))].sort((a, b) => a - b),
    onlyAuthority: all.length === 0 && wanted.some((name) => authorities.some((hosts) => matchesHost(hosts, name))),
    accepts(key) {
      if (revoked.some((e) => e.key.equals(key))) return "revoked";
      if (all.length === 0) return "unknown";
      const type = keyType(key);
      const deciding = keys.find((found) => found.some((e) => e.type === type)) ?? [];
      return deciding.some((e) => e.key.equals(key)) ? "match" : "mismatch";
    },
  };
}

/** The type a raw key blob calls itself (RFC 4253, 6.6: a length and a name come first); undefined = not a key. */
export function keyType(key: Buffer): string | undefined {
  if (key.length < 4) return undefined;
  const length = key.readUInt32BE(0);
  return length > 0 && length <= 64 && key.length >= 4 + length ? key.toString("latin1", 4, 4 + length) : undefined;
}

function lookupName(name: string, port: number): string {
  const lower = name.toLowerCase();
  return port === 22 ? lower : `[${lower}]:${String(port)}`;
}

function parse(text: string): { entries: Entry[]; authorities: string[] } {
  const entries: Entry[] = [];
  const authorities: string[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const fields = raw.trim().split(/[ \t]+/);
    const marker = fields[0]?.startsWith("@") ? fields.shift() : undefined;
    const [hosts = "", type = "", base64 = ""] = fields;
    if (hosts === "" || hosts.startsWith("#")) continue;
    if (marker === "@cert-authority") authorities.push(hosts);
    if (marker !== undefined && marker !== "@revoked") continue;
    const key = Buffer.from(base64, "base64");
    // A blob that calls itself otherwise than its line does is damaged: no key, rather than half a key.
    if (keyType(key) !== type) continue;
    entries.push({ line: index + 1, revoked: marker === "@revoked", hosts, type, key });
  }
  return { entries, authorities };
}

/** Whether the first field of a line means this host: at least one pattern does, and no negated one. */
function matchesHost(hosts: string, name: string): boolean {
  if (hosts.startsWith("|")) return matchesHash(hosts, name);
  const patterns = hosts.split(",");
  const hit = (pattern: string) => wildcard(pattern).test(name);
  return !patterns.some((p) => p.startsWith("!") && hit(p.slice(1))) && patterns.some((p) => p !== "" && hit(p));
}

function matchesHash(hosts: string, name: string): boolean {
  const [, version, salt = "", hash = ""] = hosts.split("|");
  if (version !== "1" || salt === "" || hash === "") return false;
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest().equals(Buffer.from(hash, "base64"));
}

function wildcard(pattern: string): RegExp {
  const source = pattern.toLowerCase().replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${source.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}
