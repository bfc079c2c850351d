/**
 * Which resources the chain declares, with which inputs, in which order: on Pulumi's mocks, for the plugin of @pulumi/command cannot be had here
 * and the other resources want hosts. The mocks hide `dependsOn`, so it is read from the requests themselves, and seen at work besides: a mock
 * resource takes its time, and nothing that depends on it may be asked for meanwhile.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import * as pulumi from "@pulumi/pulumi";
import { getMonitor } from "@pulumi/pulumi/runtime/settings.js";
import { ControlPlane } from "../../components/control-plane.ts";
import { poolCommand } from "../../providers/plan/pool-command.ts";
import { type Settings, readSettings } from "../../providers/plan/settings.ts";
import { configuration, mastersOf } from "../plan/world.ts";

const token = "hunter2-the-token";
const f5 = { kind: "command", set: "./f5.sh set", verify: "./f5.sh verify", environment: { F5_TOKEN: token } };
const aws = { kind: "command", set: "./aws.sh set", verify: "./aws.sh verify" };
const pool = {
  "master-0.example.com": "192.168.55.8:8443",
  "master-1.example.com": "192.168.55.12:8443",
  "master-2.example.com": "192.168.55.13:8443",
  "master-3.example.com": "192.168.55.21:8443",
};

/** A resource as it was registered. */
interface Registered {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
  /** URN and id of the provider it was given. */
  readonly provider: string;
  readonly dependencies: string[];
  readonly secretOutputs: string[];
  readonly deadline: string | undefined;
  /** Custom resources that were still being made when this one was asked for. */
  readonly meanwhile: string[];
}

interface Request {
  getType(): string;
  getName(): string;
  getCustom(): boolean;
  getProvider(): string;
  getDependenciesList(): string[];
  getAdditionalsecretoutputsList(): string[];
  getCustomtimeouts(): { getCreate(): string; getUpdate(): string } | undefined;
  getObject(): { toJavaScript(): Record<string, unknown> };
}
type Answer = (error: unknown, response: unknown) => void;

/** Declares a whole chain; what it exports, and every custom resource in the order of the requests. */
async function declared(loadBalancers: unknown): Promise<{ made: Registered[]; plane: ControlPlane }> {
  const settings: Settings = readSettings({ ...configuration(mastersOf(4)), loadBalancers });
  const made: Registered[] = [];
  const making = new Set<string>();
  await pulumi.runtime.setMocks({
    call: () => ({}),
    newResource: async ({ type, name, inputs }) => {
      making.add(name);
      await new Promise((resolve) => setTimeout(resolve, 5));
      making.delete(name);
      return {
        id: `${name}-id`,
        state: type.startsWith("pulumi-nodejs") ? { record: retiredBy(name) } : (inputs as object),
      };
    },
  });
  const monitor = getMonitor() as unknown as { registerResource(request: Request, answer: Answer): unknown };
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, answer) => {
    if (request.getCustom())
      made.push({
        type: request.getType(),
        name: request.getName(),
        inputs: request.getObject().toJavaScript(),
        provider: request.getProvider(),
        dependencies: request.getDependenciesList().map((urn) => urn.split("::").at(-1) ?? ""),
        secretOutputs: request.getAdditionalsecretoutputsList(),
        deadline: [request.getCustomtimeouts()?.getCreate(), request.getCustomtimeouts()?.getUpdate()].join(),
        meanwhile: [...making],
      });
    return register(request, answer);
  };
  const plane = new ControlPlane("control-plane", settings);
  await valueOf(plane.retired);
  return { made, plane };
}

/** What a resource of the chain remembers of a host that left. */
const retiredBy = (name: string) => ({ gone: { at: "2026-11-23", steps: [{ step: name }] } });
const valueOf = <T>(output: pulumi.Output<T>): Promise<T> => (output as unknown as { promise(): Promise<T> }).promise();

/** Pulumi's mark of a secret on the wire. */
const secretMark = "4dabf18193072939515e22adb298388d";
const isSecret = (value: unknown): value is { value: unknown } =>
  typeof value === "object" && value !== null && secretMark in value;

const chain = ["preflight", "backup", "snapshot", "certificate-authority"];
const rest = ["drain", "static-pods", "etcd", "master-config", "flannel", "endpoints", "nodes", "inventory", "report"];

