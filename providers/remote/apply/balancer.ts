/** haproxy: drain, edit, check, load, prove; everything back if it is not proved. */
import { type BalancerFacts, balancerFacts } from "../../plan/facts.ts";
import { serversIn } from "../../plan/haproxy.ts";
import { balancerProbe, probeOf, unitShell } from "../../plan/haproxy-probe.ts";
import { type Wanted, drainScript, ending, proofScript, reloadScript, tellScript } from "../../plan/haproxy-scripts.ts";
import type { HostIdentity } from "../../plan/host.ts";
import {
  canSetState,
  checkCommand,
  disabledEdits,
  identityThere,
  isRowOf,
  isUp,
  ownLines,
  peersOf,
  runtimeCommand,
} from "../../plan/plans.ts";
import { escapeControls, lastLines } from "../../plan/quote.ts";
import { messageOf } from "../../plan/refusal.ts";
import { apiOf } from "../../plan/settings.ts";
import { maskLine } from "../../plan/show.ts";
import type { Edit, Server, Step } from "../../plan/steps.ts";
import { readFile } from "../files.ts";
import { runTold } from "../told.ts";
import { type Context, hostOf, keepName, permit, until } from "./context.ts";
import { editRemote } from "./edit.ts";

type Balance = Extract<Step, { do: "balance" }>;

/** Seconds in which a load balancer must prove itself after a reload. */
const proof = 30;

const settingsOf = (context: Context, name: string) => {
  const entry = context.change.settings.loadBalancers[name];
  if (entry?.kind !== "haproxy") throw new Error(`${name} is no haproxy load balancer`);
  return entry;
};

async function lookAt(context: Context, name: string): Promise<BalancerFacts> {
  const entry = settingsOf(context, name);
  const { stdout } = await hostOf(context, name).run(balancerProbe(probeOf(entry, context.change)), {
    what: `looking at ${name}`,
    deadline: 60,
    limit: 2 ** 25,
    ok: "any",
  });
  const facts = balancerFacts(stdout, entry.config);
  if (facts.files.length === 0) throw new Error(`${name}: its configuration could not be read (${facts.filesSeen})`);
  return facts;
}

/** Drops servers: drains them where that is possible, then edits, loads and proves, or puts everything back. */
export async function balance(context: Context, step: Balance): Promise<void> {
  const { host: name, on, drain, edits, peers } = step;
  const wanted = [...be("gone", step.gone), ...be("up", step.up)];
  await othersUp(context, name, on, step.gone);
  if (drain.length > 0)
    await drainServers(context, name, on, { servers: drain, peers, then: [] }).catch(async (error: unknown) => {
      await comeBack(context, name, on, drain);
      throw error;
    });
  await editLoadProve(context, name, on, edits, wanted, { gone: step.gone, drained: drain });
  if (drain.length === 0) await drainServers(context, name, on, { servers: [], peers, then: [] });
}

const be = (what: Wanted["be"], servers: readonly Server[]): Wanted[] =>
  servers.map((server) => ({ server, be: what }));

/** What is drained: servers at run time, or none where a reload has taken them out already; and the ends of their connections. */
interface Drained {
  readonly servers: readonly Server[];
  readonly peers: readonly string[];
  /** What they are told when their sessions have ended, or the time has. */
  readonly then: readonly string[];
}

/** Open sessions are waited for, bounded: a watch never ends by itself, the API ends it. */
async function drainServers(context: Context, name: string, facts: BalancerFacts, o: Drained): Promise<void> {
  const seconds = settingsOf(context, name).drain;
  if (o.servers.length === 0 && (o.peers.length === 0 || seconds === 0)) return;
  const orders = (state: "drain" | "ready") => o.servers.map((one) => runtimeCommand(facts, one, state));
  const script = drainScript({ ...o, socket: facts.socket, out: orders("drain"), back: orders("ready"), seconds });
  const what = o.peers.length > 0 ? o.peers.join(", ") : o.servers.map(({ server }) => server).join(", ");
  let left = "0";
  const { code, lines } = await runTold(
    hostOf(context, name),
    script,
    { what: `draining ${what}`, deadline: seconds + 60, idle: 60 },
    (line) => {
      const [, seen, after] = /^sessions (\d+|unknown) (\d+)$/.exec(line) ?? [];
      if (seen === undefined) return;
      left = seen;
      if (seen !== "0")
        context.say(
          `${name}: no new connections to ${what}; ${open(seen)} after ${after ?? ""} s of at most ${seconds}`,
        );
    },
  );
  if (code !== 0) throw new Error(`${name}: draining ${what} failed:\n${told(lines.join("\n"))}`);
  if (left !== "0") context.say(`${name}: ${open(left)} to ${what} after ${seconds} s; the API ends them itself`);
}
const open = (n: string): string => (n === "1" ? "1 is open" : `${n} are open`);

