/** Pure: an anchor that stands with a leaving host and that other lines need moves to the first of them, with what it names. */
import { type Alias, isAlias, isCollection, type Node, visit } from "yaml";
import { refuse } from "./inventory-ini.ts";
import { lineEnd, lineStart, type Splice } from "./inventory-yaml-splice.ts";
import { type HostPair, nodesOf, type YamlInventory } from "./inventory-yaml-read.ts";

export const anchorsIn = ({ written }: HostPair): Anchored[] =>
  (written ? nodesOf(written.pair) : []).filter(
    (node): node is Anchored => !isAlias(node) && node.anchor !== undefined,
  );
type Anchored = Node & { anchor: string };

/**
 * What has to change elsewhere so that the pair can go; nothing when only lines that go with it use its anchors.
 * @throws Refusal when the anchor cannot be moved
 */
export function handedOn(file: YamlInventory, pair: HostPair, leaving: readonly HostPair[]): Splice[] {
  const anchors = anchorsIn(pair);
  const needs =
    anchors.length === 0
      ? []
      : aliasesOf(
          file,
          anchors.map(({ anchor }) => anchor),
          leaving,
        );
  const node = anchors.find(({ anchor }) => needs.some(({ source }) => source === anchor));
  const first = needs.find(({ source }) => source === node?.anchor);
  if (!node || !first) return [];
  return moved(file, pair, node, first);
}

/** In the order of the file. */
function aliasesOf({ document }: YamlInventory, names: readonly string[], leaving: readonly HostPair[]): Alias[] {
  const going = new Set(leaving.flatMap(({ written }) => (written ? nodesOf(written.pair) : [])));
  const found: Alias[] = [];
  visit(document, {
    Alias: (_, alias) => {
      if (names.includes(alias.source) && !going.has(alias)) found.push(alias);
    },
  });
  return found.sort((a, b) => (a.range?.[0] ?? 0) - (b.range?.[0] ?? 0));
}

function moved({ text }: YamlInventory, pair: HostPair, node: Anchored, alias: Alias): Splice[] {
  const cannot = (): never =>
    refuse(
      pair.line,
      `holds the host with the anchor &${node.anchor}, which other lines need`,
      "move the anchor to one of them first",
    );
  const [start, end] = node.range ?? cannot();
  const [from, to] = alias.range ?? cannot();
  const at = text.lastIndexOf(`&${node.anchor}`, start);
  if (at < pair.start || to <= pair.lastContent) cannot();
  const inLine = text.slice(at, end);
  const isBlock = isCollection(node) && !node.flow;
  if (!isBlock && !inLine.trimEnd().includes("\n")) return [{ from, to, text: inLine.trimEnd() }];
  const line = text.slice(lineStart(text, from), from);
  const behind = text.slice(to, lineEnd(text, to));
  const indent = /^( *)[^\s-].*:[ \t]+$/.exec(line)?.[1];
  if (node !== pair.written?.pair.value || indent === undefined || !/^[ \t]*(?:#.*)?\r?\n?$/.test(behind))
    return cannot();
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const shift = indent.length - (pair.start - lineStart(text, pair.start));
  const body = text.slice(lineEnd(text, at), lineEnd(text, pair.lastContent));
  const lines = body.split(/(?<=\n)/).map((each) => shifted(each, shift) ?? cannot());
  const put = `${behind.endsWith("\n") ? "" : eol}${lines.join("")}${body.endsWith("\n") ? "" : eol}`;
  return [
    { from, to, text: text.slice(at, lineEnd(text, at)).trimEnd() },
    { from: lineEnd(text, to), to: lineEnd(text, to), text: put },
  ];
}

/** A line further in or out; undefined when it is not that far in. */
function shifted(line: string, by: number): string | undefined {
  if (line.trim() === "") return line;
  if (by >= 0) return " ".repeat(by) + line;
  return line.slice(0, -by).trim() === "" ? line.slice(-by) : undefined;
}
