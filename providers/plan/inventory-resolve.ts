/**
 * Pure: what an inventory means to Ansible: every host with all its groups and its merged variables.
 * Variables: `all`, then the other groups by depth, `ansible_group_priority` and name, then the host's own; the last wins.
 */
import type { Edge, Inventory, Value, Variables } from "./inventory-groups.ts";
import { Refusal } from "./refusal.ts";

export interface ResolvedGroup {
  /** Its own in file order, then those of its children. */
  readonly hosts: readonly string[];
  readonly children: readonly string[];
  readonly parents: readonly string[];
  readonly variables: Variables;
  readonly priority: number;
}

export interface ResolvedHost {
  /** Sorted, `all` included. */
  readonly groups: readonly string[];
  /** Set on its own lines. */
  readonly own: Variables;
  /** Merged from its groups; the same object for hosts of the same groups. */
  readonly inherited: Variables;
}

export interface Resolved {
  readonly hosts: ReadonlyMap<string, ResolvedHost>;
  readonly groups: ReadonlyMap<string, ResolvedGroup>;
}

export const variableOf = ({ own, inherited }: ResolvedHost, key: string): Value | undefined =>
  own.get(key) ?? inherited.get(key);

/** A host's merged variables. */
export const variablesOf = ({ own, inherited }: ResolvedHost): Variables => new Map([...inherited, ...own]);

/**
 * What several files, in the order in which Ansible reads them, mean together.
 * @throws Refusal naming the line of a child or `:vars` section whose group is nowhere declared, or of a cycle, and a
 *   group whose priority is no number.
 */
export function resolve(files: readonly Inventory[]): Resolved {
  const graph = graphOf(files);
  const own = ownOf(files, graph);
  const direct = directOf(files, graph);
  const groups = new Map(
    [...graph.parents.keys()].map((name) => [name, groupOf(name, graph, direct.ofGroup, own.groups.get(name))]),
  );
  const ofGroups = new Map<string, Pick<ResolvedHost, "groups" | "inherited">>();
  const hosts = new Map<string, ResolvedHost>();
  for (const [name, memberOf] of direct.ofHost) {
    const key = memberOf.length === 1 ? (memberOf[0] ?? "") : memberOf.toSorted().join("\n");
    const shared = ofGroups.get(key) ?? sharedOf(memberOf, graph, groups);
    ofGroups.set(key, shared);
    hosts.set(name, { ...shared, own: own.hosts.get(name) ?? NONE });
  }
  return { hosts, groups };
}

const NONE: Variables = new Map();

/** Parents and children of every group, in Ansible's order, and how far below `all` each is at most. */
interface Graph {
  readonly parents: ReadonlyMap<string, readonly string[]>;
  readonly children: ReadonlyMap<string, readonly string[]>;
  readonly depth: ReadonlyMap<string, number>;
  /** Each group with all its ancestors. */
  readonly above: ReadonlyMap<string, ReadonlySet<string>>;
}

function graphOf(files: readonly Inventory[]): Graph {
  const parents = new Map<string, string[]>([
    ["all", []],
    ["ungrouped", ["all"]],
  ]);
  const children = new Map<string, string[]>([["all", ["ungrouped"]]]);
  const add = (parent: string, child: string): void => {
    const [above, below] = [listIn(parents, child), listIn(children, parent)];
    if (!above.includes(parent)) above.push(parent);
    if (!below.includes(child)) below.push(child);
  };
  const lines = new Map<string, number>();
  for (const file of files) {
    for (const { group, line } of file.varsOf) refuseUndeclared(file, parents, group, line);
    for (const { child, line } of file.children) refuseUndeclared(file, parents, child, line);
    const edges = inOrder(file, parents);
    for (const group of file.known.keys()) listIn(parents, group);
    for (const { group, child, line } of edges) {
      lines.set(child, line);
      add(group, child);
    }
  }
  for (const [group, above] of parents) if (group !== "all" && above.length === 0) add("all", group);
  const above = ancestorsOf(parents, lines);
  return { parents, children, above, depth: depthsOf(parents) };
}

