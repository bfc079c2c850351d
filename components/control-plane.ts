/** The chain of a decommission: which resources there are, and in which order. */
import { Provider } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { AnsibleInventory } from "../providers/ansible-inventory.ts";
import { CertificateAuthority } from "../providers/certificate-authority.ts";
import { EtcdMembership } from "../providers/etcd-membership.ts";
import { EtcdSnapshot } from "../providers/etcd-snapshot.ts";
import { FlannelNetwork } from "../providers/flannel-network.ts";
import { LoadBalancerPool } from "../providers/load-balancer-pool.ts";
import { MasterBackup } from "../providers/master-backup.ts";
import { MasterConfig } from "../providers/master-config.ts";
import { NodeDrain } from "../providers/node-drain.ts";
import { NodeRemoval } from "../providers/node-removal.ts";
import { bracketed } from "../providers/plan/same-host.ts";
import type { Settings } from "../providers/plan/settings.ts";
import { Preflight } from "../providers/preflight.ts";
import { RetirementReport } from "../providers/retirement-report.ts";
import { ServiceEndpoints } from "../providers/service-endpoints.ts";
import { StaticPods } from "../providers/static-pods.ts";
import { CommandPool } from "./command-pool.ts";

type Retired = Record<string, { at: string; steps: object[] }>;

export class ControlPlane extends pulumi.ComponentResource {
  readonly backups: MasterBackup["backups"];
  readonly snapshot: EtcdSnapshot["snapshot"];
  readonly certificateAuthorities: CertificateAuthority["certificateAuthorities"];
  readonly loadBalancers: pulumi.Output<Record<string, Record<string, Record<string, string>>>>;
  readonly etcd: EtcdMembership["etcd"];
  readonly endpoints: ServiceEndpoints["endpoints"];
  readonly inventory: AnsibleInventory["inventory"];
  readonly report: RetirementReport["report"];
  readonly retired: pulumi.Output<Retired>;

  constructor(name: string, settings: Settings, options: pulumi.ComponentResourceOptions = {}) {
    super("openshift:cluster:ControlPlane", name, {}, options);
    const masters = addressesOf(settings.masters);
    const { stamp } = settings.backup;
    let last: pulumi.Resource | undefined;
    const chain = <R extends pulumi.Resource>(make: (options: pulumi.CustomResourceOptions) => R): R => {
      const made = make({ parent: this, ...(last === undefined ? {} : { dependsOn: [last] }) });
      last = made;
      return made;
    };

    // before everything else, and only if it is needed: the engine looks for this plugin, or fails, when it meets the provider, not before
    const isCommand = Object.values(settings.loadBalancers).some(({ kind }) => kind === "command");
    const provider = isCommand ? { provider: chain((o) => new Provider("command", {}, o)) } : {};

    const preflight = chain((o) => new Preflight("preflight", { masters, acknowledge: settings.acknowledge }, o));
    const backup = chain((o) => new MasterBackup("backup", { masters, stamp }, o));
    const snapshot = chain((o) => new EtcdSnapshot("snapshot", { masters, stamp }, o));
    const authority = chain((o) => new CertificateAuthority("certificate-authority", { masters }, o));
    const servers = each(masters, (address) => `${bracketed(address)}:8443`);
    const pools = Object.entries(settings.loadBalancers).map(([loadBalancer, entry]) => {
      if (entry.kind === "command")
        return {
          loadBalancer,
          pool: chain((o) => new CommandPool(loadBalancer, { ...entry, servers }, { ...o, ...provider })),
        };
      const { config, service } = entry;
      return {
        loadBalancer,
        pool: chain((o) => new LoadBalancerPool(loadBalancer, { servers, loadBalancer, config, service }, o)),
      };
    });
    const drain = chain((o) => new NodeDrain("drain", { masters }, o));
    const pods = chain((o) => new StaticPods("static-pods", { masters }, o));
    const members = each(masters, (address) => `https://${bracketed(address)}:2380`);
    const etcd = chain((o) => new EtcdMembership("etcd", { members }, o));
    const config = chain((o) => new MasterConfig("master-config", { masters }, o));
    const flannel = chain((o) => new FlannelNetwork("flannel", { masters, nodes: addressesOf(settings.nodes) }, o));
    const endpoints = chain((o) => new ServiceEndpoints("endpoints", { masters }, o));
    const nodes = chain((o) => new NodeRemoval("nodes", { masters }, o));
    const inventory = chain(
      (o) => new AnsibleInventory("inventory", { masters, path: settings.inventory.path ?? "" }, o),
    );
    const report = chain((o) => new RetirementReport("report", { masters }, o));

    this.backups = backup.backups;
    this.snapshot = snapshot.snapshot;
    this.certificateAuthorities = authority.certificateAuthorities;
    this.loadBalancers = pulumi.all(
      Object.fromEntries(pools.map(({ loadBalancer, pool }) => [loadBalancer, pool.pools])),
    );
    this.etcd = etcd.etcd;
    this.endpoints = endpoints.endpoints;
    this.inventory = inventory.inventory;
    this.report = report.report;
    const all = [
      preflight,
      backup,
      snapshot,
      authority,
      // what a command did is known to it alone
      ...pools.flatMap(({ pool }) => (pool instanceof LoadBalancerPool ? [pool] : [])),
      drain,
      pods,
      etcd,
      config,
      flannel,
      endpoints,
      nodes,
      inventory,
      report,
    ];
    this.retired = pulumi.all(all.map((resource) => resource.record)).apply(merge);
    this.registerOutputs();
  }
}

const each = <T>(hosts: Readonly<Record<string, T>>, change: (value: T) => string): Record<string, string> =>
  Object.fromEntries(Object.entries(hosts).map(([name, value]) => [name, change(value)]));
const addressesOf = (hosts: Readonly<Record<string, { address: string }>>): Record<string, string> =>
  each(hosts, (host) => host.address);

/** The steps of all resources for each retired host, in the chain's order. */
function merge(records: readonly (Retired | undefined)[]): Retired {
  const retired: Retired = {};
  for (const record of records)
    for (const [host, { at, steps }] of Object.entries(record ?? {})) {
      const one = (retired[host] ??= { at, steps: [] });
      one.at = at > one.at ? at : one.at;
      one.steps.push(...steps);
    }
  return retired;
}
