/** docs/restore.md on real hosts: its commands as they stand there, after etcd's data was destroyed on every master. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { qualified } from "../../lab/cluster.ts";
import { reset } from "../../lab/lab.ts";
import { files } from "../../lab/stack.ts";
import { type Block, blocksOf, filledIn, unseen } from "./document.ts";
import { type Ran, TestStack, etcdctl, eventually, on } from "./stack.ts";

const masters = ["master-0", "master-1", "master-2", "master-3"];
const others = masters.slice(1);
const folder = join(files.config, "..", "restore-document");
const blocks = blocksOf(join(import.meta.dirname, "..", "..", "docs", "restore.md"));
let stack: TestStack;
let revision: string;
let count: string;
/** The administrator's values of the variables at the top of each part. */
let values: Record<string, string>;

const countAt = async (host: string, rev: string): Promise<string> => {
  const { output } = await etcdctl(
    host,
    `get "" --from-key --keys-only --limit 1 --rev ${rev} -w fields | grep '"Count"'`,
  );
  assert.match(output, /^"Count" : [1-9]\d+\n$/);
  return output;
};
const v2 = (host: string, words: string) =>
  on(
    host,
    `ETCDCTL_API=2 etcdctl --ca-file /etc/etcd/ca.crt --cert-file /etc/etcd/peer.crt --key-file /etc/etcd/peer.key --endpoints https://${qualified(host)}:2379 ${words}`,
  );
const v2Keys = ["/openshift.com/network/config", "'/lab/a name/with spaces'", "/lab/lines", "/lab/empty"] as const;
const v2Values = async (host: string) =>
  (await Promise.all(v2Keys.map((key) => v2(host, `get ${key} | od -c`)))).map((ran) => ran.output);

before(async () => {
  const hosts = await reset({ masters: 4, grace: 5 });
  stack = await TestStack.create("restore");
  await on("master-0", "oc create configmap sentinel -n demo --from-literal=is=there");
  await v2("master-0", `set ${v2Keys[1]} -- '{"a": "b c"}'`);
  await v2("master-0", `set ${v2Keys[2]} "$(printf 'one\\n\\ntwo\\n\\n.')"`);
  await v2("master-0", `set ${v2Keys[3]} ''`);
  await v2("master-0", "mkdir /lab/folder");
  await v2("master-0", "set --ttl 3600 /lab/lease held");
  const adopted = await stack.up();
  assert.equal(adopted.code, 0, adopted.output.slice(-4000));
  const { snapshot, backups } = (await stack.outputs()) as {
    snapshot: { archive: string; revision: string; v2: { archive: string } };
    backups: Record<string, { archive: string }>;
  };
  revision = snapshot.revision;
  count = await countAt("master-0", revision);
  await on("master-0", "oc create configmap too-late -n demo --from-literal=is=lost");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  const ssh = join(folder, "ssh_config");
  const names = Object.entries(hosts).map(([host, address]) => `Host ${qualified(host)}\n  HostName ${address}\n`);
  writeFileSync(
    ssh,
    `${names.join("")}Host *\n  User root\n  IdentityFile ${files.key}\n  UserKnownHostsFile ${files.knownHosts}\n  BatchMode yes\n`,
  );
  values = {
    first: qualified("master-0"),
    others: `"${others.map(qualified).join(" ")}"`,
    snapshot: snapshot.archive,
    v2: snapshot.v2.archive,
    ssh: `"-F ${ssh}"`,
    host: qualified("master-1"),
    new_first: qualified("master-2"),
    archive: backups[qualified("master-1")]?.archive ?? "",
  };
});

