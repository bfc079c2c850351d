/** `index.ts` where the plugin of @pulumi/command is missing: on Pulumi's mocks, with a home of the engine that holds nothing. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, it, mock } from "node:test";
import * as pulumi from "@pulumi/pulumi";
import { configuration, mastersOf } from "../plan/world.ts";

const home = mkdtempSync(join(tmpdir(), "program-"));
const environment = { PULUMI_HOME: home, PULUMI_IGNORE_AMBIENT_PLUGINS: "1" };
const switchOff = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION";
const saved = { ...process.env };
const registered: string[] = [];
const warned = mock.fn<(text: string) => Promise<void>>(() => Promise.resolve());

before(() => {
  Object.assign(process.env, environment);
  mock.method(pulumi.log, "warn", warned);
});
beforeEach(async () => {
  registered.length = 0;
  warned.mock.resetCalls();
  await pulumi.runtime.setMocks(
    {
      call: () => ({}),
      newResource: ({ name }) => {
        registered.push(name);
        return { id: name, state: {} };
      },
    },
    "openshift-masters",
  );
});
after(() => {
  for (const key of [...Object.keys(environment), switchOff]) {
    if (saved[key] === undefined) Reflect.deleteProperty(process.env, key);
    else process.env[key] = saved[key];
  }
  rmSync(home, { recursive: true });
});

let runs = 0;
/** The program from its first line, with these load balancers. */
async function program(loadBalancers: object): Promise<void> {
  const config = Object.entries({ ...configuration(mastersOf(4)), loadBalancers });
  pulumi.runtime.setAllConfig(
    Object.fromEntries(config.map(([key, value]) => [`openshift-masters:${key}`, JSON.stringify(value)])),
  );
  const { retired } = (await import(`../../index.ts?run=${++runs}`)) as { retired: pulumi.Output<unknown> };
  await (retired as unknown as { promise(): Promise<unknown> }).promise();
}
const f5 = { kind: "command", set: "./f5.sh set", verify: "./f5.sh verify", environment: { F5_TOKEN: "hunter2" } };

it("the engine may not fetch it: refused before anything is registered", async () => {
  process.env[switchOff] = "1";
  await assert.rejects(program({ f5 }), (error: unknown) => {
    assert.ok(pulumi.RunError.isInstance(error), String(error));
    assert.match(
      error.message,
      /^openshift-masters:loadBalancers\.f5 \(kind: command\) needs pulumi's plugin "command"/,
    );
    assert.match(error.message, /plugin install resource command .*Nothing was touched\.$/);
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  });
  assert.deepEqual(registered, []);
});

it("the engine may fetch it: a warning says how to get it, and the engine meets the provider before anything else", async () => {
  process.env[switchOff] = "0";
  await program({ f5 });
  assert.match(warned.mock.calls[0]?.arguments[0] ?? "", /plugin install resource command .*nothing is touched\.$/);
  assert.deepEqual(registered.slice(0, 3), ["control-plane", "command", "preflight"]);
});

it("a stack that does not need it: nothing is said", async () => {
  process.env[switchOff] = "1";
  await program({ "lb-0.example.com": { address: "192.168.55.5" } });
  assert.equal(warned.mock.callCount(), 0);
  assert.ok(registered.includes("lb-0.example.com"));
});
