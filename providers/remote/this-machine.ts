/** The machine that runs pulumi, asked as a host is: the same scripts, the same errors, in a process group that ends when it must. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { RemoteError } from "./errors.ts";
import { commandSent, linkless, tampered } from "./fault.ts";
import { recorded } from "./record/open-step.ts";
import type { RemoteHost, Result, RunOptions } from "./remote-host.ts";

/** Milliseconds a script has to clean up after TERM. */
const grace = 10_000;

/** What a script needs from whatever runs it. */
export type ScriptRunner = Pick<RemoteHost, "name" | "run">;

export const thisMachine: ScriptRunner = {
  name: "this machine",
  run: (script, o) => recorded({ ...o, host: "this machine", script }, () => runHere(script, o)),
};

/** @throws RemoteError as `RemoteHost.run` does */
async function runHere(asked: string, wanted: RunOptions): Promise<Result> {
  const [script, o] = tampered(thisMachine.name, asked, wanted);
  const started = performance.now();
  // Of the environment only what says where programs and room are: no ETCD_*, no proxy, no secret.
  const { PATH = "/usr/sbin:/usr/bin:/sbin:/bin", TMPDIR } = process.env;
  const env = { PATH, LC_ALL: "C", ...(TMPDIR === undefined ? {} : { TMPDIR }) };
  const child = spawn("/bin/sh", ["-c", script], { env, detached: true, cwd: "/" });
  commandSent(thisMachine.name, o.what, linkless);
  const { code, stdout, stderr, cut } = await watch(child, o);
  const took = performance.now() - started;
  const fail = (outcome: "failed" | "unknown", seen: string, cause?: unknown) =>
    new RemoteError({ host: thisMachine.name, what: o.what, outcome, seen, exit: code, output: stderr, took, cause });
  if (cut !== undefined) throw fail("unknown", `${cut.message}, so it was ended`, cut);
  if (code === null) throw fail("unknown", "it was killed");
  if (o.ok !== "any" && !(o.ok ?? [0]).includes(code)) throw fail("failed", `exit ${code}`);
  return { code, stdout, stderr, took };
}

interface Watched {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Why it was ended by us. */
  cut: Error | undefined;
}

function watch(child: ChildProcessWithoutNullStreams, o: RunOptions): Promise<Watched> {
  const output: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  let [size, cut]: [number, Error | undefined] = [0, undefined];
  let killer: NodeJS.Timeout | undefined;
  const end = (why: Error) => {
    if (cut !== undefined) return;
    cut = why;
    signal(child, "SIGTERM");
    killer = setTimeout(() => signal(child, "SIGKILL"), grace);
  };
  const timer = setTimeout(() => end(new Error(`not finished within ${o.deadline} s`)), o.deadline * 1000);
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > (o.limit ?? 4 * 1024 * 1024)) end(new Error("too much output"));
      else output[name].push(chunk);
    });
  feed(child, o.stdin, end);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      clearTimeout(killer);
      const [stdout, stderr] = [output.stdout, output.stderr].map((chunks) => Buffer.concat(chunks).toString("utf8"));
      resolve({ code, stdout: stdout ?? "", stderr: stderr ?? "", cut });
    });
  });
}

/** A script that has read enough says so by its exit code, not by the pipe that breaks. */
function feed(child: ChildProcessWithoutNullStreams, stdin: RunOptions["stdin"], end: (why: Error) => void): void {
  child.stdin.on("error", () => undefined);
  if (typeof stdin !== "function") {
    child.stdin.end(stdin);
    return;
  }
  const source = stdin();
  source.once("error", (error: Error) =>
    end(new Error(`what was to be sent to it could not be read (${error.message})`)),
  );
  child.once("close", () => source.destroy());
  source.pipe(child.stdin);
}

/** Its whole process group: what it started too. */
function signal({ pid }: ChildProcessWithoutNullStreams, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // it has ended meanwhile
  }
}
