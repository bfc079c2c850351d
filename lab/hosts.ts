/** Starting, stopping and asking the lab's hosts: system containers, each with its own systemd, sshd and address. */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run } from "../tools/needs.ts";
import { hostImage, pairs } from "./build.ts";
import { type Cast, built, everyHost, isMaster, network, qualified, stateFolder } from "./cluster.ts";

const here = import.meta.dirname;
export const podman = (...args: string[]): Promise<string> => run("podman", ["--runtime", "runc", ...args]);
/** podman's own name of a host's container: short names are for people. */
export const container = (host: string): string => `openshift-masters-${host}`;

/** Writes the file trees of `hosts` to a folder of their own; `grace` is the API's time to end, in seconds. */
export const writeTrees = (folder: string, hosts: Cast, grace: number): Promise<string> =>
  run(join(here, "hosts.sh"), [folder, built.pki, ...pairs(hosts)], { env: { LAB_GRACE: String(grace) } });

/** Removes every host of the lab that is there, whoever started it, and what it wrote. */
export async function removeHosts(): Promise<void> {
  const names = Object.keys(everyHost).map(container);
  await podman("rm", "--force", "--time", "0", "--volumes", "--ignore", ...names);
  rmSync(stateFolder, { recursive: true, force: true });
}

/** Starts `hosts` from trees of files; `data` may hold `<host>.etcd.tar`, the etcd data a master starts with. */
export async function startHosts(hosts: Cast, trees: string, data?: string): Promise<void> {
  await run("bash", [
    "-c",
    `podman network exists ${network.name} || podman network create ${network.name} --subnet ${network.subnet}`,
  ]);
  await Promise.all(Object.entries(hosts).map(([host, address]) => startHost(host, address, trees, data)));
}

async function startHost(host: string, address: string, trees: string, data: string | undefined): Promise<void> {
  const volumes: string[] = [];
  if (isMaster(host)) {
    const containerd = join(stateFolder, host, "containerd");
    mkdirSync(join(stateFolder, host), { recursive: true });
    cpSync(join(built.podImage, "containerd"), containerd, {
      recursive: true,
      preserveTimestamps: true,
      verbatimSymlinks: true,
    });
    volumes.push("--privileged", "--cgroupns=private", "--pids-limit=-1");
    volumes.push(
      "-v",
      `${containerd}:/var/lib/containerd`,
      "-v",
      `${built.kubernetes}:/opt/lab/bin:ro`,
      "-v",
      `${built.podImage}:/opt/img:ro`,
    );
  } else {
    // ssh to a namespaced host needs nothing more; haproxy needs to bind, which it may
    volumes.push("--cap-add=AUDIT_WRITE");
  }
  await podman(
    "create",
    "--quiet",
    "--name",
    container(host),
    "--hostname",
    qualified(host),
    "--network",
    network.name,
    "--ip",
    address,
    "--no-hosts",
    "--ulimit",
    "nofile=1024:4096",
    "--ulimit",
    "nproc=4096:4096",
    "--systemd=always",
    "--stop-signal",
    "SIGRTMIN+3",
    ...volumes,
    hostImage,
    "/sbin/init",
  );
  const etcd = data === undefined ? "" : join(data, `${host}.etcd.tar`);
  // one stream for the tree, with root as the owner of all
  await run("bash", [
    "-c",
    `set -o pipefail
    tar -C "$1" --owner=0 --group=0 -cf - . | podman cp - "$2":/
    if [ -n "$3" ] && [ -e "$3" ]; then podman cp - "$2":/var/lib/ <"$3"; fi`,
    "copy",
    join(trees, host),
    container(host),
    etcd,
  ]);
  await podman("start", container(host));
}

/** Takes a stopped master's etcd data out of its container, as `<host>.etcd.tar` in `folder`. */
export const saveEtcd = (host: string, folder: string): Promise<string> =>
  run("bash", [
    "-c",
    'podman cp "$1":/var/lib/etcd - >"$2"',
    "save",
    container(host),
    join(folder, `${host}.etcd.tar`),
  ]);

export const hostExists = async (host: string): Promise<boolean> =>
  (await run("bash", ["-c", `podman ps --quiet --filter name=^${container(host)}$`])).trim() !== "";
