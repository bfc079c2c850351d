/**
 * Old etcds from their Go modules, by the go.mod and go.sum in `modules/`: 3.2.32, which OpenShift 3.11 ships, and 3.3.25. The lab's
 * own is Debian's 3.4.
 */
import { join } from "node:path";
import { goBuild } from "../tools/go-build.ts";

const modules = { "3.2.32": "etcd32", "3.3.25": "etcd33" } as const;
/** Written for a codec that panics when it is built with today's Go; without it the codec reflects. */
const without = { "3.2.32": ["github.com/coreos/etcd/client/keys.generated.go"], "3.3.25": [] };
const packages = { etcd: "github.com/coreos/etcd", etcdctl: "github.com/coreos/etcd/etcdctl" } as const;

export type OldEtcd = keyof typeof modules;
export const isOldEtcd = (version: string): version is OldEtcd => version in modules;

/** The path of etcdctl 3.2.32, to hide on a host what OpenShift's has not; built once a machine. @throws as `goBuild` does */
export async function etcdctl32(): Promise<string> {
  return join(await oldEtcd("3.2.32", ["etcdctl"]), "etcdctl");
}

/** The folder with the programs of that version, built now if one is missing. @throws as `goBuild` does */
export function oldEtcd(version: OldEtcd, names: readonly (keyof typeof packages)[] = ["etcd", "etcdctl"]) {
  return goBuild({
    modules: join(import.meta.dirname, "modules", modules[version]),
    into: `etcd-${version}`,
    programs: names.map((name) => ({ name, package: packages[name] })),
    without: without[version],
    diskGiB: 1,
  });
}
