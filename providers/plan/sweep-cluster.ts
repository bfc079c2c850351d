/**
 * Pure: the look at the cluster's objects for who is still named there, asked once through a master that stays, and the reader of what it prints. Which
 * object and which of its keys comes back, never a value. A namespace or a kind that the cluster has not is no error.
 */
import { inParts, partsOf } from "./parts.ts";
import { paths } from "./probe.ts";
import { escapeControls, lastLines, quote } from "./quote.ts";
import type { Words } from "./sweep-words.ts";

/** An object that names a leaving host. */
export interface ObjectMention {
  readonly leaving: string;
  /** `Endpoints`, `ConfigMap`, `Lease`, `DaemonSet`, …; `object` when the cluster did not say. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** What of it: `addresses`, `leader`, `args`, a key of a ConfigMap. */
  readonly key: string;
}

export interface ClusterSweep {
  readonly named: readonly ObjectMention[];
  /** What could not be asked, one line each. */
  readonly unknown: readonly string[];
}

const row = (key: string, value: string): string =>
  `{{$i.kind}}|{{$i.metadata.namespace}}|{{$i.metadata.name}}|${key}|${value}{{"\\n"}}`;
const leader = `{{with $i.metadata.annotations}}{{with index . "control-plane.alpha.kubernetes.io/leader"}}${row("leader", "{{.}}")}{{end}}{{end}}`;
const addresses = ["addresses", "notReadyAddresses"]
  .map((list) => `{{range .${list}}}${row("addresses", "{{.ip}}")}{{end}}`)
  .join("");
const each = (body: string): string => `go-template={{range $i := .items}}${body}{{end}}`;
const words = ["command", "args"].map((list) => `{{range .${list}}}{{printf "%q " .}}{{end}}`).join("");
const environment = `{{range .env}}{{with .value}}{{printf "%q " .}}{{end}}{{end}}`;

/** What is asked, each by one call. */
const questions: readonly { what: string; ask: readonly string[] }[] = [
  {
    what: "endpoints -n default",
    ask: ["endpoints", "-n", "default", "-o", each(`{{range .subsets}}${addresses}{{end}}`)],
  },
  {
    what: "endpoints,configmaps -n kube-system",
    ask: [
      "endpoints,configmaps",
      "-n",
      "kube-system",
      "-o",
      each(
        `${leader}{{range .subsets}}${addresses}{{end}}{{if eq $i.metadata.name "calico-config"}}{{range $k, $v := $i.data}}${row("{{$k}}", '{{printf "%q" $v}}')}{{end}}{{end}}`,
      ),
    ],
  },
  {
    what: "leases -n kube-system",
    ask: ["leases", "-n", "kube-system", "-o", each(row("holderIdentity", "{{.spec.holderIdentity}}"))],
  },
  {
    what: "daemonsets,deployments -n kube-service-catalog",
    ask: [
      "daemonsets,deployments",
      "-n",
      "kube-service-catalog",
      "-o",
      each(`{{range .spec.template.spec.containers}}${row("args", `${words}${environment}`)}{{end}}`),
    ],
  },
];

/** A holder is `host_uuid`: without the uuid it ends where the host's name does. */
const holders = String.raw`s/|leader|.*"holderIdentity":"\([^"]*\)".*/|leader|\1/; s/[_-][0-9a-f]\{8\}-[0-9a-f-]*$//`;

/** @param leaving in the order the reader is given their names */
export function clusterSweepScript(leaving: readonly Words[]): string {
  const filters = leaving.map(
    ({ short }, n) =>
      `  printf '%s\\n' "$answer" | sed ${quote(holders)} | grep -aiE -e ${quote(short)} | grep -a '|.*|.*|.*|' | cut -d '|' -f 1-4 | sort -u | head -n 50 | sed 's/^/named ${n} /'`,
  );
  return inParts(`# oc keeps a cache below HOME: in /proc it cannot, and nothing is written
export HOME=/proc/self KUBECONFIG=${paths.adminKubeconfig}
ask() { what=$1; shift
  if ! answer=$(timeout 20 oc --request-timeout=15s get "$@" 2>&1); then
    case $answer in *"have a resource type"*|*NotFound*) return ;; esac
    echo "unknown $what: $(printf '%s\\n' "$answer" | tail -n 1 | head -c 300)"; return; fi
${filters.join("\n")}
}
sweep() {
${questions.map(({ what, ask }) => `  ask ${[what, ...ask].map(quote).join(" ")}`).join("\n")}
  echo end
}
part cluster sweep`);
}

/** What was said of `clusterSweepScript`; what is not of its form is left out. */
export function clusterSweep(stdout: string, leaving: readonly string[]): ClusterSweep {
  const text = Buffer.from(partsOf(stdout).get("cluster")?.bytes ?? []).toString("utf8");
  const lines = text.split("\n").slice(0, 1000);
  const named = lines.flatMap((line): ObjectMention[] => {
    const [, n = "", kind = "", namespace = "", name = "", key = ""] =
      /^named (\d{1,4}) ([^|]{0,100})\|([a-z0-9.-]{1,253})\|([^|]{1,253})\|([^|]{1,253})$/.exec(line) ?? [];
    const host = leaving[Number(n)];
    if (host === undefined || name === "") return [];
    const known = /^[A-Za-z]+$/.test(kind) ? kind : "object";
    return [{ leaving: host, kind: known, namespace, name: escapeControls(name), key: escapeControls(key) }];
  });
  const unknown = lines.flatMap((line) =>
    line.startsWith("unknown ") ? lastLines(escapeControls(line.slice(8)), 1) : [],
  );
  return {
    named: named.slice(0, 200),
    unknown: [...unknown, ...(lines.includes("end") ? [] : ["its answer ended early"])],
  };
}
