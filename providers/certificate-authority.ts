/**
 * Who holds OpenShift's CA serial and etcd's CA. create/update hand over what a leaving host holds: etcd's CA to the first of the
 * inventory that stays, OpenShift's serial to every master that stays; each is proved by a throw-away certificate before it gets its
 * place, and what was there is kept beside it. read tells a holder that lost it and authorities that are doubled; delete forgets.
 * It never changes the host that hands over.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./kind.ts";
import { amiss, keeperOf } from "./plan/authority.ts";
import { planAuthority } from "./plan/plans.ts";

export interface CertificateAuthorityArgs {
  /** Host name → address. */
  readonly masters: Readonly<Record<string, string>>;
}

export class CertificateAuthority extends ChainResource {
  declare readonly certificateAuthorities: pulumi.Output<{ openshift: string; etcd: string }>;
  /** What was done for each host that left. */
  declare readonly record: pulumi.Output<Record<string, { at: string; steps: object[] }>>;

  constructor(name: string, args: CertificateAuthorityArgs, options: pulumi.CustomResourceOptions) {
    super("CertificateAuthority", name, args, ["certificateAuthorities"], options);
  }
}

export const certificateAuthority = {
  type: "CertificateAuthority",
  list: "masters",
  plan: planAuthority,
  facts: (world, change) => ({
    certificateAuthorities: { openshift: keeperOf(world, change, "openshift"), etcd: keeperOf(world, change, "etcd") },
  }),
  notes: (world, change, outputs) => amiss(world, change, outputs["certificateAuthorities"]),
} satisfies Kind;
