/** Pure: what of a master's files its static pods mount. The manifests are a host's words: a path counts only if it is a plain absolute one. */
import { parseAllDocuments } from "yaml";
import { escapeControls } from "./quote.ts";

export interface Mounts {
  /** Absolute paths to be saved, sorted. */
  readonly saved: readonly string[];
  /** Paths that are not, each with the reason: `/var/lib/etcd (etcd's data: the snapshot holds it)`. */
  readonly leftOut: readonly string[];
}

/** Where nothing is saved from, and why; the first that fits counts. */
const notOurs: readonly [prefix: RegExp, why: string][] = [
  [/^\/var\/lib\/etcd(\/|$)/, "etcd's data: the snapshot holds it"],
  [/^\/usr\/(?:libexec\/kubernetes|local\/etc)(\/|$)/, ""],
  [/^\/(?:usr|bin|sbin|lib|lib64|opt|boot)(\/|$)/, "programs: packages bring them"],
  [/^\/(?:dev|proc|run|sys|tmp|var\/run|var\/tmp)(\/|$)/, "of the running system"],
  [/^\/var\/log(\/|$)/, "logs"],
  [/^\/var\/lib\/(?:docker|containers|containerd|kubelet|origin\/openshift\.local\.volumes)(\/|$)/, "containers' data"],
  [/^\/$/, "the whole file system"],
];

/** @param manifests texts of static pod manifests; what is no YAML mounts nothing */
export function mountsOf(manifests: readonly string[]): Mounts {
  const paths = [...new Set(manifests.flatMap(hostPaths))].sort();
  const judged = paths.map((path) => ({ path, why: reasonAgainst(path) }));
  return {
    saved: judged.filter(({ why }) => why === "").map(({ path }) => path),
    leftOut: judged.filter(({ why }) => why !== "").map(({ path, why }) => `${escapeControls(path)} (${why})`),
  };
}

function reasonAgainst(path: string): string {
  if (!/^\/[A-Za-z0-9@%+=:,._/-]*$/.test(path) || path.split("/").includes("..")) return "no plain absolute path";
  return notOurs.find(([prefix]) => prefix.test(path))?.[1] ?? "";
}

function hostPaths(manifest: string): string[] {
  try {
    return parseAllDocuments(manifest).flatMap((document) => {
      const { spec } = (document.toJS({ maxAliasCount: 10 }) ?? {}) as { spec?: { volumes?: unknown } };
      const volumes = Array.isArray(spec?.volumes) ? (spec.volumes as unknown[]) : [];
      return volumes.flatMap((volume) => {
        const path = (volume as { hostPath?: { path?: unknown } } | null)?.hostPath?.path;
        return typeof path === "string" ? [path === "/" ? path : path.replace(/\/+$/, "")] : [];
      });
    });
  } catch {
    return [];
  }
}

/** Those of `more` that no path of `paths` holds already. */
export const beyond = (paths: readonly string[], more: readonly string[]): string[] =>
  more.filter((path) => !paths.some((one) => path === one || path.startsWith(`${one}/`)));
