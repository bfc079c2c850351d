/** etcd's leadership off a member that leaves. */
import { escapeControls } from "../../plan/quote.ts";
import { Refusal } from "../../plan/refusal.ts";
import type { Step } from "../../plan/steps.ts";
import { quorum, standing } from "../../plan/topology.ts";
import { RemoteError } from "../errors.ts";
import { type Context, permit, until } from "./context.ts";
import { growing, judgedNow, patience } from "./etcd-judged.ts";
import { type View, askSurvivors, e3, leaderOf, leadersInWords } from "./etcd-view.ts";
import { disableManifest } from "./pods.ts";

/** Seconds until the others must have another leader. */
const election = 60;

/** To a healthy survivor; where etcdctl has no `move-leader` after all, the etcd that leads is stopped gracefully. */
export const moveLeader = (context: Context, step: Extract<Step, { do: "move-leader" }>): Promise<void> =>
  stepAside(context, step.host, step.member, step.to);

/**
 * Leadership off a member that leaves; one that does not lead is left alone.
 * @param host where its etcd runs
 * @param to preferred; another healthy survivor when it is ill by now
 */
export async function stepAside(context: Context, host: string, member: string, to = ""): Promise<void> {
  let said = "";
  await until(
    context,
    `another member than ${member} leads etcd`,
    election,
    async () => {
      const views = await askSurvivors(context);
      const leader = leaderOf(views);
      if (leader !== undefined && leader !== member) return { done: true };
      const heir = heirOf(views, to);
      if (leader === undefined || heir === undefined) return { seen: leadersInWords(views) };
      await permit(context);
      said = await moved(context, host, heir);
      if (!/unknown command/i.test(said)) return { seen: `${leadersInWords(views)}; ${said}` };
      // stopping the leader costs a vote: with too few others, the removal itself ends its leadership
      if (healthy(views).length < quorum(views[0]?.etcd?.members.length ?? 0)) return { done: true };
      context.say("this etcdctl has no move-leader: stopping the leaving etcd gracefully instead");
      await disableManifest(context, host, "etcd.yaml", 2379);
      return { seen: "its etcd is stopped" };
    },
    growing,
  );
}

const healthy = (views: readonly View[]): View[] => views.filter(({ etcd }) => etcd?.healthy === true);

function heirOf(views: readonly View[], preferred: string): string | undefined {
  const ids = healthy(views).flatMap(({ etcd }) => etcd?.status?.memberId ?? []);
  return ids.includes(preferred) ? preferred : ids[0];
}

/** What etcdctl said; a lost answer is told, and who leads is asked again. */
async function moved(context: Context, host: string, to: string): Promise<string> {
  try {
    return escapeControls((await e3(context, host, ["move-leader", to], "moving etcd's leadership")).slice(0, 200));
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    context.say(`no answer to move-leader (${error.message}); asking who leads`);
    return "no answer";
  }
}

/**
 * The etcd pod of a leaving member off before its removal (etcd 3.2 hands leadership over when it stops), until the others have another leader.
 * @throws Refusal when the others are too few or too ill for that
 */
export async function stopLeader(context: Context, step: Extract<Step, { do: "stop-leader" }>): Promise<void> {
  const { host, member } = step;
  const end = Date.now() + patience * 1000;
  const refusals = await until(
    context,
    `the etcd pod of ${host} may be stopped`,
    patience,
    async () => {
      const { refusals: found, lasting, members } = await judgedNow(context, host);
      const others = standing(members.filter(({ id }) => id !== member)).healthy;
      const { members: voters, quorum: needed } = standing(members);
      const all =
        found.length === 0 && others < needed
          ? [`without it ${others} of ${voters} members are healthy, and a quorum needs ${needed}`]
          : found;
      return all.length === 0 || lasting || Date.now() >= end ? { done: all } : { seen: all.join("; ") };
    },
    growing,
  );
  if (refusals.length > 0)
    throw new Refusal(
      `refused, the etcd pod of ${host}, which led, was not stopped and its member ${member} not removed; seen just before: ${refusals.join("; ")}`,
    );
  await permit(context);
  await disableManifest(context, host, "etcd.yaml", 2379);
  await until(context, `another member than ${member} leads etcd`, election, async () => {
    const views = await askSurvivors(context);
    const leader = leaderOf(views);
    return leader !== undefined && leader !== member ? { done: true } : { seen: leadersInWords(views) };
  });
}
