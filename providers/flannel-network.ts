/**
 * Flannel's etcd endpoints on every host (vendor's 5.2.1.4, step 5): edited where they name a leaving host, flanneld restarted where the
 * file changed; masters one by one, then nodes, `flannel.atOnce` of them at a time. A node that fails or cannot be reached is left behind: it is told, kept as
 * output `left`, and done by the next `up`. delete forgets.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { planFlannel, unaskedNodes } from "./plan/plans.ts";

export interface FlannelNetworkArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
  /** The other hosts of the cluster: name → address. */
  readonly nodes: Readonly<Record<string, string>>;
}

export class FlannelNetwork extends ChainResource {
  /** Nodes that were left behind, with the reason: the next `up` does them. */
  declare readonly left: pulumi.Output<Record<string, string>>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: FlannelNetworkArgs, options: pulumi.CustomResourceOptions) {
    super("FlannelNetwork", name, args, ["left"], options);
  }
}

export const flannelNetwork = {
  type: "FlannelNetwork",
  list: "masters",
  also: ["nodes"],
  asks: ["nodes"],
  plan: planFlannel,
  unasked: unaskedNodes,
} satisfies Kind;
