/** The stack `lab`: its configuration, key, known_hosts, inventory and state, in a git-ignored folder of the checkout. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Cast, built, domain, isMaster, qualified, workFolder } from "./cluster.ts";

/** Files of the stack; every path is absolute. */
export const files = {
  config: join(workFolder, "Pulumi.lab.yaml"),
  key: join(workFolder, "id_ed25519"),
  knownHosts: join(workFolder, "known_hosts"),
  inventory: join(workFolder, "hosts"),
  archive: join(workFolder, "backups"),
  state: join(workFolder, "state"),
} as const;

/** Writes the stack anew, as it is before the first `pulumi up`: what an earlier run left is gone. */
export function writeStack(hosts: Cast): void {
  rmSync(workFolder, { recursive: true, force: true });
  mkdirSync(files.state, { recursive: true, mode: 0o700 });
  copyFileSync(join(built.pki, "id_ed25519"), files.key);
  chmodSync(files.key, 0o600);
  writeFileSync(files.knownHosts, knownHosts(hosts));
  writeFileSync(files.inventory, inventory(hosts));
  writeFileSync(files.config, stackConfig(hosts));
  const link = join(workFolder, "..", "Pulumi.lab.yaml");
  rmSync(link, { force: true });
  symlinkSync(join(".lab", "Pulumi.lab.yaml"), link);
}

export const knownHosts = (hosts: Cast): string =>
  Object.entries(hosts)
    .map(([host, address]) => {
      const [type, key] = readFileSync(join(built.pki, `hostkey-${host}.pub`), "utf8").split(" ");
      return `${qualified(host)},${host},${address} ${type ?? ""} ${key ?? ""}\n`;
    })
    .join("");

const names = (hosts: Cast, wanted: (host: string) => boolean): string[] => Object.keys(hosts).filter(wanted);

export function stackConfig(hosts: Cast): string {
  const line = (host: string, more = "") => `    ${qualified(host)}: { address: ${hosts[host] ?? ""}${more} }\n`;
  return `# The lab's stack: delete a line of masters, then \`pulumi preview --diff\`.
config:
  openshift-masters:ssh:
    user: root
    privateKeyPath: ${files.key}
    knownHosts: ${files.knownHosts}
  openshift-masters:masters:
${names(hosts, isMaster)
  .map((host) => line(host))
  .join("")}  openshift-masters:loadBalancers:
${names(hosts, (host) => host.startsWith("lb-"))
  .map((host) => line(host, ", config: /etc/haproxy/haproxy.cfg, service: haproxy, drain: 5"))
  .join("")}  openshift-masters:nodes:
${names(hosts, (host) => host.startsWith("node-"))
  .map((host) => line(host))
  .join("")}  openshift-masters:inventory: { path: ${files.inventory} }
  openshift-masters:backup:
    directory: /backup
    archive: ${files.archive}
    keep: 7
    stamp: "lab"
  openshift-masters:acknowledge: []
  openshift-masters:lab: true
`;
}

/** The vendor's form, with what real inventories have: comments, ranges, variables on the line. */
export function inventory(hosts: Cast): string {
  const masters = names(hosts, isMaster);
  const each = (more: (host: string) => string) => masters.map((host) => `${qualified(host)}${more(host)}\n`).join("");
  return `# Create an OSEv3 group that contains the masters, nodes, and etcd groups
[OSEv3:children]
masters
nodes
etcd
lb

# Set variables common for all OSEv3 hosts
[OSEv3:vars]
ansible_user=root
openshift_deployment_type=openshift-enterprise
openshift_release="3.11"
openshift_master_cluster_method=native
openshift_master_cluster_hostname=lb-0.${domain}
openshift_master_identity_providers=[{'name': 'htpasswd_auth', 'login': 'true', 'challenge': 'true', 'kind': 'HTPasswdPasswordIdentityProvider'}]

# host group for masters
[masters]
${each(() => "")}
# host group for etcd
[etcd]
master-[0:${masters.length - 1}].${domain}

# Specify load balancer hosts
[lb]
lb-[0:1].${domain}

# host group for nodes, includes region info
[nodes]
${each(() => " openshift_node_group_name='node-config-master'")}node-0.${domain} openshift_node_group_name='node-config-compute' # the application node
`;
}
