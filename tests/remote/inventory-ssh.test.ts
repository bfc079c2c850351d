/** A folder of inventories on an administrator's host, over a real sshd: found, edited, asked of Ansible, moved aside and put back there, and nothing of it here. */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { ansibleInventory } from "../../providers/ansible-inventory.ts";
import { type InventoryFacts, filesOf, inventoryFacts, inventoryProbe } from "../../providers/plan/inventory-facts.ts";
import { judge } from "../../providers/plan/preflight.ts";
import { missingFrom } from "../../providers/plan/plans/inventory-return.ts";
import { wordsOf } from "../../providers/plan/sweep-words.ts";
import type { Change, Step } from "../../providers/plan/steps.ts";
import type { Context } from "../../providers/remote/apply/context.ts";
import { editInventory, moveHostVars } from "../../providers/remote/apply/edit.ts";
import { askHost } from "../../providers/remote/ask-host.ts";
import { askOn } from "../../providers/remote/inventory-ansible.ts";
import { readFormer } from "../../providers/remote/inventory-former.ts";
import { askWorkTree } from "../../providers/remote/inventory-git.ts";
import { Connections, type RemoteHost } from "../../providers/remote/ssh.ts";
import { mastersOf, removal } from "../plan/world.ts";
import { withoutAnsible } from "./ansible.ts";
import { startSshd, type Sshd } from "./sshd.ts";

const admin = { name: "admin.example.com", address: "127.0.0.1" };
let sshd: Sshd;
let connections: Connections;
let host: RemoteHost;
/** What the configuration names: a link to the folder, with an awkward name. */
let path: string;
let folder: string;
before(async () => {
  sshd = await startSshd();
  connections = new Connections(sshd.settings());
  host = connections.host(admin);
});
after(async () => {
  await connections.close();
  await sshd.stop();
});

const isRoot = process.getuid?.() === 0;
const put = (name: string, text: string, mode = 0o644): string => {
  const at = join(folder, name);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, text);
  chmodSync(at, mode);
  return at;
};
const get = (name: string): string => readFileSync(join(folder, name), "utf8");

const masters = (count: number) => `[masters]\n# in room 1\nmaster-[0:${count - 1}].example.com x="a b" # all\n`;
const etcd = (names: readonly number[]) =>
  `all:\n  children:\n    etcd:\n      hosts:\n${names.map((n) => `        master-${n}.example.com: { etcd_ip: 10.0.0.${n} } # ${n}\n`).join("")}`;
beforeEach(() => {
  const base = mkdtempSync(join(realpathSync(sshd.folder), "it's an $inventory "));
  folder = join(base, "real");
  put("01-masters", masters(4), 0o640);
  put("02-etcd.yml", etcd([0, 1, 2, 3]), 0o600);
  put("sub/nodes", "[nodes]\nmaster-3.example.com\nnode-0.example.com\n");
  put("zz-groups", "[OSEv3:children]\nmasters\netcd\nnodes\n");
  put("host_vars/master-3.example.com/main.yml", "password: canary\n", 0o600);
  put("host_vars/master-0.example.com.yml", "x: 1\n");
  put("group_vars/OSEv3.yml", "a: 1\nurl: https://192.168.55.21:8443 # canary\n");
  if (isRoot) chownSync(join(folder, "01-masters"), 1, 2);
  path = join(base, "-inventory");
  symlinkSync("real", path);
});

const { world, change: removing } = removal(4, [3]);
/** Of `change`, with this inventory. */
const there = (change: Change, over: object = {}): Change => ({
  ...change,
  settings: {
    ...change.settings,
    backup: { ...change.settings.backup, keep: 2 },
    inventory: { ...change.settings.inventory, path, host: admin.name, address: admin.address, ...over },
  },
});

/** As the session looks. */
async function seen(change: Change): Promise<InventoryFacts> {
  const words = wordsOf("master-3.example.com", "192.168.55.21").whole;
  const asked = { what: "reading the inventory", deadline: 60, limit: 2 ** 26 };
  const facts = await askHost(host, inventoryProbe(path, words), asked, (stdout) => inventoryFacts(stdout, path));
  assert.ok(!("unreachable" in facts), JSON.stringify(facts));
  return missingFrom(facts, change).length > 0 ? readFormer(host, facts) : facts;
}
const worldOf = async (change: Change) => ({ ...world, inventory: await seen(change) });
const plan = async (change: Change): Promise<Step[]> => ansibleInventory.plan(await worldOf(change), change);

async function carryOut(steps: readonly Step[], change: Change, run: string): Promise<void> {
  const session = { run, host: (name: string, address: string) => connections.host({ name, address }) };
  const context = { session, change } as unknown as Context;
  for (const step of steps)
    if (step.do === "edit-inventory") await editInventory(context, step);
    else if (step.do === "move-host-vars") await moveHostVars(context, step);
    else assert.fail(step.do);
}
const kinds = (steps: readonly Step[]) => steps.map((step) => [step.do, step.host]);
const run = (n: number): string => `10101${n}-abcdef`;

