/**
 * A cluster of etcd that is played, of 3.2 or 3.4: its members, who leads, and every command that changes something. What it prints is what these etcds print, and goes through
 * our own readers. The lab has real ones.
 */
import { masterFacts } from "../../providers/plan/facts.ts";
import { planMembership } from "../../providers/plan/plans.ts";
import type { Change, Step, World } from "../../providers/plan/steps.ts";
import { apply } from "../../providers/remote/apply.ts";
import type { Context } from "../../providers/remote/apply/context.ts";
import { RemoteError } from "../../providers/remote/errors.ts";
import type { RunOptions } from "../../providers/remote/remote-host.ts";
import { type Given, addressOf, healthy, idOf, master, masterParts, probed, started } from "../plan/world.ts";

interface Answer {
  readonly code: number;
  readonly stdout: string;
}
const answer = (stdout: string, code = 0): Answer => ({ code, stdout });
const wrong = (text: string): Answer => answer(`Error: ${text}\n`, 1);

/** What etcdctl of 3.2 says to a subcommand of later ones. */
const unknown = (command: string): Answer =>
  wrong(`unknown command "${command}" for "etcdctl"\nRun 'etcdctl --help' for usage.`);

interface Host {
  /** The manifest is among the static pods, and so etcd runs, unless it was removed. */
  pod: boolean;
  data: boolean;
  /** Why its member does not commit; empty: it does. */
  ill: string;
  reachable: boolean;
  started: boolean;
  alarm: string;
}

export class PlayedEtcd {
  readonly hosts: Host[];
  /** Numbers of the masters that are members. */
  members: number[];
  /** Undefined while there is none. */
  leader: number | undefined;
  readonly version: string;
  readonly change: Change;
  readonly told: string[] = [];
  readonly said: string[] = [];
  /** Seconds an election takes. */
  election = 2;
  /** pulumi was killed. */
  dead = false;
  /** Before a command takes effect: what is answered in its place. */
  before: (what: string) => Answer | Error | undefined = () => undefined;
  /** After it took effect. */
  after: (what: string) => Error | undefined = () => undefined;
  /** Ids that were removed by commands told here. */
  readonly removed: string[] = [];

  constructor(version: string, count: number, change: Change, leader = 0) {
    this.version = version;
    this.change = change;
    this.leader = leader;
    this.members = Array.from({ length: count }, (_, n) => n);
    this.hosts = this.members.map(() => ({
      pod: true,
      data: true,
      ill: "",
      reachable: true,
      started: true,
      alarm: "",
    }));
  }

