/** EtcdMembership: the removal, and the survivors' etcd.conf. */
import { dropMember, initialCluster, authorityOf } from "../etcd-conf.ts";
import { memberOf, observedMembers, viewOfSurvivors } from "../members.ts";
import { paths } from "../probe.ts";
import { sh } from "../quote.ts";
import { Refusal, Unasked } from "../refusal.ts";
import { isAddressOf } from "../same-host.ts";
import { type Change, type Step, identityOf } from "../steps.ts";
import { decide } from "../topology.ts";
import { type Planner, edited, editStep, survivor, leaver, nobodyLeaves, forEachLeaving } from "./asked.ts";
import { disable } from "./static-pods.ts";

/** Leadership away, removal by id through a survivor, the etcd pod off, and the survivors' ETCD_INITIAL_CLUSTER. */
export const planMembership: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const view = viewOfSurvivors(world, change);
  if (view === undefined) throw new Unasked("no healthy etcd member that stays could be asked");
  const { host: through, etcd } = view;
  const observed = observedMembers(world, change, etcd);
  const { settings } = change;
  const decision = decide({
    members: observed,
    leaving: Object.keys(change.leaving),
    acknowledge: settings.acknowledge,
  });
  if (decision.verdict === "refuse") throw new Refusal(decision.reasons.join("; "));
  const to = observed.find((member) => member.healthy && member.name in change.survivors)?.id;
  const removals = decision.order.flatMap((name, n): Step[] => {
    const member = memberOf(name, change.leaving, etcd.members);
    if (member === undefined) return [];
    const leads = etcd.status?.leaderId === member.id && leaver(world, change, name) !== undefined;
    return [
      ...(leads && to !== undefined
        ? [
            {
              do: "move-leader" as const,
              host: name,
              member: member.id,
              to,
              title: `move etcd's leadership from ${name} to member ${to}`,
              commands: [sh`etcdctl move-leader ${to}`],
            },
          ]
        : []),
      {
        do: "remove-member",
        host: through,
        member: member.id,
        title: `remove etcd member ${member.id} (${member.name === "" ? "unstarted" : member.name}, ${member.peerURLs.join(" ")}), then prove ${etcd.members.length - 1 - n} healthy members`,
        commands: [sh`etcdctl member remove ${member.id}`],
      },
    ];
  });
  const pods = Object.keys(change.leaving).flatMap((host) => {
    const facts = leaver(world, change, host);
    return facts === undefined ? [] : disable(facts, host, "etcd.yaml", 2379, false);
  });
  const confs = Object.keys(change.survivors).flatMap((host): Step[] => {
    const file = survivor(world, host).files.etcdConf;
    if (file === undefined) throw new Unasked(`${host}: ${paths.etcdConf} could not be read`);
    const edit = edited(
      host,
      file,
      forEachLeaving(change, (text, name) => dropFromInitialCluster(text, name, change)),
    );
    return edit === undefined
      ? []
      : [
          editStep(
            host,
            edit,
            `take ${Object.keys(change.leaving).join(", ")} out of ETCD_INITIAL_CLUSTER (etcd is not restarted)`,
          ),
        ];
  });
  return [...removals, ...pods, ...confs];
};

function dropFromInitialCluster(conf: string, name: string, change: Change): string {
  const identity = identityOf(name, change.leaving);
  const urls = initialCluster(conf)
    .filter((entry) => isAddressOf(identity, authorityOf(entry.url)?.host ?? ""))
    .map((entry) => entry.url);
  return dropMember(conf, { name, peerURLs: urls }).text;
}
