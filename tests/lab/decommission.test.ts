/**
 * The main job on real hosts: adopt, preview, 5→3 (the leader of etcd leaves, and a member that has another name than its host), nothing to do, drift, 3→2 with
 * the etcdctl of etcd 3.2, destroy. One lab, one decommission for many assertions.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { type Seen, inWords, startLoad } from "../../lab/load.ts";
import { type Written, startWriter, writtenInWords } from "../../lab/writer.ts";
import { installEtcdctl32 } from "../../lab/etcd32.ts";
import { reset } from "../../lab/lab.ts";
import { files } from "../../lab/stack.ts";
import type { Entry } from "../../providers/plan/record.ts";
import { readRecord } from "../../providers/plan/record-read.ts";
import type { RetirementRecord } from "../../providers/plan/report.ts";
import {
  type Ran,
  TestStack,
  etcdctl,
  eventually,
  fingerprint,
  idsOn,
  makeLeader,
  on,
  onlyWithAll,
  transcript,
} from "./stack.ts";

const survivors = ["master-0", "master-1", "master-2"];
const leavers = ["master-3", "master-4"];
const everyone = [...survivors, ...leavers, "lb-0", "lb-1", "node-0"];
/** What the member of master-4 calls itself. */
const otherName = "etcd-of-the-fifth";
let stack: TestStack;
let clients: Seen;
let written: Written;
const colleague = "# a colleague was here\n";
/** What the lab plants where secrets are, and keys. */
const secret = /LABCANARY|BEGIN [A-Z ]*PRIVATE KEY/;
const succeeded = (ran: Ran) => assert.equal(ran.code, 0, ran.output.slice(-6000));

before(async () => {
  await reset({ masters: 5, grace: 5 });
  await on(
    "master-4",
    `sed -i -e 's/^ETCD_NAME=.*/ETCD_NAME=${otherName}/' -e 's#master-4\\.example\\.com=https#${otherName}=https#' /etc/etcd/etcd.conf; master-restart etcd`,
  );
  await eventually("the member of master-4 has its other name", 90, async () => {
    const { output } = await etcdctl("master-0", "member list");
    return output.includes(`started, ${otherName},`) ? undefined : output;
  });
  stack = await TestStack.create("decommission", 5);
  // what was asked before the drain has its answer by then, however busy the machine
  stack.edit((text) => text.replaceAll("drain: 2", "drain: 5"));
});

test("wrong configuration is refused with the key, the value and what is expected", async () => {
  const text = readFileSync(stack.config, "utf8");
  stack.edit((config) =>
    config.replace("192.168.55.21", "192.168.55.999").replace("acknowledge: []", "acknowledge: [yolo]"),
  );
  const refused = await stack.preview();
  assert.notEqual(refused.code, 0);
  assert.match(
    refused.output,
    /openshift-masters:masters\.master-3\.example\.com\.address: expected an IP address or a host name, got "192\.168\.55\.999"/,
  );
  assert.match(refused.output, /openshift-masters:acknowledge\.0: .*got "yolo"/);
  assert.doesNotMatch(refused.output, /at .*\.ts:\d+/, "no stack trace for an administrator's slip");
  stack.edit(() => text);
  stack.edit((config) => config.replace("openshift-masters:nodes:", "openshift-masters:noeds:"));
  assert.match((await stack.preview()).output, /there is no key openshift-masters:noeds; there are ssh, masters, /);
  stack.edit(() => text);
});

test("the first preview and the first up adopt the cluster and touch nothing but the backups", async () => {
  const seen = await stack.preview();
  succeeded(seen);
  assert.match(seen.output, /MasterBackup.*master-3\.example\.com: back up/);
  const etc = await Promise.all(
    everyone.map((host) => on(host, "find /etc -xdev -type f -exec sha256sum {} + | sort | sha256sum")),
  );
  succeeded(await stack.up());
  const after = await Promise.all(
    everyone.map((host) => on(host, "find /etc -xdev -type f -exec sha256sum {} + | sort | sha256sum")),
  );
  assert.deepEqual(
    after.map((ran) => ran.output),
    etc.map((ran) => ran.output),
  );
  const outputs = await stack.outputs();
  assert.deepEqual(outputs["masters"], [
    "master-0.example.com",
    "master-1.example.com",
    "master-2.example.com",
    "master-3.example.com",
    "master-4.example.com",
  ]);
  const { members } = outputs["etcd"] as { members: Record<string, { id: string; peerURL: string }> };
  const listed = (await etcdctl("master-0", "member list")).output;
  for (const [name, { id, peerURL }] of Object.entries(members))
    assert.match(
      listed,
      new RegExp(`${id}, started, ${name === "master-4.example.com" ? otherName : name}, ${peerURL}`),
    );
  assert.deepEqual(outputs["certificateAuthorities"], {
    openshift: "master-0.example.com",
    etcd: "master-0.example.com",
  });
});

