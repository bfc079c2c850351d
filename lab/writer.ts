/**
 * A client that writes to etcd all the time, as an API does: at any member that answers, and again elsewhere when one does not. What was acknowledged is
 * remembered, and looked for afterwards on every member that is left.
 */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { built } from "./cluster.ts";

export interface Written {
  /** Writes that etcd acknowledged. */
  readonly acknowledged: number;
  readonly perSecond: number;
  /** Attempts that were not acknowledged, and made again. */
  readonly again: number;
  /** Milliseconds from the first attempt of a write to its acknowledgement. */
  readonly slowest: number;
}

export interface Writer {
  /** Ends the writing. */
  stop(): Promise<Written>;
  /** Of what was acknowledged, what a member does not have, asked of its own data; one line each. */
  missingOn(address: string): Promise<string[]>;
}

/** Writers at the same time, each with one write under way. */
const writers = 6;
const prefix = "/openshift-masters/written/";
const file = (name: string): Buffer => readFileSync(join(built.pki, name));
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** Starts writing through the members at these addresses. */
export function startWriter(addresses: readonly string[]): Writer {
  const tls = {
    ca: file("etcd-ca/ca.crt"),
    cert: file("master-0/master.etcd-client.crt"),
    key: file("master-0/master.etcd-client.key"),
    agent: new Agent({ keepAlive: true }),
    // the certificates name the hosts, and the addresses too
    checkServerIdentity: () => undefined,
  };
  const post = (host: string, path: string, body: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const asked = request({ ...tls, host, port: 2379, path, method: "POST", timeout: 7000 }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => (text += part));
        answer.on("error", reject).on("end", () => {
          if (answer.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`HTTP ${answer.statusCode ?? 0}: ${text.slice(0, 200)}`));
        });
      });
      asked.on("timeout", () => asked.destroy(new Error("no answer within 7 s"))).on("error", reject);
      asked.end(JSON.stringify(body));
    });
  const acknowledged = new Map<string, string>();
  let [again, slowest, next, going] = [0, 0, 0, true];
  const started = Date.now();
  const work = async (n: number) => {
    let at = n;
    while (going) {
      const key = `${prefix}${String(next++).padStart(7, "0")}`;
      const [value, since] = [`${n} ${Date.now()}`, Date.now()];
      // to the end: what may have been written is written again, the same
      for (;;) {
        try {
          await post(addresses[at % addresses.length] ?? "", "/v3/kv/put", { key: base64(key), value: base64(value) });
          acknowledged.set(key, value);
          slowest = Math.max(slowest, Date.now() - since);
          break;
        } catch {
          again += 1;
          at += 1;
          if (!going && Date.now() - since > 30_000) break;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const all = Promise.all(Array.from({ length: writers }, (_, n) => work(n)));
  return {
    stop: async () => {
      going = false;
      await all;
      const seconds = (Date.now() - started) / 1000;
      return { acknowledged: acknowledged.size, perSecond: acknowledged.size / seconds, again, slowest };
    },
    missingOn: async (address) => {
      const range = { key: base64(prefix), range_end: base64(`${prefix}~`), serializable: true };
      const { kvs = [] } = (await post(address, "/v3/kv/range", range)) as { kvs?: { key: string; value: string }[] };
      const there = new Map(kvs.map((one) => [one.key, one.value]));
      return [...acknowledged].flatMap(([key, value]) => (there.get(base64(key)) === base64(value) ? [] : [key]));
    },
  };
}

/** One line for people. */
export const writtenInWords = (seen: Written, missing: number): string =>
  `${seen.acknowledged} writes to etcd acknowledged (${seen.perSecond.toFixed(0)}/s, ${seen.again} made again, slowest ${seen.slowest} ms), ${missing} of them lost`;
