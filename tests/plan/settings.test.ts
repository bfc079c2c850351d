import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Refusal } from "../../providers/plan/refusal.ts";
import { apiOf, readSettings, settingKeys } from "../../providers/plan/settings.ts";
import { configuration, mastersOf } from "./world.ts";

type Raw = Record<string, unknown>;
const base = (): Raw => configuration(mastersOf(4));
const withKey = (key: string, value: unknown): Raw => ({ ...base(), [key]: value });

/** The lines of the refusal, or none. */
function complaints(raw: Raw): string[] {
  try {
    readSettings(raw);
    return [];
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error));
    const [head, ...lines] = error.message.split("\n");
    assert.equal(head, "refusing the stack's configuration, nothing was touched:");
    return lines.map((line) => {
      assert.match(line, /^ {2}- openshift-masters:/);
      return line.slice("  - openshift-masters:".length);
    });
  }
}

const name = "master-0.example.com";
const master = (key: string, value: unknown): Raw => withKey("masters", { [key]: value });
const lb = (entry: unknown): Raw => withKey("loadBalancers", { "lb-0.example.com": entry });

const command = (more: Raw): Raw => lb({ kind: "command", set: "./set.sh", verify: "./verify.sh", ...more });
const environment = (variables: unknown): Raw => command({ environment: variables });

