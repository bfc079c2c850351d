/** The stack's configuration → one ControlPlane. */
import * as pulumi from "@pulumi/pulumi";
import { ControlPlane } from "./components/control-plane.ts";
import { Refusal } from "./providers/plan/refusal.ts";
import { missingCommandPlugin } from "./providers/remote/command-plugin.ts";
import { type Settings, settingKeys, settingsFrom, unknownKeys } from "./providers/plan/settings.ts";

/** Ends the program with a sentence. Without a stack: the engine's runtime inspects it, which takes it many seconds and gigabytes. */
const refusal = (message: string): Error => Object.assign(new pulumi.RunError(message), { stack: "" });

function settings(): Settings {
  const config = new pulumi.Config();
  const unknown = unknownKeys(Object.keys(pulumi.runtime.allConfig()));
  if (unknown.length > 0)
    throw refusal(
      `there is no key ${unknown.map((key) => `openshift-masters:${key}`).join(", ")}; there are ${settingKeys.join(", ")}`,
    );
  try {
    return settingsFrom((key) => config.get(key));
  } catch (error) {
    if (error instanceof Refusal) throw refusal(error.message);
    throw error;
  }
}

const stack = settings();
const missing = missingCommandPlugin(stack, process.env);
if (missing?.hopeless === true)
  throw refusal(
    `${missing.told}. The engine may not fetch it by itself (PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION). Nothing was touched.`,
  );
if (missing !== undefined)
  void pulumi.log.warn(`${missing.told}. The engine tries to fetch it now; if it cannot, nothing is touched.`);
const controlPlane = new ControlPlane("control-plane", stack);

export const masters = Object.keys(stack.masters).sort();
export const { etcd, loadBalancers, backups, snapshot, endpoints, inventory, certificateAuthorities, retired, report } =
  controlPlane;
