/** haproxy: edit, check, reload, prove; everything back if it is not proved. */
import { type BalancerFacts, balancerFacts } from "../../plan/facts.ts";
import { serversFor, serversOf } from "../../plan/haproxy.ts";
import type { HostIdentity } from "../../plan/host.ts";
import { backendOf, canSetState, disabledEdit, isRowOf } from "../../plan/plans.ts";
import { askSocket, balancerProbe } from "../../plan/probe.ts";
import { quote, sh } from "../../plan/quote.ts";
import type { Edit, Server, Step } from "../../plan/steps.ts";
import type { RemoteHost } from "../remote-host.ts";
import { type Context, hostOf, keepName, pause, permit, until } from "./context.ts";
import { editRemote } from "./edit.ts";

type Balance = Extract<Step, { do: "balance" }>;

/** Seconds in which a load balancer must prove itself after a reload. */
const proof = 30;
/** Seconds that short requests are given to end before a drained server goes. */
const drainTime = 5;

const settingsOf = (context: Context, name: string) => {
  const entry = context.change.settings.loadBalancers[name];
  if (entry?.kind !== "haproxy") throw new Error(`${name} is no haproxy load balancer`);
  return entry;
};

export async function lookAt(context: Context, name: string): Promise<BalancerFacts> {
  const entry = settingsOf(context, name);
  const { stdout } = await hostOf(context, name).run(balancerProbe(entry), {
    what: `looking at ${name}`,
    deadline: 60,
    limit: 2 ** 24,
    ok: "any",
  });
  return balancerFacts(stdout, entry.config);
}

/** Drops servers: drains them where that is possible, then edits, reloads and proves, or puts the old file back. */
export async function balance(context: Context, step: Balance): Promise<void> {
  const host = hostOf(context, step.host);
  for (const server of step.drain) await setState(host, step.socket, server, "drain");
  if (step.drain.length > 0) await sessionsEnd(context, step.host, step.drain, drainTime);
  await editReloadProve(context, step.host, step.edit, step.up);
}

async function editReloadProve(
  context: Context,
  name: string,
  edit: Edit | undefined,
  up: readonly Server[],
): Promise<void> {
  const host = hostOf(context, name);
  const { config } = settingsOf(context, name);
  if (edit !== undefined) await editRemote(context, host, edit, (temporary) => sh`haproxy -c -f ${temporary} 2>&1`);
  try {
    await reload(context, name);
    await prove(context, name, up);
  } catch (error) {
    if (edit === undefined) throw error;
    // a gone engine or a lost lock: nothing more is written, the next run reads and goes on
    await permit(context);
    const why = error instanceof Error ? error.message : String(error);
    context.say(`not proved (${why}); putting the old ${config} back`);
    const now = (await lookAt(context, name)).config;
    if (now?.text === edit.after) await editRemote(context, host, { before: now, after: edit.before.text });
    await reload(context, name);
    await prove(context, name, []);
    throw new Error(
      `${name}: the edit of ${config} was taken back, and the old file is proved again: ${why} (the old file was kept as ${keepName(context, config)})`,
      { cause: error },
    );
  }
}

async function reload(context: Context, name: string): Promise<void> {
  const { service } = settingsOf(context, name);
  const unit = `${service}.service`;
  const script = sh`if [ "$(systemctl show -p CanReload ${unit})" = CanReload=yes ]; then systemctl reload ${unit}; else systemctl restart ${unit}; fi 2>&1`;
  await hostOf(context, name).run(script, { what: `reloading ${service}`, deadline: 60 });
}

/** The process is alive, the servers wanted are UP (where the statistics can be read), and the API answers through it. */
async function prove(context: Context, name: string, up: readonly Server[]): Promise<void> {
  await until(context, `${name}: proving the pools`, proof, async () => {
    const facts = await lookAt(context, name);
    const rows = facts.stats;
    const missing =
      rows === undefined
        ? []
        : up.filter((one) => !rows.some((row) => isRowOf(row, one) && /^(UP|no check)/.test(row.status)));
    if (!facts.active) return { seen: "the service is not running" };
    if (missing.length > 0)
      return { seen: `not UP: ${missing.map((one) => `${backendOf(one.section)}/${one.server}`).join(", ")}` };
    return facts.through.ready ? { done: true } : { seen: `the API through it: ${facts.through.seen}` };
  });
}

