/** A throw-away etcd cluster of real programs on loopback ports, with certificates: three members, and a fourth when it is asked for. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Failed, run } from "../tools/needs.ts";

/** What a command gave: the two streams apart, and as they came together (`2>&1`) when it was run once more, if it could be. */
export interface Answer {
  readonly command: string;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly merged?: string;
}

export type MemberName = "m1" | "m2" | "m3" | "m4";
const first: readonly MemberName[] = ["m1", "m2", "m3"];

/** One certificate serves every member and client. */
const certificates = `openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=etcd-signer
openssl req -newkey rsa:2048 -nodes -keyout peer.key -out peer.csr -subj /CN=loopback
printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' >ext
openssl x509 -req -in peer.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out peer.crt`;

const clean = { PATH: process.env["PATH"] ?? "", LC_ALL: "C" };

export class LoopbackEtcd {
  readonly folder = mkdtempSync(join(tmpdir(), "etcd-record-"));
  readonly #programs: string;
  readonly #port: number;
  readonly #options: readonly string[];
  readonly #running = new Map<MemberName, ChildProcess>();

  /**
   * @param programs folder of `etcd` and `etcdctl`
   * @param port the first of ten ports
   * @param options further ones for every etcd
   */
  constructor(programs: string, port: number, options: readonly string[] = []) {
    this.#programs = programs;
    this.#port = port;
    this.#options = options;
  }

  client = (name: MemberName): string => `https://127.0.0.1:${this.#port + Number(name.slice(1))}`;
  peer = (name: MemberName): string => `https://127.0.0.1:${this.#port + 5 + Number(name.slice(1))}`;

  /** Starts the three and waits until they serve. */
  async begin(): Promise<void> {
    await run("sh", ["-ec", certificates], { cwd: this.folder });
    for (const name of first) this.start(name, "new");
    await this.healthy(...first);
  }

  /** @param state `existing` for one that joins with what `member add` made of it */
  start(name: MemberName, state: "new" | "existing"): void {
    const own = this.client(name);
    const pki = ["cert-file=peer.crt", "key-file=peer.key", "trusted-ca-file=ca.crt", "client-cert-auth"];
    const members = name === "m4" ? [...first, name] : first;
    const settings = [
      ...pki.flatMap((each) => [`--${each}`, `--peer-${each}`]),
      ...["listen-client-urls", "advertise-client-urls"].map((each) => `--${each}=${own}`),
      ...["listen-peer-urls", "initial-advertise-peer-urls"].map((each) => `--${each}=${this.peer(name)}`),
      `--initial-cluster=${members.map((each) => `${each}=${this.peer(each)}`).join(",")}`,
      `--initial-cluster-state=${state}`,
      ...[`--name=${name}`, `--data-dir=${name}.etcd`],
      ...this.#options,
    ];
    const log = openSync(join(this.folder, `${name}.log`), "a");
    const [cwd, program] = [this.folder, join(this.#programs, "etcd")];
    this.#running.set(name, spawn(program, settings, { cwd, env: clean, stdio: ["ignore", log, log] }));
    closeSync(log);
  }

  signal = (name: MemberName, signal: NodeJS.Signals): boolean => this.#running.get(name)?.kill(signal) ?? false;

  /** Ends a member gracefully; what it wrote stays. */
  async stop(name: MemberName): Promise<void> {
    const child = this.#running.get(name);
    this.#running.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    await gone;
  }

  /** Ends everything, and removes the folder. */
  async end(): Promise<void> {
    for (const name of this.#running.keys()) {
      this.signal(name, "SIGCONT");
      await this.stop(name);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** @throws Failed when one of them is not healthy within half a minute */
  async healthy(...names: MemberName[]): Promise<void> {
    const end = Date.now() + 30_000;
    while (true) {
      const { code, stdout, stderr } = this.#ctl(3, ["endpoint", "health"], names, false);
      if (code === 0 && !/unhealthy|failed/.test(stdout + stderr)) return;
      if (Date.now() > end) throw new Failed(`etcd in ${this.folder} does not become healthy: ${stdout}${stderr}`);
      await sleep(500);
    }
  }

  /** Runs etcdctl with the options the program gives it on a host. @param again the words of the second run; none: no second run */
  record(api: 2 | 3, args: readonly string[], at: readonly MemberName[], again?: readonly string[]): Answer {
    const { code, stdout, stderr } = this.#ctl(api, args, at, false);
    const command = `ETCDCTL_API=${api} etcdctl --endpoints ${at.map(this.client).join(",")} ${args.join(" ")}`;
    const merged = again === undefined ? {} : { merged: this.#ctl(api, again, at, true).stdout };
    return { command, code, stdout, stderr, ...merged };
  }

  #ctl(api: 2 | 3, args: readonly string[], at: readonly MemberName[], merged: boolean) {
    const pki = api === 3 ? ["--cert", "--key", "--cacert"] : ["--cert-file", "--key-file", "--ca-file"];
    const files = ["peer.crt", "peer.key", "ca.crt"].flatMap((file, i) => [pki[i] ?? "", file]);
    const limit = api === 3 ? ["--command-timeout", "6s"] : [];
    const words = [...files, "--endpoints", at.map(this.client).join(","), ...limit, ...args];
    const script = merged ? 'exec "$0" "$@" 2>&1' : 'exec "$0" "$@"';
    const { status, stdout, stderr } = spawnSync("sh", ["-c", script, join(this.#programs, "etcdctl"), ...words], {
      cwd: this.folder,
      env: { ...clean, ETCDCTL_API: String(api) },
      encoding: "utf8",
      timeout: 25_000,
      maxBuffer: 16 * 1024 * 1024,
    });
    return { code: status, stdout, stderr };
  }
}
