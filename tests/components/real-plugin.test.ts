/**
 * The real engine and the real plugin of @pulumi/command, on a stack and a state of their own; no lab. It runs where the plugin is installed.
 * It has never run where it was written: the plugin cannot be had there.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { commandPlugin } from "../../providers/remote/command-plugin.ts";
import { engine } from "../../tools/engine.ts";

const root = join(import.meta.dirname, "../..");
const token = "hunter2-the-token";
const program = `
import { Provider } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { CommandPool } from ${JSON.stringify(join(root, "components/command-pool.ts"))};
const config = new pulumi.Config();
const args = {
  kind: "command",
  set: "sh ./set.sh",
  verify: "sh ./verify.sh",
  environment: { TOKEN: config.require("token") },
  servers: config.requireObject("servers"),
};
export const { pools } = new CommandPool("f5", args, { provider: new Provider("command") });
`;
const files = {
  "Pulumi.yaml":
    "name: real\nmain: index.ts\nruntime: { name: nodejs, options: { typescript: false } }\noptions: { refresh: always }\n",
  "package.json": '{ "type": "module" }\n',
  "index.ts": program,
  // both print the token: what a careless script does
  "set.sh": 'echo "set $OPENSHIFT_MASTERS_POOL" >>did\necho "printed by set: $TOKEN"\n',
  "verify.sh": 'echo "verify ${#TOKEN}" >>did\necho "printed by verify: $TOKEN"\ntest ! -e broken\n',
};

test(
  "set and verify run when the pool changes, again after a failure, and never at the end; no secret comes to light",
  {
    skip:
      commandPlugin(process.env) === undefined &&
      "pulumi's plugin command is not installed here; docs/load-balancers.md says how",
  },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "real-plugin-"));
    const at = (name: string): string => join(folder, name);
    const { env } = await engine();
    const pulumi = (...words: readonly string[]): Promise<{ code: number | null; output: string }> => {
      const child = spawn("pulumi", words, {
        cwd: folder,
        env: {
          ...process.env,
          ...env,
          PULUMI_BACKEND_URL: `file://${at("state")}`,
          PULUMI_CONFIG_PASSPHRASE: "test",
        },
        stdio: ["ignore", "pipe", "pipe"],
        timeout: 300_000,
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (part: string) => (output += part));
      return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
    };
    const fine = async (...words: readonly string[]): Promise<string> => {
      const { code, output } = await pulumi(...words);
      assert.equal(code, 0, output);
      return output;
    };
    const up = ["up", "--yes", "--skip-preview", "--non-interactive"] as const;
    const did = (): string[] => (existsSync(at("did")) ? readFileSync(at("did"), "utf8").trim().split("\n") : []);
    const pool = (servers: Record<string, string>) => `set ${JSON.stringify({ loadBalancer: "f5", servers })}`;
    const verified = `verify ${token.length}`;
    const four = pool({ a: "10.0.0.1:8443", b: "10.0.0.2:8443" });
    const three = pool({ a: "10.0.0.1:8443" });

    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(at("state"));
    symlinkSync(join(root, "node_modules"), at("node_modules"));
    for (const [name, text] of Object.entries(files)) writeFileSync(at(name), text);
    await fine("stack", "init", "real");
    await fine("config", "set", "--secret", "token", token);
    await fine("config", "set", "--path", "servers.a", "10.0.0.1:8443");
    await fine("config", "set", "--path", "servers.b", "10.0.0.2:8443");

    const previewed = await fine("preview", "--diff", "--non-interactive");
    assert.match(previewed, /10\.0\.0\.2:8443/);
    assert.deepEqual(did(), []);

    const first = await fine(...up);
    assert.deepEqual(did(), [four, verified]);
    await fine(...up);
    assert.deepEqual(did().length, 2);

    await fine("config", "rm", "--path", "servers.b");
    writeFileSync(at("broken"), "");
    const failed = await pulumi(...up);
    assert.notEqual(failed.code, 0);
    assert.match(failed.output, /f5: verify failed; exit status 1/);
    assert.deepEqual(did().slice(2), [three, verified]);
    rmSync(at("broken"));
    await fine(...up);
    assert.deepEqual(did().slice(4), [three, verified]);

    const state = await fine("stack", "export");
    for (const text of [previewed, first, failed.output, state]) assert.ok(!text.includes(token), text);
    for (const text of [first, state]) assert.ok(!text.includes("printed by"), text);

    await fine("destroy", "--yes", "--skip-preview", "--non-interactive");
    assert.equal(did().length, 6);
  },
);