describe("one thing wrong: the key's path, what is expected, what was seen", () => {
  const cases: [what: string, raw: Raw, line: RegExp][] = [
    ["an unknown key of the stack", withKey("mastres", {}), /^mastres: there is no such key$/],
    ["an unknown key of ssh", withKey("ssh", { hostKeyCheck: false }), /^ssh\.hostKeyCheck: there is no such key$/],
    [
      "an unknown key of a master",
      master(name, { address: "10.0.0.1", port: 1 }),
      /^masters\.master-0\.example\.com\.port: there is no such key$/,
    ],
    [
      "an unknown key of a load balancer",
      lb({ address: "10.0.0.9", file: "/a" }),
      /^loadBalancers\.lb-0\.example\.com\.file: there is no such key$/,
    ],
    [
      "an unknown key of the bastion",
      withKey("ssh", { bastion: { host: "b", user: "u", key: "k" } }),
      /^ssh\.bastion\.key: there is no such key$/,
    ],
    ["no masters", withKey("masters", undefined), /^masters: .*expected record.*, got nothing$/],
    ["an empty list of masters", withKey("masters", {}), /^masters: expected at least one master, got \{\}$/],
    ["an array of masters", withKey("masters", [name]), /^masters: .*expected record.*got \["master-0/],
    ["no inventory", withKey("inventory", undefined), /^inventory: .*expected object.*got nothing$/],
    [
      "an upper-case host name",
      master("Master-0.example.com", { address: "10.0.0.1" }),
      /^masters\.Master-0\.example\.com: expected a host name as of RFC 1123, in lower case, got "Master-0\.example\.com"$/,
    ],
    [
      "a host name with an underscore",
      master("master_0", { address: "10.0.0.1" }),
      /^masters\.master_0: expected a host name/,
    ],
    [
      "a host name that begins with a dash",
      master("-rf", { address: "10.0.0.1" }),
      /^masters\.-rf: expected a host name/,
    ],
    ["a label of 64 letters", master("a".repeat(64), { address: "10.0.0.1" }), /: expected a host name/],
    ["an empty label", master("master..com", { address: "10.0.0.1" }), /: expected a host name/],
    [
      "a master that is only its address",
      master(name, "10.0.0.1"),
      /^masters\.master-0\.example\.com: .*expected object.*got "10\.0\.0\.1"$/,
    ],
    [
      "a master without its address",
      master(name, {}),
      /^masters\.master-0\.example\.com\.address: .*expected string.*got nothing$/,
    ],
    [
      "an address out of range",
      master(name, { address: "10.0.0.256" }),
      /^masters\.master-0\.example\.com\.address: expected an IP address or a host name, got "10\.0\.0\.256"$/,
    ],
    [
      "an address of three numbers",
      master(name, { address: "10.0.1" }),
      /address: expected an IP address or a host name, got "10\.0\.1"$/,
    ],
    ["an address with a port", master(name, { address: "10.0.0.1:22" }), /address: expected an IP address/],
    [
      "an address with an option in front",
      master(name, { address: "-oProxyCommand=x" }),
      /address: expected an IP address/,
    ],
    [
      "an address that ends a line",
      master(name, { address: "10.0.0.1\n" }),
      /address: expected an IP address or a host name, got "10\.0\.0\.1\\n"$/,
    ],
    ["a port of 0", withKey("ssh", { port: 0 }), /^ssh\.port: .*>=1, got 0$/],
    ["a port above 65535", withKey("ssh", { port: 65536 }), /^ssh\.port: .*<=65535, got 65536$/],
    ["a port in quotes", withKey("ssh", { port: "22" }), /^ssh\.port: .*expected number.*got "22"$/],
    ["become in quotes", withKey("ssh", { become: "yes" }), /^ssh\.become: .*expected boolean.*got "yes"$/],
    [
      "a user of two lines",
      withKey("ssh", { user: "root\nops" }),
      /^ssh\.user: expected one line of text, got "root\\nops"$/,
    ],
    [
      "a bastion without its user",
      withKey("ssh", { bastion: { host: "b" } }),
      /^ssh\.bastion\.user: .*expected string.*got nothing$/,
    ],
    [
      "a relative configuration file",
      lb({ address: "10.0.0.9", config: "haproxy.cfg" }),
      /^loadBalancers\.lb-0\.example\.com\.config: expected an absolute path, got "haproxy\.cfg"$/,
    ],
    [
      "a unit with a space",
      lb({ address: "10.0.0.9", service: "haproxy; reboot" }),
      /service: expected a systemd unit's name, without \.service, got "haproxy; reboot"$/,
    ],
    ["a unit with its ending", lb({ address: "10.0.0.9", service: "haproxy.service" }), /without \.service, got/],
    ["a unit that begins with a dash", lb({ address: "10.0.0.9", service: "-now" }), /without \.service, got/],
    [
      "a drain below 0",
      lb({ address: "10.0.0.9", drain: -1 }),
      /^loadBalancers\.lb-0\.example\.com\.drain: .*>=0, got -1$/,
    ],
    ["a drain of more than an hour", lb({ address: "10.0.0.9", drain: 3601 }), /\.drain: .*<=3600, got 3601$/],
    ["a drain of half a second", lb({ address: "10.0.0.9", drain: 0.5 }), /\.drain: .*expected int.*got 0\.5$/],
    ["a drain with its unit", lb({ address: "10.0.0.9", drain: "60s" }), /\.drain: .*expected number.*got "60s"$/],
    ["restart in quotes", lb({ address: "10.0.0.9", restart: "no" }), /\.restart: .*expected boolean.*got "no"$/],
    ...[
      "10.0.0.9",
      "10.0.0.9:",
      "10.0.0.9:0",
      "10.0.0.9:65536",
      "10.0.0.256:8443",
      "fd00::5:8443",
      "[fd00::5]",
      "[10.0.0.9]:8443",
      "[]:8443",
      ":8443",
      "https://api.example.com:8443",
      "api.example.com:8443/healthz",
      "API.example.com:8443",
      "api.example.com:8443\n",
      "-k:8443",
      "*:8443",
    ].map((api): [string, Raw, RegExp] => [
      `an API at ${JSON.stringify(api)}`,
      lb({ address: "10.0.0.9", api }),
      new RegExp(
        `^loadBalancers\\.lb-0\\.example\\.com\\.api: expected <address>:<port>, got ${JSON.stringify(api).replace(/[[\]\\.*/]/g, "\\$&")}$`,
      ),
    ]),
    ["an API that is a port", lb({ address: "10.0.0.9", api: 8443 }), /\.api: .*expected string.*got 8443$/],
    [
      "an unknown kind of load balancer",
      lb({ kind: "nginx", address: "10.0.0.9" }),
      /^loadBalancers\.lb-0\.example\.com\.kind: .*"haproxy".*got "nginx"$/,
    ],
    [
      "a command without verify",
      lb({ kind: "command", set: "./set.sh" }),
      /^loadBalancers\.lb-0\.example\.com\.verify: .*expected string.*got nothing$/,
    ],
    [
      "a load balancer's address",
      lb({ address: 10 }),
      /^loadBalancers\.lb-0\.example\.com\.address: .*expected string.*got 10$/,
    ],
    [
      "a relative folder for backups",
      withKey("backup", { directory: "backup" }),
      /^backup\.directory: expected an absolute path, got "backup"$/,
    ],
    ["a drain that lasts for ever", withKey("drain", { timeout: 0 }), /^drain\.timeout: .*>=10, got 0$/],
    ["a drain of more than a day", withKey("drain", { timeout: 86_401 }), /^drain\.timeout: .*<=86400, got 86401$/],
    ["a drain in minutes", withKey("drain", { timeout: "5m" }), /^drain\.timeout: .*expected number.*got "5m"$/],
    [
      "a drain that is blocked and something else",
      withKey("drain", { blocked: "back" }),
      /^drain\.blocked: .*expected one of "leave"\|"put-back".*got "back"$/,
    ],
    ["no node at once", withKey("flannel", { atOnce: 0 }), /^flannel\.atOnce: .*>=1, got 0$/],
    ["all nodes at once", withKey("flannel", { atOnce: 101 }), /^flannel\.atOnce: .*<=100, got 101$/],
    ["half a node at once", withKey("flannel", { atOnce: 2.5 }), /^flannel\.atOnce: .*expected int.*got 2\.5$/],
    ["an unknown key of flannel", withKey("flannel", { batch: 5 }), /^flannel\.batch: there is no such key$/],
    ["an unknown key of the drain", withKey("drain", { force: true }), /^drain\.force: there is no such key$/],
    ["none kept", withKey("backup", { keep: 0 }), /^backup\.keep: .*>=1, got 0$/],
    ["half a set kept", withKey("backup", { keep: 1.5 }), /^backup\.keep: .*int.*got 1\.5$/],
    [
      "a stamp that is no text",
      withKey("backup", { stamp: 20261123 }),
      /^backup\.stamp: .*expected string.*got 20261123$/,
    ],
    [
      "a rehearsal that is neither yes, no nor a host",
      withKey("backup", { rehearsal: "yes" }),
      /^backup\.rehearsal: expected true, false, or a host: \{ host, address \}, got "yes"$/,
    ],
    [
      "a rehearsal host without its address",
      withKey("backup", { rehearsal: { host: "etcd.example.com" } }),
      /^backup\.rehearsal\.address: .*expected string.*got nothing$/,
    ],
    [
      "a rehearsal host that is an option",
      withKey("backup", { rehearsal: { host: "-x", address: "10.0.0.5" } }),
      /^backup\.rehearsal\.host: expected a host name/,
    ],
    [
      "an unknown key of the rehearsal",
      withKey("backup", { rehearsal: { host: "e", address: "10.0.0.5", port: 2 } }),
      /^backup\.rehearsal\.port: there is no such key$/,
    ],
    [
      "a master's name at another address",
      withKey("backup", { rehearsal: { host: name, address: "10.0.0.5" } }),
      /^backup\.rehearsal\.address: master-0\.example\.com is declared with the address 192\.168\.55\.8 in openshift-masters:masters; name that one$/,
    ],
    [
      "a risk that does not exist",
      withKey("acknowledge", ["losing-quorum"]),
      /^acknowledge\.0: expected below-three-masters, even-members, host-gone:<name>.*, got "losing-quorum"$/,
    ],
    [
      "a risk without its host",
      withKey("acknowledge", ["even-members", "host-gone"]),
      /^acknowledge\.1: expected below-three-masters.*, got "host-gone"$/,
    ],
    [
      "risks that are no list",
      withKey("acknowledge", "even-members"),
      /^acknowledge: .*expected array.*got "even-members"$/,
    ],
    [
      "an unknown key of a command",
      command({ triggers: [] }),
      /^loadBalancers\.lb-0\.example\.com\.triggers: there is no/,
    ],
    ["a command of two lines", command({ set: "a\nb" }), /\.set: expected one line of text, got "a\\nb"$/],
    [
      "an environment variable with a dash",
      environment({ "F5-TOKEN": "x" }),
      /\.environment\.F5-TOKEN: expected the name of an environment variable.*, got "F5-TOKEN"$/,
    ],
    ["one that begins with a digit", environment({ "5F": "x" }), /\.environment\.5F: expected the name/],
    [
      "one of our own",
      environment({ OPENSHIFT_MASTERS_POOL: "{}" }),
      /\.environment\.OPENSHIFT_MASTERS_POOL: expected the name .*OPENSHIFT_MASTERS_… are taken, got/,
    ],
    [
      "a number in the environment",
      environment({ PORT: 443 }),
      /\.environment\.PORT: .*expected string, received number$/,
    ],
    ["a NUL in the environment", environment({ A: "x\0y" }), /\.environment\.A: expected text .* without NUL$/],
    [
      "no name of a public key file",
      withKey("backup", { encrypt: true }),
      /^backup\.encrypt: .*expected string.*got true$/,
    ],
    [
      "an inventory elsewhere without its address",
      withKey("inventory", { path: "/etc/ansible/hosts", host: "admin.example.com" }),
      /^inventory\.address: the inventory lies on another host, expected its address$/,
    ],
    [
      "a commit elsewhere",
      withKey("inventory", { path: "/h", host: "admin.example.com", address: "10.0.0.4", commit: true }),
      /^inventory\.commit: the inventory lies on another host, and git is asked on this machine only$/,
    ],
    [
      "an inventory elsewhere without its path",
      withKey("inventory", { host: "admin.example.com", address: "10.0.0.4" }),
      /^inventory\.path: the inventory lies on another host, expected its path$/,
    ],
    [
      "one address twice",
      withKey("masters", { a: { address: "10.0.0.1" }, b: { address: "10.0.0.1" } }),
      /^masters\.b: the address 10\.0\.0\.1 is already that of openshift-masters:masters\.a; every host needs its own$/,
    ],
    [
      "a master's address at a node",
      withKey("nodes", { n: { address: "192.168.55.8" } }),
      /^nodes\.n: the address 192\.168\.55\.8 is already that of openshift-masters:masters\.master-0\.example\.com;/,
    ],
    [
      "a master's address at a load balancer",
      lb({ address: "192.168.55.8" }),
      /^loadBalancers\.lb-0\.example\.com: the address 192\.168\.55\.8 is already that of openshift-masters:masters/,
    ],
    [
      "a master's name at a node",
      withKey("nodes", { [name]: { address: "10.0.0.77" } }),
      /^nodes\.master-0\.example\.com: the name is already that of openshift-masters:masters\.master-0\.example\.com;/,
    ],
  ];
  for (const [what, raw, line] of cases)
    it(what, () => {
      const lines = complaints(raw);
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.match(lines[0] ?? "", line);
    });

  it("one address in two spellings", () => {
    const lines = complaints(withKey("masters", { a: { address: "fd00::1" }, b: { address: "FD00:0::1" } }));
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(
      lines[0] ?? "",
      /^masters\.b: the address fd00:0:0:0:0:0:0:1 is already that of openshift-masters:masters\.a;/,
    );
  });
});

describe("the refusal", () => {
  it("names everything that is wrong at once, in the order of the keys", () => {
    const lines = complaints({
      masters: { Big: { address: "10.0.0.1" }, ok: { address: "?" } },
      inventory: { path: "" },
      backup: { keep: 0 },
      acknowledge: ["x"],
      extra: 1,
    });
    assert.deepEqual(lines.map((line) => line.split(": ")[0]).toSorted(), [
      "acknowledge.0",
      "backup.keep",
      "extra",
      "inventory.path",
      "masters.Big",
      "masters.ok.address",
    ]);
  });

  it("never shows a passphrase", () => {
    const lines = complaints(withKey("ssh", { sshPassphrase: ["hunter2"] }));
    assert.match(lines.join("\n"), /^ssh\.sshPassphrase: .*expected string/);
    assert.doesNotMatch(lines.join("\n"), /hunter2/);
  });

  it("never shows a value of an environment, wherever it is wrong", () => {
    const right = { kind: "command", set: "s", verify: "v", environment: { F5_TOKEN: "hunter2" } };
    const raws = {
      "no text": environment({ F5_TOKEN: ["hunter2"] }),
      NUL: environment({ F5_TOKEN: "hunter2\0" }),
      "a list of assignments": environment(["F5_TOKEN=hunter2"]),
      "one text": environment("F5_TOKEN=hunter2"),
      "no kind": lb({ ...right, kind: undefined }),
      "another kind": lb({ ...right, kind: "f5" }),
      "a list for an entry": lb([right]),
      "a list of entries": withKey("loadBalancers", [right]),
      "a wrong name of the entry": withKey("loadBalancers", { F5: right }),
    };
    for (const [what, raw] of Object.entries(raws)) {
      const lines = complaints(raw);
      assert.notEqual(lines.length, 0, what);
      assert.doesNotMatch(lines.join("\n"), /hunter/, what);
    }
    assert.doesNotMatch(complaints(withKey("ssh", [{ sshPassphrase: "hunter2" }])).join("\n"), /hunter/);
  });

  it("cuts a long value", () => {
    const [line = ""] = complaints(withKey("acknowledge", ["x".repeat(1000)]));
    assert.ok(line.length < 300, line);
    assert.match(line, /…$/);
  });
});

describe("what is right", () => {
  it("the smallest configuration gets the defaults", () => {
    assert.deepEqual(readSettings({ masters: { m: { address: "10.0.0.1" } }, inventory: { path: "./hosts" } }), {
      ssh: { user: "root", become: false, knownHosts: "~/.ssh/known_hosts", port: 22 },
      masters: { m: { address: "10.0.0.1" } },
      loadBalancers: {},
      nodes: {},
      inventory: { path: "./hosts", moveHostVars: false, commit: false },
      backup: { directory: "/backup", archive: "./backups", keep: 7, stamp: "", rehearsal: true },
      drain: { timeout: 300, blocked: "leave" },
      etcd: { purge: false },
      flannel: { atOnce: 10 },
      lab: false,
      acknowledge: [],
    });
  });

  it("each of the drain's settings has its default of its own", () => {
    assert.deepEqual(readSettings(withKey("drain", { timeout: 60 })).drain, { timeout: 60, blocked: "leave" });
    assert.deepEqual(readSettings(withKey("drain", { blocked: "put-back" })).drain, {
      timeout: 300,
      blocked: "put-back",
    });
  });
  it("a key that is undefined is a key that is absent", () =>
    assert.deepEqual(
      readSettings({ ...base(), ssh: undefined, backup: undefined, acknowledge: undefined }),
      readSettings(base()),
    ));

  it("a load balancer without kind is haproxy", () =>
    assert.deepEqual(readSettings(lb({ address: "lb.example.com" })).loadBalancers["lb-0.example.com"], {
      kind: "haproxy",
      address: "lb.example.com",
      config: "/etc/haproxy/haproxy.cfg",
      service: "haproxy",
      drain: 60,
      restart: false,
    }));

  it("a load balancer of kind: command, with and without an environment", () => {
    const given = { kind: "command", set: "./f5.sh set", verify: "./f5.sh verify" };
    assert.deepEqual(readSettings(lb(given)).loadBalancers["lb-0.example.com"], { ...given, environment: {} });
    const variables = { F5_TOKEN: "a\nb", _x9: "" };
    assert.deepEqual(readSettings(environment(variables)).loadBalancers["lb-0.example.com"], {
      ...given,
      set: "./set.sh",
      verify: "./verify.sh",
      environment: variables,
    });
  });

  describe("apiOf: where the API answers through a haproxy", () => {
    const of = (entry: object): string => {
      const found = readSettings(lb(entry)).loadBalancers["lb-0.example.com"];
      return found?.kind === "haproxy" ? apiOf(found) : assert.fail();
    };
    for (const [address, api] of [
      ["192.168.55.5", "192.168.55.5:8443"],
      ["fd00::5", "[fd00::5]:8443"],
      ["lb.example.com", "lb.example.com:8443"],
    ] as const)
      it(`at its own address ${address}`, () => assert.equal(of({ address }), api));
    for (const api of ["10.0.0.9:443", "[fd00::5]:443", "api.example.com:65535", "api:1"])
      it(`where it is set: ${api}`, () => assert.equal(of({ address: "10.0.0.9", api }), api));
  });
  it("a drain of nothing, and of an hour", () => {
    for (const drain of [0, 3600]) assert.deepEqual(complaints(lb({ address: "10.0.0.9", drain })), []);
  });

  it("every key that was given is kept", () => {
    const given = {
      ssh: {
        user: "ops",
        become: true,
        privateKeyPath: "~/k",
        agent: true,
        sshPassphrase: "p",
        knownHosts: "./kh",
        port: 2222,
        bastion: { host: "b.example.com", user: "ops", port: 22 },
      },
      masters: { "master-0": { address: "fd00::1" }, "master-1": { address: "m1.example.com" } },
      loadBalancers: {
        lb: {
          kind: "haproxy",
          address: "10.0.0.9",
          config: "/a b",
          service: "rh-haproxy18@x.y",
          drain: 0,
          restart: true,
          api: "[fd00::5]:443",
        },
      },
      nodes: { n: { address: "10.0.0.3" } },
      inventory: { path: "/etc/ansible/hosts", host: "admin", address: "10.0.0.4", moveHostVars: true, commit: false },
      backup: {
        directory: "/b",
        archive: "./a",
        keep: 1,
        stamp: "2026-11-23",
        rehearsal: { host: "etcd.example.com", address: "10.0.0.5" },
      },
      drain: { timeout: 1800, blocked: "put-back" },
      etcd: { purge: true },
      flannel: { atOnce: 100 },
      lab: true,
      acknowledge: [
        "below-three-masters",
        "even-members",
        "host-gone:master-3.example.com",
        "evict-bare-pods:m",
        "local-data:m",
      ],
    };
    assert.deepEqual(readSettings(given), given);
  });

  it("settingKeys are the keys of the interface", () =>
    assert.deepEqual(
      [...settingKeys],
      [
        "ssh",
        "masters",
        "loadBalancers",
        "nodes",
        "inventory",
        "backup",
        "drain",
        "etcd",
        "flannel",
        "acknowledge",
        "lab",
      ],
    ));
});

it("no value makes it throw anything but a Refusal", () =>
  fc.assert(
    fc.property(fc.constantFrom(...settingKeys), fc.jsonValue(), (key, value) => {
      complaints(withKey(key, value));
    }),
  ));
it("every IPv4 address is taken, and none with a number above 255", () =>
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 256, max: 999 }), (address, much) => {
      assert.deepEqual(complaints(master(name, { address })), []);
      assert.equal(complaints(master(name, { address: address.replace(/\d+$/, String(much)) })).length, 1);
    }),
  ));
