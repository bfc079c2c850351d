/** The census on real etcds, each a cluster of its own: the same writes make the same data. etcdctl is led to them by a program of its name. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  type Asked,
  type Census,
  compactionsOf,
  differingData,
  isCensus,
  isSettled,
  revisionOf,
} from "../../providers/plan/census.ts";
import { parseEndpointStatus } from "../../providers/plan/etcdctl.ts";
import type { Change, World } from "../../providers/plan/steps.ts";
import { askCensus, censusThrough } from "../../providers/remote/census.ts";
import { type ScriptRunner, thisMachine } from "../../providers/remote/this-machine.ts";
import type { Session } from "../../providers/remote/session.ts";
import { type Given, addressOf, changeOf, idOf, master, probed, removal, withEtcd } from "../plan/world.ts";
import { type Etcd, hasEtcd, startEtcd } from "./etcd.ts";

const skip = hasEtcd ? false : "there is no etcd here (apt-get install etcd-server etcd-client)";
const folder = mkdtempSync(join(tmpdir(), "census-"));
const calls = join(folder, "calls");
const etcds: Etcd[] = [];
const asked: Record<string, Asked> = {};

/** Runs scripts here with our etcdctl first on the PATH. */
const host = {
  name: "master-0",
  address: "10.0.0.10",
  run: ((script, o) => thisMachine.run(`PATH=${folder}/bin:$PATH\n${script}`, o)) satisfies ScriptRunner["run"],
};
const look = (members = asked): Promise<Census> => censusThrough(host, members, 0.05);
const put = (n: number, ...pairs: [string, string][]) => pairs.forEach((pair) => etcds[n]?.ctl(3, "put", ...pair));
const everywhere = (...pairs: [string, string][]) => etcds.forEach((_, n) => put(n, ...pairs));
const looksWritten = () => Number(spawnSync("grep", ["-c", "endpoint status", calls], { encoding: "utf8" }).stdout);
const groups = (census: Census) => differingData(census).map(({ names }) => names);

/** Leads `https://10.0.0.1<n>:2379` to the n-th etcd; `10.0.0.19` to nowhere. @param more shell before that */
function lead(more = ""): void {
  mkdirSync(join(folder, "bin"), { recursive: true });
  const places = etcds.map(
    (etcd, n) => `https://10.0.0.1${n}:2379) cd ${etcd.folder}; set -- "$@" --endpoints unix://c:0 ;;`,
  );
  writeFileSync(
    join(folder, "bin/etcdctl"),
    `#!/bin/sh
all="$*"; url=; n=$#
while [ $n -gt 0 ]; do w=$1; shift; n=$((n - 1))
  case $w in --cert|--key|--cacert) shift; n=$((n - 1)) ;; --endpoints) url=$1; shift; n=$((n - 1)) ;; *) set -- "$@" "$w" ;; esac
done
printf '%s\\n' "$all" >>${calls}
${more}
case $url in ${places.join("\n")}
  *) set -- "$@" --endpoints unix://nowhere:0 --dial-timeout 100ms ;; esac
case "$*" in *nowhere*) exec /usr/bin/etcdctl "$@" --command-timeout 300ms ;; esac
exec /usr/bin/etcdctl "$@"
`,
  );
  chmodSync(join(folder, "bin/etcdctl"), 0o755);
  writeFileSync(calls, "");
}

