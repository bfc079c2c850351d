// `npm run check`: types, lint and format. `npm run check -- --fix` mends what can be mended.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Failed, run } from "./needs.ts";
import { main, say, seconds } from "./say.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Check {
  name: string;
  /** Under node_modules, then its arguments. */
  command: readonly [string, ...string[]];
}

/** Runs the three side by side and tells the time of each; false when one has something to say, which is printed. */
export async function check(fix = false): Promise<boolean> {
  const checks: Check[] = [
    { name: "types", command: ["typescript/bin/tsc", "--pretty", "false"] },
    { name: "lint", command: ["eslint/bin/eslint.js", "--max-warnings", "0", ...(fix ? ["--fix"] : []), "."] },
    { name: "format", command: ["prettier/bin/prettier.cjs", fix ? "--write" : "--check", "--log-level", "warn", "."] },
  ];
  const passed = await Promise.all(checks.map(passes));
  return passed.every(Boolean);
}

async function passes({ name, command: [script, ...args] }: Check): Promise<boolean> {
  const started = Date.now();
  try {
    await run(process.execPath, [join(root, "node_modules", script), ...args], { cwd: root });
    say(`${name}: clean (${seconds(Date.now() - started)})`);
    return true;
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    say(`${name}: not clean (${seconds(Date.now() - started)})\n${error.output}`);
    return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await main(async () => ((await check(process.argv.includes("--fix"))) ? 0 : 1));
