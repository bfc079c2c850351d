import {
  type Document,
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
} from "yaml";
import { type Pattern, patternOf } from "./inventory-address.ts";
import type { Declaration, Edge, Inventory, Variables } from "./inventory-groups.ts";
import { refuse } from "./inventory-ini.ts";
import { pairsOf, resolved, spell, type Written } from "./inventory-yaml-values.ts";

/** A pair of a `hosts:` mapping: the host's (or range's) key with its variables, and its place in the text. */
export interface HostPair extends Pattern {
  readonly group: string;
  /** 1-based line of the key. */
  readonly line: number;
  readonly when: number;
  readonly variables: Variables;
  /** Offsets of the key, quotes included, and behind the last character of the pair that is neither space nor comment. */
  readonly start: number;
  readonly lastContent: number;
  /** Where the pattern stands as it reads; undefined when the key has escapes or is `hosts: name`. */
  readonly patternAt: number | undefined;
  /** The mapping it is written in: `hosts: name` has none. */
  readonly written: Written | undefined;
}

/** What a YAML inventory declares. */
export interface YamlInventory {
  readonly text: string;
  readonly document: Document.Parsed;
  readonly pairs: readonly HostPair[];
  readonly inventory: Inventory;
}

interface Reading {
  readonly text: string;
  readonly document: Document.Parsed;
  readonly lineAt: (offset: number) => number;
  readonly pairs: HostPair[];
  readonly known: Map<string, number>;
  readonly children: Edge[];
  readonly variables: Inventory["variables"][number][];
  count: number;
}

/**
 * Reads a YAML inventory as Ansible's `yaml` inventory plugin does (YAML 1.1): every top key is a group, with `hosts`,
 * `children` and `vars`.
 * @throws Refusal naming the line that is no YAML, no group, or encrypted.
 */
export function readYamlPairs(text: string): YamlInventory {
  if (text.startsWith("$ANSIBLE_VAULT")) refuse(1, "is encrypted by ansible-vault", "decrypt the file first");
  const lines = new LineCounter();
  const document = parseDocument(text, { version: "1.1", lineCounter: lines, logLevel: "error", uniqueKeys: false });
  const [error] = document.errors;
  if (error) refuse(error.linePos?.[0].line ?? 1, `is no YAML: ${error.message.split("\n")[0] ?? ""}`);
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const reading: Reading = {
    text,
    document,
    lineAt,
    pairs: [],
    known: new Map(),
    children: [],
    variables: [],
    count: 0,
  };
  for (const { name, value, line } of entries(reading, document.contents, 1, "the inventory")) {
    if (name === "plugin")
      refuse(line, "configures an inventory plugin, so the hosts are listed elsewhere", "edit them there");
    readGroup(reading, name, value, line, []);
  }
  const { pairs, known, children, variables } = reading;
  const hosts = pairs.flatMap(declarationsOf);
  return { text, document, pairs, inventory: { hosts, known, declared: known, children, variables, varsOf: [] } };
}

function declarationsOf({ group, line, when, names, variables, port }: HostPair): Declaration[] {
  return names.map((name) => ({ group, name, line, at: when, variables, port }));
}

function readGroup(reading: Reading, group: string, node: unknown, line: number, path: readonly string[]): void {
  if (path.includes(group)) refuse(line, `makes group ${group} its own descendant`);
  if (!reading.known.has(group)) reading.known.set(group, reading.count++);
  for (const part of entries(reading, node, line, `group ${group}`)) {
    if (part.name === "hosts") readHosts(reading, group, part.value, part.line);
    if (part.name === "vars")
      for (const [key, value] of variablesOf(reading, part.value, part.line, `variables of ${group}`))
        reading.variables.push({ group, key, value });
    if (part.name !== "children") continue;
    for (const child of namesIn(reading, part.value, part.line, `children of ${group}`)) {
      readGroup(reading, child.name, child.value, child.line, [...path, group]);
      reading.children.push({ group, child: child.name, line: child.line, at: reading.count++ });
    }
  }
}

