/** What speaks against a removal besides the arithmetic, and every reason not to remove a member now. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Census, Counted } from "../../providers/plan/census.ts";
import type { EndpointHash } from "../../providers/plan/etcdctl-hashes.ts";
import { etcdHealth, etcdRefusals } from "../../providers/plan/preflight/etcd-health.ts";
import { judge } from "../../providers/plan/preflight.ts";
import type { Change, World } from "../../providers/plan/steps.ts";
import {
  addressOf,
  changeOf,
  idOf,
  master,
  mastersOf,
  now,
  removal,
  unreachable,
  withEtcd,
  withMaster,
} from "./world.ts";

const both = ["below-three-masters", "even-members"];
const { world, change } = removal(4, [3]);
const ailing = (n: number) => withEtcd(world, { healthy: false, detail: "refused" }, master(n));

interface Said {
  readonly revision?: string;
  readonly version?: string;
  /** `none`: its etcd has none. */
  readonly hash?: string | undefined;
  readonly compacted?: string;
  readonly dead?: string;
}
/** What the n-th member said. */
function counted(
  n: number,
  { revision = "900", version = "3.2.32", hash = "77", compacted = "3", dead = "", ...more }: Said,
): Counted {
  const url = `https://${addressOf(n)}:2379`;
  if (dead !== "") return { id: idOf(n), url, status: undefined, hash: undefined, seen: dead };
  const base = { endpoint: url, memberId: idOf(n), revision };
  const told: EndpointHash = { ...base, hash, compactRevision: compacted };
  const none = "hash" in more && more.hash === undefined;
  return {
    id: idOf(n),
    url,
    status: { ...base, clusterId: "1", leaderId: idOf(0), raftIndex: "1", version, dbSize: 1, errors: [] },
    hash: hash === "none" ? "none" : none ? undefined : told,
    seen: "",
  };
}
const failedHash = (n: number, seen: string): Counted => ({ ...counted(n, {}), hash: undefined, seen });
/** The healthy world with a round in which all say the same but these. */
const counting = (over: Record<number, Counted> = {}, so: World = world): World => {
  const members = Object.fromEntries([0, 1, 2, 3].map((n) => [master(n), over[n] ?? counted(n, {})]));
  const census: Census = { through: master(0), looks: 3, revision: "900", members };
  return { ...so, census };
};
const ending = (seconds: number, file: string, n: number, so: World = world): World =>
  withMaster(so, master(n), ({ certificates }) => ({
    certificates: certificates.map((one) =>
      one.path === `/etc/etcd/${file}.crt` ? { ...one, ends: now + seconds } : one,
    ),
  }));
const day = 86_400;

/** Each of a list matches its sentence, and there are no others. */
function told(found: readonly string[] = [], sentences: readonly RegExp[]): void {
  assert.equal(found.length, sentences.length, `\n${found.join("\n")}`);
  for (const [n, sentence] of sentences.entries()) assert.match(found[n] ?? "", sentence);
}

const renew =
  "renew etcd's certificates first \\(openshift-ansible's playbooks/openshift-etcd/redeploy-certificates\\.yml\\)$";
