/** The commands of a document, as they stand in it: fenced blocks whose info string says where they run, and what they must say. */
import { readFileSync } from "node:fs";

export interface Block {
  /** From the info string: `sh on=first part=etcd`. */
  readonly on: string;
  readonly part: string;
  readonly text: string;
  /** Line of the opening fence, 1-based. */
  readonly line: number;
  /** Lines of the `see` block that follows; `…` stands for anything. */
  readonly see: readonly string[];
}

/** Every block that runs, in order. @throws Error for one that does not say where, and a `see` that follows none */
export function blocksOf(path: string): Block[] {
  const blocks: Block[] = [];
  for (const [, fence = "", info = "", text = "", at] of fences(readFileSync(path, "utf8"))) {
    const line = Number(at);
    const last = blocks.at(-1);
    if (fence !== "```") throw new Error(`${path}:${line}: a fence of three backticks is expected`);
    if (info === "text") continue;
    if (info === "see") {
      if (last === undefined || last.see.length > 0) throw new Error(`${path}:${line}: what does it belong to?`);
      blocks[blocks.length - 1] = { ...last, see: text.trimEnd().split("\n") };
      continue;
    }
    const [, on = "", part = ""] = /^sh on=([a-z-]+) part=([a-z0-9]+)$/.exec(info) ?? [];
    if (on === "") throw new Error(`${path}:${line}: "${info}" does not say where the block runs`);
    blocks.push({ on, part, text, line, see: [] });
  }
  return blocks;
}

function fences(document: string): string[][] {
  return [...document.matchAll(/^(`{3,})(.*)\n([\s\S]*?)^\1$/gm)].map((match) => [
    ...match.slice(0, 4),
    String(document.slice(0, match.index).split("\n").length),
  ]);
}

/** Puts an administrator's values into the lines `name=…` of a block. */
export function filledIn(text: string, values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce(
    (filled, [name, value]) => filled.replace(new RegExp(`^${name}=.*$`, "m"), () => `${name}=${value}`),
    text,
  );
}

/** The line of `see` that the output lacks. */
export function unseen(block: Block, output: string): string | undefined {
  return block.see.find((line) => {
    const pattern = line.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return !new RegExp(pattern.join(".*")).test(output);
  });
}
