/**
 * The inventory says what the cluster is (vendor's 5.2.1.3, step 5, and 5.2.1.4, step 3): a retired host leaves every group, every other byte stays.
 * The old file is kept beside it. delete forgets.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { isReachable } from "./plan/facts.ts";
import { filesOf } from "./plan/inventory-facts.ts";
import { groupsOf } from "./plan/inventory-files.ts";
import { planInventory } from "./plan/plans.ts";
import { notesOnReturn, planInventoryReturn } from "./plan/plans/inventory-return.ts";

export interface AnsibleInventoryArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
  /** The inventory: a file or a folder; empty: the one that Ansible takes by default. */
  readonly path: string;
}

export class AnsibleInventory extends ChainResource {
  declare readonly inventory: pulumi.Output<{ masters: string[]; nodes: string[]; etcd: string[] }>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: AnsibleInventoryArgs, options: pulumi.CustomResourceOptions) {
    super("AnsibleInventory", name, args, ["inventory"], options);
  }
}

export const ansibleInventory = {
  type: "AnsibleInventory",
  list: "masters",
  also: ["path"],
  asks: ["ansible", "git"],
  // what leaves first: a master comes back by an edit of its own
  plan: (world, change) => {
    const steps = planInventory(world, change);
    return steps.length > 0 ? steps : planInventoryReturn(world, change);
  },
  notes: notesOnReturn,
  facts: (world) => {
    if (!isReachable(world.inventory)) return {};
    const groups = groupsOf(filesOf(world.inventory));
    return {
      inventory: { masters: groups["masters"] ?? [], nodes: groups["nodes"] ?? [], etcd: groups["etcd"] ?? [] },
    };
  },
} satisfies Kind;
