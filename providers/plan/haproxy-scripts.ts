/** Pure: what is run on a load balancer, each in one command: drain and wait, reload, prove. */
import { askSocket, born, portOf } from "./haproxy-probe.ts";
import { backendOf } from "./plans/balancer.ts";
import { readiness } from "./probe.ts";
import { quote, sh } from "./quote.ts";
import type { Server } from "./steps.ts";

/** What the statistics must show of a server. */
export interface Wanted {
  readonly server: Server;
  readonly be: "up" | "out" | "gone";
}

/** How a script that does something ends, besides 0. */
export const ending = { refused: 87, reload: 88, unproved: 89 } as const;

const named = ({ section, server }: Server): string => `${backendOf(section)}/${server}`;

/** `tell COMMAND…`: each must be answered by nothing; the first other answer ends the script. */
const tell = (socket: string): string => `${askSocket}
socket=${quote(socket)}
tell() { for order in "$@"; do said=$(ask "$socket" "$order" 2>&1) && [ -z "$(printf %s "$said" | tr -d '[:space:]')" ] && continue
  undo; printf '%s\\n' "haproxy was told: $order; it said: $said" | head -n 5; exit ${ending.refused}; done; }
undo() { :; }
`;

/** Orders through the runtime socket. */
export const tellScript = (socket: string, orders: readonly string[]): string =>
  `${tell(socket)}\n${sh`tell ${orders}`}\n`;

export interface Drain {
  /** Empty: nobody is told anything, the sessions of servers that a reload took out are waited for. */
  readonly socket: string;
  /** `address:port` of the servers. */
  readonly peers: readonly string[];
  /** Orders for all of them: out, and back if one is refused; and what they are told once their sessions have ended, or the time has. */
  readonly out: readonly string[];
  readonly back: readonly string[];
  readonly then: readonly string[];
  /** How long their sessions are waited for. */
  readonly seconds: number;
}

/** Connections by their other end; `unknown` where that is not known, or ss cannot tell. */
const sessions = (peers: readonly string[]): string =>
  peers.length === 0
    ? "sessions() { echo unknown; }"
    : `sessions() { out=$(ss -tn state established ${quote(`( ${peers.map((peer) => `dst ${peer}`).join(" or ")} )`)} 2>/dev/null) && printf '%s\\n' "$out" | awk 'END { print NR - 1 }' || echo unknown; }`;

/**
 * Prints `sessions N SECONDS` when the number changes, and every 10 s. Counted are the connections that this machine has to the servers: haproxy's own
 * statistics know nothing of the process that a reload left behind with its sessions.
 */
export const drainScript = (o: Drain): string => `${tell(o.socket)}
undo() { for again in ${o.back.map(quote).join(" ")}; do ask "$socket" "$again" >/dev/null 2>&1; done; }
${o.out.length === 0 ? "" : sh`tell ${o.out}`}
undo() { :; }
${sessions(o.peers)}
begun=$(date +%s)
end=$((begun + ${o.seconds})) told=0 last=
while :; do
  left=$(sessions)
  now=$(date +%s)
  if [ "$left" != "$last" ] || [ $((now - told)) -ge 10 ]; then echo "sessions $left $((now - begun))"; last=$left told=$now; fi
  [ "$left" != 0 ] && [ "$now" -lt $end ] || break
  sleep 1
done
${o.then.length === 0 ? "" : sh`tell ${o.then}`}
`;

/** Reload, or restart where it has to be; a unit that is not running is started. */
export function reloadScript(service: string, restart: boolean): string {
  const unit = `${service}.service`;
  return sh`how=restart
case $(systemctl show -p ActiveState ${unit}) in
  ActiveState=active|ActiveState=reloading) [ ${String(restart)} = true ] || [ "$(systemctl show -p CanReload ${unit})" != CanReload=yes ] || how=reload ;;
esac
# a start that failed may have used up systemd's patience
[ $how = reload ] || systemctl reset-failed ${unit} 2>/dev/null || :
said=$(timeout 60 systemctl "$how" ${unit} 2>&1) || { printf '%s\\n' "systemctl $how ${service}: $said"; journalctl -u ${unit} -n 5 --no-pager -o cat 2>/dev/null; exit ${ending.reload}; }
`;
}

export interface Proof {
  readonly service: string;
  /** `host:port` on which the API must answer through it. */
  readonly api: string;
  /** Empty: there are no statistics to be asked. */
  readonly socket: string;
  readonly wanted: readonly Wanted[];
  /** How long it may take. */
  readonly seconds: number;
  /** What is done before, as a script; a reload must bring a new process. */
  readonly first: { readonly script: string; readonly reloads: boolean };
}

/** The columns are found by their names. A server is up when a check has said so since haproxy started: until then `INI` is the check's status and UP a guess. */
const judge = `awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) { name = $i; sub(/^# */, "", name); at[name] = i } next }
  NF > 5 { k = $1 "/" $2; is[k] = $(at["status"]); by[k] = ("check_status" in at) ? $(at["check_status"]) : "" }
  END { if (!("status" in at)) { print "its stats socket gives no statistics"; exit }
    n = split(ENVIRON["WANTED"], want, " ")
    for (i = 1; i < n; i += 2) { k = want[i + 1]; s = (k in is) ? is[k] : "not there"
      if (want[i] == "gone") { if (k in is) print k " is still there" }
      else if (want[i] == "out") { if (s !~ /^(MAINT|DRAIN)/) print k " is " s }
      else if (s != "no check" && s !~ /^UP( \\(via .*)?$/) print k " is " s
      else if (by[k] ~ /INI$/) print k " is not checked yet" } }'`;

/** Asks until everything is as wanted; prints what is not, the last time it looked. */
export const proofScript = (o: Proof): string => {
  const unit = `${o.service}.service`;
  const wanted = o.wanted.map(({ be, server }) => `${be} ${named(server)}`).join(" ");
  return `${askSocket}${born}${readiness("through", o.api)}
begun=$(date +%s)
${o.first.script}
look() {
  state=$(systemctl show -p ActiveState ${quote(unit)} | cut -d= -f2)
  case $state in active|reloading) ;; *) echo "the unit is $state"; return ;; esac
  ss -ltn ${quote(`sport = :${portOf(o.api)}`)} | tail -n +2 | grep -q . || { echo "nothing listens on port ${portOf(o.api)}"; return; }
${
  o.first.reloads
    ? `  main=$(systemctl show -p MainPID ${quote(unit)} | cut -d= -f2)
  [ "$(born)" -ge $((begun - 1)) ] || { echo "no process was started by the reload"; return; }\n`
    : ""
}${
    o.socket === ""
      ? ""
      : `  rows=$(ask ${quote(o.socket)} 'show stat') || { echo "its stats socket does not answer"; return; }
  rows=$(printf '%s\\n' "$rows" | tr -d '\\r' | WANTED=${quote(wanted)} ${judge})
  [ -z "$rows" ] || { printf '%s\\n' "$rows"; return; }\n`
  }  answer=$(through)
  case $answer in *"
ok
200") ;; *) printf '%s\\n' "the API through ${o.api} (/$(printf '%s' "$answer" | head -n 1)): HTTP $(printf '%s' "$answer" | tail -n 1)" ;; esac
}
end=$(( $(date +%s) + ${o.seconds} ))
while :; do
  seen=$(look)
  [ -n "$seen" ] || exit 0
  [ "$(date +%s)" -lt $end ] || { printf '%s\\n' "$seen"; exit ${ending.unproved}; }
  sleep 1
done
`;
};
