/** LoadBalancerPool: server lines out, lost ones back, and out and in again around a restart. */
import { type BalancerFacts, type Hosts, isReachable } from "../facts.ts";
import {
  type ConfigFile,
  type FileEntry,
  type Sketch,
  disableIn,
  dropFrom,
  restoreIn,
  serversIn,
  serversOfHostIn,
  sketchOf,
  templatesIn,
} from "../haproxy.ts";
import { addressPart } from "../haproxy-servers.ts";
import { type ServerStats, isServing } from "../haproxy-stats.ts";
import type { HostIdentity } from "../host.ts";
import { sh } from "../quote.ts";
import { Refusal, unlessRefused } from "../refusal.ts";
import { bracketed, canonicalAddress, isAddressOf, isIpLiteral } from "../same-host.ts";
import type { HaproxySettings } from "../settings.ts";
import { type Change, type Edit, type Server, type Step, type World, entries } from "../steps.ts";
import { type Planner, balancerOf, nobodyLeaves } from "./asked.ts";

/** Where a master's API listens. */
const apiPort = 8443;

/** Several processes have a socket and a state each: what one is told the others do not know. */
const hasProcesses = (facts: BalancerFacts): boolean =>
  facts.files.some(({ text }) => /^\s*nbproc\s+(?:[2-9]|\d{2,})/m.test(text));

/** Servers can be taken out at run time: the stats socket answers and is admin-level, and there is one process behind it. */
export const canSetState = (facts: BalancerFacts): boolean =>
  facts.stats !== undefined && facts.admin && !hasProcesses(facts);

/** What haproxy is told at run time; the 1.5-dev22 of RHEL 7.0 has no `set server … state`, and its maintenance lets open sessions end too. */
export function runtimeCommand(facts: BalancerFacts, one: Server, state: "drain" | "maint" | "ready"): string {
  const server = `${backendOf(one.section)}/${one.server}`;
  if (/^1\.(?:[0-4]\b|5-dev)/.test(facts.version))
    return `${state === "ready" ? "enable" : "disable"} server ${server}`;
  return `set server ${server} state ${state}`;
}

/** The files are checked as the unit would load them; those that are being replaced by their new text beside them. */
export const checkCommand = (facts: BalancerFacts, replaced: Readonly<Record<string, string>> = {}): string => {
  const files = facts.files.flatMap(({ path }) => ["-f", replaced[path] ?? path]);
  return sh`${[facts.program, "-c", ...facts.options, ...files]}`;
};

/** A host as this load balancer knows it: a name counts when all that it resolves to there is the host's own. */
export function identityThere(facts: BalancerFacts, name: string, hosts: Hosts): HostIdentity {
  const own = addressesThere(facts, hosts[name] ?? name);
  const names = entries(facts.aliases).flatMap(([alias, found]) =>
    found.length > 0 && found.every((one) => own.has(canonicalAddress(one))) ? [alias] : [],
  );
  return { name, addresses: [...new Set([hosts[name] ?? name, ...own, ...names])] };
}

const addressesThere = (facts: BalancerFacts, address: string): Set<string> =>
  new Set([address, ...(facts.aliases[address.toLowerCase()] ?? [])].map(canonicalAddress));

/** Names that do not resolve there: whether they are a leaving host nobody can tell, unless its line in that pool is known. */
function refuseUnknownNames(facts: BalancerFacts, change: Change): void {
  const all = { ...change.survivors, ...change.leaving };
  const names = Object.keys(all).map((name) => identityThere(facts, name, all));
  const unknown = serversIn(facts.files).filter((one) => {
    const address = addressPart(one.address);
    const isName = address !== "" && !isIpLiteral(address) && !address.includes("$");
    return isName && isApi(one) && (facts.aliases[address.toLowerCase()] ?? []).length === 0;
  });
  for (const one of unknown.filter(({ address }) => !names.some((host) => isAddressOf(host, addressPart(address)))))
    for (const [name] of entries(change.leaving)) {
      const known = serversOfHostIn(facts.files, identityThere(facts, name, change.leaving));
      if (known.some(({ section }) => section === one.section)) continue;
      throw new Refusal(
        `${one.file} line ${one.line} (${one.section}) goes to ${one.address}, which does not resolve there, so it cannot be told whether it is ${name}; ` +
          "mend the name, or write the address out",
      );
    }
}

