/**
 * `/etc/origin/master/master-config.yaml` of a surviving master: takes the leaving host out of `etcdClientInfo.urls` and sets
 * `kubernetesMasterConfig.masterCount`. The `yaml` package says where things stand; the text itself is spliced, so that
 * comments, quoting and line ends elsewhere stay byte for byte. NO_PROXY of master.env is here as well.
 */
import {
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  type Node,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { authorityOf } from "./etcd-conf.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { isAddressOf } from "./same-host.ts";
import { dropItems, effectiveAssignment } from "./shell-assignments.ts";

const URLS = "etcdClientInfo.urls";
const COUNT = "kubernetesMasterConfig.masterCount";

/** What was taken out or replaced: `value` is what stood there. */
export interface DroppedSetting {
  readonly path: string;
  readonly value: string;
}

interface Edited<Dropped> {
  readonly text: string;
  readonly dropped: Dropped[];
}

/** A node with its place in the text: `[start, end of the value, end with its comment]`. */
type Placed = Node & { range: [number, number, number] };

interface ClientUrl {
  readonly url: string;
  readonly node: Placed;
}

/**
 * Takes every URL whose host is exactly the host's name or one of its addresses out of `etcdClientInfo.urls`, and sets
 * `masterCount` where the key exists and differs.
 * @throws Refusal naming the line: not one YAML mapping, syntax errors and duplicate keys, aliases and merge keys on the way, an
 * anchored URL, no URL left, a layout that cannot be cut safely.
 */
export function dropMaster(yaml: string, host: HostIdentity, masterCount: number): Edited<DroppedSetting> {
  if (!Number.isInteger(masterCount) || masterCount < 1) throw new Refusal(`${COUNT} cannot become ${masterCount}`);
  const urls = dropUrls(yaml, host);
  const count = countNode(urls.text);
  if (count === undefined || count.value === masterCount) return urls;
  const [start, end] = count.node.range;
  const text = urls.text.slice(0, start) + String(masterCount) + urls.text.slice(end);
  return { text, dropped: [...urls.dropped, { path: COUNT, value: String(count.value) }] };
}

/** The URLs of `etcdClientInfo.urls`, none when the key is absent. @throws Refusal as `dropMaster` does. */
export function clientUrls(yaml: string): string[] {
  return urlsOf(yaml, urlSequence(yaml)).map(({ url }) => url);
}

/** `kubernetesMasterConfig.masterCount`, undefined when the key is absent. @throws Refusal as `dropMaster` does. */
export function masterCountOf(yaml: string): number | undefined {
  return countNode(yaml)?.value;
}

/**
 * Takes the items that are exactly the host's name or one of its addresses out of NO_PROXY and no_proxy of a file that a
 * shell sources (master.env). The value may become empty. @throws Refusal when a line cannot be edited safely.
 */
export function dropNoProxy(env: string, host: HostIdentity): Edited<{ key: string; value: string }> {
  let text = env;
  const dropped = ["NO_PROXY", "no_proxy"].flatMap((key) => {
    const assignment = effectiveAssignment(text, key);
    if (assignment === undefined) return [];
    const after = dropItems(text, assignment, (item) => isAddressOf(host, item));
    text = after.text;
    return after.dropped.map((value) => ({ key, value }));
  });
  return { text, dropped };
}

/** One URL at a time, each place found anew in the text that the cut before it left. */
function dropUrls(yaml: string, host: HostIdentity): Edited<DroppedSetting> {
  const sequence = urlSequence(yaml);
  const urls = urlsOf(yaml, sequence);
  const index = urls.findIndex(({ url }) => isAddressOf(host, authorityOf(url)?.host ?? ""));
  const leaving = urls[index];
  if (sequence === undefined || leaving === undefined) return { text: yaml, dropped: [] };
  const { url, node } = leaving;
  const where = `line ${lineAt(yaml, node.range[0])}`;
  if (urls.length === 1) throw new Refusal(`${where}: refusing to leave ${URLS} empty: ${url} is the only URL left`);
  if (node.anchor !== undefined || node.tag !== undefined) {
    throw new Refusal(
      `${where}: ${URLS} puts an anchor or tag before ${url}, which other lines may refer to; write it plainly`,
    );
  }
  const [start, end] = sequence.flow === true ? flowCut(yaml, urls, index) : blockCut(yaml, sequence, index, node);
  const rest = dropUrls(yaml.slice(0, start) + yaml.slice(end), host);
  return { text: rest.text, dropped: [{ path: URLS, value: url }, ...rest.dropped] };
}

/** The lines of a `- url` item, with the comment behind it; comments on lines of their own stay. */
function blockCut(yaml: string, sequence: YAMLSeq, index: number, { range }: Placed): [number, number] {
  const { items } = sequence.srcToken as CST.BlockSequence;
  const dashes = items.flatMap(({ start }) => start.filter((token) => token.type === "seq-item-ind"));
  const dash = dashes[index]?.offset ?? range[0];
  const lineStart = yaml.lastIndexOf("\n", dash - 1) + 1;
  const lineEnd = yaml.indexOf("\n", range[1]);
  if (dashes.length === sequence.items.length && /^[ \t]*$/.test(yaml.slice(lineStart, dash))) {
    return [lineStart, lineEnd < 0 ? yaml.length : lineEnd + 1];
  }
  throw new Refusal(
    `line ${lineAt(yaml, dash)}: ${URLS} is laid out in a way that cannot be cut safely; put each URL on its own line`,
  );
}

/** An item of `[a, b]` with one comma; the whole line when nothing else stands on it. */
function flowCut(yaml: string, urls: readonly ClientUrl[], index: number): [number, number] {
  const [start, end] = urls[index]?.node.range ?? [0, 0];
  const behind = /^[ \t]*,[ \t]*/.exec(yaml.slice(end))?.[0];
  if (behind !== undefined) return wholeLine(yaml, start, end + behind.length);
  const before = urls[index - 1]?.node.range[1] ?? start;
  if (index === urls.length - 1 && /^\s*,\s*$/.test(yaml.slice(before, start))) return [before, end];
  throw new Refusal(
    `line ${lineAt(yaml, start)}: ${URLS} has comments between its items; put each URL on its own "- url" line`,
  );
}

function wholeLine(yaml: string, start: number, end: number): [number, number] {
  const lineStart = yaml.lastIndexOf("\n", start - 1) + 1;
  const rest = /^(?:#[^\n]*)?\r?\n/.exec(yaml.slice(end))?.[0];
  const alone = lineStart > 0 && /^[ \t]*$/.test(yaml.slice(lineStart, start));
  return alone && rest !== undefined ? [lineStart, end + rest.length] : [start, end];
}

function urlsOf(yaml: string, sequence: YAMLSeq | undefined): ClientUrl[] {
  return (sequence?.items ?? []).map((item) => {
    const node = item as Placed;
    if (isScalar(node) && typeof node.value === "string" && !node.type?.startsWith("BLOCK"))
      return { url: node.value, node };
    throw new Refusal(
      `line ${lineAt(yaml, node.range[0])}: ${URLS} holds an item that is not a plain URL (an alias, or no text)`,
    );
  });
}

function urlSequence(yaml: string): YAMLSeq | undefined {
  const node = nodeAt(yaml, ["etcdClientInfo", "urls"]);
  if (node === undefined || (isScalar(node) && node.value === null)) return undefined;
  if (isSeq(node)) return node;
  throw new Refusal(`line ${lineAt(yaml, node.range[0])}: ${URLS} is not a list of URLs`);
}

function countNode(yaml: string): { value: number; node: Placed } | undefined {
  const node = nodeAt(yaml, ["kubernetesMasterConfig", "masterCount"]);
  if (node === undefined) return undefined;
  if (isScalar(node) && typeof node.value === "number" && Number.isInteger(node.value))
    return { value: node.value, node };
  throw new Refusal(`line ${lineAt(yaml, node.range[0])}: ${COUNT} is not a whole number`);
}

/** The node below two keys, undefined when one of them is absent or null. */
function nodeAt(yaml: string, path: readonly [string, string]): Placed | undefined {
  const parent = child(yaml, mappingOf(yaml), path[0]);
  if (parent === undefined || (isScalar(parent) && parent.value === null)) return undefined;
  if (isMap(parent)) return child(yaml, parent, path[1]);
  throw new Refusal(`line ${lineAt(yaml, parent.range[0])}: ${path[0]} is not a mapping`);
}

/** OpenShift's YAML reader follows merge keys and aliases; what they bring in stands elsewhere, where a cut would reach others. */
function child(yaml: string, map: YAMLMap, key: string): Placed | undefined {
  const node = map.get(key, true) as Placed | undefined;
  const line = `line ${lineAt(yaml, (node ?? (map as Placed & YAMLMap)).range[0])}`;
  if (node === undefined && hasMergeKey(map))
    throw new Refusal(`${line}: ${key} may come from a merge key (<<); write it out`);
  if (isAlias(node)) throw new Refusal(`${line}: ${key} is an alias (*${node.source}); write it out`);
  return node;
}

function hasMergeKey(map: YAMLMap): boolean {
  return map.items.some(({ key }) => isScalar(key) && key.source === "<<");
}

function mappingOf(yaml: string): YAMLMap {
  const documents = [...parseAllDocuments(yaml, { keepSourceTokens: true, prettyErrors: false })];
  const error = documents.flatMap((document) => document.errors)[0];
  if (error !== undefined) throw new Refusal(`line ${lineAt(yaml, error.pos[0])}: not valid YAML: ${error.message}`);
  const [root] = documents.map((document) => document.contents);
  if (documents.length > 1)
    throw new Refusal(`line ${lineAt(yaml, documents[1]?.range[0] ?? 0)}: more than one YAML document`);
  if (isMap(root)) return root;
  throw new Refusal("line 1: not a YAML mapping");
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
