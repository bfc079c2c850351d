/** What is asked of a host in one go, as a script that answers in parts. */
import { asking } from "./authority-shell.ts";
import { ends } from "./certificates.ts";
import { inParts } from "./parts.ts";
import { quote } from "./quote.ts";
import { bracketed } from "./same-host.ts";

/** Who the host is. */
export const common = `
part hostname hostname
part machine-id cat /etc/machine-id
part time date +%s
`;

/** flanneld was started before its file was last written: what a killed run leaves between the two. */
const flannel = `
file flanneld /etc/sysconfig/flanneld
part service:flanneld systemctl show -p LoadState -p ActiveState -p UnitFileState flanneld.service
stale() { at=$(systemctl show -p ActiveEnterTimestamp flanneld.service | cut -d= -f2); [ -n "$at" ] || return 0
  [ "$(stat -Lc %Y /etc/sysconfig/flanneld 2>/dev/null || echo 0)" -gt "$(date -d "$at" +%s)" ] && echo stale; true; }
part stale:flanneld stale
`;

/** Started when? `port pid seconds-since-the-epoch` of whoever listens, all 0 where the process is not told; asked of ss, which RHEL 7 has. */
const listeners = String.raw`
started() { now=$(date +%s); ss -ltnp 2>/dev/null | awk -v ports="$*" 'BEGIN { n = split(ports, port, " ") }
  { at = $4; sub(/.*:/, "", at); for (i = 1; i <= n; i++) if (at == port[i]) {
      listens[i] = 1; if (!(i in pid) && match($0, /pid=[0-9]+/)) pid[i] = substr($0, RSTART + 4, RLENGTH - 4) } }
  END { for (i = 1; i <= n; i++) if (i in listens) print port[i], (i in pid) ? pid[i] : 0 }' | while read -r port pid; do
    age=; [ "$pid" = 0 ] || age=$(ps -o etimes= -p "$pid")
    if [ -n "$age" ]; then echo "$port $pid $((now - age))"; else echo "$port 0 0"; fi; done; }
`;

export const paths = {
  pods: "/etc/origin/node/pods",
  disabled: "/etc/origin/node/pods/disabled",
  etcdConf: "/etc/etcd/etcd.conf",
  masterConfig: "/etc/origin/master/master-config.yaml",
  masterEnv: "/etc/origin/master/master.env",
  flanneld: "/etc/sysconfig/flanneld",
  adminKubeconfig: "/etc/origin/master/admin.kubeconfig",
  etcdData: "/var/lib/etcd/member",
} as const;

/** Manifests of a master's static pods, where they are and where they are when disabled. */
export const staticPods = ["apiserver", "controller", "etcd"].flatMap((name) =>
  ["", "disabled/"].map((folder) => `${folder}${name}.yaml`),
);

export const nodeServices = ["origin-node", "atomic-openshift-node"] as const;

/** etcdctl's options for the member's own certificates, v3. */
export const memberCertificates = "--cert /etc/etcd/peer.crt --key /etc/etcd/peer.key --cacert /etc/etcd/ca.crt";
const certificates2 = "--cert-file /etc/etcd/peer.crt --key-file /etc/etcd/peer.key --ca-file /etc/etcd/ca.crt";

/** The client URL of the etcd member at a declared address. */
export const clientUrl = (address: string): string => `https://${bracketed(address)}:2379`;

/**
 * Shell functions `e3` and `e2`: etcdctl with the member's own certificates against the member on this host, and `$via`: etcdctl of
 * the host, else in the etcd pod by `master-exec`, else there by `oc exec`. One call takes 15 seconds at most, or `etcd_timeout`.
 */
export function etcdShell(address: string): string {
  const endpoint = quote(clientUrl(address));
  return `via=none; command -v etcdctl >/dev/null 2>&1 && via=host
if [ $via = none ] && [ -x /usr/local/bin/master-exec ]; then via=master-exec; fi
if [ $via = none ] && command -v oc >/dev/null 2>&1; then via=oc-exec; fi
in_etcd() { case $via in host) timeout "\${etcd_timeout:-15}" env "$@" ;;
  master-exec) timeout "\${etcd_timeout:-15}" /usr/local/bin/master-exec etcd etcd env "$@" ;;
  *) KUBECONFIG=${paths.adminKubeconfig} HOME=/proc/self timeout "\${etcd_timeout:-15}" oc exec "master-etcd-$(hostname | tr A-Z a-z)" -n kube-system -c etcd -- env "$@" ;; esac; }
e3() { in_etcd ETCDCTL_API=3 etcdctl ${memberCertificates} --endpoints ${endpoint} --command-timeout 6s "$@"; }
e2() { in_etcd ETCDCTL_API=2 etcdctl ${certificates2} --endpoints ${endpoint} "$@"; }`;
}

