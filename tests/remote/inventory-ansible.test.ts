/**
 * Our reading of inventories beside Ansible's own, before and after an edit: the same hosts, groups, order and typed variables, and what the one refuses the other does
 * not take. Nothing is run: Ansible's library reads the texts in one process.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { editInventory } from "../../providers/plan/inventory-edit.ts";
import { readInventory } from "../../providers/plan/inventory-file.ts";
import type { InventoryForm } from "../../providers/plan/inventory.ts";
import { inventoryForm } from "../../providers/plan/plans.ts";
import { type Resolved, resolve, variablesOf } from "../../providers/plan/inventory-resolve.ts";
import { Refusal } from "../../providers/plan/refusal.ts";
import { askAnsible, type Case, type Seen, withoutAnsible } from "./ansible.ts";
import { extension, iniInventory, yamlInventory } from "./inventory-forms.ts";

type FormText = readonly [form: InventoryForm, text: string];

interface Ours {
  /** In the order in which Ansible reads them. */
  readonly files: readonly FormText[];
  /** Undefined when we refuse it. */
  readonly resolved: Resolved | undefined;
  readonly why?: string;
}

function read(...files: readonly FormText[]): Ours {
  try {
    // the only file is read as the planner reads it
    const inventories = files.map(([form, text]) => readInventory(text, form));
    const [only] = inventories;
    return {
      files,
      resolved:
        only && inventories.length === 1 ? only.resolved : resolve(inventories.map(({ inventory }) => inventory)),
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { files, resolved: undefined, why: error.message };
  }
}

const valuesIn = (resolved: Resolved | undefined): (readonly [InventoryForm, string])[] => {
  const found = new Map<string, readonly [InventoryForm, string]>();
  for (const host of resolved?.hosts.values() ?? [])
    for (const { form, text } of variablesOf(host).values()) found.set(`${form} ${text}`, [form, text]);
  return [...found.values()];
};

const caseOf = ({ files, resolved }: Ours): Case => ({
  files: files.map(([form, text], n) => [`${n}-${extension[form]}`, text]),
  values: valuesIn(resolved),
});

/** Ours in the words of `Seen`. */
function spelt(resolved: Resolved, seen: Exclude<Seen, { error: string }>) {
  const values = new Map(valuesIn(resolved).map(([form, text], at) => [`${form} ${text}`, seen.values[at] ?? ""]));
  const hosts = [...resolved.hosts].map(([name, host]) => {
    const variables = [...variablesOf(host)].map(([key, { form, text }]) => [key, values.get(`${form} ${text}`)]);
    return [name, { groups: host.groups, variables: Object.fromEntries(variables) as Record<string, string> }] as const;
  });
  return {
    hosts: Object.fromEntries(hosts),
    groups: Object.fromEntries([...resolved.groups].map(([name, { hosts: members }]) => [name, members])),
  };
}

/** Of groups three deep Ansible keeps no order (it walks a set). */
function isOrdered(resolved: Resolved, group: string): boolean {
  const children = resolved.groups.get(group)?.children ?? [];
  return children.every((child) => (resolved.groups.get(child)?.children ?? []).length === 0);
}

function agrees(ours: Ours, seen: Seen): void {
  const shown = ours.files.map(([, text]) => `${JSON.stringify(text)}\n${text}`).join("\n");
  if ("error" in seen) {
    assert.equal(ours.resolved, undefined, `Ansible refuses, we do not: ${seen.error}\n${shown}`);
    return;
  }
  // Ansible makes the group a child of "ungrouped"
  if (/is in no group and a group has its name/.test(ours.why ?? "")) return;
  assert.ok(ours.resolved, `we refuse, Ansible does not: ${ours.why ?? ""}\n${shown}`);
  const { resolved } = ours;
  const mine = spelt(resolved, seen);
  assert.deepEqual(mine.hosts, seen.hosts, shown);
  const orders = (groups: Readonly<Record<string, readonly string[]>>) =>
    Object.fromEntries(
      Object.entries(groups).map(([name, members]) => [name, isOrdered(resolved, name) ? members : members.toSorted()]),
    );
  assert.deepEqual(orders(mine.groups), orders(seen.groups), shown);
}

const who = (name: string, ...addresses: string[]) => ({ name, addresses });

/** Each inventory, what is left of it without each host, and with that host first: every one as Ansible reads it. */
function askAll(texts: readonly string[], form: InventoryForm, hosts: readonly ReturnType<typeof who>[]): string {
  const before = texts.map((text) => read([form, text]));
  const readable = texts.filter((_, at) => before[at]?.resolved);
  const edited = readable.flatMap((text) =>
    hosts.flatMap((host) => [
      ...after(text, () => editInventory(text, form, [host])),
      ...(["masters", "etcd"] as const).flatMap((group) =>
        after(text, () => editInventory(text, form, [], [{ group, host }])),
      ),
    ]),
  );
  const all = [...before, ...edited.map((text) => read([form, text]))];
  const seen = askAnsible(all.map(caseOf));
  for (const [at, ours] of all.entries()) agrees(ours, seen[at] ?? { error: "no answer" });
  assert.ok(readable.length > texts.length / 2, `only ${readable.length} of ${texts.length} can be read`);
  assert.ok(edited.length > readable.length / 2, `only ${edited.length} edits of ${readable.length} inventories`);
  return `${texts.length} inventories, ${readable.length} of them readable, ${edited.length} edits`;
}

/** The text that an edit makes, when it makes another one. */
function after(text: string, edit: () => { text: string }): string[] {
  try {
    const { text: now } = edit();
    return now === text ? [] : [now];
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

const leavers = [who("m1", "10.0.0.2"), who("m2"), who("mb.example.com", "10.0.0.3")];
const runs = { numRuns: Number(process.env["RUNS"] ?? 100), seed: Number(process.env["SEED"] ?? 20261130) };

test("generated INI inventories", { skip: withoutAnsible }, (t) =>
  t.diagnostic(askAll(fc.sample(iniInventory, runs), "ini", leavers)),
);
test("generated YAML inventories", { skip: withoutAnsible }, (t) =>
  t.diagnostic(askAll(fc.sample(yamlInventory, runs), "yaml", leavers)),
);

test("several files together", { skip: withoutAnsible }, (t) => {
  const some = { numRuns: 40, seed: runs.seed + 1 };
  const [ini, more, yaml] = [
    fc.sample(iniInventory, some),
    fc.sample(iniInventory, { ...some, seed: 7 }),
    fc.sample(yamlInventory, some),
  ];
  const all = ini.flatMap((text, at) => {
    const [first, second, third]: FormText[] = [
      ["ini", text],
      ["ini", more[at] ?? ""],
      ["yaml", yaml[at] ?? ""],
    ];
    const parts = [first, second, third].filter(
      (one): one is FormText => one !== undefined && read(one).resolved !== undefined,
    );
    return [read(...parts), read(...parts.toReversed())];
  });
  const seen = askAnsible(all.map(caseOf));
  for (const [at, ours] of all.entries()) agrees(ours, seen[at] ?? { error: "no answer" });
  t.diagnostic(`${all.length} times several files`);
});

test("with hash_behaviour = merge too an edit changes nobody else", { skip: withoutAnsible }, (t) => {
  const dicts = `[all:vars]
x={'a': 1, 'b': 1}
[OSEv3:children]
masters
nodes
[OSEv3:vars]
x={'b': 2}
[masters]
m[1:3] x="{'c': 3}"
m2 y=1
[nodes]
m[1:4] x="{'d': {'e': 4}}"
`;
  const nested =
    "all:\n  vars: {x: {a: 1}}\n  children:\n    masters:\n      hosts:\n        m[1:3]: {x: {b: 2}}\n    nodes:\n      hosts:\n        m1: {x: {c: 3}}\n        m2: {x: {d: 4}}\n";
  const some = { numRuns: 30, seed: runs.seed + 2 };
  const texts: FormText[] = [
    ["ini", dicts],
    ["yaml", nested],
    ...fc.sample(iniInventory, some).map((text): FormText => ["ini", text]),
    ...fc.sample(yamlInventory, some).map((text): FormText => ["yaml", text]),
  ];
  const edits = texts.flatMap(([form, text]) =>
    after(text, () => editInventory(text, form, [who("m1")])).map((now) => [
      [form, text] as FormText,
      [form, now] as FormText,
    ]),
  );
  const all = edits.flat().map((one): Case => ({ ...caseOf({ files: [one], resolved: undefined }), merge: true }));
  const seen = askAnsible([...all, ...all.slice(0, 4).map((one) => ({ ...one, merge: false }))]);
  const hostsOf = (at: number) => {
    const one = seen[at];
    assert.ok(one !== undefined && !("error" in one), JSON.stringify(one));
    return one.hosts;
  };
  for (const at of edits.keys()) {
    const { m1, ...rest } = hostsOf(2 * at);
    assert.ok(m1);
    assert.deepEqual(hostsOf(2 * at + 1), rest);
  }
  // it is merged at all
  for (const at of [0, 2]) assert.notDeepEqual(hostsOf(at), hostsOf(all.length + at));
  t.diagnostic(`${edits.length} edits`);
});

test("`ansible-inventory` says the same as its library", { skip: withoutAnsible }, () => {
  const path = fileURLToPath(new URL("native-ha.ini", fixtures));
  const { stdout } = spawnSync("ansible-inventory", ["-i", path, "--list", "--export"], { encoding: "utf8" });
  const { _meta, ...rest } = JSON.parse(stdout) as { _meta: { hostvars: Record<string, Record<string, unknown>> } };
  const groups = rest as Record<string, { hosts?: string[]; children?: string[] }>;
  const { resolved } = readInventory(readFileSync(path, "utf8"), "ini");
  for (const [name, { hosts, children }] of Object.entries(groups)) {
    const ours = resolved.groups.get(name);
    assert.deepEqual(hosts ?? [], ours?.children.length === 0 ? ours.hosts : [], name);
    assert.deepEqual(children ?? [], ours?.children, name);
  }
  const { openshift_node_group_name: group } = _meta.hostvars["master-1.example.com"] ?? {};
  assert.equal(group, "node-config-master");
  assert.equal(Object.keys(groups).length, 7);
});
const fixtures = new URL("../fixtures/inventory/", import.meta.url);
test("the corpus", { skip: withoutAnsible }, (t) => {
  for (const form of ["ini", "yaml"] as const) {
    const files = readdirSync(fixtures).filter((name) => inventoryForm(name) === form);
    const texts = files.map((name) => readFileSync(new URL(name, fixtures), "utf8"));
    const hosts = [
      "master-1.example.com",
      "master-0.example.com",
      "ose3-master2.test.example.com",
      "node-2.example.com",
      "m1",
    ];
    t.diagnostic(
      askAll(
        texts,
        form,
        hosts.map((name) => (name === "master-1.example.com" ? who(name, "192.168.55.12") : who(name))),
      ),
    );
  }
});