  #host(n: number): Host {
    const host = this.hosts[n];
    if (host === undefined) throw new Error(`there is no master ${n}`);
    return host;
  }
  #runs = (n: number): boolean => this.#host(n).pod && this.members.includes(n) && this.#host(n).started;
  #votes = (n: number): boolean => this.#runs(n) && this.#host(n).ill === "";

  /** Who leads when the leader is away. */
  elect(): void {
    if (this.leader !== undefined && this.#votes(this.leader)) return;
    this.leader = undefined;
    setTimeout(() => (this.leader ??= this.members.find(this.#votes)), this.election * 1000);
  }
  /** A member goes by a command of anybody. */
  remove(n: number): void {
    this.members = this.members.filter((one) => one !== n);
    this.elect();
  }

  #parts(n: number): Record<string, Given> {
    const host = this.#host(n);
    const { status, health, alarms, v2, ...rest } = masterParts(n, this.hosts.length);
    delete rest["members"];
    const here = {
      ...rest,
      pods: ["apiserver.yaml", "controller.yaml", ...(host.pod ? ["etcd.yaml"] : [])]
        .map((file) => `${file}\n`)
        .join(""),
      disabled: host.pod ? "" : "etcd.yaml\n",
      "etcd-data": host.data ? "there\n" : "",
      started: `8443 812 ${started}\n8444 813 ${started}\n${this.#runs(n) ? `2379 811 ${started}\n` : ""}`,
    };
    if (!this.#runs(n)) return here;
    const text = (status as readonly [string, number])[0]
      .replace("3.2.32", this.version)
      .replace(/,"leader":\d+/, this.leader === undefined ? "" : `,"leader":${BigInt(`0x${idOf(this.leader)}`)}`);
    return {
      ...here,
      members: [this.#list(), 0],
      status: [text, 0],
      health:
        host.ill === ""
          ? (health ?? "")
          : [`https://${addressOf(n)}:2379 is unhealthy: ${host.ill}\nError: unhealthy cluster\n`, 1],
      alarms: host.alarm === "" ? (alarms ?? "") : [`memberID:${BigInt(`0x${idOf(n)}`)} alarm:${host.alarm} \n`, 0],
      v2: v2 ?? "",
    };
  }
  #list(): string {
    const learner = this.version.startsWith("3.4") ? ", false" : "";
    return this.members
      .map((n) => {
        const [peer, client] = [`https://${addressOf(n)}:2380`, `https://${addressOf(n)}:2379`];
        return this.#host(n).started
          ? `${idOf(n)}, started, ${master(n)}, ${peer}, ${client}${learner}\n`
          : `${idOf(n)}, unstarted, , ${peer}, ${learner}\n`;
      })
      .join("");
  }

  get world(): World {
    return {
      ...healthy(this.hosts.length),
      masters: Object.fromEntries(
        this.hosts.map(({ reachable }, n) => [
          master(n),
          reachable ? masterFacts(probed(this.#parts(n))) : { unreachable: "no route to host" },
        ]),
      ),
    };
  }

  run(name: string, script: string, { what }: RunOptions): Answer {
    const n = this.hosts.findIndex((_, at) => master(at) === name);
    const lost = (outcome: "not-done" | "unknown", seen: string) =>
      new RemoteError({ host: name, what, outcome, seen });
    if (this.dead) throw new Error("pulumi is gone");
    if (!this.#host(n).reachable) throw lost("not-done", "no route to host");
    if (what === "asking etcd") return answer(probed(this.#parts(n)));
    if (what === "asking for port 2379") return answer(this.#runs(n) ? "LISTEN 0 4096 0.0.0.0:2379\n" : "");
    this.told.push(`${name}: ${what}`);
    const instead = this.before(what);
    if (instead instanceof Error) throw instead;
    if (instead !== undefined) return instead;
    const done = this.#does(n, script, what);
    const then = this.after(what);
    if (then !== undefined) throw then;
    return done;
  }
  #does(n: number, script: string, what: string): Answer {
    const [, command, id = ""] = /e3 (member remove|move-leader) ([0-9a-f]+)$/.exec(script) ?? [];
    const at = this.hosts.findIndex((_, one) => idOf(one) === id);
    if (command === "member remove") {
      if (!this.members.includes(at)) return wrong("etcdserver: member not found");
      this.removed.push(id);
      this.remove(at);
      return answer(`Member ${id} removed from cluster cdf818194e3a8c32\n`);
    }
    if (command === "move-leader") {
      if (this.version.startsWith("3.2")) return unknown("move-leader");
      if (this.leader !== n) return wrong("etcdserver: not leader");
      this.leader = at;
      return answer(`Leadership transferred from ${idOf(n)} to ${id}\n`);
    }
    if (what === "moving etcd.yaml away") {
      this.#host(n).pod = false;
      this.elect();
      return answer("");
    }
    if (what === "setting etcd's data aside") {
      this.#host(n).data = false;
      return answer("");
    }
    throw new Error(`nobody plays "${what}"`);
  }

  /** The link broke before an answer came. */
  lost = (what: string): RemoteError =>
    new RemoteError({ host: master(0), what, outcome: "unknown", seen: "the connection was lost (ECONNRESET)" });

  context(): Context {
    const session = {
      run: "run",
      sketches: {},
      forget: () => undefined,
      step: (work: () => Promise<unknown>) => work(),
      permit: () => (this.dead ? Promise.reject(new Error("pulumi is gone")) : Promise.resolve()),
      look: (asked: Change) => Promise.resolve({ world: this.world, change: asked }),
      host: (name: string, address: string) => ({
        name,
        address,
        run: (script: string, o: RunOptions) =>
          Promise.resolve().then(() => ({ stderr: "", took: 1, ...this.run(name, script, o) })),
      }),
    };
    return {
      session: session as unknown as Context["session"],
      change: this.change,
      say: (text) => this.said.push(text),
    };
  }

  /** What is left to be done but the survivors' files. */
  plan = (): Step[] => planMembership(this.world, this.change).filter(({ do: does }) => does !== "edit");

  /** As EtcdMembership does it. */
  async up(steps = this.plan()): Promise<void> {
    for (const step of steps) await apply(this.context(), step);
  }
}
