import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { seconds } from "./say.ts";

/** A command that failed; the message names it, how it ended and its last lines; `output` has all of them. */
export class Failed extends Error {
  override readonly name = "Failed";
  readonly output: string;
  constructor(message: string, output = "") {
    super(message);
    this.output = output;
  }
}

export interface RunOptions {
  cwd?: string;
  /** Added to this process's own environment. */
  env?: Record<string, string>;
  /** A file all of the output is appended to; its folder is made. */
  log?: string;
  /** The command and all it started are killed after this time, and the run has failed. */
  timeoutSeconds?: number;
}

/** Runs a command to its end, with no stdin, and returns what it printed to stdout; throws `Failed` unless it exits 0. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const started = Date.now();
  if (options.log !== undefined) mkdirSync(dirname(options.log), { recursive: true });
  // a process group of its own is what lets a time limit, or our own end, reach the grandchildren
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let stdout = "";
  let output = "";
  const collect = (part: string) => {
    output += part;
    if (options.log !== undefined) appendFileSync(options.log, part);
  };
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    stdout += part;
    collect(part);
  });
  child.stderr.setEncoding("utf8").on("data", collect);

  const ending = await end(child, options.timeoutSeconds);
  if (ending === undefined) return stdout;
  const words = [command, ...args].join(" ");
  const where = options.log === undefined ? "" : `; all of its output is in ${options.log}`;
  const sentence = `${words} ${ending} (after ${seconds(Date.now() - started)}${where})`;
  throw new Failed([sentence, ...output.trimEnd().split("\n").slice(-15)].join("\n").trimEnd(), output);
}

/** How the command ended, undefined when all went well. */
async function end(child: ChildProcess, timeoutSeconds: number | undefined): Promise<string | undefined> {
  let tooLong = false;
  const timer =
    timeoutSeconds !== undefined &&
    setTimeout(() => {
      tooLong = true;
      killGroup(child);
    }, timeoutSeconds * 1000);
  const passOn = (signal: NodeJS.Signals) => {
    killGroup(child);
    release();
    process.kill(process.pid, signal);
  };
  const release = () => ["SIGINT", "SIGTERM", "SIGHUP"].forEach((signal) => process.removeListener(signal, passOn));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, passOn);
  try {
    return await new Promise((resolve) => {
      child.on("error", (error) => resolve(`cannot be started: ${error.message}`));
      child.on("close", (code, signal) => {
        if (tooLong) resolve("took too long and was stopped");
        else if (code !== 0) resolve(signal === null ? `failed with exit ${code ?? "?"}` : `was killed by ${signal}`);
        else resolve(undefined);
      });
    });
  } finally {
    if (timer) clearTimeout(timer);
    release();
  }
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // it has just ended by itself
  }
}
