/** The only interpreter of steps: each becomes commands on hosts, and proves its own effect. */
import { sh } from "../plan/quote.ts";
import type { Step } from "../plan/steps.ts";
import { balance, putBack } from "./apply/balancer.ts";
import { awaitEndpoints, cordon, deleteNode, drain } from "./apply/cluster.ts";
import { type Context, hostOf, until } from "./apply/context.ts";
import { editLocal, editRemote } from "./apply/edit.ts";
import { moveLeader, removeMember } from "./apply/etcd.ts";
import { disable, restartMaster } from "./apply/pods.ts";
import { backupEtcdConfig, backupMaster } from "./backup.ts";
import { takeSnapshot } from "./snapshot.ts";

/** What a step leaves to be remembered: the record of a backup or snapshot. */
export type Remembered = object | undefined;

/**
 * Does one step.
 * @throws RemoteError or Error when it is not done and proved; Refusal when it may not be done
 */
export async function apply(context: Context, step: Step): Promise<Remembered> {
  await context.session.permit(context.change.survivors);
  try {
    return await interpret(context, step);
  } finally {
    context.session.forget();
  }
}

async function interpret(context: Context, step: Step): Promise<Remembered> {
  const host = () => hostOf(context, step.host);
  switch (step.do) {
    case "backup":
      return (step.what === "master" ? backupMaster : backupEtcdConfig)(host(), backupOrder(context));
    case "snapshot":
      return takeSnapshot(host(), {
        ...backupOrder(context),
        endpoint: step.endpoint,
        via: step.via,
        liveRevision: step.revision,
        v2: step.v2,
      });
    case "edit":
      return void (await editRemote(context, host(), step.edit));
    case "edit-inventory":
      return void (step.local ? editLocal(context, step.edit) : await editRemote(context, host(), step.edit));
    case "balance":
      return void (await balance(context, step));
    case "put-back":
      return void (await putBack(context, step.balancer, step.node));
    case "cordon":
      return void (await cordon(context, step));
    case "drain":
      return void (await drain(context, step));
    case "disable-manifest":
      return void (await disable(context, step));
    case "move-leader":
      return void (await moveLeader(context, step));
    case "remove-member":
      return void (await removeMember(context, step));
    case "restart-master":
      return void (await restartMaster(context, step));
    case "restart-flannel":
      await host().run("systemctl restart flanneld.service", { what: "restarting flanneld", deadline: 90 });
      return void (await until(context, `${step.host}: flanneld active`, 30, async () => {
        const { stdout } = await host().run("systemctl is-active flanneld.service", {
          what: "asking for flanneld",
          deadline: 20,
          ok: "any",
        });
        return stdout.trim() === "active" ? { done: true } : { seen: stdout.trim() };
      }));
    case "await-endpoints":
      return void (await awaitEndpoints(context, step));
    case "stop-node-service":
      return void (await host().run(sh`systemctl disable --now ${`${step.unit}.service`} 2>&1`, {
        what: `stopping ${step.unit}`,
        deadline: 120,
      }));
    case "delete-node":
      return void (await deleteNode(context, step));
  }
}

const backupOrder = ({ session, change, say }: Context) => ({
  directory: change.settings.backup.directory,
  archive: change.settings.backup.archive,
  run: session.run,
  date: session.date,
  say,
});
