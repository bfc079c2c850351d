/** A link that is half open: it carries nothing any more, and nobody closes it. A real sshd behind a proxy that stops forwarding. */
import assert from "node:assert/strict";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { RemoteError } from "../../providers/remote/errors.ts";
import { Connections } from "../../providers/remote/ssh.ts";
import { type Sshd, startSshd } from "./sshd.ts";

let sshd: Sshd;
let proxy: Server;
let connections: Connections;
const sockets = new Set<Socket>();
/** Nothing goes through any more, in either direction. */
let cut = false;

before(async () => {
  sshd = await startSshd();
  proxy = createServer((near) => {
    const far = connect(sshd.port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => undefined);
      from.on("data", (part) => cut || to.write(part));
      from.on("close", () => cut || to.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port } = proxy.address() as AddressInfo;
  const knownHosts = sshd.knownHosts(`[127.0.0.1]:${port} ${sshd.hostKey("ed25519")}`);
  connections = new Connections(sshd.settings({ port, knownHosts }));
});
after(async () => {
  for (const one of sockets) one.destroy();
  proxy.close();
  await connections.close();
  await sshd.stop();
});

test("it is noticed within 30 s, by a command under way and by the lock that is held; the sentence has host, what and elapsed time", async () => {
  const host = connections.host({ name: "master-0.example.com", address: "127.0.0.1" });
  const held = await host.hold("echo locked; cat >/dev/null", { what: "taking the lock", deadline: 10 });
  const running = host.run("sleep 120", { what: "restarting api", deadline: 120 }).catch((error: unknown) => error);
  await host.run("true", { what: "asking", deadline: 10 });
  cut = true;
  const since = Date.now();
  const [error, lost] = await Promise.all([running, held.lost]);
  const took = (Date.now() - since) / 1000;
  console.log(`noticed after ${took.toFixed(1)} s`);
  assert.ok(took < 30, `${took} s`);
  assert.ok(took > 10, "three beats must be missed: a busy host is not a dead one");
  assert.ok(error instanceof RemoteError);
  assert.equal(error.outcome, "unknown");
  assert.match(
    error.message,
    /^restarting api on master-0\.example\.com failed: the connection was lost \(Keepalive timeout\) after \d+ s; how much of it was done is unknown$/,
  );
  assert.match(lost.message, /^taking the lock on master-0\.example\.com failed: the connection was lost \(Keepalive/);
});
