/** The lock looked at on the masters, and cleared where its owner is proved to be gone. */
import type { Here, Verdict } from "../plan/lock-owner.ts";
import { judge, type LockLook, readLook } from "../plan/lock-look.ts";
import { clearLock, lookAtLock } from "../plan/lock-script.ts";
import type { RemoteHost } from "./remote-host.ts";

/** @throws RemoteError; Error when the host answers something else */
export async function lookAt(host: RemoteHost): Promise<LockLook> {
  return readLook((await host.run(lookAtLock, { what: "looking at the lock", deadline: 30, limit: 1 << 20 })).stdout);
}

/** What became of a lock that was to be cleared. */
export type Cleared =
  | { readonly did: "free" }
  | { readonly did: "cleared"; readonly proof: string }
  | { readonly did: "kept"; readonly why: string };

/**
 * Ends the holder of a host's lock if its owner is proved to be gone, on two looks: whoever only tries for the lock is there on one. Right before, the host
 * checks that the line and the processes are still those that were judged.
 * @throws RemoteError
 */
export async function clearOn(host: RemoteHost, here: () => Here): Promise<Cleared> {
  const first = await lookAt(host);
  if (first.state === "free") return { did: "free" };
  const verdict = judge(first, here());
  if (!verdict.gone) return { did: "kept", why: verdict.why };
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const again = await lookAt(host);
  if (again.state === "free") return { did: "free" };
  return endHolders(host, first, again, judge(again, here()));
}

type HeldLook = Extract<LockLook, { state: "held" }>;

async function endHolders(host: RemoteHost, first: HeldLook, again: HeldLook, verdict: Verdict): Promise<Cleared> {
  const holders = again.holders.filter(({ pid, start }) =>
    first.holders.some((one) => one.pid === pid && one.start === start),
  );
  if (first.line !== again.line || holders.length === 0)
    return { did: "kept", why: "another run has taken it meanwhile: look once more" };
  if (!verdict.gone) return { did: "kept", why: verdict.why };
  const { stdout } = await host.run(clearLock(again.line, holders), { what: "clearing the lock", deadline: 40 });
  switch (stdout.trim()) {
    case "free":
      return { did: "free" };
    case "cleared":
      return { did: "cleared", proof: verdict.proof };
    case "stuck":
      return {
        did: "kept",
        why: `process ${holders[0]?.pid ?? 0} on the master does not end, not by KILL either: see what it waits for`,
      };
    default:
      return { did: "kept", why: "another run has taken it meanwhile: nothing was ended; look once more" };
  }
}
