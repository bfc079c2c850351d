/**
 * The scripts of docs/load-balancers.md, as they stand there, run as the plugin would run them. Neither a BIG-IP nor AWS can be had here: a small
 * HTTPS server and a script in the place of `aws` stand in for them, as far as the vendors' documentation says what they answer.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { poolCommand, poolEnvironment } from "../../providers/plan/pool-command.ts";

const folder = mkdtempSync(join(tmpdir(), "load-balancers-"));
const at = (name: string): string => join(folder, name);
const bin = at("bin");
const argv = at("argv.log");
after(() => rmSync(folder, { recursive: true }));

before(() => {
  mkdirSync(bin);
  const document = readFileSync(join(import.meta.dirname, "../../docs/load-balancers.md"), "utf8");
  for (const [, name = "", text = ""] of document.matchAll(/^```bash file=(\S+)\n([\s\S]*?)^```$/gm))
    writeFileSync(at(name), text, { mode: 0o755 });
  // every program that gets arguments writes them down: that is what a process list would show
  for (const program of ["curl", "jq", "grep", "sed", "awk", "paste"])
    writeFileSync(join(bin, program), `#!/bin/sh\necho "${program} $*" >>${argv}\nexec ${where(program)} "$@"\n`, {
      mode: 0o755,
    });
  // nobody waits for seconds here; the deadlines count on
  writeFileSync(join(bin, "sleep"), `#!/bin/sh\necho "sleep $*" >>${argv}\nexec ${where("sleep")} 0.05\n`, {
    mode: 0o755,
  });
});
beforeEach(() => writeFileSync(argv, ""));

function where(program: string): string {
  const { stdout } = spawnSync("/bin/sh", ["-c", `command -v ${program}`], { encoding: "utf8" });
  assert.notEqual(stdout, "", `${program} is needed`);
  return stdout.trim();
}

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** `set`, then `verify`, in one command as the resource has it; nothing of our own environment but PATH. */
function run(command: string, env: Record<string, string>): Promise<Ran> {
  const child = spawn("/bin/sh", ["-c", command], {
    cwd: folder,
    env: { PATH: `${bin}:${process.env["PATH"] ?? ""}`, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part: string) => (output += part));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}
const both = (script: string): string => poolCommand("lb", { set: `./${script} set`, verify: `./${script} verify` });
const wanted = (...addresses: readonly string[]): Record<string, string> =>
  poolEnvironment(
    "lb",
    Object.fromEntries(addresses.map((address, n) => [`master-${n}.example.com`, `${address}:8443`])),
  );
const succeeded = ({ code, output }: Ran): void => assert.deepEqual([code, output], [0, ""]);

const [m0, m1, m2, m3] = ["192.168.55.8", "192.168.55.12", "192.168.55.13", "192.168.55.21"] as const;

describe("f5.sh", () => {
  const login = { user: "f5-operator", password: `p"a\\s's & $HOME: % é` };
  /** Members of the one pool: fullPath → state. */
  let members: Map<string, string>;
  /** Requests that change something, of those that were `asked`. */
  let changes: string[];
  let asked: number;
  /** Members never come up. */
  let broken: boolean;
  let url: string;

  const server = () =>
    createServer({ key: readFileSync(at("key.pem")), cert: readFileSync(at("cert.pem")) }, (req, res) => {
      void answer(req, res);
    });
  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    asked += 1;
    let text = "";
    for await (const part of req) text += String(part);
    const reply = (status: number, body: unknown = {}) =>
      res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    const given = Buffer.from((req.headers.authorization ?? "").replace(/^Basic /, ""), "base64").toString();
    if (given !== `${login.user}:${login.password}`)
      return void reply(401, { code: 401, message: "Authorization failed" });
    const { method = "", url: path = "" } = req;
    const pool = "/mgmt/tm/ltm/pool/~Common~openshift-api/members";
    const body = (text === "" ? {} : JSON.parse(text)) as Record<string, string>;
    const member = path.startsWith(`${pool}/`) ? path.slice(pool.length + 1).replaceAll("~", "/") : "";
    if (method !== "GET")
      changes.push(`${method} ${member === "" ? path.replace(pool, "members") : member} ${text}`.trim());
    if (method === "GET" && path === pool) {
      const items = [...members].map(([fullPath, state]) => ({
        name: fullPath.split("/").at(-1),
        fullPath,
        address: fullPath.split("/").at(-1)?.split(":")[0],
        state,
        session: "monitor-enabled",
      }));
      // a pool without members has no `items`; a new member is checked, and up the next time it is asked for
      reply(200, { kind: "tm:ltm:pool:members:memberscollectionstate", ...(items.length === 0 ? {} : { items }) });
      if (!broken) for (const name of members.keys()) members.set(name, "up");
    } else if (method === "POST" && path === pool) {
      assert.equal(body["address"], body["name"]?.split(":")[0]);
      members.set(`/${body["partition"] ?? ""}/${body["name"] ?? ""}`, "checking");
      reply(200);
    } else if (method === "PATCH" && members.has(member)) reply(200);
    else if (method === "DELETE" && members.delete(member)) reply(200);
    else if (method === "POST" && path === "/mgmt/tm/sys/config" && body["command"] === "save") reply(200);
    else reply(404, { code: 404, message: `${method} ${path}` });
  }
  let running: ReturnType<typeof server> | undefined;

  before(async () => {
    const made = spawnSync(
      "openssl",
      `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=f5 -addext subjectAltName=IP:127.0.0.1 -keyout ${at("key.pem")} -out ${at("cert.pem")}`.split(
        " ",
      ),
      { encoding: "utf8" },
    );
    assert.equal(made.status, 0, made.stderr);
    running = server();
    await new Promise<void>((resolve) => running?.listen(0, "127.0.0.1", resolve));
    url = `https://127.0.0.1:${(running.address() as AddressInfo).port}`;
  });
  after(() => running?.close());
  beforeEach(() => {
    members = new Map([m0, m1, m2, m3].map((address) => [`/Common/${address}:8443`, "up"]));
    changes = [];
    asked = 0;
    broken = false;
  });

  const f5 = (more: Record<string, string> = {}): Record<string, string> => ({
    F5_URL: url,
    F5_POOL: "openshift-api",
    F5_USER: login.user,
    F5_PASSWORD: login.password,
    F5_CACERT: at("cert.pem"),
    F5_WAIT: "30",
    ...more,
  });
  const set = (addresses: readonly string[], more: Record<string, string> = {}) =>
    run(both("f5.sh"), { ...f5(more), ...wanted(...addresses) });
  const named = () => [...members.keys()].map((path) => path.replace(/^\/Common\/(.*):8443$/, "$1"));
  const save = 'POST /mgmt/tm/sys/config {"command":"save"}';

  it("an empty pool is filled", async () => {
    members.clear();
    succeeded(await set([m0, m1, m2]));
    assert.deepEqual(named().toSorted(), [m0, m1, m2].toSorted());
    assert.equal(changes.length, 4);
    assert.ok(
      changes.includes(`POST members {"name":"${m0}:8443","address":"${m0}","partition":"Common"}`),
      changes.join("\n"),
    );
    assert.equal(changes.at(-1), save);
  });

  it("set again changes no member", async () => {
    succeeded(await set([m0, m1, m2, m3]));
    assert.deepEqual(changes, [save]);
  });

  it("one fewer: disabled, then removed, then saved", async () => {
    succeeded(await set([m0, m1, m2]));
    assert.deepEqual(named(), [m0, m1, m2]);
    const path = `/Common/${m3}:8443`;
    assert.deepEqual(changes, [`PATCH ${path} {"session":"user-disabled"}`, `DELETE ${path}`, save]);
    assert.match(readFileSync(argv, "utf8"), /^sleep 10$/m);
  });

  it("another instead: added before one is removed", async () => {
    members.delete(`/Common/${m0}:8443`);
    succeeded(await set([m0, m1, m2]));
    assert.deepEqual(
      changes.map((change) => change.split(" ")[0]),
      ["POST", "PATCH", "DELETE", "POST"],
    );
  });

  it("a member that does not come up fails verify, which names what it saw", async () => {
    broken = true;
    members.set(`/Common/${m1}:8443`, "down");
    const ran = await set([m0, m1, m2, m3], { F5_WAIT: "1" });
    assert.equal(ran.code, 1);
    assert.match(ran.output, /should hold\n[\s\S]*and holds\n192\.168\.55\.12:8443 down\n/);
    assert.match(ran.output, /^lb: verify failed; exit status 1$/m);
  });

  it("a wrong password fails set; nothing is changed, verify is not run", async () => {
    const ran = await set([m0, m1, m2], { F5_PASSWORD: "wrong-one" });
    assert.equal(ran.code, 22);
    assert.match(ran.output, /401/);
    assert.match(ran.output, /^lb: set failed, verify was not run; exit status 22$/m);
    assert.doesNotMatch(ran.output, /wrong-one/);
    assert.deepEqual(changes, []);
  });

  it("a certificate that nobody vouches for is refused, before the password is sent, whatever ~/.curlrc says", async () => {
    writeFileSync(at(".curlrc"), "insecure\n");
    const ran = await set([m0], { F5_CACERT: "", HOME: folder });
    assert.equal(ran.code, 60, ran.output);
    assert.equal(asked, 0);
  });

  it("a pool without servers, an IPv6 address, and no pool at all are refused", async () => {
    for (const [pool, said] of [
      [wanted(), /refusing to empty the pool/],
      [poolEnvironment("lb", { a: "[fd00::1]:8443" }), /IPv4 addresses only/],
      [{}, /OPENSHIFT_MASTERS_POOL/],
      [{ OPENSHIFT_MASTERS_POOL: "{" }, /parse error/],
    ] as const) {
      const ran = await run(both("f5.sh"), { ...f5(), ...pool });
      assert.notEqual(ran.code, 0);
      assert.match(ran.output, said);
    }
    assert.deepEqual(changes, []);
  });

  it("no login in a process list, and none printed", async () => {
    const { output } = await set([m0, m1]);
    const seen = readFileSync(argv, "utf8") + output;
    assert.match(seen, /^curl .*members/m);
    for (const part of [login.password, login.user, `p"a`, 'p\\"a'])
      assert.ok(!seen.includes(part), `${part} in\n${seen}`);
  });
});