const listIn = <K>(map: Map<K, string[]>, key: K): string[] => {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
};

function refuseUndeclared({ declared }: Inventory, earlier: Graph["parents"], group: string, line: number): void {
  if (declared.has(group) || earlier.has(group)) return;
  throw new Refusal(
    `inventory line ${line} speaks of group ${group}, which is nowhere declared; mend it, then try again`,
  );
}

/** A child that is named before its group is known joins its parent when it is declared. */
function inOrder({ children, known, declared }: Inventory, earlier: Graph["parents"]): Edge[] {
  const when = ({ child, at }: Edge): number =>
    earlier.has(child) || (known.get(child) ?? 0) < at ? at : (declared.get(child) ?? at);
  return children.toSorted((a, b) => when(a) - when(b));
}

function ancestorsOf(parents: Graph["parents"], lines: ReadonlyMap<string, number>): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const path = new Set<string>();
  const visit = (group: string): Set<string> => {
    const known = found.get(group);
    if (known) return known;
    if (path.has(group))
      throw new Refusal(
        `inventory line ${lines.get(group) ?? 1} makes group ${group} its own descendant; break that cycle first`,
      );
    path.add(group);
    const all = new Set([group, ...(parents.get(group) ?? []).flatMap((parent) => [...visit(parent)])]);
    path.delete(group);
    found.set(group, all);
    return all;
  };
  for (const group of parents.keys()) visit(group);
  return found;
}

function depthsOf(parents: Graph["parents"]): Map<string, number> {
  const depth = new Map<string, number>();
  const visit = (group: string): number => {
    const known = depth.get(group);
    if (known !== undefined) return known;
    const at = Math.max(-1, ...(parents.get(group) ?? []).map(visit)) + 1;
    depth.set(group, at);
    return at;
  };
  for (const group of parents.keys()) visit(group);
  return depth;
}

interface Own {
  readonly hosts: ReadonlyMap<string, Variables>;
  readonly groups: ReadonlyMap<string, Map<string, Value>>;
}

/** What is set on hosts and groups themselves. A host's line sets a group's variables when a group of that name is known. */
function ownOf(files: readonly Inventory[], { parents }: Graph): Own {
  const hosts = new Map<string, Variables>();
  const groups = new Map([...parents.keys()].map((name) => [name, new Map<string, Value>()]));
  const earlier = new Set(["all", "ungrouped"]);
  for (const { hosts: declarations, known, variables } of files) {
    for (const { name, at, variables: set, port } of declarations) {
      const isGroup = earlier.has(name) || (known.get(name) ?? Infinity) < at;
      const group = isGroup ? groups.get(name) : undefined;
      const before = hosts.get(name) ?? (port === undefined || port === "0" ? NONE : portOnly(port));
      hosts.set(name, group ? before : together(before, set));
      for (const [key, value] of group ? set : NONE) put(group, key, value);
    }
    for (const { group, key, value } of variables) put(groups.get(group), key, value);
    for (const group of known.keys()) earlier.add(group);
  }
  return { hosts, groups };
}

/** Most hosts have one line with variables: that is not copied. */
function together(before: Variables, after: Variables): Variables {
  if (before.size === 0) return after;
  if (after.size === 0) return before;
  const both = new Map(before);
  for (const [key, value] of after) put(both, key, value);
  return both;
}

function put(variables: Map<string, Value> | undefined, key: string, value: Value): void {
  const over = variables?.get(key);
  variables?.set(key, over !== undefined && isMapping(over) && isMapping(value) ? { ...value, over } : value);
}

