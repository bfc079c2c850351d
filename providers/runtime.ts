/** What the serialized shims load: one provider for each type, and the one session of this process. */
import type * as pulumi from "@pulumi/pulumi";
import { ansibleInventory } from "./ansible-inventory.ts";
import { certificateAuthority } from "./certificate-authority.ts";
import { etcdMembership } from "./etcd-membership.ts";
import { etcdSnapshot } from "./etcd-snapshot.ts";
import { flannelNetwork } from "./flannel-network.ts";
import type { Kind } from "./kind.ts";
import { lifecycle } from "./lifecycle.ts";
import { loadBalancerPool } from "./load-balancer-pool.ts";
import { masterBackup } from "./master-backup.ts";
import { masterConfig } from "./master-config.ts";
import { nodeDrain } from "./node-drain.ts";
import { nodeRemoval } from "./node-removal.ts";
import { Refusal } from "./plan/refusal.ts";
import { settingsFrom } from "./plan/settings.ts";
import { preflight } from "./preflight.ts";
import { Session } from "./remote/session.ts";
import { retirementReport } from "./retirement-report.ts";
import { serviceEndpoints } from "./service-endpoints.ts";
import { staticPods } from "./static-pods.ts";

let session: Session | undefined;

/** Settings and keys come from the stack's configuration, here and only here: never through inputs. */
function configure(req: pulumi.dynamic.ConfigureRequest): Promise<void> {
  session ??= new Session(settingsFrom((key) => req.config.get(key)));
  return Promise.resolve();
}

const current = (): Session => {
  if (session === undefined)
    throw new Refusal("the provider was not configured: is the stack's configuration complete?");
  return session;
};

const kinds: readonly Kind[] = [
  preflight,
  masterBackup,
  etcdSnapshot,
  certificateAuthority,
  loadBalancerPool,
  nodeDrain,
  staticPods,
  etcdMembership,
  masterConfig,
  flannelNetwork,
  serviceEndpoints,
  nodeRemoval,
  ansibleInventory,
  retirementReport,
];

export const providers: Readonly<Record<string, pulumi.dynamic.ResourceProvider>> = Object.fromEntries(
  kinds.map((kind) => [kind.type, { configure, ...lifecycle(kind, current) }]),
);
