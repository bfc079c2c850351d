/**
 * etcdClientInfo.urls, masterCount and NO_PROXY of the masters that stay (vendor's 5.2.1.4, step 2).
 * update edits and restarts API and controllers, one master after the other, each out of every load balancer meanwhile and ready before
 * the next. delete forgets. It never restarts the only ready API.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { planMasterConfig } from "./plan/plans.ts";

export interface MasterConfigArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
}

export class MasterConfig extends ChainResource {
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: MasterConfigArgs, options: pulumi.CustomResourceOptions) {
    super("MasterConfig", name, args, [], options);
  }
}

export const masterConfig = {
  type: "MasterConfig",
  list: "masters",
  plan: planMasterConfig,
} satisfies Kind;