describe("a round to real etcds", { skip }, () => {
  before(async () => {
    for (let n = 0; n < 3; n += 1) {
      const etcd = await startEtcd();
      etcds.push(etcd);
      const [status] = parseEndpointStatus(etcd.ctl(3, "endpoint", "status", "-w", "json"));
      asked[`master-${n}`] = { id: status?.memberId ?? "", url: `https://10.0.0.1${n}:2379` };
    }
    everywhere(["a", "1"], ["b", "2"], ["a", "3"]);
  });
  after(async () => {
    await Promise.all(etcds.map((etcd) => etcd.remove()));
    rmSync(folder, { recursive: true });
  });

  it("the same data: one look, one revision, every hash", async () => {
    lead();
    const census = await look();
    assert.deepEqual([census.through, census.looks, census.revision], ["master-0", 1, "4"]);
    for (const { status, hash, seen } of Object.values(census.members)) {
      assert.equal(seen, "");
      assert.equal(revisionOf(status), "4");
      assert.ok(hash !== undefined && hash !== "none" && Number(hash.hash) > 0, JSON.stringify(hash));
    }
    assert.deepEqual([groups(census), compactionsOf(census.members), isSettled(census)], [[], ["-1"], true]);
    assert.equal(looksWritten(), 3);
  });

  it("a member that is written ahead of the others is compared at the revision all have", async () => {
    lead();
    put(1, ["only", "there"]);
    const census = await look();
    assert.deepEqual([census.looks, census.revision, groups(census)], [1, "4", []]);
    put(0, ["only", "there"]);
    put(2, ["only", "there"]);
  });

  it("a dead one is told by itself, and spoils nothing", async () => {
    lead();
    const census = await look({ ...asked, "master-9": { id: "abc", url: "https://10.0.0.19:2379" } });
    const { "master-9": dead, ...others } = census.members;
    assert.deepEqual([dead?.status, dead?.hash], [undefined, undefined]);
    assert.match(dead?.seen ?? "", /deadline exceeded|refused|no such file/);
    assert.deepEqual(
      Object.values(others).map(({ seen }) => seen),
      ["", "", ""],
    );
    assert.deepEqual([census.looks, groups(census)], [1, []]);
  });

  it("another member than the one that is listed answers", async () => {
    lead();
    const census = await look({ "master-0": { id: "1", url: "https://10.0.0.10:2379" } });
    assert.deepEqual([census.revision, census.members["master-0"]?.status], ["", undefined]);
    assert.match(census.members["master-0"]?.seen ?? "", /^member [0-9a-f]+ answers there, and not 1$/);
  });

  it("a compaction that one has not made yet: another look, and they agree", async () => {
    etcds[0]?.ctl(3, "compact", "3");
    etcds[1]?.ctl(3, "compact", "3");
    // the third compacts once it has been looked at
    lead(
      `case "$url $*" in *12:2379*hashkv*) [ -e ${folder}/done ] || { (sleep 0.02; cd ${etcds[2]?.folder}; /usr/bin/etcdctl --endpoints unix://c:0 compact 3) >/dev/null 2>&1 & :>${folder}/done; } ;; esac`,
    );
    const census = await look();
    assert.ok(census.looks > 1, "settled at once");
    assert.deepEqual([isSettled(census), compactionsOf(census.members), groups(census)], [true, ["3"], []]);
  });

  it("a compaction that one never makes: three looks, nothing is compared with it", async () => {
    etcds[0]?.ctl(3, "compact", "4");
    lead();
    const census = await look();
    assert.deepEqual([census.looks, isSettled(census), groups(census)], [3, false, []]);
    assert.deepEqual(compactionsOf(census.members).toSorted(), ["3", "4"]);
    etcds[1]?.ctl(3, "compact", "4");
    etcds[2]?.ctl(3, "compact", "4");
  });

  it("etcdctl of 3.2: no hash, told as such, at one look", async () => {
    // as 3.2.32 says it: its help, and the flag that it does not know
    lead(
      `case "$*" in *hashkv*) printf 'Error: unknown flag: --rev\\n\\nUsage:\\n  etcdctl endpoint [command]\\n' >&2; exit 1 ;; esac`,
    );
    const census = await look();
    assert.deepEqual(
      [census.looks, ...Object.values(census.members).map(({ hash }) => hash)],
      [1, "none", "none", "none"],
    );
    assert.deepEqual([groups(census), isSettled(census)], [[], true]);
  });

  it("an answer that is not understood is no answer", async () => {
    lead(`case "$url $*" in *11:2379*status*) echo '[{"Endpoint":"x","Status":{}}]'; exit 0 ;; esac`);
    const census = await look();
    assert.equal(census.members["master-1"]?.status, undefined);
    assert.match(census.members["master-1"]?.seen ?? "", /not a 64-bit member id|cannot make out/);
    assert.equal(census.members["master-0"]?.seen, "");
  });

  it("different data, and only then three looks", async () => {
    put(0, ["c", "yes"]);
    put(1, ["c", "no"]);
    put(2, ["c", "yes"]);
    lead();
    const census = await look();
    assert.deepEqual(
      [census.looks, census.revision, groups(census)],
      [3, "6", [["master-0", "master-2"], ["master-1"]]],
    );
    assert.equal(looksWritten(), 9);
  });

  it("two that are far behind: three looks, and the revision of each is told", async () => {
    lead(
      `case "$url $*" in *12:2379*status*) cd ${etcds[2]?.folder}; /usr/bin/etcdctl "$@" --endpoints unix://c:0 | sed 's/"revision":[0-9]*/"revision":5000/'; exit 0 ;; esac`,
    );
    const census = await look();
    assert.equal(census.looks, 3);
    assert.equal(revisionOf(census.members["master-2"]?.status), "5000");
    // hashed at a revision that the newest alone has: it is the two others that are behind
    assert.equal(census.revision, "5000");
    assert.match(census.members["master-0"]?.seen ?? "", /future revision/);
  });
});

