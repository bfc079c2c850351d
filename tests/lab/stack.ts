/** A stack on the lab as a test drives it: its own configuration file and state, the real `pulumi`, and the hosts' own word for it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Cast, cast, isMaster, workFolder } from "../../lab/cluster.ts";
import { container } from "../../lab/hosts.ts";
import { environment, saved, sshWords } from "../../lab/lab.ts";
import { stackConfig } from "../../lab/stack.ts";
import { faultKinds } from "../../providers/plan/faults.ts";

export interface Ran {
  readonly code: number;
  /** stdout and stderr as they came. */
  readonly output: string;
  /** Seconds. */
  readonly took: number;
}

/** `npm test` has half an hour: what takes minutes and is the variant of something that it has is in `npm run test:all`. */
export const onlyWithAll = process.env["OPENSHIFT_MASTERS_TEST_ALL"] === undefined ? { skip: "npm run test:all" } : {};

/** Everything the tests ran, for whoever looks after a failure. */
export const transcript = join(workFolder, "transcript.log");
const root = join(workFolder, "..");

export class TestStack {
  readonly name: string;
  readonly hosts: Cast;
  readonly config: string;
  #env: Record<string, string>;

  private constructor(name: string, hosts: Cast, env: Record<string, string>) {
    this.name = name;
    this.hosts = hosts;
    this.config = join(workFolder, `Pulumi.${name}.yaml`);
    this.#env = env;
  }

  /** A new stack with an empty state, all masters of the lab declared. */
  static async create(name: string, masters = 4): Promise<TestStack> {
    const state = join(workFolder, `state-${name}`);
    rmSync(state, { recursive: true, force: true });
    mkdirSync(state, { recursive: true });
    const stack = new TestStack(name, cast(masters), {
      ...(await environment()),
      PULUMI_BACKEND_URL: `file://${state}`,
    });
    // watches never end by themselves: every drain takes all the time it is given
    writeFileSync(stack.config, stackConfig(stack.hosts).replaceAll("drain: 5", "drain: 2"));
    const made = await stack.pulumi("stack", "init", name);
    // `stack init` writes a file of its own beside Pulumi.yaml; ours is the one given by --config-file
    rmSync(join(root, `Pulumi.${name}.yaml`), { force: true });
    if (made.code !== 0) throw new Error(`stack init failed: ${made.output}`);
    return stack;
  }

  /** Edits the configuration's text: `(text) => text`. */
  edit(change: (text: string) => string): this {
    const before = readFileSync(this.config, "utf8");
    const after = change(before);
    if (after === before) throw new Error("the edit of the stack's configuration changed nothing");
    writeFileSync(this.config, after);
    return this;
  }

  /** Deletes the line of a master, as the administrator does. */
  drop(master: string): this {
    return this.edit((text) => text.replace(new RegExp(`^    ${master}\\.example\\.com: .*\\n`, "m"), ""));
  }

  acknowledge(...risks: readonly string[]): this {
    return this.edit((text) =>
      text.replace(/openshift-masters:acknowledge: .*/, `openshift-masters:acknowledge: ${JSON.stringify(risks)}`),
    );
  }

  preview(...more: readonly string[]): Promise<Ran> {
    return this.#run("preview", "--diff", ...more);
  }
  up(...more: readonly string[]): Promise<Ran> {
    return this.#run("up", "--yes", "--skip-preview", ...more);
  }
  refresh(): Promise<Ran> {
    return this.#run("refresh", "--yes", "--skip-preview");
  }
  destroy(): Promise<Ran> {
    return this.#run("destroy", "--yes", "--skip-preview");
  }
  async outputs(): Promise<Record<string, unknown>> {
    const { output } = await this.pulumi("stack", "output", "--json", "--stack", this.name);
    return JSON.parse(output.slice(output.indexOf("{"))) as Record<string, unknown>;
  }

