/** Pure: the edit of an inventory, of one file or several, and its proof over all of them. */
import type { HostIdentity } from "./host.ts";
import { type Inventories, type NamedText, joined, namesIn, partOf, readInventories } from "./inventory-files.ts";
import { moveTo } from "./inventory-first.ts";
import type { InventoryForm } from "./inventory-groups.ts";
import { proved } from "./inventory-proof.ts";
import { Refusal } from "./refusal.ts";
import { addressOf } from "./same-host.ts";

/** A host that is to be the first of a group. */
export interface First {
  readonly group: string;
  readonly host: HostIdentity;
}

export interface InventoryEdit {
  readonly text: string;
  /** A leaving host was in it. */
  readonly dropped: boolean;
  /** Those that were not first and are now. */
  readonly moved: readonly First[];
}

export interface FileEdit extends InventoryEdit {
  readonly path: string;
}

/**
 * The inventory without these hosts, in every group and under every name, and with the holders of authorities first.
 * @throws Refusal naming the line that cannot be understood or edited, or what the edit would change besides
 */
export function editInventory(
  text: string,
  form: InventoryForm,
  leaving: readonly HostIdentity[],
  firsts: readonly First[] = [],
): InventoryEdit {
  const [edit] = editInventories([{ path: form === "yaml" ? ".yml" : "", text }], leaving, firsts);
  return edit ?? { text, dropped: false, moved: [] };
}

/**
 * `editInventory` of several files that are one inventory: those that change, in the order in which they are to be written. A
 * file that tells by an address which host a name means is written last, so that what is left of an interrupted edit is still understood.
 * @throws Refusal as `editInventory` does, with the path where there are several files
 */
export function editInventories(
  texts: readonly NamedText[],
  leaving: readonly HostIdentity[],
  firsts: readonly First[] = [],
): FileEdit[] {
  const before = readInventories(texts);
  const names = new Set(leaving.flatMap((host) => [...namesIn(before, host)]));
  const dropped = before.files.map((file) => file.drop(names).text);
  let after = rewritten(before, dropped);
  const moved: (First & { path: string })[] = [];
  for (const first of firsts) {
    const move = moveTo(after.inventory, after.resolved, first.group, first.host);
    if (move === undefined) continue;
    const declares = ({ inventory }: Inventories["files"][number], name?: string) =>
      inventory.hosts.some((one) => one.group === move.owner && (name === undefined || one.name === name));
    const file = after.files.find((one) => declares(one));
    if (file === undefined || !declares(file, move.name))
      throw new Refusal(
        `${move.name} is to be the first of [${first.group}] in the inventory, which begins in ${file?.path ?? "no file"}, and ${move.name} is in another file of the folder; move its line there by hand`,
      );
    moved.push({ ...first, path: file.path });
    after = rewritten(
      after,
      after.files.map((one) => (one === file ? file.toFront(move) : one.text)),
    );
  }
  if (after.files.every(({ text }, at) => text === texts[at]?.text)) return [];
  const movedNames = moved.flatMap(({ host }) => [...namesIn(before, host)]);
  proved(before.resolved, after.resolved, { leaving: names, moved: new Set(movedNames) });
  for (const { group, host } of moved) {
    const now = after.resolved.groups.get(group)?.hosts[0] ?? "nobody";
    if (!namesIn(before, host).has(now))
      throw new Refusal(
        `${host.name} is to be the first of [${group}] in the inventory, and ${now} would be, since groups share their lines; write them apart by hand`,
      );
  }
  const isIdentified = leaving.map((host) => addressOf(host));
  const identifies = ({ path }: NamedText): boolean =>
    before.files.some(
      (file) =>
        file.path === path &&
        file.inventory.hosts.some(
          ({ name, variables }) => names.has(name) && (hasAddress(variables) || isIdentified.some((is) => is(name))),
        ),
    );
  return after.files
    .map(({ path, text }, at): FileEdit => ({
      path,
      text,
      dropped: dropped[at] !== texts[at]?.text,
      moved: moved.filter((one) => one.path === path).map(({ group, host }) => ({ group, host })),
    }))
    .filter(({ text }, at) => text !== texts[at]?.text)
    .toSorted((a, b) => Number(identifies(a)) - Number(identifies(b)));
}

const hasAddress = (variables: ReadonlyMap<string, unknown>): boolean =>
  variables.has("ansible_host") || variables.has("ansible_ssh_host");

function rewritten(now: Inventories, texts: readonly string[]): Inventories {
  if (now.files.every(({ text }, at) => text === texts[at])) return now;
  return joined(
    now.files.map((file, at) => {
      const text = texts[at] ?? file.text;
      return text === file.text ? file : partOf({ path: file.path, text }, now.files.length > 1);
    }),
  );
}
