/**
 * Clients that write to etcd all the time, each through one member after the other: a key is written until some member has acknowledged it. Whether what was
 * acknowledged is still there is read back at the end.
 */
import type { ClientHttp2Session } from "node:http2";
import { connectTo, put, range } from "./etcd-grpc.ts";

export interface Written {
  readonly acknowledged: number;
  /** Keys that were acknowledged, and are not in etcd any more or have another value. */
  readonly lost: readonly string[];
  /** Tries that failed; their keys were written again through the next member. */
  readonly failed: number;
  readonly perSecond: number;
  /** Milliseconds from the first try of a key to its acknowledgement. */
  readonly slowest: number;
}

export interface Writer {
  /** Ends the writing, and reads back what was acknowledged from the member at `address`. */
  stop(address: string): Promise<Written>;
}

const prefix = "/openshift-masters-lab/written/";

/**
 * Starts writing.
 * @param addresses of members, those that leave among them
 * @param clients how many writes are under way at the same time
 * @param pause milliseconds of each client between two writes
 */
export function startWriter(addresses: readonly string[], clients = 4, pause = 30): Writer {
  const acknowledged = new Map<string, string>();
  const seen = { failed: 0, slowest: 0 };
  const started = Date.now();
  let next = 0;
  let ended = false;

  const client = async (first: number): Promise<void> => {
    let turn = first;
    let session: ClientHttp2Session | undefined;
    const write = async (key: string, value: string): Promise<void> => {
      const begun = Date.now();
      while (!ended) {
        try {
          session ??= connectTo(addresses[turn % addresses.length] ?? "");
          await put(session, prefix + key, value);
          acknowledged.set(key, value);
          seen.slowest = Math.max(seen.slowest, Date.now() - begun);
          return;
        } catch {
          seen.failed += 1;
          session?.destroy();
          session = undefined;
          turn += 1;
          await pauseOf(50);
        }
      }
    };
    while (!ended) {
      next += 1;
      await write(String(next).padStart(8, "0"), `value ${next}`);
      await pauseOf(pause);
    }
    session?.destroy();
  };
  const running = Promise.all(Array.from({ length: clients }, (_, n) => client(n)));

  return {
    stop: async (address) => {
      ended = true;
      const seconds = (Date.now() - started) / 1000;
      await running;
      const there = await readBack(address);
      const lost = [...acknowledged].flatMap(([key, value]) => (there.get(key) === value ? [] : [key]));
      return { acknowledged: acknowledged.size, lost, ...seen, perSecond: acknowledged.size / seconds };
    },
  };
}

const pauseOf = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** All that was written, a page after the other: an answer has a limit. */
async function readBack(address: string): Promise<Map<string, string>> {
  const session = connectTo(address);
  const page = 2000;
  const there = new Map<string, string>();
  try {
    for (let from = prefix; ;) {
      const rows = await range(session, from, prefix.replace(/\/$/, "0"), page);
      for (const [key, value] of rows) there.set(key.slice(prefix.length), value);
      if (rows.length < page) return there;
      from = `${rows.at(-1)?.[0] ?? ""}\0`;
    }
  } finally {
    session.destroy();
  }
}

/** One line for people. */
export const writtenInWords = (written: Written): string =>
  `${written.acknowledged} writes acknowledged (${written.perSecond.toFixed(0)}/s), ${written.lost.length} lost, ` +
  `${written.failed} tries failed and were made again, slowest ${written.slowest} ms`;
