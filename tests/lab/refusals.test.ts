/** What Preflight refuses on real hosts: each with its sentence, at preview, with nothing touched. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { reset } from "../../lab/lab.ts";
import { container } from "../../lab/hosts.ts";
import { files } from "../../lab/stack.ts";
import { loadBalancerTests } from "./load-balancer.ts";
import { membershipTests } from "./membership.ts";
import { type Ran, TestStack, eventually, fingerprint, on } from "./stack.ts";

let stack: TestStack;
const inside = (host: string, script: string) =>
  execFileSync("podman", ["exec", container(host), "sh", "-c", script], { encoding: "utf8" });

before(async () => {
  await reset({ masters: 4, grace: 5 });
  stack = await TestStack.create("refusals");
  const adopted = await stack.up();
  assert.equal(adopted.code, 0, adopted.output.slice(-4000));
  stack.drop("master-3");
});

/** A run that must be refused with these sentences, after which the load balancer and two masters are as they were. */
async function refusedBy(run: () => Promise<Ran>, ...sentences: readonly RegExp[]): Promise<void> {
  const watched = ["lb-0", "master-0", "master-3"];
  const prints = await Promise.all(watched.map(fingerprint));
  const ran = await run();
  assert.notEqual(ran.code, 0, ran.output);
  for (const sentence of sentences) assert.match(ran.output, sentence);
  assert.match(ran.output, /refused, nothing was touched/);
  assert.deepEqual(await Promise.all(watched.map(fingerprint)), prints);
}
const refused = (...sentences: readonly RegExp[]): Promise<void> => refusedBy(() => stack.preview(), ...sentences);

async function withConfig(change: (text: string) => string, check: () => Promise<void>): Promise<void> {
  const text = readFileSync(stack.config, "utf8");
  stack.edit(change);
  try {
    await check();
  } finally {
    writeFileSync(stack.config, text);
  }
}

test("the healthy removal is not refused", async () => {
  const ran = await stack.preview();
  assert.equal(ran.code, 0, ran.output);
});

test("a survivor whose etcd is stopped, at `up --skip-preview`", async () => {
  await on("master-1", "mv /etc/origin/node/pods/etcd.yaml /root/etcd.yaml");
  try {
    await eventually("etcd of master-1 is down", 60, async () =>
      (await on("master-1", "pidof etcd")).code === 0 ? "running" : undefined,
    );
    await refusedBy(
      () => stack.up(),
      /etcd on master-1\.example\.com cannot be asked \(nothing listens on port 2379\).*repair it first/,
    );
  } finally {
    await on("master-1", "mv /root/etcd.yaml /etc/origin/node/pods/etcd.yaml");
    await eventually("master-1 is back", 120, async () => {
      const { output } = await on(
        "master-1",
        "curl -sk https://127.0.0.1:8443/readyz; ss -ltnH 'sport = :2379' | wc -l",
      );
      return output === "ok1\n" ? undefined : output;
    });
  }
});

