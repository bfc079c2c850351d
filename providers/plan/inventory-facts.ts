/** Pure: an inventory as it lies on its machine, a file or a folder of files, as the probe shows it and as it is told. */
import { type FileFacts, type Unreachable, fileFrom } from "./facts.ts";
import type { GitFacts } from "./inventory-git.ts";
import { inventoryForm } from "./inventory-groups.ts";
import { type Part, inParts, largestFile, partsIn, partsOf } from "./parts.ts";
import { common } from "./probe.ts";
import { escapeControls, quote, sh } from "./quote.ts";

/** One file of an inventory. */
export interface InventoryFileFacts extends FileFacts {
  /** The file itself where `path` is a link. */
  readonly real?: string;
  /** Names of the copies that earlier runs kept beside it, the newest first. */
  readonly kept?: readonly string[];
  /** The newest of these copies, read where a declared master is missing. */
  readonly former?: readonly FileFacts[];
  /** Where it is in a git work tree of this machine. */
  readonly git?: GitFacts;
}

/** The first file of an inventory, and what there is besides. */
export interface InventoryFacts extends InventoryFileFacts {
  /** Its folder, where that is the inventory. */
  readonly folder?: string;
  /** The folder's other files, in the order in which Ansible reads them. */
  readonly more?: readonly InventoryFileFacts[];
  /** How it was found, where it is not configured. */
  readonly through?: string;
  /** Files of the folder that Ansible does not read. */
  readonly notRead?: readonly string[];
  /** What lies in `host_vars` beside the inventory and the playbooks: full paths of files and folders, each named after a host. */
  readonly hostVars?: readonly string[];
  /** Files in `host_vars` and `group_vars` there that name a host that leaves, with the lines, from 1. */
  readonly named?: readonly { readonly path: string; readonly lines: readonly number[] }[];
}

/** Files of a folder that are still taken, and bytes of all of them together. */
const mostFiles = 100;
const mostBytes = 4 * largestFile;
/** Files of variables that are searched in one place. */
const mostVars = 500;

/** All files of an inventory, in Ansible's order. */
export const filesOf = (facts: InventoryFacts): readonly InventoryFileFacts[] => [facts, ...(facts.more ?? [])];

/** The same facts with what git says of each file. */
export function withGit(facts: InventoryFacts, git: readonly (GitFacts | undefined)[]): InventoryFacts {
  const of = (at: number) => {
    const said = git[at];
    return said === undefined ? {} : { git: said };
  };
  const more = facts.more?.map((file, at) => ({ ...file, ...of(at + 1) }));
  return { ...facts, ...of(0), ...(more && { more }) };
}

/** What the administrator called it: the file, or the folder. */
export const placeOf = ({ folder, path }: InventoryFacts): string => folder ?? path;

/**
 * Looks at an inventory, as Ansible 2.6 to 2.14 take a folder: by name, bytewise, folders within too, without hidden names,
 * `host_vars`, `group_vars`, `vars_plugins` and the endings that `inventory_ignore_extensions` has by default. Reads only.
 * @param words an expression of what the variables beside it are searched for; empty: they are not
 */
