/** AnsibleInventory: edits of files in a git work tree are committed, where that is asked; what an earlier run edited and did not commit, too. */
import { fileFrom } from "../facts.ts";
import { editInventories, type First } from "../inventory-edit.ts";
import { type InventoryFacts, type InventoryFileFacts, filesOf } from "../inventory-facts.ts";
import { namesIn, readInventories } from "../inventory-files.ts";
import { unlessRefused } from "../refusal.ts";
import { type Change, type Step, identityOf } from "../steps.ts";

/** Files that are not as they were committed, with what we did to them: path → hosts. */
export type Own = ReadonlyMap<string, readonly string[]>;
export const NOTHING: Own = new Map();

/** The files as they were committed last. */
export const committed = (files: readonly InventoryFileFacts[]): InventoryFileFacts[] =>
  files.map((file) =>
    isChanged(file) ? { ...file, ...fileFrom(file.path, file.git?.head ?? new Uint8Array()) } : file,
  );

const isChanged = ({ git }: InventoryFileFacts): boolean => git?.state === "changed" && git.head !== undefined;

/** Whether there is anything that could be ours and uncommitted. */
export const hasChanges = (inventory: InventoryFacts, change: Change): boolean =>
  change.settings.inventory.commit && filesOf(inventory).some(isChanged);

/** Files that are to the byte what these texts are and not what was committed. */
export const ownOf = (inventory: InventoryFacts, texts: ReadonlyMap<string, string>, hosts: readonly string[]): Own =>
  new Map(
    filesOf(inventory)
      .filter((file) => isChanged(file) && texts.get(file.path) === file.text)
      .map(({ path }) => [path, hosts]),
  );

/** Files that are what was committed without retired hosts. */
export function ownRemovals(inventory: InventoryFacts, change: Change, firsts: readonly First[]): Own {
  if (!hasChanges(inventory, change)) return NOTHING;
  const before = committed(filesOf(inventory));
  const all = { ...change.retired, ...change.leaving };
  const own = unlessRefused(() => {
    const [then, now] = [readInventories(before), readInventories(filesOf(inventory))];
    const gone = Object.keys(all).filter((name) => {
      const host = identityOf(name, all);
      return namesIn(then, host).size > 0 && namesIn(now, host).size === 0;
    });
    if (gone.length === 0) return NOTHING;
    const again = editInventories(
      before,
      gone.map((name) => identityOf(name, all)),
      firsts,
    );
    return ownOf(inventory, new Map(again.map(({ path, text }) => [path, text])), gone);
  });
  return own ?? NOTHING;
}

/** @returns a sentence of a file that is to be edited and has changes that are not ours */
export function dirtyOf(
  inventory: InventoryFacts,
  edits: readonly Step[],
  own: Own,
  change: Change,
): string | undefined {
  if (!change.settings.inventory.commit) return undefined;
  const dirty = filesOf(inventory).find(
    ({ path, git }) => git?.state === "changed" && !own.has(path) && edits.some((step) => editOf(step) === path),
  );
  return dirty === undefined
    ? undefined
    : `${dirty.path} has changes that are not committed, and inventory.commit would commit them too: commit or stash them first`;
}

const editOf = (step: Step): string => (step.do === "edit-inventory" ? step.edit.before.path : "");

/** One for each work tree. @param what e.g. `retired`; @param doing what was done for the hosts of `own` */
export function commitSteps(
  inventory: InventoryFacts,
  { edits, own, hosts }: { edits: readonly Step[]; own: Own; hosts: readonly string[] },
  { what, doing }: { what: string; doing: (hosts: readonly string[]) => string },
  { settings }: Change,
): Step[] {
  if (!settings.inventory.commit) return [];
  const done = [...own].map(([path, names]) => [path, `${path}: ${doing(names)}`] as const);
  const titles = new Map([...done, ...edits.map((step) => [editOf(step), step.title] as const)]);
  const tracked = filesOf(inventory).filter(
    ({ path, git }) => titles.has(path) && git !== undefined && git.state !== "untracked",
  );
  return [...new Set(tracked.flatMap(({ git }) => git?.top ?? []))].map((top): Step => {
    const files = tracked.filter(({ git }) => git?.top === top);
    const names = [
      ...new Set([...files.flatMap(({ path }) => own.get(path) ?? []), ...(edits.length > 0 ? hosts : [])]),
    ];
    const body = files.map(({ path }) => `- ${titles.get(path) ?? ""}`).join("\n");
    const paths = files.map(({ path, real = path }) => real);
    // git may refuse (a hook, no author): the edit stands, and the next run tries again
    return {
      do: "commit-inventory",
      host: "this machine",
      apart: true,
      commit: { top, paths, message: `openshift-masters: ${names.join(", ")} ${what}\n\n${body}\n` },
      title: `${top}: commit ${paths.join(", ")}`,
    };
  });
}