test("the backups are complete, private, on the host and off it", async () => {
  const { backups, snapshot } = (await stack.outputs()) as {
    backups: Record<string, { path: string; archive: string; sha256: string }>;
    snapshot: { archive: string; path: string; sha256: string; keys: number };
  };
  assert.equal(Object.keys(backups).length, 5);
  for (const [host, record] of Object.entries(backups)) {
    assert.equal(statSync(record.archive).mode & 0o777, 0o600);
    assert.equal(sha256(record.archive), record.sha256);
    const there = await on(
      host.split(".")[0] ?? "",
      `sha256sum ${record.path}; stat -c '%a' ${record.path} $(dirname ${record.path})`,
    );
    assert.match(there.output, new RegExp(`^${record.sha256} .*\\n600\\n700\\n$`));
    const listed = execFileSync("tar", ["-tzf", record.archive], { encoding: "utf8" });
    for (const wanted of [
      "etc/origin/master/master-config.yaml",
      "etc/origin/master/ca.key",
      "etc/etcd/etcd.conf",
      "etc/sysconfig/flanneld",
      "etc/dnsmasq.conf",
      "packages.txt",
    ])
      assert.ok(listed.includes(wanted), `${host}: ${wanted}`);
    assert.doesNotMatch(listed, /sysconfig\/sysconfig/);
    if (host === "master-0.example.com") assert.match(listed, /etc\/etcd\/ca\/serial\n/);
  }
  assert.equal(statSync(snapshot.archive).size % 512, 32);
  assert.equal(sha256(snapshot.archive), snapshot.sha256);
  assert.ok(snapshot.keys > 100);
  assert.equal((await on("master-0", "ls /var/lib/etcd")).output, "member\n", "nothing is left in etcd's folder");
});

