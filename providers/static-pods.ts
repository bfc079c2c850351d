/**
 * Which control plane manifests run where: on a leaving host the controllers go off (another must hold the lease), then the API.
 * The manifests are moved to disabled/, never deleted; etcd.yaml belongs to EtcdMembership. delete forgets.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { isReachable } from "./plan/facts.ts";
import { planStaticPods } from "./plan/plans.ts";

export interface StaticPodsArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
}

export class StaticPods extends ChainResource {
  declare readonly manifests: pulumi.Output<Record<string, string[]>>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: StaticPodsArgs, options: pulumi.CustomResourceOptions) {
    super("StaticPods", name, args, ["manifests"], options);
  }
}

export const staticPods = {
  type: "StaticPods",
  list: "masters",
  plan: planStaticPods,
  facts: (world, change) => ({
    manifests: Object.fromEntries(
      Object.keys(change.survivors).map((name) => {
        const facts = world.masters[name];
        return [name, isReachable(facts) ? facts.pods.filter((file) => file.endsWith(".yaml")) : []];
      }),
    ),
  }),
} satisfies Kind;
