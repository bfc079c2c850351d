/**
 * `npm run bench:flannel [hosts]`: the endpoints of flannel on 200 hosts, as root on Linux. Real: FlannelNetwork's check and update with their looks before and after, one SSH
 * connection to an address of its own for each host, the file replaced, every script. Played: one sshd has all the addresses, each session sees an /etc of its host
 * (a mount namespace), and systemctl is a script whose restart takes 0.2 to 1.0 s. Wanted: at most 1.5 times what the chains need if nothing is ever idle.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { flannelNetwork } from "../providers/flannel-network.ts";
import { lifecycle } from "../providers/lifecycle.ts";
import { readSettings } from "../providers/plan/settings.ts";
import { Session } from "../providers/remote/session.ts";
import { startSshd } from "../tests/remote/sshd.ts";
import { main, say } from "../tools/say.ts";

const wanted = 1.5;
const count = Number(process.argv[2] ?? 200);
const atOnce = 10;
const root = mkdtempSync(join(tmpdir(), "openshift-masters-flannel-"));

const masters = Object.fromEntries([1, 2, 3, 4].map((n) => [`master-${n}.example.com`, `127.1.0.${n}`]));
const { "master-4.example.com": leaving = "", ...survivors } = masters;
const nodes = Object.fromEntries(
  Array.from({ length: count }, (_, n) => [`node-${n}.example.com`, `127.2.${n >> 7}.${1 + (n & 127)}`]),
);
const endpoints = (hosts: object) =>
  Object.values(hosts)
    .map((address) => `https://${String(address)}:2379`)
    .join(",");
const confOf = (hosts: object) =>
  `FLANNEL_ETCD_ENDPOINTS="${endpoints(hosts)}"\nFLANNEL_ETCD_PREFIX="/openshift.com/network"\n`;
const confAt = (address: string) => join(root, address, "etc/sysconfig/flanneld");

/** An /etc for each host, with how long its flanneld takes to restart. */
function plant(address: string, at: number): void {
  mkdirSync(join(root, address, "etc/sysconfig"), { recursive: true });
  mkdirSync(join(root, address, "lock"));
  for (const name of ["passwd", "group", "nsswitch.conf", "ld.so.cache", "localtime"])
    if (existsSync(join("/etc", name))) copyFileSync(join("/etc", name), join(root, address, "etc", name));
  writeFileSync(confAt(address), confOf(masters));
  // spread evenly over 0.2 … 1.0 s, in no order
  writeFileSync(join(root, address, "etc/restart-takes"), (0.2 + 0.8 * ((at * 0.618) % 1)).toFixed(2));
  writeFileSync(join(root, address, "etc/started"), String(Math.ceil(Date.now() / 1000) + 1));
}

function tools(): string {
  mkdirSync(join(root, "bin"));
  const script = (path: string, text: string) => {
    writeFileSync(path, `#!/bin/sh\n${text}`, { mode: 0o755 });
    return path;
  };
  script(
    join(root, "bin/systemctl"),
    `case "$*" in
restart*) sleep "$(cat /etc/restart-takes)"; date +%s >/etc/started ;;
is-active*) echo active ;;
*ActiveEnterTimestamp*) echo "ActiveEnterTimestamp=$(date -d "@$(cat /etc/started)")" ;;
show*) printf 'LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\n' ;;
esac
`,
  );
  return script(
    join(root, "enter"),
    `set -- $SSH_CONNECTION
export PATH="${root}/bin:$PATH"
exec nsenter --target "$(cat "${root}/$3/pid")" --mount sh -c "$SSH_ORIGINAL_COMMAND"
`,
  );
}

/** Keeps the mount namespace of a host, in which its /etc is /etc. */
function host(address: string): ChildProcess {
  const inside =
    'mount --bind "$0/etc" /etc && mount --bind "$0/lock" /run/lock && echo $$ >"$0/pid" && exec sleep 3600';
  return spawn("unshare", ["--mount", "sh", "-c", inside, join(root, address)], { stdio: "inherit" });
}

await main(async () => {
  const addresses = [...Object.values(masters), ...Object.values(nodes)];
  addresses.forEach(plant);
  const hosts = addresses.map(host);
  while (!addresses.every((address) => existsSync(join(root, address, "pid")))) await setTimeout(100);
  const sshd = await startSshd(["ListenAddress 0.0.0.0", "MaxStartups 500", "UseDNS no", `ForceCommand ${tools()}`]);
  const known = addresses.map((address) => `[${address}]:${sshd.port} ${sshd.hostKey("ed25519")}`);
  writeFileSync(join(root, "hosts"), "[masters]\n");
  const declared = (hosts: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(hosts).map(([name, address]) => [name, { address }]));
  const session = new Session(
    readSettings({
      ssh: { ...sshd.settings(), knownHosts: sshd.knownHosts(...known) },
      masters: declared(survivors),
      nodes: declared(nodes),
      inventory: { path: join(root, "hosts") },
      backup: { archive: join(root, "backups") },
      flannel: { atOnce },
    }),
  );
  const chains = new Map<string, { from: number; to: number }>();
  const step = session.step.bind(session);
  session.step = async (work, host) => {
    const from = chains.get(host)?.from ?? performance.now();
    const done = await step(work, host);
    chains.set(host, { from, to: performance.now() });
    return done;
  };
  try {
    const provider = lifecycle(flannelNetwork, () => session);
    const olds = { masters, nodes };
    const quiet = console.log;
    // the plan of 200 hosts fills a screen or two hundred
    console.log = (line: string) => (/\d hosts|left behind|proved;/.test(line) ? quiet(line) : undefined);
    const shown = performance.now();
    const found = await provider.check?.(olds, { masters: survivors, nodes });
    const began = performance.now();
    const result = await provider.update?.("flannel", olds, found?.inputs as object);
    const ended = performance.now();
    console.log = quiet;
    const outs = result?.outs as { pending: string[] };
    const undone = addresses.filter(
      (one) => one !== leaving && readFileSync(confAt(one), "utf8") !== confOf(survivors),
    );
    const some = Object.keys(nodes).flatMap((name) => chains.get(name) ?? []);
    const took = some.map(({ from, to }) => (to - from) / 1000);
    const sum = took.reduce((all, one) => all + one, 0);
    const slowest = Math.max(...took);
    const wall = (Math.max(...some.map(({ to }) => to)) - Math.min(...some.map(({ from }) => from))) / 1000;
    const ideal = Math.max(slowest, sum / atOnce);
    const s = (seconds: number) => `${seconds.toFixed(1)} s`;
    console.log(
      `${count} nodes, ${atOnce} at once: ${s(wall)}; slowest chain ${s(slowest)}, all chains ${s(sum)}, that by ${atOnce} ${s(sum / atOnce)}; ratio ${(wall / ideal).toFixed(2)} (at most ${wanted})`,
    );
    console.log(
      `with the masters and the proof ${s((ended - began) / 1000)}; preview, which connects to all, ${s((began - shown) / 1000)}; ${session.connections.stats.connections} connections, ${session.connections.stats.commands} commands`,
    );
    if (undone.length > 0 || outs.pending.length > 0) say(`undone: ${[...undone, ...outs.pending].join(", ")}`);
    return undone.length === 0 && outs.pending.length === 0 && wall <= wanted * ideal ? 0 : 1;
  } finally {
    await session.close();
    await sshd.stop();
    for (const one of hosts) one.kill();
    rmSync(root, { recursive: true, force: true });
  }
});
