/** What goes wrong at a load balancer, on the real one: each time the old configuration is back and proved, and nobody behind it has noticed. Then several files, and a success. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { before, test } from "node:test";
import { container } from "../../lab/hosts.ts";
import { type Ran, type TestStack, fingerprint, on } from "./stack.ts";

let stack: TestStack;
const config = "/etc/haproxy/haproxy.cfg";
const textOn = async (balancer: string, path = config) => (await on(balancer, `cat ${path}`)).output;
/** `server,status` of the API's backend. */
const servers = async (balancer: string) =>
  (
    await on(
      balancer,
      "echo show stat | socat stdio /var/lib/haproxy/stats | grep ^atomic-openshift-api,master | cut -d, -f2,18",
    )
  ).output
    .trim()
    .split("\n");
const allUp = ["master0,UP", "master1,UP", "master2,UP", "master3,UP"];
const target = (balancer: string) =>
  `urn:pulumi:${stack.name}::openshift-masters::openshift:cluster:ControlPlane$pulumi-nodejs:dynamic/openshift:LoadBalancerPool::${balancer}.example.com`;
/** The one resource, its predecessors as they are. */
const upOf = (balancer: string): Promise<Ran> => stack.up("--target", target(balancer));

/** A drop-in for the unit, for as long as `work` takes. */
async function withUnit(balancer: string, lines: string, work: () => Promise<void>, restart = false): Promise<void> {
  const dropIn = "/etc/systemd/system/haproxy.service.d/zz-test.conf";
  const apply = `systemctl daemon-reload${restart ? "; systemctl reset-failed haproxy; systemctl restart haproxy; sleep 3" : ""}`;
  const text = Buffer.from(`[Service]\n${lines}\n`).toString("base64");
  await on(balancer, `echo ${text} | base64 -d >${dropIn}; ${apply}`);
  try {
    await work();
  } finally {
    await on(balancer, `rm ${dropIn}; ${apply}`);
  }
}

/** Declares the tests, for a stack that is adopted and has master-3 dropped; the last one leaves it out of lb-1's pool. */
export function loadBalancerTests(stackOf: () => TestStack): void {
  before(() => (stack = stackOf()));

  test("the second load balancer cannot be reached: found before the first is touched", async () => {
    const inside = (script: string) => execFileSync("podman", ["exec", container("lb-1"), "sh", "-c", script]);
    const print = await fingerprint("lb-0");
    inside("systemctl stop ssh.socket ssh.service 2>/dev/null || systemctl stop ssh");
    try {
      const ran = await stack.up();
      assert.notEqual(ran.code, 0);
      assert.match(
        ran.output,
        /refused, nothing was touched: the load balancer lb-1\.example\.com cannot be reached: /,
      );
    } finally {
      inside("systemctl start ssh");
    }
    assert.deepEqual(await fingerprint("lb-0"), print);
  });

  test("a file that haproxy would not accept afterwards is never put in place, and the drained server is in service again", async () => {
    // what no reader of the file alone can know: the rule's server comes from the unit's environment, with which the check is made
    const text = await textOn("lb-1");
    const rule = `    use-server "\${RETIRE}" if { src 10.9.9.9 }\n`;
    const write = (content: string) =>
      on("lb-1", `echo ${Buffer.from(content).toString("base64")} | base64 -d >${config}`);
    await withUnit(
      "lb-1",
      'Environment="RETIRE=master3"',
      async () => {
        await write(text + rule);
        await on("lb-1", "systemctl reload haproxy; sleep 3");
        const ran = await upOf("lb-1");
        const left = { text: await textOn("lb-1"), servers: await servers("lb-1") };
        await write(text);
        assert.notEqual(ran.code, 0);
        assert.match(ran.output, /the check of the new file said no[\s\S]*unable to find server/);
        assert.deepEqual(left, { text: text + rule, servers: allUp });
      },
      true,
    );
  });

  test("a reload that fails: the old file is back, and haproxy runs on with it", async () => {
    const text = await textOn("lb-0");
    await withUnit("lb-0", "ExecReload=\nExecReload=/bin/false", async () => {
      const ran = await upOf("lb-0");
      assert.notEqual(ran.code, 0);
      assert.match(
        ran.output,
        /lb-0\.example\.com: the edit was taken back[\s\S]*Reload failed[\s\S]*haproxy runs on as before[\s\S]*Why: [\s\S]*Reload failed/,
      );
      assert.equal(await textOn("lb-0"), text);
      assert.deepEqual(await servers("lb-0"), allUp);
    });
  });

  test("survivors that are DOWN after the reload: the old file is back, loaded and proved, and both outputs are told", async () => {
    const text = await textOn("lb-1");
    const pid = execFileSync("podman", ["inspect", "-f", "{{.State.Pid}}", container("lb-1")], {
      encoding: "utf8",
    }).trim();
    // the link from this load balancer to two of the masters breaks after Preflight, which does not run with this target
    const route = (verb: string) => {
      for (const address of ["192.168.55.12", "192.168.55.13"])
        execFileSync("nsenter", ["-t", pid, "-n", "ip", "route", verb, "blackhole", `${address}/32`]);
    };
    route("add");
    try {
      const ran = await upOf("lb-1");
      assert.notEqual(ran.code, 0);
      assert.match(ran.output, /atomic-openshift-api\/master1 is (DOWN|UP \d\/\d|not checked yet)/);
      assert.match(ran.output, /the edit was taken back, and the old configuration is loaded and proved again/);
    } finally {
      route("delete");
    }
    assert.equal(await textOn("lb-1"), text);
  });

  test("several files: the unit reads a folder besides, and the lines are taken where they are; no more than six commands", async () => {
    const before = await textOn("lb-1");
    const at = before.indexOf("\nbackend atomic-openshift-api") + 1;
    await on(
      "lb-1",
      `mkdir /etc/haproxy/conf.d; sed -n '/^backend atomic/,$p' ${config} >/etc/haproxy/conf.d/20-api.cfg; sed -i '/^backend atomic/,$d' ${config}; printf 'not read' >/etc/haproxy/conf.d/20-api.cfg.old`,
    );
    await withUnit(
      "lb-1",
      `Environment="CONFIG=${config} -f /etc/haproxy/conf.d"`,
      async () => {
        assert.deepEqual(await servers("lb-1"), allUp);
        const ran = await upOf("lb-1");
        assert.equal(ran.code, 0, ran.output.slice(-4000));
        const left = ["master0,UP", "master1,UP", "master2,UP"];
        assert.deepEqual(await servers("lb-1"), left);
        assert.equal(await textOn("lb-1"), before.slice(0, at));
        assert.equal(
          await textOn("lb-1", "/etc/haproxy/conf.d/20-api.cfg"),
          before.slice(at).replace(/.*192\.168\.55\.21.*\n/, ""),
        );
        const cost = /LoadBalancerPool lb-1\.example\.com\] proved; commands: lb-1\.example\.com (\d+)/.exec(
          ran.output,
        )?.[1];
        assert.ok(Number(cost) <= 6, `${cost ?? "?"} commands`);
        console.log(`lb-1: ${cost ?? "?"} commands`);
        // one file again, without the host
        await on("lb-1", `cat /etc/haproxy/conf.d/20-api.cfg >>${config}; rm -r /etc/haproxy/conf.d`);
      },
      true,
    );
  });
}
