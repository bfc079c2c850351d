/** EtcdMembership: the removals, one after the other, and the survivors' etcd.conf. */
import { dropMember, initialCluster, authorityOf } from "../etcd-conf.ts";
import type { ListedMember } from "../etcdctl.ts";
import { observedMembers, viewOfSurvivors } from "../members.ts";
import { paths } from "../probe.ts";
import { sh } from "../quote.ts";
import { Refusal, Unasked } from "../refusal.ts";
import { isAddressOf } from "../same-host.ts";
import { type Change, type Step, type World, identityOf } from "../steps.ts";
import { type ObservedMember, type Removal, decide, standing } from "../topology.ts";
import { type Planner, edited, editStep, survivor, leaver, nobodyLeaves, forEachLeaving } from "./asked.ts";
import { disable, disabling } from "./static-pods.ts";

/**
 * Member by member: leadership away, removal by id through a survivor, its etcd pod off (and its data set aside, if that is configured). Then the survivors'
 * ETCD_INITIAL_CLUSTER. A pod whose member an earlier run has removed goes off before anything else.
 */
export const planMembership: Planner = (world, change) => {
  if (nobodyLeaves(change)) return [];
  const view = viewOfSurvivors(world, change);
  if (view === undefined) throw new Unasked("no healthy etcd member that stays could be asked");
  const observed = observedMembers(world, change, view.etcd);
  const { verdict, reasons, removals } = decide({
    members: observed,
    leaving: Object.keys(change.leaving),
    acknowledge: change.settings.acknowledge,
  });
  if (verdict === "refuse") throw new Refusal(reasons.join("; "));
  const done = Object.keys(change.leaving).filter((host) => !removals.some(({ name }) => name === host));
  const each = removals.flatMap((one, n): Step[] => {
    const gone = removals.slice(0, n).map(({ id }) => id);
    const present = observed.filter(({ id }) => !gone.includes(id));
    const member = view.etcd.members.find(({ id }) => id === one.id);
    const aside = steppingAside(world, change, one.name, present);
    return [
      ...aside.steps,
      removalStep(view.host, one, member, present.length - 1, aside.note),
      ...podOff(world, change, one.name, aside.stopped),
    ];
  });
  return [...done.flatMap((name) => podOff(world, change, name, false)), ...each, ...confs(world, change)];
};

function removalStep(
  through: string,
  { name: of, id }: Removal,
  member: ListedMember | undefined,
  left: number,
  note: string,
): Step {
  const who = member === undefined || member.name === "" ? "unstarted" : member.name;
  return {
    do: "remove-member",
    host: through,
    member: id,
    of,
    title: `remove etcd member ${id} (${who}, ${member?.peerURLs.join(" ") ?? ""})${note}; judged anew right before, then prove ${left} healthy member${left === 1 ? "" : "s"}`,
    commands: [sh`etcdctl member remove ${id}`],
  };
}

interface Aside {
  readonly steps: Step[];
  /** The first step takes the etcd pod off. */
  readonly stopped: boolean;
  /** What the removal's title says of it. */
  readonly note: string;
}

/** A leader that leaves hands its leadership over first, as its etcd is able to. `present` are the members right before its removal. */
function steppingAside(world: World, change: Change, name: string, present: readonly ObservedMember[]): Aside {
  const nothing = { steps: [], stopped: false, note: "" };
  const member = present.find((one) => one.name === name);
  const facts = leaver(world, change, name);
  // one that does not run leads no more, whatever the others still believe
  if (member?.leader !== true || facts === undefined || !runsEtcd(facts)) return nothing;
  const to = present.find((one) => one.healthy && one.name in change.survivors);
  const { etcdctl = "", status } = facts.etcd ?? {};
  const without = Object.entries({ etcd: status?.version ?? "", etcdctl }).find(
    ([, version]) => !hasMoveLeader(version),
  );
  if (without === undefined && to !== undefined) return { ...nothing, steps: [moveLeader(name, member.id, to)] };
  const others = standing(present.filter((one) => one !== member)).healthy;
  if (others < standing(present).quorum) return { ...nothing, note: ", which ends its leadership" };
  return { steps: [stopLeader(name, member.id, (without ?? ["etcd", "there"]).join(" "))], stopped: true, note: "" };
}

const runsEtcd = ({ pods, listeners }: { pods: readonly string[]; listeners: readonly { port: number }[] }): boolean =>
  pods.includes("etcd.yaml") || listeners.some(({ port }) => port === 2379);

/** etcd and etcdctl have it since 3.3. A version that is not known may have it: it is tried, and then done without. */
export const hasMoveLeader = (version: string): boolean => {
  const [, major = "", minor = ""] = /^(\d+)\.(\d+)\./.exec(version) ?? [];
  return major === "" || Number(major) > 3 || (Number(major) === 3 && Number(minor) >= 3);
};

const moveLeader = (host: string, member: string, to: ObservedMember): Step => ({
  do: "move-leader",
  host,
  member,
  to: to.id,
  title: `move etcd's leadership from ${host} to member ${to.id} (${to.name})`,
  commands: [sh`etcdctl move-leader ${to.id}`],
});

const stopLeader = (host: string, member: string, without: string): Step => ({
  do: "stop-leader",
  host,
  member,
  title: `etcd pod off before its member is removed, since it leads and ${without} has no move-leader: etcd.yaml to disabled/, until port 2379 is closed and another member leads`,
  commands: disabling("etcd.yaml"),
});

function podOff(world: World, change: Change, host: string, stopped: boolean): Step[] {
  const facts = leaver(world, change, host);
  if (facts === undefined) return [];
  return [
    ...(stopped ? [] : disable(facts, host, "etcd.yaml", 2379, false)),
    ...(change.settings.etcd.purge && facts.etcdData
      ? [
          {
            do: "set-aside-data" as const,
            host,
            title: `set etcd's data aside: ${paths.etcdData} becomes member.removed-<run>; nothing is deleted`,
            commands: [`mv -T ${paths.etcdData} ${paths.etcdData}.removed-<run>`],
          },
        ]
      : []),
  ];
}

const confs = (world: World, change: Change): Step[] =>
  Object.keys(change.survivors).flatMap((host): Step[] => {
    const file = survivor(world, host).files.etcdConf;
    if (file === undefined) throw new Unasked(`${host}: ${paths.etcdConf} could not be read`);
    const edit = edited(
      host,
      file,
      forEachLeaving(change, (text, name) => dropFromInitialCluster(text, name, change)),
    );
    const title = `take ${Object.keys(change.leaving).join(", ")} out of ETCD_INITIAL_CLUSTER (etcd is not restarted)`;
    return edit === undefined ? [] : [editStep(host, edit, title)];
  });

function dropFromInitialCluster(conf: string, name: string, change: Change): string {
  const identity = identityOf(name, change.leaving);
  const urls = initialCluster(conf)
    .filter((entry) => isAddressOf(identity, authorityOf(entry.url)?.host ?? ""))
    .map((entry) => entry.url);
  return dropMember(conf, { name, peerURLs: urls }).text;
}
