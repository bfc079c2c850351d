/**
 * Clients of the API, all the time, through each load balancer and from several source addresses: new TLS connections, requests on connections that stay open,
 * and watches that never end by themselves. What failed is counted; a connection that the API itself ended is counted apart, and its client must get on at once.
 */
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { Socket } from "node:net";
import { join } from "node:path";
import { run } from "../tools/needs.ts";
import { built, network } from "./cluster.ts";

/** Addresses of the lab's network that the machine takes for the time of the load; `balance source` sends them different ways. */
const sources = ["192.168.55.101", "192.168.55.102", "192.168.55.103", "192.168.55.104", "192.168.55.105"];

/** Requests that may be under way at the same time. */
const most = 200;

export interface Seen {
  /** All requests: those of their own connections and those on kept ones. */
  readonly requests: number;
  /** How many of them were the first of a new TLS connection. */
  readonly connections: number;
  readonly perSecond: number;
  readonly failed: readonly string[];
  /** Milliseconds. */
  readonly slowest: number;
  readonly watches: number;
  /** Kept connections and watches that the API ended: a client sees that, and asks again. */
  readonly ended: { readonly kept: number; readonly watches: number };
}

export interface Load {
  /** Ends the load and tells what was seen. */
  stop(): Promise<Seen>;
}

export interface Rates {
  /** Milliseconds between two new connections of one source to one load balancer. */
  readonly fresh?: number;
  /** Milliseconds between two requests on the kept connection of a source to a load balancer; 0: none. */
  readonly kept?: number;
  /** A watch of each source through each load balancer. */
  readonly watches?: boolean;
  /** Seconds after which it stops by itself. */
  readonly limit?: number;
}

/** Starts asking `/version` (and watching namespaces) through every address. */
export async function startLoad(
  balancers: readonly string[],
  { fresh = 200, kept = 0, watches = false, limit = 1800 }: Rates = {},
): Promise<Load> {
  const bridge = (
    await run("podman", ["network", "inspect", network.name, "--format", "{{.NetworkInterface}}"])
  ).trim();
  const ip = (verb: string) =>
    Promise.all(
      sources.map((source) =>
        run("bash", ["-c", 'ip address "$1" "$2/24" dev "$3" 2>/dev/null || true', "ip", verb, source, bridge]),
      ),
    );
  await ip("add");
  const clients = new Clients();
  const pairs = balancers.flatMap((balancer) => sources.map((source) => ({ balancer, source })));
  // a timer that comes late makes up for it: the rate is the clock's. But a machine that is too busy is not buried under what it owes:
  // what is measured is the cluster, and the rate tells
  const every = (milliseconds: number, ask: () => void) => {
    if (milliseconds === 0) return [];
    const begun = Date.now();
    let asked = 0;
    return [
      setInterval(() => {
        for (let n = 0; n < 3 && asked < (Date.now() - begun) / milliseconds; n += 1, asked += 1)
          if (clients.waiting < most) ask();
      }, milliseconds),
    ];
  };
  const timers = pairs.flatMap(({ balancer, source }) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    return [
      ...every(fresh, () => clients.ask(balancer, source)),
      ...every(kept, () => clients.ask(balancer, source, agent)),
    ];
  });
  const started = Date.now();
  if (watches) for (const { balancer, source } of pairs) clients.watch(balancer, source);
  const end = () => timers.forEach((timer) => clearInterval(timer));
  const bound = setTimeout(end, limit * 1000);
  return {
    stop: async () => {
      clearTimeout(bound);
      end();
      const seconds = (Date.now() - started) / 1000;
      await clients.end();
      await ip("del");
      return { ...clients.seen, perSecond: clients.seen.requests / seconds };
    },
  };
}

const file = (name: string): Buffer => readFileSync(join(built.pki, name));

class Clients {
  readonly seen = {
    requests: 0,
    connections: 0,
    failed: [] as string[],
    slowest: 0,
    watches: 0,
    ended: { kept: 0, watches: 0 },
  };
  readonly #tls = { ca: file("ca.crt"), servername: "kubernetes", port: 8443, timeout: 10_000 };
  readonly #admin = { cert: file("admin.crt"), key: file("admin.key") };
  readonly #pending = new Set<Promise<void>>();
  /** Connections on which a request was answered. An agent's own `reusedSocket` does not tell of requests that waited in its queue. */
  readonly #kept = new WeakSet<Socket>();
  readonly #watching = new Set<() => void>();
  #ending = false;

