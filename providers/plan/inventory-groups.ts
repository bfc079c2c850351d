/** Pure: what one inventory file declares, in whichever form it is written, and which of its names is a host of the cluster. */
import type { HostIdentity } from "./host.ts";
import { type Resolved, type ResolvedHost, variableOf } from "./inventory-resolve.ts";
import { Refusal } from "./refusal.ts";
import { addressOf } from "./same-host.ts";

/** How the inventory is written: `/etc/ansible/hosts` is INI unless its name ends in `.yml`, `.yaml` or `.json`. */
export type InventoryForm = "ini" | "yaml";

export const inventoryForm = (path: string): InventoryForm => (/\.(?:ya?ml|json)$/.test(path) ? "yaml" : "ini");

/** A variable's value as the file spells it: equal texts of one form mean equal values to every version of Ansible. */
export interface Value {
  readonly form: InventoryForm;
  /** INI: what stands behind `=`, a host line's quotes undone; a Python literal, or else a string. YAML: as one line of flow. */
  readonly text: string;
  /** The mapping that this one takes the place of, and that Ansible merges with it where `hash_behaviour` is `merge`. */
  readonly over?: Value;
}
export type Variables = ReadonlyMap<string, Value>;

/** A place where a host is declared in a group. */
export interface Declaration {
  readonly group: string;
  readonly name: string;
  readonly line: number;
  /** When Ansible reads it, as `known` counts. */
  readonly at: number;
  readonly variables: Variables;
  /** A port behind the name: `host:2222`. */
  readonly port: string | undefined;
  /** Of which file, where there are several. */
  readonly file?: string;
}

export interface Edge {
  readonly group: string;
  readonly child: string;
  readonly line: number;
  readonly at: number;
}

/** An inventory file as both forms give it, in the order in which Ansible takes it in. */
export interface Inventory {
  readonly hosts: readonly Declaration[];
  /** When a `[g]` or `[g:children]` header, or a YAML key, declares each group. */
  readonly declared: ReadonlyMap<string, number>;
  /** When each group becomes known, a `[g:vars]` header included. */
  readonly known: ReadonlyMap<string, number>;
  readonly children: readonly Edge[];
  readonly variables: readonly { readonly group: string; readonly key: string; readonly value: Value }[];
  /** Groups that have a `[g:vars]` section, with the line. */
  readonly varsOf: readonly { readonly group: string; readonly line: number }[];
}

/**
 * The names under which the inventory lists the host: its own name or address, or an alias whose `ansible_host` (on
 * whatever line, or of a group) is one of them; a template (`{{ … }}`) is none. Ansible keeps one host per name, so its lines are all of this name.
 * @throws Refusal when two names share the address but not the port, or one place (a range, a group) gives it to
 *   several: they are several machines behind one address.
 */
export function namesOfHost({ hosts }: Pick<Inventory, "hosts">, resolved: Resolved, host: HostIdentity): Set<string> {
  const aliases: { name: string; port: string; line: number; file: string | undefined }[] = [];
  const exact: string[] = [];
  const isHost = addressOf(host);
  for (const [name, each] of resolved.hosts) {
    if (isHost(name)) exact.push(name);
    const address = textOf(each, "ansible_host", "ansible_ssh_host");
    if (address === undefined || !isHost(stringOf(address))) continue;
    const declaration = hosts.findLast(
      (one) => one.name === name && (one.variables.has("ansible_host") || one.variables.has("ansible_ssh_host")),
    );
    aliases.push({
      name,
      port: stringOf(textOf(each, "ansible_port", "ansible_ssh_port") ?? "22"),
      line: declaration?.line ?? 0,
      file: declaration?.file,
    });
  }
  const [first] = aliases;
  const other = aliases
    .slice(1)
    .find(({ line, file, port }) => (line === first?.line && file === first.file) || port !== first?.port);
  if (first && other) {
    const where = ({ line, file }: { line: number; file: string | undefined }) =>
      line > 0 ? `line ${line}${file === undefined ? "" : ` of ${file}`}` : "a group";
    throw new Refusal(
      `inventory ${where(other)} gives ${other.name} the address of ${first.name} (${where(first)}), but ` +
        `another port or at the same place, so it cannot be told which is ${host.name}; take it out by hand`,
    );
  }
  return new Set([...exact, ...aliases.map(({ name }) => name)]);
}

/** Names whose `ansible_host` is a template: to what address it leads, only Ansible can tell. */
export const templatedIn = ({ hosts }: Resolved): string[] =>
  [...hosts].flatMap(([name, host]) =>
    /\{[{%]/.test(textOf(host, "ansible_host", "ansible_ssh_host") ?? "") ? [name] : [],
  );

const textOf = (host: ResolvedHost, key: string, formerly: string): string | undefined =>
  (variableOf(host, key) ?? variableOf(host, formerly))?.text;

/** Ansible reads a value as a Python literal: `"'10.0.0.1'"` still has a pair of quotes after the shell-like split. */
export function stringOf(text: string): string {
  return /^\s*(["'])(.*)\1\s*(?:#.*)?$/.exec(text)?.[2] ?? text;
}
