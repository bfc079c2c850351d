import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from "yaml";
import { patternOf, refuse } from "./inventory-ini.ts";

/** A pair of a `hosts:` mapping: the host's (or range's) key with its variables, and its place in the text. */
export interface HostPair {
  readonly group: string;
  /** 1-based line of the key. */
  readonly line: number;
  readonly pattern: string;
  readonly names: readonly string[];
  readonly port: string | undefined;
  readonly variables: ReadonlyMap<string, string>;
  /** Offset of the key. */
  readonly start: number;
  /** Offset behind the last character of the pair that is neither space nor comment. */
  readonly lastContent: number;
  readonly inBraces: boolean;
  /** An anchor within the pair, if there is one. */
  readonly anchor: string | undefined;
}

/** What a YAML inventory declares, in file order. */
export interface YamlInventory {
  readonly pairs: HostPair[];
  readonly declared: Set<string>;
  readonly children: { group: string; child: string; line: number }[];
}

interface Reading extends YamlInventory {
  readonly text: string;
  readonly document: Document.Parsed;
  readonly lineAt: (offset: number) => number;
}

/**
 * Reads a YAML inventory as Ansible's `yaml` inventory plugin does (YAML 1.1): every top key is a group, with `hosts`,
 * `children` and `vars`.
 * @throws Refusal naming the line that is no YAML, no group, or encrypted.
 */
export function readYamlPairs(text: string): YamlInventory {
  if (text.startsWith("$ANSIBLE_VAULT")) refuse(1, "is encrypted by ansible-vault", "decrypt the file first");
  const lines = new LineCounter();
  const document = parseDocument(text, { version: "1.1", lineCounter: lines, logLevel: "error" });
  const [error] = document.errors;
  if (error) refuse(error.linePos?.[0].line ?? 1, `is no YAML: ${error.message.split("\n")[0] ?? ""}`);
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const reading: Reading = { text, document, lineAt, pairs: [], declared: new Set(), children: [] };
  const root: unknown = document.contents;
  for (const { key, value, line } of entries(reading, root, 1, "the inventory")) {
    if (key === "plugin")
      refuse(line, "configures an inventory plugin, so the hosts are listed elsewhere", "edit them there");
    readGroup(reading, key, value, line, []);
  }
  return reading;
}

function readGroup(reading: Reading, group: string, node: unknown, line: number, path: readonly string[]): void {
  if (path.includes(group)) refuse(line, `makes group ${group} its own descendant`);
  reading.declared.add(group);
  for (const part of entries(reading, node, line, `group ${group}`)) {
    if (part.key === "hosts") readHosts(reading, group, part.value, part.line);
    if (part.key !== "children") continue;
    for (const child of entries(reading, part.value, part.line, `children of ${group}`)) {
      reading.children.push({ group, child: child.key, line: child.line });
      readGroup(reading, child.key, child.value, child.line, [...path, group]);
    }
  }
}

function readHosts(reading: Reading, group: string, node: unknown, at: number): void {
  for (const { key, value, line, pair, map } of entries(reading, node, at, `hosts of ${group}`)) {
    const start = rangeOf(pair.key)[0];
    reading.pairs.push({
      ...hostOf(key, start, line),
      group,
      line,
      variables: variablesOf(reading, value, line),
      lastContent: lastContentOf(reading.text, pair),
      inBraces: map.flow === true,
      anchor: anchorIn(pair),
    });
  }
}

function hostOf(key: string, start: number, line: number): Pick<HostPair, "pattern" | "names" | "port" | "start"> {
  try {
    const { pattern, names, port, start: from } = patternOf(key, start, key);
    return { pattern, names, port, start: from };
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError)
      refuse(line, `cannot be understood: ${error.message}`);
    throw error;
  }
}

interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly line: number;
  readonly pair: Pair;
  readonly map: YAMLMap;
}

/** The pairs of a mapping, none for an empty one. */
function entries(reading: Reading, node: unknown, line: number, what: string): Entry[] {
  const map: unknown = isAlias(node) ? node.resolve(reading.document) : node;
  if (map === undefined || map === null || (isScalar(map) && map.value === null)) return [];
  if (!isMap(map)) return refuse(line, `gives ${what} as something other than a mapping`);
  return map.items.map((pair) => {
    const keyLine = reading.lineAt(rangeOf(pair.key)[0]);
    if (!isScalar(pair.key) || typeof pair.key.value !== "string" || pair.key.value === "<<") {
      return refuse(keyLine, `has a key in ${what} that is no plain name`);
    }
    return { key: pair.key.value, value: pair.value, line: keyLine, pair, map };
  });
}

function rangeOf(node: unknown): readonly [number, number] {
  const range = isScalar(node) || isMap(node) || isAlias(node) ? node.range : undefined;
  return range ? [range[0], range[1]] : [0, 0];
}

/** A host's scalar variables, with what aliases and `<<` bring. */
function variablesOf({ document }: Reading, node: unknown, line: number): ReadonlyMap<string, string> {
  const values: unknown = isNode(node) ? node.toJS(document) : null;
  if (typeof values !== "object") refuse(line, "gives a host's variables as something other than a mapping");
  return new Map(
    Object.entries(values ?? {}).map(([key, value]) => [key, typeof value === "object" ? "" : String(value)]),
  );
}

/** A block mapping's own range may run into the comments below it, so the ends of what it holds count. */
function lastContentOf(text: string, pair: Pair): number {
  const leaves = nodesOf(pair).filter((node) => !isCollection(node) || node.flow);
  const end = Math.max(...leaves.map((node) => node.range?.[1] ?? 0));
  return text.slice(0, end).trimEnd().length;
}

function anchorIn(pair: Pair): string | undefined {
  return nodesOf(pair).flatMap((node) => (isAlias(node) || node.anchor === undefined ? [] : [node.anchor]))[0];
}

function nodesOf(pair: Pair): Node[] {
  const nodes: Node[] = [];
  for (const part of [pair.key, pair.value])
    if (isNode(part)) visit(part, { Node: (_, node) => void nodes.push(node) });
  return nodes;
}
