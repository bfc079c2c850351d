/** NodeRemoval: the master as a node. */
import { sh } from "../quote.ts";
import type { Step } from "../steps.ts";
import { type Planner, clusterOf, leaver } from "./asked.ts";

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
