/**
 * The masters in the pools of one haproxy (vendor's 5.2.1.3, steps 1 and 2).
 * update drains where it can, drops the server lines, checks with `haproxy -c`, reloads, proves the others UP and the API through it, or
 * puts the old file back; delete forgets. It never leaves a pool without a server.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./lifecycle.ts";
import { isReachable } from "./plan/facts.ts";
import { serversOf } from "./plan/haproxy.ts";
import { backendOf, planBalancer } from "./plan/plans.ts";

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

export const loadBalancerPool = {
  type: "LoadBalancerPool",
  list: "servers",
  also: ["loadBalancer", "config", "service"],
  plan: (world, change, inputs) => planBalancer(String(inputs["loadBalancer"]))(world, change),
  facts: (world, _change, inputs) => {
    const facts = world.balancers[String(inputs["loadBalancer"])];
    if (!isReachable(facts) || facts.config === undefined) return {};
    const pools: Record<string, Record<string, string>> = {};
    for (const one of serversOf(facts.config.text)) (pools[backendOf(one.section)] ??= {})[one.server] = one.address;
    return { pools };
  },
} satisfies Kind;
