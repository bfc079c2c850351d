import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { poolCommand, poolEnvironment } from "../../providers/plan/pool-command.ts";

/** As the plugin runs it: `/bin/sh -c`. */
function run(set: string, verify: string, env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", poolCommand("f5", { set, verify })], {
    encoding: "utf8",
    env: { PATH: "/usr/bin:/bin", ...env },
  });
  return { status, stdout, stderr };
}

describe("set, then verify", () => {
  it("both, in this order", () =>
    assert.deepEqual(run("echo set", "echo verified"), { status: 0, stdout: "set\nverified\n", stderr: "" }));

  const failures: [what: string, set: string, verify: string, status: number, stdout: string, stderr: RegExp][] = [
    ["set fails", "exit 7", "echo verified", 7, "", /^f5: set failed, verify was not run; exit status 7\n$/],
    ["verify fails", "echo set", "exit 9", 9, "set\n", /^f5: verify failed; exit status 9\n$/],
    ["set is killed", "kill -9 $$", "echo verified", 137, "", /set failed.* 137\n$/],
    [
      "set is no command",
      "./no-such-script",
      "echo verified",
      127,
      "",
      /no-such-script.*not found\n.*set failed.* 127\n$/s,
    ],

    ["an early step of set fails", "false && echo set", "echo verified", 1, "", /set failed/],
  ];
  for (const [what, set, verify, status, stdout, stderr] of failures)
    it(what, () => {
      const ran = run(set, verify);
      assert.deepEqual([ran.status, ran.stdout], [status, stdout]);
      assert.match(ran.stderr, stderr);
    });

  it("set is no shell: one's own slip stays one's own", () => {
    const ran = run("echo 'a", "echo verified");
    assert.notEqual(ran.status, 0);
    assert.equal(ran.stdout, "");
    assert.match(ran.stderr, /f5: set failed/);
  });

  const texts: [what: string, set: string, stdout: string][] = [
    ["a comment", "echo a # && false", "a\n"],
    ["quotes", `echo "it's" '"'`, `it's "\n`],
    ["a variable, expanded where it runs", 'echo "$OPENSHIFT_MASTERS_LOAD_BALANCER" $((1+1))', "f5 2\n"],
    ["an exit that succeeds", "echo a; exit 0", "a\n"],
    ["a change of folder that verify does not see", "cd /; pwd", "/\n"],
  ];
  for (const [what, set, stdout] of texts)
    it(`set with ${what}`, () =>
      assert.deepEqual(run(set, "true", poolEnvironment("f5", {})), { status: 0, stdout, stderr: "" }));
});

it("the environment holds the whole pool as JSON, and the name", () =>
  assert.deepEqual(poolEnvironment("f5", { a: "10.0.0.1:8443", b: "[fd00::1]:8443" }), {
    OPENSHIFT_MASTERS_LOAD_BALANCER: "f5",
    OPENSHIFT_MASTERS_POOL: '{"loadBalancer":"f5","servers":{"a":"10.0.0.1:8443","b":"[fd00::1]:8443"}}',
  }));
