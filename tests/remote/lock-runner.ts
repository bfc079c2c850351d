/**
 * A run in a process of its own, which takes the lock on masters and then does what its standard input says, a word a line; each answer is a line of JSON.
 * Arguments: the engine's address or `-`, and an Order as JSON.
 */
import { createInterface } from "node:readline";
import { type Lock, lockAll, type Times } from "../../providers/remote/lock.ts";
import { Connections, type SshSettings } from "../../providers/remote/ssh.ts";
import { messageOf } from "../../providers/plan/refusal.ts";

export interface Order {
  readonly run: string;
  readonly masters: readonly { readonly name: string; readonly address: string; readonly settings: SshSettings }[];
  readonly times?: Times | undefined;
}

const order = JSON.parse(process.argv[3] ?? "") as Order;
const say = (answer: object) => console.log(JSON.stringify({ ...answer, at: Date.now() }));
// each master is an sshd of its own, at a port of its own
const all = order.masters.map(({ settings, ...target }) => {
  const connections = new Connections(settings);
  return { connections, host: connections.host(target) };
});
const hosts = all.map(({ host }) => host);
const end = async () => {
  await Promise.all(all.map(({ connections }) => connections.close()));
  process.exit(0);
};

const verbs: Readonly<Record<string, (lock: Lock) => Promise<void>>> = {
  prove: (lock) => lock.prove(),
  work: async () => {
    for (const host of hosts) await host.run("echo worked >>/run/lock/work", { what: "working", deadline: 5 });
  },
  /** Permitted, then asleep before it is sent. */
  sleep: async (lock) => {
    await lock.prove();
    process.kill(process.pid, "SIGSTOP");
    await verbs["work"]?.(lock);
  },
  release: (lock) => {
    lock.release();
    return Promise.resolve();
  },
};

try {
  const lock = await lockAll(hosts, order.run, order.times);
  for (const { connections } of all) connections.guardBy((decided) => lock.guard(decided));
  say({ did: "locked" });
  for await (const verb of createInterface({ input: process.stdin }))
    await (verbs[verb]?.(lock) ?? Promise.reject(new Error("what?"))).then(
      () => say({ did: verb }),
      (error: unknown) => say({ failed: verb, why: messageOf(error) }),
    );
} catch (error) {
  say({ failed: "lock", why: messageOf(error) });
}
await end();