/** Drained servers are in service again; of one that is gone by now haproxy says that it does not know it. */
async function comeBack(
  context: Context,
  name: string,
  facts: BalancerFacts,
  drained: readonly Server[],
): Promise<void> {
  if (drained.length === 0) return;
  const orders = drained.map((one) => runtimeCommand(facts, one, "ready"));
  const asked = { what: "putting drained servers back", deadline: 60, ok: "any" } as const;
  const told = await permit(context)
    .then(() => hostOf(context, name).run(tellScript(facts.socket, orders), asked))
    .catch((error: unknown) => error);
  if (told instanceof Error)
    context.say(`${name}: the drained servers could not be put back (${told.message}): run \`pulumi up\` again`);
}

/** The servers that an edit drops; those that were drained for it. */
interface Leaving {
  readonly gone: readonly Server[];
  readonly drained: readonly Server[];
}

/** Edits, loads, proves; or everything back, and an error that tells what both said. */
async function editLoadProve(
  context: Context,
  name: string,
  on: BalancerFacts,
  edits: readonly Edit[],
  wanted: readonly Wanted[],
  leaving: Leaving = { gone: [], drained: [] },
): Promise<void> {
  const done: Edit[] = [];
  try {
    for (const edit of edits) {
      // a drain may have lasted longer than pulumi
      await permit(context);
      await editFile(context, name, on, edit);
      done.push(edit);
    }
    await loadAndProve(context, name, on, wanted, "load");
  } catch (error) {
    if (done.length === 0) {
      await comeBack(context, name, on, leaving.drained);
      throw error;
    }
    // a gone engine or a lost lock: nothing more is written, the next run reads and goes on
    await permit(context);
    const why = messageOf(error);
    context.say(`not proved, putting back what was there: ${why}`);
    const again = await putOldBack(context, name, on, done, leaving);
    const kept = done.map(({ before }) => keepName(context, before.path)).join(", ");
    throw new Error(`${name}: the edit was ${again}\nWhy: ${why}\nWhat was there is kept in ${kept}`, {
      cause: error,
    });
  }
}

/** Beside the others as they are now: what the unit would load. */
function editFile(context: Context, name: string, on: BalancerFacts, edit: Edit): Promise<void> {
  const shell = unitShell(settingsOf(context, name).service);
  return editRemote(
    context,
    hostOf(context, name),
    edit,
    (temporary) => `${shell}\nas_unit ${checkCommand(on, { [edit.before.path]: temporary })} 2>&1`,
  );
}

/** @throws Error with what the reload said, or with what was not so in the end */
async function loadAndProve(
  context: Context,
  name: string,
  on: BalancerFacts,
  wanted: readonly Wanted[],
  how: "load" | "look",
  first = "",
): Promise<void> {
  const settings = settingsOf(context, name);
  const script = proofScript({
    service: settings.service,
    api: apiOf(settings),
    socket: on.stats === undefined ? "" : on.socket,
    wanted,
    seconds: proof,
    first:
      how === "load"
        ? { script: reloadScript(settings.service, settings.restart), reloads: true }
        : { script: first, reloads: false },
  });
  const { code, stdout } = await hostOf(context, name).run(script, {
    what: how === "load" ? `loading and proving ${settings.service}` : `proving ${settings.service}`,
    deadline: proof + 120,
    ok: [0, ...Object.values(ending)],
  });
  if (code === 0) return;
  if (code === ending.unproved) throw new Error(`${name}: not proved within ${proof} s:\n${told(stdout)}`);
  throw new Error(
    `${name}: ${code === ending.reload ? "haproxy was not loaded anew" : "haproxy refused"}:\n${told(stdout)}`,
  );
}

const told = (output: string): string =>
  lastLines(output, 8)
    .map((line) => `  ${maskLine(escapeControls(line))}`)
    .join("\n");

/** The old files are in place again; says in which state they left haproxy. */
async function putOldBack(
  context: Context,
  name: string,
  on: BalancerFacts,
  done: readonly Edit[],
  { gone, drained }: Leaving,
): Promise<string> {
  const host = hostOf(context, name);
  for (const edit of done.toReversed()) {
    const { path } = edit.before;
    const file = await readFile(host, path);
    if (file?.text !== edit.after) {
      await comeBack(context, name, on, drained);
      return `not taken back: ${path} is no longer as we left it, so it stays as somebody wrote it; look at it`;
    }
    // no check: it is what haproxy ran with
    const before = { path, text: file.text, sha256: file.sha256 };
    await editRemote(context, host, { before, after: edit.before.text });
  }
  const wanted = be(
    "up",
    gone.filter((one) => isUp(on.stats ?? [], one)),
  );
  try {
    await loadAndProve(context, name, on, wanted, "load");
    await comeBack(context, name, on, drained); // a state file may have kept it out
    return "taken back, and the old configuration is loaded and proved again";
  } catch (error) {
    const why = messageOf(error);
    await comeBack(context, name, on, drained);
    const runsOn = await loadAndProve(context, name, on, wanted, "look").then(
      () => "haproxy runs on as before, which is proved",
      (still: unknown) => `what runs is not proved either: ${still instanceof Error ? still.message : String(still)}`,
    );
    return `taken back: the old files are in place, but could not be loaded:\n${why}\n${runsOn}`;
  }
}

