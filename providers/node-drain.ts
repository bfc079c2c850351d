/**
 * The masters as schedulable nodes: a leaving one is made unschedulable and drained (budgets honoured).
 * A drain that is blocked stops the chain and says what blocks; then, as configured, everything is left as it is, or the node is made schedulable and the
 * master's server lines are put back, proved UP. delete forgets.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
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
  asks: ["budgets"],
  plan: planDrain,
} satisfies Kind;
