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
  readonly alarms: readonly string[];
}

/** What is asked: `leaving` are member names, `acknowledge` the risks accepted by name. */
export interface Question {
  readonly members: readonly ObservedMember[];
  readonly leaving: readonly string[];
  readonly acknowledge: readonly string[];
}

/** `order` holds member names, and is empty on a refusal. */
export interface Decision {
  readonly verdict: "go" | "refuse";
  readonly order: string[];
  /** Why not, one sentence per cause, all at once; a risk that can be acknowledged is named in backticks. */
  readonly reasons: string[];
  /** Healthy members beyond the quorum: how many may still fail. Negative: that many are missing. */
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

/**
 * Judges a removal on its final state, and on every step to it.
 * - A name that is no member: nothing to remove, not an error. Nothing leaves: go, nothing is judged.
 * - Refused always: the last member; two members of one leaving name; a survivor that is unhealthy or not started; an alarm on any
 *   member; a step that has no quorum before it (the removal could not commit) or after it.
 * - Fewer than three members, an even number: each only when acknowledged.
 * - Order: dead members, then healthy ones, the leader last; ties as listed.
 */
export function decide({ members, leaving, acknowledge }: Question): Decision {
  const leavers = members.filter((member) => leaving.includes(member.name));
  const survivors = members.filter((member) => !leaving.includes(member.name));
  const tolerance = { before: spare(members), after: spare(survivors) };
  if (leavers.length === 0) return { verdict: "go", order: [], reasons: [], tolerance };
  const order = leavers.toSorted((one, other) => rank(one) - rank(other));
  const reasons = [
    ...ambiguousNames(leavers),
    ...(survivors.length === 0 ? ["refusing to remove the last etcd member: the cluster's data would be gone"] : []),
    ...survivors.flatMap(ailments),
    ...members.flatMap(alarms),
    ...(survivors.length === 0 ? [] : lostQuorum(members, order)),
    ...missingRisks(survivors.length, acknowledge),
  ];
  if (reasons.length > 0) return { verdict: "refuse", order: [], reasons, tolerance };
  return { verdict: "go", order: order.map((member) => member.name), reasons, tolerance };
}

/** A dead member goes first: it counts against the quorum and contributes nothing. */
function rank(member: ObservedMember): number {
  if (!isAlive(member)) return 0;
  return member.leader ? 2 : 1;
}

function isAlive(member: ObservedMember): boolean {
  return member.started && member.healthy;
}

function spare(members: readonly ObservedMember[]): number {
  return members.filter(isAlive).length - quorum(members.length);
}

function ambiguousNames(leavers: readonly ObservedMember[]): string[] {
  const names = leavers.map((member) => member.name);
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  return [...twice].map(
    (name) => `refusing to choose between the etcd members named ${name}: remove one of them by hand first`,
  );
}

function ailments(survivor: ObservedMember): string[] {
  const { name, id } = survivor;
  if (isAlive(survivor)) return [];
  const state = survivor.started ? "is not healthy" : "has not started";
  return [`refusing to remove a member while survivor ${name || "(no name)"} (${id}) ${state}: repair it first`];
}

function alarms({ name, id, alarms }: ObservedMember): string[] {
  if (alarms.length === 0) return [];
  return [
    `refusing to change membership while ${name || "(no name)"} (${id}) has an alarm (${alarms.join(", ")}): clear its cause and disarm it first`,
  ];
}

/** The first step without a quorum before or after it; later ones would only repeat it. */
function lostQuorum(members: readonly ObservedMember[], order: readonly ObservedMember[]): string[] {
  for (const [index, leaver] of order.entries()) {
    const before = members.filter((member) => !order.slice(0, index).includes(member));
    const after = before.filter((member) => member !== leaver);
    const short = [before, after].findIndex((list) => spare(list) < 0);
    const list = short === 0 ? before : after;
    const healthy = list.filter(isAlive).length;
    const when = short === 0 ? "before" : "after";
    if (short >= 0)
      return [
        `refusing to remove ${leaver.name} from etcd: losing quorum: ${healthy} of ${list.length} members healthy, ` +
          `quorum needs ${quorum(list.length)} ${when} the removal; repair the unhealthy members first`,
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
