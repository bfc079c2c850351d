/** What `statsOf` makes of the statistics of real haproxies in every state a removal goes through; where the files come from: fixtures/haproxy/README.md. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { statsOf } from "../../providers/plan/haproxy.ts";

const fixture = (name: string): string => readFileSync(new URL(`../fixtures/haproxy/${name}`, import.meta.url), "utf8");

/** File → `server: status, open sessions`, in file order. */
const expected: Record<string, string> = {
  "show-stat-2.6-first-checks.csv":
    "master0: UP 1/3, 0; master1: UP 1/3, 0; master2: UP, 0; master3: no check, 0; master4: MAINT, 0; " +
    "master5: MAINT (resolution), 0; master6: UP 1/3, 0",
  "show-stat-2.6-in-check.csv":
    "master0: UP, 0; master1: NOLB, 0; master2: UP, 0; master3: no check, 0; master4: MAINT, 0; " +
    "master5: MAINT (resolution), 0; master6: UP, 0",
  "show-stat-2.6-falling.csv":
    "master0: UP, 0; master1: UP 1/3, 0; master2: UP, 0; master3: no check, 0; t1: UP 1/3, 0",
  "show-stat-2.6-down.csv": "master0: UP, 0; master1: DOWN, 0; master2: UP, 0; master3: no check, 0; t1: DOWN, 0",
  "show-stat-2.6-rising.csv":
    "master0: UP, 0; master1: DOWN 2/3, 0; master2: UP, 0; master3: no check, 0; t1: DOWN 2/3, 0",
  "show-stat-2.6-drain.csv": "master0: DRAIN, 2; master1: UP, 2; master2: UP, 2; master3: no check, 2; t1: UP, 0",
  "show-stat-2.6-maint.csv":
    "master0: MAINT, 0; master1: MAINT, 0; master2: UP, 0; master3: no check, 0; " +
    "t1: MAINT (via atomic-openshift-api/master1), 0",
  "show-stat-2.6-ready-at-once.csv":
    "master0: UP 1/3, 0; master1: UP 1/3, 0; master2: UP, 0; master3: no check, 0; t1: UP 1/3, 0",
  "show-stat-1.5-states.csv":
    "master0: UP, 12; master1: UP 1/3, 0; master2: UP 1/3, 3; master3: DOWN, 0; master4: DOWN 1/2, 0; " +
    "master5: DRAIN, 2; master6: MAINT, 1; master7: no check, 0; master8: NOLB, 0; console5: UP, 0; " +
    "console6: MAINT (via atomic-openshift-api/master6), 0",
  "show-stat-1.5-first-checks.csv": "master0: UP 1/3, 0; master1: UP 1/3, 0; master2: UP, 0",
};

describe("statsOf", () => {
  for (const [file, servers] of Object.entries(expected))
    it(file, () => {
      const rows = statsOf(fixture(file)).map(({ server, status, sessions }) => `${server}: ${status}, ${sessions}`);
      assert.equal(rows.join("; "), servers);
    });

  it("takes no other answer for a table", () => {
    for (const file of ["unknown-command-1.5.txt", "set-server-2.6-unknown.txt", "disable-server-user-level.txt"])
      assert.throws(() => statsOf(fixture(file)), { name: "Refusal", message: /no header/ });
  });

  it("the columns a state is read from stand where they always did", () => {
    const places = (file: string): number[] => {
      const header = fixture(file).split("\n")[0]?.replace("# ", "").split(",") ?? [];
      return ["pxname", "svname", "scur", "status", "type", "check_status", "last_chk"].map((n) => header.indexOf(n));
    };
    for (const file of Object.keys(expected)) assert.deepEqual(places(file), [0, 1, 4, 17, 32, 36, 56], file);
  });
});