test("the state holds no key material, and the provider's text is small and constant", () => {
  const state = execFileSync(
    "sh",
    ["-c", `find ${JSON.stringify(join(files.config, "..", "state-decommission"))} -type f -exec cat {} +`],
    { encoding: "utf8", maxBuffer: 2 ** 28 },
  );
  assert.doesNotMatch(state, secret);
  const texts = new Set([...state.matchAll(/"__provider":\s*"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1] ?? ""));
  assert.equal(texts.size, 14, "one text for each type");
  for (const text of texts) assert.ok(text.length < 3000, `${text.length} bytes`);
});

test("a second up has nothing to do", async () => {
  const again = await stack.up();
  succeeded(again);
  assert.match(again.output, /17 unchanged/);
  assert.doesNotMatch(again.output, /updated|created/);
});

test("a copy that is gone and one that was altered are drift, and up mends both", async () => {
  const { backups, snapshot } = (await stack.outputs()) as {
    backups: Record<string, { archive: string }>;
    snapshot: { archive: string };
  };
  const gone = backups["master-2.example.com"]?.archive ?? "";
  rmSync(gone);
  appendFileSync(snapshot.archive, "x");
  const refreshed = await stack.refresh();
  succeeded(refreshed);
  assert.match(refreshed.output, /MasterBackup\] drift: .*master-2\.example\.com.* is gone: `up` takes a fresh set/);
  assert.match(refreshed.output, /EtcdSnapshot\] drift: .*etcd-snapshot.* is altered: `up` takes a fresh snapshot/);
  const mended = await stack.up();
  succeeded(mended);
  assert.match(mended.output, /2 updated/);
  const after = (await stack.outputs()) as typeof backups & { backups: typeof backups };
  const fresh = after.backups["master-2.example.com"]?.archive ?? "";
  assert.ok(fresh !== gone && existsSync(fresh));
  assert.match((await stack.up()).output, /17 unchanged/);
});

test("a preview of two masters fewer names every host's changes and leaves every host byte-identical", async () => {
  await makeLeader("master-3");
  for (const leaver of leavers) stack.drop(leaver);
  const prints = await Promise.all(everyone.map(fingerprint));
  const seen = await stack.preview();
  succeeded(seen);
  assert.deepEqual(await Promise.all(everyone.map(fingerprint)), prints);
  assert.match(seen.output, /- master-3\.example\.com: "192\.168\.55\.21:8443"/);
  assert.match(seen.output, /- master-3\.example\.com: "https:\/\/192\.168\.55\.21:2380"/);
  assert.match(seen.output, /-\s+server\s+master3 192\.168\.55\.21:8443 check/);
  assert.equal(new Set(seen.output.match(/etcdctl member remove [0-9a-f]{8,16}/g)).size, 2);
  assert.match(seen.output, /etcd 5→3: tolerates 1 failure, 2 before \(quorum 2\)/);
  // the leader goes last, and hands its leadership over before
  const [first, moved, last] = [
    seen.output.indexOf("etcdctl member remove"),
    seen.output.indexOf("etcdctl move-leader"),
    seen.output.lastIndexOf("etcdctl member remove"),
  ];
  assert.ok(first < moved && moved < last, `${first} ${moved} ${last}`);
  assert.match(
    seen.output,
    /note: master-3\.example\.com is named by what this change mends: .*EtcdMembership \(\/etc\/etcd\/etcd\.conf on 3 hosts\)/,
  );
  assert.match(
    seen.output,
    /note: master-3\.example\.com is named in a place that is left to you: \/etc\/hosts:\d+ on master-0\.example\.com, /,
  );
  for (const host of survivors)
    assert.match(seen.output, new RegExp(`${host}\\.example\\.com: /etc/etcd/etcd\\.conf: take master-3`));
  for (const line of [
    /node-0\.example\.com: \/etc\/sysconfig\/flanneld/,
    /-\s*master-3\.example\.com openshift_node_group_name/,
    /mv .*apiserver\.yaml/,
    /oc delete node master-3/,
  ])
    assert.match(seen.output, line);
  assert.doesNotMatch(seen.output, /LABCANARY/);
});

test("no secret of the cluster is in a preview as JSON, nor in what pulumi itself logs of one", async () => {
  const words = ["preview", "--stack", stack.name, "--config-file", stack.config, "--non-interactive"];
  for (const [more, atLeast] of [
    [["--json", "--diff"], 10_000],
    [["--logtostderr", "-v=9"], 1_000_000],
  ] as const) {
    const ran = await stack.pulumi(...words, ...more);
    succeeded(ran);
    // the log tells what passes between engine and providers, the deltas of files among it
    assert.ok(ran.output.length > atLeast && ran.output.includes("master-3.example.com"), `${ran.output.length}`);
    assert.doesNotMatch(ran.output, secret, more.join(" "));
  }
});

test("a file that changed between preview --save-plan and up --plan is refused before anything is touched", async () => {
  const plan = join(files.config, "..", "plan.json");
  succeeded(await stack.preview("--save-plan", plan));
  await on("lb-1", `echo '${colleague.trim()}' >> /etc/haproxy/haproxy.cfg`);
  const members = (await etcdctl("master-0", "member list")).output;
  const prints = await Promise.all(["lb-0", "master-3"].map(fingerprint));
  const refused = await stack.pulumi(
    "up",
    "--stack",
    stack.name,
    "--config-file",
    stack.config,
    "--non-interactive",
    "--yes",
    "--plan",
    plan,
  );
  assert.notEqual(refused.code, 0, refused.output);
  assert.equal((await etcdctl("master-0", "member list")).output, members);
  assert.deepEqual(await Promise.all(["lb-0", "master-3"].map(fingerprint)), prints);
});

test("a budget that appears after the rehearsal blocks the drain: told, put back as configured, and etcd is not touched", async () => {
  const before = readFileSync(stack.config, "utf8");
  const drain = "  openshift-masters:drain: { timeout: 10, blocked: put-back }\n";
  stack.edit((text) => text.replace(/^ {2}openshift-masters:acknowledge/m, (key) => drain + key));
  const budget =
    '{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"none-may-go","namespace":"demo"},"spec":{"minAvailable":4,"selector":{"matchLabels":{"app":"web"}}}}';
  let made: Promise<Ran> | undefined;
  const ran = await stack
    .watchedUp((output) => {
      if (output.includes("[LoadBalancerPool lb-0.example.com] 1/"))
        made ??= on("master-0", `echo '${budget}' | oc create -f -`);
    })
    .finally(() => stack.edit(() => before));
  const created = await made;
  await on("master-0", "oc delete pdb none-may-go -n demo");
  assert.match(created?.output ?? ran.output.slice(-4000), /created/);
  assert.notEqual(ran.code, 0, ran.output.slice(-4000));
  assert.match(ran.output, /demo\/web-[^]*none-may-go/);
  // one that was drained before has nothing to come back for: it stays out
  const told = /lb-1\.example\.com: (master-[34])\.example\.com is back in its pools, proved UP/g;
  const back = new Set([...ran.output.matchAll(told)].map(([, name = ""]) => name));
  assert.ok(back.size > 0, ran.output.slice(-4000));
  assert.equal((await etcdctl("master-0", "member list")).output.trim().split("\n").length, 5);
  const nodes = (await on("master-0", "oc get nodes --no-headers")).output;
  for (const name of back) {
    assert.doesNotMatch(nodes, new RegExp(`${name}.*SchedulingDisabled`));
    const row = `echo show stat | socat stdio /var/lib/haproxy/stats | grep '^atomic-openshift-api,${name.replace("-", "")}' | cut -d, -f18`;
    for (const balancer of ["lb-0", "lb-1"]) assert.equal((await on(balancer, row)).output, "UP\n");
  }
});

test("5→3: pulumi up carries it out, planned anew where a file has changed, while clients ask through both load balancers and write to etcd", async () => {
  const load = await startLoad(["192.168.55.5", "192.168.55.6"], { fresh: 100, kept: 80, watches: true });
  const writer = startWriter(
    [8, 12, 13, 21, 22].map((last) => `192.168.55.${last}`),
    3,
    60,
  );
  const ran = await stack.up().finally(async () => {
    [clients, written] = await Promise.all([load.stop(), writer.stop("192.168.55.12")]);
  });
  succeeded(ran);
  console.log(`decommission 5→3: ${ran.took.toFixed(0)} s; clients: ${inWords(clients)}`);
  console.log(`decommission 5→3: ${writtenInWords(written)}`);
});

test("… no write that etcd acknowledged is lost", () => {
  assert.deepEqual(written.lost, []);
  assert.ok(written.acknowledged > 1000, writtenInWords(written));
});

test("… no request failed, at 200 a second and more; what the API itself ended was asked again at once", () => {
  assert.deepEqual(clients.failed, []);
  assert.ok(clients.perSecond >= 200, `${clients.perSecond.toFixed(0)} a second`);
  assert.ok(clients.connections > 0.3 * clients.requests, "many of them with a TLS connection of their own");
  assert.ok(clients.ended.watches > 0, "a watch lasts until the API ends it");
  const most = 2 * 5 * 10; // APIs that ended, and pairs of a source and a load balancer, each with one kept connection; twice for luck
  assert.ok(clients.ended.kept <= most, `${clients.ended.kept} kept connections were ended`);
});

test("… etcd has three healthy members, without the retired ones", async () => {
  for (const host of survivors) {
    const listed = (await etcdctl(host, "member list")).output.trim().split("\n");
    assert.equal(listed.length, 3, listed.join("\n"));
    assert.ok(listed.every((line) => line.includes(", started, ") && !/192\.168\.55\.2[12]/.test(line)));
    assert.match((await etcdctl(host, "endpoint health")).output, /is healthy/);
    assert.match(
      (await on(host, "grep ^ETCD_INITIAL_CLUSTER= /etc/etcd/etcd.conf")).output,
      /^ETCD_INITIAL_CLUSTER=master-0\.example\.com=https:\/\/192\.168\.55\.8:2380,master-1\.example\.com=https:\/\/192\.168\.55\.12:2380,master-2\.example\.com=https:\/\/192\.168\.55\.13:2380\n$/,
    );
  }
});

test("… the load balancers have lost two lines each, and run without it", async () => {
  for (const balancer of ["lb-0", "lb-1"]) {
    const config = (await on(balancer, "cat /etc/haproxy/haproxy.cfg")).output;
    assert.deepEqual(config.match(/^ +server .*$/gm), [
      "    server      master0 192.168.55.8:8443 check",
      "    server      master1 192.168.55.12:8443 check",
      "    server      master2 192.168.55.13:8443 check",
    ]);
    assert.equal(config.endsWith(colleague), balancer === "lb-1", "every other line is as it was");
    const stats = (await on(balancer, "echo show stat | socat stdio /var/lib/haproxy/stats")).output;
    const rows = stats.split("\n").filter((line) => line.startsWith("atomic-openshift-api,master"));
    assert.equal(rows.length, 3);
    assert.ok(
      rows.every((row) => row.split(",")[17] === "UP"),
      rows.join("\n"),
    );
    const kept = (await on(balancer, "ls /etc/haproxy | grep before-; stat -c %a /etc/haproxy/*before-*")).output;
    assert.match(kept, /haproxy\.cfg\.before-/);
    assert.doesNotMatch(kept, /^6[4-7]4$/m);
  }
});

test("… the survivors' configuration is theirs, and their APIs run with it", async () => {
  for (const host of survivors) {
    const config = (await on(host, "cat /etc/origin/master/master-config.yaml")).output;
    assert.doesNotMatch(config, /master-[34]/);
    assert.match(config, /^ {2}masterCount: 3$/m);
    assert.match(config, /bindPassword: LABCANARYbindpassword/, "everything else is as it was");
    assert.doesNotMatch(
      (await on(host, "cat /etc/origin/master/master.env")).output,
      /master-[34]|192\.168\.55\.2[12]/,
    );
    const running = (await on(host, "tr '\\0' '\\n' </proc/$(pidof kube-apiserver)/cmdline")).output;
    assert.match(
      running,
      /^--etcd-servers=https:\/\/master-0\.example\.com:2379,https:\/\/master-1\.example\.com:2379,https:\/\/master-2\.example\.com:2379$/m,
    );
    assert.match(running, /^--apiserver-count=3$/m);
  }
});

test("… the retired hosts run no control plane, and their data is still there", async () => {
  for (const host of leavers) {
    const { output } = await on(
      host,
      "ls /etc/origin/node/pods; ls /etc/origin/node/pods/disabled; ls /var/lib/etcd; systemctl is-active origin-node; systemctl is-enabled origin-node; pidof kube-apiserver kube-controller-manager etcd; ss -ltnH 'sport = :8443 or sport = :2379' | wc -l",
    );
    assert.equal(output, "disabled\napiserver.yaml\ncontroller.yaml\netcd.yaml\nmember\ninactive\ndisabled\n0\n");
  }
});

test("… the cluster knows three masters", async () => {
  const endpoints = (
    await on("master-0", "oc get endpoints kubernetes -n default -o jsonpath='{.subsets[0].addresses[*].ip}'")
  ).output;
  assert.deepEqual(endpoints.split(" ").sort(), ["192.168.55.12", "192.168.55.13", "192.168.55.8"]);
  const nodes = (await on("master-0", "oc get nodes -o name")).output;
  assert.equal(nodes, "node/master-0.example.com\nnode/master-1.example.com\nnode/master-2.example.com\n");
  const holder = (
    await on("master-0", "oc get lease kube-controller-manager -n kube-system -o jsonpath='{.spec.holderIdentity}'")
  ).output;
  assert.doesNotMatch(holder, /master-[34]/);
  await eventually("four web pods run on the rest", 60, async () => {
    const pods = (await on("master-0", "oc get pods -n demo -l app=web -o wide --no-headers")).output;
    return (pods.match(/ Running /g) ?? []).length === 4 && !/master-[34]/.test(pods) ? undefined : pods;
  });
});

test("… flannel was restarted with three endpoints, on masters and node", async () => {
  for (const host of [...survivors, "node-0"]) {
    assert.doesNotMatch((await on(host, "cat /etc/sysconfig/flanneld")).output, /master-[34]/);
    const started = (await on(host, "tail -n 1 /var/log/flanneld-endpoints; systemctl is-active flanneld")).output;
    assert.match(
      started,
      /Z https:\/\/master-0\.example\.com:2379,https:\/\/master-1\.example\.com:2379,https:\/\/master-2\.example\.com:2379\nactive\n$/,
    );
  }
});

test("… the inventory lost exactly the hosts' words", () => {
  const text = readFileSync(files.inventory, "utf8");
  assert.doesNotMatch(text, /master-[34]/);
  assert.match(text, /\[etcd\]\nmaster-\[0:2\]\.example\.com\n/);
  const [kept = ""] = readdirSync(join(files.inventory, "..")).filter((name) => name.startsWith("hosts.before-"));
  const before = readFileSync(join(files.inventory, "..", kept), "utf8");
  const restored = text
    .replace("master-[0:2]", "master-[0:4]")
    .replace(
      "[masters]\nmaster-0.example.com\nmaster-1.example.com\nmaster-2.example.com\n",
      (whole) => `${whole}master-3.example.com\nmaster-4.example.com\n`,
    )
    .replace(
      "master-2.example.com openshift_node_group_name='node-config-master'\n",
      (whole) =>
        whole + leavers.map((name) => `${name}.example.com openshift_node_group_name='node-config-master'\n`).join(""),
    );
  assert.equal(restored, before, "every other byte is as it was");
});

test("… the outputs and the history tell it", async () => {
  const outputs = await stack.outputs();
  const { retired, etcd, endpoints, inventory } = outputs as {
    retired: Record<string, { at: string; steps: { step: string }[] }>;
    etcd: { members: object; faultTolerance: number };
    endpoints: { https: string[] };
    inventory: Record<string, string[]>;
  };
  assert.deepEqual(Object.keys(retired).sort(), ["master-3.example.com", "master-4.example.com"]);
  const steps = (retired["master-3.example.com"]?.steps ?? []).map((one) => one.step);
  assert.ok(
    steps.findIndex((step) => step.startsWith("EtcdSnapshot")) <
      steps.findIndex((step) => step.startsWith("EtcdMembership: remove etcd member")),
  );
  assert.equal(steps.filter((step) => step.startsWith("EtcdMembership: remove etcd member")).length, 2);
  assert.ok(steps.some((step) => step.startsWith("NodeRemoval: delete the Node")));
  assert.deepEqual(
    Object.keys(etcd.members),
    survivors.map((name) => `${name}.example.com`),
  );
  assert.equal(etcd.faultTolerance, 1);
  assert.equal(endpoints.https.length, 3);
  assert.deepEqual(
    inventory["etcd"],
    survivors.map((name) => `${name}.example.com`),
  );
  const history = await stack.pulumi("stack", "history", "--stack", stack.name, "--json");
  const runs = JSON.parse(history.output.slice(history.output.indexOf("["))) as { kind: string; result: string }[];
  assert.equal(runs[0]?.kind, "update");
  assert.equal(runs[0].result, "succeeded");
});

test("… the record tells the run, who, and every step: beside the backups, and in the journal of each host", async () => {
  const path = join(files.archive, "transcript.jsonl");
  const text = readFileSync(path, "utf8");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.doesNotMatch(text, /LABCANARY|PRIVATE KEY/);
  const run = readRecord(text.split("\n")).runs.at(-1) ?? assert.fail("there is no run");
  assert.deepEqual(
    [run.begin?.user, run.begin?.machine, run.begin?.leaves.toSorted()],
    [userInfo().username, hostname(), leavers.map((name) => `${name}.example.com`)],
  );
  assert.equal(run.end?.result, "done", "the engine lets its provider say so");
  for (const { begin, end } of run.steps.values()) assert.equal(end?.result, "done", begin.title);
  const commands = [...run.commands.values()].map(({ begin }) => begin);
  for (const host of everyone) {
    const touching = new Set(commands.filter((one) => one.host.startsWith(`${host}.`)).map(({ step }) => step));
    assert.ok(touching.size > 0, `nothing was changed on ${host}`);
    const { output } = await on(host, `journalctl -t openshift-masters -o cat --no-pager | grep '"run":"${run.run}"'`);
    assert.doesNotMatch(output, /LABCANARY|PRIVATE KEY/);
    const lines = output.trim().split("\n");
    const entries = lines.map((line) => JSON.parse(line) as Entry);
    assert.deepEqual([entries[0]?.kind, entries[0]?.state], ["run", "begin"]);
    for (const state of ["begin", "end"]) {
      const told = entries.flatMap((one) => (one.kind === "step" && one.state === state ? [one.step] : []));
      assert.deepEqual(new Set(told), touching, `${host}: ${state} of its steps`);
    }
  }
});

test("… the report tells what still names it and what on it still opens the cluster, and no key", async () => {
  const { report } = (await stack.outputs()) as { report: Record<string, RetirementRecord> };
  const one = report["master-3.example.com"];
  assert.ok(one?.reachable);
  assert.deepEqual([one.notMended, one.notSwept], [[], []]);
  assert.equal(one.stillNamed.length, 1, one.stillNamed.join("\n"));
  assert.match(one.stillNamed[0] ?? "", /^\/etc\/hosts:\d+ on .*delete the line/);
  const admin = one.credentials.find(({ path }) => path === "/etc/origin/master/admin.kubeconfig");
  assert.equal(admin?.subject, "CN=system:admin,O=system:masters");
  assert.ok(Date.parse(admin.notAfter ?? "") > Date.now());
  for (const path of [
    "/etc/origin/master/ca.key",
    "/etc/etcd/peer.key",
    "/etc/origin/node/node.kubeconfig",
    "/var/lib/etcd",
  ])
    assert.ok(
      one.credentials.some((credential) => credential.path === path),
      path,
    );
  assert.doesNotMatch(JSON.stringify(report), /LABCANARY|PRIVATE KEY|[A-Za-z0-9+/]{60}/);
  // what it prints can be pasted
  const commands = one.destroy.join("\n");
  assert.equal((await on("master-3", `sh -n <<'X'\n${commands}\nX`)).code, 0, commands);
});

test("up again has nothing to do", async () => {
  const again = await stack.up();
  succeeded(again);
  assert.match(again.output, /17 unchanged/);
});

test("no secret of the cluster is in history, checkpoints and their copies, in what the runs printed, or in a host's journal", async () => {
  const history = await stack.pulumi("stack", "history", "--json", "--show-secrets=false", "--stack", stack.name);
  succeeded(history);
  const state = execFileSync("find", [join(files.config, "..", `state-${stack.name}`), "-type", "f", "-print0"], {
    encoding: "utf8",
  });
  const kept = state.split("\0").filter((path) => path !== "");
  assert.ok(
    kept.some((path) => path.includes("/history/")) && kept.some((path) => path.includes("/backups/")),
    kept.join("\n"),
  );
  const texts = [
    ["history", history.output],
    ...[...kept, transcript].map((path) => [path, readFileSync(path, "latin1")]),
  ];
  for (const [where = "", text = ""] of texts) assert.ok(!secret.test(text), where);
  for (const host of everyone) {
    const { output } = await on(
      host,
      "journalctl -q --no-pager | wc -l; journalctl -q --no-pager | grep -cE 'LABCANARY|PRIVATE KEY'",
    );
    const [lines = 0, found] = output.trim().split("\n").map(Number);
    assert.ok(lines > 10 && found === 0, `${host}: ${output}`);
  }
});

test("a server line put back by hand is drift, and so is a working master's that is gone; up repairs both, to the byte", async () => {
  const text = (await on("lb-1", "cat /etc/haproxy/haproxy.cfg")).output;
  await on(
    "lb-0",
    "echo '    server      master3 192.168.55.21:8443 check' >> /etc/haproxy/haproxy.cfg; systemctl reload haproxy",
  );
  await on("lb-1", "sed -i '/192.168.55.12:/d' /etc/haproxy/haproxy.cfg; systemctl reload haproxy");
  const refreshed = await stack.refresh();
  succeeded(refreshed);
  assert.match(refreshed.output, /LoadBalancerPool lb-0\.example\.com\] drift: .*take master-3\.example\.com out/);
  assert.match(
    refreshed.output,
    /LoadBalancerPool lb-1\.example\.com\] drift: .*put the lost lines of master-1\.example\.com back where they were/,
  );
  const repaired = await stack.up();
  succeeded(repaired);
  assert.match(repaired.output, /2 updated/);
  assert.doesNotMatch((await on("lb-0", "cat /etc/haproxy/haproxy.cfg")).output, /master3/);
  assert.equal((await on("lb-1", "cat /etc/haproxy/haproxy.cfg")).output, text);
  const row = "echo show stat | socat stdio /var/lib/haproxy/stats | grep ^atomic-openshift-api,master1 | cut -d, -f18";
  assert.equal((await on("lb-1", row)).output, "UP\n");
  assert.match((await stack.up()).output, /17 unchanged/);
});

