/**
 * What is asked of a haproxy in one go: which files its unit's own command line gives it, whether it takes them, its statistics, who listens, and whether the
 * API answers through it on its own address. Reads only.
 */
import { inParts } from "./parts.ts";
import { common, readiness } from "./probe.ts";
import { quote, sh } from "./quote.ts";
import { isIpLiteral } from "./same-host.ts";
import { type HaproxySettings, apiOf } from "./settings.ts";
import type { Change } from "./steps.ts";

/** `ask SOCKET COMMAND`: whatever the host has that can talk to a unix socket. */
export const askSocket = `
ask() { if command -v socat >/dev/null 2>&1; then printf '%s\\n' "$2" | timeout 10 socat -t 5 stdio "UNIX-CONNECT:$1"
  else for py in python3 python /usr/libexec/platform-python; do command -v $py >/dev/null 2>&1 || continue
    timeout 10 $py -c 'import socket,sys
s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall((sys.argv[2]+"\\n").encode())
while True:
    b=s.recv(65536)
    if not b: break
    getattr(sys.stdout,"buffer",sys.stdout).write(b)' "$1" "$2"; return; done
    echo "neither socat nor python is on this host"; return 1; fi; }
`;

/**
 * `$main`, the unit's main process, and `as_unit PROGRAM WORD…`, which runs a program with that process's environment: the configuration may hold "\${VARIABLES}".
 * Without bash, which alone reads NUL-separated words, it runs with ours. What haproxy itself put there would make the child think that it is a reload.
 */
export const unitShell = (service: string): string => sh`
main=$(systemctl show -p MainPID ${`${service}.service`} | cut -d= -f2)
as_unit() { if command -v bash >/dev/null 2>&1 && [ "\${main:-0}" != 0 ] && [ -r "/proc/$main/environ" ]; then
  bash -c 'while IFS= read -r -d "" kv; do case \${kv%%=*} in
    HAPROXY_MWORKER*|HAPROXY_PROCESSES|HAPROXY_STARTUP*|HAPROXY_LOCALPEER|HAPROXY_CFGFILES|HAPROXY_CLI|HAPROXY_MASTER_CLI|NOTIFY_SOCKET|WATCHDOG_*|LISTEN_*|LC_*) ;;
    *) export "$kv" 2>/dev/null || : ;; esac; done <"/proc/$0/environ"; exec "$@"' "$main" "$@"
  else "$@"; fi; }
`;

/**
 * From the command line of the running process: `$program`, the words that a check needs too as the positional parameters, and `$files`, one a line, folders
 * taken apart as haproxy does (`*.cfg`, no hidden ones, in byte order). haproxy's own wrapper of 1.5 takes the same words. Source: haproxy management guide, "Starting HAProxy".
 */
const commandLine = (config: string): string => sh`
set --
program=haproxy folder= named= take= files=
if [ "\${main:-0}" != 0 ] && [ -r "/proc/$main/cmdline" ]; then
  program=$(readlink "/proc/$main/exe"); program=\${program% (deleted)}; folder=$(readlink "/proc/$main/cwd")
  case $program in */haproxy-systemd-wrapper) program=\${program%/*}/haproxy ;; esac
  while IFS= read -r w; do
    case $take in
      file|rest) named="$named$w
"; [ "$take" = rest ] || take=; continue ;;
      keep) set -- "$@" "$w"; take=; continue ;;
      folder) set -- "$@" "$w"; case $w in /*) folder=$w ;; *) folder=$folder/$w ;; esac; take=; continue ;;
      skip) take=; continue ;;
      pids) case $w in -*) take= ;; *) continue ;; esac ;;
    esac
    case $w in
      --) take=rest ;; -f) take=file ;; -C) set -- "$@" "$w"; take=folder ;;
      -L|-m|-n|-N) set -- "$@" "$w"; take=keep ;; -dr|-dV) set -- "$@" "$w" ;;
      -p|-S|-x) take=skip ;; -sf|-st) take=pids ;;
    esac
  done <<END
$(tr '\\0' '\\n' <"/proc/$main/cmdline" | tail -n +2)
END
fi
[ -n "$named" ] || named=${config}
while IFS= read -r w; do
  case $w in "") continue ;; /*) f=$w ;; *) f=\${folder%/}/$w ;; esac
  if [ ! -d "$f" ]; then files="$files$f
"; continue; fi
  for one in "\${f%/}"/*.cfg; do [ ! -f "$one" ] || files="$files$one
"; done
done <<END
$named
END
options=$(printf '%s\\n' "$@")
`;

