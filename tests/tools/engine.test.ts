import assert from "node:assert/strict";
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, suite, test } from "node:test";
import { findEngine } from "../../tools/engine.ts";
import { Failed, Missing } from "../../tools/needs.ts";

let folder = "";
let cacheBefore: string | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "engine-test-"));
  cacheBefore = process.env["XDG_CACHE_HOME"];
  process.env["XDG_CACHE_HOME"] = join(folder, "cache");
});
afterEach(() => {
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
  rmSync(folder, { recursive: true });
});

/** A folder of scripts, each printing what it is given. */
function programs(name: string, printed: Record<string, string>): string {
  const bin = join(folder, name);
  mkdirSync(bin, { recursive: true });
  for (const [program, text] of Object.entries(printed))
    writeFileSync(join(bin, program), `#!/bin/sh\necho '${text}'\n`, { mode: 0o755 });
  return bin;
}

const whole = (version: string) => ({ pulumi: version, "pulumi-language-nodejs": "" });
const never = (): Promise<string> => Promise.reject(new Error("must not be asked"));
const noNetwork = (): Promise<string> => Promise.reject(new Failed("no network"));
const elsewhere = { download: () => Promise.resolve("/downloaded"), build: never };

suite("pulumi on PATH", () => {
  test("is used when its version will do and the language host is beside it", async () => {
    const bin = programs("bin", whole("v3.231.0"));
    const engine = await findEngine({ path: `/nowhere${delimiter}${bin}`, download: never, build: never });
    assert.deepEqual([engine.origin, engine.version, engine.bin], ["path", "3.231.0", bin]);
  });

  test("may have its language host elsewhere on PATH", async () => {
    const cli = programs("cli", { pulumi: "v3.231.0" });
    const host = programs("host", { "pulumi-language-nodejs": "" });
    const engine = await findEngine({ path: [host, cli].join(delimiter), download: never, build: never });
    assert.equal(engine.bin, [cli, host].join(delimiter));
  });

  for (const version of ["v3.199.9", "v2.25.0", "v4.0.0", "v4.0.0-alpha.1", "", "garbage"])
    test(`is passed over when it prints ${JSON.stringify(version)} as its version`, async () => {
      const path = programs("bin", whole(version));
      assert.equal((await findEngine({ path, ...elsewhere })).origin, "download");
    });

  test("is passed over when the language host is missing", async () => {
    const path = programs("bin", { pulumi: "v3.231.0" });
    assert.equal((await findEngine({ path, ...elsewhere })).origin, "download");
  });
});

suite("without one on PATH", () => {
  test("what an earlier run built is used and nothing is downloaded", async () => {
    const bin = programs("cache/openshift-masters/pulumi-3.255.0", whole("v3.255.0"));
    const engine = await findEngine({ path: "/nowhere", download: never, build: never });
    assert.deepEqual([engine.origin, engine.bin, engine.version], ["build", bin, "3.255.0"]);
  });

  test("a build that lacks a program is no engine", async () => {
    programs("cache/openshift-masters/pulumi-3.255.0", { "pulumi-language-nodejs": "" });
    assert.equal((await findEngine({ path: "/nowhere", ...elsewhere })).bin, "/downloaded");
  });

  test("it is built when the download fails", async () => {
    const engine = await findEngine({ path: "/nowhere", download: noNetwork, build: () => Promise.resolve("/built") });
    assert.deepEqual([engine.origin, engine.bin], ["build", "/built"]);
  });

  test("a machine that can neither download nor build is told so", async () => {
    const build = () => Promise.reject(new Missing("Go is not installed."));
    await assert.rejects(findEngine({ path: "/nowhere", download: noNetwork, build }), {
      name: "Missing",
      message: /on PATH, the download failed, and it cannot be built\. Go is not installed\./,
    });
  });

  test("a defect in the download is not mistaken for a missing network", async () => {
    await assert.rejects(findEngine({ path: "/nowhere", download: never, build: never }), /must not be asked/);
  });
});

suite("environment", () => {
  test("puts the engine first, then the Node of this project, then what was there", async () => {
    const bin = programs("bin", whole("v3.231.0"));
    const { env } = await findEngine({ path: bin, download: never, build: never });
    const [first, second, third, ...rest] = (env["PATH"] ?? "").split(delimiter);
    assert.equal(first, bin);
    assert.ok(existsSync(join(second ?? "", "node")), second);
    assert.ok(existsSync(join(third ?? "", "pulumi-resource-pulumi-nodejs")), third);
    assert.deepEqual(rest, [bin]);
    assert.deepEqual(Object.keys(env).sort(), ["PATH", "PULUMI_SKIP_UPDATE_CHECK"]);
  });

  test("needs no dynamic provider on PATH for what was built: it is put beside it", async () => {
    const bin = programs("cache/openshift-masters/pulumi-3.255.0", whole("v3.255.0"));
    const { env } = await findEngine({ path: "/nowhere", download: never, build: never });
    assert.equal((env["PATH"] ?? "").split(delimiter).length, 3);
    accessSync(join(bin, "pulumi-resource-pulumi-nodejs"), constants.X_OK);
  });

  test("leaves the dynamic provider to an official release, which brings its own", async () => {
    const bin = programs("bin", { ...whole("v3.231.0"), "pulumi-resource-pulumi-nodejs": "" });
    const { env } = await findEngine({ path: bin, download: never, build: never });
    assert.equal((env["PATH"] ?? "").split(delimiter).length, 3);
  });
});
