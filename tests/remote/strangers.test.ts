/** What earlier runs kept beside a load balancer's file, read by a real shell; and a session that meets a master which nobody declares. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, describe, it, mock } from "node:test";
import { lifecycle } from "../../providers/lifecycle.ts";
import { isReachable } from "../../providers/plan/facts.ts";
import { readSettings } from "../../providers/plan/settings.ts";
import { keptFacts, keptProbe } from "../../providers/plan/strangers/facts.ts";
import { nodeDrain } from "../../providers/node-drain.ts";
import { preflight } from "../../providers/preflight.ts";
import type { RemoteHost } from "../../providers/remote/remote-host.ts";
import { Session } from "../../providers/remote/session.ts";
import {
  type Given,
  addressOf,
  balancerParts,
  budgetParts,
  clusterParts,
  configuration,
  haproxyText,
  inventoryText,
  master,
  masterParts,
  mastersOf,
  membersText,
  nodeParts,
  now,
  probed,
} from "../plan/world.ts";

const folder = mkdtempSync(join(tmpdir(), "strangers-"));
after(() => rmSync(folder, { recursive: true }));

describe("what is kept beside a file", () => {
  const asked = (...paths: string[]) =>
    keptFacts(execFileSync("sh", ["-c", keptProbe(paths)], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it("the newest copy by the time of its last change, links left out; of files without one nothing", () => {
    const path = file("haproxy.cfg", "now\n");
    file("haproxy.cfg.before-100000-aaaaaa", "first\n");
    execFileSync("sleep", ["1.1"]);
    const newest = file("haproxy.cfg.before-090000-bbbbbb", "second\n");
    // whoever sets the time of a file's content changes the file
    utimesSync(newest, 1, 1);
    symlinkSync("/etc/passwd", join(folder, "haproxy.cfg.before-999999-cccccc"));
    const other = file("other.cfg", "x\n");
    const found = asked(other, path, join(folder, "absent.cfg"));
    assert.deepEqual(
      found.map(({ path: kept, text }) => [kept, text]),
      [[newest, "second\n"]],
    );
    assert.ok(Math.abs((found[0]?.at ?? 0) - Date.now() / 1000) < 60);
  });
  it("beside the file itself, where the path is a link, with whatever is in its name", () => {
    const path = file('it\'s $(odd) "one".cfg', "now\n");
    const kept = file('it\'s $(odd) "one".cfg.before-100000-aaaaaa', "then\n");
    symlinkSync(path, join(folder, "link.cfg"));
    assert.deepEqual(
      asked(join(folder, "link.cfg")).map(({ path: one, text }) => [one, text]),
      [[kept, "then\n"]],
    );
  });
});

const m3 = master(3);
const three = mastersOf(3);
const inventory = join(folder, "hosts");

/** A session on a cluster of four, of which three are declared. */
class Cluster {
  readonly session: Session;
  asked: [name: string, address: string][] = [];
  /** Whether the fourth has been taken out of the pools, its API is off, and its member is gone. */
  begun = false;
  silent = "";

