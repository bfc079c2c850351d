/**
 * The last word of a decommission: who still names a host that left, and which credentials on it still open the cluster.
 * create/update look at every host that can be reached and change none; delete forgets. It never destroys a credential.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { planReport } from "./plan/plans/report.ts";
import type { RetirementRecord } from "./plan/report.ts";

export interface RetirementReportArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
}

export class RetirementReport extends ChainResource {
  /** For each host that left. */
  declare readonly report: pulumi.Output<Record<string, RetirementRecord>>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: RetirementReportArgs, options: pulumi.CustomResourceOptions) {
    super("RetirementReport", name, args, ["report"], options);
  }
}

export const retirementReport = {
  type: "RetirementReport",
  list: "masters",
  asks: ["sweep"],
  plan: planReport,
  always: true,
  remember: (records, before) => ({
    report: {
      ...(before["report"] as object | undefined),
      ...Object.fromEntries(records.map(({ step, record }) => [step.host, record])),
    },
  }),
} satisfies Kind;
