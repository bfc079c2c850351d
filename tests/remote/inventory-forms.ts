/** Inventories by chance, for fast-check: every form of host line, section and YAML mapping, put together at will. */
import fc from "fast-check";
import type { InventoryForm } from "../../providers/plan/inventory.ts";

const groups = ["masters", "etcd", "nodes", "new_nodes", "glusterfs", "OSEv3", "ungrouped", "all"] as const;
/** With children of its own `ungrouped` is a riddle to Ansible itself. */
const parents = groups.filter((group) => group !== "ungrouped");
const patterns = [
  "m1",
  "m2",
  "m3.example.com",
  "m[1:3]",
  "m[01:03]",
  "m[0:9:3]",
  "m[a:c]",
  "m[1:2]-[a:b].example.com",
  "m1:2222",
  "m[1:3]:22",
  "10.0.0.[1:3]",
  "10.0.0.2:22",
  "fd00::1",
  "[fd00::1]:22",
  "-m1:22",
  "masters",
] as const;
const keys = [
  "ansible_host",
  "ansible_port",
  "openshift_node_group_name",
  "x",
  "y",
  "ansible_group_priority",
  "ansible_ssh_pass",
] as const;

/** As it stands behind `=` on a host line. */
const iniWords = [
  "1",
  "0x10",
  "1_000",
  "True",
  "true",
  "None",
  "''",
  '""',
  "10.0.0.2",
  "'10.0.0.2'",
  `"'10.0.0.3'"`,
  `"{'region': 'infra', 'note': 'a # b'}"`,
  `'{"a": [1, 2.50, null]}'`,
  `"[1, 'two', (3,)]"`,
  "a\\ b",
  'a"b c"d',
  "{{ lookup('env','HOME') }}".replaceAll(" ", ""),
  "a=b=c",
  "x#comment",
  "'it''s'",
  "1e3",
  "5 # five",
] as const;
const iniValues = [...iniWords, "a b  c", "'a' # b", "1 # one", "[1, 2]", "{'a': 1}", ""] as const;
const priority = fc.constantFrom("1", "5", "-3", "'7'", "10 # ten");

const pair = (values: readonly string[]): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom(...keys), fc.constantFrom(...values), priority)
    .map(([key, value, number]) => `${key}=${key === "ansible_group_priority" ? number : value}`);
const trivia = fc.constantFrom("", "# a comment", "; m1", "  ", "#m1 x=1", "\t# m2");
const hostLine = fc
  .record({
    indent: fc.constantFrom("", "", "  ", "\t"),
    pattern: fc.constantFrom(...patterns),
    quote: fc.constantFrom("", "", "", "'", '"'),
    pairs: fc.array(pair(iniWords), { maxLength: 3 }),
    space: fc.constantFrom(" ", "\t", "   "),
    tail: fc.constantFrom("", "", " # behind", " "),
  })
  .map(
    ({ indent, pattern, quote, pairs, space, tail }) => indent + [quote + pattern + quote, ...pairs].join(space) + tail,
  );

const linesOf = (line: fc.Arbitrary<string>): fc.Arbitrary<string[]> =>
  fc.array(fc.oneof({ weight: 4, arbitrary: line }, { weight: 1, arbitrary: trivia }), { maxLength: 5 });
const section = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.constantFrom(...groups, "masters", "etcd", "nodes"), linesOf(hostLine))
      .map(([group, lines]) => [`[${group}]`, ...lines]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...groups), linesOf(pair(iniValues)))
      .map(([group, lines]) => [`[${group}:vars] # variables`, ...lines]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...parents), linesOf(fc.constantFrom("masters", "etcd # too", "nodes", "glusterfs")))
      .map(([group, lines]) => [`[${group}:children]`, ...lines]),
  },
);
/** Mostly such as Ansible takes. */
export const iniInventory: fc.Arbitrary<string> = fc
  .record({
    top: fc.array(hostLine, { maxLength: 2 }),
    sections: fc.array(section, { minLength: 1, maxLength: 7 }),
    eol: fc.constantFrom("\n", "\n", "\r\n"),
    final: fc.boolean(),
    declare: fc.integer({ min: 0, max: 5 }),
  })
  .map(({ top, sections, eol, final, declare }) => {
    const declared = declare === 0 ? [] : groups.map((group) => `[${group}]`);
    return ["# hosts", ...top, ...sections.flat(), ...declared].join(eol) + (final ? eol : "");
  });

