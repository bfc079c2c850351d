/** A drain over a real sshd: it ends with the connection, and with whoever wanted it. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { evictScript } from "../../providers/plan/drain-script.ts";
import { RemoteError } from "../../providers/remote/errors.ts";
import { Connections } from "../../providers/remote/ssh.ts";
import { type Sshd, startSshd } from "./sshd.ts";

let sshd: Sshd;
let connections: Connections;
let pidFile: string;
before(async () => {
  sshd = await startSshd();
  pidFile = join(sshd.folder, "pid");
  const oc = join(sshd.folder, "oc");
  writeFileSync(
    oc,
    `#!/bin/sh\necho $$ >${pidFile}.new; mv ${pidFile}.new ${pidFile}\nexec sleep "$(cat ${sshd.folder}/seconds)"\n`,
  );
  chmodSync(oc, 0o755);
});
after(() => sshd.stop());
beforeEach(() => {
  connections = new Connections(sshd.settings());
});
afterEach(() => connections.close());

const until = async (so: () => boolean): Promise<void> => {
  for (let tries = 0; !so(); tries++) {
    assert.ok(tries < 500, "it did not come to that");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
const isThere = (pid: number): boolean => existsSync(`/proc/${pid}`);

/** Begins a drain that takes so long; gives its process over there. */
async function begin(seconds: number) {
  writeFileSync(join(sshd.folder, "seconds"), String(seconds));
  writeFileSync(pidFile, "");
  const alive = new PassThrough();
  const host = connections.host({ name: "master-0.example.com", address: "127.0.0.1" });
  const ended = host
    .run(`PATH=${sshd.folder}:$PATH\n${evictScript("master-3.example.com", [], 300)}`, {
      what: "draining master-3.example.com",
      deadline: 60,
      stdin: () => alive,
      ok: "any",
    })
    .catch((error: unknown) => error);
  await until(() => readFileSync(pidFile, "utf8") !== "");
  return { alive, ended, pid: Number(readFileSync(pidFile, "utf8")) };
}

describe("a drain over ssh", () => {
  it("comes to its end while our input is still open", async () => {
    const { ended, pid } = await begin(0.3);
    assert.equal(((await ended) as { code: number }).code, 0);
    assert.equal(isThere(pid), false);
  });
  it("ends when we say so", async () => {
    const { alive, ended, pid } = await begin(60);
    alive.end();
    assert.equal(((await ended) as { code: number }).code, 143);
    assert.equal(isThere(pid), false);
  });
  it("ends over there when the connection is lost, and how far it came is unknown here", async () => {
    const { ended, pid } = await begin(60);
    assert.equal(isThere(pid), true);
    sshd.cutConnections();
    const error = await ended;
    assert.ok(error instanceof RemoteError && error.outcome === "unknown", String(error));
    await until(() => !isThere(pid));
  });
});
