/** Pure: nodes of a YAML inventory as PyYAML, which Ansible reads with, takes them: `<<` merged, values spelt on one line. */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  Scalar,
  type YAMLMap,
} from "yaml";

/** A pair of a mapping and the mapping that it is written in, which is another one behind an alias or `<<`. */
export interface Written {
  readonly key: Scalar;
  readonly value: Node | undefined;
  readonly pair: Pair;
  readonly map: YAMLMap;
}

/** @throws SyntaxError for what PyYAML does not take; the caller knows the line */
export function pairsOf(document: Document, map: YAMLMap, path: readonly YAMLMap[] = []): Written[] {
  if (path.includes(map)) throw new SyntaxError("an alias of itself");
  const own: Written[] = [];
  // the library would compare every key with every other
  const there = new Set<unknown>();
  const merged: Written[] = [];
  for (const pair of map.items) {
    const { key, value } = pair;
    if (!isScalar(key)) throw new SyntaxError("a key that is no plain name");
    if (isMergeKey(key)) merged.push(...mergedOf(document, value, [...path, map]));
    else if (there.size === there.add(key.value).size) throw new SyntaxError(`the key ${String(key.value)} twice`);
    else own.push({ key, value: isNode(value) ? value : undefined, pair, map });
  }
  // the first place and the last value count
  return merged.length === 0
    ? own
    : [...new Map([...merged, ...own].map((one) => [String(one.key.value), one])).values()];
}

const isMergeKey = (key: Scalar): boolean => key.source === "<<" && key.type === "PLAIN";

/** Of several mappings the first wins, and stands last. */
function mergedOf(document: Document, value: unknown, path: readonly YAMLMap[]): Written[] {
  const target = resolved(document, value);
  if (isMap(target)) return pairsOf(document, target, path);
  if (!isSeq(target)) throw new SyntaxError("a << that is no mapping");
  return target.items.toReversed().flatMap((item) => {
    const each = resolved(document, item);
    if (!isMap(each)) throw new SyntaxError("a << that is no mapping");
    return pairsOf(document, each, path);
  });
}

/** What a node stands for. */
export const resolved = (document: Document, node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);

/** A node as one line of flow YAML; texts are equal when what Ansible makes of them is. */
export function spell(document: Document, node: unknown): string {
  const target = resolved(document, node);
  if (!isNode(target)) return "null";
  return tagOf(target) + (isScalar(target) ? scalarText(target) : collectionText(document, target));
}

function collectionText(document: Document, node: Node): string {
  if (isMap(node))
    return `{${pairsOf(document, node)
      .map(({ key, value }) => `${spell(document, key)}: ${spell(document, value)}`)
      .join(", ")}}`;
  if (!isCollection(node)) return "null";
  return `[${node.items.map((item) => (isPair(item) ? "null" : spell(document, item))).join(", ")}]`;
}

function tagOf({ tag }: Node): string {
  if (tag === undefined) return "";
  const standard = /^tag:yaml\.org,2002:(.*)$/.exec(tag)?.[1];
  return standard === undefined ? `${tag} ` : `!!${standard} `;
}

/** Whatever may be something other than a string stays as it is written. */
function scalarText({ type, source, value }: Scalar): string {
  if (type !== Scalar.PLAIN) return JSON.stringify(typeof value === "string" ? value : (source ?? ""));
  if (source === undefined || source === "") return "null";
  return /^[\w.+~=<-][\w.+:~ -]*$/.test(source) && !/^- |: |:$|^-$/.test(source) ? source : JSON.stringify(source);
}