export const inventoryProbe = (path: string, words = ""): string =>
  inParts(`${common}
count=0 total=0
kept() { for one in "$1".before-*; do
  [ ! -f "$one" ] || [ -L "$one" ] || stat -c '%.9Z %n' -- "$one"
done | sort -rn; }
shebang() { [ -f "$1" ] && [ -x "$1" ] && [ "$(head -c 2 -- "$1" 2>/dev/null | tr -d '\\0')" = '#!' ]; }
one() {
  count=$((count + 1))
  [ $count -le ${mostFiles} ] || return 0
  real=$(readlink -f -- "$1") || real=$1
  value "path:$count" "$1"
  value "real:$count" "$real"
  part "kept:$count" kept "$real"
  if shebang "$1"; then frame "file:$count" script; return 0; fi
  total=$((total + $(stat -Lc %s -- "$1" 2>/dev/null || echo 0)))
  if [ $total -gt ${mostBytes} ]; then frame "file:$count" large; else file "file:$count" "$1"; fi
}
walk() { for entry in "$1"/*; do
  [ -e "$entry" ] || [ -L "$entry" ] || continue
  case \${entry##*/} in
    host_vars | group_vars | vars_plugins) ;;
    *.pyc | *.pyo | *.swp | *.bak | *~ | *.rpm | *.md | *.txt | *.rst | *.orig | *.ini | *.cfg | *.retry)
      value ignored "$entry" ;;
    *) if [ ! -d "$entry" ]; then one "$entry"
      elif [ "$2" -lt 8 ]; then walk "$entry" $(($2 + 1))
      else one "$entry"; fi ;;
  esac
done; }
${sh`root=${path}`}
if [ -d "$root" ]; then value folder; walk "\${root%/}" 0; else one "$root"; fi
value count "$count"
${words === "" ? "" : besideProbe(words)}`);

/** openshift-ansible's, as its package lays it down: Ansible reads variables beside a playbook too. */
const playbooks = ["/usr/share/ansible/openshift-ansible", "/usr/share/ansible/openshift-ansible/playbooks"];

/** Numbers of lines come back, never the lines: they hold secrets. */
const besideProbe = (words: string): string => `
if [ -d "$root" ]; then beside=\${root%/}; else beside=$(dirname -- "$root"); fi
for dir in "$beside" ${playbooks.join(" ")}; do
  for entry in "$dir/host_vars"/*; do [ ! -e "$entry" ] || value hostvars "$entry"; done
  { find -L "$dir/host_vars" "$dir/group_vars" -type f -size -8192 ! -path '*/host_vars/retired-[0-9]*' 2>/dev/null || :; } | sort | head -n ${mostVars} | while IFS= read -r file; do
    lines=$(timeout 5 grep -aniE -m 50 -e ${quote(words)} -- "$file" 2>/dev/null | cut -d : -f 1 | tr '\\n' ,)
    [ -z "$lines" ] || value named "$lines $file"
  done
done
`;

const textOf = (part: Part | undefined): string => Buffer.from(part?.bytes ?? []).toString("utf8");

/** What the probe found at `path`, or a sentence of why it is no inventory that can be edited. */
export function inventoryFacts(stdout: string, path: string): InventoryFacts | Unreachable {
  const all = partsIn(stdout);
  const parts = new Map(all);
  const isFolder = parts.has("folder");
  const count = Number(textOf(parts.get("count")));
  if (!(count >= 0) || !parts.has("count")) return { unreachable: `the answer about ${path} is not understood` };
  if (count > mostFiles) return { unreachable: `${path} has more than ${mostFiles} files; name one file` };
  const listed = (name: string): string[] => all.filter(([of]) => of === name).map(([, part]) => textOf(part));
  const notRead = listed("ignored");
  const files: InventoryFileFacts[] = [];
  for (let n = 1; n <= count; n += 1) {
    const name = isFolder ? textOf(parts.get(`path:${n}`)) : path;
    const flaw = flawOf(name, parts.get(`file:${n}`));
    if (flaw !== undefined) return { unreachable: flaw };
    const real = textOf(parts.get(`real:${n}`)) || name;
    const file = fileFrom(name, parts.get(`file:${n}`)?.bytes ?? new Uint8Array());
    files.push({ ...file, real, kept: keptOf(real, textOf(parts.get(`kept:${n}`))) });
  }
  const twice = files.find((one, at) => files.findIndex(({ real }) => real === one.real) < at);
  if (twice !== undefined)
    return { unreachable: `${twice.path} is ${twice.real ?? ""} once more; take one of the two links away` };
  const [first, ...more] = files;
  if (first === undefined)
    return { unreachable: `the folder ${path} has no file that Ansible would read${inWords(notRead)}; name a file` };
  return {
    ...first,
    ...(isFolder && { folder: path, more, notRead: notRead.filter((name) => !isKept(name)) }),
    hostVars: listed("hostvars"),
    named: listed("named").flatMap(mentionOf),
  };
}

