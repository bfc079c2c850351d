/**
 * The life of every resource of the chain, once: check plans and shows, diff compares, create and update observe → plan → apply → prove, read looks, delete forgets.
 * A failed update leaves `pending` steps in the state; `read` keeps them and adds what the hosts show undone; `diff` answers "changed" while there are any.
 */
import type * as pulumi from "@pulumi/pulumi";
import { type Asked, addresses, changeOf, listOf, mapOf, sorted, without } from "./asked.ts";
import type { Inputs, Kind, Outputs } from "./kind.ts";
import { leftBehind, pendingOf, unplanned, whereIn } from "./left.ts";
import type { Hosts } from "./plan/facts.ts";
import type { Judgement } from "./plan/preflight.ts";
import { escapeControls } from "./plan/quote.ts";
import { Refusal, messageOf } from "./plan/refusal.ts";
import { editsOf, labelOf, render } from "./plan/show.ts";
import type { Change, Step, World } from "./plan/steps.ts";
import type { Seen } from "./plan/read-back.ts";
import type { Context } from "./remote/apply/context.ts";
import { type Carried, type Order, carryOut } from "./remote/carry-out.ts";
import { unknownIn } from "./remote/errors.ts";
import { readBack } from "./remote/read-back.ts";
import type { Session } from "./remote/session.ts";

const own = new Set(["retired", "unfinished", "files", "pending", "unreachable", "record", "__provider"]);

/** Seconds for which what was seen is what is so, when nothing was changed by us. What is then edited is compared with it byte by byte once more. */
const justSeen = 5;

/** Seconds that Preflight waits for what may pass by itself. */
const patience = 60;

/** Hosts that are told one by one. */
const mostTold = 20;

/** The provider of one kind; `session` is the same for all of a process. */
export function lifecycle(kind: Kind, session: () => Session): pulumi.dynamic.ResourceProvider {
  const provider = new Lifecycle(kind, session);
  return {
    check: (olds: Inputs, news: Inputs) => provider.check(olds, news),
    diff: (_id, olds: Outputs, news: Inputs) => Promise.resolve({ changes: provider.differs(olds, news) }),
    create: async (inputs: Inputs) => ({ id: kind.type.toLowerCase(), outs: await provider.carryOut(inputs, {}) }),
    read: async (id, props: Outputs = {}) => ({ id, props: await provider.read(props) }),
    update: async (_id, olds: Outputs, news: Inputs) => ({ outs: await provider.carryOut(news, olds) }),
    // forgets, and harms nothing: the engine runs deletes last, and a destroy must leave the cluster as it is
    delete: () => Promise.resolve(),
  } satisfies pulumi.dynamic.ResourceProvider;
}

class Lifecycle {
  readonly #kind: Kind;
  readonly #session: () => Session;
  constructor(kind: Kind, session: () => Session) {
    this.#kind = kind;
    this.#session = session;
  }

