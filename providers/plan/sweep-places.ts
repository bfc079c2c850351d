/** The known places of a cluster's hosts where a master is named, and what to do where it still is and no resource of the chain takes it out. */
import { globExpression } from "./globs.ts";
import { bracketed } from "./same-host.ts";
import { apiOf } from "./settings.ts";
import type { Change } from "./steps.ts";

/** What is known where a place's advice is asked for. */
export interface Found {
  readonly path: string;
  /** The host that leaves. */
  readonly leaving: string;
  /** `host:port` of the API through a load balancer. */
  readonly api: string;
}

interface Place {
  /** Absolute; `*` is anything but a slash. */
  readonly globs: readonly string[];
  /** What the administrator does, as an imperative without the place. */
  advice(found: Found): string;
}

const oneByOne = "one master at a time, each ready before the next";

/** The first that fits a path counts. */
export const places: readonly Place[] = [
  {
    globs: ["/etc/origin/master/master-config.yaml", "/etc/origin/master/*.env"],
    advice: ({ api }) =>
      `MasterConfig changes etcdClientInfo.urls, masterCount and NO_PROXY only: change that line by hand (a public URL is the load balancer's, https://${api}), then \`master-restart api\` and \`master-restart controllers\`, ${oneByOne}`,
  },
  {
    globs: ["/etc/origin/master/*.yaml"],
    advice: () => `change that line by hand, then \`master-restart api\`, ${oneByOne}`,
  },
  {
    globs: ["/etc/origin/node/bootstrap.kubeconfig", "/etc/origin/node/*.kubeconfig"],
    advice: ({ path, api }) =>
      `if that is its \`server:\`, the node loses the API with the retired master: \`oc config view --kubeconfig=${path}\` names its cluster, \`oc config set-cluster <cluster> --server=https://${api} --kubeconfig=${path}\` points it to the load balancer, then \`systemctl restart atomic-openshift-node\` (a mere name of a context does no harm)`,
  },
  {
    globs: ["/etc/origin/master/*.kubeconfig", "/root/.kube/config"],
    advice: ({ path, api }) =>
      `if that is its \`server:\`, whoever uses the file asks an API that is gone: \`oc config view --kubeconfig=${path}\` names its cluster, \`oc config set-cluster <cluster> --server=https://${api} --kubeconfig=${path}\` points it to the load balancer (a mere name of a context does no harm)`,
  },
  {
    globs: ["/etc/origin/node/pods/*.yaml"],
    advice: () =>
      `edit the manifest by hand, ${oneByOne}: the node service restarts that pod as soon as the file is written`,
  },
  {
    globs: ["/etc/origin/node/*dnsmasq*", "/etc/dnsmasq.d/*"],
    advice: ({ leaving }) =>
      `take the line out (names are asked of ${leaving} no longer), then \`systemctl restart dnsmasq\``,
  },
  {
    globs: ["/etc/origin/node/*.yaml"],
    advice: () =>
      "node-config.yaml is written anew from the ConfigMap of its node group: `oc edit configmap <node group> -n openshift-node`; any other file: change the line by hand and `systemctl restart atomic-openshift-node`",
  },
  {
    globs: ["/etc/sysconfig/flanneld"],
    advice: () =>
      "FlannelNetwork changes FLANNEL_ETCD and FLANNEL_ETCD_ENDPOINTS only: change that line by hand, then `systemctl restart flanneld`",
  },
  {
    globs: ["/etc/sysconfig/docker", "/etc/sysconfig/docker-*"],
    advice: () =>
      "most likely NO_PROXY, where a name too many does no harm: take it out; docker reads it when it next starts (drain the node before)",
  },
  {
    globs: ["/etc/sysconfig/atomic-openshift*", "/etc/sysconfig/origin*"],
    advice: () => "change that line by hand; the service of that name reads it when it next starts",
  },
  {
    globs: ["/etc/etcd/etcd.conf"],
    advice: () =>
      "EtcdMembership changes ETCD_INITIAL_CLUSTER only: change that line by hand; etcd reads it when it next starts, and need not be restarted for it",
  },
  {
    globs: ["/etc/cni/net.d/*"],
    advice: () =>
      "calico writes this file from the ConfigMap calico-config: mend that one (`oc edit configmap calico-config -n kube-system`), then delete that node's calico-node pod; without calico change it by hand",
  },
  {
    globs: ["/etc/calico/*"],
    advice: () => "take its URL out of etcdEndpoints by hand: calicoctl reads it at every call",
  },
  {
    globs: ["/etc/hosts"],
    advice: () => "delete the line, or the name on it: whoever still resolves it gets an address that nobody answers",
  },
  {
    globs: ["/etc/resolv.conf"],
    advice: ({ leaving }) =>
      `take ${leaving} off the name servers where the file comes from (DHCP, or \`nmcli connection modify <connection> ipv4.dns …\`): every look-up waits for it first`,
  },
  {
    globs: ["/etc/haproxy/*.cfg", "/etc/haproxy/conf.d/*"],
    advice: () =>
      "LoadBalancerPool takes out server lines of the files that the running haproxy reads, and no other line or file: change it by hand, `haproxy -c -f <file>`, then reload",
  },
  {
    globs: ["/etc/keepalived/*"],
    advice: () =>
      "take it out of unicast_peer (or the virtual_server) by hand on every peer, then `systemctl reload keepalived`",
  },
  {
    globs: ["/etc/ansible/hosts"],
    advice: () =>
      "not the inventory that openshift-masters:inventory names: take the host out there too, or remove a copy nobody uses: a playbook that is run with it would set the host up again",
  },
  {
    globs: ["/etc/systemd/system/*.service.d/*"],
    advice: () => "change that line by hand, then `systemctl daemon-reload`; the service reads it when it next starts",
  },
  {
    globs: ["/etc/environment"],
    advice: () => "most likely NO_PROXY, where a name too many does no harm: take it out",
  },
  {
    globs: ["/etc/crontab", "/etc/cron.d/*", "/var/spool/cron/*"],
    advice: () => "change or remove that job by hand: it asks a host that answers no more",
  },
];

/** Every glob, for the script. */
export const globs: readonly string[] = [...new Set(places.flatMap((place) => place.globs))];

/** What to do about a line there that no resource takes out. */
export const adviceFor = (found: Found): string =>
  places.find((place) => place.globs.some((glob) => globExpression(glob).test(found.path)))?.advice(found) ??
  "change that line by hand";

/** Where the API answers through the first haproxy that is declared; its name, when there is none to be asked. */
export function apiOfCluster({ settings }: Change): string {
  const [name, entry] = Object.entries(settings.loadBalancers)[0] ?? [];
  if (name === undefined || entry === undefined) return "<another master>:8443";
  return entry.kind === "haproxy" ? apiOf(entry) : `${bracketed(name)}:8443`;
}
