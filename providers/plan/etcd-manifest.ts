/** Pure: the endpoint of a host's etcd, as the manifest of its static pod names it (vendor's 5.2.1.2). */
import { parse } from "yaml";
import type { HostIdentity } from "./host.ts";
import { escapeControls } from "./quote.ts";
import { Refusal } from "./refusal.ts";
import { isAddressOf } from "./same-host.ts";

/**
 * What `--endpoints` of the liveness probe says, one URL each; none when there is no such probe.
 * @throws Refusal when the text is no YAML
 */
export function probeEndpoints(yaml: string): string[] {
  const command = probeCommand(yaml);
  return command.flatMap((word, at) => {
    const [, joined] = /^--endpoints=(.*)$/s.exec(word) ?? [];
    const said = joined ?? (word === "--endpoints" ? command[at + 1] : undefined) ?? "";
    return said
      .replace(/^["']|["']$/g, "")
      .split(",")
      .filter((url) => url !== "");
  });
}

/** The probe's words; a command of a shell in one word (`sh -c "etcdctl --endpoints …"`) is taken apart at blanks. */
function probeCommand(yaml: string): string[] {
  const containers = listOf(fieldOf(fieldOf(parsed(yaml), "spec"), "containers"));
  const etcd = containers.find((one) => fieldOf(one, "name") === "etcd") ?? containers[0];
  const command = listOf(fieldOf(fieldOf(fieldOf(etcd, "livenessProbe"), "exec"), "command"));
  return command.flatMap((word) => (typeof word === "string" ? word.split(/\s+/) : []));
}

function parsed(yaml: string): unknown {
  try {
    return parse(yaml, { logLevel: "error" }) as unknown;
  } catch (error) {
    throw new Refusal(`it is no YAML (${error instanceof Error ? (error.message.split("\n")[0] ?? "") : ""}); mend it`);
  }
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);

/**
 * The one endpoint of this very host. A loopback address is this host too, but not one that its certificate or anyone else knows: it
 * counts as none.
 * @returns undefined when the manifest names no endpoint
 * @throws Refusal when it is no YAML, or names other hosts only: a snapshot would be one of another member, or another cluster
 */
export function ownEndpoint(yaml: string, host: HostIdentity): string | undefined {
  const named = probeEndpoints(yaml).filter((url) => !isLoopback(url));
  const own = named.find((url) => isAddressOf(host, hostIn(url)));
  if (own !== undefined || named.length === 0) return own;
  throw new Refusal(
    `the liveness probe of etcd asks ${escapeControls(named.join(", "))}, which is not ${host.name} (${host.addresses.join(", ")}); put this host's own endpoint there, or correct its address in openshift-masters:masters`,
  );
}

/** The host of `https://ip:2379`, IPv6 without its brackets; empty for what is no such URL. */
function hostIn(url: string): string {
  const [, six, other] = /^https?:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):\d{1,5}\/?$/.exec(url) ?? [];
  return six ?? other ?? "";
}

const isLoopback = (url: string): boolean => /^(127(\.\d+){3}|localhost|::1)$/.test(hostIn(url));
