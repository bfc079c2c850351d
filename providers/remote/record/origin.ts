/** Who runs this, from where, and which program it is. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import type { RunBegins } from "../../plan/record.ts";

export type Origin = Pick<RunBegins, "user" | "sudo" | "from" | "machine" | "pid" | "project" | "stack">;

/** As the process and its environment tell. */
export function originOf(env: Readonly<Record<string, string | undefined>> = process.env): Origin {
  const told = (key: string, name: string) => {
    const value = env[name]?.split(" ")[0] ?? "";
    return value === "" ? {} : { [key]: value.slice(0, 200) };
  };
  return {
    user: userInfo().username,
    ...told("sudo", "SUDO_USER"),
    ...told("from", "SSH_CONNECTION"),
    machine: hostname(),
    pid: process.pid,
    ...told("project", "PULUMI_NODEJS_PROJECT"),
    ...told("stack", "PULUMI_STACK"),
  };
}

const checkout = join(import.meta.dirname, "../../..");

/** The configuration is not the program: that a line of it was deleted is what the run is about. */
const program = [".", ":(exclude,glob)Pulumi.*.yaml"];

/** The git commit, `+changes` where the program's files are others; its version where it is in no work tree of its own, or git cannot tell. */
export async function programOf(folder: string = checkout): Promise<string> {
  const [top, commit] = (await git(folder, ["rev-parse", "--show-prefix", "HEAD"]))?.split("\n") ?? [];
  if (top !== "" || commit === undefined || commit === "") return versionOf(folder);
  const changed = await git(folder, ["status", "--porcelain", "--untracked-files=no", "--", ...program]);
  return `${commit}${changed === undefined ? ", perhaps with changes" : changed === "" ? "" : "+changes"}`;
}

function versionOf(folder: string): string {
  try {
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version?: unknown };
    return `version ${String(version)}`;
  } catch {
    return "unknown";
  }
}

/** Undefined when it fails. Reads only, and takes the checkout of another user too. */
function git(folder: string, args: readonly string[]): Promise<string | undefined> {
  const settings = ["-c", `safe.directory=${folder}`, "-c", "core.fsmonitor=false"];
  const env = { ...process.env, GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0", LC_ALL: "C" };
  return new Promise((resolve) => {
    execFile("git", ["-C", folder, ...settings, ...args], { env, timeout: 10_000 }, (error, stdout) =>
      resolve(error === null ? stdout.trimEnd() : undefined),
    );
  });
}
