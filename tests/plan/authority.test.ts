import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ArchivedAuthority } from "../../providers/plan/archived-authority.ts";
import { amiss, custodyOf, keeperOf } from "../../providers/plan/authority.ts";
import type { MasterFacts } from "../../providers/plan/facts.ts";
import { planAuthority } from "../../providers/plan/plans.ts";
import { Refusal, Unasked } from "../../providers/plan/refusal.ts";
import type { Change, Step, World } from "../../providers/plan/steps.ts";
import {
  after,
  archiveOf,
  changeOf,
  fileOf,
  hashOf,
  healthy,
  inventoryText,
  master,
  placeOf,
  removal,
  swap,
  unreachable,
  withMaster,
} from "./world.ts";

type HandOver = Extract<Step, { do: "hand-over" }>;
const [serial, etcd, slip] = [
  "/etc/origin/master/ca.serial.txt",
  "/etc/etcd/ca/serial",
  "/etc/origin/master/etc/etcd/ca/serial",
] as const;
const fourth = removal(4, [0]);
/** `authority serial source>target` of each step: sources are numbers of masters, or the day of an archive. */
const brief = (world: World, change: Change): string[] =>
  planAuthority(world, change).map((step) => {
    assert.ok(step.do === "hand-over");
    return `${step.authority} ${step.serial} ${sourceOf(step)}>${numberIn(step.host)}`;
  });
const sourceOf = ({ from }: HandOver): string =>
  "host" in from ? numberIn(from.host) : from.archive.takenAt.slice(0, 10);
const numberIn = (host: string): string => /\d/.exec(host)?.[0] ?? "";
/** Who holds what, by number: `{ 0: ["serial 1F", "etcd 0A"] }`; all others nothing. */
function holding(world: World, held: Readonly<Record<number, MasterFacts["authority"]>>): World {
  return Object.keys(world.masters).reduce(
    (so, name) =>
      "unreachable" in (so.masters[name] ?? {})
        ? so
        : withMaster(so, name, { authority: held[Number(numberIn(name))] ?? [] }),
    world,
  );
}
const settled = (world: World, change: Change): World => planAuthority(world, change).reduce(after, world);
const withInventory = (world: World, edit: (text: string) => string): World => ({
  ...world,
  inventory: fileOf("/srv/stack/hosts", edit(inventoryText(4))),
});
const withArchives = (world: World, n: number, ...archives: ArchivedAuthority[]): World => ({
  ...world,
  archives: { ...world.archives, [master(n)]: archives },
});
/** The [etcd] group in another order. */
const etcdGroup = (numbers: readonly number[]) => (text: string) =>
  swap(text, "[etcd]\nmaster-[0:3].example.com\n", `[etcd]\n${numbers.map((n) => `${master(n)}\n`).join("")}`);