/** A name that stands for a leaving host and for others: neither leaving nor dropping its line would be right. */
function refuseSharedNames(facts: BalancerFacts, change: Change): void {
  const lines = [...serversIn(facts.files), ...templatesIn(facts.files)];
  for (const [name, address] of entries(change.leaving)) {
    const own = addressesThere(facts, address);
    for (const { file, line, section, address: written } of lines) {
      const found = facts.aliases[addressPart(written).toLowerCase()] ?? [];
      const isOwn = (one: string) => own.has(canonicalAddress(one));
      if (!found.some(isOwn) || found.every(isOwn)) continue;
      throw new Refusal(
        `${file} line ${line} (${section}) goes to ${written}, which resolves there to ${found.join(" and ")}, ` +
          `${name} among them; write the addresses out, or take ${name} out of that name first`,
      );
    }
  }
}

/**
 * One load balancer: the server lines of the leaving masters go, lost ones of working masters come back; a reload that a killed run did not reach is
 * made up for.
 * @param sketch where the lines of the masters that stay stood when they were last seen
 */
export const planBalancer =
  (balancer: string, sketch: Sketch = {}): Planner =>
  (world, change): Step[] => {
    const settings = change.settings.loadBalancers[balancer];
    if (settings?.kind !== "haproxy") return [];
    const back = lost(world, change, balancer, sketch);
    if (nobodyLeaves(change) && back.length === 0 && !isUnloaded(world, balancer)) return [];
    const facts = balancerOf(world, change, balancer);
    const { files, dropped, peers } = there(balancer, () => withoutLeaving(facts, change));
    const after = back.reduce((now, name) => restored(now, facts, sketch, name, change), files);
    const edits = editsBetween(facts, after);
    if (edits.length === 0 && !isStale(facts)) return [];
    const waiting =
      peers.length === 0
        ? []
        : [
            `# wait for the open connections to ${peers.join(", ")}, ${settings.drain} s at most; what is left ends with the API`,
          ];
    return [
      {
        do: "balance",
        host: balancer,
        on: facts,
        edits,
        title: titleOf(settings, edits.length > 0, dropped.length > 0 ? Object.keys(change.leaving) : [], back),
        drain: canSetState(facts) ? dropped.map(serverOf) : [],
        peers,
        gone: dropped.map(serverOf),
        up: inService(after, facts, change),
        commands: [
          ...(canSetState(facts) ? [...dropped.map((one) => runtimeCommand(facts, one, "drain")), ...waiting] : []),
          checkCommand(facts),
          sh`systemctl ${facts.canReload && !settings.restart ? "reload" : "restart"} ${settings.service}`,
          ...(canSetState(facts) ? [] : waiting),
        ],
      },
    ];
  };

function titleOf(
  { service, restart }: HaproxySettings,
  edits: boolean,
  leaving: readonly string[],
  back: readonly string[],
): string {
  const load = `${restart ? "restart" : "reload"} ${service}`;
  if (!edits) return `${load}: it still runs without the last edit`;
  const out = leaving.length > 0 ? [`take ${leaving.join(", ")} out of the pools`] : [];
  const again = back.length > 0 ? [`put the lost lines of ${back.join(", ")} back where they were`] : [];
  return [...out, ...again, load, "prove the others UP"].join(", ");
}

