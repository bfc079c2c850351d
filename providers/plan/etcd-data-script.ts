/** Pure: the shell that gives the data of a removed etcd member another name. Nothing is deleted. */
import { sh } from "./quote.ts";

/**
 * Already so when `from` is not there. Not done, by exit code 1 and one line of stderr: while an etcd may still use it, or the new name is taken.
 * @param manifest of the static pod
 */
export const setAsideScript = ({ from, to, manifest }: { from: string; to: string; manifest: string }): string =>
  sh`[ -e ${from} ] || exit 0
if [ -e ${manifest} ]; then echo 'etcd.yaml is still among the static pods' >&2; exit 1; fi
out=$(ss -ltn 'sport = :2379') || exit 1
if printf '%s' "$out" | grep -q LISTEN; then echo 'port 2379 is still open' >&2; exit 1; fi
if [ -e ${to} ]; then echo ${to} is there already >&2; exit 1; fi
mv -T ${from} ${to} && [ ! -e ${from} ] && [ -e ${to} ]`;
