/**
 * What opens the cluster and lies on a master, also after it was retired: where, what it opens, and what ends it. The paths and names of this table stand in
 * docs/retired-host.md too, and a test compares the two.
 */

/** What makes a credential worthless; the headings of docs/retired-host.md. */
export type Rotation =
  | "OpenShift's CA"
  | "The masters' certificates"
  | "etcd's CA"
  | "The service accounts' key"
  | "The bootstrap token"
  | "Passwords and other logins"
  | "All of it";

export interface Credential {
  /** One phrase for people: whose it is and what it opens. */
  readonly what: string;
  readonly rotation: Rotation;
  /** Files, absolute; `*` is anything but a slash. The first entry of the table that a file fits counts. */
  readonly files?: readonly string[];
  /** Folders, counted as a whole. */
  readonly folders?: readonly string[];
  /** Kept on purpose for a while: destroyed last, and only when nobody needs the way back. */
  readonly lastUndo?: true;
}

/** The client certificates of Kubernetes 1.11 cannot be revoked: an API believes whatever its CA signed, until it ends. */
export const credentials = (host: string, backupDirectory: string): readonly Credential[] => [
  {
    what: "cluster administrator, may do everything",
    rotation: "OpenShift's CA",
    files: [
      "/etc/origin/master/admin.kubeconfig",
      "/etc/origin/master/admin.key",
      "/root/.kube/config",
      "/etc/origin/master/openshift-master.kubeconfig",
      "/etc/origin/master/openshift-master.key",
    ],
    folders: ["/etc/origin/generated-configs"],
  },
  {
    what: "key of OpenShift's CA, signs cluster administrators",
    rotation: "OpenShift's CA",
    files: ["/etc/origin/master/ca.key", "/etc/origin/master/legacy-ca/*-ca.key"],
  },
  {
    what: "the API's client at every kubelet, enters every pod",
    rotation: "OpenShift's CA",
    files: ["/etc/origin/master/master.kubelet-client.key"],
  },
  {
    what: "front proxy, speaks to the API as any user",
    rotation: "The masters' certificates",
    files: [
      "/etc/origin/master/master.proxy-client.key",
      "/etc/origin/master/front-proxy-ca.key",
      "/etc/origin/master/aggregator-front-proxy.key",
      "/etc/origin/master/aggregator-front-proxy.kubeconfig",
    ],
  },
  {
    what: "signs tokens of every service account",
    rotation: "The service accounts' key",
    files: ["/etc/origin/master/serviceaccounts.private.key"],
  },
  {
    what: "signs certificates of every Service",
    rotation: "The masters' certificates",
    files: ["/etc/origin/master/service-signer.key"],
  },
  {
    what: "etcd client or member, reads and writes every Secret",
    rotation: "etcd's CA",
    files: [
      "/etc/etcd/peer.key",
      "/etc/etcd/server.key",
      "/etc/origin/master/master.etcd-client.key",
      "/etc/origin/node/flannel.etcd-client.key",
    ],
    folders: ["/etc/etcd/generated_certs", "/etc/origin/master/etc/etcd/generated_certs"],
  },
  {
    what: "key of etcd's CA, signs members and clients",
    rotation: "etcd's CA",
    files: ["/etc/etcd/ca/ca.key", "/etc/origin/master/etc/etcd/ca/ca.key"],
  },
  {
    what: "asks for certificates of nodes; on a master often a copy of admin.kubeconfig",
    rotation: "The bootstrap token",
    files: ["/etc/origin/node/bootstrap.kubeconfig"],
  },
  {
    what: "the node itself, may register again and read what its pods may",
    rotation: "OpenShift's CA",
    files: ["/etc/origin/node/*.kubeconfig", "/etc/origin/node/*.key", "/etc/origin/node/certificates/*.pem"],
  },
  {
    what: "other keys of a master, stand for its servers (API, registry, router)",
    rotation: "The masters' certificates",
    files: ["/etc/origin/master/*.key", "/etc/origin/master/named_certificates/*.key"],
  },
  {
    what: "passwords and session keys of the logins, clouds and registries",
    rotation: "Passwords and other logins",
    files: [
      "/etc/origin/master/master-config.yaml",
      "/etc/origin/master/htpasswd",
      "/etc/origin/master/session-secrets.yaml",
      "/etc/origin/cloudprovider/*",
      "/var/lib/origin/.docker/config.json",
      "/root/.docker/config.json",
    ],
  },
  {
    what: "ssh key, opens whatever trusts it",
    rotation: "Passwords and other logins",
    files: ["/root/.ssh/id_dsa", "/root/.ssh/id_ecdsa", "/root/.ssh/id_ed25519", "/root/.ssh/id_rsa"],
  },
  {
    what: "backups: all of the above, and all of etcd",
    rotation: "All of it",
    files: ["/etc/origin/*-backup-*.tgz"],
    folders: [`${backupDirectory.replace(/\/+$/, "")}/${host}`],
    lastUndo: true,
  },
  {
    what: "etcd's data as it was, every Secret in it",
    rotation: "All of it",
    folders: ["/var/lib/etcd"],
    lastUndo: true,
  },
];

/** One line for each way to make what somebody may have copied worthless; the whole of it is in docs/retired-host.md. */
export const rotations: Readonly<Record<Rotation, string>> = {
  "OpenShift's CA":
    "ansible-playbook playbooks/openshift-master/redeploy-openshift-ca.yml, then ansible-playbook -e openshift_redeploy_openshift_ca=true playbooks/redeploy-certificates.yml: until the second has run, the old CA is still believed",
  "The masters' certificates": "ansible-playbook playbooks/redeploy-certificates.yml",
  "etcd's CA":
    "ansible-playbook playbooks/openshift-etcd/redeploy-ca.yml, then ansible-playbook playbooks/openshift-etcd/redeploy-certificates.yml",
  "The service accounts' key":
    "no playbook: a new pair by `oc adm ca create-key-pair` on every master, every token Secret deleted, every pod restarted",
  "The bootstrap token":
    "oc delete the node-bootstrapper-token Secrets in openshift-infra, then a new bootstrap.kubeconfig for the nodes",
  "Passwords and other logins":
    "change each where it is kept: LDAP bind password, htpasswd, cloud, registry, named certificates at their own CA, authorized_keys",
  "All of it": "each of the others, and every Secret of the cluster's applications",
};
