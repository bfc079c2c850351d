/** The masters that stay, etcd's members, the quorum and the risks. */
import { isReachable } from "../facts.ts";
import { memberOf, membersOf, observedMembers, viewOfSurvivors } from "../members.ts";
import { type World, entries } from "../steps.ts";
import { isOff } from "../strangers/begun.ts";
import { type Removal, type Standing, decide, faultTolerance, quorum } from "../topology.ts";
import { type Check, names, orNothing, refusalOf } from "./judgement.ts";
import { toldMembers } from "./undeclared.ts";

export const direction: Check = (_world, change, before) => {
  if (before === undefined) return {};
  const added = names(change.survivors).filter((name) => !(name in before));
  const removed = names(before).filter((name) => !(name in change.survivors));
  const moved = names(change.survivors).filter((name) => name in before && before[name] !== change.survivors[name]);
  return {
    refusals: [
      ...(added.length > 0 && removed.length > 0
        ? [
            `masters are added (${added.join(", ")}) and removed (${removed.join(", ")}) in one change: do one, \`pulumi up\`, then the other`,
          ]
        : []),
      ...moved.map(
        (name) =>
          `the address of ${name} changes from ${before[name] ?? ""} to ${change.survivors[name] ?? ""}: giving a master another address is not a change of the list; put the old address back`,
      ),
    ],
  };
};

export const survivors: Check = (world, change) => ({
  refusals: names(change.survivors).flatMap((name) => {
    const facts = world.masters[name];
    if (facts === undefined || !isReachable(facts))
      return [`${name} cannot be reached, and every master that stays must be: ${facts?.unreachable ?? "not asked"}`];
    const { etcd } = facts;
    return [
      ...(etcd === undefined
        ? [
            `etcd on ${name} cannot be asked (${facts.etcdSeen}): every master that stays must run a healthy member; repair it first`,
          ]
        : etcd.healthy
          ? []
          : [`the etcd member on ${name} is not healthy (${etcd.detail}): repair it first`]),
      ...facts.unreadable.map((why) => `${name}: ${why}, so it cannot be edited`),
      ...(facts.files.etcdConf === undefined
        ? [`${name}: /etc/etcd/etcd.conf is not there: is this a master of OpenShift 3.11?`]
        : []),
      ...(facts.files.masterConfig === undefined
        ? [`${name}: /etc/origin/master/master-config.yaml is not there: is this a master of OpenShift 3.11?`]
        : []),
      ...sameMachine(world, name),
    ];
  }),
  passing: names(change.survivors).flatMap((name) => {
    const facts = world.masters[name];
    if (!isReachable(facts) || facts.readiness.ready) return [];
    const { asked, seen } = facts.readiness;
    return [`the API of ${name} is not ready (${asked}: ${seen}): repair it first`];
  }),
});

function sameMachine(world: World, name: string): string[] {
  const own = world.masters[name];
  const id = isReachable(own) ? own.identity.machineId : "";
  return entries(world.masters).flatMap(([other, facts]) =>
    other > name && id !== "" && isReachable(facts) && facts.identity.machineId === id
      ? [`${name} and ${other} are one machine (machine id ${id}): one of the addresses is wrong`]
      : [],
  );
}

