/** A client of the API, asking through each load balancer all the time from several source addresses, and counting what failed. */
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { run } from "../tools/needs.ts";
import { built, network } from "./cluster.ts";

/** Addresses of the lab's network that the machine takes for the time of a probe; `balance source` sends them different ways. */
const sources = ["192.168.55.101", "192.168.55.102", "192.168.55.103", "192.168.55.104", "192.168.55.105"];

export interface Probe {
  /** Ends the probe and tells what was seen. */
  stop(): Promise<{ requests: number; failed: readonly string[]; slowest: number }>;
}

/**
 * Starts asking `/version` through every address: a new TLS connection each time, from each source in turn.
 * @param every milliseconds between two requests of one source to one load balancer
 * @param limit seconds after which it stops by itself
 */
export async function startProbe(balancers: readonly string[], every = 200, limit = 1800): Promise<Probe> {
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
  const ca = readFileSync(join(built.pki, "ca.crt"));
  const failed: string[] = [];
  let requests = 0;
  let slowest = 0;
  const pending = new Set<Promise<void>>();
  const ask = (balancer: string, source: string): void => {
    const started = Date.now();
    requests += 1;
    const one = once(balancer, source, ca)
      .then(() => void (slowest = Math.max(slowest, Date.now() - started)))
      .catch(
        (error: unknown) =>
          void failed.push(
            `${new Date().toISOString()} ${source} → ${balancer}: ${error instanceof Error ? error.message : String(error)}`,
          ),
      )
      .finally(() => pending.delete(one));
    pending.add(one);
  };
  const timers = balancers.flatMap((balancer) =>
    sources.map((source) => setInterval(() => ask(balancer, source), every)),
  );
  const end = () => timers.forEach((timer) => clearInterval(timer));
  const bound = setTimeout(end, limit * 1000);
  return {
    stop: async () => {
      clearTimeout(bound);
      end();
      await Promise.all(pending);
      await ip("del");
      return { requests, failed, slowest };
    },
  };
}

function once(host: string, localAddress: string, ca: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host, port: 8443, path: "/version", ca, localAddress, agent: false, timeout: 10_000, servername: "kubernetes" },
      (answer) => {
        answer.on("error", reject);
        answer.on("end", () =>
          answer.statusCode === 200 ? resolve() : reject(new Error(`HTTP ${answer.statusCode ?? 0}`)),
        );
        answer.resume();
      },
    );
    asked.on("timeout", () => asked.destroy(new Error("no answer within 10 s")));
    asked.on("error", reject);
    asked.end();
  });
}