  #say(inputs: Inputs, text: string): void {
    const name =
      typeof inputs["loadBalancer"] === "string" ? `${this.#kind.type} ${inputs["loadBalancer"]}` : this.#kind.type;
    for (const line of text.split("\n")) console.log(escapeControls(`[${name}] ${line}`));
  }

  /** Plans and shows; what is refused is a failure of the check. Nothing is touched. */
  async check(olds: Inputs, news: Inputs): Promise<pulumi.dynamic.CheckResult> {
    const kind = this.#kind;
    const wrong = Object.entries(mapOf(news[kind.list])).filter(([, value]) => typeof value !== "string");
    if (wrong.length > 0 || Object.prototype.toString.call(news[kind.list]) !== "[object Object]")
      return {
        inputs: news,
        failures: [{ property: kind.list, reason: `${kind.list} must be a map of host name to address` }],
      };
    const session = this.#session();
    let inputs = news;
    try {
      if (kind.adopts !== undefined) session.unfinished = await this.#unfinished(olds, news);
      // a resource that is new (a load balancer declared today) has to know who leaves, or has left, as the others do
      const leaving = kind.adopts === undefined ? session.leaving : session.unfinished;
      const asked = changeOf(
        kind,
        session.settings,
        news,
        kind.list in olds ? olds : { ...olds, retired: leaving },
        session.unfinished,
      );
      const retired = asked.change.leaving;
      if (kind.judge !== undefined) session.leaving = retired;
      inputs = { ...news, ...(Object.keys(retired).length === 0 ? {} : { retired }) };
      if (kind.adopts !== undefined && Object.keys(session.unfinished).length > 0)
        inputs["unfinished"] = session.unfinished;
      const { world, change, judgement } = await this.#judged(asked, olds, news);
      for (const note of judgement.notes) this.#say(news, `note: ${note}`);
      if (judgement.refusals.length > 0)
        return {
          inputs,
          failures: judgement.refusals.map((reason) => ({
            property: "",
            reason: `refused, nothing was touched: ${escapeControls(reason, true)}`,
          })),
        };
      Object.assign(inputs, kind.carry?.(world, change, news, olds));
      if (kind.sketches !== undefined) Object.assign(session.sketches, kind.sketches(inputs));
      const steps = kind.always === true && !this.#isDue(olds, news) ? [] : kind.plan(world, change, inputs);
      if (steps.length > 0) this.#say(news, `to do, in this order:\n${render(steps)}`);
      const files = Object.fromEntries(
        steps.flatMap((step) => editsOf(step).map((edit) => [`${step.host}:${edit.before.path}`, edit.before.sha256])),
      );
      return { inputs: { ...inputs, ...(Object.keys(files).length === 0 ? {} : { files }) } };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return {
        inputs,
        failures: [{ property: "", reason: `refused, nothing was touched: ${escapeControls(error.message, true)}` }],
      };
    }
  }

  /** At adoption what the cluster shows; later what the state remembers, until those masters are declared again. */
  async #unfinished(olds: Inputs, news: Inputs): Promise<Hosts> {
    const kind = this.#kind;
    const survivors = addresses(news[kind.list]);
    if (kind.list in olds) return without(mapOf(olds["unfinished"]), survivors);
    const { change } = changeOf(kind, this.#session().settings, news);
    const { world } = await this.#session().look(change, new Set(), ["strangers"]);
    return kind.adopts?.(world, change) ?? {};
  }

  /** Looks and judges; waits, bounded, for what may pass by itself, as an API does that a killed run was restarting. */
  async #judged(asked: Asked, olds: Inputs, news: Inputs): Promise<Asked & { world: World; judgement: Judgement }> {
    const before = this.#kind.list in olds ? addresses(olds[this.#kind.list]) : undefined;
    const asks = [
      ...(this.#kind.asks ?? []),
      ...(before === undefined && this.#kind.adopts ? (["strangers"] as const) : []),
    ];
    const end = Date.now() + patience * 1000;
    for (let told = false; ; told = true) {
      const { world, change } = await this.#session().look(asked.change, asked.retired, asks);
      const judgement = this.#kind.judge?.(world, change, before, olds) ?? { refusals: [], passing: [], notes: [] };
      const refusals = [...judgement.refusals, ...judgement.passing];
      const waits = judgement.passing.length > 0 && judgement.refusals.length === 0 && Date.now() < end;
      if (!waits) return { ...asked, world, change, judgement: { ...judgement, refusals } };
      if (!told) this.#say(news, `waiting up to ${patience} s: ${judgement.passing.join("; ")}`);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      this.#session().forget();
    }
  }

  /** Would an update follow? Of old inputs only: what `read` found pending is told there. */
  #isDue(olds: Inputs, news: Inputs): boolean {
    return !(this.#kind.list in olds) || this.#changed(olds, news);
  }

  #changed(olds: Inputs, news: Inputs): boolean {
    return [this.#kind.list, ...(this.#kind.also ?? [])].some((key) => sorted(olds[key]) !== sorted(news[key]));
  }

  differs(olds: Outputs, news: Inputs): boolean {
    return this.#changed(olds, news) || listOf(olds["pending"]).length > 0;
  }

  /** observe → plan → apply → prove. What is already so is not done again. */
  async carryOut(news: Inputs, olds: Outputs): Promise<Outputs> {
    const kind = this.#kind;
    const session = this.#session();
    const asked = changeOf(kind, session.settings, news, olds, session.unfinished);
    const record = structuredClone((olds["record"] ?? {}) as Record<string, { at: string; steps: object[] }>);
    const so: Carried = { begun: new Map(), done: new Set(), records: [], left: new Map() };
    let steps: Step[] = [];
    const before = new Map(session.connections.sentTo);
    try {
      // the resource before has just looked; everything is asked again if that is long ago or anything was changed since
      session.forget(justSeen);
      const { world, change, judgement } = await this.#judged(asked, olds, news);
      if (judgement.refusals.length > 0)
        throw new Refusal(`refused, nothing was touched: ${judgement.refusals.join("; ")}`);
      steps = kind.plan(world, change, news);
      const context = { session, change, say: (text: string) => this.#say(news, text) };
      const refused = (step: Step) => unplanned(step, news);
      const note = (step: Step, took: string) => this.#note(record, asked, step, took);
      const look = async () => {
        session.forget();
        const now = await session.look(asked.change, asked.retired, kind.asks);
        return { ...now, due: kind.plan(now.world, now.change, news) };
      };
      for (let left: readonly Step[] | undefined = steps; left !== undefined;) {
        left = await this.#through(context, { resource: kind.type, steps: left, refused, note }, so, look);
        steps = [...steps.filter((step) => so.done.has(step)), ...(left ?? steps.filter((step) => !so.done.has(step)))];
      }
      const after = await session.look(asked.change, asked.retired, kind.asks);
      const undone = kind.always === true ? [] : kind.plan(after.world, after.change, news);
      const failed = undone.filter((step) => step.apart !== true);
      if (failed.length > 0)
        throw new Error(
          `the steps were carried out and the hosts still show undone: ${failed.map(labelOf).join("; ")}`,
        );
      const isDue = Object.keys(asked.change.leaving).length > 0 && this.#isDue(olds, news);
      const unasked = Object.entries(kind.unasked?.(after.world) ?? {}).filter(
        ([host]) => isDue || host in mapOf(olds["left"]),
      );
      const left = leftBehind(unasked, undone, so.left);
      const notDone = steps.filter((step) => step.host in left && !so.done.has(step));
      if (so.done.size > 0) this.#say(news, `proved; ${this.#cost(steps, before)}`);
      for (const [host, why] of Object.entries(left)) {
        this.#say(news, `left behind, to be done by the next \`pulumi up\`: ${host}: ${why}`);
        session.record.leftBehind(kind.type, host, why);
      }
      session.record.ended(kind.type);
      const at = new Date().toISOString();
      for (const one of Object.values(record)) one.at ||= at;
      return {
        ...this.#kept(news, olds),
        ...this.#facts(after.world, after.change, news),
        ...kind.remember?.(so.records, olds),
        ...(kind.unasked === undefined ? {} : { left }),
        pending: pendingOf(left, [...undone, ...notDone]),
        record,
        unreachable: [],
      };
    } catch (error) {
      session.record.ended(kind.type, error);
      const left = steps.filter((step) => !so.done.has(step));
      throw this.#failed(`${messageOf(error)}${whereIn(left, so.begun)}`, news, olds, left, so.records, record);
    } finally {
      await session.connections.tellJournals();
    }
  }

  /**
   * Carries an order out. Where an answer is lost, it is read back what became of the step.
   * @returns what is left to do then; undefined: it went to its end
   */
  async #through(
    context: Context,
    order: Order,
    so: Carried,
    look: () => Promise<Seen>,
  ): Promise<readonly Step[] | undefined> {
    try {
      await carryOut(context, order, so);
      return undefined;
    } catch (error) {
      const open = order.steps.filter((step) => step.apart !== true && so.begun.has(step) && !so.done.has(step));
      // what does not follow from what the hosts show cannot be read back from them
      if (unknownIn(error) === undefined || open.length === 0 || this.#kind.always === true) throw error;
      const left = await readBack(open, error, look, context.say);
      for (const step of open) {
        so.done.add(step);
        this.#session().record.readBack(order.resource, step);
        order.note(step, "not known: its answer was lost");
      }
      return left;
    }
  }

  /** Commands that the hosts of these steps were sent since. */
  #cost(steps: readonly Step[], before: ReadonlyMap<string, number>): string {
    const { stats, sentTo } = this.#session().connections;
    const sent = [...new Set(steps.map(({ host }) => host))].map(
      (host) => [host, (sentTo.get(host) ?? 0) - (before.get(host) ?? 0)] as const,
    );
    const told =
      sent.length > mostTold
        ? `${sent.reduce((sum, [, n]) => sum + n, 0)} on ${sent.length} hosts`
        : sent.map(([host, n]) => `${host} ${n}`).join(", ");
    return `commands: ${told}; ssh so far: ${stats.connections} connections, ${stats.commands} commands`;
  }

  /** Writes a step down for every host that leaves by this change. */
  #note(record: Record<string, { at: string; steps: object[] }>, asked: Asked, step: Step, took: string): void {
    for (const name of Object.keys(asked.change.leaving).filter((one) => !asked.retired.has(one)))
      (record[name] ??= { at: "", steps: [] }).steps.push({
        step: `${this.#kind.type}: ${step.title}`,
        host: step.host,
        took,
        result: "done",
      });
  }

  /** Inputs and last known facts, so that nothing is wiped. */
  #kept(news: Inputs, olds: Outputs): Outputs {
    return { ...Object.fromEntries(Object.entries(olds).filter(([key]) => !own.has(key))), ...news };
  }

  #facts(world: World, change: Change, inputs: Inputs): Outputs {
    try {
      return this.#kind.facts?.(world, change, inputs) ?? {};
    } catch {
      return {};
    }
  }

  /** Keeps the old list and the undone steps in the state: the next run's diff sees both. */
  #failed(
    told: string,
    news: Inputs,
    olds: Outputs,
    left: readonly Step[],
    records: readonly { step: Step; record: object }[],
    record: object,
  ): Error {
    const message = escapeControls(told, true);
    const list = this.#kind.list in olds ? { [this.#kind.list]: olds[this.#kind.list] } : {};
    const pending = left.length > 0 ? left.map(labelOf) : [`prove ${this.#kind.type}`];
    const properties = {
      ...this.#kept(news, olds),
      ...list,
      ...this.#kind.remember?.(records, olds),
      pending,
      record,
      unreachable: [],
    };
    // a failed create leaves no resource behind: nothing is remembered, and the next run creates it again
    const kept = this.#kind.list in olds ? { id: this.#kind.type.toLowerCase(), properties, reasons: [message] } : {};
    return Object.assign(new Error(message), kept);
  }

  /** Looks; never throws. What cannot be asked keeps its last known value and says so. */
  async read(props: Outputs): Promise<Outputs> {
    try {
      const kind = this.#kind;
      const session = this.#session();
      const asked = changeOf(kind, session.settings, props);
      const { world, change } = await session.look(asked.change, new Set(Object.keys(asked.change.leaving)), kind.asks);
      const undone =
        kind.always === true ? ((await kind.lost?.(props)) ?? []) : kind.plan(world, change, props).map(labelOf);
      for (const one of [...undone, ...(kind.notes?.(world, change, props) ?? [])]) this.#say(props, `drift: ${one}`);
      for (const [host, why] of Object.entries(mapOf(props["left"])))
        this.#say(props, `left behind by an earlier run: ${host}: ${why}`);
      const unreachable = [...Object.entries(world.masters), ...Object.entries(world.balancers)].flatMap(
        ([name, facts]) => ("unreachable" in facts ? [`${name}: ${facts.unreachable}`] : []),
      );
      const facts = unreachable.length > 0 ? {} : this.#facts(world, change, props);
      const carried = kind.carry?.(world, change, props, props) ?? {};
      return {
        ...props,
        ...facts,
        ...carried,
        pending: [...new Set([...listOf(props["pending"]), ...undone])],
        unreachable,
      };
    } catch (error) {
      return { ...props, unreachable: [messageOf(error)] };
    }
  }
}