const isMapping = ({ text }: Value): boolean => /^\s*\{/.test(text);
/** The port of the line that names a host first. */
const portOnly = (port: string): Variables => new Map([["ansible_port", { form: "ini", text: port }]]);

interface Direct {
  readonly ofHost: ReadonlyMap<string, readonly string[]>;
  readonly ofGroup: ReadonlyMap<string, readonly string[]>;
}

/** Who is declared in which group; a host that is in a group is not in `ungrouped`. */
function directOf(files: readonly Inventory[], { above }: Graph): Direct {
  const ofHost = new Map<string, string[]>();
  for (const { name, group } of files.flatMap(({ hosts }) => hosts)) {
    const groups = listIn(ofHost, name);
    if (!groups.includes(group)) groups.push(group);
  }
  const real = new Set(
    [...above].flatMap(([group, all]) => ([...all].some((one) => one !== "all" && one !== "ungrouped") ? [group] : [])),
  );
  for (const [name, groups] of ofHost) {
    if (groups.some((group) => real.has(group))) {
      if (!groups.includes("ungrouped")) continue;
      ofHost.set(
        name,
        groups.filter((group) => group !== "ungrouped"),
      );
    } else if (!groups.includes("ungrouped")) {
      if (above.has(name))
        throw new Refusal(
          `the inventory's host ${name} is in no group and a group has its name; rename one of the two`,
        );
      groups.push("ungrouped");
    }
  }
  const ofGroup = new Map<string, string[]>();
  const there = new Map<string, Set<string>>();
  const join = (group: string, name: string): void => {
    const names = there.get(group) ?? new Set<string>();
    there.set(group, names);
    if (!names.has(name) && ofHost.get(name)?.includes(group) === true) listIn(ofGroup, group).push(name);
    names.add(name);
  };
  for (const { name, group } of files.flatMap(({ hosts }) => hosts)) join(group, name);
  for (const name of ofHost.keys()) join("ungrouped", name);
  return { ofHost, ofGroup };
}

const PRIORITY = "ansible_group_priority";

function groupOf(
  name: string,
  { parents, children }: Graph,
  direct: Direct["ofGroup"],
  variables: ReadonlyMap<string, Value> = NONE,
): ResolvedGroup {
  const order = [name];
  const seen = new Set(order);
  for (const each of order)
    for (const child of children.get(each) ?? []) {
      if (!seen.has(child)) order.push(child);
      seen.add(child);
    }
  return {
    hosts: [...new Set(order.flatMap((each) => direct.get(each) ?? []))],
    children: children.get(name) ?? [],
    parents: parents.get(name) ?? [],
    variables: new Map([...variables].filter(([key]) => key !== PRIORITY)),
    priority: priorityOf(name, variables.get(PRIORITY)),
  };
}

function priorityOf(group: string, value: Value | undefined): number {
  if (value === undefined) return 1;
  const found = /^\s*(["']?)([+-]?\d+)\1\s*(?:#.*)?$/.exec(value.text)?.[2];
  if (found === undefined)
    throw new Refusal(`${PRIORITY} of the inventory's group ${group} is no number; mend it, then try again`);
  return Number(found);
}

function sharedOf(
  direct: readonly string[],
  { above, depth }: Graph,
  groups: ReadonlyMap<string, ResolvedGroup>,
): Pick<ResolvedHost, "groups" | "inherited"> {
  const names = [...new Set(["all", ...direct.flatMap((group) => [...(above.get(group) ?? [])])])];
  const rank = (name: string): [number, number] => [depth.get(name) ?? 0, groups.get(name)?.priority ?? 1];
  const ordered = names.toSorted((a, b) => {
    const [[depthA, priorityA], [depthB, priorityB]] = [rank(a), rank(b)];
    return depthA - depthB || priorityA - priorityB || (a < b ? -1 : 1);
  });
  return {
    groups: names.toSorted(),
    inherited: new Map(ordered.flatMap((name) => [...(groups.get(name)?.variables ?? [])])),
  };
}
