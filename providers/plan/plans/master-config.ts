/** MasterConfig: the survivors' configuration and their restart. */
import { dropMaster, dropNoProxy } from "../master-config.ts";
import { paths } from "../probe.ts";
import { Unasked } from "../refusal.ts";
import { type Step, entries, identityOf } from "../steps.ts";
import { type Planner, edited, editStep, survivor, nobodyLeaves, forEachLeaving } from "./asked.ts";
import { wayOut, isOut } from "./balancer.ts";

/** Each survivor's master-config.yaml and master.env, and its restart, one master after the other. */
export const planMasterConfig: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const count = Object.keys(change.survivors).length;
  const balancers = entries(change.settings.loadBalancers)
    .filter(([, entry]) => entry.kind === "haproxy")
    .map(([name]) => name);
  const plans = Object.keys(change.survivors).map((host): { back: Step[]; steps: Step[] } => {
    const facts = survivor(world, host);
    const { masterConfig, masterEnv } = facts.files;
    if (masterConfig === undefined) throw new Unasked(`${host}: ${paths.masterConfig} could not be read`);
    const names = Object.keys(change.leaving).join(", ");
    const config = edited(
      host,
      masterConfig,
      forEachLeaving(change, (text, name) => dropMaster(text, identityOf(name, change.leaving), count).text),
    );
    const env =
      masterEnv &&
      edited(
        host,
        masterEnv,
        forEachLeaving(change, (text, name) => dropNoProxy(text, identityOf(name, change.leaving)).text),
      );
    const changed = config !== undefined || env !== undefined;
    const old = (port: number) =>
      changed ||
      facts.listeners.some(
        (listener) => listener.port === port && listener.since > 0 && listener.since <= facts.configChanged,
      );
    const components = [...(old(8443) ? ["api" as const] : []), ...(old(8444) ? ["controllers" as const] : [])];
    const node = identityOf(host, change.survivors);
    // the only master cannot leave its pools: its API is away while it restarts, as Preflight says
    const around = components.includes("api") && count > 1 ? balancers : [];
    const restart: Step[] =
      components.length === 0
        ? []
        : [
            {
              do: "restart-master",
              host,
              node,
              components,
              balancers: around,
              title: `restart ${components.join(" and ")}, ${around.length === 0 ? "" : `out of ${around.join(", ")} meanwhile, `}and wait until ready`,
              commands: [
                ...around.map((name) => `${name}: ${wayOut(world, name, host, change)}`),
                ...components.map((name) => `master-restart ${name}`),
                ...around.map((name) => `${name}: put back, proved UP`),
              ],
            },
          ];
    // a killed run may have left it out of a pool; a restart out of its pools puts it back afterwards
    const back =
      around.length > 0
        ? []
        : balancers
            .filter((name) => isOut(world, change, name, host))
            .map((balancer): Step => ({
              do: "put-back",
              host: balancer,
              balancer,
              node,
              title: `put ${host} back into the pools`,
            }));
    const steps = [
      ...(config ? [editStep(host, config, `take ${names} out of etcdClientInfo.urls, masterCount ${count}`)] : []),
      ...(env ? [editStep(host, env, `take ${names} out of NO_PROXY`)] : []),
      ...restart,
    ];
    return { back, steps };
  });
  // those that a killed run left out come first: the others can only go while they are in service
  return [...plans.flatMap(({ back }) => back), ...plans.flatMap(({ steps }) => steps)];
};
