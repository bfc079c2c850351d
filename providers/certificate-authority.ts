/**
 * Who holds OpenShift's CA serial and etcd's CA. Today it only knows: a holder that leaves is refused by Preflight.
 * create/update/delete change nothing on the hosts.
 */
import type * as pulumi from "@pulumi/pulumi";
import { ChainResource } from "./dynamic.ts";
import type { Kind } from "./lifecycle.ts";
import { isReachable } from "./plan/facts.ts";
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
  facts: (world) => {
    const holder = (file: RegExp) =>
      Object.entries(world.masters).find(
        ([, facts]) => isReachable(facts) && facts.authority.some((one) => file.test(one.path)),
      )?.[0] ?? "";
    return { certificateAuthorities: { openshift: holder(/ca\.serial\.txt$/), etcd: holder(/etcd\/ca\/serial$/) } };
  },
} satisfies Kind;
