import { spawnSync } from "node:child_process";
import { existsSync, statfsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

export { Failed, run, type RunOptions } from "./command.ts";

/** Something this machine has not got; the message is one sentence: what is missing, what to do. */
export class Missing extends Error {
  override readonly name = "Missing";
}

/** The oldest Go the committed modules build with (their go.mod says so too). */
export const GO = "1.26";

export interface Needs {
  /** Must run as root. */
  root?: boolean;
  linux?: boolean;
  /** The oldest Go that will do, e.g. `"1.26"`. */
  go?: string;
  /** Free space in GiB, on the disk of `path`. */
  diskGiB?: number;
  /** The folder to be written to, existing or not; default: the cache folder. */
  path?: string;
}

/** What is asked of the machine, replaceable in tests. */
export interface Machine {
  platform: string;
  uid: number;
  /** As `go version` tells it, e.g. `1.26.8`; undefined without Go. */
  goVersion: () => string | undefined;
  freeGiB: (path: string) => number;
}

/** Throws `Missing` for the first thing that is not there. */
export function needs(wanted: Needs, machine: Machine = thisMachine): void {
  if (wanted.linux && machine.platform !== "linux")
    throw new Missing(
      `This needs Linux and this is ${machine.platform}: run it on a Linux machine (Debian 12 was tried).`,
    );
  if (wanted.root && machine.uid !== 0)
    throw new Missing(
      `This must run as root and runs as user id ${machine.uid}: run it again from a root shell or with sudo.`,
    );
  if (wanted.go !== undefined) needsGo(wanted.go, machine.goVersion());
  if (wanted.diskGiB !== undefined) needsDisk(wanted.diskGiB, wanted.path ?? cacheFolder(), machine);
}

/** Whether what must be built from Go modules can be built here. */
export function hasGo(machine: Machine = thisMachine): boolean {
  const found = machine.goVersion();
  return found !== undefined && isAtLeast(found, GO);
}

function needsGo(wanted: string, found: string | undefined): void {
  if (found === undefined)
    throw new Missing(
      `Go is not installed: install Go ${wanted} or newer, so that \`go version\` answers, and run this again.`,
    );
  if (!isAtLeast(found, wanted))
    throw new Missing(`Go ${found} is too old: install Go ${wanted} or newer and run this again.`);
}

function needsDisk(wanted: number, path: string, machine: Machine): void {
  const free = machine.freeGiB(path);
  if (free < wanted)
    throw new Missing(
      `The disk of ${path} has ${free.toFixed(1)} GiB free and ${wanted} GiB are needed: free some space, ` +
        "or point XDG_CACHE_HOME at a roomier disk, and run this again.",
    );
}

const thisMachine: Machine = {
  platform: process.platform,
  uid: process.getuid?.() ?? -1,
  goVersion: () => {
    const go = spawnSync("go", ["version"], { encoding: "utf8" });
    return go.error ? undefined : /^go version go(\S+)/.exec(go.stdout)?.[1];
  },
  freeGiB: (path) => {
    let existing = path;
    while (!existsSync(existing)) existing = dirname(existing);
    const { bavail, bsize } = statfsSync(existing);
    return (bavail * bsize) / 2 ** 30;
  },
};

/** Where what was downloaded or built is kept, outside the checkout; its folders carry the version in their names. */
export function cacheFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "openshift-masters");
}

/** Compares dotted versions number by number: `1.26.8` is at least `1.26`, `1.9` is not. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [found, least] = [version, wanted].map((text) =>
    text.split(/[.+-]/).map((part) => Number.parseInt(part, 10) || 0),
  );
  for (const [place, part] of (least ?? []).entries()) {
    const difference = (found?.[place] ?? 0) - part;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