/** A shell function that asks an API, `host:port`, whether it is ready: 3.11's way, and the later one on 404 or 403. */
export const readiness = (name: string, at = "127.0.0.1:8443"): string =>
  `${name}() { for p in healthz/ready readyz; do a=$(curl -gsk --max-time 5 -w '\\n%{http_code}' ${quote(`https://${at}/`)}"$p"); c=\${a##*
}; [ "$c" = 404 ] || [ "$c" = 403 ] || break; done; echo "$p"; echo "$a"; }`;

/** What the member on this host says: parts that need `etcdShell`. */
export const etcdAsked = `checked members e3 member list
checked status e3 endpoint status -w json
checked health e3 endpoint health
checked alarms e3 alarm list`;

/** Everything a master knows of itself: files, static pods, its etcd member, its API, its services. Reads only. */
export function masterProbe(o: { address: string; backupDirectory: string }): string {
  return inParts(`${common}${listeners}
file etcd.conf ${paths.etcdConf}
file master-config ${paths.masterConfig}
file master.env ${paths.masterEnv}
${flannel}
file manifest ${paths.pods}/etcd.yaml
${staticPods.map((name) => `file mounts:${name} ${paths.pods}/${name}`).join("\n")}
part pods ls -A ${paths.pods}
part disabled ls -A ${paths.disabled}
changed() { stat -Lc %Y ${paths.masterConfig} ${paths.masterEnv} 2>/dev/null | sort -n | tail -n 1; }
part config-mtime changed
data() { [ ! -e ${paths.etcdData} ] || echo there; }
part etcd-data data
part started started 2379 8443 8444
${nodeServices.map((unit) => `part service:${unit} systemctl show -p LoadState -p ActiveState -p UnitFileState ${unit}.service`).join("\n")}
free() { d=$1; while [ ! -d "$d" ]; do d=$(dirname "$d"); done; df -Pk "$d" | tail -n 1; du -sk /etc/origin /etc/etcd /etc/sysconfig 2>/dev/null; }
part free free ${quote(o.backupDirectory)}
${asking}
part authority authority
part trust trust
part openssl command -v openssl
${ends}
part certificates ends
${readiness("ready")}
part ready ready
${etcdShell(o.address)}
value via $via
checked etcdctl e3 version
listens() { command -v ss >/dev/null 2>&1 || return 0; case $(ss -ltn "sport = :$1" 2>/dev/null) in *:"$1"*) ;; *) return 1 ;; esac; }
if [ $via != none ] && listens 2379; then
${etcdAsked}
checked v2 e2 ls /
fi`);
}

/** What the cluster says of itself, asked on one master as system:admin. `leaving` hosts' pods are listed too. */
export function clusterProbe(leaving: readonly string[]): string {
  const pods = `{range .items[*]}{.metadata.namespace}{"|"}{.metadata.name}{"|"}{.metadata.ownerReferences[0].kind}{"|"}{.metadata.annotations.kubernetes\\.io/config\\.mirror}{"|"}{.spec.volumes[*].emptyDir}{"|"}{.status.phase}{"\\n"}{end}`;
  const nodes = `{range .items[*]}{.metadata.name}{"|"}{.spec.unschedulable}{"|"}{.status.conditions[?(@.type=="Ready")].status}{"|"}{.status.addresses[?(@.type=="InternalIP")].address}{"|"}{.metadata.creationTimestamp}{"|"}{.metadata.labels}{"\\n"}{end}`;
  const holder = `{.metadata.annotations.control-plane\\.alpha\\.kubernetes\\.io/leader}`;
  return inParts(`# oc keeps a cache below HOME: in /proc it cannot, and nothing is written
export HOME=/proc/self KUBECONFIG=${paths.adminKubeconfig}
o() { timeout 20 oc --request-timeout=15s "$@"; }
checked nodes o get nodes -o ${quote(`jsonpath=${nodes}`)}
checked endpoints o get endpoints kubernetes -n default -o ${quote('jsonpath={range .subsets[*]}{range .addresses[*]}{.ip}{" "}{end}{"|"}{range .ports[*]}{.name}={.port}{" "}{end}{"\\n"}{end}')}
checked holder:configmap o get configmap openshift-master-controllers -n kube-system --ignore-not-found -o ${quote(`jsonpath=${holder}`)}
checked holder:endpoints o get endpoints openshift-master-controllers -n kube-system --ignore-not-found -o ${quote(`jsonpath=${holder}`)}
checked holder:lease o get lease kube-controller-manager -n kube-system --ignore-not-found -o ${quote("jsonpath={.spec.holderIdentity}")}
${leaving.map((name) => `checked ${quote(`pods:${name}`)} o get pods --all-namespaces --field-selector ${quote(`spec.nodeName=${name}`)} -o ${quote(`jsonpath=${pods}`)}`).join("\n")}`);
}

/** An application node: flannel's file and service. */
export const nodeProbe = (): string => inParts(`${common}${flannel}`);
