import { homedir } from "node:os";
import { join } from "node:path";

/** How the hosts are reached; `~` in paths is the home of whoever runs pulumi. */
export interface SshSettings {
  readonly user: string;
  /** Run every command as root by `sudo -n`. */
  readonly become: boolean;
  readonly privateKeyPath?: string;
  /** Use the keys of the running ssh-agent (SSH_AUTH_SOCK). It is never forwarded. */
  readonly agent?: boolean;
  readonly sshPassphrase?: string;
  /** Path of an OpenSSH known_hosts file. */
  readonly knownHosts: string;
  readonly port: number;
  readonly bastion?: { readonly host: string; readonly user: string; readonly port?: number };
}

/** A host by its inventory name and the address it is reached at. */
export interface Target {
  readonly name: string;
  readonly address: string;
}

/** `~` and `~/…` as the user's home. */
export function expandHome(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}
