/**
 * `npm run bench`: a master's backup beside `ssh host tar … > file`, on the same trees, through a real sshd on this machine. The backup does more: it is hashed on both
 * sides, kept on the host as well, listed with a hash for every file, and synced to both disks. Prints MB/s, their ratio (at least 0.6 is wanted) and the memory.
 */
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { takeArchive } from "../providers/remote/backup.ts";
import { Connections } from "../providers/remote/ssh.ts";
import { startSshd } from "../tests/remote/sshd.ts";
import { main, say } from "../tools/say.ts";

const wanted = 0.6;
/** MiB above idle. */
const mostMemory = 60;

/** `MB` of random bytes in as many files, which no compression makes faster. */
function plant(folder: string, files: number, megabytes: number): string {
  for (let n = 0; n < files; n += 1) {
    const part = join(folder, String(Math.floor(n / 100)));
    mkdirSync(part, { recursive: true });
    const left = Math.floor((megabytes * 1e6) / files);
    for (let written = 0; written < left; written += 1 << 26)
      writeFileSync(join(part, `file-${n}`), randomBytes(Math.min(1 << 26, left - written)), { flag: "a" });
  }
  return folder;
}

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
};

await main(async () => {
  const root = mkdtempSync(join(process.env["TMPDIR"] ?? "/var/tmp", "openshift-masters-bench-"));
  const sshd = await startSshd();
  const connections = new Connections(sshd.settings());
  try {
    say("planting 200 MB in 20,000 files, and 2 GB in one");
    const trees: [string, string, number, number][] = [
      ["20,000 files, 200 MB", plant(join(root, "small"), 20_000, 200), 200, 1],
      ["one file of 2 GB", plant(join(root, "big"), 1, 2000), 2000, 1],
      ["three masters at once, 200 MB each", join(root, "small"), 600, 3],
    ];
    const plain = (tree: string, n: number, through = "cat", after = ":") =>
      new Promise((resolve) => {
        const words = `ssh -i ${sshd.clientKey} -p ${sshd.port} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR 127.0.0.1 'tar -C / -cf - ${tree.slice(1)}${through === "cat" ? "" : ` | ${through}`}' >${root}/plain-${n}; { ${after}; } 2>/dev/null`;
        spawn("sh", ["-c", words], { stdio: "inherit" }).on("close", resolve);
      });
    const ours = (tree: string, n: number, run: string) =>
      takeArchive(connections.host({ name: `master-${n}.example.com`, address: "127.0.0.1" }), {
        directory: join(root, "there"),
        archive: join(root, "here"),
        run,
        date: "20261124",
        keep: 1,
        say: () => undefined,
        kind: "master",
        content: { paths: [tree], noted: [], packages: true },
      });
    const each = (n: number, work: (at: number) => Promise<unknown>) =>
      Promise.all(Array.from({ length: n }, (_, at) => work(at)));
    let good = true;
    for (const [what, tree, size, masters] of trees) {
      // once each without a clock: both read a tree that the page cache knows
      await each(masters, (n) => plain(tree, n));
      const rounds = [];
      for (let round = 0; round < 3; round += 1) {
        // what one has written and not brought to disk must not be written on the other's time
        execFileSync("sync");
        const baseline = await seconds(() => each(masters, (n) => plain(tree, n)));
        rmSync(join(root, "there"), { recursive: true, force: true });
        for (let n = 0; n < masters; n += 1) rmSync(join(root, `plain-${n}`), { force: true });
        execFileSync("sync");
        const idle = process.memoryUsage.rss();
        let peak = idle;
        const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
        const backup = await seconds(() => each(masters, (n) => ours(tree, n, `12000${round}-00000${round}`)));
        clearInterval(watch);
        rounds.push({ baseline, backup, ratio: baseline / backup, memory: (peak - idle) / 2 ** 20 });
      }
      // what the backup does, with a shell's own means: a copy that stays there, both on disk, both hashed
      execFileSync("sync");
      const byHand = await seconds(() =>
        each(masters, (n) =>
          plain(
            tree,
            n,
            `tee ${root}/kept-${n}`,
            `sync ${root}/plain-${n} ${root}/kept-${n}; sha256sum ${root}/plain-${n} ${root}/kept-${n} >&2`,
          ),
        ),
      );
      for (let n = 0; n < masters; n += 1) rmSync(join(root, `kept-${n}`), { force: true });
      const median = rounds.toSorted((a, b) => a.ratio - b.ratio)[1] ?? { baseline: 0, backup: 1, ratio: 0, memory: 0 };
      const memory = Math.max(...rounds.map((one) => one.memory));
      const speed = (time: number) => `${(size / time).toFixed(0)} MB/s (${time.toFixed(1)} s)`;
      console.log(
        `${what}: ssh tar ${speed(median.baseline)}, backup ${speed(median.backup)}, ratio ${median.ratio.toFixed(2)} (median of 3); the same work by hand ${speed(byHand)}; memory +${memory.toFixed(0)} MiB`,
      );
      good &&= median.ratio >= wanted && (masters > 1 || memory <= mostMemory);
      rmSync(join(root, "there"), { recursive: true, force: true });
      rmSync(join(root, "here"), { recursive: true, force: true });
    }
    return good ? 0 : 1;
  } finally {
    await connections.close();
    await sshd.stop();
    rmSync(root, { recursive: true, force: true });
  }
});