describe("aws.sh", () => {
  const state = at("targets.json");
  const arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/openshift-api/6d0ecf831eec9f09";
  const secret = "wJalrXUtnFEMI/K7MDENG";

  before(() =>
    writeFileSync(
      join(bin, "aws"),
      `#!${process.execPath}
const { appendFileSync, readFileSync, writeFileSync } = require("node:fs");
const words = process.argv.slice(2);
appendFileSync(${JSON.stringify(argv)}, "aws " + words.join(" ") + "\\n");
if (process.env.AWS_SECRET_ACCESS_KEY !== ${JSON.stringify(secret)}) {
  console.error("An error occurred (InvalidSignatureException)");
  process.exit(254);
}
const [service, verb, , group] = words;
if (service !== "elbv2" || group !== ${JSON.stringify(arn)}) process.exit(252);
const targets = JSON.parse(readFileSync(${JSON.stringify(state)}, "utf8"));
const given = words.includes("--targets") ? words.slice(words.indexOf("--targets") + 1) : [];
const named = given.map((word) => /^Id=(.*),Port=(.*)$/.exec(word).slice(1, 3).join(":"));
if (verb === "register-targets") for (const name of named) targets[name] = "initial";
if (verb === "deregister-targets") for (const name of named) targets[name] = "draining";
if (verb === "describe-target-health") {
  const one = ([name, State]) => ({ Target: { Id: name.split(":")[0], Port: Number(name.split(":")[1]) }, TargetHealth: { State } });
  console.log(JSON.stringify({ TargetHealthDescriptions: Object.entries(targets).map(one) }));
  // the next one who asks sees it further on
  for (const [name, health] of Object.entries(targets)) {
    if (health === "initial") targets[name] = "healthy";
    if (health === "draining") delete targets[name];
  }
}
writeFileSync(${JSON.stringify(state)}, JSON.stringify(targets));
`,
      { mode: 0o755 },
    ),
  );
  const holds = (targets: Record<string, string>): void =>
    writeFileSync(
      state,
      JSON.stringify(Object.fromEntries(Object.entries(targets).map(([name, health]) => [`${name}:8443`, health]))),
    );
  beforeEach(() => holds({ [m0]: "healthy", [m1]: "healthy", [m2]: "healthy", [m3]: "healthy" }));
  const targets = () => JSON.parse(readFileSync(state, "utf8")) as Record<string, string>;
  const verbs = () =>
    [...readFileSync(argv, "utf8").matchAll(/^aws elbv2 (\S+)/gm)]
      .map(([, verb = ""]) => verb.replace(/-targets$|-target-health$/, ""))
      .filter((verb, i, all) => verb !== all[i - 1]);
  const set = (addresses: readonly string[], more: Record<string, string> = {}) =>
    run(both("aws.sh"), {
      AWS_TARGET_GROUP_ARN: arn,
      AWS_REGION: "eu-west-1",
      AWS_SECRET_ACCESS_KEY: secret,
      AWS_WAIT: "30",
      ...wanted(...addresses),
      ...more,
    });
  const healthy = (...addresses: readonly string[]) =>
    Object.fromEntries(addresses.map((address) => [`${address}:8443`, "healthy"]));

  it("an empty target group is filled", async () => {
    holds({});
    succeeded(await set([m0, m1]));
    assert.deepEqual(targets(), healthy(m0, m1));
    assert.match(
      readFileSync(argv, "utf8"),
      /register-targets --target-group-arn \S+ --targets Id=192\.168\.55\.12,Port=8443 Id=192\.168\.55\.8,Port=8443\n/,
    );
  });

  it("set again changes nothing", async () => {
    succeeded(await set([m0, m1, m2, m3]));
    assert.deepEqual(verbs(), ["describe"]);
    assert.deepEqual(targets(), healthy(m0, m1, m2, m3));
  });

  it("one fewer: verified only when it has drained", async () => {
    succeeded(await set([m0, m1, m2]));
    assert.deepEqual(targets(), healthy(m0, m1, m2));
    assert.deepEqual(verbs(), ["describe", "deregister", "describe"]);
  });

  it("another instead: healthy before one is taken away", async () => {
    holds({ [m1]: "healthy", [m2]: "healthy", [m3]: "healthy" });
    succeeded(await set([m0, m1, m2]));
    assert.deepEqual(verbs(), ["describe", "register", "describe", "deregister", "describe"]);
    assert.deepEqual(targets(), healthy(m1, m2, m0));
  });

  it("one that still drains is registered again", async () => {
    holds({ [m0]: "healthy", [m1]: "draining" });
    succeeded(await set([m0, m1]));
    assert.deepEqual(verbs(), ["describe", "register", "describe"]);
  });

  it("nothing is taken away while one that stays is not healthy", async () => {
    holds({ [m0]: "healthy", [m1]: "unhealthy", [m3]: "healthy" });
    const ran = await set([m0, m1], { AWS_WAIT: "1" });
    assert.equal(ran.code, 1);
    assert.match(ran.output, /and are\n192\.168\.55\.12:8443 unhealthy\n/);
    assert.match(ran.output, /^lb: set failed, verify was not run; exit status 1$/m);
    assert.equal(targets()[`${m3}:8443`], "healthy");
  });

  it("a target that is not healthy fails verify", async () => {
    holds({ [m0]: "healthy", [m1]: "unused" });
    const ran = await set([m0, m1], { AWS_WAIT: "1" });
    assert.equal(ran.code, 1);
    assert.match(ran.output, /192\.168\.55\.12:8443 unused\n[\s\S]*^lb: verify failed; exit status 1$/m);
  });

  it("a wrong key fails set, and an empty pool is refused", async () => {
    const ran = await set([m0], { AWS_SECRET_ACCESS_KEY: "wrong-one" });
    assert.equal(ran.code, 254);
    assert.match(ran.output, /InvalidSignature[\s\S]*set failed/);
    assert.doesNotMatch(ran.output, /wrong-one/);
    const empty = await set([]);
    assert.equal(empty.code, 1);
    assert.match(empty.output, /refusing to empty the target group/);
    assert.deepEqual(targets(), healthy(m0, m1, m2, m3));
  });

  it("no key in a process list", async () => {
    const { output } = await set([m0, m1]);
    const seen = readFileSync(argv, "utf8") + output;
    assert.match(seen, /^aws elbv2 deregister-targets/m);
    assert.ok(!seen.includes(secret), seen);
  });
});
