/** `npm run demo`: the main job on the lab, from nothing: adopt four masters, retire one, and show everything on the way. */
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { cast, isMaster, qualified, workFolder } from "../lab/cluster.ts";
import { kubectl } from "../lab/health.ts";
import { container, podman } from "../lab/hosts.ts";
import { environment, up as labUp } from "../lab/lab.ts";
import { inWords, startLoad } from "../lab/load.ts";
import { files } from "../lab/stack.ts";
import { Failed } from "./needs.ts";
import { main, say, seconds, step } from "./say.ts";

const root = join(import.meta.dirname, "..");
const leaving = "master-3";
const took: Record<string, string> = {};

/** Runs pulumi with everything it says on the terminal. */
async function pulumi(env: Record<string, string>, what: string, ...words: readonly string[]): Promise<void> {
  console.log(`\n$ pulumi ${words.join(" ")}`);
  const started = Date.now();
  const code = await new Promise<number | null>((resolve) =>
    spawn("pulumi", [...words, "--stack", "lab"], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "inherit", "inherit"],
    })
      .on("close", resolve)
      .on("error", () => resolve(null)),
  );
  took[what] = seconds(Date.now() - started);
  if (code !== 0) throw new Failed(`pulumi ${words[0] ?? ""} ended with exit ${code ?? "?"}`);
}

async function members(host: string): Promise<string[]> {
  const list = await podman(
    "exec",
    container(host),
    "sh",
    "-c",
    "ETCDCTL_API=3 etcdctl --cacert /etc/etcd/ca.crt --cert /etc/etcd/peer.crt --key /etc/etcd/peer.key --endpoints https://$(hostname):2379 member list",
  );
  return list
    .trim()
    .split("\n")
    .map((line) => line.split(", ").slice(0, 4).join("  "));
}
const serverLines = async (balancer: string): Promise<string[]> =>
  (await podman("exec", container(balancer), "cat", "/etc/haproxy/haproxy.cfg"))
    .split("\n")
    .filter((line) => /^\s+server\s/.test(line));
const endpoints = async (): Promise<string> =>
  kubectl(["get", "endpoints", "kubernetes", "-o", "jsonpath={.subsets[0].addresses[*].ip}"]);

await main(async () => {
  const hosts = await labUp({ masters: 4, grace: 30 });
  const env = await step("finding the Pulumi engine", environment);
  const balancers = Object.keys(cast(4)).filter((host) => host.startsWith("lb-"));
  say(`the stack and everything about it is in ${workFolder}`);
  await pulumi(env, "stack", "stack", "init");
  await pulumi(env, "adopt", "up", "--yes", "--skip-preview", "--non-interactive");

  const before = { members: await members("master-0"), endpoints: await endpoints() };
  const inventory = join(workFolder, "hosts.demo-before");
  copyFileSync(files.inventory, inventory);
  const config = readFileSync(files.config, "utf8");
  writeFileSync(
    files.config,
    config.replace(new RegExp(`^ *${qualified(leaving).replaceAll(".", "\\.")}: .*\\n`, "m"), ""),
  );
  console.log(
    `\n${createTwoFilesPatch("Pulumi.lab.yaml", "Pulumi.lab.yaml", config, readFileSync(files.config, "utf8"), "", "", { context: 1 })}`,
  );

  await pulumi(env, "preview", "preview", "--diff", "--non-interactive");
  const load = await startLoad(
    balancers.map((host) => hosts[host] ?? ""),
    { fresh: 100, kept: 80, watches: true },
  );
  let seen;
  try {
    await pulumi(env, "decommission", "up", "--yes", "--skip-preview", "--non-interactive");
  } finally {
    seen = await load.stop();
  }
  await pulumi(env, "history", "stack", "history");

  const title = (text: string) => console.log(`\n== ${text}`);
  title("etcd members before");
  console.log(before.members.join("\n"));
  title("etcd members after");
  console.log((await members("master-0")).join("\n"));
  for (const balancer of balancers) {
    title(`servers of ${qualified(balancer)}`);
    console.log((await serverLines(balancer)).join("\n"));
  }
  title("addresses of the kubernetes service, before and after");
  console.log(`${before.endpoints}\n${await endpoints()}`);
  title("the inventory");
  console.log(
    createTwoFilesPatch(
      "hosts",
      "hosts",
      readFileSync(inventory, "utf8"),
      readFileSync(files.inventory, "utf8"),
      "before",
      "after",
      { context: 1 },
    ),
  );
  title(`backups, off the hosts, in ${files.archive}`);
  if (existsSync(files.archive))
    for (const folder of readdirSync(files.archive))
      console.log(`${folder}: ${readdirSync(join(files.archive, folder)).length} files`);
  title("what it took");
  for (const [what, time] of Object.entries(took)) console.log(`${what}: ${time}`);
  console.log(
    `state: ${Math.round(statSync(join(files.state, ".pulumi/stacks/openshift-masters/lab.json")).size / 1024)} KiB`,
  );
  title("requests to the API through both load balancers while the master was retired");
  console.log(inWords(seen));
  for (const line of seen.failed.slice(0, 20)) console.log(`  ${line}`);
  say(
    `done; the lab of ${Object.keys(hosts).filter(isMaster).length} masters is still up: npm run lab -- status | ssh <host> | down`,
  );
  return seen.failed.length === 0 ? 0 : 1;
});