export const members: Check = (world, change, before) => {
  const view = viewOfSurvivors(world, change);
  if (view === undefined) return { refusals: ["no master that stays could say who the etcd members are"] };
  const hosts = { ...change.leaving, ...change.survivors };
  const list = view.etcd.members;
  const known = new Map(
    names(hosts).flatMap((name) => membersOf(name, hosts, list).map((member) => [member.id, name] as const)),
  );
  const told = toldMembers(world, change, before);
  const differing = names(change.survivors).filter((name) => {
    const facts = world.masters[name];
    return (
      isReachable(facts) &&
      facts.etcd !== undefined &&
      facts.etcd.members
        .map((member) => member.id)
        .toSorted()
        .join() !==
        list
          .map((member) => member.id)
          .toSorted()
          .join()
    );
  });
  return {
    refusals: [
      ...list
        .filter((member) => !known.has(member.id) && !told.has(member.id))
        .map(
          (member) =>
            `etcd has a member that is not declared: ${member.id} (${member.name || "unstarted"}, ${member.peerURLs.join(" ")}): declare its master, or remove it by hand`,
        ),
      ...list
        .filter((member) => !member.started && (known.get(member.id) ?? "") in change.survivors)
        .map(
          (member) =>
            `the etcd member ${member.id} of ${known.get(member.id) ?? ""} has never started: start or remove it first`,
        ),
      ...names(change.survivors)
        .filter((name) => membersOf(name, hosts, list).length === 0)
        .map(
          (name) =>
            `${name} is declared and is not a member of etcd: scale up with openshift-ansible first, then \`pulumi up\` adopts it${isRetired(world, name) ? "; or, as its API's manifest is in disabled/ like that of a retired master, delete its line" : ""}`,
        ),
      ...differing.map(
        (name) =>
          `${name} sees other etcd members than ${view.host} does: wait until the cluster agrees, and run this again`,
      ),
      ...names(hosts).flatMap((name) => refusalOf(() => memberOf(name, hosts, list))),
    ],
  };
};

const isRetired = (world: World, name: string): boolean => {
  const facts = world.masters[name];
  return isReachable(facts) && isOff(facts);
};

export const quorumAndRisks: Check = (world, change) => {
  const view = viewOfSurvivors(world, change);
  if (view === undefined) return {};
  const observed = orNothing(() => observedMembers(world, change, view.etcd));
  if (observed === undefined) return {};
  const alarms = view.etcd.alarms.map(
    (alarm) => `etcd has an alarm: ${alarm.alarm} on member ${alarm.memberId}: clear its cause first`,
  );
  if (names(change.leaving).length === 0)
    return { refusals: alarms, notes: [toleranceInWords(observed.length, observed.length)] };
  const decision = decide({
    members: observed,
    leaving: names(change.leaving),
    acknowledge: change.settings.acknowledge,
  });
  const after = observed.filter((member) => !(member.name in change.leaving)).length;
  // an interrupted removal has no leaver left to judge: the risk stays the same
  const left =
    decision.reasons.length > 0 || observed.some((member) => member.name in change.leaving)
      ? []
      : risks(after, change.settings.acknowledge);
  return {
    refusals: [...(decision.reasons.length > 0 ? [] : alarms), ...decision.reasons, ...left],
    notes: [
      toleranceInWords(observed.length, after),
      ...decision.removals.map(removalInWords),
      ...(names(change.survivors).length === 1 ? ["one master is left: its API is away while it restarts"] : []),
    ],
  };
};

function risks(after: number, acknowledged: readonly string[]): string[] {
  const met = [...(after < 3 ? ["below-three-masters"] : []), ...(after % 2 === 0 ? ["even-members"] : [])];
  return met
    .filter((risk) => !acknowledged.includes(risk))
    .map((risk) => `${after} masters are left: acknowledge \`${risk}\` to accept it`);
}

/** What one removal does to the quorum, and how many more may fail. */
function removalInWords({ name, id, before, after }: Removal): string {
  const told = ({ members, healthy, quorum: needed, tolerance }: Standing) =>
    `${healthy} of ${members} healthy, quorum ${needed}, ${tolerance <= 0 ? "none" : tolerance} may fail`;
  return `etcd loses ${name} (${id}): ${told(before)} → ${told(after)}`;
}

/** `4→3: tolerates 1 failure, as before`. */
export function toleranceInWords(before: number, after: number): string {
  const [was, is] = [faultTolerance(before), faultTolerance(after)];
  const failures = is === 0 ? "no failure" : is === 1 ? "1 failure" : `${is} failures`;
  const compared = before === after ? "" : is === was ? ", as before" : `, ${was} before`;
  return `etcd ${before === after ? `${after} members` : `${before}→${after}`}: tolerates ${failures}${compared} (quorum ${quorum(after)})`;
}
