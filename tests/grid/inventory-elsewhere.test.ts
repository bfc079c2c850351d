/** A folder of inventories, INI and YAML, on an administrator's host: adopted, and a lost master put back by the run that takes a fresh set of backups. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { cast, qualified } from "../../lab/cluster.ts";
import { reset } from "../../lab/lab.ts";
import { files } from "../../lab/stack.ts";
import { TestStack, on } from "../lab/stack.ts";

const admin = "node-0";
const folder = "/srv/it's an inventory";
/** In Ansible's order: the INI names the group that the YAML declares. */
const [yaml, ini] = [`${folder}/01-etcd.yml`, `${folder}/02-hosts`] as const;
const masters = [0, 1, 2].map((n) => qualified(`master-${n}`));
const etcdText = `all:
  children:
    etcd:
      hosts:
        # the members
${masters.map((name, n) => `        ${name}: { etcd_note: "a # ${n}" } # ${n}\n`).join("")}`;
let stack: TestStack;
let iniText: string;

/** In single quotes, for the shell there. */
const word = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
async function there(script: string): Promise<string> {
  const { code, output } = await on(admin, script);
  assert.equal(code, 0, output);
  return output;
}
const put = (path: string, text: string) => there(`printf %s ${word(text)} > ${word(path)}`);
const get = (path: string) => there(`cat ${word(path)}`);

before(async () => {
  await reset({ masters: 3, grace: 5 });
  stack = await TestStack.create("inventory", 3);
  iniText = readFileSync(files.inventory, "utf8").replace(/\[etcd\]\n.*\n/, "");
  await there(`mkdir -p ${word(folder)}`);
  await put(ini, iniText);
  await put(yaml, etcdText);
  await there(`chmod 640 ${word(ini)}`);
  const inventory = `{ host: ${qualified(admin)}, address: ${cast(3)[admin] ?? ""}, path: "${folder}" }`;
  stack.edit((text) => text.replace(/openshift-masters:inventory: .*/, `openshift-masters:inventory: ${inventory}`));
  const adopted = await stack.up();
  assert.equal(adopted.code, 0, adopted.output.slice(-4000));
  const { inventory: seen } = (await stack.outputs()) as { inventory: Record<string, string[]> };
  assert.deepEqual([seen["masters"], seen["etcd"]], [masters, masters]);
});

test("a master that somebody lost comes back into both files, by the run with another stamp; nothing else of them changes", async () => {
  const without = (text: string): string => text.replaceAll(/^ *master-1\.example\.com.*\n/gm, "");
  // as an earlier run keeps it
  for (const [path, text] of [
    [ini, iniText],
    [yaml, etcdText],
  ] as const)
    // prettier-ignore
    await put(`${path}.before-101010-abcdef.orig`, text);
  await put(ini, without(iniText));
  await put(yaml, without(etcdText));

  const told = await stack.refresh();
  assert.match(told.output, /drift: .*02-hosts: put master-1\.example\.com back, which works and is declared/);
  stack.edit((text) => text.replace('stamp: "lab"', 'stamp: "lab-2"'));
  const shown = await stack.preview();
  assert.equal(shown.code, 0, shown.output.slice(-4000));
  assert.match(shown.output, /\+ +master-1\.example\.com: \{ etcd_note: "a # 1" \} # 1/);
  assert.equal(await get(yaml), without(etcdText));

  const ran = await stack.up();
  assert.equal(ran.code, 0, ran.output.slice(-4000));
  assert.deepEqual([await get(ini), await get(yaml)], [iniText, etcdText]);
  assert.equal(await there(`stat -c %a ${word(ini)}`), "640\n");
  assert.match(await there(`ls ${word(folder)}`), /01-etcd\.yml\.before-\d{6}-[0-9a-f]{6}\.orig\n/);
  const after = await stack.refresh();
  assert.doesNotMatch(after.output, /drift: .*(01-etcd|02-hosts)/);
});
