/**
 * The Node objects of masters: the leaving host's node service is stopped and disabled, then its Node deleted, and proved to stay away.
 * delete forgets.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { planNodeRemoval } from "./plan/plans.ts";

export interface NodeRemovalArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
}

export class NodeRemoval extends ChainResource {
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: NodeRemovalArgs, options: pulumi.CustomResourceOptions) {
    super("NodeRemoval", name, args, [], options);
  }
}

export const nodeRemoval = {
  type: "NodeRemoval",
  list: "masters",
  plan: planNodeRemoval,
} satisfies Kind;
