import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { editInventory } from "../../providers/plan/inventory-edit.ts";
import { inventoryForm } from "../../providers/plan/inventory-groups.ts";
import { inventoryDiffOf } from "../../providers/plan/inventory-show.ts";
import { render } from "../../providers/plan/show.ts";
import { fileOf } from "./world.ts";

const canary = "CANARYcanary1";
const edit = (path: string, text: string, name = "m1") => ({
  before: fileOf(path, text),
  after: editInventory(text, inventoryForm(path), [{ name, addresses: [] }]).text,
});
const shown = (path: string, text: string, name?: string): string[] =>
  inventoryDiffOf(edit(path, text, name))
    .split("\n")
    .slice(2);

describe("an inventory's diff", () => {
  const ini = `[masters:vars]
ansible_user=root
x=${canary}

[masters]
m0
m1 ansible_host=10.0.0.1 ansible_ssh_pass='${canary} x' y="{'password': '${canary}', 'a': 1}" # why

[nodes]
m[0:2] openshift_token=${canary}
`;
  it("shows host lines with their group, and nothing around them", () => {
    assert.deepEqual(shown("./hosts", ini), [
      "@@ -7,1 +6,0 @@ [masters]",
      "-m1 ansible_host=10.0.0.1 ansible_ssh_pass=[masked] y=\"{'password': [masked], 'a': 1}\" # why",
      "@@ -10,1 +9,2 @@ [nodes]",
      "-m[0:2] openshift_token=[masked]",
      "+m0 openshift_token=[masked]",
      "+m2 openshift_token=[masked]",
    ]);
  });

  it("masks what stands below a secret key of YAML, wherever the hunk begins", () => {
    const text = `masters:
  hosts:
    m0:
    m[1:3]:
      ansible_host: 10.0.0.1
      ansible_become_password:
        "${canary}
         ${canary}"
      private_key: |
        ${canary}

        ${canary}
      y: z
    m4: { ansible_password: ${canary}, x: y }
  vars: { z: ${canary} }
`;
    const lines = shown("./hosts.yml", text, "m2");
    assert.ok(!lines.join("\n").includes(canary), lines.join("\n"));
    assert.ok(
      lines.some((line) => line.endsWith("masters.hosts")),
      lines.join("\n"),
    );
    assert.ok(lines.includes("+    m1:") || lines.includes("-    m[1:3]:"), lines.join("\n"));
    assert.deepEqual(shown("./hosts.yml", text, "m4"), [
      "@@ -14,1 +13,0 @@ masters.hosts",
      "-    m4: { ansible_password: [masked]",
    ]);
  });

  it("is what a plan prints, with controls escaped", () => {
    const printed = render([
      {
        do: "edit-inventory",
        host: "this machine",
        title: "t",
        local: true,
        real: "./hosts",
        surplus: [],
        edit: edit("./hosts", `${ini}# \u001b[31m\n[etcd]\nm1 # \u202e\n`),
      },
    ]);
    assert.ok(!printed.includes(canary) && !printed.includes("\u202e") && !printed.includes("ansible_user"), printed);
    assert.match(printed, /-m1 # \\u202e/);
  });
});
