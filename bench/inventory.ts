/**
 * `npm run bench:inventory`: an inventory of 5,000 hosts edited, proved, and read by Ansible itself: its library's parsing alone, and `ansible-inventory --list` as a
 * whole. Prints milliseconds, the best of several runs; under 100 ms is wanted for the edit of INI; of YAML the parser alone takes more.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { editInventory } from "../providers/plan/inventory-edit.ts";
import { dropHost } from "../providers/plan/inventory.ts";
import { largeInventory, largeYamlInventory } from "../tests/plan/inventory-large.ts";
import { askAnsible, withoutAnsible } from "../tests/remote/ansible.ts";
import { main, say } from "../tools/say.ts";

const wanted = 100;

function best(runs: number, work: () => unknown): number {
  const times = Array.from({ length: runs }, () => {
    const started = performance.now();
    work();
    return performance.now() - started;
  });
  return Math.min(...times);
}

function measure(): number {
  const { text, gone } = largeInventory(5000);
  const host = { name: "master-1.example.com", addresses: ["10.255.0.1"] };
  const first = best(1, () => dropHost(text, host, "ini"));
  const edit = best(20, () => dropHost(text, host, "ini"));
  const proof = best(20, () => editInventory(text, "ini", [host]));
  const told = (what: string, ms: number): void => say(`${what.padEnd(58)} ${ms.toFixed(0).padStart(6)} ms`);
  say(`5,000 hosts, ${text.split("\n").length - 1} lines, ${gone.length} of them go`);
  told("edited, the first time in a process", first);
  told("edited", edit);
  told("edited and proved by our resolver", proof);
  const yaml = largeYamlInventory(5000);
  told(
    "as YAML: its parser alone, as lean as it can be",
    best(5, () => parseDocument(yaml, { logLevel: "silent", prettyErrors: false, strict: false, uniqueKeys: false })),
  );
  told(
    "as YAML: edited",
    best(5, () => dropHost(yaml, host, "yaml")),
  );
  told(
    "as YAML: edited and proved, which parses it once more",
    best(5, () => editInventory(yaml, "yaml", [host])),
  );
  const folder = mkdtempSync(join(tmpdir(), "bench-inventory-"));
  try {
    const path = join(folder, "hosts.ini");
    writeFileSync(path, text);
    if (withoutAnsible === false) {
      const one = best(1, () => askAnsible([{ files: [["hosts.ini", "[all]\n"]] }]));
      told(
        "Ansible's library: parsed, without starting Python",
        best(3, () => askAnsible([{ files: [["hosts.ini", text]] }])) - one,
      );
      told(
        "ansible-inventory --list",
        best(3, () => spawnSync("ansible-inventory", ["-i", path, "--list"], { maxBuffer: 2 ** 30 })),
      );
    } else say(withoutAnsible);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return edit < wanted ? 0 : 1;
}

await main(() => Promise.resolve(measure()));
