// `node tools/run.mjs <script.ts> [args…]`: what every package.json script starts with. Runs on Node 20 with nothing
// installed: brings node_modules up to date, then runs the script on the Node that came with it.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { locked } from "./lock.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "node_modules", ".bin");
const marker = join(root, "node_modules", ".openshift-masters-lock");
const wanted = [22, 18];

class Missing extends Error {}

try {
  if (!isAtLeast(process.versions.node, [20, 0]))
    throw new Missing(`Node ${process.versions.node} is too old: install Node 20 or newer and run this again.`);
  const [script, ...args] = process.argv.slice(2);
  if (script === undefined) throw new Missing("Nothing to run: node tools/run.mjs <script.ts> [arguments…]");
  if (!isCurrent())
    await locked(lockFolder(), install, () => say("another run is installing the npm packages; waiting"));
  pass(script, args);
} catch (error) {
  console.error(error instanceof Missing ? error.message : error);
  process.exitCode = 1;
}

function isCurrent() {
  return existsSync(marker) && readFileSync(marker, "utf8") === lockHash() && existsSync(join(bin, "node"));
}

function lockHash() {
  return createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
}

/** Outside node_modules, which `npm ci` empties, and outside the checkout, which stays clean. */
function lockFolder() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const checkout = createHash("sha256").update(root).digest("hex").slice(0, 12);
  return join(cache, "openshift-masters", "locks", `npm-${checkout}`);
}

async function install() {
  if (isCurrent()) return; // the run that was waited for has done it
  say("installing the npm packages");
  rmSync(marker, { force: true }); // first, so that an interrupted install is never taken for a whole one
  const started = Date.now();
  const npm = await output("npm", ["ci", "--no-fund", "--no-audit"]);
  if (npm.failed?.code === "ENOENT")
    throw new Missing(
      "npm is not installed: install it (it comes with Node; on Debian: apt-get install npm) and run this again.",
    );
  if (npm.code !== 0)
    throw new Missing(`${npm.text}\nnpm ci failed (exit ${npm.code}) in ${root}; its words are above.`);
  const node = await output(join(bin, "node"), ["--version"]);
  if (node.code !== 0 || !isAtLeast(node.text.trim().replace(/^v/, ""), wanted))
    throw new Missing(
      `node_modules/.bin/node is ${node.text.trim() || "missing"}, and ${wanted.join(".")} is needed: npm did not run the install ` +
        "script of the package `node`; run `npm rebuild node --ignore-scripts=false` and then this again.",
    );
  writeFileSync(marker, lockHash());
  say(`npm packages installed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** npm's warnings about the user's own settings say nothing about this project: its output is shown on failure only. */
function output(command, args) {
  return new Promise((resolve) => {
    let text = "";
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
    child.on("error", (failed) => resolve({ failed, code: null, text: "" }));
    child.on("close", (code) => resolve({ code, text }));
  });
}

function pass(script, args) {
  // type stripping is stable enough for us, and its warning on every line of a session is not for administrators
  const child = spawn(join(bin, "node"), ["--disable-warning=ExperimentalWarning", script, ...args], {
    stdio: "inherit",
    env: { ...process.env, PATH: bin + delimiter + (process.env.PATH ?? "") },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
    process.on(signal, () => {
      // Ctrl-C reaches every process of the terminal: passed on as well it would be a second one, which tells pulumi
      // to stop at once instead of after the step it is in
      const fromTerminal = signal !== "SIGTERM" && (process.stdin.isTTY || process.stderr.isTTY);
      if (!fromTerminal) child.kill(signal);
    });
  child.on("error", (error) => {
    console.error(`${join(bin, "node")} cannot be started: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}

function isAtLeast(version, [major, minor]) {
  const [a = 0, b = 0] = version.split(".").map(Number);
  return a > major || (a === major && b >= minor);
}

function say(text) {
  console.error(`[${Math.round(process.uptime()).toString().padStart(3)} s] ${text}`);
}
