/** The stack's configuration for commands that run without the engine: `Pulumi.<stack>.yaml`, read and checked as the program reads it. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { Refusal } from "../providers/plan/refusal.ts";
import { readSettings, settingKeys, type Settings, unknownKeys, valueOf } from "../providers/plan/settings.ts";

export interface StackChoice {
  /** Name of the stack. */
  readonly stack?: string | undefined;
  /** Or its file. */
  readonly configFile?: string | undefined;
}

const example = "prod";

/**
 * The file: the one named, or the only one of the checkout besides the example's.
 * @throws Refusal when it is not clear which
 */
export function stackFile(folder: string, o: StackChoice): string {
  const file = o.configFile ?? (o.stack === undefined ? onlyOne(folder) : join(folder, `Pulumi.${o.stack}.yaml`));
  if (!existsSync(file))
    throw new Refusal(`there is no configuration ${file}; name the stack with --stack, or its file with --config-file`);
  return file;
}

function onlyOne(folder: string): string {
  const stacks = readdirSync(folder).flatMap((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? []);
  const others = stacks.filter((stack) => stack !== example);
  const [stack = example, ...more] = others;
  if (more.length > 0) throw new Refusal(`there are several stacks (${others.join(", ")}): name one with --stack`);
  return join(folder, `Pulumi.${stack}.yaml`);
}

/**
 * Reads and checks it. A passphrase of the key is a secret that only the engine can open: it is taken from the environment instead. So are
 * the values for the commands of a load balancer; nothing here runs those, and they are left out.
 * @throws Refusal with one line for each thing that is wrong
 */
export function settingsOf(file: string, environment: Readonly<Record<string, string | undefined>>): Settings {
  const { config = {} } = (parse(readFileSync(file, "utf8")) ?? {}) as { config?: Record<string, unknown> };
  const unknown = unknownKeys(Object.keys(config));
  if (unknown.length > 0) throw new Refusal(`${file}: there is no key openshift-masters:${unknown.join(", ")}`);
  const raw = Object.fromEntries(
    settingKeys.map((key) => {
      const value = config[`openshift-masters:${key}`];
      // where pulumi has written the file, a scalar is in quotes
      return [key, typeof value === "string" ? valueOf(value) : value];
    }),
  );
  const loadBalancers = withoutEnvironments(raw["loadBalancers"]);
  return readSettings({ ...raw, loadBalancers, ssh: withPassphrase(raw["ssh"], environment) });
}

export const passphraseVariable = "OPENSHIFT_MASTERS_SSH_PASSPHRASE";

function withPassphrase(ssh: unknown, environment: Readonly<Record<string, string | undefined>>): unknown {
  if (typeof ssh !== "object" || ssh === null || !("sshPassphrase" in ssh)) return ssh;
  const { sshPassphrase, ...rest } = ssh;
  const given = environment[passphraseVariable] ?? (typeof sshPassphrase === "string" ? sshPassphrase : undefined);
  if (given === undefined && !("agent" in rest && rest.agent === true))
    throw new Refusal(
      `ssh.sshPassphrase is a secret that only pulumi can open: put it into ${passphraseVariable}, or use the agent (ssh-add; agent: true)`,
    );
  return given === undefined ? rest : { ...rest, sshPassphrase: given };
}

function withoutEnvironments(loadBalancers: unknown): unknown {
  const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
  if (!isObject(loadBalancers) || Array.isArray(loadBalancers)) return loadBalancers;
  return Object.fromEntries(
    Object.entries(loadBalancers).map(([name, entry]: [string, unknown]) => {
      if (!isObject(entry) || !("kind" in entry) || entry.kind !== "command") return [name, entry];
      return [name, Object.fromEntries(Object.entries(entry).filter(([key]) => key !== "environment"))];
    }),
  );
}
