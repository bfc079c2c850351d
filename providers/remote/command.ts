/** Pure: how a script is put into the one string an SSH exec request carries. */

/** How a command is sent. */
export interface Wrapping {
  /** Run as root by `sudo -n`. */
  readonly become: boolean;
  /** Seconds after which the host itself ends the command (TERM, 5 s later KILL); undefined = never. */
  readonly deadline?: number | undefined;
  /** Bytes will be sent to it; otherwise it reads /dev/null. */
  readonly stdin: boolean;
}

/**
 * The host's own `timeout` bounds the command even when the connection is gone, the user may not signal what sudo started,
 * or sshd knows no signals (before 7.9: RHEL 7). Without coreutils there is only the deadline on our side.
 */
const bounded = `command -v timeout >/dev/null 2>&1 && exec timeout -k 5 "$0" /bin/sh -c "$s"; `;

/**
 * The command line for a script of POSIX sh. The user's login shell, which reads it first, may be anything: csh minds `!` and
 * newlines inside quotes, fish takes backslashes in them for escapes. So the script travels as `printf %b` octal.
 */
export function commandLine(script: string, w: Wrapping): string {
  const boot = `LC_ALL=C; export LC_ALL; s=$(printf %b "$1"); ${w.deadline === undefined ? "" : bounded}exec /bin/sh -c "$s"`;
  const sudo = w.become ? "sudo -n -- " : "";
  const input = w.stdin ? "" : " </dev/null";
  return `exec ${sudo}/bin/sh -c '${boot}' ${String(w.deadline ?? "sh")} '${octal(script)}'${input}`;
}

/** UTF-8 bytes as they are where every shell leaves them alone within single quotes, else `\0ooo`. */
function octal(script: string): string {
  const bytes = Buffer.from(script, "utf8").toString("latin1");
  return bytes.replace(
    /[^A-Za-z0-9 _@%+:,./=<>()|&;"$*?#[\]{}-]/g,
    (c) => `\\0${c.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}

/** What sudo said when it would not let the command run at all; undefined = it was not sudo. */
export function sudoRefusal(stderr: string, user: string): { seen: string; remedy: string } | undefined {
  const allow = `allow it in /etc/sudoers.d: "${user} ALL=(root) NOPASSWD: ALL", or connect as root with become: false`;
  if (/^sudo: .*password is required/m.test(stderr))
    return { seen: `sudo wants a password for ${user}`, remedy: allow };
  if (/^sudo: .*must have a tty/m.test(stderr))
    return { seen: "sudo wants a terminal", remedy: `add "Defaults:${user} !requiretty" to /etc/sudoers.d` };
  if (/^(sorry, user|.+ is not (in the sudoers file|allowed to))/im.test(stderr) && /sudo/.test(stderr))
    return { seen: `sudo does not let ${user} run commands as root`, remedy: allow };
  if (/sudo: (command )?not found/.test(stderr))
    return { seen: "there is no sudo", remedy: "install it, or connect as root with become: false" };
  return undefined;
}