/** Every file with its resolved path, when it was last written, and when a copy of ours was last kept beside it. */
const readFiles = `
at=0
while IFS= read -r f; do
  [ -n "$f" ] || continue
  at=$((at + 1))
  if [ $at -gt 64 ]; then value "path:$at" "the 65th file"; frame "config:$at" large; break; fi
   set -- "$@" -f "$f"
  value "path:$at" "$f"
  part "real:$at" readlink -f -- "$f"
  file "config:$at" "$f"
  part "written:$at" stat -Lc %Y -- "$f"
  part "kept:$at" kept "$f"
done <<END
$files
END
`;
/** `born`: when the youngest process of `$main` and below it began, which is the one that has read the files last; 0 without one. ps has no better than whole seconds. */
export const born = `
born() { ps -eo pid=,ppid=,etimes= | awk -v main="$main" -v now="$(date +%s)" '{ parent[$1] = $2; age[$1] = $3 }
  END { for (i in parent) { j = i; while (j > 1 && j != main) j = parent[j]; if (j == main && main != "" && main != 0 && (y == "" || age[i] < y)) y = age[i] } print y == "" ? 0 : now - y }'; }
`;
const shellParts = `${born}
kept() { for one in "$1".before-*; do [ ! -f "$one" ] || stat -c %Z -- "$one"; done | sort -n | tail -n 1; }
configs() { printf '%s\\n' "$files" | while IFS= read -r f; do [ ! -f "$f" ] || [ "$(stat -Lc %s -- "$f")" -gt 4194304 ] || { cat -- "$f"; echo; }; done; }
# 0 = admin-level: of several sockets the first such one, else the first
sockets() { configs | tr -d '\\r' | awk '$1 == "stats" && $2 == "socket" { p = $3; sub(/^unix@/, "", p); gsub(/["\\047]/, "", p); l = 1
  for (i = 4; i < NF; i++) { if ($i ~ /^#/) break; if ($i == "level" && $(i + 1) == "admin") l = 0 }
  if (p ~ /^\\//) print l, p }' | sort -s -n -k 1,1 | head -n 1; }
aliases() { { configs | tr -d '\\r' | awk '$1 == "server" || $1 == "server-template" { a = $1 == "server" ? $3 : $4; sub(/^[a-z0-9+]*@/, "", a); sub(/:[^:]*$/, "", a); print a }'; printf '%s\\n' "$@"; } |
  grep -E '^[A-Za-z0-9][A-Za-z0-9._-]*$' | grep -vE '^[0-9.]+$' | sort -u | head -n 100 | { end=$(( $(date +%s) + 15 ))
  while IFS= read -r name; do [ "$(date +%s)" -lt $end ] || break
    echo "$name" $(timeout 3 getent ahosts "$name" | awk '{ print $1 }' | sort -u); done; }; }
`;

/** What the probe has to know of a load balancer. */
export interface BalancerProbe {
  readonly config: string;
  readonly service: string;
  /** `host:port` on which the API is to answer through it. */
  readonly api: string;
  /** Names of masters that only DNS can tell the addresses of. */
  readonly names: readonly string[];
}

/** Of a declared load balancer. */
export const probeOf = (entry: HaproxySettings, { survivors, leaving }: Change): BalancerProbe => ({
  config: entry.config,
  service: entry.service,
  api: apiOf(entry),
  names: Object.values({ ...leaving, ...survivors }).filter((address) => !isIpLiteral(address)),
});

export function balancerProbe(o: BalancerProbe): string {
  const unit = `${o.service}.service`;
  return inParts(`${common}${askSocket}${shellParts}
part service systemctl show -p LoadState -p ActiveState -p CanReload -p MainPID ${quote(unit)}
${unitShell(o.service)}
${commandLine(`${o.config}\n`)}
part configured readlink -f -- ${quote(o.config)}
value program "$program"
value options "$options"
part words tr '\\0' '\\n' <"/proc/\${main:-0}/cmdline"
${readFiles}
part aliases aliases ${o.names.map(quote).join(" ")}
checked valid as_unit timeout 40 "$program" -c "$@"
part version "$program" -v
part born born
best=$(sockets)
value socket "$best"
socket=\${best#* }
if [ -n "$socket" ]; then checked stats ask "$socket" 'show stat'; fi
part listening ss -ltn ${quote(`sport = :${portOf(o.api)}`)}
${readiness("through", o.api)}
part through through`);
}

/** `192.168.55.5:8443` → `8443`. */
export const portOf = (api: string): string => /:(\d+)$/.exec(api)?.[1] ?? "8443";
