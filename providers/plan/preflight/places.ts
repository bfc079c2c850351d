/** Load balancers, other nodes, room for the backups, and every edit tried beforehand. */
import { type BalancerFacts, isReachable } from "../facts.ts";
import { type FileEntry, bindsFor } from "../haproxy.ts";
import { portOf } from "../haproxy-probe.ts";
import type { HostIdentity } from "../host.ts";
import { observedMembers, viewOfSurvivors } from "../members.ts";
import { apiLines, clusterPlanners, endpointOf, identityThere, isMaintained, isRowOf } from "../plans.ts";
import { nobodyLeaves } from "../plans/asked.ts";
import { escapeControls } from "../quote.ts";
import { apiOf } from "../settings.ts";
import { type Change, entries } from "../steps.ts";
import { decide } from "../topology.ts";
import { type Judgement, type Check, names, orNothing, refusalOf } from "./judgement.ts";

export const balancers: Check = (world, change) => {
  const found = entries(world.balancers).map(([name, facts]) =>
    isReachable(facts)
      ? balancer(name, facts, change)
      : { refusals: [`the load balancer ${name} cannot be reached: ${facts.unreachable}`], passing: [], notes: [] },
  );
  return {
    refusals: found.flatMap((one) => one.refusals),
    passing: found.flatMap((one) => one.passing),
    notes: [...found.flatMap((one) => one.notes), ...notTakenOut(change)],
  };
};

/** MasterConfig takes a master that restarts out of every haproxy; others it cannot ask for that. */
const notTakenOut = (change: Change): string[] =>
  nobodyLeaves(change)
    ? []
    : entries(change.settings.loadBalancers)
        .filter(([, entry]) => entry.kind === "command")
        .map(
          ([name]) =>
            `${name}: its own health check must notice when a staying master's API restarts (openshift-masters cannot take a server out of it for that time)`,
        );

export function balancer(name: string, facts: BalancerFacts, change: Change): Judgement {
  const settings = change.settings.loadBalancers[name];
  if (settings?.kind !== "haproxy") return { refusals: [], passing: [], notes: [] };
  const { config, service } = settings;
  const refusal = (why: string): Judgement => ({ refusals: [`${name}: ${why}`], passing: [], notes: [] });
  if (!facts.active) return refusal("the service is not running; start it first");
  if (!/(?:^|\/)haproxy$/.test(facts.program))
    return refusal(
      `the unit ${service} runs ${escapeControls(facts.program)}, not haproxy itself: name the right unit, or declare it as \`kind: command\``,
    );
  if (facts.files.length === 0)
    return refusal(
      `${config} cannot be read (${facts.filesSeen}): correct the path in openshift-masters:loadBalancers`,
    );
  const identities = names(change.survivors).map((host) => identityThere(facts, host, change.survivors));
  const own = identities.flatMap((host) => orNothing(() => apiLines(facts.files, host)) ?? []);
  const down = (facts.stats ?? []).filter((row) => /^DOWN/.test(row.status) && own.some((one) => isRowOf(row, one)));
  const api = apiOf(settings);
  return {
    refusals: facts.valid
      ? []
      : [
          `${name}: haproxy does not accept its own configuration ${facts.files.map(({ path }) => path).join(", ")} as it is now: ${facts.validSeen}; repair it first`,
        ],
    passing: [
      ...down.map(
        (row) =>
          `${name}: the server ${row.backend}/${row.server} of a master that stays is ${row.status}; repair it first`,
      ),
      ...(facts.listening && facts.through.ready
        ? []
        : [
            `${name}: the API does not answer through it at ${api} (${facts.listening ? `${facts.through.asked}: ${facts.through.seen}` : "nothing listens on that port"}${boundElsewhere(facts, identities, api)}): repair it first, or name where it does in openshift-masters:loadBalancers.${name}.api`,
          ]),
    ],
    notes: [...forgotten(name, facts, own), ...seams(name, facts)],
  };
}

/** Where haproxy takes the requests to the masters, as the files say, if that is elsewhere. */
function boundElsewhere({ files }: BalancerFacts, hosts: readonly HostIdentity[], api: string): string {
  const binds = (orNothing(() => bindsFor(files, hosts)) ?? []).filter(({ port }) => port !== undefined);
  if (binds.length === 0 || binds.some(({ port }) => String(port) === portOf(api))) return "";
  return `; it binds ${binds.map(({ address, port, file, line }) => `${escapeControls(address)}:${port ?? ""} in ${file} line ${line}`).join(", ")}`;
}

