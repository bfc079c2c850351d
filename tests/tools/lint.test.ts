import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ESLint } from "eslint";

const root = fileURLToPath(new URL("../..", import.meta.url));
const eslint = new ESLint({ cwd: root });

/** Typed rules need a file that the compiler knows: a text is linted in the place of an existing one. */
function existing(folder: string): string {
  const file = readdirSync(join(root, folder)).find((name) => name.endsWith(".ts"));
  assert.ok(file, `${folder} has no TypeScript file`);
  return join(root, folder, file);
}

/** What lint says of a text, each as `rule: message`. */
async function complaints(folder: string, text: string): Promise<string[]> {
  const results = await eslint.lintText(text, { filePath: existing(folder) });
  return results.flatMap(({ messages }) => messages.map(({ ruleId, message }) => `${ruleId ?? "fatal"}: ${message}`));
}

const pure: [string, string][] = [
  [`export const a = (text: string): string => text.trim();\n`, "text work"],
  [`import { parse } from "yaml";\nexport const a: unknown = parse("a: 1");\n`, "a parser"],
  [
    `import { createHash } from "node:crypto";\nexport const a = createHash("sha256").update("a").digest("hex");\n`,
    "a hash",
  ],
  [`export const a = new Date(0).toISOString();\n`, "a given time"],
];

const impure: [string, RegExp][] = [
  [`import { readFileSync } from "node:fs";\nexport const a = readFileSync("/a", "utf8");\n`, /imports: .*no file/],
  [`import * as fs from "fs";\nexport const a = fs.existsSync("/a");\n`, /imports: .*no file/],
  [`import { readFile } from "fs/promises";\nexport const a = readFile;\n`, /imports: .*no file/],
  [`import { spawnSync } from "node:child_process";\nexport const a = spawnSync;\n`, /imports: .*no file/],
  [`import { env } from "node:process";\nexport const a = env;\n`, /imports: .*environment/],
  [`import { randomUUID } from "node:crypto";\nexport const a = randomUUID();\n`, /imports: .*no chance/],
  [`import { a } from "../remote/ssh.ts";\nexport const b: unknown = a;\n`, /imports: .*effects live/],
  [`import type { A } from "../remote/ssh.ts";\nexport const b = (a: A): A => a;\n`, /imports: .*effects live/],
  [`export * from "../remote/ssh.ts";\n`, /imports: .*effects live/],
  [`import * as pulumi from "@pulumi/pulumi";\nexport const a = pulumi.getStack();\n`, /imports: .*engine/],
  [`import { Client } from "ssh2";\nexport const a = new Client();\n`, /imports: .*engine nor SSH/],
  [`export const a = import("node:fs");\n`, /syntax: .*at run time/],
  [`export const a = new Date();\n`, /syntax: .*no clock/],
  [`export const a = Date();\n`, /syntax: .*no clock/],
  [`export const a = Date.now();\n`, /syntax: .*no clock/],
  [`export const a = Math.random();\n`, /syntax: .*no chance/],
  [`export const a = process.env["HOME"];\n`, /globals: .*process/],
  [`export const a = globalThis.process;\n`, /globals: .*globalThis/],
  [`export const a = fetch("https://example.com");\n`, /globals: .*fetch/],
  [`export const a = setTimeout(() => undefined, 1);\n`, /globals: .*setTimeout/],
];

suite("providers/plan/ is pure, and lint holds it to that", () => {
  for (const [text, name] of pure)
    test(`allowed: ${name}`, async () => assert.deepEqual(await complaints("providers/plan", text), []));
  for (const [text, complaint] of impure)
    test(`refused: ${text.split("\n")[0] ?? ""}`, async () => {
      const found = await complaints("providers/plan", text);
      assert.ok(
        found.some((message) => /^no-restricted-/.test(message) && complaint.test(message)),
        found.join("\n") || "nothing was found",
      );
    });
});

test("only providers/remote/ speaks SSH", async () => {
  const text = `import { Client } from "ssh2";\nexport const a = new Client();\n`;
  const rule = /^no-restricted-imports: .*only providers\/remote\/ speaks SSH/;
  assert.ok((await complaints("tools", text)).some((message) => rule.test(message)));
  assert.deepEqual(await complaints("providers/remote", text), []);
});

test("typed rules are at work on every TypeScript file", async () => {
  const text = `export function a(): void {\n  Promise.resolve();\n}\n`;
  for (const folder of ["providers/plan", "tools", "tests/tools"])
    assert.match((await complaints(folder, text)).join("\n"), /no-floating-promises/);
});