function readHosts(reading: Reading, group: string, node: unknown, at: number): void {
  const { text, document } = reading;
  for (const { name, value, line, written } of namesIn(reading, node, at, `hosts of ${group}`)) {
    const key = written?.key ?? resolved(document, node);
    const start = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
    const found = hostOf(name, line);
    const quotes = text.startsWith(name, start) ? 0 : text.startsWith(name, start + 1) ? 1 : undefined;
    reading.pairs.push({
      ...found,
      group,
      line,
      when: reading.count++,
      variables: variablesOf(reading, value, line, "a host's variables"),
      start,
      lastContent: written ? lastContentOf(text, written) : start,
      patternAt: written && quotes !== undefined ? start + quotes + found.at : undefined,
      written,
    });
  }
}

function hostOf(key: string, line: number): Pattern {
  try {
    return patternOf(key);
  } catch (error) {
    if (error instanceof RangeError) refuse(line, `cannot be understood: ${error.message}`);
    throw error;
  }
}

interface Entry {
  readonly name: string;
  readonly value: unknown;
  readonly line: number;
  readonly written?: Written;
}

/** The entries of a mapping; a single name stands for one without a value. */
function namesIn(reading: Reading, node: unknown, line: number, what: string): Entry[] {
  const only = resolved(reading.document, node);
  if (isScalar(only) && typeof only.value === "string")
    return [{ name: only.value, value: undefined, line: reading.lineAt(only.range?.[0] ?? 0) }];
  return entries(reading, node, line, what);
}

/** The pairs of a mapping, none for an empty one. */
function entries(reading: Reading, node: unknown, line: number, what: string): Entry[] {
  const { document, lineAt } = reading;
  return written(document, node, line, what).map((each) => {
    const { key, value } = each;
    const keyLine = lineAt(key.range?.[0] ?? 0);
    if (typeof key.value !== "string" || key.value === "")
      refuse(keyLine, `has a key in ${what} that is no plain name`);
    return { name: key.value, value, line: keyLine, written: each };
  });
}

function written(document: Document, node: unknown, line: number, what: string): Written[] {
  const map = resolved(document, node);
  if (!isNode(map) || (isScalar(map) && map.value === null) || (isCollection(map) && map.items.length === 0)) return [];
  if (!isMap(map)) return refuse(line, `gives ${what} as something other than a mapping`);
  return understood(line, `has in ${what}`, () => pairsOf(document, map));
}

function understood<T>(line: number, what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxError) refuse(line, `${what} ${error.message}`);
    throw error;
  }
}

const NONE: Variables = new Map();

/** With what aliases and `<<` bring. */
function variablesOf({ document }: Reading, node: unknown, line: number, what: string): Variables {
  const pairs = written(document, node, line, what);
  if (pairs.length === 0) return NONE;
  return understood(
    line,
    `has in ${what}`,
    () => new Map(pairs.map(({ key, value }) => [keyText(key), { form: "yaml", text: spell(document, value) }])),
  );
}

const keyText = ({ value, source }: Scalar): string => (typeof value === "string" ? value : (source ?? ""));

/** A block mapping's own range may run into the comments below it, so the ends of what it holds count. */
function lastContentOf(text: string, { pair }: Written): number {
  const leaves = nodesOf(pair).filter((node) => !isCollection(node) || node.flow);
  const end = Math.max(...leaves.map((node) => node.range?.[1] ?? 0));
  const content = text.slice(0, end).trimEnd().length;
  const colon = /^[ \t]*:/.exec(text.slice(content, content + 80));
  return colon && !isCollection(pair.value) ? content + colon[0].length : content;
}

/** Every node of a pair, its key's included. */
export function nodesOf(pair: Pair): Node[] {
  const nodes: Node[] = [];
  for (const part of [pair.key, pair.value])
    if (isNode(part)) visit(part, { Node: (_, node) => void nodes.push(node) });
  return nodes;
}
