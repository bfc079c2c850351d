/** haproxy's configuration as one text, and what there is for several files. Pure: text in, text out. */
import { dropFrom, switchIn, type FileEntry, type FilePlace, serversIn, serversOfHostIn } from "./haproxy-files.ts";
import type { ServerEntry, ServerPlace } from "./haproxy-files.ts";
import { asFile, type ConfigFile } from "./haproxy-lines.ts";
import { restoreFormer } from "./haproxy-restore.ts";
import type { HostIdentity } from "./host.ts";

export { bindsFor, type Bind } from "./haproxy-binds.ts";
export { templatesIn } from "./haproxy-detours.ts";
export { disableIn, dropFrom, serversIn, serversOfHostIn } from "./haproxy-files.ts";
export type { FileEntry, FilePlace, ServerEntry, ServerPlace } from "./haproxy-files.ts";
export type { ConfigFile } from "./haproxy-lines.ts";
export { restoreIn, sketchOf, type Sketch } from "./haproxy-sketch.ts";
export { statsOf, type ServerStats } from "./haproxy-stats.ts";

/** `dropFrom` for the only file there is. Nothing dropped: the text is the one given. */
export function dropHost(config: string, host: HostIdentity): { text: string; dropped: ServerPlace[] } {
  const { files, dropped } = dropFrom([asFile(config)], host);
  return { text: textOf(files), dropped: dropped.map(placeIn) };
}

/** `serversIn` for the only file there is. */
export function serversOf(config: string): ServerEntry[] {
  return serversIn([asFile(config)]).map(entryIn);
}

/** `serversOfHostIn` for the only file there is. */
export function serversFor(config: string, host: HostIdentity): ServerEntry[] {
  return serversOfHostIn([asFile(config)], host).map(entryIn);
}

/**
 * Whether any backend or listen section still has the host.
 * @throws Refusal as `dropFrom`, when that cannot be told.
 */
export function hasHost(config: string, host: HostIdentity): boolean {
  return serversFor(config, host).length > 0;
}

/** `disabled` on and off in the only file there is, whoever wrote it. */
export function setDisabled(
  config: string,
  host: HostIdentity,
  disabled: boolean,
): { text: string; changed: ServerPlace[] } {
  const { files, changed } = switchIn([asFile(config)], host, disabled);
  return { text: textOf(files), changed: changed.map(placeIn) };
}

/**
 * Puts a host's server lines back into `config` where they stood in `previous`: behind the nearest line above that
 * both have in that section, else in front of the nearest below, else behind the section's last server. A section
 * that has the host already stays as it is; `line` counts in the returned text.
 * @throws Refusal naming line and section, when the section is gone or the server's name now stands for another host.
 */
export function restoreHost(
  config: string,
  previous: string,
  host: HostIdentity,
): { text: string; restored: ServerPlace[] } {
  const { files, restored } = restoreFormer([asFile(config)], [asFile(previous)], host);
  return { text: textOf(files), restored: restored.map(placeIn) };
}

const textOf = ([file]: readonly ConfigFile[]): string => file?.text ?? "";
const placeIn = ({ section, server, line }: FilePlace): ServerPlace => ({ section, server, line });
const entryIn = (entry: FileEntry): ServerEntry => ({
  ...placeIn(entry),
  address: entry.address,
  disabled: entry.disabled,
});