describe("the first master leaves", () => {
  const { world, change } = fourth;
  const steps = planAuthority(world, change);
  it("the serial goes to all that stay, the successor first; etcd's CA to the successor", () =>
    assert.deepEqual(brief(world, change), [
      "openshift 1F 0>1",
      "openshift 1F 0>2",
      "openshift 1F 0>3",
      "etcd 0A 0>1",
    ]));
  it("the titles say what, which serial, from where; the commands where to", () => {
    const [first, last] = [steps[0], steps[3]];
    assert.equal(
      first?.title,
      "take over OpenShift's CA (ca.serial.txt), serial 1F, from master-0.example.com (/etc/origin/master/ca.serial.txt); proved by a throw-away certificate",
    );
    assert.equal(
      last?.title,
      "take over etcd's CA (/etc/etcd/ca), serial 0A, from master-0.example.com (/etc/etcd/ca); proved by a throw-away certificate",
    );
    assert.match(last.commands?.join("\n") ?? "", /openssl ca .*\n.*mv .*generated_certs; mv .*\/etc\/etcd\/ca$/);
  });
  it("what is copied is told by its digest", () => {
    const last = steps[3];
    assert.ok(last?.do === "hand-over");
    assert.deepEqual([last.place, last.digest, last.from], [etcd, hashOf("the tree of 0A"), { host: master(0) }]);
  });
  it("then nothing is left to do, and the successor holds both", () => {
    const done = settled(world, change);
    assert.deepEqual(brief(done, change), []);
    assert.deepEqual([keeperOf(done, change, "openshift"), keeperOf(done, change, "etcd")], [master(1), master(1)]);
  });
  it("whatever was done before a kill, the next run does the rest", () => {
    for (const n of steps.keys()) {
      const killed = steps.slice(0, n).reduce(after, world);
      assert.equal(brief(killed, change).length, steps.length - n);
      assert.deepEqual(brief(settled(killed, change), change), []);
    }
  });
  it("another leaves: nothing is to be done", () => {
    const { world: so, change: last } = removal(4, [3]);
    assert.deepEqual(brief(so, last), []);
  });
  it("the first two leave: the third is the successor", () => {
    const { world: so, change: two } = removal(5, [0, 1]);
    assert.deepEqual(brief(so, two), ["openshift 1F 0>2", "openshift 1F 0>3", "openshift 1F 0>4", "etcd 0A 0>2"]);
  });
});

