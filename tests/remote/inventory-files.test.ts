/** Inventories as they lie on a machine: found, read, replaced, and the copies that are kept, with real files. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileFrom } from "../../providers/plan/facts.ts";
import {
  type InventoryFacts,
  filesOf,
  formerProbe,
  inventoryFacts,
  inventoryProbe,
  withFormer,
} from "../../providers/plan/inventory-facts.ts";
import { judge } from "../../providers/plan/preflight.ts";
import { sh } from "../../providers/plan/quote.ts";
import { planInventory } from "../../providers/plan/plans.ts";
import { wordsOf } from "../../providers/plan/sweep-words.ts";
import type { Step } from "../../providers/plan/steps.ts";
import { editInventory, moveHostVars } from "../../providers/remote/apply/edit.ts";
import type { Context } from "../../providers/remote/apply/context.ts";
import { askOn } from "../../providers/remote/inventory-ansible.ts";
import { type ScriptRunner, thisMachine } from "../../providers/remote/this-machine.ts";
import { inventoryText, removal } from "../plan/world.ts";
import { withoutAnsible } from "./ansible.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(realpathSync(tmpdir()), "it's an $inventory "));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, text: string, mode = 0o644): string => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};
async function look(path = folder, words = "") {
  const { stdout } = await thisMachine.run(inventoryProbe(path, words), {
    what: "looking",
    deadline: 60,
    limit: 2 ** 26,
  });
  return inventoryFacts(stdout, path);
}
async function seen(path = folder, words = ""): Promise<InventoryFacts> {
  const facts = await look(path, words);
  assert.ok(!("unreachable" in facts), JSON.stringify(facts));
  return facts;
}
const namesOf = (paths: readonly string[]): string[] => paths.map((path) => path.slice(folder.length + 1));

describe("an inventory is found", () => {
  it("a file, by its name, with where it really is and the copies of it", async () => {
    const real = put("real", "[masters]\nm1\n");
    put("real.before-101010-abcdef", "");
    put("real.before-by-me", "");
    put("real.before-101010-abcdef.orig.~1~", "");
    symlinkSync("nowhere", join(folder, "real.before-101011-abcdef"));
    symlinkSync("real", join(folder, "hosts.yml"));
    const facts = await seen(join(folder, "hosts.yml"));
    assert.deepEqual([facts.path, facts.real, facts.text], [join(folder, "hosts.yml"), real, "[masters]\nm1\n"]);
    assert.deepEqual(facts.kept?.toSorted(), ["real.before-101010-abcdef", "real.before-101010-abcdef.orig.~1~"]);
    assert.equal(facts.folder, undefined);
  });

  it("a folder, as Ansible itself reads it", { skip: withoutAnsible }, async () => {
    const read = ["01-a", "B.yml", "a", "sub/deeper/z", "sub/x.json", "ü b"];
    const left = [
      ".hidden", "a.cfg", "a.ini", "a.orig", "a.retry", "a~", "a.bak", "a.txt", "a.md", "a.pyc", "a.swp", "a.rst", "a.rpm",
      "host_vars/x", "group_vars/all", "vars_plugins/x", "sub/.git/x", "a.before-101010-abcdef.orig",
    ]; // prettier-ignore
    for (const [at, name] of [...read, ...left].entries()) {
      const isYaml = /\.(yml|json)$/.test(name);
      const isVars = /_vars\//.test(name);
      put(name, isVars ? "{}" : isYaml ? `{ "all": { "hosts": { "h${at}": {} } } }` : `h${at}\n`);
    }
    const facts = await seen();
    assert.deepEqual(namesOf(filesOf(facts).map(({ path }) => path)), read);
    assert.equal(facts.folder, folder);
    assert.deepEqual(
      namesOf(facts.notRead ?? []),
      left.filter((name) => /^a[.~]/.test(name) && !name.includes("before")).toSorted(),
    );
    const listed = execFileSync("ansible-inventory", ["-i", folder, "--list"], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    const { _meta } = JSON.parse(listed) as { _meta: { hostvars: object }; all: { children: string[] } };
    const all = execFileSync("ansible", ["-i", folder, "all", "--list-hosts"], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    assert.deepEqual(
      [...all.matchAll(/^ +(h\d+)$/gm)].map(([, name]) => name).toSorted(),
      read.map((_, at) => `h${at}`),
      JSON.stringify(_meta),
    );
  });

  const refused: [what: string, make: () => string, why: RegExp][] = [
    ["nothing there", () => join(folder, "none"), /none is not there$/],
    ["an empty folder", () => folder, /has no file that Ansible would read; name a file$/],
    ["only files that are not read", () => dirname(put("hosts.ini", "")), /\(not read: .*hosts\.ini\); name a file$/],
    ["a script", () => put("hosts", "#!/bin/sh\necho {}\n", 0o755), /hosts is a script .* not run/],
    [
      "a script in a folder",
      () => dirname(put("hosts", "#!/bin/sh\necho {}\n", 0o755)),
      /hosts is a script .* not run/,
    ],
    ["a plugin's YAML", () => put("x.aws_ec2.yml", "---\nplugin: aws_ec2\n"), /configuration of an inventory plugin/],
    ["a large file", () => put("hosts", "#".repeat(4 * 2 ** 20 + 1)), /hosts is larger than 4 MiB/],
    [
      "files that are large together",
      () => {
        for (let n = 0; n < 5; n += 1) put(`hosts${n}`, "#".repeat(3.9 * 2 ** 20));
        return folder;
      },
      /or its folder than 16 MiB/,
    ],
    [
      "too many files",
      () => {
        for (let n = 0; n <= 100; n += 1) put(`hosts${n}`, "");
        return folder;
      },
      /more than 100 files/,
    ],
    [
      "a file and a link to it",
      () => {
        symlinkSync(put("a", "h\n"), join(folder, "b"));
        return folder;
      },
      /b is .*a once more/,
    ],
    [
      "a dangling link",
      () => {
        put("a", "h\n");
        symlinkSync("nowhere", join(folder, "b"));
        return folder;
      },
      /b is not there/,
    ],
  ];
  for (const [what, make, why] of refused)
    it(`refused: ${what}`, async () => {
      const facts = await look(make());
      assert.ok("unreachable" in facts, JSON.stringify(Object.keys(facts)));
      assert.match(facts.unreachable, why);
    });

  it("a file that is executable and no script, and a script that is not executable, are texts", async () => {
    put("a", "h1\n", 0o755);
    put("b", "#!/bin/sh\n", 0o644);
    assert.equal(filesOf(await seen()).length, 2);
  });
});

describe("an inventory is edited", () => {
  const { world, change } = removal(4, [3]);
  const keeping = (keep: number) => ({
    ...change,
    settings: { ...change.settings, backup: { ...change.settings.backup, keep } },
  });
  async function carryOut(path: string, keep: number, run: string): Promise<Step[]> {
    const steps = planInventory({ ...world, inventory: await seen(path) }, keeping(keep));
    const context = { session: { run }, change: keeping(keep) } as unknown as Context;
    for (const step of steps) {
      assert.ok(step.do === "edit-inventory");
      await editInventory(context, step);
    }
    return steps;
  }
  const run = (n: number): string => `10101${n}-abcdef`;

  it("with its mode, through its link, and with a bounded number of copies", async () => {
    const real = put("real", inventoryText(4), 0o640);
    symlinkSync("real", join(folder, "hosts"));
    const others = ["real.before-mine", "real.before-101010-abcdef.txt", "reala.before-101010-abcdef.orig"];
    for (const name of others) put(name, "mine");
    utimesSync(real, 1000, 1000);
    for (let n = 0; n < 5; n += 1) {
      put("real", inventoryText(4), 0o640);
      await carryOut(join(folder, "hosts"), 3, run(n));
      assert.equal(readFileSync(real, "utf8"), inventoryText(3));
    }
    assert.equal(statSync(real).mode & 0o777, 0o640);
    assert.ok(existsSync(join(folder, "hosts")));
    const copies = readdirSync(folder).filter((name) => /^real\.before-.*\.orig$/.test(name));
    assert.deepEqual(
      copies.toSorted(),
      [2, 3, 4].map((n) => `real.before-${run(n)}.orig`),
    );
    for (const name of copies) {
      assert.equal(readFileSync(join(folder, name), "utf8"), inventoryText(4));
      assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    }
    for (const name of others) assert.ok(existsSync(join(folder, name)), name);
  });

  it("nothing is removed when the file has changed since it was read", async () => {
    const path = put("hosts", inventoryText(4));
    for (const n of [1, 2, 3]) put(`hosts.before-${run(n)}`, "");
    const [step] = planInventory({ ...world, inventory: await seen(path) }, keeping(1));
    assert.ok(step?.do === "edit-inventory");
    assert.equal(step.surplus.length, 3);
    writeFileSync(path, `${inventoryText(4)}# mine\n`);
    const context = { session: { run: run(4) }, change } as unknown as Context;
    await assert.rejects(editInventory(context, step), /changed since it was read/);
    assert.equal(readdirSync(folder).length, 4);
  });

  it("each file of a folder, and what is kept is no inventory", { skip: withoutAnsible }, async () => {
    put("01", "[masters]\nmaster-[0:3].example.com\n");
    put("02.yml", "etcd:\n  hosts:\n    master-3.example.com: # leader\n    master-0.example.com:\n");
    assert.equal((await carryOut(folder, 7, run(1))).length, 2);
    assert.equal(readFileSync(join(folder, "01"), "utf8"), "[masters]\nmaster-[0:2].example.com\n");
    assert.deepEqual(readdirSync(folder).toSorted(), [
      "01",
      `01.before-${run(1)}.orig`,
      "02.yml",
      `02.yml.before-${run(1)}.orig`,
    ]);
    const listed = execFileSync("ansible-inventory", ["-i", folder, "--list"], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    assert.ok(!listed.includes("master-3"), listed);
    assert.deepEqual(await carryOut(folder, 7, run(2)), []);
  });
});

describe("variables beside an inventory", () => {
  const { world, change } = removal(4, [3]);
  const words = wordsOf("master-3.example.com", "192.168.55.21").whole;
  const inventory = { ...change.settings.inventory, moveHostVars: true };
  const asked = { ...change, settings: { ...change.settings, inventory } };

  it("are found beside a file and in a folder, without their values", async () => {
    const path = put("hosts", "master-3.example.com\n");
    const own = put("host_vars/master-3.example.com/main.yml", "password: canary\nname: master-3.example.com\n");
    put("host_vars/m1.yml", "# master-33.example.com\n");
    put("host_vars/retired-101010-abcdef/master-3.example.com", "at: 192.168.55.21\n");
    const group = put("group_vars/OSEv3/a b.yml", "x: 1\nurl: https://192.168.55.21:2379 # canary\n");
    for (const place of [path, folder]) {
      const facts = await seen(place, words);
      assert.deepEqual(facts.named, [
        { path: group, lines: [2] },
        { path: own, lines: [2] },
      ]);
      const names = ["m1.yml", "master-3.example.com", "retired-101010-abcdef"];
      assert.deepEqual(
        facts.hostVars,
        names.map((name) => join(folder, "host_vars", name)),
      );
      assert.ok(!JSON.stringify(facts).includes("canary"));
    }
    assert.deepEqual((await seen(path)).named, []);
  });

  it("are moved aside, where Ansible takes them for nobody's; twice is once", { skip: withoutAnsible }, async () => {
    const path = put("hosts", "master-3.example.com\nm1\nalias ansible_host=192.168.55.21\n");
    put("host_vars/master-3.example.com/main.yml", "canary: 1\n");
    put("host_vars/alias.yml", "canary: 2\n", 0o600);
    put("host_vars/m1", "other: 3\n");
    const steps = planInventory({ ...world, inventory: await seen(path, words) }, asked);
    const [step] = steps;
    assert.ok(step?.do === "move-host-vars");
    const context = { session: { run: "101010-abcdef" }, change: asked } as unknown as Context;
    for (let n = 0; n < 2; n += 1) await moveHostVars(context, step);
    const at = join(folder, "host_vars");
    assert.deepEqual(readdirSync(at).toSorted(), ["m1", "retired-101010-abcdef"]);
    assert.deepEqual(readdirSync(join(at, "retired-101010-abcdef")).toSorted(), ["alias.yml", "master-3.example.com"]);
    assert.equal(statSync(join(at, "retired-101010-abcdef")).mode & 0o777, 0o700);
    const listed = execFileSync("ansible-inventory", ["-i", path, "--list"], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    assert.ok(!listed.includes("canary") && listed.includes('"other": 3'), listed);
    // another one of the same name is not overwritten
    put("host_vars/alias.yml", "canary: 4\n");
    await assert.rejects(moveHostVars(context, step), /is there already/);
    assert.equal(readFileSync(join(at, "alias.yml"), "utf8"), "canary: 4\n");
    assert.deepEqual(
      planInventory({ ...world, inventory: await seen(path, words) }, asked).map((one) => one.do),
      ["move-host-vars", "edit-inventory"],
    );
  });
});

describe("ansible-inventory is asked what an edit does", () => {
  const { world, change } = removal(4, [3]);
  const asked = async (path: string, machine: ScriptRunner = thisMachine) =>
    (await askOn(machine, { ...world, inventory: await seen(path) }, change)).ansible;
  /** This machine with another ansible-inventory. */
  const withProgram = (text: string): ScriptRunner => {
    const bin = dirname(put("bin/ansible-inventory", `#!/bin/sh\n${text}\n`, 0o755));
    return { name: "here", run: (script, o) => thisMachine.run(`${sh`PATH=${bin}:"$PATH"`}\n${script}`, o) };
  };

  it("and agrees, of a file and of a folder with every form", { skip: withoutAnsible }, async () => {
    assert.deepEqual(await asked(put("hosts", inventoryText(4))), { agrees: true });
    const texts = {
      "d/01 masters":
        "[masters]\nmaster-[0:3].example.com openshift_x='{\"a\": 1}'\n[new_nodes]\n[lb]\nmaster-3.example.com\n",
      "d/02.yml": "etcd:\n  hosts:\n    master-3.example.com: { a: 1 }\n    master-0.example.com: { b: [1, 2] }\n",
      "d/sub/03": "[OSEv3:children]\nmasters\netcd\n[OSEv3:vars]\nx=Grüße\n",
    };
    for (const [name, text] of Object.entries(texts)) put(name, text, 0o755);
    assert.deepEqual(await asked(join(folder, "d")), { agrees: true });
    assert.deepEqual(readdirSync(join(folder, "d")).toSorted(), ["01 masters", "02.yml", "sub"]);
  });

  it("and is not asked where there is nothing to edit", async () => {
    const path = put("hosts", inventoryText(3));
    assert.equal(await asked(path), undefined);
  });

  const answers: [what: string, program: string, says: object][] = [
    ["cannot read it", "exit 5", { unasked: "it cannot read the inventory as it is (exit 5)" }],
    ["says no JSON", "echo canary", { unasked: "it cannot read the inventory as it is (its answer is no JSON)" }],
    [
      "cannot read it any more",
      "case $* in *after*) exit 4 ;; esac; echo '{}'",
      { difference: "it could not read the inventory any more (exit 4)" },
    ],
    [
      "still has the host",
      `echo '{"masters": {"hosts": ["master-3.example.com"]}}'`,
      { difference: "master-3.example.com would still be in the group masters" },
    ],
    [
      "loses another host",
      `case $* in *after*) echo '{}' ;; *) echo '{"masters": {"hosts": ["m1"]}}' ;; esac`,
      { difference: "m1 would leave the group masters" },
    ],
    [
      "has another value",
      `case $* in *after*) v=1 ;; *) v=canary ;; esac; printf '{"_meta": {"hostvars": {"m1": {"k": "%s"}}}}' $v`,
      { difference: "m1 would have another value of k" },
    ],
  ];
  for (const [what, program, says] of answers)
    it(`and ${what}`, async () => {
      const path = put("hosts", inventoryText(4));
      assert.deepEqual(await asked(path, withProgram(program)), says);
    });

  it("a difference is a refusal, of Preflight too; what was not asked is a note", async () => {
    const inventory = await seen(put("hosts", inventoryText(4)));
    const no = { ...world, inventory, ansible: { difference: "m1 would leave the group masters" } };
    assert.throws(() => planInventory(no, change), /ansible-inventory does not agree with the edit: m1 would leave/);
    assert.equal(judge(no, change, change.survivors).refusals.filter((one) => /does not agree/.test(one)).length, 1);
    const { refusals, notes } = judge({ ...no, ansible: { unasked: "it is not there" } }, change, change.survivors);
    assert.deepEqual([refusals, notes.filter((one) => /ansible-inventory was not asked/.test(one)).length], [[], 1]);
  });

  describe("of a master that comes back", () => {
    const stays = { ...change, survivors: { ...change.survivors, ...change.leaving }, leaving: {} };
    const former = (path: string, text: string) => fileFrom(`${path}.before-101010-abcdef.orig`, Buffer.from(text));
    const back = async (path: string, text: string, machine: ScriptRunner = thisMachine) => {
      const inventory = { ...(await seen(path)), former: [former(path, text)] };
      return (await askOn(machine, { ...world, inventory }, stays)).ansible;
    };
    const yaml = (lines: readonly string[]) =>
      `masters:\n  hosts:\n${lines.map((line) => `    ${line}\n`).join("")}etcd:\n  hosts:\n    master-3.example.com:\n`;
    const masters = [0, 1, 2, 3].map((n) => `master-${n}.example.com: { x: ${n} }`);

    it("and agrees, of INI and of YAML", { skip: withoutAnsible }, async () => {
      const agreed = { agrees: true, back: ["master-3.example.com"] };
      assert.deepEqual(await back(put("hosts", inventoryText(3)), inventoryText(4)), agreed);
      assert.deepEqual(await back(put("hosts.yml", yaml(masters.slice(0, 3))), yaml(masters)), agreed);
    });

    const differences: [what: string, program: string, says: string][] = [
      [
        "it would not come",
        `echo '{"etcd": {"hosts": ["master-3.example.com"]}}'`,
        "master-3.example.com would not be there",
      ],
      [
        "it would leave another group",
        `case $* in *after*) echo '{"a": {"hosts": ["master-3.example.com"]}, "c": {"hosts": ["master-3.example.com"]}}' ;; *) echo '{"b": {"hosts": ["master-3.example.com"]}}' ;; esac`,
        "master-3.example.com would leave the group b",
      ],
      [
        "another would come with it",
        `case $* in *after*) echo '{"a": {"hosts": ["m9", "master-3.example.com"]}}' ;; *) echo '{}' ;; esac`,
        "m9 would join the group a",
      ],
    ];
    for (const [what, program, difference] of differences)
      it(`and says that ${what}`, async () => {
        const says = await back(put("hosts", inventoryText(3)), inventoryText(4), withProgram(program));
        assert.deepEqual(says, { difference, back: ["master-3.example.com"] });
      });
  });

  it("where it is not installed", async () => {
    const path = put("hosts", inventoryText(4));
    const bin = mkdirSync(join(folder, "none"), { recursive: true }) ?? "";
    for (const name of ["head", "base64", "rm", "mkdir", "mktemp", "timeout"])
      symlinkSync(`/usr/bin/${name}`, join(bin, name));
    const bare: ScriptRunner = {
      name: "here",
      run: (script, o) => thisMachine.run(`${sh`PATH=${bin}`}\n${script}`, o),
    };
    assert.deepEqual(await asked(path, bare), { unasked: "it is not installed there" });
  });
});

describe("kept copies are read", () => {
  it("the newest three of each file, for a master that is missing", async () => {
    put("01", "[masters]\n");
    put("02", "[etcd]\n");
    for (const n of [1, 2, 3, 4]) {
      put(`01.before-10101${n}-abcdef.orig`, `[masters]\nm${n}\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const facts = await seen();
    const { stdout } = await thisMachine.run(formerProbe(facts), { what: "reading", deadline: 30 });
    const [first, second] = filesOf(withFormer(facts, stdout));
    assert.deepEqual(
      first?.former?.map(({ text }) => text),
      ["m4", "m3", "m2"].map((name) => `[masters]\n${name}\n`),
    );
    assert.deepEqual([first.path, second?.former], [join(folder, "01"), []]);
  });
});
