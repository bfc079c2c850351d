/** What happened to the cluster for real, counted on the hosts: who is a member, how often the static pods of those that stay were started, and whether etcd had a quorum all the time. */
import type { ClientHttp2Session } from "node:http2";
import { connectTo, range } from "../../lab/etcd-grpc.ts";
import { idsOn, on } from "../lab/stack.ts";

export interface Effects {
  /** Ids of etcd's members. */
  readonly ids: readonly string[];
  /** `master-1 api` → how often the kubelet has started it. */
  readonly starts: Readonly<Record<string, number>>;
}

/** The kubelet counts the starts of a container in the names of its logs. */
const startsScript = `for d in /var/log/pods/kube-system_master-*/*/; do
  n=$(ls "$d" | sed -n 's/^\\([0-9][0-9]*\\)\\.log$/\\1/p' | sort -n | tail -n 1)
  [ -z "$n" ] || echo "$(basename "$d") $((n + 1))"
done`;

export async function effectsOn(survivors: readonly string[]): Promise<Effects> {
  const starts: Record<string, number> = {};
  for (const host of survivors) {
    const { output } = await on(host, startsScript);
    const lines = output.trim().split("\n");
    if (!lines.some((line) => /^api \d+$/.test(line))) throw new Error(`${host} does not tell its starts: ${output}`);
    for (const [name = "", count] of lines.map((line) => line.split(" ")))
      starts[`${host} ${name}`] = (starts[`${host} ${name}`] ?? 0) + Number(count);
  }
  return { ids: await idsOn(survivors[0] ?? ""), starts };
}

/**
 * Effects beyond those of an undisturbed decommission of one master: there, one member goes, the API and the controllers of each master that stays are started once, and its etcd
 * is not.
 * @param lost leases that the controllers of a host lost meanwhile: they end by themselves then, and the kubelet starts them
 */
export function duplicatesBetween(before: Effects, after: Effects, lost: Readonly<Record<string, number>>): string[] {
  const gone = before.ids.filter((id) => !after.ids.includes(id));
  const more = Object.entries(after.starts).flatMap(([name, count]) => {
    const times = count - (before.starts[name] ?? 0);
    const [host = "", pod = ""] = name.split(" ");
    const wanted = pod === "etcd" ? 0 : pod === "controllers" ? 1 + (lost[host] ?? 0) : 1;
    return Array.from({ length: Math.max(0, times - wanted) }, () => `${name} was started once more than needed`);
  });
  return [...gone.slice(1).map((id) => `member ${id} is gone as well`), ...more];
}

/**
 * Counts how often the controllers of each host end because they lost their lease, as when their API is away for more than 10 s. The kubelet keeps the logs of the last two only, so
 * they are looked at all the time.
 */
export function watchLeases(hosts: readonly string[]): { stop(): Promise<Record<string, number>> } {
  const seen = new Set<string>();
  const look = async (): Promise<void> => {
    for (const host of hosts) {
      const { output } = await on(
        host,
        "grep -ls 'leaderelection lost' /var/log/pods/kube-system_master-controllers*/*/*.log",
      );
      for (const path of output.split("\n").filter(Boolean)) seen.add(`${host} ${path}`);
    }
  };
  let ended = false;
  let old = new Set<string>();
  const running = (async () => {
    await look();
    old = new Set(seen);
    while (!ended) {
      await new Promise((resolve) => setTimeout(resolve, 4000));
      await look();
    }
  })();
  return {
    stop: async () => {
      ended = true;
      await running;
      const lost: Record<string, number> = {};
      for (const one of seen) {
        const [host = ""] = one.split(" ");
        if (!old.has(one)) lost[host] = (lost[host] ?? 0) + 1;
      }
      return lost;
    },
  };
}

export interface Quorum {
  /** Seconds without any answer that needs a quorum, at most. */
  readonly longest: number;
  /** How often it was more than an election takes. */
  readonly lost: number;
}

/** Seconds without an answer after which the quorum counts as lost; an election takes 1 to 3 on the lab. */
const election = 10;

/** Asks the members that stay once a second for what only a quorum can answer, as `etcdctl endpoint health` does. */
export function watchQuorum(addresses: readonly string[]): { stop(): Promise<Quorum> } {
  const sessions = new Map<string, ClientHttp2Session>();
  const seen = { longest: 0, lost: 0 };
  let ended = false;
  let last = Date.now();
  const ask = async (address: string): Promise<void> => {
    const session = sessions.get(address) ?? connectTo(address);
    sessions.set(address, session);
    try {
      await range(session, "health", "health\0", 1);
    } catch (error) {
      session.destroy();
      sessions.delete(address);
      throw error;
    }
  };
  const answered = (): void => {
    const gap = (Date.now() - last) / 1000;
    seen.longest = Math.max(seen.longest, gap);
    if (gap > election) seen.lost += 1;
    last = Date.now();
  };
  const running = (async () => {
    while (!ended) {
      await Promise.any(addresses.map(ask)).then(answered, () => undefined);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  })();
  return {
    stop: async () => {
      ended = true;
      await running;
      answered();
      for (const session of sessions.values()) session.destroy();
      return seen;
    },
  };
}
