import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ConfigFile,
  disableIn,
  dropFrom,
  restoreHost,
  restoreIn,
  sketchOf,
} from "../../providers/plan/haproxy.ts";
import type { HostIdentity } from "../../providers/plan/host.ts";

const leaving: HostIdentity = { name: "master-1.example.com", addresses: ["192.168.55.12"] };
const everywhere: HostIdentity = { name: "m1", addresses: [] };
const hosts: HostIdentity[] = [1, 2, 3].map((n) => ({ name: `other-${n}`, addresses: [`10.0.0.${n}`] }));

/** 2,000 backends of ten lines, each naming one of its servers; three of them have the host. */
const lines = Array.from({ length: 2_000 }, (_, n) => [
  `backend b${n}`,
  "  balance source",
  `  # the ${n}th`,
  ...[0, 1, 2].map((s) => `  server m${s} 10.${s}.${n >> 8}.${n & 255}:8443 check inter 2s`),
  ...([10, 900, 1_999].includes(n) ? ["  server m3 192.168.55.12:8443 check"] : []),
  "  use-server m2 if { srv_conn(m2) lt 100 }",
  "",
  `  option httpchk GET /healthz HTTP/1.0\\r\\nHost:\\ b${n}`,
  "  timeout server 300s",
]).flat();
const files: ConfigFile[] = [{ path: "/etc/haproxy/haproxy.cfg", text: lines.map((line) => `${line}\n`).join("") }];
const textOf = (them: readonly ConfigFile[]): string => them[0]?.text ?? "";
const mark = (line: string): string =>
  line.includes(" 192.168.55.12:") ? `${line} disabled #openshift-masters` : line;
const without = (part: string): string[] => lines.filter((line) => !line.includes(part));
const joined = (some: readonly string[]): string => some.map((line) => `${line}\n`).join("");

/** Milliseconds of processor time, so that a busy machine counts little: the median of five runs after a first. */
function cost(work: () => unknown): number {
  work();
  const once = (): number => {
    const from = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(from);
    return (user + system) / 1_000;
  };
  return Array.from({ length: 5 }, once).toSorted((a, b) => a - b)[2] ?? Infinity;
}

/** What it costs; asked up to three times, since neighbours on the machine make it dearer and never cheaper. */
function costBelow(limit: number, work: () => unknown): number {
  const first = cost(work);
  return first < limit ? first : Math.min(cost(work), cost(work));
}

describe("20,000 lines", () => {
  const sketch = sketchOf(files, [leaving, ...hosts]);
  const lost = [{ ...files[0], path: "/etc/haproxy/haproxy.cfg", text: joined(without("192.168.55.12")) }];

  it("are changed where they should be", () => {
    assert.ok(lines.length > 20_000);
    assert.equal(textOf(dropFrom(files, leaving).files), textOf(lost));
    assert.equal(textOf(disableIn(files, leaving, true).files), joined(lines.map(mark)));
    assert.equal(textOf(restoreIn(lost, sketch, leaving).files), textOf(files));
    assert.deepEqual(
      Object.keys(sketch).map((key) => key.split(" ").at(-1)),
      ["b1", "b2", "b3", "b10", "b900", "b1999"],
    );
  });

  const works: [string, () => unknown][] = [
    ["dropFrom", () => dropFrom(files, leaving)],
    ["disableIn", () => disableIn(files, leaving, true)],
    ["sketchOf", () => sketchOf(files, [leaving, ...hosts])],
    ["restoreIn", () => restoreIn(lost, sketch, leaving)],
  ];
  for (const [name, work] of works) {
    it(`${name} takes less than 50 ms`, (test) => {
      const taken = costBelow(50, work);
      test.diagnostic(`${taken.toFixed(1)} ms`);
      assert.ok(taken < 50, `${taken} ms`);
    });
  }

  it("take no more than some times that when every section is concerned", (test) => {
    const all = sketchOf(files, [everywhere]);
    const after = dropFrom(files, everywhere).files;
    assert.equal(textOf(after), joined(without("server m1")));
    assert.equal(textOf(restoreIn(after, all, everywhere).files), textOf(files));
    const taken = [
      costBelow(500, () => dropFrom(files, everywhere)),
      costBelow(500, () => sketchOf(files, [everywhere])),
      costBelow(500, () => restoreIn(after, all, everywhere)),
      costBelow(500, () => restoreHost(textOf(after), textOf(files), everywhere)),
    ];
    test.diagnostic(taken.map((each) => `${each.toFixed(1)} ms`).join(", "));
    assert.ok(Math.max(...taken) < 500, `${taken.join(" ms, ")} ms`);
  });
});
