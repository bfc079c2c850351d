/** `npm test`: sets everything up, then types, lint, format, and every test; the lab is shared by those that need it. `--all` adds the grids. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { buildAll } from "../lab/build.ts";
import { etcdctl32 } from "../lab/etcd32.ts";
import { down } from "../lab/lab.ts";
import { check } from "./check.ts";
import { engine } from "./engine.ts";
import { main, say, seconds, step } from "./say.ts";

const root = join(import.meta.dirname, "..");

/**
 * @param atOnce how many files at the same time; those that share the lab go one after the other
 * @param minutes that a test may take
 */
function run(what: string, patterns: readonly string[], atOnce = 1, minutes = 25): number {
  const started = Date.now();
  const found = patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).sort();
  say(`${what}: ${found.length} files`);
  const { status } = spawnSync(
    process.execPath,
    ["--test", `--test-concurrency=${atOnce}`, "--test-reporter=spec", `--test-timeout=${minutes * 60_000}`, ...found],
    { cwd: root, stdio: "inherit" },
  );
  say(`${what}: ${status === 0 ? "passed" : "FAILED"} in ${seconds(Date.now() - started)}`);
  return status ?? 1;
}

await main(async () => {
  const all = process.argv.includes("--all");
  if (all) process.env["OPENSHIFT_MASTERS_TEST_ALL"] = "1";
  const checked = await check();
  await step("setting up: the Pulumi engine", engine);
  // every file of the lab brings it to its first state; until then its hosts would only take the processors from the others
  await buildAll();
  await etcdctl32();
  try {
    const codes = [
      checked ? 0 : 1,
      run(
        "pure and local tests",
        [
          "tests/*.test.ts",
          "tests/components/*.test.ts",
          "tests/plan/*.test.ts",
          "tests/tools/*.test.ts",
          "tests/remote/*.test.ts",
        ],
        // many of them wait for deadlines
        3,
      ),
      run("tests on the lab", ["tests/lab/*.test.ts"]),
      ...(all ? [run("the grid of faults", ["tests/grid/*.test.ts"], 1, 180)] : []),
    ];
    return codes.find((code) => code !== 0) ?? 0;
  } finally {
    await down();
  }
});
