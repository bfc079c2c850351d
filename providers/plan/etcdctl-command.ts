/** Pure: the command lines of etcdctl, wherever on a master it is to be found. */
import { quote } from "./quote.ts";
import { Refusal } from "./refusal.ts";

/** On the host itself, in the etcd container through the vendor's `master-exec`, or there through the API. */
export type EtcdctlVia = "host" | "master-exec" | "oc-exec";

export interface EtcdctlPlace {
  /** `https://ip:2379`, several joined by commas; with it go the member's certificates. Without: a command that asks nobody. */
  readonly endpoint?: string | undefined;
  /** Name of the etcd pod; needed for `oc-exec` only. */
  readonly pod?: string | undefined;
}

const certificates = { cert: "/etc/etcd/peer.crt", key: "/etc/etcd/peer.key", ca: "/etc/etcd/ca.crt" };

/** oc keeps a cache below HOME: in /proc it cannot, and nothing is written. */
const asAdmin = "KUBECONFIG=/etc/origin/master/admin.kubeconfig HOME=/proc/self";

/** The etcd pod of a node: a static pod is shown under its manifest's name and the node's. */
export const etcdPod = (hostname: string): string => `master-etcd-${hostname.toLowerCase()}`;

/**
 * One command line for a POSIX shell, every word quoted. The exit status of `master-exec` means nothing (0 when the pod is not
 * there): require the expected output.
 * @param args the subcommand and its own options; paths as the container sees them (it shares /etc/etcd and /var/lib/etcd)
 * @throws Refusal when `oc-exec` has no pod, and as `quote` does
 */
export function etcdctl(via: EtcdctlVia, api: 2 | 3, args: readonly string[], place: EtcdctlPlace = {}): string {
  const command = [`ETCDCTL_API=${api}`, ...["etcdctl", ...reaching(api, place.endpoint), ...args].map(quote)].join(
    " ",
  );
  switch (via) {
    case "host":
      return command;
    case "master-exec":
      return `/usr/local/bin/master-exec etcd etcd env ${command}`;
    case "oc-exec":
      // A word that begins with a dash would be an option of oc.
      if (!/^[a-z0-9][a-z0-9.-]*$/.test(place.pod ?? ""))
        throw new Refusal(
          `refusing to run etcdctl by oc exec: "${place.pod ?? ""}" is no pod name; name the pod of a running etcd`,
        );
      return `${asAdmin} oc exec ${quote(place.pod ?? "")} -n kube-system -c etcd -- env ${command}`;
  }
}

/** v2 and v3 name the same three files differently. */
function reaching(api: 2 | 3, endpoint: string | undefined): string[] {
  if (endpoint === undefined) return [];
  const { cert, key, ca } = certificates;
  const names = api === 3 ? ["--cert", "--key", "--cacert"] : ["--cert-file", "--key-file", "--ca-file"];
  return [cert, key, ca].flatMap((file, i) => [names[i] ?? "", file]).concat("--endpoints", endpoint);
}