/** A pool is never left without a server: another one must be UP before this one goes, unless it is DOWN itself. Waits for a check that is under way. */
async function othersUp(
  context: Context,
  name: string,
  facts: BalancerFacts,
  own: readonly Server[],
): Promise<readonly Server[]> {
  const same = (a: Server, b: Server) => a.section === b.section && a.server === b.server;
  const others = serversIn(facts.files).filter(
    (one) => !one.disabled && own.some((mine) => mine.section === one.section) && !own.some((mine) => same(mine, one)),
  );
  if (facts.stats === undefined) return [];
  let rows = facts.stats;
  await until(context, `${name}: another server of each pool is UP`, proof, async () => {
    const isDown = (one: Server) => rows.some((row) => isRowOf(row, one) && row.status.startsWith("DOWN"));
    const alone = own.filter(
      (mine) => !isDown(mine) && !others.some((one) => one.section === mine.section && isUp(rows, one)),
    );
    if (alone.length === 0) return { done: undefined };
    rows = (await lookAt(context, name)).stats ?? [];
    return { seen: alone.map((one) => `${one.server} is the only one of ${one.section}`).join("; ") };
  });
  return others.filter((one) => isUp(rows, one));
}

/**
 * A master goes out of service in every load balancer: where only a reload does it, one after the other; then at run time in all others. Its open sessions
 * are waited for in all at the same time.
 */
export async function takeOut(context: Context, names: readonly string[], node: HostIdentity): Promise<void> {
  const touched: string[] = [];
  const drains: (() => Promise<void>)[] = [];
  try {
    for (const name of names) {
      const facts = await lookAt(context, name);
      const identity = identityThere(facts, node.name, context.change.survivors);
      const own = ownLines(facts.files, identity);
      if (own.length === 0) continue;
      const others = await othersUp(context, name, facts, own);
      const peers = peersOf(own, identity);
      if (canSetState(facts)) {
        const then = own.map((one) => runtimeCommand(facts, one, "maint"));
        drains.push(() => {
          touched.push(name);
          return drainServers(context, name, facts, { servers: own, peers, then });
        });
        continue;
      }
      const edits = disabledEdits(name, facts, identity, true);
      await permit(context);
      if (edits.length > 0) await editLoadProve(context, name, facts, edits, [...be("out", own), ...be("up", others)]);
      touched.push(name);
      drains.push(() => drainServers(context, name, facts, { servers: [], peers, then: [] }));
    }
    await permit(context);
    const ended = await Promise.allSettled(drains.map((drain) => drain()));
    for (const one of ended) if (one.status === "rejected") throw one.reason;
  } catch (error) {
    // it does not restart: nothing keeps it out
    for (const name of touched) await tryPutBack(context, name, node);
    throw error;
  }
}

/** After a failure, which is what is told in the end; what cannot be put back now, the next run puts back. */
async function tryPutBack(context: Context, name: string, node: HostIdentity): Promise<void> {
  try {
    await permit(context);
    await putBack(context, name, node);
  } catch (error) {
    const why = messageOf(error);
    context.say(`${name}: ${node.name} could not be put back into the pools (${why}): run \`pulumi up\` again`);
  }
}

/** A master comes back into service in one load balancer, proved UP. */
export async function putBack(context: Context, name: string, node: HostIdentity): Promise<void> {
  const facts = await lookAt(context, name);
  const identity = identityThere(facts, node.name, context.change.survivors);
  const own = ownLines(facts.files, identity);
  if (own.length === 0) return;
  const back = be(
    "up",
    own.filter(({ weightless }) => !weightless),
  );
  const edits = disabledEdits(name, facts, identity, false);
  // without the runtime socket only a reload brings a server back: a killed run may have written the file and no more
  if (edits.length > 0 || !canSetState(facts)) return editLoadProve(context, name, facts, edits, back);
  const orders = own.map((one) => runtimeCommand(facts, one, "ready"));
  await loadAndProve(context, name, facts, back, "look", tellScript(facts.socket, orders));
}
