/** StaticPods: manifests to disabled/. */
import type { MasterFacts } from "../facts.ts";
import { paths } from "../probe.ts";
import type { Step } from "../steps.ts";
import { type Planner, leaver } from "./asked.ts";

/** Controllers first, and another must hold the lease; then the API. The etcd pod belongs to EtcdMembership. */
export const planStaticPods: Planner = (world, change) =>
  Object.keys(change.leaving).flatMap((host) => {
    const facts = leaver(world, change, host);
    if (facts === undefined) return [];
    return [
      ...disable(facts, host, "controller.yaml", 8444, true),
      ...disable(facts, host, "apiserver.yaml", 8443, false),
    ];
  });

export function disable(facts: MasterFacts, host: string, manifest: string, port: number, lease: boolean): Step[] {
  const there = facts.pods.includes(manifest);
  if (!there && !facts.listeners.some((listener) => listener.port === port)) return [];
  const what =
    { "controller.yaml": "controllers", "apiserver.yaml": "API", "etcd.yaml": "etcd pod" }[manifest] ?? manifest;
  return [
    {
      do: "disable-manifest",
      host,
      manifest,
      port,
      lease,
      title: there
        ? `${what} off: ${manifest} to disabled/, until port ${port} is closed${lease ? " and another master holds the controllers' lease" : ""}`
        : `wait until port ${port} of the ${what} is closed`,
      commands: there ? disabling(manifest) : [],
    },
  ];
}

export const disabling = (manifest: string): string[] => [
  `mkdir -p ${paths.disabled}`,
  `mv ${paths.pods}/${manifest} ${paths.disabled}/${manifest}`,
];
