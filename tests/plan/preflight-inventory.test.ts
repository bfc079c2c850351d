/** What Preflight tells of an inventory in which only Ansible itself could find a host. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge } from "../../providers/plan/preflight.ts";
import { planInventory } from "../../providers/plan/plans.ts";
import { addressOf, fileOf, inventoryText, master, mastersOf, removal } from "./world.ts";

const { world, change } = removal(4, [3]);
const told = (text: string, before: Readonly<Record<string, string>> | undefined = mastersOf(4)) =>
  judge({ ...world, inventory: fileOf("/h", text) }, change, before).notes.filter((one) => /template/.test(one));

describe("an ansible_host that is a template", () => {
  const alias = `${inventoryText(3)}[new_masters]\nm3\n`;

  it("does not hide a host that is there by its name: its lines go", () => {
    const text = `${inventoryText(4)}[x]\nmaster-3.example.com ansible_host="{{ lookup('dig', inventory_hostname) }}"\n`;
    assert.deepEqual(told(text), []);
    const [step] = planInventory({ ...world, inventory: fileOf("/h", text) }, change);
    assert.equal(step?.do === "edit-inventory" && step.edit.after, `${inventoryText(3)}[x]\n`);
  });

  it("is told where only it could lead to the host, of a line and of a group, without its value", () => {
    for (const text of [
      `${alias}[x]\nm3 ansible_host="{{ canary }}"\n`,
      `${alias}[x]\nm3\n[x:vars]\nansible_host={{ canary }}\n`,
    ]) {
      const [note, ...none] = told(text);
      assert.match(
        note ?? "",
        /^this machine: the inventory has master-3\.example\.com by no name or address, and the ansible_host of m3 is a template \(\{\{ … \}\}\)/,
      );
      assert.deepEqual(none, []);
      assert.doesNotMatch(note ?? "", /canary/);
      assert.deepEqual(planInventory({ ...world, inventory: fileOf("/h", text) }, change), []);
    }
  });

  it("is not told of a host that has left already, nor where the address is plain", () => {
    const text = `${alias}[x]\nm3 ansible_host="{{ canary }}"\n`;
    assert.deepEqual(told(text, mastersOf(3)), []);
    assert.deepEqual(told(`${alias}[x]\nm3 ansible_host=${addressOf(3)}\n`), []);
    assert.deepEqual(told(alias), []);
    assert.equal(master(3) in change.leaving, true);
  });
});
