import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { applyPatch } from "diff";
import fc from "fast-check";
import { isReachable } from "../../providers/plan/facts.ts";
import { planMasterConfig, planMembership } from "../../providers/plan/plans.ts";
import { diffOf, editsOf, labelOf, maskLine, render } from "../../providers/plan/show.ts";
import type { Edit, Step } from "../../providers/plan/steps.ts";
import { fileOf, idOf, master, removal, withFile } from "./world.ts";

const edit = (before: string, after: string, path = "/etc/origin/master/master-config.yaml"): Edit => ({
  before: fileOf(path, before),
  after,
});
const canary = "CANARYcanary1";

describe("a secret's value is masked, its key stays", () => {
  const yaml = [
    `bindPassword: ${canary}`,
    `"bindPassword": "${canary}"`,
    `- password: '${canary} x'`,
    `clientSecret: ${canary} # why`,
    `- authentication: ${canary}`,
    `encryption: ${canary}`,
    `{ bindPassword: ${canary}, login: true }`,
    `apiKey: ${canary}`,
  ];
  const haproxy = [
    `stats auth admin:${canary}`,
    `    stats  auth\tadmin:${canary}`,
    `user ops insecure-password ${canary}`,
    `user ops password $5$${canary}`,
  ];
  const ini = [
    `openshift_master_ldap_bind_password=${canary}`,
    `ansible_become_pass='${canary} x'`,
    `master-0.example.com ansible_user=root ansible_password=${canary} openshift_node_group_name=x`,
    `master-0.example.com ansible_ssh_pass="${canary}"`,
    `openshift_master_identity_providers=[{'name': 'ldap', 'bindPassword': '${canary}', 'kind': 'x'}]`,
    `oreg_auth_password=${canary}`,
    `openshift_additional_registry_credentials=[{'host':'r','user':'u','password':'${canary}'}]`,
  ];
  const shell = [
    `export TOKEN=${canary}`,
    `AWS_SECRET_ACCESS_KEY="${canary}"`,
    `HTTP_PROXY=http://user:${canary}@proxy.example.com:3128`,
  ];
  for (const line of [...yaml, ...haproxy, ...ini, ...shell])
    it(line, () => {
      const key = /[\w-]*(?:pass|auth|secret|token|credential|encryption|apikey|proxy)[\w-]*/i.exec(line)?.[0];
      for (const prefix of ["", "+", "-", " ", "+      "]) {
        const masked = maskLine(prefix + line);
        assert.doesNotMatch(masked, new RegExp(canary));
        assert.ok(masked.startsWith(prefix) && masked.includes("[masked]") && masked.includes(key ?? "?"), masked);
      }
    });

  for (const line of [
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "MIIEpAIBAAKCAQEAx0aUaO3Vt6mZ6KkzqJcXqk5Yd3oZ0f9Q2m1bVbJmS9yYw7ab",
    `    ${"QUJD".repeat(19)}==`,
  ])
    for (const prefix of ["+", "-", " "])
      it(`${prefix}${line}`, () => assert.equal(maskLine(prefix + line), `${prefix}[masked]`));
  it("a blob behind a key", () =>
    assert.doesNotMatch(maskLine(`+    certificate-authority-data: ${"QUJD".repeat(20)}`), /QUJDQUJD/));
  describe("exactly", () => {
    const blob = "QUJD".repeat(20);
    const cases: [line: string, shown: string][] = [
      [`    stats auth admin:${canary}`, "    stats auth [masked]"],
      [`+  user ops insecure-password ${canary}`, "+  user ops insecure-password [masked]"],
      [`-      bindPassword: ${canary}`, "-      bindPassword: [masked]"],
      [
        `+a.example.com ansible_user=root ansible_password=${canary} openshift_x=y`,
        "+a.example.com ansible_user=root ansible_password=[masked] openshift_x=y",
      ],
      [`{'host':'r','password':'${canary}','kind':'x'}`, "{'host':'r','password':[masked],'kind':'x'}"],
      [`{"password": "a\\"${canary}", "b": 1}`, `{"password": [masked], "b": 1}`],
      [`password="${canary} unclosed x=${canary}`, "password=[masked]"],
      [`password='${canary} unclosed x=${canary}`, "password=[masked]"],
      [
        ` HTTP_PROXY=http://user:${canary}@proxy.example.com:3128`,
        " HTTP_PROXY=http://user:[masked]@proxy.example.com:3128",
      ],
      [
        `- https://a:${canary}@b.example.com/x https://c:${canary}@d`,
        "- https://a:[masked]@b.example.com/x https://c:[masked]@d",
      ],
      [`+    certificate-authority-data: ${blob}`, "+    certificate-authority-data: [masked]"],
      [`+  x: "${blob}", y: ${blob}`, `+  x: "[masked]", y: [masked]`],
      ["+  urls: https://master-0.example.com:2379", "+  urls: https://master-0.example.com:2379"],
      ["-  - https://[fd00::8]:2379", "-  - https://[fd00::8]:2379"],
    ];
    for (const [line, shown] of cases) it(line, () => assert.equal(maskLine(line), shown));
  });

  describe("a key over several lines", () => {
    const body = "QUJD".repeat(16);
    const [begin, end] = ["-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"];
    const pem = (last: string, lines = 1) => `${begin}\n${`${body}\n`.repeat(lines)}${last}\n${end}\n`;
    const shown = (before: string, after: string) => diffOf(edit(before, after)).split("\n").slice(2);
    it("its short last line, as it was and as it will be", () =>
      assert.deepEqual(shown(`a: 1\n${pem("U0hPUlQx")}z: 1\n`, `a: 1\n${pem("U0hPUlQy")}z: 1\n`), [
        "@@ -2,5 +2,5 @@",
        " [masked]",
        " [masked]",
        "-[masked]",
        "+[masked]",
        " [masked]",
        " z: 1",
      ]));
    it("a hunk that begins inside it", () => {
      const text = (z: number) => `${pem("U0hPUlQx", 4)}z: ${z}\n`;
      assert.deepEqual(shown(text(1), text(2)), ["@@ -6,3 +6,3 @@", " [masked]", " [masked]", "-z: 1", "+z: 2"]);
    });
    it("a hunk that begins at its last line", () => {
      const text = (z: number) => `${pem("U0hPUlQx", 4)}y: 1\nz: ${z}\n`;
      assert.deepEqual(shown(text(1), text(2)), ["@@ -7,3 +7,3 @@", " [masked]", " y: 1", "-z: 1", "+z: 2"]);
    });
    it("a hunk that ends inside it, and the next one behind it", () => {
      const text = (n: number) => `a: ${n}\n${pem("U0hPUlQx", 9)}z: ${n}\n`;
      assert.deepEqual(shown(text(1), text(2)), [
        "@@ -1,3 +1,3 @@",
        "-a: 1",
        "+a: 2",
        " [masked]",
        " [masked]",
        "@@ -12,3 +12,3 @@",
        " [masked]",
        " [masked]",
        "-z: 1",
        "+z: 2",
      ]);
    });
    it("one key goes and another comes, the last line of both", () => {
      const other = pem("U0hPUlQy").replaceAll("RSA ", "");
      const diff = shown(`a: 1\n${pem("U0hPUlQx")}z: 1\n`, `a: 1\n${other}z: 1\n`);
      assert.doesNotMatch(diff.join("\n"), /U0hPUlQ|QUJD|-----/);
      assert.deepEqual([diff.at(1), diff.at(-1)], [" a: 1", " z: 1"]);
    });
    it("what is not between is shown", () => {
      const text = (n: number) => `a: 1\n${pem("U0hPUlQx")}b: ${n}\nc: 1\n${pem("U0hPUlQx")}`;
      const diff = shown(text(1), text(2));
      assert.deepEqual(diff.slice(3), ["-b: 1", "+b: 2", " c: 1", " [masked]"]);
    });
    it("wherever an edit is, nothing of the key shows and the edit does", () =>
      fc.assert(
        fc.property(
          fc.integer({ min: 0, max: 6 }),
          fc.integer({ min: 0, max: 6 }),
          fc.integer({ min: 0, max: 6 }),
          fc.boolean(),
          (above, inside, below, first) => {
            const fill = (n: number, key: string) => Array.from({ length: n }, (_, at) => `${key}${at}: 1\n`).join("");
            const text = (n: number) =>
              `${first ? `edit: ${n}\n` : ""}${fill(above, "a")}${pem("U0hPUlQx", inside)}${fill(below, "b")}edit: ${n}\n`;
            const diff = diffOf(edit(text(1), text(2)));
            assert.doesNotMatch(diff, /U0hPUlQ|QUJD/);
            assert.equal(diff.match(/^[-+]edit: [12]$/gm)?.length, first ? 4 : 2);
          },
        ),
      ));
  });

  for (const [what, line] of [
    ["words", "a.b-".repeat(100_000)],
    ["secret words", "pass-".repeat(100_000)],
    ["blanks", `password ${" ".repeat(100_000)}`],
    ["addresses", "://:a".repeat(100_000)],
    ["quotes", `password="${'\\"'.repeat(100_000)}`],
  ] as const)
    it(`a hostile line of ${what} takes no time`, () => {
      const begun = performance.now();
      diffOf(edit("a\n", `${line}\n`));
      assert.ok(performance.now() - begun < 2000);
    });
});