test("3→2 is refused at preview and at up --skip-preview with the names of both risks, and nothing is touched", async () => {
  stack.drop("master-2");
  const prints = await Promise.all(everyone.map(fingerprint));
  for (const refused of [await stack.preview(), await stack.up()]) {
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /below-three-masters/);
    assert.match(refused.output, /even-members/);
  }
  assert.deepEqual(await Promise.all(everyone.map(fingerprint)), prints);
});

test("etcdctl becomes that of etcd 3.2, which OpenShift 3.11 has: preview says what it cannot do, and what is done instead", async () => {
  await makeLeader("master-2");
  await installEtcdctl32(survivors);
  assert.match((await etcdctl("master-0", "version")).output, /etcdctl version: 3\.2\.32/);
  assert.match((await etcdctl("master-0", "move-leader")).output, /unknown command/);
  stack.acknowledge("below-three-masters", "even-members");
  const seen = await stack.preview();
  succeeded(seen);
  assert.match(
    seen.output,
    /etcd pod off before its member is removed, since it leads and etcdctl 3\.2\.32 has no move-leader/,
  );
  assert.doesNotMatch(seen.output, /etcdctl move-leader/);
  assert.match(seen.output, /note: .*has no hash of its data/);
});

test(
  "3→2 is done once both risks are acknowledged, with pods to drain and the bare one acknowledged too",
  onlyWithAll,
  async () => {
    await on(
      "master-0",
      'oc run bare -n demo --image=localhost/lab/pod:v1 --image-pull-policy=Never --overrides=\'{"spec":{"nodeName":"master-2.example.com","terminationGracePeriodSeconds":1}}\'',
    );
    await eventually("the bare pod runs", 30, async () => {
      const { output } = await on("master-0", "oc get pod bare -n demo --no-headers");
      return output.includes("Running") ? undefined : output;
    });
    const bare = await stack.preview();
    assert.notEqual(bare.code, 0);
    assert.match(bare.output, /demo\/bare.*evict-bare-pods:master-2\.example\.com/s);
    stack.acknowledge("below-three-masters", "even-members", "evict-bare-pods:master-2.example.com");
    succeeded(await stack.up());
    const listed = (await etcdctl("master-0", "member list")).output.trim().split("\n");
    assert.equal(listed.length, 2);
    for (const host of ["master-0", "master-1"])
      assert.match((await etcdctl(host, "endpoint health 2>&1")).output, /is healthy/);
    assert.equal(
      (await on("master-0", "oc get nodes -o name")).output,
      "node/master-0.example.com\nnode/master-1.example.com\n",
    );
  },
);

test("destroy harms nothing", async () => {
  const prints = await Promise.all(everyone.map(fingerprint));
  const ids = await idsOn("master-0");
  succeeded(await stack.destroy());
  assert.deepEqual(await Promise.all(everyone.map(fingerprint)), prints);
  assert.deepEqual(await idsOn("master-0"), ids);
  assert.ok(existsSync(files.archive));
});

const sha256 = (path: string): string => execFileSync("sha256sum", [path], { encoding: "utf8" }).split(" ")[0] ?? "";
