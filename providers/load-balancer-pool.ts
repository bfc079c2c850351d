/**
 * The masters in the pools of one haproxy (vendor's 5.2.1.3, steps 1 and 2).
 * update drains where it can, drops the server lines of those that leave and puts lost ones of the others back, checks with `haproxy -c`, reloads, proves the
 * others UP and the API through it, or puts everything back; delete forgets. It never leaves a pool without a server.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Inputs, Kind } from "./kind.ts";
import { isReachable } from "./plan/facts.ts";
import { type Sketch, serversIn } from "./plan/haproxy.ts";
import { backendOf, homeless, planBalancer, rememberedLines } from "./plan/plans.ts";

export interface LoadBalancerPoolArgs {
  /** Host name → `address:port` of its API. */
  readonly servers: Readonly<Record<string, string>>;
  /** Name of the load balancer. */
  readonly loadBalancer: string;
  /** Its configuration file. */
  readonly config: string;
  /** Its systemd unit. */
  readonly service: string;
}

export class LoadBalancerPool extends ChainResource {
  declare readonly pools: pulumi.Output<Record<string, Record<string, string>>>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: LoadBalancerPoolArgs, options: pulumi.CustomResourceOptions) {
    super("LoadBalancerPool", name, args, ["pools"], options);
  }
}

const nameOf = (inputs: Inputs): string => String(inputs["loadBalancer"]);
const linesOf = (inputs: Inputs): Sketch => (inputs["lines"] ?? {}) as Sketch;

export const loadBalancerPool = {
  type: "LoadBalancerPool",
  list: "servers",
  also: ["loadBalancer", "config", "service"],
  plan: (world, change, inputs) => planBalancer(nameOf(inputs), linesOf(inputs))(world, change),
  carry: (world, change, news, olds) => ({ lines: rememberedLines(world, change, nameOf(news), linesOf(olds)) }),
  sketches: (inputs) => ({ [nameOf(inputs)]: linesOf(inputs) }),
  notes: (world, change, outputs) => homeless(world, change, nameOf(outputs), linesOf(outputs)),
  facts: (world, _change, inputs) => {
    const facts = world.balancers[nameOf(inputs)];
    if (!isReachable(facts) || facts.files.length === 0) return {};
    const pools: Record<string, Record<string, string>> = {};
    for (const one of serversIn(facts.files)) (pools[backendOf(one.section)] ??= {})[one.server] = one.address;
    return { pools };
  },
} satisfies Kind;