  #words(verb: string, more: readonly string[]): string[] {
    return [verb, "--stack", this.name, "--config-file", this.config, "--non-interactive", ...more];
  }
  #run(verb: string, ...more: readonly string[]): Promise<Ran> {
    return this.pulumi(...this.#words(verb, more));
  }

  /** Any pulumi command. */
  pulumi(...words: readonly string[]): Promise<Ran> {
    return this.watched(undefined, ...words);
  }

  /** The same, with every new output told to `seen`. */
  watched(
    seen: ((output: string, child: ChildProcess) => void) | undefined,
    ...words: readonly string[]
  ): Promise<Ran> {
    const started = Date.now();
    const child = spawn("pulumi", words, {
      cwd: root,
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 900_000,
    });
    let output = "";
    const collect = (part: string) => {
      output += part;
      seen?.(output, child);
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    return new Promise((resolve) =>
      child.on("close", (code) => {
        const took = (Date.now() - started) / 1000;
        appendFileSync(
          transcript,
          `\n===== ${new Date().toISOString()} pulumi ${words.join(" ")} → ${code ?? "killed"} after ${took.toFixed(1)} s\n${output}`,
        );
        resolve({ code: code ?? -1, output, took });
      }),
    );
  }

  /** `up`, told what it prints. */
  watchedUp(seen: (output: string, child: ChildProcess) => void): Promise<Ran> {
    return this.watched(seen, ...this.#words("up", ["--yes", "--skip-preview"]));
  }

  /**
   * `up` with faults on purpose (see `providers/plan/faults.ts`), each of which must be met, and of the last of which pulumi dies; then `pulumi cancel`, as the
   * administrator does.
   */
  async killedBy(...faults: readonly string[]): Promise<Ran> {
    const ran = await this.meeting(faults, () => this.up());
    if (ran.code !== -1) throw new Error(`pulumi was not killed: ${ran.code}\n${ran.output.slice(-4000)}`);
    await this.cancel();
    return ran;
  }

  /** Any run of pulumi with faults on purpose, each of which must be met. */
  async meeting(faults: readonly string[], run: () => Promise<Ran>): Promise<Ran> {
    const ran = await this.withFaults(faults, run);
    const met = metIn(ran).length;
    if (met !== faults.length)
      throw new Error(`${met} faults of ${faults.join(", ")} were met:\n${ran.output.slice(-4000)}`);
    return ran;
  }

  /** Any run of pulumi with faults on purpose, met or not. */
  withFaults(faults: readonly string[], run: () => Promise<Ran>): Promise<Ran> {
    const env = this.#env;
    this.#env = { ...env, OPENSHIFT_MASTERS_FAULT: faults.join(",") };
    return run().finally(() => (this.#env = env));
  }

  /** Frees the state that a killed pulumi left locked. */
  async cancel(): Promise<void> {
    const cancelled = await this.pulumi("cancel", "--yes", "--stack", this.name);
    if (cancelled.code !== 0) throw new Error(cancelled.output);
  }

  /** `up`, killed as soon as this is printed; then `pulumi cancel`, as the administrator does. @throws Error when it never was */
  async killedAt(mark: string | RegExp): Promise<Ran> {
    const kills: number[] = [];
    const ran = await this.watchedUp((output, child) => {
      if (kills.length > 0 || !(typeof mark === "string" ? output.includes(mark) : mark.test(output))) return;
      kills.push(Date.now());
      child.kill("SIGKILL");
    });
    if (kills.length === 0) throw new Error(`never saw ${String(mark)}:\n${ran.output.slice(-4000)}`);
    await this.cancel();
    return ran;
  }
}

/** What a fault says of itself when it is met. */
export const metPattern = new RegExp(
  `fault: ((?:${faultKinds.join("|")}) (?:before|in|after) \\S+ \\d+ \\([^)]*\\))`,
  "g",
);

/** The faults that a run met: `kill-engine before EtcdMembership 1 (remove-member)`. A failed run prints everything twice. */
export const metIn = (ran: Ran): string[] => [
  ...new Set([...ran.output.matchAll(metPattern)].map((match) => match[1] ?? "")),
];

/** Runs a script on a host of the lab as root, over OpenSSH: the test's own eyes, not the program's. */
export function on(host: string, script: string): Promise<Ran> {
  const started = Date.now();
  return new Promise((resolve) => {
    const child = spawn("ssh", sshWords(host, [script]), { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => (output += part));
    child.stderr.setEncoding("utf8").on("data", (part: string) => (output += part));
    child.on("close", (code) => resolve({ code: code ?? -1, output, took: (Date.now() - started) / 1000 }));
  });
}

/**
 * Everything a preview must not touch on a host: names, modes, owners, sizes, times, and the units' states; one line each. Nobody writes a file and leaves the time of
 * its last change (`%C@`) as it was: hashes would tell no more, and cost both processors seconds.
 */
export async function fingerprint(host: string): Promise<string[]> {
  const script = `find /etc /usr/local /root /opt /backup -xdev -printf '%p %m %U:%G %s %T@ %C@ %l\\n' 2>/dev/null | sort
    systemctl list-unit-files --no-pager --no-legend | grep -v '^session-'
    systemctl show -p ActiveState -p ExecMainPID -p NRestarts haproxy origin-node flanneld containerd`;
  const { output } = await on(host, script);
  if (output.length < 1000) throw new Error(`fingerprint of ${host}: ${output}`);
  return output.split("\n");
}

/** Asks until it is so; throws after `seconds` with the last that was seen. */
export async function eventually(what: string, seconds: number, ask: () => Promise<string | undefined>): Promise<void> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await ask();
    if (seen === undefined) return;
    if (Date.now() > end) throw new Error(`${what}: not so after ${seconds} s: ${seen}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

export const etcdctl = (host: string, words: string): Promise<Ran> =>
  on(
    host,
    `ETCDCTL_API=3 etcdctl --cacert /etc/etcd/ca.crt --cert /etc/etcd/peer.crt --key /etc/etcd/peer.key --endpoints https://${cast(7)[host] ?? ""}:2379 ${words}`,
  );

/** The ids of all members, sorted, as the member of a host lists them. */
export const idsOn = async (host: string): Promise<string[]> =>
  (await etcdctl(host, "member list")).output
    .trim()
    .split("\n")
    .map((line) => line.split(",")[0] ?? "")
    .sort();

/** Gives a master the leadership of etcd, as it would have come by itself. */
export async function makeLeader(host: string): Promise<void> {
  const id = async (): Promise<string> => {
    const { output } = await etcdctl(host, "member list");
    return (
      output
        .split("\n")
        .find((line) => line.includes(`//${cast(7)[host] ?? ""}:`))
        ?.split(",")[0] ?? "none"
    );
  };
  const wanted = await id();
  await eventually(`${host} leads etcd`, 60, async () => {
    const masters = Object.keys(cast(saved().masters)).filter(isMaster);
    const answers = await Promise.all(masters.map((name) => etcdctl(name, `move-leader ${wanted}`)));
    const { output } = await etcdctl(host, "endpoint status -w json");
    const leader = BigInt(/"leader":(\d+)/.exec(output)?.[1] ?? "0").toString(16);
    return leader === wanted ? undefined : `${leader} leads; ${answers.map((one) => one.output.trim()).join("; ")}`;
  });
}

/** A link breaks: nobody reaches the host any more, and it reaches nobody. What is on its way is dropped, not refused. */
export function cutOff(host: string): () => void {
  const pid = execFileSync("podman", ["inspect", "-f", "{{.State.Pid}}", container(host)], { encoding: "utf8" }).trim();
  const link = (state: string) => execFileSync("nsenter", ["-t", pid, "-n", "ip", "link", "set", "eth0", state]);
  link("down");
  return () => link("up");
}
