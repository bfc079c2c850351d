/** The only interpreter of steps: each becomes commands on hosts, and proves its own effect. */
import { resolve } from "node:path";
import { sh } from "../plan/quote.ts";
import type { Step } from "../plan/steps.ts";
import { handOver } from "./apply/authority.ts";
import { balance, putBack } from "./apply/balancer.ts";
import { awaitEndpoints, cordon, deleteNode } from "./apply/cluster.ts";
import { type Context, hostOf, permit, until } from "./apply/context.ts";
import { drain } from "./apply/drain.ts";
import { commitInventory, editInventory, editRemote, moveHostVars } from "./apply/edit.ts";
import { removeMember, setAsideData } from "./apply/etcd.ts";
import { moveLeader, stopLeader } from "./apply/leadership.ts";
import { disable, restartMaster } from "./apply/pods.ts";
import { report } from "./apply/report.ts";
import { etcdConfigContent, masterContent } from "../plan/backup-script.ts";
import { takeArchive } from "./backup.ts";
import type { Place } from "./record/record.ts";
import type { RehearsalOrder } from "./rehearsal.ts";
import { expandHome } from "./settings.ts";
import { takeSnapshot } from "./snapshot.ts";

/** What a step leaves to be remembered: the record of a backup or snapshot, or a report. */
export type Remembered = object | undefined;

/**
 * Does one step.
 * @param place where in the run it is: then it is written down in the record
 * @throws RemoteError or Error when it is not done and proved; Refusal when it may not be done
 */
export function apply(context: Context, step: Step, place?: Place): Promise<Remembered> {
  return context.session.step(async () => {
    await permit(context);
    const work = () => interpret(context, step);
    return place === undefined ? work() : context.session.record.step(place, step, work);
  }, step.host);
}

async function interpret(context: Context, step: Step): Promise<Remembered> {
  if (step.do === "backup") {
    const { mounted = [], leftOut = [] } = step;
    const content =
      step.what === "master" ? { ...masterContent, paths: [...masterContent.paths, ...mounted] } : etcdConfigContent;
    const order = { ...(await backupOrder(context)), kind: step.what, content, leftOut };
    return takeArchive(hostOf(context, step.host), order);
  }
  if (step.do === "snapshot") {
    const { endpoint, via, pod, revision, v2 } = step;
    return takeSnapshot(hostOf(context, step.host), {
      ...(await backupOrder(context)),
      endpoint,
      via,
      ...(pod === undefined ? {} : { pod }),
      rehearsal: rehearsalPlace(context),
      liveRevision: revision,
      v2,
    });
  }
  if (step.do === "report") return report(context, step);
  await act(context, step);
  return undefined;
}

type Act = Exclude<Step, { do: "backup" | "snapshot" | "report" }>;

function act(context: Context, step: Act): Promise<void> {
  switch (step.do) {
    case "edit":
      return editRemote(context, hostOf(context, step.host), step.edit);
    case "hand-over":
      return handOver(context, step);
    case "edit-inventory":
      return editInventory(context, step);
    case "commit-inventory":
      return commitInventory(step);
    case "move-host-vars":
      return moveHostVars(context, step);
    case "balance":
      return balance(context, step);
    case "put-back":
      return putBack(context, step.balancer, step.node);
    case "cordon":
      return cordon(context, step);
    case "drain":
      return drain(context, step);
    case "disable-manifest":
      return disable(context, step);
    case "move-leader":
      return moveLeader(context, step);
    case "stop-leader":
      return stopLeader(context, step);
    case "remove-member":
      return removeMember(context, step);
    case "set-aside-data":
      return setAsideData(context, step);
    case "restart-master":
      return restartMaster(context, step);
    case "restart-flannel":
      return restartFlannel(context, step.host);
    case "await-endpoints":
      return awaitEndpoints(context, step);
    case "stop-node-service":
      return stopService(context, step.host, step.unit);
    case "delete-node":
      return deleteNode(context, step);
  }
}

async function restartFlannel(context: Context, name: string): Promise<void> {
  const host = hostOf(context, name);
  await host.run("systemctl restart flanneld.service", { what: "restarting flanneld", deadline: 90 });
  await until(context, `${name}: flanneld active`, 30, async () => {
    const asked = { what: "asking for flanneld", deadline: 20, ok: "any" } as const;
    const { stdout } = await host.run("systemctl is-active flanneld.service", asked);
    return stdout.trim() === "active" ? { done: undefined } : { seen: stdout.trim() };
  });
}

/** Stopped and disabled, and read back: `systemctl` says success for units that start again at once. */
async function stopService(context: Context, name: string, unit: string): Promise<void> {
  const host = hostOf(context, name);
  const service = `${unit}.service`;
  await host.run(sh`systemctl disable --now ${service} 2>&1`, { what: `stopping ${unit}`, deadline: 120 });
  const asked = { what: `asking for ${unit}`, deadline: 20, ok: "any" } as const;
  const { stdout } = await host.run(sh`systemctl is-active ${service}; systemctl is-enabled ${service}`, asked);
  if (/^(active|activating|enabled)$/m.test(stdout))
    throw new Error(`${name}: ${unit} is still ${stdout.trim().replace("\n", " and ")}`);
}

function rehearsalPlace({ session, change }: Context): RehearsalOrder["on"] {
  const { rehearsal } = change.settings.backup;
  if (typeof rehearsal === "boolean") return rehearsal ? "this machine" : "nowhere";
  return session.host(rehearsal.host, rehearsal.address);
}

const backupOrder = async ({ session, change, say }: Context) => ({
  directory: change.settings.backup.directory,
  archive: resolve(expandHome(change.settings.backup.archive)),
  run: session.run,
  date: session.date,
  keep: change.settings.backup.keep,
  encryption: await session.encryption(),
  say,
});
