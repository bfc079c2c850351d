/** The first state of the cluster, made once: booted from nothing, filled with a little life, stopped, and its etcd data kept. */
import { mkdirSync, existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run } from "../tools/needs.ts";
import { step } from "../tools/say.ts";
import { type Cast, built, isMaster, qualified } from "./cluster.ts";
import { kubectl, waitHealthy } from "./health.ts";
import { container, podman, removeHosts, saveEtcd, startHosts, writeTrees } from "./hosts.ts";

/** Pods that a drain must move, one that belongs to a DaemonSet, and flannel's keys in etcd's v2 store. */
const life = `
apiVersion: v1
kind: Namespace
metadata: { name: demo }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: demo }
spec:
  replicas: 4
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 2
      containers: [{ name: web, image: "localhost/lab/pod:v1", imagePullPolicy: Never }]
      topologySpreadConstraints:
      - { maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: { matchLabels: { app: web } } }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent, namespace: demo }
spec:
  selector: { matchLabels: { app: agent } }
  template:
    metadata: { labels: { app: agent } }
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 2
      containers: [{ name: agent, image: "localhost/lab/pod:v1", imagePullPolicy: Never }]
`;

/** Returns the folder with the hosts' trees and the masters' etcd data, making it when this machine has none. */
export async function golden(hosts: Cast, grace: number): Promise<string> {
  const masters = Object.keys(hosts).filter(isMaster);
  const folder = built.golden(masters.length, grace);
  if (existsSync(folder)) return folder;
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(join(part, "etcd"), { recursive: true });
  await writeTrees(join(part, "trees"), hosts, grace);
  await removeHosts();
  await step(`first boot of ${masters.length} masters, two load balancers and a node`, async () => {
    await startHosts(hosts, join(part, "trees"));
    await waitHealthy(hosts);
  });
  await step("giving the cluster some life", () => fill(masters));
  await podman("stop", "--time", "20", ...masters.map(container));
  for (const master of masters) await saveEtcd(master, join(part, "etcd"));
  await removeHosts();
  renameSync(part, folder);
  return folder;
}

async function fill(masters: readonly string[]): Promise<void> {
  const first = masters[0] ?? "master-0";
  await run("bash", ["-c", `podman exec -i ${container(first)} oc apply -f - <<'X'\n${life}\nX`]);
  const v2 =
    "ETCDCTL_API=2 etcdctl --cert-file /etc/etcd/peer.crt --key-file /etc/etcd/peer.key --ca-file /etc/etcd/ca.crt";
  await podman(
    "exec",
    container(first),
    "sh",
    "-c",
    `${v2} --endpoints https://${qualified(first)}:2379 set /openshift.com/network/config '{"Network":"10.128.0.0/14","SubnetLen":24,"Backend":{"Type":"vxlan"}}'`,
  );
  for (let tries = 0; tries < 90; tries++) {
    const pods = await kubectl(["-n", "demo", "get", "pods", "--no-headers"]);
    if (pods.split("\n").filter((line) => / Running /.test(line)).length >= 4 + masters.length) break;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
