/** FlannelNetwork and ServiceEndpoints. */
import { type FileFacts, type NodeFacts, type ServiceFacts, isReachable } from "../facts.ts";
import { dropEndpoint } from "../flanneld.ts";
import { type Change, type Step, type World, identityOf, entries } from "../steps.ts";
import { type Planner, edited, editStep, survivor, clusterOf, nobodyLeaves, forEachLeaving } from "./asked.ts";

/** Flannel's etcd endpoints: on every master that stays, one after the other; then on every other node that can be reached, nodes apart from each other. */
export const planFlannel: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const masters = Object.keys(change.survivors).flatMap((host) => {
    const { files, flanneld } = survivor(world, host);
    return onHost(change, host, files.flanneld, flanneld);
  });
  const nodes = entries(world.nodes).flatMap(([host, facts]) =>
    isReachable<NodeFacts>(facts) ? onHost(change, host, facts.flanneldFile, facts.flanneld) : [],
  );
  return [...masters, ...nodes.map((step): Step => ({ ...step, apart: true }))];
};

/** Nodes of which it is not known whether their flannel names who leaves, with the reason. */
export const unaskedNodes = (world: World): Record<string, string> =>
  Object.fromEntries(
    entries(world.nodes).flatMap(([host, facts]) => (isReachable<NodeFacts>(facts) ? [] : [[host, facts.unreachable]])),
  );

function onHost(change: Change, host: string, file: FileFacts | undefined, service: ServiceFacts | undefined): Step[] {
  const edit =
    file &&
    edited(
      host,
      file,
      forEachLeaving(change, (text, name) => dropEndpoint(text, identityOf(name, change.leaving)).text),
    );
  const restart = service !== undefined && (edit !== undefined ? service.active : service.stale);
  return [
    ...(edit ? [editStep(host, edit, `take ${Object.keys(change.leaving).join(", ")} out of the etcd endpoints`)] : []),
    ...(restart
      ? [
          {
            do: "restart-flannel" as const,
            host,
            title: "restart flanneld, proved active",
            commands: ["systemctl restart flanneld.service"],
          },
        ]
      : []),
  ];
}

/** The kubernetes service must name exactly the masters that stay; the APIs see to that, this waits. */
export const planEndpoints: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const wanted = Object.values(change.survivors).toSorted();
  const stale = clusterOf(world).endpoints.addresses.filter((address) =>
    Object.values(change.leaving).includes(address),
  );
  if (stale.length === 0) return [];
  return [
    {
      do: "await-endpoints",
      host: Object.keys(change.survivors)[0] ?? "",
      addresses: wanted,
      title: `wait (90 s at most) until the kubernetes service no longer has ${stale.join(", ")}`,
    },
  ];
};