async function setState(
  host: RemoteHost,
  socket: string,
  server: Server,
  state: "drain" | "maint" | "ready",
): Promise<void> {
  const command = `set server ${backendOf(server.section)}/${server.server} state ${state}`;
  const { stdout } = await host.run(`${askSocket}\nask ${quote(socket)} ${quote(command)}`, {
    what: `setting ${server.server} to ${state}`,
    deadline: 20,
  });
  if (stdout.trim() !== "")
    throw new Error(`${host.name}: haproxy refused \`${command}\`: ${stdout.trim().slice(0, 200)}`);
}

/** Waits for the sessions of drained servers, bounded: a watch never ends by itself, the API ends it. */
async function sessionsEnd(context: Context, name: string, servers: readonly Server[], seconds: number): Promise<void> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const { stats = [] } = await lookAt(context, name);
    const left = stats
      .filter((row) => servers.some((one) => isRowOf(row, one)))
      .reduce((sum, row) => sum + row.sessions, 0);
    if (left === 0) return;
    if (Date.now() > end) {
      context.say(`${name}: ${left} long-lived connections are left on the drained server; the API ends them itself`);
      return;
    }
    await pause(1);
  }
}

/** The host's own server lines, as the file has them now. */
const ownServers = (facts: BalancerFacts, node: HostIdentity) => serversFor(facts.config?.text ?? "", node);

/** A pool is never left without a server: another one must be UP before this one goes. */
function requireOthersUp(balancer: string, config: string, facts: BalancerFacts, own: readonly Server[]): void {
  const { stats } = facts;
  if (stats === undefined) return;
  for (const one of own) {
    const isUp = (other: Server) => stats.some((row) => isRowOf(row, other) && /^(UP|no check)/.test(row.status));
    const others = serversOf(config).filter(
      (other) =>
        other.section === one.section &&
        !own.some((mine) => mine.section === other.section && mine.server === other.server),
    );
    if (!others.some(isUp))
      throw new Error(
        `${balancer}: ${one.server} is the only server UP in ${one.section}: it is not taken out; bring another one up first`,
      );
  }
}

/** A master goes out of service in one load balancer, by the runtime socket where it is admin-level, else by `disabled` and a reload. */
export async function takeOut(context: Context, balancer: string, node: HostIdentity): Promise<void> {
  const facts = await lookAt(context, balancer);
  const own = ownServers(facts, node);
  if (facts.config === undefined)
    throw new Error(`${balancer}: its configuration could not be read (${facts.configSeen})`);
  if (own.length === 0) return;
  requireOthersUp(balancer, facts.config.text, facts, own);
  if (canSetState(facts)) {
    for (const server of own) await setState(hostOf(context, balancer), facts.socket, server, "drain");
    await sessionsEnd(context, balancer, own, drainTime);
    for (const server of own) await setState(hostOf(context, balancer), facts.socket, server, "maint");
    return;
  }
  const edit = disabledEdit(balancer, facts.config, node, true);
  if (edit !== undefined) await editReloadProve(context, balancer, edit, []);
}

/** A master comes back into service in one load balancer, proved UP. */
export async function putBack(context: Context, balancer: string, node: HostIdentity): Promise<void> {
  const facts = await lookAt(context, balancer);
  const own = ownServers(facts, node);
  if (facts.config === undefined)
    throw new Error(`${balancer}: its configuration could not be read (${facts.configSeen})`);
  if (own.length === 0) return;
  const edit = disabledEdit(balancer, facts.config, node, false);
  if (canSetState(facts))
    for (const server of own) await setState(hostOf(context, balancer), facts.socket, server, "ready");
  // without the runtime socket only a reload brings a server back: a killed run may have written the file and no more
  if (edit !== undefined || !canSetState(facts)) await editReloadProve(context, balancer, edit, own);
  else await prove(context, balancer, own);
}
