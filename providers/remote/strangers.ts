/** Looks at masters that the cluster names and nobody declares, and at what earlier runs kept beside the load balancers' files. Reads only. */
import { type BalancerFacts, isReachable } from "../plan/facts.ts";
import { largestFile } from "../plan/parts.ts";
import type { Change, World } from "../plan/steps.ts";
import { keptFacts, keptProbe } from "../plan/strangers/facts.ts";
import { visited } from "../plan/strangers.ts";
import { askHost } from "./ask-host.ts";
import type { Session } from "./session.ts";

/** The part `strangers` of the world; nothing where every master is declared. Never throws. */
export async function askStrangers(session: Session, world: World, change: Change): Promise<Partial<World>> {
  const wanted = visited(world, change);
  if (Object.keys(wanted).length === 0) return {};
  const unasked = Object.fromEntries(Object.entries(wanted).filter(([name]) => !(name in world.masters)));
  const [hosts, kept] = await Promise.all([session.masters(unasked), keptThere(session, world)]);
  return { strangers: { hosts, kept } };
}

async function keptThere(session: Session, world: World) {
  const asked = Object.entries(session.settings.loadBalancers).flatMap(([name, entry]) => {
    const facts = world.balancers[name];
    return entry.kind === "haproxy" && isReachable<BalancerFacts>(facts) && facts.files.length > 0
      ? [{ name, address: entry.address, paths: facts.files.map(({ path }) => path) }]
      : [];
  });
  const question = { what: "reading what earlier runs kept", deadline: 60, limit: 8 * largestFile };
  const answers = asked.map(async ({ name, address, paths }) => {
    const kept = await askHost(session.host(name, address), keptProbe(paths), question, keptFacts);
    return [name, "unreachable" in kept ? [] : kept] as const;
  });
  return Object.fromEntries(await Promise.all(answers));
}