describe("who holds it, and who is to have it", () => {
  const { world, change } = fourth;
  const cases: [what: string, held: Record<number, MasterFacts["authority"]>, steps: string[]][] = [
    ["nobody", {}, []],
    ["the very same", { 0: [placeOf(etcd, "0A")], 1: [placeOf(etcd, "0A")] }, []],
    [
      "the same serial and another tree",
      { 0: [placeOf(etcd, "0A")], 1: [placeOf(etcd, "0A", { digest: hashOf("half") })] },
      ["etcd 0A 0>1"],
    ],
    ["the successor has an older one", { 0: [placeOf(etcd, "0A")], 1: [placeOf(etcd, "09")] }, ["etcd 0A 0>1"]],
    ["the successor has a newer one", { 0: [placeOf(etcd, "0A")], 1: [placeOf(etcd, "0B")] }, []],
    ["by number, not by text", { 0: [placeOf(etcd, "9")], 1: [placeOf(etcd, "10")] }, []],
    ["beyond 2^64", { 0: [placeOf(etcd, "FFFFFFFFFFFFFFFFFE")], 1: [placeOf(etcd, "FFFFFFFFFFFFFFFFFF")] }, []],
    ["another that stays has a newer one", { 0: [placeOf(etcd, "0A")], 2: [placeOf(etcd, "0B")] }, ["etcd 0B 2>1"]],
    ["only another that stays has one", { 2: [placeOf(etcd, "0B")] }, ["etcd 0B 2>1"]],
    ["the slip place of the leaver", { 0: [placeOf(slip, "0A")] }, ["etcd 0A 0>1"]],
    ["the slip place of the leaver is newer", { 0: [placeOf(etcd, "01"), placeOf(slip, "0A")] }, ["etcd 0A 0>1"]],
    ["the slip place of the successor is newer", { 0: [placeOf(etcd, "01")], 1: [placeOf(slip, "0A")] }, []],
    [
      "the successor's has no key",
      { 0: [placeOf(etcd, "01")], 1: [placeOf(etcd, "0A", { key: false })] },
      ["etcd 01 0>1"],
    ],
    ["the successor's serial is spoilt", { 0: [placeOf(etcd, "01")], 1: [placeOf(etcd, "0x")] }, ["etcd 01 0>1"]],
    [
      "the serial is on some, older or newer",
      { 0: [placeOf(serial, "1F")], 1: [placeOf(serial, "1F")], 2: [placeOf(serial, "1E")] },
      ["openshift 1F 0>2", "openshift 1F 0>3"],
    ],
    [
      "one that stays has the newest serial",
      { 0: [placeOf(serial, "1F")], 2: [placeOf(serial, "20")] },
      ["openshift 20 2>1", "openshift 20 2>3"],
    ],
    ["the successor has the newest serial", { 0: [placeOf(serial, "1F")], 1: [placeOf(serial, "20")] }, []],
    ["all have the same serial", Object.fromEntries([0, 1, 2, 3].map((n) => [n, [placeOf(serial, "1F")]])), []],
  ];
  for (const [what, held, steps] of cases)
    it(what, () => {
      const so = holding(world, held);
      assert.deepEqual(brief(so, change), steps);
      assert.deepEqual(brief(settled(so, change), change), []);
    });

  it("the place of the copy is told, whichever it is", () => {
    const step = planAuthority(holding(world, { 0: [placeOf(slip, "0A")] }), change)[0];
    assert.ok(step?.do === "hand-over");
    assert.equal(step.place, slip);
    assert.match(step.title, /from master-0\.example\.com \(\/etc\/origin\/master\/etc\/etcd\/ca\);/);
  });
  it("what it takes the place of is told", () => {
    const so = holding(world, { 0: [placeOf(etcd, "0A")], 1: [placeOf(etcd, "09")] });
    assert.match(planAuthority(so, change)[0]?.title ?? "", /, in place of serial 09, which is kept; proved/);
  });
  it("a holder in the middle leaves; of equal serials the first of the inventory gives it on", () => {
    const middle = removal(4, [2]);
    const so = holding(middle.world, { 2: [placeOf(etcd, "0A"), placeOf(serial, "1F")] });
    assert.deepEqual(brief(so, middle.change), [
      "openshift 1F 2>0",
      "openshift 1F 2>1",
      "openshift 1F 2>3",
      "etcd 0A 2>0",
    ]);
    const [first = assert.fail()] = planAuthority(so, middle.change);
    assert.deepEqual(brief(after(so, first), middle.change), ["openshift 1F 0>1", "openshift 1F 0>3", "etcd 0A 2>0"]);
    assert.deepEqual(brief(settled(so, middle.change), middle.change), []);
  });
  it("a copy on the last that leaves, with another tree, harms the first's nothing", () => {
    const last = removal(4, [3]);
    const so = holding(last.world, { 0: [placeOf(etcd, "0A")], 3: [placeOf(etcd, "0A", { digest: hashOf("half") })] });
    assert.deepEqual(brief(so, last.change), []);
  });
  it("a holder that stays and is not the first of the inventory stays it, when another leaves", () => {
    const last = removal(4, [3]);
    assert.deepEqual(brief(holding(last.world, { 1: [placeOf(etcd, "0A")] }), last.change), []);
  });

  describe("the order is the inventory's", () => {
    it("of [etcd]: another first, another successor", () => {
      const so = withInventory(world, etcdGroup([0, 3, 2, 1]));
      assert.deepEqual(brief(so, change).at(-1), "etcd 0A 0>3");
      assert.deepEqual(brief(so, change).slice(0, 3), brief(world, change).slice(0, 3));
    });
    it("of equal holders the first in the inventory", () => {
      const so = withInventory(world, etcdGroup([3, 2, 1, 0]));
      const alike = holding(so, { 0: [placeOf(etcd, "0A")], 2: [placeOf(etcd, "0A")] });
      assert.equal(custodyOf(alike, change, "etcd").holder?.host, master(2));
      assert.equal(
        custodyOf(holding(world, { 0: [placeOf(etcd, "0A")], 2: [placeOf(etcd, "0A")] }), change, "etcd").holder?.host,
        master(0),
      );
    });
    it("aliases by ansible_host", () => {
      const so = withInventory(world, (text) =>
        swap(
          text,
          "[etcd]\nmaster-[0:3].example.com\n",
          "[etcd]\ne0 ansible_host=192.168.55.8\ne2 ansible_host=192.168.55.13\ne1 ansible_host=192.168.55.12\n",
        ),
      );
      assert.deepEqual(brief(so, change).at(-1), "etcd 0A 0>2");
    });
    for (const [what, inventory] of [
      ["cannot be read", { unreachable: "ENOENT" }],
      ["is not understood", fileOf("/h", "[etcd\n")],
      ["lists nobody", fileOf("/h", "[lb]\nlb-0.example.com\n")],
    ] as const)
      it(`as declared when the inventory ${what}`, () =>
        assert.deepEqual(brief({ ...world, inventory }, change), brief(world, change)));
  });
});

