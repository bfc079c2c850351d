/**
 * `/etc/sysconfig/flanneld`: takes a host's etcd endpoint out of FLANNEL_ETCD_ENDPOINTS and FLANNEL_ETCD. The file is on every
 * host of the cluster where flannel runs; openshift-ansible writes the first key, older releases read the second.
 */
import { authorityOf } from "./etcd-conf.ts";
import type { HostIdentity } from "./host.ts";
import { Refusal } from "./refusal.ts";
import { isAddressOf } from "./same-host.ts";
import { dropItems, effectiveAssignment, itemsOf } from "./shell-assignments.ts";

const KEYS = ["FLANNEL_ETCD_ENDPOINTS", "FLANNEL_ETCD"] as const;

/** An etcd client URL and the key that names it. */
export interface FlannelEndpoint {
  readonly key: string;
  readonly url: string;
}

/**
 * The endpoints of both keys, in the order of their lines' values; none where a key is not set.
 * @throws Refusal naming line and key when a value takes a shell to know.
 */
export function endpoints(conf: string): FlannelEndpoint[] {
  return KEYS.flatMap((key) => itemsOf(effectiveAssignment(conf, key)?.value ?? "").map((url) => ({ key, url })));
}

/**
 * Takes the URLs whose host is exactly the host's name or one of its addresses out of both keys.
 * @throws Refusal when a key would be left empty, or when its line cannot be edited safely.
 */
export function dropEndpoint(conf: string, host: HostIdentity): { text: string; dropped: FlannelEndpoint[] } {
  return KEYS.reduce<{ text: string; dropped: FlannelEndpoint[] }>(
    (before, key) => {
      const after = dropFromKey(before.text, key, host);
      return { text: after.text, dropped: [...before.dropped, ...after.dropped.map((url) => ({ key, url }))] };
    },
    { text: conf, dropped: [] },
  );
}

function dropFromKey(conf: string, key: string, host: HostIdentity): { text: string; dropped: readonly string[] } {
  const assignment = effectiveAssignment(conf, key);
  if (assignment === undefined) return { text: conf, dropped: [] };
  const { text, dropped, left } = dropItems(conf, assignment, (url) => isAddressOf(host, authorityOf(url)?.host ?? ""));
  if (dropped.length > 0 && left.length === 0) {
    throw new Refusal(
      `line ${assignment.line}: refusing to leave ${key} empty: ${host.name} is the only endpoint it names`,
    );
  }
  return { text, dropped };
}