const cases: [what: string, so: World, refusals: RegExp[], passing: RegExp[], notes: RegExp[]][] = [
  ["a healthy cluster that nobody counted", world, [], [], []],
  ["a healthy cluster", counting(), [], [], []],
  [
    "differing data",
    counting({ 1: counted(1, { hash: "78" }), 3: counted(3, { hash: "78" }) }),
    [
      /^the etcd members hold different data at revision 900 \(hashes on 3 looks: master-0\.example\.com and master-2\.example\.com 77, master-1\.example\.com and master-3\.example\.com 78\): one of them is corrupt; find out which/,
    ],
    [],
    [],
  ],
  ["a dead leaving member", counting({ 3: counted(3, { dead: "context deadline exceeded" }) }), [], [], []],
  [
    "a survivor that does not answer the others",
    counting({ 1: counted(1, { dead: "connection refused" }) }),
    [],
    [
      /^the etcd member of master-1\.example\.com could not be asked at https:\/\/192\.168\.55\.12:2379 from master-0\.example\.com \(connection refused\): how far it is, .* is not known; make it answer there first$/,
    ],
    [],
  ],
  [
    "no round at all",
    { ...world, census: { unknown: "master-0: connection lost\x1b[2J" } },
    [],
    [/^how far the etcd members are, .* could not be asked \(master-0: connection lost\\x1b\[2J\): run this again$/],
    [],
  ],
  [
    "an etcd without hashes",
    counting(Object.fromEntries([0, 1, 2, 3].map((n) => [n, counted(n, { hash: "none" })]))),
    [],
    [],
    [/^this etcd has no hash of its data \(it came with 3\.3\): that all members hold the same is not proved$/],
  ],
  [
    "one of them without",
    counting({ 2: counted(2, { hash: "none" }) }),
    [],
    [],
    [/^the etcd of master-2\.example\.com has no hash of its data/],
  ],
  [
    "a hash that failed",
    counting({ 2: failedHash(2, "context deadline exceeded") }),
    [],
    [],
    [/^the hash of etcd's data could not be had of master-2\.example\.com: context deadline exceeded$/],
  ],
  [
    "compacted differently",
    counting({ 2: counted(2, { compacted: "5", hash: "99" }) }),
    [],
    [],
    [/^the etcd members were compacted at different revisions on 3 looks: their data was not compared$/],
  ],
  [
    "patches that differ",
    counting({ 2: counted(2, { version: "3.2.33" }) }),
    [],
    [],
    [
      /^the etcd members run different versions: master-0\.example\.com 3\.2\.32, .*, master-2\.example\.com 3\.2\.33, /,
    ],
  ],
  [
    "a certificate that has ended",
    ending(-1, "peer", 1),
    [
      new RegExp(
        `^master-1\\.example\\.com: /etc/etcd/peer\\.crt expired on 2023-11-15T23:13Z by the clock of that host: ${renew}`,
      ),
    ],
    [],
    [],
  ],
  [
    "certificates that end within a week",
    ending(7 * day - 1, "ca", 0, ending(3600, "server", 2)),
    [
      new RegExp(
        `^master-0\\.example\\.com: /etc/etcd/ca\\.crt expires on 2023-11-22T23:13Z, in 6 days, by .*: ${renew}`,
      ),
      /^master-2\.example\.com: \/etc\/etcd\/server\.crt expires on .*, in less than a day, by/,
    ],
    [],
    [],
  ],
  [
    "certificates that end within a month",
    ending(7 * day, "peer", 1, ending(30 * day - 1, "ca", 2)),
    [],
    [],
    [
      /^master-1\.example\.com: \/etc\/etcd\/peer\.crt expires on .*, in 7 days, by the clock of that host$/,
      /^master-2\.example\.com: \/etc\/etcd\/ca\.crt expires on .*, in 29 days, by the clock of that host$/,
    ],
  ],
  ["a month and more", ending(30 * day, "peer", 1), [], [], []],
  ["certificates of a host that leaves", ending(-day, "peer", 3), [], [], []],
  ["of a host that is gone", unreachable(ending(-day, "peer", 3), master(3)), [], [], []],
  [
    "a host without openssl",
    withMaster(world, master(1), { openssl: false, certificates: [] }),
    [],
    [],
    [/^master-1\.example\.com: openssl is not there to tell when etcd's certificates end$/],
  ],
  [
    "certificates that are not there, or not understood",
    withMaster(world, master(1), ({ certificates }) => ({
      certificates: certificates.slice(0, 2).map((one, n) => (n === 0 ? { ...one, ends: undefined } : one)),
    })),
    [],
    [],
    [/^master-1\.example\.com: when \/etc\/etcd\/peer\.crt, \/etc\/etcd\/ca\.crt ends could not be told$/],
  ],
  [
    "a host whose clock is not known",
    withMaster(ending(-day, "peer", 1), master(1), ({ identity }) => ({ identity: { ...identity, time: 0 } })),
    [],
    [],
    [/^master-1\.example\.com: its clock could not be asked, so whether etcd's certificates have ended is not known$/],
  ],
];
describe("etcd's health", () => {
  for (const [what, so, refusals, passing, notes] of cases)
    it(what, () => {
      const found = etcdHealth(so, change, undefined);
      told(found.refusals, refusals);
      told(found.passing, passing);
      told(found.notes, notes);
      // every reason of it is one not to remove a member now, and Preflight tells each once
      told(etcdRefusals(so, change), [...refusals, ...passing]);
      const judged = judge(so, change, mastersOf(4));
      for (const one of [...(found.refusals ?? []), ...(found.passing ?? []), ...(found.notes ?? [])])
        assert.equal([...judged.refusals, ...judged.passing, ...judged.notes].filter((each) => each === one).length, 1);
    });

  const sick = counting({ 1: counted(1, { hash: "78" }), 2: counted(2, { dead: "refused" }) }, ending(-day, "peer", 1));
  const idle: [what: string, so: World, of: Change][] = [
    ["nobody leaves", sick, changeOf(4, [])],
    [
      "the member that leaves is gone already",
      withEtcd(sick, ({ members }) => ({ members: members.slice(0, 3) })),
      change,
    ],
  ];
  for (const [what, so, of] of idle)
    it(`${what}: nothing is refused, and the certificate is told`, () => {
      const found = etcdHealth(so, of, undefined);
      assert.deepEqual([found.refusals ?? [], found.passing ?? []], [[], []]);
      told(found.notes, [/^master-1\.example\.com: \/etc\/etcd\/peer\.crt expired on/]);
      assert.deepEqual(etcdRefusals(so, of), []);
    });
});

describe("every reason not to remove a member now", () => {
  const reasons: [what: string, so: World, sentences: RegExp[]][] = [
    ["a survivor that is sick", ailing(1), [/survivor master-1\.example\.com \(91bc3c398fb3c146\) is not healthy/]],
    [
      "nobody who can be asked",
      withEtcd(world, { healthy: false }),
      [/^no master that stays could say who the etcd members are$/],
    ],
    [
      "an alarm",
      withEtcd(world, { alarms: [{ memberId: idOf(3), alarm: "NOSPACE" }] }),
      [/master-3\.example\.com \(ed4f0efd277d7599\) has an alarm \(NOSPACE\)/],
    ],
    [
      "a survivor far behind, and versions",
      counting({ 1: counted(1, { revision: "100", version: "3.3.27" }), 2: counted(2, { revision: "1200" }) }),
      [
        /survivor master-1\.example\.com .* is 1100 revisions behind the newest \(it has 100, another 1200\)/,
        /different versions \(master-0/,
      ],
    ],
    [
      "a learner that stays",
      withEtcd(world, ({ members }) => ({
        members: members.map((one) => (one.id === idOf(2) ? { ...one, learner: true } : one)),
      })),
      [/survivor master-2.* is a learner/, /`below-three-masters`/, /`even-members`/],
    ],
    [
      "two members fit one host",
      withEtcd(world, ({ members }) => ({
        members: members.map((one) =>
          one.id === idOf(2) ? { ...one, peerURLs: ["https://192.168.55.12:2380"] } : one,
        ),
      })),
      [/^refusing to choose: 2 etcd members fit master-1/],
    ],
  ];
  for (const [what, so, sentences] of reasons) it(what, () => told(etcdRefusals(so, change), sentences));
  it("a plan that is out of order by now", () => {
    const { world: five, change: two } = removal(6, [4, 5], both);
    const so = withEtcd(five, { healthy: false }, master(5));
    const three = changeOf(6, [3, 4, 5], both);
    assert.deepEqual(etcdRefusals(so, two, [master(4), master(5)]), []);
    assert.deepEqual(etcdRefusals(so, three, [master(5)]), []);
    const weak = withEtcd(removal(5, [3, 4]).world, { healthy: false }, master(4));
    told(etcdRefusals(weak, changeOf(5, [3, 4]), [master(3)]), [
      /^refusing to remove master-3\.example\.com from etcd before master-4\.example\.com: 3 of 4 members healthy would tolerate no failure/,
    ]);
  });
});
