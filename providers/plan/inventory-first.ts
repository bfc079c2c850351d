/**
 * Pure: a host becomes the first of a group, because openshift-ansible calls the first of `masters` and of `etcd` the holder of the
 * cluster's authorities. Its line moves to the front with the comments right above it; every other byte stays.
 */
import type { HostIdentity } from "./host.ts";
import { type Inventory, namesOfHost } from "./inventory-groups.ts";
import { restOf, withPattern } from "./inventory-ini-edit.ts";
import type { IniLine } from "./inventory-ini.ts";
import type { Resolved } from "./inventory-resolve.ts";
import { Refusal } from "./refusal.ts";
import { type TextLine, joinLines } from "./text-lines.ts";

/** A host that is to come to the front. */
export interface Move {
  /** The group whose own lines give the first host: itself, or the child that comes first. */
  readonly owner: string;
  readonly name: string;
}

/**
 * Undefined when the host is first already, or not in the group at all.
 * @throws Refusal when the group gets its first host from a child that the host is not in
 */
export function moveTo(
  inventory: Pick<Inventory, "hosts">,
  resolved: Resolved,
  group: string,
  host: HostIdentity,
): Move | undefined {
  const members = resolved.groups.get(group)?.hosts ?? [];
  const names = namesOfHost(inventory, resolved, host);
  const name = members.find((each) => names.has(each));
  if (name === undefined || name === members[0]) return undefined;
  const owner = descent(resolved, group).find((each) => inventory.hosts.some((one) => one.group === each));
  const own = inventory.hosts.some((each) => each.group === owner && each.name === name);
  if (owner !== undefined && own) return { owner, name };
  throw new Refusal(
    `${name} is to be the first of [${group}] in the inventory, which takes its first host from [${owner ?? ""}], and ` +
      `${name} is not in that; put it there in front, or name its group first, by hand`,
  );
}

/** The group, its children, their children: in the order in which Ansible asks them for hosts. */
function descent(resolved: Resolved, group: string): string[] {
  const order = new Set([group]);
  for (const each of order) for (const child of resolved.groups.get(each)?.children ?? []) order.add(child);
  return [...order];
}

/** @throws Refusal naming the line that cannot be split */
export function toFrontOfIni(lines: readonly IniLine[], { owner, name }: Move): string {
  const own = lines.filter((line) => line.host && line.section.group === owner);
  const first = own[0];
  const from = own.find((line) => line.host?.names.includes(name));
  if (!first || !from?.host) return joinLines(lines);
  const rest = restOf(from, new Set([name]));
  const body = rest.length > 0 ? withPattern(from.body, from.host, name) : from.body;
  const comments = rest.length > 0 ? [] : commentsAbove(lines, from);
  const target = commentsAbove(lines, first)[0] ?? first;
  const eol = lines.find((line) => line.eol !== "")?.eol ?? "\n";
  const moved: TextLine[] = [...comments, { body, eol: from.eol }];
  const arranged = lines.flatMap((line): TextLine[] => {
    const stays = line === from ? rest.map((each) => ({ body: each, eol: from.eol })) : [line];
    return [...(line === target ? moved : []), ...(comments.includes(line) ? [] : stays)];
  });
  const last = lines.at(-1)?.eol ?? "";
  return joinLines(
    arranged.map((line, at) => ({ body: line.body, eol: at === arranged.length - 1 ? last : line.eol || eol })),
  );
}

/** Those right above a host's line; those right below the header are the group's. */
function commentsAbove(lines: readonly IniLine[], line: IniLine): IniLine[] {
  const end = line.number - 1;
  let start = end;
  while (/^\s*[#;]/.test(lines[start - 1]?.body ?? "")) start -= 1;
  const isBelowHeader = start === 0 || lines[start - 1]?.number === line.section.line;
  return isBelowHeader ? [] : lines.slice(start, end);
}