function mentionOf(text: string): NonNullable<InventoryFacts["named"]>[number][] {
  const [, lines = "", path = ""] = /^([\d,]+) (.*)$/s.exec(text) ?? [];
  return path === "" ? [] : [{ path, lines: lines.split(",").filter(Boolean).map(Number) }];
}

/** Of `hostVars`, those that Ansible takes for one of these hosts. */
export const hostVarsOf = ({ hostVars = [] }: InventoryFacts, names: ReadonlySet<string>): string[] =>
  hostVars.filter((path) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    return names.has(name) || names.has(name.replace(/\.(?:ya?ml|json)$/, ""));
  });

const inWords = (notRead: readonly string[]): string =>
  notRead.length === 0 ? "" : ` (not read: ${notRead.map((name) => escapeControls(name)).join(", ")})`;

function flawOf(path: string, part: Part | undefined): string | undefined {
  if (part === undefined || part.state === "absent") return `${path} is not there`;
  if (part.state === "large")
    return `${path} is larger than ${largestFile / 2 ** 20} MiB, or its folder than ${mostBytes / 2 ** 20} MiB`;
  if (part.state === "script")
    return `${path} is a script that prints an inventory: it is not run, and what it prints cannot be edited; take the host out at its source, and name a file here`;
  if (part.state !== 0) return `${path} is no readable file`;
  return inventoryForm(path) === "yaml" && /^["']?plugin["']?\s*:\s*\S/m.test(textOf(part))
    ? `${path} is the configuration of an inventory plugin: the hosts come from elsewhere; take the host out there, and name a file here`
    : undefined;
}

/** `hosts.before-213301-a1b2c3`, today with `.orig`, which Ansible does not read in a folder; several of one run are numbered. */
const ours = /\.before-\d{6}-[0-9a-f]{6}(?:\.orig)?(?:\.~\d+~)?$/;
const isKept = (name: string): boolean => ours.test(name);

/** From lines of seconds and path, sorted. */
const keptOf = (real: string, text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/^\S+ /, ""))
    .filter((path) => path.startsWith(real) && ours.exec(path)?.index === real.length)
    .map((path) => path.slice(path.lastIndexOf("/") + 1));

/** Copies that are read where a declared master is missing, of each file. */
const mostFormer = 3;

/** Reads the newest kept copies of all files. */
export const formerProbe = (facts: InventoryFacts): string =>
  inParts(
    formerOf(facts)
      .map(({ path, at }) => sh`file ${at} ${path}`)
      .join("\n"),
  );

/** The same facts with the copies that `formerProbe` read. */
export function withFormer(facts: InventoryFacts, stdout: string): InventoryFacts {
  const parts = partsOf(stdout);
  const read = formerOf(facts).flatMap(({ path, at, of }) => {
    const part = parts.get(at);
    return part?.state === 0 ? [{ of, copy: fileFrom(path, part.bytes) }] : [];
  });
  const [first = facts, ...more] = filesOf(facts).map((file) => ({
    ...file,
    former: read.filter(({ of }) => of === file.path).map(({ copy }) => copy),
  }));
  return { ...facts, ...first, ...(facts.more && { more }) };
}

const formerOf = (facts: InventoryFacts): { path: string; at: string; of: string }[] =>
  filesOf(facts)
    .flatMap(({ path, real = path, kept = [] }) =>
      kept.slice(0, mostFormer).map((name) => ({ of: path, path: real.slice(0, real.lastIndexOf("/") + 1) + name })),
    )
    .map((one, at) => ({ ...one, at: `former:${at}` }));

/** Of the copies that are kept of a file, those that go when one more is kept: full paths, the oldest last. */
export function surplusOf({ path, real = path, kept = [] }: InventoryFileFacts, keep: number): string[] {
  const folder = real.slice(0, real.lastIndexOf("/") + 1);
  return kept.slice(Math.max(0, keep - 1)).map((name) => folder + name);
}
