/** Throw-away etcds of the real kind, on unix sockets in a folder of their own. End with the test. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const hasEtcd = ["etcd", "etcdctl"].every((name) => spawnSync(name, ["--help"]).status === 0);

export interface Etcd {
  readonly folder: string;
  /** The data folder, `member` in it. */
  readonly data: string;
  readonly pid: number;
  /** etcdctl's standard output. @throws when it fails */
  ctl(api: 2 | 3, ...args: string[]): string;
  /** Ends it, and waits for that; the data stays. */
  stop(): Promise<void>;
  /** Ends it and removes its folder. */
  remove(): Promise<void>;
}

const clean = { PATH: process.env["PATH"] ?? "", LC_ALL: "C" };

/** @param data a data folder to start from; by default an empty one */
export async function startEtcd(options: readonly string[] = [], data?: string): Promise<Etcd> {
  const folder = mkdtempSync(join(tmpdir(), "etcd-"));
  // etcd 3.4 wants a port even of a socket's name; the socket lies in the working directory
  const urls = ["--listen-client-urls", "--advertise-client-urls"].flatMap((name) => [name, "unix://c:0"]);
  const peers = ["--listen-peer-urls", "--initial-advertise-peer-urls"].flatMap((name) => [name, "unix://p:0"]);
  const args = [...urls, ...peers, "--name", "live", "--initial-cluster", "live=unix://p:0", "--enable-v2"];
  const place = data ?? join(folder, "data");
  const child = spawn("etcd", [...args, "--data-dir", place, ...options], {
    cwd: folder,
    env: clean,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4000)));
  const stop = () => ended(child);
  const ctl: Etcd["ctl"] = (api, ...args) =>
    execFileSync("etcdctl", ["--endpoints", "unix://c:0", ...args], {
      cwd: folder,
      env: { ...clean, ETCDCTL_API: String(api) },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 64 * 1024 * 1024,
      timeout: 20_000,
    });
  const etcd: Etcd = {
    folder,
    data: place,
    pid: child.pid ?? 0,
    ctl,
    stop,
    remove: async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await answers(etcd, child, () => log);
  return etcd;
}

async function answers(etcd: Etcd, child: ChildProcess, log: () => string): Promise<void> {
  for (let i = 0; i < 100; i += 1) {
    if (child.exitCode !== null) throw new Error(`etcd ended: ${log()}`);
    if (existsSync(join(etcd.folder, "c:0"))) {
      try {
        etcd.ctl(3, "get", "nothing");
        return;
      } catch {
        // not yet
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await etcd.remove();
  throw new Error(`etcd does not answer: ${log()}`);
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  return gone;
}

/** The processes whose command line holds a text: `pid command line`. */
export function processesWith(text: string): { pid: number; line: string }[] {
  return execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8", maxBuffer: 16 * 1024 * 1024 })
    .split("\n")
    .filter((line) => line.includes(text))
    .map((line) => ({ pid: Number(line.trim().split(" ")[0]), line }));
}
