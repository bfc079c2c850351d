/** Asks all members of etcd at once, through a master that stays: how far they are, and the hash of what they hold. Reads only. */
import {
  type Asked,
  type Census,
  type Counted,
  askedMembers,
  censusScript,
  commonRevision,
  isSettled,
  withHashes,
  withStatus,
} from "../plan/census.ts";
import { isReachable } from "../plan/facts.ts";
import { membersOf, viewOfSurvivors } from "../plan/members.ts";
import { messageOf } from "../plan/refusal.ts";
import type { Change, World } from "../plan/steps.ts";
import { pause } from "./apply/context.ts";
import type { RemoteHost } from "./remote-host.ts";
import type { Session } from "./session.ts";

/** Looks before anything is said to differ, and seconds between two of them. */
const most = 3;
const between = 2;

/** The part `census` of the world, when a member is to be removed. Never throws: what could not be asked is `unknown`. */
export async function askCensus(session: Session, world: World, change: Change): Promise<Partial<World>> {
  const listed = viewOfSurvivors(world, change)?.etcd.members ?? [];
  const hosts = { ...change.leaving, ...change.survivors };
  if (!Object.keys(change.leaving).some((name) => membersOf(name, hosts, listed).length > 0)) return {};
  const members = askedMembers(world, change);
  const through = Object.entries(change.survivors).filter(([name]) => {
    const facts = world.masters[name];
    return isReachable(facts) && facts.etcd?.healthy === true;
  });
  let best: World["census"];
  // a second one, where the first could not reach all that stay
  for (const [name, address] of through.slice(0, 2)) {
    const census = await censusThrough(session.host(name, address), members).catch((error: unknown) => ({
      unknown: messageOf(error),
    }));
    if ("members" in census && isWhole(census, change)) return { census };
    if (best === undefined || "unknown" in best) best = census;
  }
  return best === undefined ? {} : { census: best };
}

const isWhole = ({ members }: Census, { survivors }: Change): boolean =>
  Object.entries(members).every(([name, { status }]) => status !== undefined || !(name in survivors));

/** @throws RemoteError when the host cannot be asked */
export async function censusThrough(
  host: Pick<RemoteHost, "name" | "address" | "run">,
  members: Readonly<Record<string, Asked>>,
  seconds = between,
): Promise<Census> {
  for (let looks = 1; ; looks += 1) {
    const census = { ...(await look(host, members)), through: host.name, looks };
    if (looks === most || isSettled(census)) return census;
    await pause(seconds);
  }
}

async function look(
  host: Pick<RemoteHost, "address" | "run">,
  asked: Readonly<Record<string, Asked>>,
): Promise<Pick<Census, "revision" | "members">> {
  const ask = async (members: Readonly<Record<string, Asked>>, what: string, revision?: string): Promise<string> => {
    const urls = Object.values(members).map(({ url }) => url);
    return (await host.run(censusScript(host.address, urls, revision), { what, deadline: 60, ok: "any" })).stdout;
  };
  const members = withStatus(asked, await ask(asked, "asking all etcd members for their status"));
  const revision = commonRevision(members);
  const answering = Object.entries(members).filter(([, { status }]) => status !== undefined);
  if (revision === "" || answering.length === 0) return { revision: "", members };
  const some: Record<string, Counted> = Object.fromEntries(answering);
  const hashed = withHashes(some, await ask(some, "asking all etcd members for the hash of their data", revision));
  return { revision, members: { ...members, ...hashed } };
}
