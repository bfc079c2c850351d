/** Who we are to the hosts: a private key, an agent, or both. */
import { readFile, stat } from "node:fs/promises";
import ssh2 from "ssh2";
import { Refusal } from "../plan/refusal.ts";
import { expandHome, type SshSettings } from "./settings.ts";

/** The part of ssh2's configuration that logs in. */
export interface Identity {
  readonly privateKey?: Buffer;
  readonly passphrase?: string;
  /** Path of the agent's socket. */
  readonly agent?: string;
}

/**
 * Reads and proves the key, so that a wrong one is told before any host is spoken to.
 * @throws Refusal naming the file, or the variable, and the remedy
 */
export async function loadIdentity(settings: SshSettings): Promise<Identity> {
  const socket = process.env["SSH_AUTH_SOCK"] ?? "";
  if (settings.agent === true && socket === "")
    throw new Refusal(
      "ssh.agent is true, but no agent is running here (SSH_AUTH_SOCK is not set); start one and ssh-add the key",
    );
  const agent = settings.agent === true ? { agent: socket } : {};
  if (settings.privateKeyPath !== undefined)
    return { ...agent, ...(await loadKey(settings.privateKeyPath, settings.sshPassphrase)) };
  if (settings.agent === true) return agent;
  throw new Refusal("no way to log in is configured: set ssh.privateKeyPath, or ssh.agent to true");
}

async function loadKey(configured: string, passphrase: string | undefined): Promise<Identity> {
  const path = expandHome(configured);
  const privateKey = await readPrivate(path);
  const key = ssh2.utils.parseKey(privateKey, passphrase);
  if (key instanceof Error) throw new Refusal(unusable(path, key.message, passphrase !== undefined), { cause: key });
  if (!key.isPrivateKey())
    throw new Refusal(`ssh.privateKeyPath: ${path} holds a public key; name the private one (without .pub)`);
  return passphrase === undefined ? { privateKey } : { privateKey, passphrase };
}

async function readPrivate(path: string): Promise<Buffer> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0)
      throw new Refusal(
        `ssh.privateKeyPath: others may read or write ${path} (mode ${(mode & 0o777).toString(8).padStart(4, "0")}); chmod 600 it`,
      );
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    throw new Refusal(`ssh.privateKeyPath: ${path} cannot be read (${codeOf(cause)})`, { cause });
  }
}

function unusable(path: string, message: string, tried: boolean): string {
  const where = `ssh.privateKeyPath: ${path}`;
  if (/no passphrase/i.test(message))
    return `${where} is encrypted and no passphrase is configured; pulumi config set --secret --path openshift-masters:ssh.sshPassphrase, or use the agent`;
  if (tried && /integrity check|bad passphrase|bad decrypt|decrypt|malformed openssh/i.test(message))
    return `${where} cannot be decrypted: sshPassphrase is wrong`;
  return `${where} is not a usable private key (${message})`;
}

/** The short name of a file or network error: `ENOENT`. */
export function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.message;
}
