/** etcd's membership: the removal of one member, judged anew, and the proof that the rest is healthy. */
import { memberOf, membersOf } from "../../plan/members.ts";
import { setAsideScript } from "../../plan/etcd-data-script.ts";
import { paths } from "../../plan/probe.ts";
import { escapeControls } from "../../plan/quote.ts";
import { Refusal } from "../../plan/refusal.ts";
import type { Change, Step } from "../../plan/steps.ts";
import { RemoteError } from "../errors.ts";
import { type Context, hostOf, permit, until } from "./context.ts";
import { growing, judgedNow, patience } from "./etcd-judged.ts";
import { type View, ask, askSurvivors, e3, leaderOf, listed } from "./etcd-view.ts";
import { stepAside } from "./leadership.ts";

type Removal = Extract<Step, { do: "remove-member" }>;

/** Answers that need not be the last word. Whatever was answered, only the list tells what became of it. */
const passing =
  /unhealthy cluster|too many learner|timeout|timed out|leader changed|no leader|deadline|unavailable|refused|reset|no answer|member not found|^$/i;

/**
 * Removes a member by id through a survivor. Everything is looked at and judged anew before each try; an answer that was lost is read back, never repeated blindly.
 * @throws Refusal naming what was seen, when it may not be removed now
 */
export async function removeMember(context: Context, step: Removal): Promise<void> {
  const end = Date.now() + patience * 1000;
  let rest: string[] = [];
  let askedToStepAside = false;
  const refusals = await until(
    context,
    `etcd member ${step.member} removed`,
    patience,
    async () => {
      const before = await listed(context, step.host);
      if (before === undefined) return { seen: "no master that stays lists the members" };
      rest = before.filter((id) => id !== step.member);
      if (!before.includes(step.member)) return { done: [] };
      const judged = await judgedNow(context, step.of);
      if (judged.refusals.length > 0)
        return judged.lasting || Date.now() >= end ? { done: judged.refusals } : { seen: judged.refusals.join("; ") };
      // an election since the plan was made may have made it the leader
      const leads = judged.members.some((one) => one.id === step.member && one.leader && one.healthy);
      if (leads && judged.reachable && !askedToStepAside) {
        askedToStepAside = true;
        await stepAside(context, step.of, step.member);
        return { seen: "it led, and was asked to hand over" };
      }
      await permit(context);
      const said = await removed(context, step);
      const after = await listed(context, step.host);
      if (after?.includes(step.member) === false) return { done: [] };
      if (!passing.test(said)) throw new Error(`etcd on ${step.host} did not remove member ${step.member}: ${said}`);
      return { seen: said };
    },
    growing,
  );
  if (refusals.length > 0)
    throw new Refusal(
      `refused, etcd member ${step.member} of ${step.of} was not removed; seen just before: ${refusals.join("; ")}`,
    );
  await settled(context, rest);
}

/** What etcdctl said; of a lost answer, that it was lost. */
async function removed(context: Context, { host, member }: Removal): Promise<string> {
  try {
    const said = await e3(context, host, ["member", "remove", member], `removing etcd member ${member}`);
    return escapeControls(said.slice(0, 400));
  } catch (error) {
    if (!(error instanceof RemoteError) || error.outcome === "failed") throw error;
    context.say(`the answer to the removal was lost (${error.message}); reading the list back`);
    return "no answer";
  }
}

/** Every survivor lists exactly the rest, is healthy, and names the same leader among them, on two looks at least two seconds apart. */
async function settled(context: Context, rest: readonly string[]): Promise<void> {
  let good = 0;
  await until(
    context,
    `every surviving etcd member is healthy and lists ${rest.length} members, twice`,
    patience,
    async () => {
      const views = await askSurvivors(context);
      const wrong = views.flatMap((view) => complaints(view, rest, context.change));
      const leader = leaderOf(views);
      if (wrong.length === 0 && (leader === undefined || !rest.includes(leader)))
        wrong.push(`they do not agree on a leader that stays (${leader ?? "none"})`);
      good = wrong.length === 0 ? good + 1 : 0;
      return good >= 2 ? { done: true } : { seen: wrong.join("; ") || "healthy once" };
    },
    2,
  );
}

function complaints({ host, etcd, seen }: View, rest: readonly string[], { leaving }: Change): string[] {
  if (etcd === undefined) return [`${host}: ${seen}`];
  const ids = etcd.members.map(({ id }) => id);
  const same = ids.toSorted().join() === rest.toSorted().join();
  // one that never started may leave next
  const goes = new Set(Object.keys(leaving).flatMap((name) => membersOf(name, leaving, etcd.members)));
  return [
    ...(same ? [] : [`${host} lists ${ids.length} members (${ids.join(", ")})`]),
    ...etcd.members
      .filter((member) => !member.started && !goes.has(member))
      .map(({ id }) => `${host} lists ${id}, which has not started`),
    ...(etcd.healthy ? [] : [`${host}: ${etcd.detail}`]),
  ];
}

/** Renames the data of a host that is no member any more and runs no etcd. */
export async function setAsideData(context: Context, step: Extract<Step, { do: "set-aside-data" }>): Promise<void> {
  const { host } = step;
  const { leaving, survivors } = context.change;
  for (const through of Object.keys(survivors)) {
    const { etcd, seen } = await ask(context, through);
    if (etcd === undefined)
      throw new Error(`etcd's data on ${host} stays: ${through} cannot say who is a member (${seen})`);
    const member = memberOf(host, leaving, etcd.members);
    if (member !== undefined)
      throw new Refusal(`etcd's data on ${host} stays: ${through} still lists its member ${member.id}`);
  }
  await permit(context);
  const to = `${paths.etcdData}.removed-${context.session.run}`;
  const script = setAsideScript({ from: paths.etcdData, to, manifest: `${paths.pods}/etcd.yaml` });
  await hostOf(context, host).run(script, { what: "setting etcd's data aside", deadline: 30 });
  context.say(`${host}: etcd's data is ${to} now`);
}
