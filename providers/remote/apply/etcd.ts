/** etcd's membership: leadership, removal, and the proof that the rest is healthy. */
import { parseEndpointStatus, parseHealth, parseMembers } from "../../plan/etcdctl.ts";
import { etcdShell } from "../../plan/probe.ts";
import { quote } from "../../plan/quote.ts";
import type { Step } from "../../plan/steps.ts";
import { quorum } from "../../plan/topology.ts";
import { RemoteError } from "../errors.ts";
import { type Context, hostOf, pause, permit, until } from "./context.ts";
import { disableManifest } from "./pods.ts";

/** Runs etcdctl (v3) on a master against its own member; the exit status is told, not judged. */
async function e3(
  context: Context,
  host: string,
  args: readonly string[],
  what: string,
): Promise<{ code: number; output: string }> {
  const remote = hostOf(context, host);
  const { code, stdout, stderr } = await remote.run(`${etcdShell(remote.address)}\ne3 ${args.map(quote).join(" ")}`, {
    what,
    deadline: 30,
    ok: "any",
  });
  return { code, output: `${stdout}\n${stderr}`.trim() };
}

const listMembers = async (context: Context, host: string) =>
  parseMembers(linesWith((await e3(context, host, ["member", "list"], "listing the etcd members")).output, ", "));
const linesWith = (output: string, mark: string): string =>
  output
    .split("\n")
    .filter((line) => line.includes(mark))
    .join("\n");
const leaderSeen = async (context: Context, host: string): Promise<string> => {
  const { output } = await e3(context, host, ["endpoint", "status", "-w", "json"], "asking for the leader");
  return parseEndpointStatus(output.split("\n").find((line) => line.startsWith("[")) ?? "[]")[0]?.leaderId ?? "0";
};

/** Moves leadership off a leaving member; where etcdctl has no `move-leader` (3.2), its etcd is stopped gracefully. */
export async function moveLeader(context: Context, step: Extract<Step, { do: "move-leader" }>): Promise<void> {
  const witness = Object.keys(context.change.survivors)[0] ?? "";
  if ((await leaderSeen(context, witness)) !== step.member) return;
  const { output } = await e3(context, step.host, ["move-leader", step.to], "moving etcd's leadership");
  if (/unknown command/i.test(output)) {
    const members = await listMembers(context, witness);
    // stopping the leader costs a vote: with too few others, the removal itself ends its leadership
    if (Object.keys(context.change.survivors).length < quorum(members.length)) return;
    context.say("this etcdctl has no move-leader: stopping the leaving etcd gracefully instead");
    await disableManifest(context, step.host, "etcd.yaml", 2379);
  }
  await until(context, "another member leads etcd", 60, async () => {
    const leader = await leaderSeen(context, witness);
    return leader !== "0" && leader !== step.member
      ? { done: true }
      : { seen: `leader ${leader}; ${output.slice(0, 200)}` };
  });
}

/** Seconds for `unhealthy cluster`, which etcd answers for about 5 s after any restart. */
const patience = 60;

/** Removes a member by id through a survivor; an answer that was lost is read back, never repeated blindly. */
export async function removeMember(context: Context, step: Extract<Step, { do: "remove-member" }>): Promise<void> {
  await until(
    context,
    `etcd member ${step.member} removed`,
    patience,
    async () => {
      if (!(await listMembers(context, step.host)).some((member) => member.id === step.member)) return { done: true };
      await permit(context);
      let seen = "no answer";
      try {
        seen = (await e3(context, step.host, ["member", "remove", step.member], `removing etcd member ${step.member}`))
          .output;
      } catch (error) {
        if (!(error instanceof RemoteError) || error.outcome !== "unknown") throw error;
        context.say(`the answer to the removal was lost (${error.message}); reading the list back`);
      }
      if (!(await listMembers(context, step.host)).some((member) => member.id === step.member)) return { done: true };
      if (!/unhealthy cluster|too many learner|timeout|timed out|leader changed|deadline|no answer|^$/i.test(seen))
        throw new Error(`etcd on ${step.host} did not remove member ${step.member}: ${seen.slice(0, 400)}`);
      return { seen: seen.slice(0, 200) };
    },
    3,
  );
  await settled(context, step.member);
}

/** Every survivor lists the rest and is healthy, on two looks, two seconds apart. */
async function settled(context: Context, gone: string): Promise<void> {
  let good = 0;
  await until(context, "every surviving etcd member is healthy, twice", 90, async () => {
    const looks = await Promise.all(
      Object.keys(context.change.survivors).map(async (host) => {
        const members = await listMembers(context, host).catch(() => []);
        const health = parseHealth((await e3(context, host, ["endpoint", "health"], "asking for health")).output);
        const fine =
          members.length > 0 &&
          members.every((member) => member.id !== gone && member.started) &&
          health.length > 0 &&
          health.every((one) => one.healthy);
        return fine ? "" : `${host}: ${members.length} members, ${health[0]?.detail ?? "no answer"}`;
      }),
    );
    const wrong = looks.filter((text) => text !== "");
    good = wrong.length === 0 ? good + 1 : 0;
    if (good >= 2) return { done: true };
    if (wrong.length === 0) await pause(1);
    return { seen: wrong.join("; ") || "healthy once" };
  });
}