const scalars = [
  "1",
  "010",
  "1_000",
  "1:30",
  "1e3",
  "1.5",
  "yes",
  "~",
  "null",
  "2001-12-14",
  "10.0.0.2",
  "'10.0.0.3'",
  '"a # b: \\"c\\""',
  "plain text, with [brackets]",
  "'it''s'",
  "!unsafe '{{ x }}'",
  "!!str 5",
  "{ region: infra, list: [1, two] }",
  "[1, [2], {a: b}]",
] as const;
const yamlPair = fc
  .tuple(fc.constantFrom(...keys.filter((key) => key !== "ansible_group_priority")), fc.constantFrom(...scalars))
  .map(([key, value]): [string, string] => [key, value]);
const unique = { maxLength: 3, selector: ([key]: [string, ...unknown[]]) => key };
const yamlHost = fc
  .record({
    name: fc.constantFrom(
      "m1",
      "m2",
      "m[1:3]",
      "'m[1:3]'",
      '"m[01:03]"',
      "m[a:c].example.com",
      "10.0.0.2",
      "m1:22",
      "m5",
    ),
    style: fc.constantFrom("null", "empty", "flow", "block", "block"),
    pairs: fc.uniqueArray(yamlPair, unique),
    comment: fc.constantFrom("", " # behind"),
  })
  .map(({ name, style, pairs, comment }): [string, string[]] => {
    if (style === "null" || pairs.length === 0) return [name, [`${name}:${comment}`]];
    if (style === "empty") return [name, [`${name}: {}${comment}`]];
    if (style === "flow" && !pairs.some(([, value]) => /plain text|^~$|!/.test(value)))
      return [name, [`${name}: {${pairs.map(([key, value]) => `${key}: ${value}`).join(", ")}}${comment}`]];
    return [name, [`${name}:${comment}`, ...pairs.map(([key, value]) => `  ${key}: ${value}`)]];
  });
const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
const yamlGroup = (group: string): fc.Arbitrary<string[]> =>
  fc
    .record({
      hosts: fc.uniqueArray(yamlHost, { maxLength: 4, selector: ([name]) => name.replaceAll(/['"]/g, "") }),
      anchor: fc.constantFrom("", "", "own", "merge", "alias"),
      variables: fc.uniqueArray(yamlPair, unique),
      priority: fc.constantFrom("", "", "5", "'7'"),
      comment: fc.boolean(),
    })
    .map(({ hosts, anchor, variables, priority: rank, comment }) => [
      `${group}:`,
      ...indented([
        ...hostsOf(
          hosts.flatMap(([, lines]) => lines),
          anchor,
          group,
        ),
        ...(comment ? ["# the variables"] : []),
        "vars:",
        ...indented([
          ...variables.map(([key, value]) => `${key}: ${value}`),
          ...(rank === "" ? [] : [`ansible_group_priority: ${rank}`]),
        ]),
      ]),
    ]);
/** The first group has the anchor that others use. */
function hostsOf(lines: readonly string[], anchor: string, group: string): string[] {
  if (group === "masters")
    return [...(lines.length === 0 ? ["hosts: &shared {}"] : ["hosts: &shared"]), ...indented(lines)];
  if (anchor === "alias") return ["hosts: *shared"];
  return ["hosts:", ...indented([...(anchor === "merge" ? ["<<: *shared"] : []), ...lines])];
}
const nested = (names: readonly string[]): fc.Arbitrary<string[]> =>
  fc.tuple(...names.map(yamlGroup)).map((all) => all.flat());
export const yamlInventory: fc.Arbitrary<string> = fc
  .record({
    inner: nested(["masters", "etcd", "nodes"]),
    outer: nested(["lb", "glusterfs"]),
    again: fc.boolean(),
    eol: fc.constantFrom("\n", "\n", "\r\n"),
    final: fc.boolean(),
  })
  .map(({ inner, outer, again, eol, final }) => {
    const children = ["OSEv3:", "  children:", ...indented(indented(inner))];
    const below = ["all:", "  vars:", "    x: of all", "  children:", ...indented(indented([...children, ...outer]))];
    const lines = ["---", ...below, ...(again ? ["nodes:", "  hosts:", "    m1:", "    m9: { x: 9 }"] : [])];
    return lines.join(eol) + (final ? eol : "");
  });

export const extension: Readonly<Record<InventoryForm, string>> = { ini: "hosts.ini", yaml: "hosts.yml" };
