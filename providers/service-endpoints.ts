/**
 * The addresses of the `kubernetes` service (vendor's 5.2.1.3, step 6). Changes nothing: waits, bounded, until they are those of the masters
 * that stay.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { isReachable } from "./plan/facts.ts";
import { planEndpoints } from "./plan/plans.ts";

export interface ServiceEndpointsArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
}

export class ServiceEndpoints extends ChainResource {
  declare readonly endpoints: pulumi.Output<{ https: string[]; dns: string[] }>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: ServiceEndpointsArgs, options: pulumi.CustomResourceOptions) {
    super("ServiceEndpoints", name, args, ["endpoints"], options);
  }
}

export const serviceEndpoints = {
  type: "ServiceEndpoints",
  list: "masters",
  plan: planEndpoints,
  facts: (world) => {
    if (!isReachable(world.cluster) || world.cluster.unknown.length > 0) return {};
    const { addresses, ports } = world.cluster.endpoints;
    const at = (port: string) =>
      ports[port] === undefined ? [] : addresses.toSorted().map((address) => `${address}:${ports[port] ?? 0}`);
    return { endpoints: { https: at("https"), dns: at("dns") } };
  },
} satisfies Kind;
