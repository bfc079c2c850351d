/**
 * Whether members may leave etcd, and in which order. Pure arithmetic on what was observed; the caller observes again before each
 * step.
 */

/** A member of etcd as observed. `healthy` means: it answers and commits. */
export interface ObservedMember {
  readonly name: string;
  /** Hex. */
  readonly id: string;
  readonly started: boolean;
  readonly healthy: boolean;
  readonly leader: boolean;
  /** It has no vote. */
  readonly learner: boolean;
  readonly alarms: readonly string[];
  /** `3.2.32`; empty: unknown. */
  readonly version: string;
  /** Decimal, of the same moment as the other members'; empty: unknown. */
  readonly revision: string;
}

/** What is asked: `leaving` are member names, `acknowledge` the risks accepted by name. */
export interface Question {
  readonly members: readonly ObservedMember[];
  readonly leaving: readonly string[];
  readonly acknowledge: readonly string[];
  /** Names in the order of a plan that was made earlier; the others follow. Absent: the best order there is now. */
  readonly planned?: readonly string[] | undefined;
}

/** How a cluster stands. Learners have no vote and count nowhere. */
export interface Standing {
  readonly members: number;
  readonly healthy: number;
  readonly quorum: number;
  /** Healthy members beyond the quorum: how many may still fail. Negative: that many are missing. */
  readonly tolerance: number;
}

export interface Removal {
  readonly name: string;
  /** Hex. */
  readonly id: string;
  readonly before: Standing;
  readonly after: Standing;
}

/** `removals`, and `order` with their names, are empty on a refusal. */
export interface Decision {
  readonly verdict: "go" | "refuse";
  readonly removals: readonly Removal[];
  readonly order: string[];
  /** Why not, one sentence per cause, all at once; a risk that can be acknowledged is named in backticks. */
  readonly reasons: string[];
  /** Of the members now, and of those that stay. */
  readonly tolerance: { readonly before: number; readonly after: number };
}

/** Votes that a commit needs among `n` members. */
export function quorum(n: number): number {
  return Math.floor(n / 2) + 1;
}

/** How many of `n` healthy members may fail before nothing commits any more. */
export function faultTolerance(n: number): number {
  return Math.max(0, n - quorum(n));
}

/** How many revisions a member that stays may be behind the newest: followers are a few behind at any moment. */
export const largestLag = 1000n;

/**
 * Judges a removal on its final state, and on every step to it.
 * - A name that is no member: nothing to remove, not an error. Nothing leaves: go, nothing is judged.
 * - Refused always: the last member; two members of one leaving name; a survivor that is unhealthy, not started, a learner or more
 *   than `largestLag` behind; an alarm on any member; several minor versions of etcd; a step that has no quorum before it (the
 *   removal could not commit) or after it; a planned step to a state without fault tolerance that another order has.
 * - Fewer than three members, an even number: each only when acknowledged.
 * - Order: dead members, then learners, then healthy ones, the leader last; ties as listed. No other order is safer at any step.
 */
export function decide({ members, leaving, acknowledge, planned }: Question): Decision {
  const leavers = members.filter((member) => leaving.includes(member.name));
  const survivors = members.filter((member) => !leaving.includes(member.name));
  const tolerance = { before: standing(members).tolerance, after: standing(survivors).tolerance };
  if (leavers.length === 0) return { verdict: "go", removals: [], order: [], reasons: [], tolerance };
  const best = leavers.toSorted((one, other) => rank(one) - rank(other));
  const order =
    planned === undefined ? best : best.toSorted((one, other) => place(planned, one) - place(planned, other));
  const removals = order.map((leaver, n): Removal => {
    const [before, after] = [n, n + 1].map((removed) => standing(without(members, order.slice(0, removed))));
    return { name: leaver.name, id: leaver.id, before: before ?? standing([]), after: after ?? standing([]) };
  });
  const left = survivors.filter((member) => !member.learner).length;
  const reasons = [
    ...ambiguousNames(leavers),
    ...(left === 0
      ? ["refusing to remove the last etcd member: the cluster's data would be gone; keep one master"]
      : []),
    ...survivors.flatMap(ailments),
    ...laggards(members, survivors),
    ...members.flatMap(alarms),
    ...severalVersions(members),
    ...(left === 0 ? [] : lostQuorum(removals)),
    ...exposures(members, order, best),
    ...missingRisks(left, acknowledge),
  ];
  if (reasons.length > 0) return { verdict: "refuse", removals: [], order: [], reasons, tolerance };
  return { verdict: "go", removals, order: removals.map(({ name }) => name), reasons, tolerance };
}

/** How these members stand. */
export function standing(members: readonly ObservedMember[]): Standing {
  const voters = members.filter((member) => !member.learner);
  const healthy = voters.filter(isAlive).length;
  const needed = quorum(voters.length);
  return { members: voters.length, healthy, quorum: needed, tolerance: healthy - needed };
}

/** A dead member goes first: it counts against the quorum and contributes nothing. */
function rank(member: ObservedMember): number {
  if (member.learner) return 1;
  if (!isAlive(member)) return 0;
  return member.leader ? 3 : 2;
}

