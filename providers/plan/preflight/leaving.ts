/** The hosts that leave: reachable, drainable, and no sole holder of a certificate authority. */
import { type Hosts, isReachable } from "../facts.ts";
import { memberOf, viewOfSurvivors } from "../members.ts";
import { isEvictable } from "../plans.ts";
import { type Change, type World, isGone } from "../steps.ts";
import { type Check, names, orTrue } from "./judgement.ts";

export const leavingHosts: Check = (world, change, before) => ({
  refusals: names(change.leaving).flatMap((name) => {
    const facts = world.masters[name];
    if (
      facts !== undefined &&
      !isReachable(facts) &&
      !isGone(name, world, change) &&
      isNeeded(name, world, change, before)
    )
      return [
        `${name} leaves and cannot be reached (${facts.unreachable}): bring it back, or acknowledge \`host-gone:${name}\`; then its own steps and its backup are skipped and everything else is done`,
      ];
    const pods = (isReachable(world.cluster) ? (world.cluster.pods[name] ?? []) : []).filter(isEvictable);
    const bare = pods.filter((pod) => pod.owner === "");
    const local = pods.filter((pod) => pod.localData);
    const told = (some: typeof pods) => some.map((pod) => `${pod.namespace}/${pod.name}`).join(", ");
    const missing = (risk: string) => !change.settings.acknowledge.includes(`${risk}:${name}`);
    return [
      ...(bare.length > 0 && missing("evict-bare-pods")
        ? [
            `${name} runs pods that nothing will start again elsewhere (${told(bare)}): move them, or acknowledge \`evict-bare-pods:${name}\``,
          ]
        : []),
      ...(local.length > 0 && missing("local-data")
        ? [
            `${name} runs pods with local data that a drain deletes (${told(local)}): save it, or acknowledge \`local-data:${name}\``,
          ]
        : []),
    ];
  }),
});

/** A host that was retired earlier need not answer any more, once neither etcd nor the cluster knows it. */
function isNeeded(name: string, world: World, change: Change, before: Hosts | undefined): boolean {
  const members = viewOfSurvivors(world, change)?.etcd.members ?? [];
  const isMember = orTrue(() => memberOf(name, change.leaving, members) !== undefined);
  const isNode = !isReachable(world.cluster) || world.cluster.nodes.some((node) => node.name === name);
  return isMember || isNode || name in (before ?? {});
}

/** The files of the two certificate authorities: OpenShift's serial, and etcd's CA in either of its places. */
const authorities = {
  "OpenShift's CA (ca.serial.txt)": /\/ca\.serial\.txt$/,
  "etcd's CA (/etc/etcd/ca)": /\/etcd\/ca\/serial$/,
};

/** What a leaving host holds must be on a master that stays, at least as new: serials are hex and the highest wins. */
export const authority: Check = (world, change) => {
  // a leaver's serial that cannot be read is newer than any other, a survivor's older
  const serials = (host: string, file: RegExp, unreadable: bigint): bigint[] => {
    const facts = world.masters[host];
    const found = isReachable(facts) ? facts.authority.filter((one) => file.test(one.path)) : [];
    return found.map((one) => (/^[0-9a-f]+$/i.test(one.serial) ? BigInt(`0x${one.serial}`) : unreadable));
  };
  const kept = (file: RegExp) => names(change.survivors).flatMap((host) => serials(host, file, 0n));
  const remedy =
    "without it no node or member can ever be added; handing a certificate authority over is not built yet: copy it " +
    "(ca.serial.txt; /etc/etcd/ca and /etc/etcd/generated_certs) to the next master by hand, and run this again";
  return {
    refusals: names(change.leaving).flatMap((name) =>
      Object.entries(authorities).flatMap(([what, file]) => {
        if (!isReachable(world.masters[name]))
          return kept(file).length > 0 || !isNeeded(name, world, change, undefined)
            ? []
            : [`${name} cannot be asked and no master that stays holds ${what}: ${remedy}`];
        const newest = serials(name, file, 1n << 1024n).toSorted((a, b) => (a < b ? 1 : -1))[0];
        return newest === undefined || kept(file).some((serial) => serial >= newest)
          ? []
          : [`${name} alone holds ${what}, or a newer serial of it than any other: ${remedy}`];
      }),
    ),
  };
};
