/**
 * The gate of the chain: asks everything, before anything changes, and refuses with every reason at once.
 * create/update touch nothing on the hosts. It never repairs.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { knownIn, remembered } from "./plan/known.ts";
import { judge } from "./plan/preflight.ts";
import { halfRetired } from "./plan/strangers.ts";

export interface PreflightArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
  /** Risks accepted by name. */
  readonly acknowledge: readonly string[];
}

export class Preflight extends ChainResource {
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: PreflightArgs, options: pulumi.CustomResourceOptions) {
    super("Preflight", name, args, [], options);
  }
}

export const preflight = {
  type: "Preflight",
  list: "masters",
  also: ["acknowledge"],
  asks: ["budgets", "sweep", "census", "ansible", "git"],
  plan: () => [],
  judge: (world, change, before, olds) => judge(world, change, before, knownIn(olds["known"])),
  carry: (world, change, _news, olds) => ({ known: remembered(world, change, knownIn(olds["known"])) }),
  adopts: halfRetired,
} satisfies Kind;
