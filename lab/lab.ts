/** `npm run lab -- up [--masters 3..7] [--grace SECONDS] | down | reset | etcdctl32 | status | ssh <host> [command…] | env` */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { engine } from "../tools/engine.ts";
import { Failed, cacheFolder } from "../tools/needs.ts";
import { main, say, step } from "../tools/say.ts";
import { buildAll } from "./build.ts";
import { type Cast, cast, domain, everyHost, isMaster, workFolder } from "./cluster.ts";
import { installEtcdctl32 } from "./etcd32.ts";
import { golden } from "./golden.ts";
import { isHealthy, look, waitHealthy } from "./health.ts";
import { hostExists, removeHosts, startHosts } from "./hosts.ts";
import { files, writeStack } from "./stack.ts";

export interface LabOptions {
  /** 3 to 7 masters. */
  masters: number;
  /** Seconds that an API is given to end; 3.11 has 30, tests that are not about it may take less. */
  grace: number;
}
const optionsFile = join(workFolder, "lab.json");

/** Builds what is missing, then starts the lab in its first state, replacing whatever an earlier run left. */
export async function up(options: LabOptions): Promise<Cast> {
  if (options.masters < 3 || options.masters > 7) throw new Failed(`--masters takes 3 to 7, not ${options.masters}.`);
  await buildAll();
  return reset(options);
}

/** Brings back the first state: hosts, data and stack. Everything must have been built. */
export async function reset(options: LabOptions = saved()): Promise<Cast> {
  const hosts = cast(options.masters);
  const folder = await golden(hosts, options.grace);
  await step(`lab of ${options.masters} masters: back to its first state`, async () => {
    await removeHosts();
    await startHosts(hosts, join(folder, "trees"), join(folder, "etcd"));
    writeStack(hosts);
    writeFileSync(optionsFile, JSON.stringify(options));
    await waitHealthy(hosts);
  });
  return hosts;
}

export const down = (): Promise<void> => step("lab: removing its hosts", removeHosts);

/** What the running lab was started with. */
export function saved(): LabOptions {
  if (!existsSync(optionsFile)) return { masters: 4, grace: 30 };
  return JSON.parse(readFileSync(optionsFile, "utf8")) as LabOptions;
}

/** The environment in which `pulumi -s lab …` works. */
export async function environment(): Promise<Record<string, string>> {
  const { bin, env } = await engine();
  return {
    ...env,
    PATH: [bin, process.env["PATH"] ?? ""].join(delimiter),
    PULUMI_BACKEND_URL: `file://${files.state}`,
    PULUMI_CONFIG_PASSPHRASE: "lab",
    // the program is read, and compiled, twice a run
    NODE_COMPILE_CACHE: join(cacheFolder(), "compiled"),
  };
}

async function status(): Promise<number> {
  const hosts = cast(saved().masters);
  for (const [host, address] of Object.entries(hosts))
    console.log(`${host}.${domain}\t${address}\t${(await hostExists(host)) ? "running" : "not running"}`);
  const seen = await look(hosts);
  console.log(JSON.stringify(seen));
  return isHealthy(seen) ? 0 : 1;
}

/** The words of an `ssh` that runs `command` on a host as root, with the lab's own key and known_hosts. */
export function sshWords(host: string, command: readonly string[]): string[] {
  const address = everyHost[host.replace(`.${domain}`, "")];
  if (address === undefined)
    throw new Failed(`There is no host '${host}' in the lab; it has ${Object.keys(everyHost).join(", ")}.`);
  const settings = [`UserKnownHostsFile=${files.knownHosts}`, "StrictHostKeyChecking=yes", "BatchMode=yes"];
  const options = [...settings, "LogLevel=ERROR", "ConnectTimeout=5"].flatMap((setting) => ["-o", setting]);
  return ["-i", files.key, ...options, `root@${address}`, ...command];
}

async function command(): Promise<number> {
  const [verb, ...rest] = process.argv.slice(2);
  if (verb === "ssh")
    return spawnSync("ssh", sshWords(rest[0] ?? "", rest.slice(1)), { stdio: "inherit" }).status ?? 255;
  const { values } = parseArgs({
    args: rest,
    options: { masters: { type: "string", default: "4" }, grace: { type: "string", default: "30" } },
  });
  switch (verb ?? "") {
    case "up":
      await up({ masters: Number(values.masters), grace: Number(values.grace) });
      say(
        `the stack 'lab' is in ${workFolder}; try: eval "$(npm run -s lab -- env)"; pulumi stack select --create lab; pulumi up`,
      );
      return 0;
    case "down":
      await down();
      return 0;
    case "reset":
      await reset();
      return 0;
    case "etcdctl32":
      await step("etcdctl 3.2.32, which OpenShift 3.11 has, on every master", () =>
        installEtcdctl32(Object.keys(cast(saved().masters)).filter(isMaster)),
      );
      return 0;
    case "status":
      return status();
    case "env":
      for (const [name, value] of Object.entries(await environment()))
        console.log(`export ${name}='${value.replaceAll("'", "'\\''")}'`);
      return 0;
    default:
      throw new Failed(
        `usage: npm run lab -- up [--masters 3..7] [--grace SECONDS] | down | reset | etcdctl32 | status | ssh <host> [command…] | env`,
      );
  }
}

if (process.argv[1] === import.meta.filename) await main(command);