describe("the part of the world", () => {
  const { world, change } = removal(4, [3]);
  const say =
    (hash: number, without?: string): ((script: string) => string) =>
    (script) =>
      probed(
        Object.fromEntries(
          [...script.matchAll(/^say (\w+):(\d) at https:\/\/([\d.]+):2379/gm)].flatMap(
            ([, what, n, address]): [string, Given][] => {
              if (`${what}:${n}` === without) return [];
              const at = [0, 1, 2, 3].find((one) => addressOf(one) === address) ?? 0;
              const header = `"header":{"member_id":${BigInt(`0x${idOf(at)}`)},"revision":7}`;
              const json =
                what === "status"
                  ? `[{"Endpoint":"x","Status":{${header},"version":"3.4.23"}}]`
                  : `[{"Endpoint":"x","HashKV":{${header},"hash":${hash}}}]`;
              return [[`${what}:${n}`, [json, 0]]];
            },
          ),
        ),
      );
  /** Hosts that answer so; what is asked is written down. */
  const sessionOf = (answers: Record<string, (script: string) => string>) => {
    const scripts: string[] = [];
    const run = (name: string) => (script: string) => {
      scripts.push(name);
      const answer = answers[name];
      return answer === undefined
        ? Promise.reject(new Error(`${name} does not answer`))
        : Promise.resolve({ code: 0, stdout: answer(script), stderr: "", took: 1 });
    };
    const session = { host: (name: string, address: string) => ({ name, address, run: run(name) }) };
    return { session: session as unknown as Session, scripts };
  };
  const first = master(0);
  const second = master(1);
  const through = async (
    answers: Record<string, (script: string) => string>,
    so: World = world,
    of: Change = change,
  ) => {
    const { session, scripts } = sessionOf(answers);
    const { census } = await askCensus(session, so, of);
    return { census, scripts };
  };
  const whole = say(5);
  /** Without the part of the member that is asked second or later: `master-0` is. */
  const partly = say(5, "status:1");

  it("through the first master that stays and answers", async () => {
    const { census, scripts } = await through({ [first]: whole, [second]: whole });
    assert.ok(isCensus(census));
    assert.deepEqual([census.through, census.looks, Object.keys(census.members).length], [first, 1, 4]);
    assert.deepEqual(scripts, [first, first]);
  });
  it("not through one whose member is not healthy", async () => {
    const { census } = await through({ [first]: whole, [second]: whole }, withEtcd(world, { healthy: false }, first));
    assert.equal(isCensus(census) && census.through, second);
  });
  it("through a second one, where the first cannot be asked or does not reach all that stay", async () => {
    for (const answers of [{ [second]: whole }, { [first]: partly, [second]: whole }]) {
      const { census } = await through(answers);
      assert.equal(isCensus(census) && census.through, second);
    }
  });
  it("what the first could reach, where the second cannot be asked", async () => {
    const { census } = await through({ [first]: partly });
    assert.ok(isCensus(census));
    assert.deepEqual(
      [census.through, census.members[first]?.status, census.members[first]?.seen],
      [first, undefined, "no answer"],
    );
  });
  it("a leaving member that is dead asks for no second one", async () => {
    const { scripts } = await through({
      [first]: (script) => whole(script).replace(/^status:0 .*$/m, ""),
      [second]: whole,
    });
    assert.deepEqual(scripts, [first, first]);
  });
  it("nobody can be asked: why", async () => {
    const { census } = await through({});
    assert.deepEqual(census, { unknown: `${second} does not answer` });
  });
  const idle: [what: string, so: World, of: Change][] = [
    ["nobody leaves", world, changeOf(4, [])],
    ["the member is gone already", withEtcd(world, ({ members }) => ({ members: members.slice(0, 3) })), change],
    ["nobody could say who is a member", withEtcd(world, { healthy: false }), change],
  ];
  for (const [what, so, of] of idle)
    it(`${what}: nobody is asked`, async () => {
      const { census, scripts } = await through({ [first]: whole }, so, of);
      assert.deepEqual([census, scripts], [undefined, []]);
    });
});