  get waiting(): number {
    return this.#pending.size;
  }

  /** One request: on a connection of its own, or on the kept one of `agent`, which may be busy still; then it waits its turn. */
  ask(balancer: string, source: string, agent?: Agent): void {
    const started = Date.now();
    this.seen.requests += 1;
    const one = this.#once(balancer, source, agent)
      .then(() => void (this.seen.slowest = Math.max(this.seen.slowest, Date.now() - started)))
      .catch((error: unknown) => this.#fail(`${source} → ${balancer}${agent === undefined ? "" : " (kept)"}`, error))
      .finally(() => this.#pending.delete(one));
    this.#pending.add(one);
  }

  /** As every HTTP client does, a request that finds its kept connection closed is sent again on a new one: once. */
  async #once(balancer: string, source: string, agent?: Agent): Promise<void> {
    try {
      await this.#send(balancer, source, agent);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      this.seen.ended.kept += 1;
      await this.#send(balancer, source);
    }
  }

  #send(host: string, localAddress: string, agent?: Agent): Promise<void> {
    return new Promise((resolve, reject) => {
      let isKept = false;
      const asked = request(
        { ...this.#tls, host, path: "/version", localAddress, agent: agent ?? false },
        (answer: IncomingMessage) => {
          if (!isKept) this.seen.connections += 1;
          this.#kept.add(answer.socket);
          answer.on("error", reject);
          answer.on("end", () => {
            if (answer.statusCode === 200) resolve();
            else reject(isKept && isShuttingDown(answer) ? new Ended() : new Error(`HTTP ${answer.statusCode ?? 0}`));
          });
          answer.resume();
        },
      );
      asked.on("socket", (socket) => (isKept = this.#kept.has(socket)));
      asked.on("timeout", () => asked.destroy(new Error("no answer within 10 s")));
      asked.on("error", (error: NodeJS.ErrnoException) =>
        reject(isKept && /^(ECONNRESET|EPIPE)$/.test(error.code ?? "") ? new Ended() : error),
      );
      asked.end();
    });
  }

  /** A watch without an end; when the API ends it, the client opens the next one, which must be answered. */
  watch(host: string, localAddress: string): void {
    if (this.#ending) return;
    this.seen.watches += 1;
    let answered = false;
    const over = (error?: Error) => {
      this.#watching.delete(stop);
      if (this.#ending) return;
      if (!answered) this.#fail(`${localAddress} → ${host} (watch)`, error ?? new Error("closed before an answer"));
      else this.seen.ended.watches += 1;
      setTimeout(() => this.watch(host, localAddress), 100);
    };
    let told = false;
    const once = (error?: Error) => {
      if (told) return;
      told = true;
      over(error);
    };
    const asked = request(
      {
        ...this.#tls,
        ...this.#admin,
        timeout: 0,
        host,
        localAddress,
        agent: false,
        path: "/api/v1/namespaces?watch=true&timeoutSeconds=3600",
      },
      (answer) => {
        answered = answer.statusCode === 200;
        answer.on("error", once).on("close", () => once(new Error(`HTTP ${answer.statusCode ?? 0}`)));
        answer.resume();
      },
    );
    const stop = () => asked.destroy();
    this.#watching.add(stop);
    asked.on("error", once);
    asked.end();
  }

  #fail(where: string, error: unknown): void {
    this.seen.failed.push(
      `${new Date().toISOString()} ${where}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }

  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#pending);
    for (const stop of this.#watching) stop();
  }
}

/** The kept connection was closed before anything of an answer came, or with the word that the API is ending. */
class Ended extends Error {}

/** An API that ends answers what still comes on open connections with 503 and Retry-After; every client of Kubernetes asks again then. */
const isShuttingDown = (answer: IncomingMessage): boolean =>
  answer.statusCode === 503 && answer.headers["retry-after"] !== undefined;

/** One line for people. */
export const inWords = (seen: Seen): string =>
  `${seen.requests} requests (${seen.perSecond.toFixed(0)}/s, ${seen.connections} new TLS connections), ${seen.failed.length} failed, slowest ${seen.slowest} ms; ` +
  `${seen.watches} watches; ended by the API: ${seen.ended.kept} kept connections, ${seen.ended.watches} watches`;
