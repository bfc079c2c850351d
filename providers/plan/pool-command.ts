/** Any load balancer but haproxy: what of the administrator's own commands is run, and what they are told. */
import { sh } from "./quote.ts";
import type { CommandSettings } from "./settings.ts";

/**
 * `set`, then `verify` if that succeeded, each in a shell of its own; ends with the status of the one that failed.
 * One command on purpose: a pool that was set and not verified is not done, and the next `up` runs both again.
 */
export const poolCommand = (name: string, { set, verify }: Pick<CommandSettings, "set" | "verify">): string =>
  [
    sh`/bin/sh -c ${set} || { status=$?; echo ${`${name}: set failed, verify was not run; exit status`} "$status" >&2; exit "$status"; }`,
    sh`/bin/sh -c ${verify} || { status=$?; echo ${`${name}: verify failed; exit status`} "$status" >&2; exit "$status"; }`,
  ].join("\n");

/**
 * What both commands find in their environment besides the administrator's own variables: the whole pool that is wanted, never a difference.
 * @param servers host name → `address:port` of its API
 */
export const poolEnvironment = (
  loadBalancer: string,
  servers: Readonly<Record<string, string>>,
): Record<string, string> => ({
  OPENSHIFT_MASTERS_LOAD_BALANCER: loadBalancer,
  OPENSHIFT_MASTERS_POOL: JSON.stringify({ loadBalancer, servers }),
});
