/** Pure: how `ansible-inventory` is asked what an edit does, and what its two answers say. Values of variables are compared, never told. */
import { type Part, inParts, partsOf } from "./parts.ts";
import { quote } from "./quote.ts";

/** What it said of an edit: that it agrees, what else would change, or why it was not asked. */
export type AnsibleSays = (
  { readonly agrees: true } | { readonly difference: string } | { readonly unasked: string }
) & {
  /** The hosts that the edit puts back; absent: it takes hosts out. */
  readonly back?: readonly string[];
};

/** Who may be different. */
export interface Expected {
  /** Under every name. */
  readonly names: ReadonlySet<string>;
  /** They come back; else they leave. */
  readonly back: boolean;
}

/** Seconds for one answer. */
export const patience = 60;

/** A file as it is and as it will be; its ending says how it is read. */
export interface BothTexts {
  readonly path: string;
  readonly before: Buffer;
  readonly after: Buffer;
}

/** What the script reads. */
export const inputOf = (files: readonly BothTexts[]): Buffer =>
  Buffer.concat([...files.map(({ before }) => before), ...files.map(({ after }) => after)]);

/**
 * Copies without a right to be run, read by the plugins for texts alone, without the machine's own configuration and without
 * variables beside them: nothing of the inventory is run, and no secret of a vault is needed unless it stands in the file itself.
 */
export function askScript(files: readonly BothTexts[]): string {
  const names = files.map(({ path }, at) => `${at}-hosts${/\.[A-Za-z0-9]+$/.exec(path)?.[0] ?? ""}`);
  const written = (folder: "before" | "after") =>
    files.map((file, at) => `head -c ${file[folder].length} > ${quote(`${folder}/${names[at] ?? ""}`)}`).join("\n");
  const ask = (folder: "before" | "after") =>
    `ask ${folder} ${names.map((name) => `-i ${quote(`${folder}/${name}`)}`).join(" ")}`;
  return inParts(`if ! command -v ansible-inventory >/dev/null 2>&1; then value absent; exit 0; fi
umask 077
dir=$(mktemp -d) || exit 1
trap 'cd /; rm -rf -- "$dir"' EXIT
trap 'exit 129' HUP INT PIPE TERM
cd "$dir" && mkdir before after && : > ansible.cfg || exit 1
${written("before")}
${written("after")}
unset ANSIBLE_INVENTORY ANSIBLE_VAULT_PASSWORD_FILE
export HOME="$dir" LC_ALL=C.UTF-8 ANSIBLE_CONFIG="$dir/ansible.cfg" ANSIBLE_LOCAL_TEMP="$dir/tmp" ANSIBLE_INVENTORY_ENABLED=yaml,ini
export ANSIBLE_INVENTORY_UNPARSED_FAILED=true ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true
ask() { n=$1; shift; timeout ${patience} ansible-inventory "$@" --list >out 2>/dev/null </dev/null; frame "$n" $?; cat out; }
${ask("before")}
${ask("after")}`);
}

export function answerOf(stdout: string, expected: Expected): AnsibleSays {
  const parts = partsOf(stdout);
  if (parts.has("absent")) return { unasked: "it is not installed there" };
  const before = listOf(parts.get("before"));
  if (typeof before === "string") return { unasked: `it cannot read the inventory as it is (${before})` };
  const after = listOf(parts.get("after"));
  if (typeof after === "string") return { difference: `it could not read the inventory any more (${after})` };
  const difference = differenceOf(before, after, expected);
  return difference === undefined ? { agrees: true } : { difference };
}

/** Group → hosts and children; the variables of every host. */
interface Listed {
  readonly groups: ReadonlyMap<string, { readonly hosts: readonly string[]; readonly children: readonly string[] }>;
  readonly variables: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

function listOf(part: Part | undefined): Listed | string {
  if (part === undefined) return "no answer";
  if (part.state !== 0) return part.state === 124 ? `not within ${patience} s` : `exit ${part.state}`;
  try {
    const { _meta, ...groups } = JSON.parse(Buffer.from(part.bytes).toString("utf8")) as Record<string, Answered>;
    return {
      groups: new Map(
        Object.entries(groups).map(([name, { hosts = [], children = [] }]) => [name, { hosts, children }]),
      ),
      variables: _meta?.hostvars ?? {},
    };
  } catch {
    return "its answer is no JSON";
  }
}
interface Answered {
  readonly hosts?: readonly string[];
  readonly children?: readonly string[];
  readonly hostvars?: Listed["variables"];
}

function differenceOf(before: Listed, after: Listed, { names: hosts, back }: Expected): string | undefined {
  const kept = (names: readonly string[]) => names.filter((name) => !hosts.has(name) && name !== "ungrouped");
  if (back && hostsIn(after, hosts) <= hostsIn(before, hosts)) return `${[...hosts].join(", ")} would not be there`;
  for (const name of new Set([...before.groups.keys(), ...after.groups.keys()])) {
    const [was, now] = [before.groups.get(name), after.groups.get(name)];
    const there = (back ? was : now)?.hosts.find((host) => hosts.has(host));
    if (there !== undefined && !back) return `${there} would still be in the group ${name}`;
    if (there !== undefined && now?.hosts.includes(there) !== true) return `${there} would leave the group ${name}`;
    for (const what of ["hosts", "children"] as const) {
      const [old, other] = [kept(was?.[what] ?? []), kept(now?.[what] ?? [])];
      const lost = old.find((one) => !other.includes(one));
      if (lost !== undefined) return `${lost} would leave the group ${name}`;
      const added = other.find((one) => !old.includes(one));
      if (added !== undefined) return `${added} would join the group ${name}`;
    }
  }
  for (const [host, was] of Object.entries(before.variables)) {
    if (hosts.has(host)) continue;
    const now = after.variables[host] ?? {};
    const key = [...new Set([...Object.keys(was), ...Object.keys(now)])].find(
      (one) => spelt(was[one]) !== spelt(now[one]),
    );
    if (key !== undefined) return `${host} would have another value of ${key}`;
  }
  return undefined;
}

/** How often they are in a group. */
const hostsIn = ({ groups }: Listed, names: ReadonlySet<string>): number =>
  [...groups.values()].reduce((sum, { hosts }) => sum + hosts.filter((one) => names.has(one)).length, 0);

const spelt = (value: unknown): string =>
  JSON.stringify(value ?? null, (_key, one: unknown) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
