/**
 * The stack's configuration, checked: unknown keys, wrong types and impossible names are told with the key's path, what was seen and
 * what is expected. The names are fixed: they are the administrator's interface.
 */
import { z } from "zod";
import { Refusal } from "./refusal.ts";
import { bracketed, canonicalAddress } from "./same-host.ts";

const label = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
/** A host name as of RFC 1123, in lower case. */
export const isHostName = (text: string): boolean =>
  text.length <= 253 && text.split(".").every((part) => label.test(part));
const ipv4 = /^((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}$/;
/** An IP address or a host name. */
export const isAddress = (text: string): boolean =>
  ipv4.test(text) || z.ipv6().safeParse(text).success || (isHostName(text) && !/^[\d.]+$/.test(text));

/** `192.168.55.5:8443`, `[fd00::5]:8443`, `api.example.com:443`. */
const isEndpoint = (text: string): boolean => {
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const inRange = Number(port) > 0 && Number(port) < 65536;
  return inRange && (bracketed === undefined ? isAddress(plain ?? "") : z.ipv6().safeParse(bracketed).success);
};

const hostName = z.string().refine(isHostName, { error: "expected a host name as of RFC 1123, in lower case" });
const address = z.string().refine(isAddress, { error: "expected an IP address or a host name" });
const absolute = z.string().regex(/^\/[^\0\n]*$/, { error: "expected an absolute path" });
const text = z
  .string()
  .min(1)
  .regex(/^[^\0\n\r]*$/, { error: "expected one line of text" });
const port = z.int().min(1).max(65535);

const host = z.strictObject({ address });
const haproxy = z.strictObject({
  kind: z.literal("haproxy").default("haproxy"),
  address,
  config: absolute.default("/etc/haproxy/haproxy.cfg"),
  service: text
    .regex(/^(?!.*\.service$)[A-Za-z0-9@_][A-Za-z0-9@._-]*$/, {
      error: "expected a systemd unit's name, without .service",
    })
    .default("haproxy"),
  // seconds that the sessions of a server that goes out are waited for
  drain: z.int().min(0).max(3600).default(60),
  restart: z.boolean().default(false),
  // where the API answers through it; without one its own address, port 8443
  api: z.string().refine(isEndpoint, { error: "expected <address>:<port>" }).optional(),
});
const variable = z.string().regex(/^(?!OPENSHIFT_MASTERS_)[A-Za-z_][A-Za-z0-9_]*$/, {
  error: "expected the name of an environment variable, of letters, digits and _; OPENSHIFT_MASTERS_… are taken",
});
const byCommand = z.strictObject({
  kind: z.literal("command"),
  set: text,
  verify: text,
  environment: z
    .record(variable, z.string().regex(/^[^\0]*$/, { error: "expected text (in YAML, in quotes), without NUL" }))
    .default({}),
});

/** Where else than here a snapshot's restore is rehearsed. What is no object is told what all may be said. */
const rehearsalHost = z.strictObject(
  { host: hostName, address },
  {
    error: (issue) =>
      issue.code === "invalid_type" ? "expected true, false, or a host: { host, address }" : undefined,
  },
);

const schema = z.strictObject({
  ssh: z.strictObject({
    user: text.default("root"),
    become: z.boolean().default(false),
    privateKeyPath: text.optional(),
    agent: z.boolean().optional(),
    sshPassphrase: z.string().optional(),
    knownHosts: text.default("~/.ssh/known_hosts"),
    port: port.default(22),
    bastion: z.strictObject({ host: text, user: text, port: port.optional() }).optional(),
  }),
  masters: z
    .record(hostName, host)
    .refine((masters) => Object.keys(masters).length > 0, { error: "expected at least one master" }),
  loadBalancers: z.record(hostName, z.union([byCommand, haproxy])).default({}),
  nodes: z.record(hostName, host).default({}),
  inventory: z.strictObject({
    // a file, or a folder of files; without it the one that Ansible takes on this machine
    path: text.optional(),
    host: hostName.optional(),
    address: address.optional(),
    // host_vars of a retired host go to the folder retired-<run> there; false: they are only told
    moveHostVars: z.boolean().default(false),
    // in a git work tree of this machine: the edit is committed, and nothing else
    commit: z.boolean().default(false),
  }),
  backup: z.strictObject({
    directory: absolute.default("/backup"),
    archive: text.default("./backups"),
    keep: z.int().min(1).default(7),
    stamp: z.string().max(200).default(""),
    encrypt: text.optional(),
    identity: text.optional(),
    rehearsal: z.union([z.boolean(), rehearsalHost]).default(true),
  }),
  drain: z
    .strictObject({
      // seconds that the drain of a master may take
      timeout: z.int().min(10).max(86_400).default(300),
      // what becomes of the load balancers and the Node when it is blocked
      blocked: z.enum(["leave", "put-back"]).default("leave"),
    })
    .prefault({}),
  etcd: z
    .strictObject({
      // etcd's data of a host whose member is removed: false leaves it where it is; true renames it, on that host and by the run that removes
      // the member, to /var/lib/etcd/member.removed-<run>, so that no etcd starts on it again. Nothing is ever deleted
      purge: z.boolean().default(false),
    })
    .prefault({}),
  flannel: z
    .strictObject({
      // nodes that are done at the same time; masters go before them, one by one
      atOnce: z.int().min(1).max(100).default(10),
    })
    .prefault({}),
  acknowledge: z
    .array(
      z
        .string()
        .regex(
          /^(below-three-masters|even-members|(host-gone|evict-bare-pods|local-data|machine-changed|member-changed):[a-z0-9.-]+)$/,
          {
            error:
              "expected below-three-masters, even-members, host-gone:<name>, evict-bare-pods:<name>, local-data:<name>, machine-changed:<name> or member-changed:<name>",
          },
        ),
    )
    .default([]),
  // faults on purpose are listened to
  lab: z.boolean().default(false),
});

/** The whole configuration of a stack, with its defaults. */
export type Settings = z.infer<typeof schema>;
/** A haproxy that is edited over SSH. */
export type HaproxySettings = z.infer<typeof haproxy>;
/** Any other load balancer: the administrator's own commands. The values of its environment are secrets. */
export type CommandSettings = z.infer<typeof byCommand>;

/** `host:port` where the API answers through a haproxy. */
export const apiOf = ({ api, address: own }: HaproxySettings): string => api ?? `${bracketed(own)}:8443`;

/** The keys below `openshift-masters:` that are read. */
export const settingKeys = Object.keys(schema.shape) as readonly (keyof Settings)[];

/**
 * Reads and checks the stack's configuration.
 * @param get the text of a key below `openshift-masters:`, JSON as the engine hands it over; undefined or empty: not set
 * @throws Refusal with one line for each thing that is wrong
 */
export const settingsFrom = (get: (key: string) => string | undefined): Settings =>
  readSettings(Object.fromEntries(settingKeys.map((key) => [key, valueOf(get(key))])));

/** Keys below `openshift-masters:` that nothing reads: a slip of the pen must not pass for a default. */
export const unknownKeys = (keys: readonly string[]): string[] =>
  keys
    .filter((key) => key.startsWith("openshift-masters:"))
    .map((key) => key.slice("openshift-masters:".length))
    .filter((key) => !(settingKeys as readonly string[]).includes(key));

/** A scalar is no JSON: it stays the text it is, and is told as such where an object is expected. */
export function valueOf(text: string | undefined): unknown {
  if (text === undefined || text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Checks the stack's configuration.
 * @param raw value of each key; a missing key is absent or undefined
 * @throws Refusal with one line for each thing that is wrong
 */
export function readSettings(raw: Readonly<Record<string, unknown>>): Settings {
  const set = Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== undefined && value !== null));
  const given: Record<string, unknown> = { ssh: {}, backup: {}, ...set };
  const result = schema.safeParse(given);
  const wrong = result.success
    ? [...duplicates(result.data), ...incomplete(result.data), ...otherAddress(result.data)]
    : result.error.issues.flatMap((issue) => complaint(issue, given));
  if (!result.success || wrong.length > 0)
    throw new Refusal(
      `refusing the stack's configuration, nothing was touched:\n${wrong.map((line) => `  - ${line}`).join("\n")}`,
    );
  return result.data;
}

type Issue = z.core.$ZodIssue;

function complaint(issue: Issue, given: unknown): string[] {
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const kind = (valueAt(given, issue.path) as { kind?: unknown } | undefined)?.kind;
    const branch = issue.errors[kind === "command" ? 0 : issue.errors.length - 1] ?? [];
    return branch.flatMap((inner) => complaint({ ...inner, path: [...issue.path, ...inner.path] }, given));
  }
  const where = ["openshift-masters:" + String(issue.path[0] ?? ""), ...issue.path.slice(1).map(String)].join(".");
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => `${where}${where.endsWith(":") ? "" : "."}${key}: there is no such key`);
  const seen = issue.path.some(isSecret) ? "" : `, got ${shown(valueAt(given, issue.path))}`;
  const inner = issue.code === "invalid_key" ? issue.issues.map((one) => one.message).join(", ") : issue.message;
  return [`${where}: ${inner}${issue.code === "invalid_key" ? `, got ${shown(issue.path.at(-1))}` : seen}`];
}

