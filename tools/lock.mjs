import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

// JavaScript, because run.mjs needs it before there is a Node that understands types; lock.d.mts tells its types.

/**
 * Runs `work` while no other process on this machine runs it under the same lock folder. Waits for the other one;
 * `waiting` is called once when there is something to wait for. A lock left behind by a killed process is taken over.
 */
export async function locked(folder, work, waiting = () => {}) {
  mkdirSync(dirname(folder), { recursive: true });
  for (let told = false; !take(folder); told = true) {
    if (!told) waiting();
    await pause(200);
  }
  try {
    return await work();
  } finally {
    // aside first: emptied in place, it could become another's lock in the middle of being deleted
    const aside = `${folder}.released.${process.pid}`;
    if (renamed(folder, aside)) rmSync(aside, { recursive: true, force: true });
  }
}

/** Prepared beside it and renamed into place, so that a lock is never seen without its owner. */
function take(folder) {
  const mine = `${folder}.${process.pid}`;
  rmSync(mine, { recursive: true, force: true });
  mkdirSync(mine);
  writeFileSync(`${mine}/owner`, identity(process.pid) ?? `${process.pid}`);
  // rename() replaces only an empty folder, and a lock holds its owner file
  if (renamed(mine, folder)) return true;
  rmSync(mine, { recursive: true, force: true });
  dropAbandoned(folder);
  return false;
}

function dropAbandoned(folder) {
  const owner = read(`${folder}/owner`);
  if (owner === undefined || isRunning(owner)) return;
  const aside = `${folder}.abandoned.${process.pid}`;
  if (!renamed(folder, aside)) return;
  // another waiter may have been quicker and what was moved aside be its new lock: give it back
  if (read(`${aside}/owner`) !== owner && renamed(aside, folder)) return;
  rmSync(aside, { recursive: true, force: true });
}

const isRunning = (owner) => identity(Number(owner.split(" ")[0])) === owner;

/** A process id is used again sooner or later; together with the start time (where /proc tells it) it is not. */
function identity(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== "EPERM") return undefined;
  }
  const stat = read(`/proc/${pid}/stat`);
  return stat === undefined ? `${pid}` : `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
}

function renamed(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST", "ENOENT", "EPERM"].includes(error.code)) return false;
    throw error;
  }
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