/** A block on the machine that has the copies: the only place where values are filled in. */
function here(block: Block, more: Record<string, string> = {}): Promise<Ran> {
  // npm's scripts belong to the checkout, and find the lab's stack there
  const cwd = block.part === "tool" ? join(import.meta.dirname, "..", "..") : folder;
  const started = Date.now();
  return new Promise((resolve) => {
    const text = filledIn(block.text, { ...values, ...more });
    const child = spawn("sh", ["-c", text], { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (part: string) => (output += part));
    child.on("close", (code) => resolve({ code: code ?? -1, output, took: (Date.now() - started) / 1000 }));
  });
}

/** Where the document's words `on=…` are on the lab. */
const places: Record<string, readonly string[]> = {
  host: ["master-1"],
  "new-first": ["master-2"],
  first: ["master-0"],
  "each-master": masters,
  "each-other": others,
  "every-host": [...masters, "node-0"],
};

async function run(block: Block, more?: Record<string, string>): Promise<void> {
  const check = (place: string, ran: Ran) => {
    const lacks = unseen(block, ran.output);
    const told = `docs/restore.md:${block.line} on ${place} (exit ${ran.code}): ${ran.output}`;
    console.log(`docs/restore.md:${block.line} on ${place}: ${ran.took.toFixed(1)} s`);
    assert.equal(lacks, undefined, told);
    assert.doesNotMatch(ran.output, /NOT (YET|WRITTEN)|not found|syntax error/, told);
  };
  if (block.on === "here") {
    check("here", await here(block, more));
    return;
  }
  const env = ["etcd", "v2"].includes(block.part) ? ". /root/etcd-rebuild/env\n" : "";
  const hosts = places[block.on] ?? [];
  assert.ok(hosts.length > 0, `docs/restore.md:${block.line}: where is ${block.on}?`);
  const one = async (host: string) =>
    check(host, await on(host, `sh -s <<'PASTED'\n${host === "node-0" ? "" : env}${block.text}PASTED\n`));
  // the document says when it must be one after the other
  if (block.on === "each-master") await Promise.all(hosts.map(one));
  else for (const host of hosts) await one(host);
}

test("files put back by the tool", async () => {
  const spoilt = "/etc/origin/master/master-config.yaml";
  await on("master-1", `echo '# spoilt' >> ${spoilt}; mv /etc/etcd/etcd.conf /root/`);
  for (const block of blocks.filter(({ part }) => part === "tool")) await run(block);
  const { output } = await on(
    "master-1",
    `cmp /root/etcd.conf /etc/etcd/etcd.conf && echo same; stat -c '%a %U' /etc/etcd/etcd.conf; tail -qn 1 ${spoilt} ${spoilt}.before-restore-*; rm ${spoilt}.before-restore-*`,
  );
  assert.equal(output, "same\n644 root\n  maxRequestsInFlight: 500\n# spoilt\n");
});

test("a file put back by hand with tar", async () => {
  await on("master-1", "echo '# spoilt' >> /etc/origin/master/master-config.yaml");
  for (const block of blocks.filter(({ part }) => part === "files")) await run(block);
  const { output } = await on("master-1", "cd /etc/origin/master; tail -n 1 master-config.yaml master-config.yaml.b*");
  assert.match(output, /maxRequestsInFlight: 500\n[\s\S]*# spoilt\n$/);
});

test("the certificate authority on another first master", async () => {
  const { backups } = (await stack.outputs()) as { backups: Record<string, { archive: string }> };
  const archive = backups[qualified("master-0")]?.archive ?? "";
  for (const block of blocks.filter(({ part }) => part === "ca")) await run(block, { archive });
  const walk =
    "cd /etc; find etcd/ca etcd/generated_certs origin/master/ca.serial.txt -printf '%p %m %U:%G %s %l\\n' | sort";
  const [was, is] = await Promise.all(["master-0", "master-2"].map((host) => on(host, walk)));
  assert.ok((was?.output.split("\n").length ?? 0) > 10);
  assert.equal(is?.output.replace(/^(\S+ d\S+ \S+) \d+/gm, "$1"), was?.output.replace(/^(\S+ d\S+ \S+) \d+/gm, "$1"));
});

/** A disk that ate its data: etcd is killed, and what the administrator finds can neither be read nor does it start. */
const destroy = `mv /etc/origin/node/pods/etcd.yaml /root/ && for i in $(seq 60); do pidof etcd >/dev/null || break; sleep 1; done
  pidof etcd || { rm -rf /var/lib/etcd/member; mkdir -p /var/lib/etcd/member/snap; echo garbage >/var/lib/etcd/member/snap/db; mv /root/etcd.yaml /etc/origin/node/pods/ && echo destroyed; }`;

test("etcd rebuilt from the snapshot, after it was destroyed everywhere", async () => {
  const wanted = await v2Values("master-0");
  const destroyed = await Promise.all(masters.map((host) => on(host, destroy)));
  for (const { output } of destroyed) assert.equal(output, "destroyed\n");
  const started = Date.now();
  for (const block of blocks.filter(({ part }) => part === "etcd" || part === "v2")) await run(block);
  console.log(`etcd rebuilt: ${((Date.now() - started) / 1000).toFixed(0)} s`);
  assert.deepEqual(await v2Values("master-3"), wanted);
});

test("… every member is healthy and holds what the snapshot held", async () => {
  for (const host of masters) {
    const listed = (await etcdctl(host, "member list")).output.trim().split("\n");
    assert.equal(listed.length, 4, listed.join("\n"));
    for (const master of masters) assert.ok(listed.some((line) => line.includes(`, started, ${qualified(master)}, `)));
    assert.match((await etcdctl(host, "endpoint health")).output, /is healthy/);
    assert.equal(await countAt(host, revision), count);
    const { output } = await on(host, "curl -sk https://127.0.0.1:8443/readyz; ls /etc/origin/node/pods /var/lib/etcd");
    assert.match(output, /^ok/);
    assert.match(output, /apiserver\.yaml\ncontroller\.yaml\netcd\.yaml\n/);
    assert.match(output, /member\nmember\.before-rebuild-\S+\n/, "what was there is kept");
    const kept = await on(host, "cat /var/lib/etcd/member.before-rebuild-*/snap/db; ls /etc/etcd/etcd.conf.before-*");
    assert.match(kept.output, /^garbage\n\/etc\/etcd\/etcd\.conf\.before-rebuild-/);
  }
});

test("… the API serves it: what was before the snapshot, and not what came after", async () => {
  const { output } = await on("master-1", "oc get configmap sentinel -n demo -o jsonpath='{.data.is}'");
  assert.equal(output, "there");
  assert.match((await on("master-2", "oc get configmap too-late -n demo")).output, /NotFound/);
  await eventually("every node is ready", 60, async () => {
    const nodes = (await on("master-3", "oc get nodes --no-headers")).output;
    return (nodes.match(/ Ready /g) ?? []).length === 4 ? undefined : nodes;
  });
});

test("… and the v2 keys are back, with their time to live", async () => {
  assert.match((await v2("master-2", "ls --recursive -p /lab")).output, /\/lab\/folder\/\n/);
  const lease = (await v2("master-2", "-o extended get /lab/lease")).output;
  const [, ttl = "0"] = /^TTL: (\d+)$/m.exec(lease) ?? [];
  assert.ok(Number(ttl) > 3000 && Number(ttl) <= 3600, lease);
  assert.match((await v2("master-2", `-o extended get ${v2Keys[0]}`)).output, /^TTL: 0$/m);
  for (const host of masters) assert.equal((await on(host, "systemctl is-active flanneld")).output, "active\n");
});

test("… and the stack takes its first backup of the new cluster", async () => {
  stack.edit((text) => text.replace('stamp: "lab"', 'stamp: "rebuilt"'));
  const ran = await stack.up();
  assert.equal(ran.code, 0, ran.output.slice(-4000));
  assert.match(readFileSync(files.inventory, "utf8"), /master-0/);
  const { etcd } = (await stack.outputs()) as { etcd: { members: Record<string, { id: string }> } };
  const listed = (await etcdctl("master-0", "member list")).output;
  for (const { id } of Object.values(etcd.members)) assert.ok(listed.includes(id), listed);
});
