/** The lock on a master, as shell: taken and held, looked at, and cleared of holders whose owner is gone. */
import type { Holder } from "./lock-owner.ts";
import { quote, sh } from "./quote.ts";

export const lockPath = "/run/lock/openshift-masters.lock";

/** Seconds without a byte from the owner after which the holder lets go by itself: its machine is gone, asleep, or cut off. */
export const freedAfter = 60;

/** `begun <pid>`: its start in clock ticks since the boot, the 22nd field; counted behind the name, which may hold anything. */
const begun = `begun() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }`;
/** `opens <pid>`: has it the file open? `is_free`: could the lock be had? Asked for a moment only. */
const asking = sh`opens() { find -L "/proc/$1/fd" -maxdepth 1 -samefile ${lockPath} 2>/dev/null | grep -q .; }
is_free() { [ ! -e ${lockPath} ] || ( flock -n 8 ) 8<${lockPath}; }
line() { head -c 1000 ${lockPath} | tr '\n' ' '; }`;

/**
 * Takes the lock and answers `locked`, then a blank line for each `.` it is sent; lets go at the end of its input, or so many seconds after the last of them. Nothing it
 * starts keeps the lock, so that it goes with this shell. The file is root's alone: whoever can open it can lock it.
 * Otherwise the answer is `held` and the line of whoever holds it.
 */
export const takeLock = (owner: string, seconds = freedAfter): string => `umask 077; ${begun}
${sh`exec 9>>${lockPath} || exit 1
if flock -n 9; then chmod 600 ${lockPath}; printf '%s; holder %s start %s\n' ${owner} $$ "$(begun $$ 9>&-)" >${lockPath}; echo locked
  while [ "$(exec 9>&-; exec timeout ${seconds} head -c 1)" = . ]; do echo; done
  : >${lockPath}
else echo "held $(head -c 1000 ${lockPath} | tr '\n' ' ')"; fi`}`;

/** Looks at the lock: its line, who has the file open, their ancestors, and the connections of sshd. Changes nothing. See `readLook`. */
export const lookAtLock = `${begun}
${asking}
if is_free; then echo 'state free'; exit 0; fi
printf 'state held\\nline %s\\n' "$(line)"
${sh`inode=$(stat -Lc %i ${lockPath})
for pid in $(find -L /proc/[0-9]*/fd -maxdepth 1 -samefile ${lockPath} 2>/dev/null | cut -d / -f 3 | sort -un)`}; do
  has=no; grep -qs "^lock:.*FLOCK.*:$inode " "/proc/$pid/fdinfo/"* && has=yes
  printf 'open %s %s %s %s\\n' "$pid" "$(begun "$pid")" $has "$(cat "/proc/$pid/comm")"
  up=$pid
  while [ "\${up:-0}" -gt 1 ]; do up=$(sed 's/.*) //' "/proc/$up/stat" 2>/dev/null | cut -d' ' -f2); echo "kin $pid $up"; done
done
ss -tanpo 2>/dev/null | grep sshd | sed 's/^/sock /'
exit 0`;

/**
 * Ends exactly these processes, if the line is still this one and each of them still is who it was and has the file open: `free`, `changed` (nothing was
 * done), `cleared` or `stuck` (10 s after KILL). The file stays: whoever deletes a locked file lets the next one lock a new one beside it.
 */
export const clearLock = (line: string, holders: readonly Holder[]): string => {
  const all = (join: string, one: (holder: Holder) => string) => holders.map(one).join(join);
  return `${begun}
${asking}
if is_free; then echo free; exit 0; fi
is() { [ "$(begun "$1")" = "$2" ] && opens "$1"; }
end() { ${all(" ; ", ({ pid, start }) => sh`if is ${pid} ${start}; then kill "$1" ${pid}; fi`)}; }
left() { ${all(" || ", ({ pid, start }) => sh`is ${pid} ${start}`)}; }
if [ "$(line)" != ${quote(line)} ] || ! { ${all(" && ", ({ pid, start }) => sh`is ${pid} ${start}`)}; }; then echo changed; exit 0; fi
end -TERM; n=0
while left; do n=$((n + 1)); [ $n -le 60 ] || { echo stuck; exit 0; }
  [ $n -le 20 ] || end -KILL
  sleep 0.25; done
echo cleared`;
};
