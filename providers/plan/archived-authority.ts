/** Pure: which certificate authorities a verified archive of a master holds, from the manifest beside it. */
import { createHash } from "node:crypto";
import { type ArchiveEntry, serialFiles } from "./archive.ts";
import { largestTree } from "./authority-shell.ts";
import type { AuthorityFacts } from "./facts.ts";

/** OpenShift's own, or etcd's. */
export type AuthorityName = "openshift" | "etcd";

/** An entry of the manifest, as far as it counts here. */
export type ManifestEntry = Pick<ArchiveEntry, "path" | "type" | "size"> & {
  readonly sha256?: string | undefined;
  readonly target?: string | undefined;
};

export interface ArchivedPlace extends AuthorityFacts {
  /** What must be taken out of the archive, to have it with all that hard links in it point to. */
  readonly members: readonly string[];
}

/** An archive of this machine that holds a certificate authority. */
export interface ArchivedAuthority {
  readonly archive: string;
  /** Of the plain archive, as its manifest says; hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  /** ISO, UTC. */
  readonly takenAt: string;
  /** The file here is encrypted: hash and size of what is stored. */
  readonly stored?: { readonly sha256: string; readonly bytes: number };
  readonly places: readonly ArchivedPlace[];
}

const hex64 = /^[0-9a-f]{64}$/;

/** @param serials text of each serial file, by its path in the archive */
export function placesIn(
  entries: readonly ManifestEntry[],
  serials: Readonly<Record<string, string>>,
): readonly ArchivedPlace[] {
  const index = new Map(entries.map((entry) => [entry.path, entry]));
  return serialFiles.flatMap((path) => {
    if (!index.has(path)) return [];
    const serial = (serials[path] ?? "").replace(/\s/g, "");
    const isOpenShift = path.endsWith("/ca.serial.txt");
    const folder = path.replace(/\/[^/]*$/, "");
    const certificate = hashOf(index, `${folder}/ca.crt`);
    const tree = isOpenShift ? { digest: hashOf(index, path), members: [path] } : treeOf(index, parentOf(folder));
    return [
      {
        path: `/${path}`,
        serial,
        certificate: certificate === "" ? [] : [certificate],
        key: (index.get(`${folder}/ca.key`)?.size ?? 0) > 0 || index.get(`${folder}/ca.key`)?.type === "link",
        ...tree,
      },
    ];
  });
}
const parentOf = (path: string): string => path.replace(/\/[^/]*$/, "");

type Index = ReadonlyMap<string, ManifestEntry>;

/** Of a file's content; that of a hard link is the file's it points to. Empty where the manifest has none. */
function hashOf(index: Index, path: string, depth = 0): string {
  const entry = index.get(path);
  if (entry === undefined || depth > 4) return "";
  const own = entry.sha256 ?? "";
  if (hex64.test(own) && (entry.type === "file" || entry.type === "link")) return own;
  return entry.type === "link" ? hashOf(index, entry.target ?? "", depth + 1) : "";
}

/** The digest that `tree` of authority-shell.ts prints on the host, and the archive's members that make it. */
function treeOf(index: Index, root: string): { digest: string; members: string[] } {
  const folders = ["ca", "generated_certs"].map((name) => `${root}/${name}`).filter((path) => index.has(path));
  const inside = (path: string) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
  const own = [...index.values()].filter((entry) => inside(entry.path));
  const outside = own.flatMap(({ type, target = "" }) => (type === "link" && !inside(target) ? [target] : []));
  const members = [...folders, ...new Set(outside)];
  if (own.some(({ type }) => !["file", "folder", "link"].includes(type))) return { digest: "links", members };
  if (own.reduce((sum, { size }) => sum + size, 0) > largestTree) return { digest: "large", members };
  const files = own
    .filter(({ type }) => type !== "folder")
    .map(({ path }) => ({ name: Buffer.from(path.slice(root.length + 1)), hash: hashOf(index, path) }))
    .sort((a, b) => Buffer.compare(a.name, b.name));
  // a name that is no UTF-8 is not in the manifest as it is on the host
  if (files.some(({ hash, name }) => hash === "" || name.includes("\uFFFD"))) return { digest: "", members };
  const digest = createHash("sha256");
  for (const { name, hash } of files) digest.update(`${hash}  `).update(name).update("\n");
  return { digest: digest.digest("hex"), members };
}
