/** This process and this machine, as the owner of a lock and as the judge of one. */
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname, networkInterfaces, uptime, userInfo } from "node:os";
import type { Here, Machine, Origin, Owner } from "../plan/lock-owner.ts";
import { engineAddress } from "./engine.ts";
import { codeOf } from "./identity.ts";

/** systemd wants machine ids kept from others; what is compared needs no more than their hash. */
const hashed = (path: string): string | undefined => {
  const text = orUndefined(() => readFileSync(path, "utf8").trim()) ?? "";
  return text === "" ? undefined : createHash("sha256").update(`openshift-masters ${text}`).digest("hex").slice(0, 16);
};

function orUndefined<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** Undefined where there is no /proc that tells (no Linux). */
function thisMachine(): Machine | undefined {
  const machine = hashed("/etc/machine-id") ?? "0";
  const boot = hashed("/proc/sys/kernel/random/boot_id");
  const pidns = /\d+/.exec(orUndefined(() => readlinkSync("/proc/self/ns/pid")) ?? "")?.[0];
  return boot === undefined || pidns === undefined ? undefined : { machine, boot, pidns };
}

/** Clock ticks since the boot at which a process began; undefined = there is none of that number; empty = there is one that is hidden from us. */
export function startOf(pid: number): string | undefined {
  const [state, ...fields] = (orUndefined(() => readFileSync(`/proc/${pid}/stat`, "utf8")) ?? "")
    .replace(/^[^]*\) /, "")
    .split(" ");
  if (state === "Z" || state === "X") return undefined;
  return fields[18] ?? (isThere(pid) ? "" : undefined);
}

/** Asked of the kernel: /proc may hide others' processes (hidepid). */
function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

const oneWord = (text: string): string => text.replaceAll(/[^\w.@+-]/g, "_");

/** This process as the owner of a lock. */
export function thisOwner(run: string): Owner {
  const machine = thisMachine();
  const start = startOf(process.pid);
  const origin: Origin | undefined =
    machine === undefined || start === undefined ? undefined : { ...machine, start, engine: engineAddress() };
  const names = { user: oneWord(userName()), host: oneWord(hostname()) };
  return { run, ...names, pid: process.pid, since: new Date().toISOString(), origin };
}

/** A user id without an entry has no name. */
const userName = (): string => orUndefined(() => userInfo().username) ?? String(process.getuid?.() ?? "unknown");

/** This machine as a judge. */
export function here(): Here {
  const known = thisMachine() ?? { machine: "", boot: "", pidns: "" };
  const addresses = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  return { ...known, host: oneWord(hostname()), bootedAt: Date.now() - uptime() * 1000, addresses, startOf };
}