  constructor() {
    const settings = readSettings({ ...configuration(three), nodes: {}, inventory: { path: inventory } });
    this.session = new Session(settings);
    this.session.host = (name, address) =>
      ({ name, run: (script: string) => this.#answer(name, address, script) }) as unknown as RemoteHost;
  }
  #answer(name: string, address: string, script: string) {
    this.asked.push([name, address]);
    if (name === this.silent) return Promise.reject(new Error(`${name} is silent`));
    return Promise.resolve({ code: 0, stdout: probed(this.#parts(name, script)), stderr: "", took: 1 });
  }
  #parts(name: string, script: string): Record<string, Given> {
    const text = (count: number) => haproxyText(count, name.startsWith("lb-1"));
    if (script.includes("newest"))
      return { "at:0": `${now} /etc/haproxy/haproxy.cfg.before-211501-ab12cd`, "kept:0": text(4) };
    if (name.startsWith("lb")) return balancerParts(name, this.begun ? 3 : 4);
    if (name.startsWith("node")) return nodeParts(name, 4);
    const parts: Record<string, Given> = {
      ...masterParts(Object.keys(mastersOf(4)).indexOf(name), 4),
      ...clusterParts(4, [m3]),
      // as this machine's clock has it
      time: `${Math.floor(Date.now() / 1000)}\n`,
      ...(script.includes("poddisruptionbudget ") ? budgetParts([m3]) : {}),
    };
    if (!this.begun) return parts;
    const off = { pods: "", disabled: "apiserver.yaml\ncontroller.yaml\netcd.yaml\n", started: "" };
    return { ...parts, members: [membersText(3), 0], ...(name === m3 ? off : {}) };
  }
}

type Checked = { inputs: Record<string, unknown>; failures?: { reason: string }[] };
let printed: string[] = [];
let cluster: Cluster;
function staged(): void {
  beforeEach(() => {
    writeFileSync(inventory, inventoryText(4));
    printed = [];
    mock.method(console, "log", (line: string) => printed.push(line));
    cluster = new Cluster();
  });
  afterEach(() => mock.restoreAll());
}
const check = async (olds: object, kind: Parameters<typeof lifecycle>[0] = preflight): Promise<Checked> =>
  (await lifecycle(kind, () => cluster.session).check?.(olds, { masters: three })) as Checked;

describe("the first preview", () => {
  staged();
  it("visits the host at the address that the cluster has, plans its leave, and remembers it", async () => {
    cluster.begun = true;
    const { inputs, failures } = await check({});
    assert.deepEqual(failures, undefined);
    assert.ok(cluster.asked.some(([name, at]) => name === m3 && at === addressOf(3)));
    const retired = { [m3]: addressOf(3) };
    assert.deepEqual([inputs["retired"], inputs["unfinished"]], [retired, retired]);
    assert.deepEqual([cluster.session.leaving, cluster.session.unfinished], [retired, retired]);
    assert.ok(
      printed.some((line) => line.includes(`${m3} (192.168.55.21) is not declared and is half retired`)),
      printed.join("\n"),
    );
  });
  it("a whole one is refused, in one sentence, and nothing is planned", async () => {
    const { inputs, failures } = await check({});
    assert.deepEqual(
      failures?.map(({ reason }) => reason.replace(/declared.*/, "declared")),
      [`refused, nothing was touched: ${m3} (192.168.55.21) is not declared`],
    );
    assert.deepEqual([inputs["retired"], cluster.session.leaving], [undefined, {}]);
  });
  it("one that does not answer waits for its risk by name", async () => {
    cluster.begun = true;
    cluster.silent = m3;
    const { failures } = await check({});
    assert.equal(failures?.length, 1);
    assert.match(failures[0]?.reason ?? "", /cannot be reached \(master-3\.example\.com is silent\).*`host-gone:/);
  });
  it("with a state that knows the cluster nobody visits a host that is not declared", async () => {
    await check({ masters: three });
    assert.deepEqual(
      cluster.asked.filter(([name]) => name === m3),
      [],
    );
  });
});

describe("the resources after it", () => {
  staged();
  const unjudged = { ...preflight, asks: [], judge: () => ({ refusals: [], passing: [], notes: [] }) };
  it("a new one treats it as leaving now, and the next run after a failure too", async () => {
    cluster.begun = true;
    cluster.session.unfinished = cluster.session.leaving = { [m3]: addressOf(3) };
    const { inputs } = await check({}, nodeDrain);
    assert.deepEqual(inputs["retired"], { [m3]: addressOf(3) });
    const facts = (
      await cluster.session.look({
        survivors: three,
        leaving: { [m3]: addressOf(3) },
        settings: cluster.session.settings,
      })
    ).world;
    assert.ok(isReachable(facts.masters[m3]));
  });
  it("Preflight of a state in which it is unfinished says so to them, until it is declared again", async () => {
    cluster.begun = true;
    const retired = { [m3]: addressOf(3) };
    const { inputs } = await check({ masters: three, retired, unfinished: retired }, unjudged);
    assert.deepEqual([inputs["unfinished"], cluster.session.unfinished], [retired, retired]);
  });
  it("and of a state in which all is done, nothing", async () => {
    cluster.begun = true;
    await check({ masters: three, retired: { [m3]: addressOf(3) } }, unjudged);
    assert.deepEqual(cluster.session.unfinished, {});
  });
});