/** A refusal names the host too. */
function there<T>(balancer: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${balancer}: ${error.message}`);
    throw error;
  }
}

function withoutLeaving(
  facts: BalancerFacts,
  change: Change,
): { files: readonly ConfigFile[]; dropped: Server[]; peers: string[] } {
  refuseSharedNames(facts, change);
  refuseUnknownNames(facts, change);
  let files: readonly ConfigFile[] = facts.files;
  const dropped: Server[] = [];
  const peers: string[] = [];
  for (const name of Object.keys(change.leaving)) {
    const identity = identityThere(facts, name, change.leaving);
    peers.push(...peersOf(serversOfHostIn(files, identity), identity));
    const one = dropFrom(files, identity);
    files = one.files;
    dropped.push(...one.dropped);
  }
  return { files, dropped, peers };
}

const editsBetween = (facts: BalancerFacts, files: readonly ConfigFile[]): Edit[] =>
  facts.files.flatMap((before, n) => {
    const after = files[n]?.text ?? before.text;
    return after === before.text ? [] : [{ before, after }];
  });

function isUnloaded(world: World, balancer: string): boolean {
  const facts = world.balancers[balancer];
  return isReachable(facts) && facts.unloaded;
}

/** Masters that stay and work, of which a pool has lost a line that can be put back. */
function lost(world: World, change: Change, balancer: string, sketch: Sketch): string[] {
  const facts = world.balancers[balancer];
  if (entries(sketch).length === 0 || !isReachable(facts) || facts.files.length === 0) return [];
  return Object.keys(change.survivors).filter((name) => {
    const master = world.masters[name];
    if (!isReachable(master) || !master.readiness.ready) return false;
    return restored(facts.files, facts, sketch, name, change) !== facts.files;
  });
}

/** The files with the master's lost lines; the very same files where there are none, or no place for them. */
function restored(
  files: readonly ConfigFile[],
  facts: BalancerFacts,
  sketch: Sketch,
  name: string,
  change: Change,
): readonly ConfigFile[] {
  try {
    const found = restoreIn(files, sketch, identityThere(facts, name, change.survivors));
    return found.restored.length === 0 ? files : found.files;
  } catch (error) {
    if (error instanceof Refusal) return files;
    throw error;
  }
}

/** What cannot be put back, with the reason; one line each. */
export function homeless(world: World, change: Change, balancer: string, sketch: Sketch): string[] {
  const facts = world.balancers[balancer];
  if (!isReachable(facts) || facts.files.length === 0) return [];
  return Object.keys(change.survivors).flatMap((name) => {
    const identity = identityThere(facts, name, change.survivors);
    try {
      restoreIn(facts.files, sketch, identity);
      return [];
    } catch (error) {
      // whoever rebuilt the file has put it into other sections
      const isElsewhere = unlessRefused(() => serversOfHostIn(facts.files, identity).length > 0) === true;
      return error instanceof Refusal && !isElsewhere ? [`${balancer}: ${error.message}`] : [];
    }
  });
}

/**
 * What is to be remembered of the file; of a file that is not understood, what was remembered before stays. The lines of a host that leaves are remembered until
 * nothing of it is left in the cluster: a drain that is blocked may put them back.
 */
export function rememberedLines(world: World, change: Change, balancer: string, before: Sketch): Sketch {
  const facts = world.balancers[balancer];
  if (!isReachable(facts) || facts.files.length === 0) return before;
  const survivors = { ...change.leaving, ...change.survivors };
  const names = Object.keys(survivors);
  const identities = names.map((name) => identityThere(facts, name, survivors));
  // as long as a line is lost, the place where it stood is not forgotten
  const whole = names.every(
    (name) => restored(facts.files, facts, before, name, { ...change, survivors }) === facts.files,
  );
  return whole ? (unlessRefused(() => sketchOf(facts.files, identities)) ?? before) : before;
}

const serverOf = ({ section, server }: Server): Server => ({ section, server });

/** `backend atomic-openshift-api` → `atomic-openshift-api`, as the statistics name it. */
export const backendOf = (section: string): string => section.split(/\s+/)[1] ?? section;

/** Is this row of the statistics about that server line? */
export const isRowOf = (row: ServerStats, line: Server): boolean =>
  row.backend === backendOf(line.section) && row.server === line.server;

/** `address:port` of server lines, by which their connections can be told; those of a host that only has a name there are left out. */
export const peersOf = (lines: readonly { readonly port: number | undefined }[], node: HostIdentity): string[] => {
  const addresses = node.addresses.filter(isIpLiteral);
  const ports = new Set(lines.map(({ port }) => port ?? apiPort));
  return addresses.flatMap((one) => [...ports].map((port) => `${bracketed(one)}:${port}`));
};

/** Its row says that it is in service. */
export const isUp = (rows: readonly ServerStats[], line: Server): boolean =>
  rows.some((row) => isRowOf(row, line) && isServing(row));

/** Lines by which requests reach the host's API; those of its other services are none of a restart's business. */
export const apiLines = (files: readonly ConfigFile[], node: HostIdentity): FileEntry[] =>
  serversOfHostIn(files, node).filter(isApi);
const isApi = ({ port }: FileEntry): boolean => port === undefined || port === apiPort;

/** Of those the ones that are, or were until we disabled them, in service as far as the files say; an administrator's `disabled` is not ours to touch. */
export const ownLines = (files: readonly ConfigFile[], node: HostIdentity): FileEntry[] =>
  apiLines(files, node).filter((one) => !one.disabled || one.marked);

/** API servers of the masters that stay and take traffic. */
const inService = (files: readonly ConfigFile[], facts: BalancerFacts, change: Change): Server[] =>
  Object.keys(change.survivors).flatMap((name) =>
    apiLines(files, identityThere(facts, name, change.survivors))
      .filter((one) => !one.disabled && !one.weightless)
      .map(serverOf),
  );

/** haproxy runs with a server that its files no longer have (templates do not say which ones there are), or was not told of our last edit. */
function isStale(facts: BalancerFacts): boolean {
  if (facts.unloaded) return true;
  if (facts.files.some(({ text }) => /^\s*server-template\s/m.test(text))) return false;
  const servers = serversIn(facts.files);
  const backends = new Set(servers.map((one) => backendOf(one.section)));
  const inFile = new Set(servers.map((one) => `${backendOf(one.section)}/${one.server}`));
  return (facts.stats ?? []).some((one) => backends.has(one.backend) && !inFile.has(`${one.backend}/${one.server}`));
}

/**
 * How a master goes out of service there while it restarts.
 * @throws Refusal when that cannot be done
 */
export function wayOut(world: World, balancer: string, name: string, change: Change): string {
  const facts = balancerOf(world, change, balancer);
  const node = identityThere(facts, name, change.survivors);
  if (!canSetState(facts)) {
    disabledEdits(balancer, facts, node, true);
    return "`disabled` on its server lines, reload";
  }
  return ownLines(facts.files, node)
    .map((one) => runtimeCommand(facts, one, "drain"))
    .join("; ");
}

/** At run time, whatever the files say. */
export const isMaintained = (rows: readonly ServerStats[], line: Server): boolean =>
  rows.some((row) => isRowOf(row, line) && /^(?:MAINT(?! \(resolution)|DRAIN)/.test(row.status));

/** By our mark in the files, or at run time, the host's servers are not in service. */
export function isOut(world: World, change: Change, balancer: string, name: string): boolean {
  const facts = balancerOf(world, change, balancer);
  const own = ownLines(facts.files, identityThere(facts, name, change.survivors));
  return own.some((one) => one.marked || (!one.weightless && isMaintained(facts.stats ?? [], one)));
}

/** The edits of the load balancer's files by which a server goes out or comes back. */
export const disabledEdits = (host: string, facts: BalancerFacts, node: HostIdentity, disabled: boolean): Edit[] =>
  there(host, () => editsBetween(facts, disableIn(facts.files, node, disabled, isApi).files));
