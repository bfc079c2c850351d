/** What is looked at besides, when a cluster is adopted that names a master which nobody declares. */
import { type FileFacts, type MasterFacts, type Unreachable, fileFrom } from "../facts.ts";
import { inParts, partsOf } from "../parts.ts";
import { sh } from "../quote.ts";

/** A load balancer's file as an earlier run of ours found it. */
export interface KeptFile extends FileFacts {
  /** When it was kept: seconds since the epoch, by that host's clock. */
  readonly at: number;
}

export interface StrangerFacts {
  /** The hosts themselves, where they could be asked. */
  readonly hosts: Readonly<Record<string, MasterFacts | Unreachable>>;
  /** Load balancer → of each of its files the newest copy that is kept beside it. */
  readonly kept: Readonly<Record<string, readonly KeptFile[]>>;
}

/** Reads the newest copy that is kept beside each of these files. */
export const keptProbe = (paths: readonly string[]): string =>
  inParts(`newest() { for one in "$1".before-*; do [ ! -f "$one" ] || [ -L "$one" ] || stat -c '%Z %n' -- "$one"; done | sort -rn | head -n 1; }
${paths
  .map(
    (
      path,
      n,
    ) => sh`real=$(readlink -f -- ${path}) && kept=$(newest "$real") && [ -n "$kept" ] && value at:${n} "$kept" && file kept:${n} "\${kept#* }"
`,
  )
  .join("")}`);

/** What `keptProbe` found. */
export function keptFacts(stdout: string): KeptFile[] {
  const parts = partsOf(stdout);
  return [...parts].flatMap(([name, part]) => {
    const [, n] = /^kept:(\d+)$/.exec(name) ?? [];
    const said = Buffer.from(parts.get(`at:${n ?? ""}`)?.bytes ?? []).toString("utf8");
    const [, at, path] = /^(\d+) (\/.*)$/s.exec(said) ?? [];
    return part.state === 0 && path !== undefined ? [{ ...fileFrom(path, part.bytes), at: Number(at) }] : [];
  });
}
