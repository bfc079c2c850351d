/** What the lab is made of, built once a machine: packages, Kubernetes from its Go modules, the hosts' file system, the pod image, the keys. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { goBuild } from "../tools/go-build.ts";
import { Failed, needs, run } from "../tools/needs.ts";
import { step } from "../tools/say.ts";
import { built, everyHost, kubernetes } from "./cluster.ts";

const here = import.meta.dirname;
const components = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet"];

/** The name of the image that every host starts from; it carries the hash of what it was built from. */
export const hostImage = `localhost/openshift-masters/host:${basename(built.rootfs)}`;

/** Builds whatever this machine has not built yet. Throws `Missing` with one sentence when it cannot. */
export async function buildAll(): Promise<void> {
  needs({ root: true, linux: true });
  await packages();
  await kubernetesBinaries();
  if (!existsSync(built.rootfs)) {
    needs({ diskGiB: 6 });
    await step("building the hosts' file system (about a minute)", () =>
      run("nice", [join(here, "rootfs.sh"), built.rootfs], { log: `${built.rootfs}.log` }),
    );
  }
  if (spawnSync("podman", ["image", "exists", hostImage]).status !== 0)
    await step("importing the hosts' file system into podman", () =>
      run("bash", ["-c", 'tar -C "$1" -c . | podman import - "$2"', "import", built.rootfs, hostImage]),
    );
  if (!existsSync(built.podImage))
    await step("building the static pods' image", () =>
      run(join(here, "pod-image.sh"), [built.podImage, built.rootfs, hostImage], { log: `${built.podImage}.log` }),
    );
  if (!existsSync(built.pki))
    await step("making keys and certificates", () =>
      run(join(here, "pki.sh"), [built.pki, ...pairs(everyHost)], { log: `${built.pki}.log` }),
    );
}

export const pairs = (hosts: Readonly<Record<string, string>>): string[] =>
  Object.entries(hosts).map(([name, address]) => `${name}=${address}`);

/** netavark calls iptables; crun does not run system containers on every machine, runc does; the tests of the SSH layer start an sshd; a snapshot's restore is rehearsed with etcd, and what is edited is shown to haproxy and to Ansible. */
async function packages(): Promise<void> {
  const wanted = {
    podman: "podman",
    runc: "runc",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
    iptables: "iptables",
    debootstrap: "debootstrap",
    gcc: "gcc",
    openssl: "openssl",
    curl: "curl",
    "ssh-keygen": "openssh-client",
    "/usr/sbin/sshd": "openssh-server",
    etcd: "etcd-server",
    etcdctl: "etcd-client",
    "/usr/sbin/haproxy": "haproxy",
    "ansible-inventory": "ansible-core",
  };
  const missing = Object.entries(wanted).filter(([file]) => spawnSync("sh", ["-c", `command -v ${file}`]).status !== 0);
  if (missing.length === 0) return;
  if (!existsSync("/usr/bin/apt-get"))
    throw new Failed(
      `The lab needs ${missing.map(([, name]) => name).join(", ")} and this machine has no apt-get: install them and run this again.`,
    );
  const names = missing.map(([, name]) => name);
  if (names.includes("gcc")) names.push("libc6-dev");
  // no service may be started by installing its package: the sshd is for the tests to start on a port of their own
  const script = `policy=/usr/sbin/policy-rc.d
    [ -e $policy ] || { printf '#!/bin/sh\\nexit 101\\n' >$policy; chmod +x $policy; trap 'rm -f '$policy EXIT; }
    apt-get update -qq; apt-get install -y -qq --no-install-recommends "$@"
    # nor may one begin with the next boot
    for one in etcd haproxy; do [ ! -e "/lib/systemd/system/$one.service" ] || ! command -v systemctl >/dev/null || systemctl --quiet disable "$one.service"; done`;
  await step(`installing Debian packages: ${names.join(" ")}`, () =>
    run("bash", ["-c", script, "install", ...names], {
      env: { DEBIAN_FRONTEND: "noninteractive" },
      timeoutSeconds: 900,
    }),
  );
}

/** Upstream v1.24.17 with its staging modules, by the go.mod and go.sum in `modules/`: the versions that were proved to build. */
function kubernetesBinaries(): Promise<string> {
  const stamp = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((path) =>
    [`gitVersion=v${kubernetes}`, "gitMajor=1", "gitMinor=24"].map((value) => `-X ${path}.${value}`),
  );
  return goBuild({
    modules: join(here, "modules", "kubernetes"),
    into: basename(built.kubernetes),
    programs: components.map((name) => ({ name, package: `k8s.io/kubernetes/cmd/${name}`, ldflags: stamp.join(" ") })),
    diskGiB: 8,
  });
}
