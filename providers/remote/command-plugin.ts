/** The engine's plugin for `@pulumi/command`: load balancers of `kind: command` need it, and nothing else does. */
import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { getVersion } from "@pulumi/command/utilities.js";
import type { Settings } from "../plan/settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface MissingPlugin {
  /** Who needs what, where it was looked for, and how to get it. */
  readonly told: string;
  /** The engine may not fetch it by itself. */
  readonly hopeless: boolean;
}

/** What is missing for the declared load balancers; undefined: nothing is. */
export function missingCommandPlugin(
  { loadBalancers }: Pick<Settings, "loadBalancers">,
  environment: Environment,
): MissingPlugin | undefined {
  const names = Object.keys(loadBalancers).filter((name) => loadBalancers[name]?.kind === "command");
  if (names.length === 0 || commandPlugin(environment) !== undefined) return undefined;
  const install = `npm run pulumi -- plugin install resource command ${getVersion()}`;
  const file = `pulumi-resource-command-v${getVersion()}-linux-${process.arch === "x64" ? "amd64" : process.arch}.tar.gz`;
  return {
    hopeless: isTrue(environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"]),
    told:
      `${names.map((name) => `openshift-masters:loadBalancers.${name}`).join(" and ")} (kind: command) needs pulumi's plugin "command" ${getVersion()}, ` +
      `which is neither in ${pluginFolder(environment)} nor on PATH. To get it: \`${install}\`; where there is no internet, bring ${file} ` +
      `(a release of pulumi/pulumi-command on GitHub) and \`${install} --file <that file>\``,
  };
}

/** The plugin's program, looked for where the engine looks (of its `GetPluginPath`: PATH, then exactly this version among its plugins). */
export function commandPlugin(environment: Environment): string | undefined {
  const path = isTrue(environment["PULUMI_IGNORE_AMBIENT_PLUGINS"]) ? "" : (environment["PATH"] ?? "");
  return [...path.split(delimiter).filter((folder) => folder !== ""), pluginFolder(environment)]
    .map((folder) => join(folder, "pulumi-resource-command"))
    .find(isProgram);
}

const pluginFolder = ({ PULUMI_HOME: home = "" }: Environment): string =>
  join(home === "" ? join(homedir(), ".pulumi") : home, "plugins", `resource-command-v${getVersion()}`);

/** As the engine reads such a variable. */
const isTrue = (text = ""): boolean => text === "1" || text.toLowerCase() === "true";

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
