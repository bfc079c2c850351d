/** One run at a time works on a cluster: a `flock` on every master that stays, held through an open channel and gone with it. */
import { hostname, userInfo } from "node:os";
import { escapeControls, sh } from "../plan/quote.ts";
import { Refusal } from "../plan/refusal.ts";
import type { Held, RemoteHost } from "./remote-host.ts";

export const lockPath = "/run/lock/openshift-masters.lock";

/** Seconds that an orphan of a killed run is given to end its last step. */
const patience = 40;

const script = (owner: string): string => sh`exec 9>>${lockPath} || exit 1
if flock -n 9; then printf '%s\n' ${owner} >${lockPath}; echo locked; cat >/dev/null; : >${lockPath}
else echo "held by $(head -c 300 ${lockPath} | tr '\n' ' ')"; fi`;

/**
 * Takes the lock on every host, or on none.
 * @throws Refusal that says who holds it, from where and since when
 */
export async function lockAll(hosts: readonly RemoteHost[], run: string): Promise<Held[]> {
  const owner = `run ${run} of ${userInfo().username}@${hostname()}, process ${process.pid}, since ${new Date().toISOString()}`;
  const held: Held[] = [];
  try {
    for (const host of hosts) held.push(await lockOne(host, owner));
    return held;
  } catch (error) {
    held.forEach((one) => one.release());
    throw error;
  }
}

async function lockOne(host: RemoteHost, owner: string): Promise<Held> {
  const end = Date.now() + patience * 1000;
  for (;;) {
    const answer = await host.hold(script(owner), { what: `taking the lock ${lockPath}`, deadline: 20 });
    if (answer.line === "locked") return answer;
    answer.release();
    if (Date.now() > end)
      throw new Refusal(
        `another run works on this cluster: the lock ${lockPath} on ${host.name} is ${escapeControls(answer.line)}; wait until it has ended`,
      );
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