/** A reload forgets what haproxy was told at run time; what the files disable stays out. */
const forgotten = (name: string, { stats = [] }: BalancerFacts, own: readonly FileEntry[]): string[] =>
  own
    .filter((one) => !one.disabled && isMaintained(stats, one))
    .map(
      (one) =>
        `${name}: ${one.server} of ${one.section} was taken out of service at run time; a reload puts it back: mark it \`disabled\` in ${one.file} if it is to stay out`,
    );

/** What cannot be promised there. */
function seams(name: string, facts: BalancerFacts): string[] {
  // measured with 2.6; that older workers do it without `expose-fd listeners` could not be shown
  const says = (line: RegExp) => facts.files.some(({ text }) => line.test(text));
  const works = facts.workers || says(/^\s*master-worker\b/m);
  const byWorkers = works && /^(?:2\.(?:[6-9]|\d\d)|[3-9]|\d\d)\b/.test(facts.version);
  const handsOver = byWorkers || says(/^\s*stats\s+socket\s.*\bexpose-fd\s+listeners\b/m);
  return [
    ...(facts.stats === undefined
      ? [
          `${name}: haproxy's statistics cannot be read (no stats socket that answers), so UP is proved by the API through it alone`,
        ]
      : []),
    ...(/^1\.[0-7]\b/.test(facts.version)
      ? [`${name}: haproxy ${facts.version} cannot reload without dropping connections; some requests may fail`]
      : handsOver
        ? []
        : [
            `${name}: a reload may drop connections, since no stats socket has \`expose-fd listeners\`, and haproxy ${facts.version} ${works ? "is older than 2.6, from which on workers are known to hand the sockets over" : "runs without workers (-W, -Ws)"}`,
          ]),
  ];
}

export const nodes: Check = (world) => ({
  notes: entries(world.nodes).flatMap(([name, facts]) =>
    isReachable(facts)
      ? []
      : [
          `the node ${name} cannot be reached (${facts.unreachable}): its flannel endpoints stay as they are until the next \`pulumi up\``,
        ],
  ),
});

const mib = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;

/** Twice the need, on every master and here, where the copies of all of them go. */
export const room: Check = (world, change) => {
  const { archive, directory } = change.settings.backup;
  const needs = names({ ...change.survivors, ...change.leaving }).flatMap((name) => {
    const facts = world.masters[name];
    if (!isReachable(facts)) return [];
    const data = facts.etcd?.status?.dbSize ?? 0;
    return [{ name, free: facts.freeForBackup, need: 2 * facts.backupNeed + 2 * data, files: facts.backupNeed, data }];
  });
  const here = 2 * (needs.reduce((sum, one) => sum + one.files, 0) + Math.max(0, ...needs.map((one) => one.data)));
  const { freeForArchive, keyFlaw } = world.local;
  return {
    refusals: [
      ...needs.flatMap(({ name, free, need }) =>
        free !== undefined && free < need
          ? [
              `${name}: ${mib(free)} are free for backups below ${directory} and ${mib(need)} are needed: make room first`,
            ]
          : [],
      ),
      ...(freeForArchive !== undefined && freeForArchive < here
        ? [
            `this machine: ${mib(freeForArchive)} are free for backups below ${archive} and ${mib(here)} are needed: make room first, or name another backup.archive`,
          ]
        : []),
      ...(keyFlaw === undefined ? [] : [keyFlaw]),
    ],
  };
};

/** Each member that a snapshot may be asked of: its manifest must not lead to another host. */
export const endpoints: Check = (world, change) => ({
  refusals: names(change.survivors).flatMap((name) => refusalOf(() => endpointOf(name, world, change))),
});

/** Every edit is tried now, on what the hosts hold: what cannot be edited is refused before anything is touched. */
export const editable: Check = (world, change) => {
  const view = viewOfSurvivors(world, change);
  const observed = view === undefined ? undefined : orNothing(() => observedMembers(world, change, view.etcd));
  const { acknowledge } = change.settings;
  const told =
    observed && decide({ members: observed, leaving: names(change.leaving), acknowledge }).reasons.join("; ");
  // what could not be asked, and what the quorum says, is told above
  return {
    refusals: clusterPlanners(change)
      .flatMap((plan) => refusalOf(() => plan(world, change)))
      .filter((reason) => reason !== told),
  };
};
