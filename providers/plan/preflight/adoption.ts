/** What is declared must be what is there. */
import { isReachable } from "../facts.ts";
import { serversOfHostIn } from "../haproxy.ts";
import { clientUrls, masterCountOf } from "../master-config.ts";
import { identityThere } from "../plans.ts";
import { entries } from "../steps.ts";
import { type Check, names, orNothing, orTrue } from "./judgement.ts";

/** At adoption: what is declared is what is there. Later drift is the resources' own to tell. */
export const declaredIsThere: Check = (world, change, before) => {
  const clusterGone = isReachable(world.cluster)
    ? world.cluster.unknown.map((what) => `the cluster could not be asked: ${what}`)
    : [`the cluster could not be asked: ${world.cluster.unreachable}`];
  if (before !== undefined && names(change.survivors).every((name) => name in before)) return { passing: clusterGone };
  const fresh = names(change.survivors).filter((name) => before === undefined || !(name in before));
  const cluster = isReachable(world.cluster) ? world.cluster : undefined;
  const missing = fresh.flatMap((name) => [
    ...(cluster !== undefined && cluster.unknown.length === 0 && !cluster.nodes.some((node) => node.name === name)
      ? [`${name} is declared and has no Node object: register its node first`]
      : []),
    ...(cluster !== undefined &&
    cluster.unknown.length === 0 &&
    !cluster.endpoints.addresses.includes(change.survivors[name] ?? "")
      ? [
          `${name} is declared and ${change.survivors[name] ?? ""} is not among the addresses of the kubernetes service (${cluster.endpoints.addresses.join(", ")})`,
        ]
      : []),
    ...entries(world.balancers).flatMap(([balancer, facts]) =>
      isReachable(facts) &&
      facts.files.length > 0 &&
      !orTrue(() => serversOfHostIn(facts.files, identityThere(facts, name, change.survivors)).length > 0)
        ? [
            `${name} is declared and ${balancer} has no server line for ${change.survivors[name] ?? ""}: add it to the pool first`,
          ]
        : [],
    ),
  ]);
  const counts = names(change.survivors).flatMap((name) => {
    const facts = world.masters[name];
    const config = isReachable(facts) ? facts.files.masterConfig : undefined;
    if (config === undefined) return [];
    const [count, urls] = [
      orNothing(() => masterCountOf(config.text)),
      orNothing(() => clientUrls(config.text))?.length,
    ];
    const expected = names(change.survivors).length;
    return [
      ...(count !== undefined && count !== expected
        ? [`${name}: masterCount is ${count}, ${expected} masters are declared`]
        : []),
      ...(urls !== undefined && urls !== expected
        ? [`${name}: etcdClientInfo.urls has ${urls} entries, ${expected} masters are declared`]
        : []),
    ];
  });
  return { refusals: missing, passing: clusterGone, notes: counts };
};