describe("what is no secret is shown", () => {
  for (const line of [
    "-    server      master3 192.168.55.21:8443 check",
    "-  - https://master-3.example.com:2379",
    "+  masterCount: 3",
    "+NO_PROXY=.cluster.local,.svc,localhost,master-0.example.com,172.30.0.1",
    "-master-3.example.com openshift_node_group_name='node-config-master'",
    "-ETCD_INITIAL_CLUSTER=master-0.example.com=https://192.168.55.8:2380,master-3.example.com=https://192.168.55.21:2380",
    "+FLANNEL_ETCD_ENDPOINTS=https://master-0.example.com:2379",
    " ",
    "",
  ])
    it(JSON.stringify(line), () => assert.equal(maskLine(line), line));
});

describe("diffOf", () => {
  const lines = (n: number) => Array.from({ length: n }, (_, at) => `line ${at}\n`).join("");

  /** The diff package may put an `Index:` line before the header. */
  const unified = (one: Edit): string => diffOf(one).replace(/^Index: .*\n/, "");

  it("is a unified diff with two lines of context", () =>
    assert.equal(
      unified(
        edit(
          lines(9),
          lines(9).replace("line 4\n", "").replace("line 8\n", "line eight\n"),
          "/etc/haproxy/haproxy.cfg",
        ),
      ),
      [
        "--- /etc/haproxy/haproxy.cfg",
        "+++ /etc/haproxy/haproxy.cfg",
        "@@ -3,7 +3,6 @@",
        " line 2",
        " line 3",
        "-line 4",
        " line 5",
        " line 6",
        " line 7",
        "-line 8",
        "+line eight",
      ].join("\n"),
    ));

  it("what is not secret can be applied", () =>
    fc.assert(
      fc.property(
        fc.array(fc.nat(6), { minLength: 1, maxLength: 30 }),
        fc.array(fc.nat(6), { maxLength: 30 }),
        (a, b) => {
          const text = (numbers: number[]) => numbers.map((n) => `x${n}\n`).join("");
          const diff = diffOf(edit(text(a), text(b)));
          assert.equal(applyPatch(text(a), `${diff}\n`), text(b));
        },
      ),
    ));

  it("a last line without its end", () => {
    const diff = unified(edit("a\nb", "a\nc"));
    assert.deepEqual(diff.split("\n").slice(3), [" a", "-b", "+c"]);
  });

  it("control characters of a host are shown as such", () => {
    const diff = diffOf(edit("a\n\x1b[2Jb\x07\u202e\nc\n", "a\nd\r\nc\n"));
    assert.match(diff, /^-\\x1b\[2Jb\\x07\\u202e$/m);
    assert.match(diff, /^\+d\\x0d$/m);
    assert.doesNotMatch(diff, /[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });

  it("a path with control characters too", () => {
    const diff = diffOf(edit("a\n", "b\n", "/etc/\x1b[31mx"));
    assert.doesNotMatch(diff, /\x1b/);
  });

  it("a line of 4 MiB is cut, and says so", () => {
    const [line = ""] = diffOf(edit("a\n", `${"x y".repeat(100_000)}\n`))
      .split("\n")
      .slice(-1);
    assert.ok(line.length <= 501, String(line.length));
    assert.match(line, /…$/);
  });

  it("the secrets beside an edit do not show", () => {
    const secrets = `bindDN: x\n    bindPassword: ${canary}\n    masterCount: 4\n    stats auth admin:${canary}\n`;
    const diff = diffOf(edit(secrets, secrets.replace("masterCount: 4", "masterCount: 3")));
    assert.match(diff, /^\+ {4}masterCount: 3$/m);
    assert.doesNotMatch(diff, new RegExp(canary));
  });

  it("a secret that is itself edited shows as a change and nothing more", () => {
    const diff = diffOf(edit(`p:\n  bindPassword: ${canary}old\n`, `p:\n  bindPassword: ${canary}new\n`));
    assert.deepEqual(diff.split("\n").slice(-2), ["-  bindPassword: [masked]", "+  bindPassword: [masked]"]);
  });
});

describe("render", () => {
  const { world, change } = removal(4, [3]);

  it("numbers the steps, with their commands and diffs", () => {
    const steps = planMembership(world, change).slice(0, 3);
    const text = render(steps);
    assert.deepEqual(text.split("\n").slice(0, 5), [
      `  1. ${master(0)}: ${steps[0]?.title ?? ""}`,
      `       $ etcdctl member remove ${idOf(3)}`,
      `  2. ${master(3)}: ${steps[1]?.title ?? ""}`,
      "       $ mkdir -p /etc/origin/node/pods/disabled",
      "       $ mv /etc/origin/node/pods/etcd.yaml /etc/origin/node/pods/disabled/etcd.yaml",
    ]);
    assert.match(
      text,
      /^ {2}3\. master-0\.example\.com: \/etc\/etcd\/etcd\.conf: take master-3\.example\.com out of ETCD_INITIAL_CLUSTER/m,
    );
    assert.match(text, /^ {7}--- \/etc\/etcd\/etcd\.conf$/m);
    assert.match(text, /^ {7}-ETCD_INITIAL_CLUSTER=.*,master-3\.example\.com=https:\/\/192\.168\.55\.21:2380$/m);
    assert.match(text, /^ {7}\+ETCD_INITIAL_CLUSTER=.*,master-2\.example\.com=https:\/\/192\.168\.55\.13:2380$/m);
  });

  it("nothing for no steps", () => assert.equal(render([]), ""));

  it("nothing of a host reaches the terminal as control", () => {
    const evil: Step = {
      do: "edit",
      host: "h\x1b[1m",
      title: "t\x07",
      commands: ["c\x1b]0;x\x07"],
      edit: edit("a\n", "\x9b2J\n"),
    };
    assert.doesNotMatch(render([evil]), /[\0-\x09\x0b-\x1f\x7f-\x9f]/);
  });

  it("the plan of the lab's master-config shows no password", () => {
    const near = withFile(world, master(0), "masterConfig", (text) =>
      text.replace("  masterIP:", `  bindPassword: ${canary}\n  masterIP:`),
    );
    const text = render(planMasterConfig(near, change));
    assert.match(text, /masterCount: 3/);
    assert.doesNotMatch(text, new RegExp(canary));
  });

  it("editsOf and labelOf", () => {
    const steps = planMembership(world, change);
    assert.equal(steps.flatMap(editsOf).length, 3);
    const first = steps[0] ?? assert.fail();
    assert.equal(labelOf(first), `${master(0)}: ${first.title}`);
  });
  it("a balance step without edits has none", () => {
    const on = world.balancers["lb-0.example.com"];
    assert.ok(isReachable(on));
    const step: Step = { do: "balance", host: "lb", title: "t", on, edits: [], drain: [], peers: [], gone: [], up: [] };
    assert.deepEqual(editsOf(step), []);
    assert.equal(render([step]), "  1. lb: t");
  });
});
