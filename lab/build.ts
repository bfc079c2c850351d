/** What the lab is made of, built once a machine: packages, Kubernetes from its Go modules, the hosts' file system, the pod image, the keys. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
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

/** netavark calls iptables; crun does not run system containers on every machine, runc does; the tests of the SSH layer start an sshd. */
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
    apt-get update -qq; apt-get install -y -qq --no-install-recommends "$@"`;
  await step(`installing Debian packages: ${names.join(" ")}`, () =>
    run("bash", ["-c", script, "install", ...names], {
      env: { DEBIAN_FRONTEND: "noninteractive" },
      timeoutSeconds: 900,
    }),
  );
}

/** Upstream v1.24.17 with its staging modules, by the go.mod and go.sum in `modules/`: the versions that were proved to build. */
async function kubernetesBinaries(): Promise<void> {
  const missing = components.filter((name) => !existsSync(join(built.kubernetes, name)));
  if (missing.length === 0) return;
  needs({ go: "1.25", diskGiB: 8 });
  mkdirSync(built.kubernetes, { recursive: true });
  const source = mkdtempSync(join(tmpdir(), "openshift-masters-kubernetes-"));
  cpSync(join(here, "modules", "kubernetes"), source, { recursive: true });
  const version =
    `-X k8s.io/component-base/version.gitVersion=v${kubernetes} -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=24 ` +
    `-X k8s.io/client-go/pkg/version.gitVersion=v${kubernetes} -X k8s.io/client-go/pkg/version.gitMajor=1 -X k8s.io/client-go/pkg/version.gitMinor=24`;
  const env = { CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-buildvcs=false -mod=mod" };
  for (const name of missing) {
    const part = join(built.kubernetes, `.${name}.part`);
    await step(`building ${name} ${kubernetes} (the first takes up to 8 minutes, the others about 1)`, () =>
      run(
        "nice",
        [
          "go",
          "build",
          "-p",
          "2",
          "-trimpath",
          "-ldflags",
          `-s -w ${version}`,
          "-o",
          part,
          `k8s.io/kubernetes/cmd/${name}`,
        ],
        { cwd: source, env, log: join(built.kubernetes, "build.log") },
      ),
    );
    renameSync(part, join(built.kubernetes, name));
  }
  rmSync(source, { recursive: true, force: true });
}
