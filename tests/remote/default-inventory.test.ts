/** Which inventory Ansible takes by default: ours beside Ansible's own answer, with real files. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Surroundings, defaultInventory } from "../../providers/remote/default-inventory.ts";
import { withoutAnsible } from "./ansible.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(realpathSync(tmpdir()), "cfg-"));
  for (const name of ["home", "checkout", "system"]) mkdirSync(join(root, name), { mode: 0o755 });
});
afterEach(() => rmSync(root, { recursive: true }));

const around = (environment: Record<string, string> = {}): Surroundings => ({
  environment: Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, value.replace("@", root)])),
  folder: join(root, "checkout"),
  home: join(root, "home"),
  system: join(root, "system"),
});
function put(name: string, text: string): void {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), text);
}

interface Case {
  readonly what: string;
  /** Path below the root → text. */
  readonly files?: Readonly<Record<string, string>>;
  readonly environment?: Record<string, string>;
  readonly open?: boolean;
  readonly path: string;
  readonly through: RegExp;
}
const names = (path: string): string =>
  `[defaults]\n# comment\nforks = 5\ninventory = ${path}\n[ssh_connection]\ninventory=no\n`;
const cases: Case[] = [
  { what: "no ansible.cfg", path: "system/hosts", through: /^Ansible's default: there is no ansible\.cfg$/ },
  {
    what: "one that names none",
    files: { "home/.ansible.cfg": "[defaults]\nforks=5\n", "system/ansible.cfg": names("/x") },
    path: "system/hosts",
    through: /^Ansible's default: \S+home\/\.ansible\.cfg names none$/,
  },
  {
    what: "the checkout's, relative to it",
    files: { "checkout/ansible.cfg": names("./inv/hosts"), "home/.ansible.cfg": names("/x") },
    path: "checkout/inv/hosts",
    through: /^which \S+checkout\/ansible\.cfg names$/,
  },
  {
    what: "the checkout's is passed over where everybody may write",
    files: { "checkout/ansible.cfg": names("/x"), "home/.ansible.cfg": names("~/hosts") },
    open: true,
    path: "home/hosts",
    through:
      /^which \S+home\/\.ansible\.cfg names; \S+checkout\/ansible\.cfg is not read, since everybody may write its folder$/,
  },
  {
    what: "ANSIBLE_CONFIG of this process, a folder",
    files: { "other/ansible.cfg": names("hosts.yml"), "checkout/ansible.cfg": names("/x") },
    environment: { ANSIBLE_CONFIG: "@/other" },
    path: "other/hosts.yml",
    through: /^which \S+other\/ansible\.cfg names$/,
  },
  {
    what: "ANSIBLE_CONFIG that is not there",
    files: { "checkout/ansible.cfg": names("a") },
    environment: { ANSIBLE_CONFIG: "@/none" },
    path: "checkout/a",
    through: /checkout/,
  },
  {
    what: "ANSIBLE_INVENTORY of this process",
    files: { "checkout/ansible.cfg": names("/x") },
    environment: { ANSIBLE_INVENTORY: "@/mine" },
    path: "mine",
    through: /^which ANSIBLE_INVENTORY of pulumi's environment names$/,
  },
];

function prepare({ files = {}, open = false }: Case): void {
  for (const [name, text] of Object.entries(files)) put(name, text);
  if (open) chmodSync(join(root, "checkout"), 0o777);
}

describe("the default inventory", () => {
  for (const one of cases) {
    it(one.what, () => {
      prepare(one);
      const { path, through } = defaultInventory(around(one.environment));
      assert.equal(path, join(root, one.path));
      assert.match(through, one.through);
    });
    // its default lies below /etc, where no test writes
    if (one.path !== "system/hosts")
      it(`${one.what}: as Ansible says`, { skip: withoutAnsible }, () => {
        prepare(one);
        const { environment, folder, home } = around(one.environment);
        const dumped = execFileSync("ansible-config", ["dump"], {
          cwd: folder,
          encoding: "utf8",
          env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8", HOME: home, ...environment },
          stdio: ["ignore", "pipe", "ignore"],
        });
        assert.match(dumped, new RegExp(`^DEFAULT_HOST_LIST\\(.*\\) = \\['${join(root, one.path)}'\\]$`, "m"));
      });
  }

  const refused: [what: string, value: string, why: RegExp][] = [
    [
      "several",
      "a, b",
      /^\S+ansible\.cfg names several inventories \(a, b\), and one is edited: name a file or folder/,
    ],
    ["a list of one host", "m1,", /names a list of hosts/],
    ["a macro", "{{CWD}}/hosts", /which only Ansible can resolve/],
    ["a variable", "$HOME/hosts", /which only Ansible can resolve/],
  ];
  for (const [what, value, message] of refused)
    it(`refused: ${what}`, () => {
      put("checkout/ansible.cfg", names(value));
      assert.throws(() => defaultInventory(around()), { message });
    });
});
