/** NodeDrain and NodeRemoval: the master as a node. */
import type { PodFacts } from "../facts.ts";
import { sh } from "../quote.ts";
import { type Step, isGone } from "../steps.ts";
import { type Planner, leaver, clusterOf, nobodyLeaves } from "./asked.ts";

/** A pod that a drain has to move. */
export const isEvictable = (pod: PodFacts): boolean =>
  !pod.mirror && pod.owner !== "DaemonSet" && pod.owner !== "Node" && !["Succeeded", "Failed"].includes(pod.phase);

/** Cordon, then drain, as long as the Node is there. */
export const planDrain: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const cluster = clusterOf(world);
  const through = Object.keys(change.survivors)[0] ?? "";
  return Object.keys(change.leaving).flatMap((node): Step[] => {
    const seen = cluster.nodes.find((one) => one.name === node);
    if (seen === undefined) return [];
    const risk = (name: string) => change.settings.acknowledge.includes(`${name}:${node}`);
    const flags = [
      "--ignore-daemonsets",
      ...(risk("evict-bare-pods") ? ["--force"] : []),
      ...(risk("local-data") ? ["--delete-local-data"] : []),
    ];
    const pods = (cluster.pods[node] ?? []).filter(isEvictable);
    return [
      ...(seen.unschedulable
        ? []
        : [
            {
              do: "cordon" as const,
              host: through,
              node,
              flags: [],
              title: `make ${node} unschedulable`,
              commands: [sh`oc adm cordon ${node}`],
            },
          ]),
      ...((pods.length === 0 && seen.unschedulable) || isGone(node, world, change)
        ? []
        : [
            {
              do: "drain" as const,
              host: through,
              node,
              flags,
              title: `drain ${node}: ${podsInWords(pods)}`,
              commands: [sh`oc adm drain ${node} ${flags} --timeout=300s`],
            },
          ]),
    ];
  });
};

const podsInWords = (pods: readonly PodFacts[]): string => {
  const some = pods.slice(0, 5).map((pod) => `${pod.namespace}/${pod.name}`);
  return pods.length === 0
    ? "no pod to move now"
    : `${pods.length} to move: ${some.join(", ")}${pods.length > some.length ? ", …" : ""}`;
};

/** The node service first, so that nothing registers the Node again; then the Node. */
export const planNodeRemoval: Planner = (world, change) => {
  const through = Object.keys(change.survivors)[0] ?? "";
  return Object.keys(change.leaving).flatMap((node): Step[] => {
    const service = leaver(world, change, node)?.nodeService;
    const there = clusterOf(world).nodes.some((one) => one.name === node);
    return [
      ...(service !== undefined && (service.active || service.enabled)
        ? [
            {
              do: "stop-node-service" as const,
              host: node,
              unit: service.unit,
              title: `stop and disable ${service.unit}`,
              commands: [sh`systemctl disable --now ${service.unit}.service`],
            },
          ]
        : []),
      ...(there
        ? [
            {
              do: "delete-node" as const,
              host: through,
              node,
              title: `delete the Node ${node}`,
              commands: [sh`oc delete node ${node}`],
            },
          ]
        : []),
    ];
  });
};
