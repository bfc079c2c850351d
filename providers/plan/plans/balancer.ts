/** LoadBalancerPool: server lines out, and in and out around a restart. */
import { type BalancerFacts, type FileFacts, isReachable } from "../facts.ts";
import { type ServerStats, dropHost as dropServers, serversFor, serversOf, setDisabled } from "../haproxy.ts";
import { sh } from "../quote.ts";
import { type Change, type Edit, type Server, type World, identityOf } from "../steps.ts";
import { type Planner, edited, balancerOf, nobodyLeaves, forEachLeaving } from "./asked.ts";

/** The stats socket takes `set server … state`: it is admin-level, and haproxy is 1.6 or later. */
export const canSetState = (facts: BalancerFacts): boolean =>
  facts.stats !== undefined &&
  /^\s*stats\s+socket\s[^#\n]*\blevel\s+admin\b/m.test(facts.config?.text ?? "") &&
  !/^1\.[0-5]\b/.test(facts.version);

/** One load balancer: the server lines of the leaving masters go; a reload that a killed run did not reach is made up for. */
export const planBalancer =
  (balancer: string): Planner =>
  (world, change) => {
    const settings = change.settings.loadBalancers[balancer];
    if (settings?.kind !== "haproxy" || nobodyLeaves(change)) return [];
    const facts = balancerOf(world, change, balancer);
    const edit = edited(
      balancer,
      facts.config,
      forEachLeaving(change, (text, name) => dropServers(text, identityOf(name, change.leaving)).text),
    );
    const remaining = serversOf(edit?.after ?? facts.config.text);
    const dropped = serversOf(facts.config.text).filter(
      (one) => !remaining.some((other) => other.section === one.section && other.server === one.server),
    );
    const stale = edit === undefined && isStale(facts);
    if (edit === undefined && !stale) return [];
    const names = Object.keys(change.leaving).join(", ");
    return [
      {
        do: "balance",
        host: balancer,
        socket: facts.socket,
        ...(edit === undefined ? {} : { edit }),
        title:
          edit === undefined
            ? `reload ${settings.service}: it still runs without the last edit`
            : `take ${names} out of the pools, reload ${settings.service}, prove the others UP`,
        drain: canSetState(facts) ? dropped.map(serverOf) : [],
        up: inService(edit?.after ?? facts.config.text, change),
        commands: [
          ...(canSetState(facts)
            ? dropped.map((one) => `set server ${backendOf(one.section)}/${one.server} state drain`)
            : []),
          sh`haproxy -c -f ${settings.config}`,
          sh`systemctl ${facts.canReload ? "reload" : "restart"} ${settings.service}`,
        ],
      },
    ];
  };

const serverOf = ({ section, server }: Server): Server => ({ section, server });

/** `backend atomic-openshift-api` → `atomic-openshift-api`, as the statistics name it. */
export const backendOf = (section: string): string => section.split(/\s+/)[1] ?? section;

/** Is this row of the statistics about that server line? */
export const isRowOf = (row: ServerStats, line: Server): boolean =>
  row.backend === backendOf(line.section) && row.server === line.server;

/** Servers of the masters that stay, but for those the file disables. */
const inService = (config: string, change: Change): Server[] =>
  Object.keys(change.survivors).flatMap((name) =>
    serversFor(config, identityOf(name, change.survivors))
      .filter((one) => !one.disabled)
      .map(serverOf),
  );

/** haproxy runs with a server that its file no longer has; with templates the file does not say which ones there are. */
function isStale(facts: BalancerFacts): boolean {
  if (/^\s*server-template\s/m.test(facts.config?.text ?? "")) return false;
  const backends = new Set(serversOf(facts.config?.text ?? "").map((one) => backendOf(one.section)));
  const inFile = new Set(serversOf(facts.config?.text ?? "").map((one) => `${backendOf(one.section)}/${one.server}`));
  return (facts.stats ?? []).some((one) => backends.has(one.backend) && !inFile.has(`${one.backend}/${one.server}`));
}

export const wayOut = (world: World, balancer: string): string => {
  const facts = world.balancers[balancer];
  return isReachable(facts) && canSetState(facts)
    ? "set server … state maint through the stats socket"
    : "`disabled` on its server lines, reload";
};

/** In the file or at run time, the host's servers are not in service. */
export function isOut(world: World, change: Change, balancer: string, node: ReturnType<typeof identityOf>): boolean {
  const facts = balancerOf(world, change, balancer);
  const own = serversFor(facts.config.text, node);
  const inMaintenance = (one: Server) =>
    (facts.stats ?? []).some((row) => isRowOf(row, one) && /^(MAINT|DRAIN)/.test(row.status));
  return own.some((one) => one.disabled || inMaintenance(one));
}

/** What an edit of the load balancer's file looks like when a server goes out or comes back. */
export const disabledEdit = (
  host: string,
  file: FileFacts,
  node: ReturnType<typeof identityOf>,
  disabled: boolean,
): Edit | undefined => edited(host, file, (text) => setDisabled(text, node, disabled).text);