describe("a stack with load balancers of kind: command", () => {
  let made: Registered[];
  let plane: ControlPlane;
  const the = (name: string): Registered => {
    const one = made.find((resource) => resource.name === name);
    assert.ok(one, `no resource ${name} among ${made.map(({ name }) => name).join(", ")}`);
    return one;
  };
  const environmentOf = (name: string) => the(name).inputs["environment"] as Record<string, unknown>;

  before(async () => {
    ({ made, plane } = await declared({ f5, "lb-0.example.com": { address: "192.168.55.5" }, aws }));
  });

  it("the provider first, then the chain, the load balancers where they are declared", () =>
    assert.deepEqual(
      made.map(({ name }) => name),
      ["command", ...chain, "f5", "lb-0.example.com", "aws", ...rest],
    ));

  it("each depends on the one before, and is asked for when that one is done", () => {
    for (const [i, { name, dependencies, meanwhile }] of made.entries()) {
      assert.deepEqual(dependencies, i === 0 ? [] : [made[i - 1]?.name], name);
      assert.deepEqual(meanwhile, [], name);
    }
  });

  it("is a local.Command of the plugin's provider", () => {
    for (const name of ["f5", "aws"]) {
      assert.equal(the(name).type, "command:local:Command");
      assert.match(the(name).provider, /pulumi:providers:command::command::command-id$/);
    }
    assert.equal(the("command").type, "pulumi:providers:command");
  });

  it("create and update are the same, there is no delete and nothing that replaces", () => {
    const { create, update, ...others } = the("f5").inputs;
    assert.equal(create, poolCommand("f5", f5));
    assert.equal(update, create);
    assert.equal(the("f5").deadline, "30m,30m");
    assert.deepEqual(Object.keys(others).toSorted(), ["addPreviousOutputInEnv", "environment", "logging"]);
  });

  it("what it prints goes neither to the console, nor to the next run, nor in clear to the state", () => {
    const { inputs, secretOutputs } = the("f5");
    assert.equal(inputs["logging"], "none");
    assert.equal(inputs["addPreviousOutputInEnv"], false);
    assert.deepEqual(secretOutputs.toSorted(), ["stderr", "stdout"]);
  });

  it("the whole pool is told in clear, the administrator's values are secrets", () => {
    const { F5_TOKEN, OPENSHIFT_MASTERS_POOL, ...others } = environmentOf("f5");
    assert.ok(isSecret(F5_TOKEN), "F5_TOKEN is no secret");
    assert.equal(F5_TOKEN.value, token);
    assert.deepEqual(JSON.parse(String(OPENSHIFT_MASTERS_POOL)), { loadBalancer: "f5", servers: pool });
    assert.deepEqual(others, { OPENSHIFT_MASTERS_LOAD_BALANCER: "f5" });
    assert.deepEqual(Object.keys(environmentOf("aws")).toSorted(), [
      "OPENSHIFT_MASTERS_LOAD_BALANCER",
      "OPENSHIFT_MASTERS_POOL",
    ]);
  });

  it("a haproxy beside it gets the same servers, and nobody else the token", () => {
    assert.deepEqual(the("lb-0.example.com").inputs["servers"], pool);
    for (const { name, inputs } of made)
      if (name !== "f5") assert.doesNotMatch(JSON.stringify(inputs), new RegExp(token), name);
  });

  it("the outputs show its pool; it remembers no steps of a retired host, and the others still do", async () => {
    const shown = await valueOf(plane.loadBalancers);
    assert.deepEqual(shown["f5"], { pool });
    assert.deepEqual(shown["aws"], { pool });
    const { gone } = await valueOf(plane.retired);
    assert.deepEqual(
      gone?.steps.map((step) => (step as { step: string }).step),
      [...chain, "lb-0.example.com", ...rest],
    );
  });
});

it("a stack without one needs no plugin: no Command, no provider", async () => {
  const { made } = await declared({ "lb-0.example.com": { address: "192.168.55.5" } });
  assert.deepEqual(
    made.map(({ name }) => name),
    [...chain, "lb-0.example.com", ...rest],
  );
  assert.deepEqual(
    made.filter(({ type }) => !type.startsWith("pulumi-nodejs:dynamic/openshift:")),
    [],
  );
});
