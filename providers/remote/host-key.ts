/** Who the hosts are to us: what known_hosts says about one, put into ssh2's terms. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { ServerHostKeyAlgorithm } from "ssh2";
import { keysFor, keyType, type KnownKeys } from "../plan/known-hosts.ts";
import { Refusal } from "../plan/refusal.ts";
import { codeOf } from "./identity.ts";
import { expandHome } from "./settings.ts";

/** What must be true of the key a host shows. */
export interface HostKeyCheck {
  /** Signature algorithms to offer: those known_hosts has keys for. Empty = ssh2's own list, to learn the key of an unknown host. */
  readonly algorithms: ServerHostKeyAlgorithm[];
  /** The host verifier. Remembers why it said no. */
  accepts(key: Buffer): boolean;
  /** Why the key was, or would be, refused; undefined = it was accepted or never shown. */
  refused(): { seen: string; remedy: string } | undefined;
  /** Key types known_hosts has, for messages. */
  readonly types: readonly string[];
}

const algorithmsOf: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  "ssh-ed25519": ["ssh-ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
  "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
  "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
  "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"],
};

/**
 * Looks a host up. The file is read each time: what the administrator adds to it counts at the next attempt.
 * @throws Refusal when the file cannot be read
 */
export async function hostKeyCheck(knownHosts: string, names: readonly string[], port: number): Promise<HostKeyCheck> {
  const file = expandHome(knownHosts);
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new Refusal(`ssh.knownHosts: ${file} cannot be read (${codeOf(cause)}); host keys are always verified`, {
      cause,
    });
  });
  const known = keysFor(text, names, port);
  let refused: { seen: string; remedy: string } | undefined;
  return {
    algorithms: known.types.flatMap((type) => algorithmsOf[type] ?? []),
    types: known.types,
    accepts(key) {
      const verdict = known.accepts(key);
      refused = verdict === "match" ? undefined : complaint(verdict, { file, known, key, names, port });
      return verdict === "match";
    },
    refused: () => refused,
  };
}

interface Shown {
  readonly file: string;
  readonly known: KnownKeys;
  readonly key: Buffer;
  readonly names: readonly string[];
  readonly port: number;
}

function complaint(verdict: "unknown" | "mismatch" | "revoked", s: Shown): { seen: string; remedy: string } {
  const shown = `it showed ${keyType(s.key) ?? "a key"} ${fingerprint(s.key)}`;
  const entry = s.port === 22 ? (s.names[0] ?? "") : `[${s.names[0] ?? ""}]:${String(s.port)}`;
  const compare = "compare this with ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub on the host's own console";
  switch (verdict) {
    case "revoked":
      return {
        seen: `its host key is marked @revoked in ${s.file} (${shown})`,
        remedy: "do not log in to it; give the host new keys",
      };
    case "mismatch":
      return {
        seen: `its host key is not the one in ${s.file} line ${s.known.lines.join(", ")} (${shown})`,
        remedy: `this may be another machine; ${compare}; only then replace the entry of ${entry}`,
      };
    case "unknown": {
      const authority = s.known.onlyAuthority ? " (only an @cert-authority, which is not supported)" : "";
      return {
        seen: `${s.file} has no key for ${s.names.join(" or ")} at port ${String(s.port)}${authority} (${shown})`,
        remedy: `${compare}, then add it to the file under the name ${entry}`,
      };
    }
  }
}

/** As ssh-keygen -l prints it. */
function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}
