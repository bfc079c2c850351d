/** Opens connections: host key checked, log-in by key or agent, through a bastion if there is one. */
import type { Duplex } from "node:stream";
import ssh2, { type ConnectConfig } from "ssh2";
import { hostKeyCheck, type HostKeyCheck } from "./host-key.ts";
import { codeOf, type Identity } from "./identity.ts";
import { Line } from "./line.ts";

/** Milliseconds from the first packet to being logged in. */
const connectDeadline = 10_000;

/** Where to connect to. */
export interface Endpoint {
  readonly user: string;
  /** Names known_hosts may have it under, the deciding one first. */
  readonly names: readonly string[];
  readonly address: string;
  readonly port: number;
  readonly knownHosts: string;
  readonly identity: Identity;
  /** A channel through the bastion, instead of a connection of our own. */
  readonly sock?: Duplex;
}

/** No connection came about; every caller that waited for it makes its own RemoteError of this. */
export class NoConnection extends Error {
  override readonly name = "NoConnection";
  readonly remedy: string | undefined;

  constructor(seen: string, remedy?: string, cause?: unknown) {
    super(seen, cause === undefined ? {} : { cause });
    this.remedy = remedy;
  }
}

/**
 * Connects and logs in, within 10 s.
 * @throws NoConnection with what was seen; Refusal when known_hosts cannot be read
 */
export async function openLine(e: Endpoint): Promise<Line> {
  const check = await hostKeyCheck(e.knownHosts, e.names, e.port);
  if (check.types.length > 0 && check.algorithms.length === 0)
    throw new NoConnection(
      `no SSH connection to ${place(e)}: ${e.knownHosts} has only keys of a type that is not supported (${check.types.join(", ")})`,
      "add the host's ssh-ed25519, ecdsa or rsa key",
    );
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    const fail = (cause: Error) => {
      clearTimeout(timer);
      client.destroy();
      reject(explain(e, check, cause));
    };
    const timer = setTimeout(() => fail(new Error("no log-in within 10 s")), connectDeadline);
    // Stays for the life of the client: an `error` nobody hears ends the process.
    client.on("error", fail);
    client.once("close", () => fail(new Error("the connection was closed during log-in")));
    client.once("ready", () => {
      clearTimeout(timer);
      client.setNoDelay(true);
      resolve(new Line(client));
    });
    try {
      client.connect(configuration(e, check));
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

/**
 * A channel from the bastion to a host, to be the next connection's socket.
 * @throws NoConnection after 10 s at the latest: the bastion's own attempt may take minutes
 */
export function tunnel(bastion: Line, address: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    let over = false;
    const refuse = (cause: Error) => {
      over = true;
      clearTimeout(timer);
      reject(
        new NoConnection(`the bastion could not reach ${address}:${String(port)} (${cause.message})`, undefined, cause),
      );
    };
    const timer = setTimeout(() => refuse(new Error("no answer within 10 s")), connectDeadline);
    const forget = bastion.onLost(refuse);
    bastion.client.forwardOut("127.0.0.1", 0, address, port, (error, channel) => {
      forget();
      clearTimeout(timer);
      if (error) {
        refuse(error);
        return;
      }
      channel.on("error", () => undefined);
      if (over) channel.close();
      else resolve(channel);
    });
  });
}

function configuration(e: Endpoint, check: HostKeyCheck): ConnectConfig {
  return {
    host: e.address,
    port: e.port,
    username: e.user,
    ...e.identity,
    authHandler: [
      ...(e.identity.privateKey ? (["publickey"] as const) : []),
      ...(e.identity.agent ? (["agent"] as const) : []),
    ],
    ...(e.sock ? { sock: e.sock } : {}),
    agentForward: false,
    hostVerifier: (key: Buffer) => check.accepts(key),
    ...(check.algorithms.length > 0 ? { algorithms: { serverHostKey: check.algorithms } } : {}),
    readyTimeout: connectDeadline,
    // gives up at the fourth beat without an answer: 28 s after the last that was heard
    keepaliveInterval: 7_000,
    keepaliveCountMax: 3,
  };
}

function explain(e: Endpoint, check: HostKeyCheck, cause: Error): NoConnection {
  const at = `no SSH connection to ${place(e)}`;
  const refused = check.refused();
  if (refused) return new NoConnection(`${at}: ${refused.seen}`, refused.remedy, cause);
  if (/no matching host key/.test(cause.message))
    return new NoConnection(
      `${at}: it has no host key of the types ${e.knownHosts} knows it by (${check.types.join(", ")})`,
      "this may be another machine; compare its keys on the host's own console before changing the file",
      cause,
    );
  if (/authentication methods failed/.test(cause.message))
    return new NoConnection(
      `${at}: it does not accept our key for ${e.user}`,
      `put the public key into ${e.user}'s authorized_keys there`,
      cause,
    );
  return new NoConnection(`${at}: ${cause.message === "" ? codeOf(cause) : cause.message}`, undefined, cause);
}

function place(e: Endpoint): string {
  return `${e.user}@${e.address}:${String(e.port)}`;
}