function place(planned: readonly string[], { name }: ObservedMember): number {
  const at = planned.indexOf(name);
  return at < 0 ? planned.length : at;
}

const isAlive = (member: ObservedMember): boolean => member.started && member.healthy;

const without = (members: readonly ObservedMember[], some: readonly ObservedMember[]): ObservedMember[] =>
  members.filter((member) => !some.includes(member));

const called = ({ name, id }: ObservedMember): string => `${name || "(no name)"} (${id})`;

function ambiguousNames(leavers: readonly ObservedMember[]): string[] {
  const names = leavers.map((member) => member.name);
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  return [...twice].map(
    (name) => `refusing to choose between the etcd members named ${name}: remove one of them by hand first`,
  );
}

function ailments(survivor: ObservedMember): string[] {
  const refused = (state: string, remedy: string) => [
    `refusing to remove a member while survivor ${called(survivor)} ${state}: ${remedy} first`,
  ];
  if (!survivor.started) return refused("has not started", "repair it");
  if (!survivor.healthy) return refused("is not healthy", "repair it");
  return survivor.learner ? refused("is a learner, which has no vote", "promote it, or remove it,") : [];
}

function laggards(members: readonly ObservedMember[], survivors: readonly ObservedMember[]): string[] {
  const revisions = members.flatMap(({ revision }) => (revision === "" ? [] : [BigInt(revision)]));
  const newest = revisions.reduce((most, one) => (one > most ? one : most), 0n);
  return survivors.flatMap((survivor) => {
    const lag = survivor.revision === "" ? 0n : newest - BigInt(survivor.revision);
    if (lag <= largestLag) return [];
    return [
      `refusing to remove a member while survivor ${called(survivor)} is ${lag} revisions behind the newest ` +
        `(it has ${survivor.revision}, another ${newest}): wait until it has caught up, or repair it, first`,
    ];
  });
}

function alarms(member: ObservedMember): string[] {
  if (member.alarms.length === 0) return [];
  return [
    `refusing to change membership while ${called(member)} has an alarm (${member.alarms.join(", ")}): clear its cause and disarm it first`,
  ];
}

/** The versions that are known are of several minor releases: patches of one work together for good. */
export const areSeveral = (members: readonly ObservedMember[]): boolean =>
  new Set(members.flatMap(({ version }) => /^\d+\.\d+/.exec(version)?.[0] ?? [])).size > 1;

function severalVersions(members: readonly ObservedMember[]): string[] {
  if (!areSeveral(members)) return [];
  const known = members.filter(({ version }) => version !== "");
  const each = known.map((member) => `${called(member)} ${member.version}`).join(", ");
  return [
    `refusing to change membership while the etcd members run different versions (${each}): bring all to one version first`,
  ];
}

/** The first step without a quorum before or after it; later ones would only repeat it. */
function lostQuorum(removals: readonly Removal[]): string[] {
  for (const { name, before, after } of removals) {
    const [when, short] = before.tolerance < 0 ? ["before", before] : ["after", after];
    if (short.tolerance < 0)
      return [
        `refusing to remove ${name} from etcd: losing quorum: ${short.healthy} of ${short.members} members healthy, ` +
          `quorum needs ${short.quorum} ${when} the removal; repair the unhealthy members first`,
      ];
  }
  return [];
}

/** The first step of a planned order, the last left out, to a state without fault tolerance where the best order has some. */
function exposures(
  members: readonly ObservedMember[],
  order: readonly ObservedMember[],
  best: readonly ObservedMember[],
): string[] {
  for (const [n, leaver] of order.slice(0, -1).entries()) {
    const after = standing(without(members, order.slice(0, n + 1)));
    const better = standing(without(members, best.slice(0, n + 1)));
    if (after.tolerance > 0 || better.tolerance <= 0) continue;
    const first = best.find((one) => !order.slice(0, n + 1).includes(one)) ?? leaver;
    return [
      `refusing to remove ${leaver.name} from etcd before ${first.name}: ${after.healthy} of ${after.members} members healthy would ` +
        `tolerate no failure, and with ${first.name} first etcd tolerates ${better.tolerance}; run this again, which plans that order`,
    ];
  }
  return [];
}

/** Judged on the final count: adopting members, or an odd count in between, is no risk. */
function missingRisks(count: number, acknowledge: readonly string[]): string[] {
  const left = count === 1 ? "1 master is" : `${count} masters are`;
  const risks = [
    {
      name: "below-three-masters",
      taken: count > 0 && count < 3,
      why: `only ${left} left, fewer than the three of a highly available cluster`,
    },
    {
      name: "even-members",
      taken: count > 0 && count % 2 === 0,
      why: `${count} etcd members tolerate no more failures than ${count - 1}`,
    },
  ];
  return risks
    .filter(({ name, taken }) => taken && !acknowledge.includes(name))
    .map(({ name, why }) => `\`${name}\` is not acknowledged: ${why}; add it to acknowledge to accept that`);
}
