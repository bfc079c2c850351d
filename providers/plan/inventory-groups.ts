import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { isAddressOf } from "./same-host.ts";

/** A place where a host is declared in a group. */
export interface Declaration {
  readonly group: string;
  readonly name: string;
  readonly line: number;
  readonly variables: ReadonlyMap<string, string>;
  /** A port behind the name: `host:2222`. */
  readonly port: string | undefined;
}

/** An inventory as both forms give it, in file order. */
export interface Inventory {
  readonly hosts: readonly Declaration[];
  /** Groups that a `[g]` or `[g:children]` header, or a YAML key, declares. */
  readonly declared: ReadonlySet<string>;
  readonly children: readonly { readonly group: string; readonly child: string; readonly line: number }[];
  /** Groups that only have variables so far, with the line. */
  readonly varsOf: readonly { readonly group: string; readonly line: number }[];
}

/**
 * Every group with its hosts, those of its children included, sorted, each once; `all` has every host, and
 * `ungrouped` (where there are any) those in no group.
 * @throws Refusal naming the line of a child or `:vars` section whose group is nowhere declared, or of a cycle.
 */
export function groupsOf(inventory: Inventory): Record<string, string[]> {
  for (const { group, line } of inventory.varsOf) refuseUndeclared(inventory, group, line);
  for (const { child, line } of inventory.children) refuseUndeclared(inventory, child, line);
  const names = [...inventory.declared].filter((group) => group !== "all" && group !== "ungrouped");
  const groups = new Map(names.map((group) => [group, sorted(membersOf(inventory, group))]));
  groups.set("all", sorted(inventory.hosts.map((each) => each.name)));
  const grouped = new Set(names.flatMap((group) => groups.get(group) ?? []));
  const alone = (groups.get("all") ?? []).filter((name) => !grouped.has(name));
  if (alone.length > 0) groups.set("ungrouped", alone);
  return Object.fromEntries(groups);
}

/**
 * A group's hosts in Ansible's order: its own in file order, then its children's. OpenShift calls the first of
 * `masters` and of `etcd` its first master and its CA host.
 * @throws Refusal naming the line where the group becomes its own descendant.
 */
export function membersOf(inventory: Inventory, group: string, path: readonly string[] = []): string[] {
  if (group === "all") return [...new Set(inventory.hosts.map((each) => each.name))];
  const own = inventory.hosts.filter((each) => each.group === group).map((each) => each.name);
  const inherited = inventory.children
    .filter((each) => each.group === group)
    .flatMap(({ child, line }) => {
      if (child === group || path.includes(child)) {
        throw new Refusal(`inventory line ${line} makes group ${child} its own descendant; break that cycle first`);
      }
      return membersOf(inventory, child, [...path, group]);
    });
  return [...new Set([...own, ...inherited])];
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

function refuseUndeclared({ declared }: Inventory, group: string, line: number): void {
  if (declared.has(group) || group === "all" || group === "ungrouped") return;
  throw new Refusal(
    `inventory line ${line} speaks of group ${group}, which is nowhere declared; mend it, then try again`,
  );
}

/**
 * The names under which the inventory lists the host: its own name or address, or an alias whose `ansible_host` (the
 * last one set, on whatever line) is one of them. Ansible keeps one host per name, so its lines are all of this name.
 * @throws Refusal when two names share the address but not the port, or one line (a range) gives it to several: they
 *   are several machines behind one address.
 */
export function namesOfHost({ hosts }: Inventory, host: HostIdentity): Set<string> {
  const targets = new Map<string, { address: string; line: number }>();
  const ports = new Map<string, string>();
  for (const { name, line, variables, port } of hosts) {
    const address = variables.get("ansible_host") ?? variables.get("ansible_ssh_host");
    if (address !== undefined) targets.set(name, { address: unquoted(address), line });
    ports.set(
      name,
      variables.get("ansible_port") ?? variables.get("ansible_ssh_port") ?? port ?? ports.get(name) ?? "22",
    );
  }
  const aliases = [...targets].filter(([, { address }]) => isAddressOf(host, address));
  const [first] = aliases;
  const other = aliases
    .slice(1)
    .find(([name, { line }]) => line === first?.[1].line || ports.get(name) !== ports.get(first?.[0] ?? ""));
  if (first && other) {
    throw new Refusal(
      `inventory line ${other[1].line} gives ${other[0]} the address of ${first[0]} (line ${first[1].line}), but ` +
        `another port or the same line, so it cannot be told which is ${host.name}; take it out by hand`,
    );
  }
  const exact = hosts.map(({ name }) => name).filter((name) => isAddressOf(host, name));
  return new Set([...exact, ...aliases.map(([name]) => name)]);
}

/** Ansible reads a value as a Python literal: `"'10.0.0.1'"` still has a pair of quotes after the shell-like split. */
function unquoted(value: string): string {
  return /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
}
