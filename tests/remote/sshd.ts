/** A throw-away sshd of the real kind on 127.0.0.1, with keys of its own. Ends with the test. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import type { SshSettings } from "../../providers/remote/ssh.ts";

/** Whoever runs the tests; logs in with `clientKey`. */
export const user = userInfo().username;

export interface Sshd {
  readonly port: number;
  readonly folder: string;
  /** Path of the client's private key. */
  readonly clientKey: string;
  /** Public host key (`ssh-ed25519 AAAA…`) of a type. */
  hostKey(type: "ed25519" | "rsa" | "ecdsa"): string;
  /** Writes known_hosts from lines; gives its path. */
  knownHosts(...lines: string[]): string;
  /** Settings that work; `over` changes some. */
  settings(over?: Partial<SshSettings>): SshSettings;
  /** Kills every connection, as a crash does; new ones are still served. */
  cutConnections(): void;
  stop(): Promise<void>;
}

/**
 * Starts one.
 * @param options lines of sshd_config
 * @param shared whose client key logs in here too
 * @param first shell that is run before, in a mount namespace of its own: what it mounts is seen by that sshd only
 */
export async function startSshd(options: readonly string[] = [], shared?: Sshd, first?: string): Promise<Sshd> {
  mkdirSync("/run/sshd", { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "sshd-"));
  const at = (name: string) => join(folder, name);
  for (const type of ["ed25519", "rsa", "ecdsa"]) keygen(at(`host_${type}`), type);
  const clientKey = shared?.clientKey ?? at("client");
  if (!shared) keygen(clientKey, "ed25519");
  const port = await freePort();
  writeFileSync(at("sshd_config"), config(port, at, `${clientKey}.pub`, options));
  const words = ["/usr/sbin/sshd", "-D", "-e", "-f", at("sshd_config")];
  const apart = first === undefined ? [] : ["unshare", "-m", "sh", "-ec", `${first}; exec "$@"`, "sh"];
  const [command = "", ...rest] = [...apart, ...words];
  const child = spawn(command, rest, { stdio: ["ignore", "ignore", "pipe"] });
  await listening(child);
  const hostKey: Sshd["hostKey"] = (type) => publicKey(at(`host_${type}.pub`));
  let files = 0;
  const knownHosts: Sshd["knownHosts"] = (...lines) => {
    const path = at(`known_hosts_${String((files += 1))}`);
    writeFileSync(path, `${lines.join("\n")}\n`);
    return path;
  };
  const right = knownHosts(`[127.0.0.1]:${String(port)} ${hostKey("ed25519")}`);
  return {
    port,
    folder,
    clientKey,
    hostKey,
    knownHosts,
    settings: (over = {}) => ({ user, become: false, privateKeyPath: clientKey, knownHosts: right, port, ...over }),
    cutConnections: () => killChildren(child.pid ?? 0),
    stop: async () => {
      killChildren(child.pid ?? 0);
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A master with a /run/lock of its own. */
export const startMaster = (shared?: Sshd, options: readonly string[] = []): Promise<Sshd> =>
  startSshd(options, shared, "mount -t tmpfs -o size=1m,mode=755 none /run/lock");

/** `ssh-keygen` of a key; of small RSA size where speed matters more than strength. */
export function keygen(path: string, type: string, passphrase = ""): void {
  execFileSync("ssh-keygen", [
    "-q",
    "-t",
    type,
    ...(type === "rsa" ? ["-b", "2048"] : []),
    "-N",
    passphrase,
    "-f",
    path,
  ]);
}

function publicKey(path: string): string {
  return readFileSync(path, "utf8").trim().split(" ").slice(0, 2).join(" ");
}

function config(port: number, at: (name: string) => string, authorized: string, options: readonly string[]): string {
  const hostKeys = ["ed25519", "rsa", "ecdsa"].map((type) => `HostKey ${at(`host_${type}`)}`);
  return [
    ...options,
    `Port ${String(port)}`,
    ...(options.some((line) => line.startsWith("ListenAddress ")) ? [] : ["ListenAddress 127.0.0.1"]),
    ...hostKeys,
    `AuthorizedKeysFile ${authorized} ${at("more_keys")}`,
    "PidFile none",
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin prohibit-password",
    "PasswordAuthentication no",
    "LogLevel VERBOSE",
    "",
  ].join("\n");
}

function listening(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    child.once("exit", () => reject(new Error(`sshd did not start: ${log}`)));
    child.stderr?.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes("Server listening")) resolve();
    });
  });
}

/** The children of that sshd, which are its connections: by the parent's id, never by name. */
function killChildren(parent: number): void {
  // ps says 1 when there are none.
  const { stdout } = spawnSync("ps", ["-o", "pid=", "--ppid", String(parent)], { encoding: "utf8" });
  for (const pid of stdout.split(/\s+/).filter((p) => p !== ""))
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // it has ended in the meantime
    }
}

/** A port nobody listens on right now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