describe("a folder of inventories on another host", () => {
  it("is read there, through its link, with what lies beside it and without values", async () => {
    const facts = await seen(there(removing));
    assert.deepEqual(
      filesOf(facts).map((file) => [file.path, file.real]),
      ["01-masters", "02-etcd.yml", "sub/nodes", "zz-groups"].map((name) => [join(path, name), join(folder, name)]),
    );
    assert.deepEqual(
      facts.hostVars,
      ["master-0.example.com.yml", "master-3.example.com"].map((name) => join(path, "host_vars", name)),
    );
    assert.deepEqual(facts.named, [{ path: join(path, "group_vars/OSEv3.yml"), lines: [2] }]);
    assert.doesNotMatch(JSON.stringify([facts.hostVars, facts.named]), /canary/);
    const { notes } = judge({ ...world, inventory: facts }, there(removing), mastersOf(4));
    assert.match(
      notes.join("\n"),
      /^admin\.example\.com: .*group_vars\/OSEv3\.yml names a host that leaves \(line 2\)/m,
    );
    // git is asked on this machine only
    assert.deepEqual(await askWorkTree({ ...world, inventory: facts }, there(removing)), {});
  });

  it("each file is edited, with its owner and mode; copies are bounded; the link stays; twice is once", async () => {
    const change = there(removing);
    const before = statSync(join(folder, "01-masters"));
    for (let n = 0; n < 4; n += 1) {
      put("01-masters", masters(4), 0o640);
      if (isRoot) chownSync(join(folder, "01-masters"), 1, 2);
      put("02-etcd.yml", etcd([0, 1, 2, 3]), 0o600);
      put("sub/nodes", "[nodes]\nmaster-3.example.com\nnode-0.example.com\n");
      const steps = await plan(change);
      assert.deepEqual(kinds(steps), Array(3).fill(["edit-inventory", admin.name]));
      await carryOut(steps, change, run(n));
      assert.deepEqual(await plan(change), []);
    }
    assert.deepEqual(
      [get("01-masters"), get("02-etcd.yml"), get("sub/nodes")],
      [masters(3), etcd([0, 1, 2]), "[nodes]\nnode-0.example.com\n"],
    );
    const now = statSync(join(folder, "01-masters"));
    assert.deepEqual([now.mode, now.uid, now.gid], [before.mode, before.uid, before.gid]);
    assert.equal(statSync(join(folder, "02-etcd.yml")).mode & 0o777, 0o600);
    for (const [at, name] of [
      ["", "01-masters"],
      ["", "02-etcd.yml"],
      ["sub", "nodes"],
    ] as const)
      // prettier-ignore
      assert.deepEqual(
        readdirSync(join(folder, at)).filter((one) => one.startsWith(`${name}.before-`)).toSorted(), // prettier-ignore
        [2, 3].map((n) => `${name}.before-${run(n)}.orig`),
      );
    assert.equal(realpathSync(path), folder);
  });

  it("a file that changed meanwhile is not written", async () => {
    const change = there(removing);
    const steps = await plan(change);
    put("01-masters", `${masters(4)}# mine\n`);
    await assert.rejects(carryOut(steps, change, run(1)), /admin\.example\.com.*changed since it was read/s);
    assert.equal(get("01-masters"), `${masters(4)}# mine\n`);
  });

  it("variables of the host are moved aside there", async () => {
    const change = there(removing, { moveHostVars: true });
    const steps = await plan(change);
    assert.deepEqual(kinds(steps)[0], ["move-host-vars", admin.name]);
    for (let n = 0; n < 2; n += 1) await carryOut(steps.slice(0, 1), change, run(1));
    const aside = join(folder, "host_vars", `retired-${run(1)}`);
    assert.deepEqual(readdirSync(join(folder, "host_vars")), ["master-0.example.com.yml", `retired-${run(1)}`]);
    assert.equal(readFileSync(join(aside, "master-3.example.com/main.yml"), "utf8"), "password: canary\n");
    assert.equal(statSync(aside).mode & 0o777, 0o700);
    assert.ok(existsSync(join(folder, "group_vars/OSEv3.yml")));
  });

  it("Ansible is asked there, of a removal and of a return", { skip: withoutAnsible }, async () => {
    const change = there(removing);
    assert.deepEqual((await askOn(host, await worldOf(change), change)).ansible, { agrees: true });
    await carryOut(await plan(change), change, run(1));
    const stays: Change = { ...change, survivors: mastersOf(4), leaving: {} };
    assert.deepEqual((await askOn(host, await worldOf(stays), stays)).ansible, {
      agrees: true,
      back: ["master-3.example.com"],
    });
  });

  it("a lost master comes back into every file, each byte of them, from the copies there", async () => {
    const change = there(removing);
    await carryOut(await plan(change), change, run(1));
    const stays: Change = { ...change, survivors: mastersOf(4), leaving: {} };
    const steps = await plan(stays);
    assert.deepEqual(kinds(steps), Array(3).fill(["edit-inventory", admin.name]));
    await carryOut(steps, stays, run(2));
    assert.deepEqual(
      [get("01-masters"), get("02-etcd.yml"), get("sub/nodes")],
      [masters(4), etcd([0, 1, 2, 3]), "[nodes]\nmaster-3.example.com\nnode-0.example.com\n"],
    );
    assert.deepEqual(await plan(stays), []);
  });
});