const valueAt = (given: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    given,
  );

/** What lies below these keys is never told. */
const isSecret = (key: PropertyKey): boolean => key === "sshPassphrase" || key === "environment";

function shown(value: unknown): string {
  const masked = (key: string, inner: unknown): unknown => (isSecret(key) ? "(not shown)" : inner);
  const json = value === undefined ? "nothing" : JSON.stringify(value, masked);
  return json.length > 80 ? `${json.slice(0, 80)}…` : json;
}

function duplicates(settings: Settings): string[] {
  const places = new Map<string, string>();
  const wrong: string[] = [];
  for (const group of ["masters", "loadBalancers", "nodes"] as const)
    for (const [name, entry] of Object.entries<Settings["loadBalancers"][string] | { address: string }>(
      settings[group],
    )) {
      if (!("address" in entry)) continue;
      const here = `openshift-masters:${group}.${name}`;
      for (const taken of [canonicalAddress(entry.address), `name ${name}`]) {
        const other = places.get(taken);
        if (other === undefined) places.set(taken, here);
        else
          wrong.push(
            `${here}: ${taken.startsWith("name ") ? "the name" : `the address ${taken}`} is already that of ${other}; every host needs its own`,
          );
      }
    }
  return wrong;
}

/** The rehearsal host may be one that is declared already; then it is that one. */
function otherAddress({ backup: { rehearsal }, ...settings }: Settings): string[] {
  if (typeof rehearsal === "boolean") return [];
  return (["masters", "loadBalancers", "nodes"] as const).flatMap((group) => {
    const entry = settings[group][rehearsal.host];
    if (entry === undefined || !("address" in entry)) return [];
    if (canonicalAddress(entry.address) === canonicalAddress(rehearsal.address)) return [];
    return [
      `openshift-masters:backup.rehearsal.address: ${rehearsal.host} is declared with the address ${entry.address} in openshift-masters:${group}; name that one`,
    ];
  });
}

const incomplete = ({ inventory: { host: elsewhere, ...inventory } }: Settings): string[] => [
  ...(["address", "path"] as const)
    .filter((key) => elsewhere !== undefined && inventory[key] === undefined)
    .map((key) => `openshift-masters:inventory.${key}: the inventory lies on another host, expected its ${key}`),
  ...(elsewhere !== undefined && inventory.commit
    ? ["openshift-masters:inventory.commit: the inventory lies on another host, and git is asked on this machine only"]
    : []),
];
