/**
 * A host that is played for our shell scripts: the real sh with the real small tools, and what this machine has not, or must not be asked, as fakes on a private PATH.
 * haproxy's main process is a folder: the fake systemctl prints a MainPID by which `/proc/$main` leads there. The lab's tests ask real hosts.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

/** Where a tool is, without what a version manager puts in front of it; undefined when it is not there. */
export const real = (name: string): string | undefined =>
  ["/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin"].map((at) => join(at, name)).find((path) => existsSync(path));

const tools =
  "sh base64 cut tr tail head sort grep awk sed stat readlink date timeout cat ls hostname sleep env rm mv".split(" ");

/** The shells that are sh somewhere: dash, and bash under the name of sh as RHEL has it. */
export const shells = ["dash", "bash"].filter((name) => real(name) !== undefined);

export interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class PlayedHost {
  readonly folder = mkdtempSync(join(tmpdir(), "played-host-"));
  readonly #bin = join(this.folder, "bin");

  /** @param more real tools besides the small ones: `bash`, `python3`, `socat` */
  constructor(more: readonly string[] = []) {
    mkdirSync(this.#bin);
    for (const name of [...tools, ...more]) {
      const path = real(name);
      if (path !== undefined) symlinkSync(path, join(this.#bin, name));
    }
  }

  at(...path: string[]): string {
    return join(this.folder, ...path);
  }
  /** Writes a file, and the folders above it. */
  file(path: string, text: string): string {
    const whole = path.startsWith("/") ? path : this.at(path);
    mkdirSync(dirname(whole), { recursive: true });
    // never through the link to a real tool
    rmSync(whole, { force: true });
    writeFileSync(whole, text);
    return whole;
  }
  read(path: string): string {
    return existsSync(this.at(path)) ? readFileSync(this.at(path), "utf8") : "";
  }
  /** A program of the private PATH, or at a path below the folder. `$HERE` is the folder. */
  fake(name: string, script: string): string {
    const path = this.file(name.includes("/") ? name : join("bin", name), `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** What a fake systemctl shows of the unit, `ActiveState` and the like; what it is told to do runs `does`, and is written to `told`. */
  unit(shows: Readonly<Record<string, string>>, does = ":"): void {
    this.file(
      "unit",
      Object.entries(shows)
        .map((pair) => `${pair.join("=")}\n`)
        .join(""),
    );
    this.fake(
      "systemctl",
      `if [ "$1" != show ]; then echo "$*" >>"$HERE/told"; ${does}; exit; fi
while [ $# -gt 0 ]; do [ "$1" != -p ] || { shift; grep "^$1=" "$HERE/unit"; }; shift; done`,
    );
  }

  /** Time is played: it goes on when somebody sleeps, by whole seconds. `every` runs with each second that goes by, `$now` seconds after the begin. */
  clock(every = ":"): void {
    this.file("clock", "0");
    this.fake("date", 'echo $((1700000000 + $(cat "$HERE/clock")))');
    this.fake("sleep", `now=$(($(cat "$HERE/clock") + $1)); echo $now >"$HERE/clock"; ${every}`);
  }
  /** haproxy's stats socket as a fake socat: orders are written to `orders`; `show stat` gives the file `stat`; `answers` are further branches of the case. */
  socket(rows: string, answers = ""): void {
    this.file("stat", rows);
    this.fake(
      "socat",
      `read -r order; echo "$order" >>"$HERE/orders"; echo "$*" >>"$HERE/socat"
case $order in ${answers}
  "show stat") cat "$HERE/stat" ;;
  *) echo ;; esac`,
    );
  }

  /** The unit's main process, as /proc would show it; gives what systemctl has to print as MainPID. */
  process(
    argv: readonly string[],
    o: { exe?: string; cwd?: string; environ?: Readonly<Record<string, string>> } = {},
  ): string {
    const at = this.at("proc");
    rmSync(at, { recursive: true, force: true });
    this.file("proc/cmdline", argv.map((word) => `${word}\0`).join(""));
    this.file(
      "proc/environ",
      Object.entries(o.environ ?? {})
        .map(([key, value]) => `${key}=${value}\0`)
        .join(""),
    );
    symlinkSync(o.exe ?? argv[0] ?? "", join(at, "exe"));
    symlinkSync(o.cwd ?? "/", join(at, "cwd"));
    return relative("/proc", at);
  }

  /** Runs a script as the transport does: by sh, with LC_ALL=C, reading nothing. */
  run(script: string, shell = "dash"): Promise<Answer> {
    const child = spawn(real(shell) ?? shell, ["-c", script], {
      argv0: "sh",
      env: { PATH: this.#bin, LC_ALL: "C", HERE: this.folder },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 60_000,
    });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (text: string) => (said[name] += text));
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, ...said }));
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether a shell takes a script at all. */
export const syntaxOf = (script: string, shell: string): string =>
  spawnSync(real(shell) ?? shell, ["-n", "-c", script], { encoding: "utf8", argv0: "sh" }).stderr;