test("told together: a survivor that cannot be reached, one with a wrong host key, an inventory that is not there", async () => {
  const other = join(files.knownHosts, "..", "known_hosts-wrong");
  const lines = readFileSync(files.knownHosts, "utf8").split("\n");
  const keyOf = (host: string) => lines.find((line) => line.startsWith(`${host}.`))?.split(" ")[2] ?? "";
  writeFileSync(
    other,
    lines
      .map((line) => (line.startsWith("master-1.") ? line.replace(keyOf("master-1"), keyOf("master-2")) : line))
      .join("\n"),
  );
  inside("master-2", "systemctl stop ssh.socket ssh.service 2>/dev/null || systemctl stop ssh");
  try {
    await withConfig(
      (text) => text.replace(files.knownHosts, other).replace(/inventory: \{ ?path: /, "inventory: { path: /nowhere"),
      () =>
        refused(
          /master-2\.example\.com cannot be reached, and every master that stays must be: .*192\.168\.55\.13/,
          /master-1\.example\.com cannot be reached.*host key/s,
          /the inventory cannot be read .*\/nowhere/,
        ),
    );
  } finally {
    inside("master-2", "systemctl start ssh");
  }
});

test("told together: two masters fewer than three, a haproxy.cfg that haproxy does not accept, an inventory that is not understood", async () => {
  const text = readFileSync(files.inventory, "utf8");
  await on("lb-1", "cp -p /etc/haproxy/haproxy.cfg /root/kept.cfg; echo 'no such keyword' >> /etc/haproxy/haproxy.cfg");
  writeFileSync(files.inventory, text.replace("master-[0:3]", "master-[0:3"));
  try {
    await withConfig(
      (config) => config.replace(/^ {4}master-[12]\.example\.com: .*\n/gm, ""),
      () =>
        refused(
          /below-three-masters|last/,
          /lb-1\.example\.com: haproxy does not accept its own configuration \/etc\/haproxy\/haproxy\.cfg as it is now.*repair it first/,
          /the inventory is not understood \(this machine: .*hosts\): .*line \d+/,
        ),
    );
  } finally {
    writeFileSync(files.inventory, text);
    await on("lb-1", "cp -p /root/kept.cfg /etc/haproxy/haproxy.cfg");
  }
});

test("a declared master that is not one, adding and removing at once, another address", async () => {
  await withConfig(
    (text) =>
      text
        .replace("192.168.55.13", "192.168.55.14")
        .replace(/^ {4}master-2/m, "    master-9.example.com: { address: 192.168.55.24 }\n    master-2"),
    () =>
      refused(
        /masters are added \(master-9\.example\.com\) and removed \(master-3\.example\.com\) in one change/,
        /the address of master-2\.example\.com changes from 192\.168\.55\.13 to 192\.168\.55\.14/,
      ),
  );
  await withConfig(
    (text) =>
      text
        .replace(/^ {4}node-0.*\n/m, "")
        .replace(
          /^ {4}master-2/m,
          "    master-3.example.com: { address: 192.168.55.21 }\n    node-0.example.com: { address: 192.168.55.31 }\n    master-2",
        ),
    () =>
      refused(/node-0\.example\.com is declared and is not a member of etcd: scale up with openshift-ansible first/),
  );
});

test("the holder of the certificate authorities, where there are two different ones of etcd; with one it may leave", async () => {
  const first = (text: string) =>
    text.replace(/^ {4}master-0.*\n/m, "    master-3.example.com: { address: 192.168.55.21 }\n");
  const second = "/etc/origin/master/etc/etcd/ca";
  await on(
    "master-0",
    `mkdir -p ${second} && cp -a /etc/etcd/ca/. ${second}/ && openssl req -x509 -newkey rsa:2048 -nodes -keyout ${second}/ca.key -out ${second}/ca.crt -subj /CN=another 2>/dev/null`,
  );
  try {
    await withConfig(first, () =>
      refused(
        /etcd's CA \(\/etc\/etcd\/ca\) is not one but several: .*\/etc\/etcd\/ca, ca\.crt [0-9a-f]{12}; .*\/etc\/origin\/master\/etc\/etcd\/ca, ca\.crt [0-9a-f]{12}/,
      ),
    );
  } finally {
    await on("master-0", "rm -rf /etc/origin/master/etc");
  }
  await withConfig(first, async () => {
    const ran = await stack.preview();
    assert.equal(ran.code, 0, ran.output);
    assert.match(ran.output, /master-1\.example\.com: take over etcd's CA/);
  });
});

test("a leaving host that is gone, unless it is acknowledged", async () => {
  inside("master-3", "systemctl stop ssh.socket ssh.service 2>/dev/null || systemctl stop ssh");
  try {
    const ran = await stack.preview();
    assert.notEqual(ran.code, 0);
    assert.match(ran.output, /master-3\.example\.com leaves and cannot be reached .*host-gone:master-3\.example\.com/s);
    await withConfig(
      (text) => text.replace("acknowledge: []", "acknowledge: ['host-gone:master-3.example.com']"),
      async () => {
        const allowed = await stack.preview();
        assert.equal(allowed.code, 0, allowed.output);
        assert.doesNotMatch(allowed.output, /master-3\.example\.com: (back up|API off|controllers off)/);
      },
    );
  } finally {
    inside("master-3", "systemctl start ssh");
  }
});

test("an unprivileged user with sudo sees the same", async () => {
  await withConfig(
    (text) => text.replace("user: root", "user: ops\n    become: true"),
    async () => {
      const ran = await stack.preview();
      assert.equal(ran.code, 0, ran.output);
      assert.match(ran.output, /etcdctl member remove/);
    },
  );
});

// on the same lab: every refusal has left it as it was
describe("what etcd has", () => membershipTests(refused));
describe("what goes wrong at a load balancer", () => loadBalancerTests(() => stack));
