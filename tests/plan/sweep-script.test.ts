/** The look at one host, by the real sh over a tree of a host's files, with neighbours that must not be found; and the reader on hostile answers. */
import assert from "node:assert/strict";
import { symlinkSync, mkdirSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { hostSweep, sweepScript } from "../../providers/plan/sweep.ts";
import { wordsOf } from "../../providers/plan/sweep-words.ts";
import { PlayedHost, shells, syntaxOf } from "./played-host.ts";
import { printed, probed } from "./world.ts";

const [m3, m4] = ["master-3.example.com", "master-4.example.com"];
const looked = [wordsOf(m3, "192.168.55.21"), wordsOf(m4, "192.168.55.22")];
const secret = "LABCANARYsweep";

const tree: Record<string, string> = {
  "etc/origin/master/master-config.yaml": `a: 1\n# https://${m3}:2379\n  - https://${m3}:2379 # ${secret}\nmasterPublicURL: https://192.168.55.210:8443\nx: https://${m3}:8443\n`,
  "etc/origin/master/master-config.yaml.before-101500-abc123": `https://${m3}:2379\n`,
  "etc/origin/master/session-secrets.yaml": `- authentication: ${secret}\n`,
  "etc/origin/master/notes.txt": `${m3}\n`,
  "etc/origin/node/node.kubeconfig": `clusters: [{cluster: {server: "https://${m3}:8443"}}]\nuser: ${secret}\n`,
  "etc/origin/node/pods/apiserver.yaml": `host: 192.168.55.211\nhost: x.${m3}\nhost: ${m3}.au\n`,
  "etc/hosts": `127.0.0.1 localhost\n192.168.55.21 ${m3} master-3\n10.0.0.9 master-3\n192.168.55.22 ${m4}\n`,
  "etc/resolv.conf": "search master-3\nnameserver 192.168.55.2\n",
  "etc/etcd/etcd.conf": `ETCD_INITIAL_CLUSTER=a=https://192.168.55.8:2380,${m3}=https://192.168.55.21:2380\n`,
  "etc/haproxy/haproxy.cfg": "server master3 192.168.55.21:8443 check\nserver x 192.168.55.22:8443\n",
  "etc/cron.d/with space": `* * * * * root ping -c 1 ${m4} # ${secret}\n`,
  "var/spool/cron/root": "1 1 * * * true\n",
  "etc/other": `${m3}\n`,
};

describe("a tree of places", () => {
  const host = new PlayedHost(["wc", "find"]);
  before(() => {
    for (const [path, text] of Object.entries(tree)) host.file(`root/${path}`, text);
    host.file("root/etc/sysconfig/docker", `${"x".repeat(100)}\n`.repeat(45_000) + `192.168.55.21\n`);
    host.file("root/etc/sysconfig/docker-odd\nname", "192.168.55.21\n");
    mkdirSync(host.at("root/etc/calico/folder"), { recursive: true });
    symlinkSync("nowhere", host.at("root/etc/calico/dangling"));
  });
  after(() => host.remove());

  for (const shell of shells)
    it(`by ${shell}: each place with its lines, no neighbour, no text`, async () => {
      const { code, stdout, stderr } = await host.run(sweepScript(looked, host.at("root")), shell);
      assert.deepEqual([code, stderr], [0, ""]);
      const { named, unread, cut } = hostSweep(stdout, [m3, m4]);
      assert.deepEqual(
        named.map(({ leaving, path, lines }) => `${leaving.slice(0, 8)} ${path}:${lines.join()}`),
        [
          "master-3 /etc/origin/master/master-config.yaml:3,5",
          "master-3 /etc/origin/node/node.kubeconfig:1",
          "master-3 /etc/etcd/etcd.conf:1",
          "master-3 /etc/hosts:2,3",
          "master-4 /etc/hosts:4",
          "master-3 /etc/haproxy/haproxy.cfg:1",
          "master-4 /etc/haproxy/haproxy.cfg:2",
          "master-4 /etc/cron.d/with space:1",
        ],
      );
      assert.deepEqual(unread, [
        "a file has a name that is no plain text",
        "/etc/sysconfig/docker is larger than 4 MiB",
      ]);
      assert.equal(cut, "");
      const all = printed(stdout);
      assert.doesNotMatch(all, new RegExp(secret));
    });

  it("a host without any of the places names nobody", async () => {
    const { stdout } = await host.run(sweepScript(looked, host.at("nothing")));
    assert.deepEqual(hostSweep(stdout, [m3, m4]), { named: [], unread: [], cut: "" });
  });
  it("a root that the shell would take apart is one word", async () => {
    host.file("it's $(a) root/etc/resolv.conf", "nameserver 192.168.55.21\n");
    const { stdout } = await host.run(sweepScript(looked, host.at("it's $(a) root")));
    assert.deepEqual(hostSweep(stdout, [m3, m4]).named, [{ leaving: m3, path: "/etc/resolv.conf", lines: [1] }]);
  });
});

describe("bounds", () => {
  it("more than 200 findings: the rest is not told, and that is said", async () => {
    const host = new PlayedHost(["wc", "find"]);
    try {
      for (const n of [1, 2, 3, 4]) host.file(`root/etc/cron.d/${n}`, "x 192.168.55.21\n".repeat(90));
      const { stdout } = await host.run(sweepScript(looked, host.at("root")));
      const { named, cut } = hostSweep(stdout, [m3, m4]);
      assert.equal(
        named.reduce((sum, { lines }) => sum + lines.length, 0),
        200,
      );
      assert.equal(cut, "more than 200 places");
    } finally {
      host.remove();
    }
  });
  it("a host that takes its time is left after 15 s, with what was found", async () => {
    const host = new PlayedHost(["wc", "find"]);
    try {
      host.clock();
      host.fake("grep", 'case $* in *laiE*) exit 124 ;; *-aniE*) sleep 6 ;; esac; exec /bin/grep "$@"');
      for (const n of [1, 2, 3, 4, 5]) host.file(`root/etc/cron.d/${n}`, "x 192.168.55.21\n");
      const { stdout } = await host.run(sweepScript(looked, host.at("root")));
      const { named, cut } = hostSweep(stdout, [m3, m4]);
      assert.deepEqual([named.length, cut], [2, "15 s were over"]);
    } finally {
      host.remove();
    }
  });
  it("a file that cannot be read is told as such", async () => {
    const host = new PlayedHost(["wc", "find"]);
    try {
      host.file("root/etc/hosts", "192.168.55.21\n");
      host.fake("grep", 'case $* in *aniE*) exit 2 ;; esac; exec /bin/grep "$@"');
      const { stdout } = await host.run(sweepScript(looked, host.at("root")));
      assert.deepEqual(hostSweep(stdout, [m3, m4]), { named: [], unread: ["/etc/hosts could not be read"], cut: "" });
    } finally {
      host.remove();
    }
  });
  for (const shell of shells) it(`${shell} takes it`, () => assert.equal(syntaxOf(sweepScript(looked), shell), ""));
});

describe("an answer that is not to be trusted", () => {
  const read = (text: string) => hostSweep(probed({ sweep: text }), [m3]);
  it("what is not of the form is left out", () => {
    const text = [
      "named 0 1, relative",
      "named 9 1, /etc/hosts",
      "named 0 1;2, /etc/hosts",
      "named 0 , /etc/hosts",
      `named 0 1, /${"x".repeat(500)}`,
      "unread because /etc/hosts",
      "hello",
      "named 0 7, /etc/a\x1b[2J",
      "end",
    ].join("\n");
    assert.deepEqual(read(text), { named: [{ leaving: m3, path: "/etc/a\\x1b[2J", lines: [7] }], unread: [], cut: "" });
  });
  it("no more than 200 lines are taken, however many it names", () => {
    const text = Array.from({ length: 900 }, (_, n) => `named 0 1,2, /etc/${n}\n`).join("");
    const { named, cut } = read(`${text}end\n`);
    assert.deepEqual([named.length, cut], [100, "more than 200 places"]);
  });
  for (const said of ["", "sweep 0 \n", "nonsense\n"])
    it(`an answer that ended early is told: ${JSON.stringify(said)}`, () =>
      assert.equal(hostSweep(said, [m3]).cut, "its answer ended early"));
});
