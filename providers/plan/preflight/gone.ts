/** Hosts that are gone, or have come back, and who holds the controllers' lease: what preview tells of them. Nothing is refused. */
import { type AuthorityName, authorities, custodyOf } from "../authority.ts";
import { type MasterFacts, isReachable } from "../facts.ts";
import { memberOf, viewOfSurvivors } from "../members.ts";
import { nodeServices, paths } from "../probe.ts";
import { escapeControls } from "../quote.ts";
import { isCalled } from "../same-host.ts";
import { type Change, type World, isGone } from "../steps.ts";
import { type Check, names, orTrue } from "./judgement.ts";

/** For each host that is gone, one line: what is skipped on it, and what to do when the machine comes back. */
export const gone: Check = (world, change) => ({
  notes: names(change.leaving)
    .filter((name) => isGone(name, world, change))
    .map((name) => {
      const facts = world.masters[name];
      const why = isReachable(facts) ? "" : escapeControls(facts?.unreachable ?? "it was not looked at");
      const skipped = [
        "its backup",
        "its drain",
        handingOver(world, change, name),
        "moving controller.yaml, apiserver.yaml and etcd.yaml to disabled/",
        ...(change.settings.etcd.purge ? [`renaming ${paths.etcdData}`] : []),
        "stopping and disabling its node service",
      ];
      return `${name} is gone (${why}), as acknowledged, so this is skipped: ${skipped.join(", ")}. ${whenItReturns}`;
    }),
});

const whenItReturns =
  "Should the machine come back, do not start it on the cluster's network: its member is removed, so its etcd is told to shut down, but its API answers on port 8443 " +
  "as before, with the etcd endpoints of before, and its controllers want their lease. Off the network, first " +
  `\`systemctl disable --now\` ${nodeServices.join(" or ")}, then move these manifests out of ${paths.pods} (docs/retired-host.md)`;

function handingOver(world: World, change: Change, name: string): string {
  const taken = (["openshift", "etcd"] as const satisfies readonly AuthorityName[]).flatMap((authority) => {
    const { handOvers } = custodyOf(world, change, authority);
    const archives = handOvers.flatMap(({ source }) => (source.host === name ? (source.archive ?? []) : []));
    return archives
      .slice(0, 1)
      .map((one) => ({ what: authorities[authority].what, from: `${one.archive} of ${one.takenAt}` }));
  });
  if (taken.length === 0) return "handing over what it holds of the certificate authorities";
  return `handing over the certificate authorities it holds (${taken.map(({ what, from }) => `${what} comes from the archive ${from}`).join("; ")})`;
}

/**
 * A host that was retired earlier, is no member any more, and runs a control plane: it was gone then. An interrupted run looks otherwise: there the API goes before the
 * member does. Only hosts that were looked at anyhow are told of: a machine that was switched off long ago costs nobody a time-out.
 */
export const returned: Check = (world, change, before) => ({
  notes: names(change.leaving).flatMap((name) => {
    const facts = world.masters[name];
    if (before === undefined || name in before || !isReachable(facts)) return [];
    const running = runsThere(facts);
    const controlPlane = [8443, 8444].some((port) => isOn(facts, port));
    const view = viewOfSurvivors(world, change);
    if (!controlPlane || view === undefined) return [];
    if (orTrue(() => memberOf(name, change.leaving, view.etcd.members) !== undefined)) return [];
    return [
      `${name} was retired earlier and answers again: it is no member of etcd any more, and there still run its ${running.join(", its ")}. They answer and act on what it was configured for: \`pulumi refresh\`, then \`pulumi up\`, takes them off`,
    ];
  }),
});

const manifests = { 8443: "apiserver.yaml", 8444: "controller.yaml", 2379: "etcd.yaml" } as const;
type Port = keyof typeof manifests;

const isOn = ({ pods, listeners }: MasterFacts, port: number): boolean =>
  pods.includes(manifests[port as Port]) || listeners.some((one) => one.port === port);

function runsThere(facts: MasterFacts): string[] {
  const what = { 8443: "API", 8444: "controllers", 2379: "etcd pod" };
  return [
    ...([8443, 8444, 2379] as const)
      .filter((port) => isOn(facts, port))
      .map((port) => `${what[port]} (${manifests[port]})`),
    ...(facts.nodeService?.active === true ? [`node service (${facts.nodeService.unit})`] : []),
  ];
}

/** Who holds the controllers' lease; when that one leaves, another must hold it before the next step. */
export const lease: Check = (world, change) => {
  if (names(change.leaving).length === 0) return {};
  const { cluster } = world;
  const held = isReachable(cluster) ? cluster.controllers : "";
  const goes = names(change.leaving).find((name) => isCalled(held, name));
  if (held === "") {
    const why = isReachable(cluster) ? "no object of the cluster names a holder" : escapeControls(cluster.unreachable);
    return {
      notes: [
        `who holds the controllers' lease cannot be told (${why}): once the controllers of a leaving master are off, another must be seen to hold it all the same, or nothing more is done`,
      ],
    };
  }
  if (goes === undefined) return { notes: [`the controllers' lease is held by ${held}, which stays`] };
  return {
    notes: [
      isReachable(world.masters[goes])
        ? `the controllers' lease is held by ${goes}, which leaves: once its controllers are off, another master must hold it before the next step`
        : `the controllers' lease is held by ${goes}, which leaves and cannot be asked: another takes it when it has run out`,
    ],
  };
};