describe("the holder is gone", () => {
  const { world } = fourth;
  const change = changeOf(4, [0], [`host-gone:${master(0)}`]);
  const gone = unreachable(world, master(0));
  const all = [placeOf(serial, "1F"), placeOf(etcd, "0A")];
  const days = ["2026-11-22T10:00:00.000Z", "2026-11-21T10:00:00.000Z"] as const;

  it("from the newest archive, its age and hash told", () => {
    const so = withArchives(gone, 0, archiveOf(all, days[0]), archiveOf(all, days[1]));
    const steps = planAuthority(so, change);
    assert.deepEqual(
      brief(so, change),
      [1, 2, 3].map((n) => `openshift 1F 2026-11-22>${n}`).concat("etcd 0A 2026-11-22>1"),
    );
    assert.match(
      steps[0]?.title ?? "",
      new RegExp(
        `from the archive /srv/backups/2026-11-22\\.tar\\.gz of master-0\\.example\\.com, taken 2026-11-22T10:00:00\\.000Z, sha256 ${hashOf(days[0]).slice(0, 12)}; proved`,
      ),
    );
  });
  it("killed in between, the next run does the rest; then nothing is left", () => {
    const so = withArchives(gone, 0, archiveOf(all));
    const steps = planAuthority(so, change);
    for (const n of steps.keys()) {
      const killed = steps.slice(0, n).reduce(after, so);
      assert.equal(brief(killed, change).length, steps.length - n);
      assert.deepEqual(brief(settled(killed, change), change), []);
    }
  });
  it("the newest that has it, for each of the two", () =>
    assert.deepEqual(
      brief(withArchives(gone, 0, archiveOf(all.slice(1), days[0]), archiveOf(all.slice(0, 1), days[1])), change),
      [1, 2, 3].map((n) => `openshift 1F 2026-11-21>${n}`).concat("etcd 0A 2026-11-22>1"),
    ));
  it("a survivor's newer serial goes first, an older one does not", () => {
    const so = withArchives(gone, 0, archiveOf(all));
    const newer = withMaster(so, master(1), { authority: [placeOf(etcd, "0B"), placeOf(serial, "20")] });
    assert.deepEqual(brief(newer, change), []);
    assert.equal(
      brief(withMaster(so, master(1), { authority: [placeOf(etcd, "09")] }), change).at(-1),
      "etcd 0A 2026-11-20>1",
    );
  });
  it("an archive of another authority than the survivors' counts for nothing", () => {
    const foreign = archiveOf([placeOf(etcd, "FF", { certificate: [hashOf("foreign")] })]);
    const so = withMaster(withArchives(gone, 0, foreign), master(1), { authority: [placeOf(etcd, "01")] });
    assert.deepEqual(brief(so, change), []);
  });
  it("encrypted without an identity: none; with one: taken", () => {
    const archive = { ...archiveOf(all), stored: { sha256: hashOf("age"), bytes: 1 } };
    const so = withArchives(gone, 0, archive);
    assert.deepEqual(brief(so, change), []);
    const backup = { ...change.settings.backup, identity: "~/age.key" };
    assert.equal(brief(so, { ...change, settings: { ...change.settings, backup } }).length, 4);
  });
  it("archives of a host that answers count for nothing", () => {
    const newer = archiveOf(all.map((one) => ({ ...one, serial: "FFFF" })));
    assert.deepEqual(brief(withArchives(world, 0, newer), change), brief(world, change));
  });
  it("no archive: nothing to do, which Preflight refuses", () => assert.deepEqual(brief(gone, change), []));
  it("not acknowledged: unasked", () =>
    assert.throws(
      () => planAuthority(gone, fourth.change),
      (error) => error instanceof Unasked,
    ));
  it("a survivor that cannot be asked: unasked", () =>
    assert.throws(
      () => planAuthority(unreachable(world, master(2)), fourth.change),
      (error) => error instanceof Unasked,
    ));
});

