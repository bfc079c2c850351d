/**
 * The masters as schedulable nodes: a leaving one is made unschedulable and drained (budgets honoured).
 * delete forgets. It never uncordons.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./lifecycle.ts";
import { planDrain } from "./plan/plans.ts";

export interface NodeDrainArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
}

export class NodeDrain extends ChainResource {
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: NodeDrainArgs, options: pulumi.CustomResourceOptions) {
    super("NodeDrain", name, args, [], options);
  }
}

export const nodeDrain = {
  type: "NodeDrain",
  list: "masters",
  plan: planDrain,
} satisfies Kind;
