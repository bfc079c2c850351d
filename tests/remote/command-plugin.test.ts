/** The plugin of @pulumi/command, looked for in folders made here: the plugin itself cannot be had where this was written. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { commandPlugin, missingCommandPlugin } from "../../providers/remote/command-plugin.ts";

const folder = mkdtempSync(join(tmpdir(), "command-plugin-"));
after(() => rmSync(folder, { recursive: true }));

const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
  dependencies: Record<string, string>;
};
const version = dependencies["@pulumi/command"] ?? "";

/** A file named like the plugin in a new folder. */
function program(parts: readonly string[], mode = 0o755): string {
  const place = join(folder, ...parts);
  mkdirSync(place, { recursive: true });
  const file = join(place, "pulumi-resource-command");
  writeFileSync(file, "#!/bin/sh\n");
  chmodSync(file, mode);
  return file;
}
const home = (name: string): string => join(folder, name);
const f5 = { kind: "command" as const, set: "s", verify: "v", environment: { F5_TOKEN: "hunter2" } };
const haproxy = {
  kind: "haproxy" as const,
  address: "10.0.0.9",
  config: "/c",
  service: "haproxy",
  drain: 60,
  restart: false,
};

describe("where it is found", () => {
  it("among the engine's plugins, in exactly the version of the SDK", () => {
    const file = program(["right", "plugins", `resource-command-v${version}`]);
    assert.equal(commandPlugin({ PULUMI_HOME: home("right"), PATH: "/nowhere" }), file);
    program(["other", "plugins", "resource-command-v1.0.0"]);
    assert.equal(commandPlugin({ PULUMI_HOME: home("other"), PATH: "/nowhere" }), undefined);
  });
  it("on PATH, before that; not when the engine is told to ignore PATH", () => {
    const file = program(["bin"]);
    const PATH = `/nowhere::${home("bin")}`;
    assert.equal(commandPlugin({ PATH, PULUMI_HOME: home("right") }), file);
    for (const yes of ["1", "true", "TRUE"])
      assert.equal(commandPlugin({ PATH, PULUMI_HOME: home("none"), PULUMI_IGNORE_AMBIENT_PLUGINS: yes }), undefined);
    assert.equal(commandPlugin({ PATH, PULUMI_HOME: home("none"), PULUMI_IGNORE_AMBIENT_PLUGINS: "0" }), file);
  });
  it("what is no program is not it", () => {
    program(["plain", "plugins", `resource-command-v${version}`], 0o644);
    assert.equal(commandPlugin({ PULUMI_HOME: home("plain") }), undefined);
    mkdirSync(join(folder, "odd/plugins", `resource-command-v${version}`, "pulumi-resource-command"), {
      recursive: true,
    });
    assert.equal(commandPlugin({ PULUMI_HOME: home("odd") }), undefined);
  });
});

describe("what is told where it is missing", () => {
  const absent = { PULUMI_HOME: home("none"), PATH: "/nowhere" };

  it("who needs it, where it was looked for, how to get it with internet and without", () => {
    const missing = missingCommandPlugin({ loadBalancers: { f5, lb: haproxy, aws: f5 } }, absent);
    assert.equal(missing?.hopeless, false);
    for (const part of [
      "openshift-masters:loadBalancers.f5 and openshift-masters:loadBalancers.aws (kind: command)",
      `plugin "command" ${version}`,
      `${home("none")}/plugins/resource-command-v${version} nor on PATH`,
      `\`npm run pulumi -- plugin install resource command ${version}\``,
      `plugin install resource command ${version} --file `,
      `pulumi-resource-command-v${version}-linux-`,
    ])
      assert.ok(missing.told.includes(part), `${part}\nis not in\n${missing.told}`);
    assert.doesNotMatch(missing.told, /hunter2|loadBalancers\.lb\b/);
  });
  it("hopeless only where the engine may not fetch it", () => {
    const asked = (value: string) =>
      missingCommandPlugin({ loadBalancers: { f5 } }, { ...absent, PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: value })
        ?.hopeless;
    assert.deepEqual(["1", "true", "", "0", "false"].map(asked), [true, true, false, false, false]);
  });
  it("nothing, where it is there or nobody needs it", () => {
    program(["there", "plugins", `resource-command-v${version}`]);
    assert.equal(missingCommandPlugin({ loadBalancers: { f5 } }, { ...absent, PULUMI_HOME: home("there") }), undefined);
    assert.equal(missingCommandPlugin({ loadBalancers: { lb: haproxy } }, absent), undefined);
    assert.equal(missingCommandPlugin({ loadBalancers: {} }, absent), undefined);
  });
});
