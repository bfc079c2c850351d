/** What the masters say of etcd, asked anew; and whether they agree. */
import type { EtcdFacts } from "../../plan/facts.ts";
import { isReachable, masterFacts } from "../../plan/facts.ts";
import { inParts } from "../../plan/parts.ts";
import { etcdAsked, etcdShell } from "../../plan/probe.ts";
import { quote } from "../../plan/quote.ts";
import { askHost } from "../ask-host.ts";
import { type Context, hostOf } from "./context.ts";

export interface View {
  readonly host: string;
  /** Undefined when it could not be asked: `seen` says why. */
  readonly etcd: EtcdFacts | undefined;
  readonly seen: string;
}

const script = (address: string): string =>
  inParts(`${etcdShell(address)}
value via $via
${etcdAsked}`);

/** One master's own member. Never throws. */
export async function ask(context: Context, host: string): Promise<View> {
  const remote = hostOf(context, host);
  const asked = { what: "asking etcd", deadline: 60 };
  const facts = await askHost(remote, script(remote.address), asked, masterFacts);
  return isReachable(facts)
    ? { host, etcd: facts.etcd, seen: facts.etcdSeen }
    : { host, etcd: undefined, seen: facts.unreachable };
}

export const askSurvivors = (context: Context): Promise<View[]> =>
  Promise.all(Object.keys(context.change.survivors).map((host) => ask(context, host)));

/** The ids of all members by the first master that stays and answers, `first` before the others; undefined when none does. */
export async function listed(context: Context, first: string): Promise<string[] | undefined> {
  const others = Object.keys(context.change.survivors).filter((host) => host !== first);
  for (const host of [first, ...others]) {
    const { etcd } = await ask(context, host);
    if (etcd !== undefined) return etcd.members.map(({ id }) => id);
  }
  return undefined;
}

/** The leader that every one of them names; undefined when they do not, or there is none. */
export function leaderOf(views: readonly View[]): string | undefined {
  const leaders = new Set(views.map(({ etcd }) => etcd?.status?.leaderId ?? "0"));
  const [leader = "0"] = leaders;
  return leaders.size === 1 && leader !== "0" ? leader : undefined;
}

export const leadersInWords = (views: readonly View[]): string =>
  views
    .map(
      ({ host, etcd, seen }) =>
        `${host}: ${etcd === undefined ? seen : `leader ${etcd.status?.leaderId ?? "unknown"}`}`,
    )
    .join("; ");

/** Runs etcdctl (v3) on a master against its own member; the exit status is told, not judged: `master-exec` has none that means anything. */
export async function e3(context: Context, host: string, args: readonly string[], what: string): Promise<string> {
  const remote = hostOf(context, host);
  const { stdout, stderr } = await remote.run(`${etcdShell(remote.address)}\ne3 ${args.map(quote).join(" ")}`, {
    what,
    deadline: 30,
    ok: "any",
  });
  return `${stdout}\n${stderr}`.trim();
}
