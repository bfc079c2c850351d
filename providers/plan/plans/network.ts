/** FlannelNetwork and ServiceEndpoints. */
import { type FileFacts, type NodeFacts, type ServiceFacts, isReachable } from "../facts.ts";
import { dropEndpoint } from "../flanneld.ts";
import { type Step, identityOf, entries } from "../steps.ts";
import { type Planner, edited, editStep, survivor, clusterOf, nobodyLeaves, forEachLeaving } from "./asked.ts";

/** Flannel's etcd endpoints, on every master that stays and every other node that can be reached. */
export const planFlannel: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const hosts: [string, FileFacts | undefined, ServiceFacts | undefined][] = [
    ...Object.keys(change.survivors).map((host): [string, FileFacts | undefined, ServiceFacts | undefined] => [
      host,
      survivor(world, host).files.flanneld,
      survivor(world, host).flanneld,
    ]),
    ...entries(world.nodes).flatMap(([host, facts]): [string, FileFacts | undefined, ServiceFacts | undefined][] =>
      isReachable<NodeFacts>(facts) ? [[host, facts.flanneldFile, facts.flanneld]] : [],
    ),
  ];
  return hosts.flatMap(([host, file, service]): Step[] => {
    const edit =
      file &&
      edited(
        host,
        file,
        forEachLeaving(change, (text, name) => dropEndpoint(text, identityOf(name, change.leaving)).text),
      );
    const restart = service !== undefined && (edit !== undefined ? service.active : service.stale);
    return [
      ...(edit
        ? [editStep(host, edit, `take ${Object.keys(change.leaving).join(", ")} out of the etcd endpoints`)]
        : []),
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
  });
};

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
