/** When is the lab as it should be? Asked of the hosts themselves, never waited for by the clock. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { Failed } from "../tools/needs.ts";
import { type Cast, built, isMaster, qualified } from "./cluster.ts";

/** What was seen of one look; `ready` counts against `masters`. */
export interface Health {
  masters: number;
  apis: number;
  etcds: number;
  endpoints: number;
  balancers: number;
}

const answer = (command: string, args: readonly string[]): Promise<string> =>
  new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"], timeout: 5000 });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
    child.on("error", () => resolve(""));
    child.on("close", () => resolve(text));
  });
const curl = (url: string, ...more: string[]): Promise<string> =>
  answer("curl", ["-sk", "--max-time", "3", ...more, url]);

/** kubectl as system:admin; `server` is an address, default lb-0's. */
export const kubectl = (args: readonly string[], server = "192.168.55.5"): Promise<string> =>
  answer(join(built.kubernetes, "kubectl"), [
    "--kubeconfig",
    join(built.pki, "admin.kubeconfig"),
    "--server",
    `https://${server}:8443`,
    ...args,
  ]);

export async function look(hosts: Cast): Promise<Health> {
  const masters = Object.entries(hosts).filter(([name]) => isMaster(name));
  const first = masters[0]?.[0] ?? "master-0";
  const client = [
    "--cacert",
    join(built.pki, "etcd-ca/ca.crt"),
    "--cert",
    join(built.pki, first, "master.etcd-client.crt"),
    "--key",
    join(built.pki, first, "master.etcd-client.key"),
  ];
  const count = (texts: readonly string[], pattern: RegExp) => texts.filter((text) => pattern.test(text)).length;
  const [apis, etcds, balancers, endpoints] = await Promise.all([
    Promise.all(masters.map(([, address]) => curl(`https://${address}:8443/readyz`))),
    Promise.all(masters.map(([, address]) => curl(`https://${address}:2379/health`, ...client))),
    Promise.all(
      Object.entries(hosts)
        .filter(([name]) => name.startsWith("lb-"))
        .map(([, address]) => curl(`https://${address}:8443/readyz`)),
    ),
    kubectl(["get", "endpoints", "kubernetes", "-o", "jsonpath={.subsets[0].addresses[*].ip}"], masters[0]?.[1]),
  ]);
  return {
    masters: masters.length,
    apis: count(apis, /^ok$/),
    etcds: count(etcds, /"health":\s*"?true/),
    balancers: count(balancers, /^ok$/),
    endpoints: endpoints.split(/\s+/).filter(Boolean).length,
  };
}

export const isHealthy = (h: Health): boolean =>
  [h.apis, h.etcds, h.endpoints].every((n) => n === h.masters) && h.balancers === 2;

/** Polls until every member, API, address and load balancer is there; throws what was missing after `deadline` seconds. */
export async function waitHealthy(hosts: Cast, deadline = 240): Promise<void> {
  const end = Date.now() + deadline * 1000;
  for (;;) {
    const seen = await look(hosts);
    if (isHealthy(seen)) return;
    if (Date.now() > end)
      throw new Failed(
        `The lab is not healthy after ${deadline} s: ${JSON.stringify(seen)} on ${Object.keys(hosts).map(qualified).join(", ")}.`,
      );
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
