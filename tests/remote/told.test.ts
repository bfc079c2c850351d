/** runTold against a real sshd: lines are heard as they come, and whatever a host prints, it ends. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { RemoteError } from "../../providers/remote/errors.ts";
import { Connections } from "../../providers/remote/ssh.ts";
import { runTold } from "../../providers/remote/told.ts";
import { startSshd, type Sshd } from "./sshd.ts";

let sshd: Sshd;
let connections: Connections;
before(async () => {
  sshd = await startSshd();
  connections = new Connections(sshd.settings());
});
after(async () => {
  await connections.close();
  await sshd.stop();
});

const most = 2 ** 20;
const told = (script: string, heard: (line: string) => void = () => undefined, over: object = {}) => {
  const host = connections.host({ name: "lb-0.example.com", address: "127.0.0.1" });
  return runTold(host, script, { what: "draining master3", deadline: 20, idle: 10, ...over }, heard);
};
async function failure(promise: Promise<unknown>): Promise<RemoteError> {
  const error: unknown = await promise.then(
    () => assert.fail("did not fail"),
    (one: unknown) => one,
  );
  assert.ok(error instanceof RemoteError, String(error));
  return error;
}

describe("lines", () => {
  test("are heard as they come, not at the end", async () => {
    const at: [line: string, ms: number][] = [];
    const begun = Date.now();
    const { code, lines } = await told(
      "echo one; sleep 1; printf 'tw'; sleep 0.3; echo o; sleep 1; echo three",
      (line) => at.push([line, Date.now() - begun]),
    );
    assert.deepEqual([code, lines], [0, ["one", "two", "three"]]);
    assert.deepEqual(
      at.map(([line]) => line),
      ["one", "two", "three"],
    );
    const [one = 0, two = 0, three = 0] = at.map(([, ms]) => ms);
    assert.ok(two - one > 700 && three - two > 700, `heard after ${at.join(" ms, ")} ms`);
  });
  test("a last one without its end is told at the end, and no empty one is made up", async () => {
    const heard: string[] = [];
    const { lines } = await told("printf 'a\\n\\nb'", (line) => heard.push(line));
    assert.deepEqual(
      [lines, heard],
      [
        ["a", "", "b"],
        ["a", ""],
      ],
    );
    assert.deepEqual((await told("true")).lines, []);
    assert.deepEqual((await told("echo a")).lines, ["a"]);
  });
  test("letters of several bytes survive wherever a packet ends", async () => {
    const { lines } = await told("printf 'caf\\303'; sleep 0.3; printf '\\251 ok\\n'");
    assert.deepEqual(lines, ["café ok"]);
  });
  test("the exit code and what was said besides come with them", async () => {
    const { code, lines, stderr } = await told("echo a; echo hm >&2; exit 87");
    assert.deepEqual([code, lines, stderr], [87, ["a"], "hm\n"]);
  });
});

describe("too much", () => {
  test("a mebibyte is taken, to its last byte", async () => {
    const { lines } = await told(`head -c ${most} /dev/zero | tr '\\0' x`);
    assert.deepEqual(
      lines.map((line) => line.length),
      [most],
    );
  });
  for (const size of [most + 1, 2 * most, 20 * most])
    test(`${size} bytes end with an error`, async () => {
      const error = await failure(told(`head -c ${size} /dev/zero | tr '\\0' x`));
      assert.equal(error.outcome, "unknown");
      assert.match(
        error.message,
        /^draining master3 on lb-0\.example\.com failed: more than 1048576 bytes of output, so it was ended/,
      );
    });
  test("a host that prints without end", async () => {
    let count = 0;
    const error = await failure(told("exec yes", () => (count += 1)));
    assert.match(error.message, /more than 1048576 bytes of output/);
    assert.ok(count <= most / 2, String(count));
  });
});

test("silence and the deadline end it", async () => {
  assert.match((await failure(told("echo a; sleep 30", undefined, { idle: 0.3 }))).message, /no byte for 0\.3 s/);
  const slow = "while :; do echo a; sleep 0.1; done";
  assert.match((await failure(told(slow, undefined, { deadline: 1 }))).message, /not finished within 1 s/);
});
test("a lost connection is an error, whatever was heard", async () => {
  const heard: string[] = [];
  const lost = told("echo a; sleep 30", (line) => {
    heard.push(line);
    sshd.cutConnections();
  });
  assert.equal((await failure(lost)).outcome, "unknown");
  assert.deepEqual(heard, ["a"]);
});
