/** The lab's cast: names, addresses and folders, in one place. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../tools/needs.ts";

export const domain = "example.com";
export const network = { name: "openshift-masters-lab", subnet: "192.168.55.0/24" };
export const kubernetes = "1.24.17";

const masterAddresses = [8, 12, 13, 21, 22, 23, 24];
const others = { "lb-0": "192.168.55.5", "lb-1": "192.168.55.6", "node-0": "192.168.55.31" };

/** Short host name → address; the first four masters are the vendor's own example. */
export type Cast = Readonly<Record<string, string>>;

export function cast(masters: number): Cast {
  const chosen: Record<string, string> = {};
  for (const [n, last] of masterAddresses.slice(0, masters).entries()) chosen[`master-${n}`] = `192.168.55.${last}`;
  return { ...others, ...chosen };
}
export const everyHost: Cast = cast(masterAddresses.length);

export const isMaster = (host: string): boolean => host.startsWith("master-");
export const qualified = (host: string): string => `${host}.${domain}`;

const here = import.meta.dirname;
/** The checkout's own git-ignored folder: stack configuration, key, known_hosts, inventory, state. */
export const workFolder = join(here, "..", ".lab");

const cached = (name: string, ...sources: string[]): string => {
  const hash = createHash("sha256");
  for (const source of sources) hash.update(readFileSync(join(here, source)));
  return join(cacheFolder(), "lab", `${name}-${hash.digest("hex").slice(0, 12)}`);
};
const podFiles = ["files/openshift", "files/pause.c", "pod-image.sh"];
const hostFiles = [
  "hosts.sh",
  "files/oc",
  "files/lab-container",
  "files/master-exec",
  "files/master-restart",
  "files/lab-node-pre",
  "files/flanneld",
];

/** Everything that is built once a machine, keyed by what it is made from. */
export const built = {
  kubernetes: join(cacheFolder(), `kubernetes-${kubernetes}`),
  rootfs: cached("rootfs", "rootfs.sh"),
  podImage: cached("pod-image", "rootfs.sh", ...podFiles),
  pki: cached("pki", "pki.sh"),
  /** What a cluster of this size and grace looks like when all is well, ready to be started again. */
  golden: (masters: number, grace: number): string =>
    cached(`golden-${masters}-${grace}`, "rootfs.sh", "pki.sh", "golden.ts", ...podFiles, ...hostFiles),
} as const;

/** Where the running hosts keep what must not lie on an overlay. */
export const stateFolder = join(cacheFolder(), "lab", "running");