describe("what is refused is not planned", () => {
  it("a distrusted authority", () => {
    const so = withMaster(fourth.world, master(3), { trust: { openshift: [], etcd: [] } });
    assert.throws(
      () => planAuthority(so, fourth.change),
      (error) => error instanceof Refusal && !(error instanceof Unasked) && /is not the cluster's/.test(error.message),
    );
  });
});

it("whoever holds what: the plan, carried out, leaves nothing to do and lowers no serial", () => {
  const place = fc.record({ path: fc.constantFrom(serial, etcd, slip), serial: fc.integer({ min: 1, max: 30 }) });
  const held = fc.array(fc.uniqueArray(place, { selector: ({ path }) => path, maxLength: 3 }), {
    minLength: 4,
    maxLength: 4,
  });
  const leaving = fc.constantFrom([0], [1], [3], [0, 2], [2, 3]);
  fc.assert(
    fc.property(held, leaving, (all, gone) => {
      const { world, change } = removal(4, gone);
      const so = holding(
        world,
        all.map((places) => places.map((one) => placeOf(one.path, one.serial.toString(16)))),
      );
      const done = settled(so, change);
      assert.deepEqual(brief(done, change), []);
      for (const name of ["openshift", "etcd"] as const) {
        const before = custodyOf(so, change, name).holder;
        const now = custodyOf(done, { ...change, leaving: {} }, name).holder;
        assert.equal(now?.serial, before?.serial);
      }
    }),
  );
});

describe("what read tells", () => {
  const world = healthy(4);
  const change = changeOf(4, []);
  const recorded = { openshift: master(0), etcd: master(0) };
  it("all as recorded, or nothing recorded yet", () => {
    assert.deepEqual(amiss(world, change, recorded), []);
    assert.deepEqual(amiss(world, change, undefined), []);
    assert.deepEqual(amiss(world, change, { openshift: "", etcd: "" }), []);
  });
  it("lost", () =>
    assert.deepEqual(amiss(withMaster(world, master(0), { authority: [placeOf(etcd, "0A")] }), change, recorded), [
      `${master(0)} held OpenShift's CA (ca.serial.txt) and has it no more: no declared master has it`,
    ]));
  it("moved by hand", () =>
    assert.deepEqual(
      amiss(holding(world, { 0: [placeOf(serial, "1F")], 2: [placeOf(etcd, "0A")] }), change, recorded),
      [`${master(0)} held etcd's CA (/etc/etcd/ca) and has it no more: it is on ${master(2)} now`],
    ));
  it("without its key it is lost", () =>
    assert.equal(
      amiss(holding(world, { 0: [placeOf(serial, "1F"), placeOf(etcd, "0A", { key: false })] }), change, recorded)
        .length,
      1,
    ));
  it("a holder that cannot be asked, or is declared no more, is not lost", () => {
    assert.deepEqual(amiss(unreachable(world, master(0)), change, recorded), []);
    const { world: so, change: less } = fourth;
    assert.deepEqual(amiss(settled(so, less), less, recorded), []);
  });
  it("doubled", () => {
    const so = withMaster(world, master(2), { authority: [placeOf(etcd, "01", { certificate: [hashOf("x")] })] });
    assert.match(
      amiss(so, change, recorded).join("\n"),
      /^etcd's CA .* is not one but several: master-0.*; master-2.*$/,
    );
    assert.deepEqual(amiss(withMaster(world, master(2), { authority: [placeOf(etcd, "01")] }), change, recorded), []);
  });
});
