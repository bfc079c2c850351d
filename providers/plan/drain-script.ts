/** Pure: how a drain is run on a host. */
import { paths } from "./probe.ts";
import { sh } from "./quote.ts";

/**
 * `oc adm drain`, which ends with its standard input: that is what the death of whoever wanted it, and a lost connection, look like over there. Nothing is evicted
 * for nobody.
 * @param seconds that oc gives it
 */
export const evictScript = (node: string, flags: readonly string[], seconds: number): string =>
  sh`export HOME=/proc/self KUBECONFIG=${paths.adminKubeconfig}
exec 3<&0
oc adm drain ${node} ${flags} ${`--timeout=${seconds}s`} </dev/null 2>&1 3<&- & drain=$!
( while read -r line; do :; done; kill "$drain" ) <&3 >/dev/null 2>&1 3<&- & watch=$!
exec 3<&-
wait "$drain"; code=$?
kill "$watch" 2>/dev/null
exit "$code"
`;
