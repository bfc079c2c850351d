/** Pure: which credentials are on a host, as a script, and the reader of what it prints. Names, subjects and ends of certificates come back; never what is in a key. */
import { endOf } from "./certificates.ts";
import type { Credential } from "./credentials.ts";
import { inParts, partsOf } from "./parts.ts";
import { escapeControls, quote, sh } from "./quote.ts";

/** A file or folder that is there. */
export interface FoundCredential {
  readonly path: string;
  /** Of the table. */
  readonly of: Credential;
  /** Files in it; undefined for a file. */
  readonly files?: number;
  /** Of the certificate that goes with it, RFC 2253. */
  readonly subject?: string;
  /** ISO 8601. */
  readonly notAfter?: string;
  /** It holds a token, which has no end. */
  readonly token?: true;
}

export interface CredentialFacts {
  readonly found: readonly FoundCredential[];
  /** The host could look into certificates. */
  readonly openssl: boolean;
  /** Its answer is whole. */
  readonly whole: boolean;
}

/** @param root put in front of every path; for tests */
export function credentialsScript(table: readonly Credential[], root = ""): string {
  const looks = table.flatMap(({ files = [], folders = [] }, n) => [
    ...files.map((glob) => `for f in "$root"${globbed(glob)}; do credential ${n} "$f"; done`),
    ...folders.map((folder) => `folder ${n} "$root"${quote(folder)}`),
  ]);
  return inParts(`${sh`root=${root}`}
count=0
certificate() { timeout 5 openssl x509 -noout -subject -enddate -nameopt RFC2253 2>/dev/null | head -c 2000 | head -n 2; }
embedded() { grep -aoE 'client-certificate-data["'"'"']?: *["'"'"']?[A-Za-z0-9+/=]+' -- "$1" | head -n 1 | grep -aoE '[A-Za-z0-9+/=]+$' | base64 -d 2>/dev/null | certificate; }
named() { n=$(grep -aoE 'client-certificate["'"'"']?: *[^ ,}]+' -- "$1" | head -n 1 | sed "s/.*: *//; s/[\\"']//g")
  case $n in "") return ;; /*) n=$root$n ;; *) n=$(dirname -- "$1")/$n ;; esac
  [ -f "$n" ] && certificate <"$n"; }
credential() {
  [ -f "$2" ] && [ $count -lt 300 ] || return
  case $2 in *[![:print:]]*) return ;; esac
  count=$((count + 1))
  printf 'file %s %s\\n' "$1" "\${2#"$root"}"
  [ "$(stat -Lc %s -- "$2" 2>/dev/null || echo 9999999)" -le 1048576 ] || return
  case $2 in
    *.kubeconfig | */.kube/config) c=$(embedded "$2"); [ -n "$c" ] || c=$(named "$2"); printf '%s\\n' "$c"
      grep -aqE '(^|[ {,])["'"'"']?token["'"'"']?: *[^ ]' -- "$2" && echo token ;;
    *.key) [ -f "\${2%.key}.crt" ] && certificate <"\${2%.key}.crt" ;;
    *.pem) certificate <"$2" ;;
  esac; }
folder() { [ -d "$2" ] || return
  printf 'folder %s %s %s\\n' "$1" "$(timeout 10 find "$2" -xdev -type f 2>/dev/null | head -n 10000 | wc -l)" "\${2#"$root"}"; }
list() {
command -v openssl >/dev/null 2>&1 && echo openssl
${looks.join("\n")}
echo end; }
part credentials list`);
}

/** Quoted but for its asterisks. */
const globbed = (glob: string): string =>
  glob
    .split("*")
    .map((piece) => (piece === "" ? "" : quote(piece)))
    .join("*");

/** What a host said of `credentialsScript`; what is not of its form is left out. */
export function credentialFacts(stdout: string, table: readonly Credential[]): CredentialFacts {
  const text = Buffer.from(partsOf(stdout).get("credentials")?.bytes ?? []).toString("latin1");
  const found = new Map<string, FoundCredential>();
  let last: string | undefined;
  const lines = text.split("\n").slice(0, 3000);
  for (const line of lines) {
    const file = /^file (\d{1,3}) (\/.{0,400})$/.exec(line);
    const folder = /^folder (\d{1,3}) (\d{1,9}) (\/.{0,400})$/.exec(line);
    if (file !== null || folder !== null) {
      const of = table[Number((file ?? folder)?.[1])];
      const where = escapeControls(file?.[2] ?? folder?.[3] ?? "");
      last = of === undefined || found.has(where) ? undefined : where;
      if (of !== undefined && last !== undefined)
        found.set(last, { path: last, of, ...(folder === null ? {} : { files: Number(folder[2]) }) });
      continue;
    }
    const one = last === undefined ? undefined : found.get(last);
    if (one !== undefined && last !== undefined) found.set(last, { ...one, ...certificateIn(line) });
  }
  return {
    found: [...found.values()].filter(({ files }) => files !== 0),
    openssl: lines.includes("openssl"),
    whole: lines.includes("end"),
  };
}

/** `subject= CN=…` or `subject=CN=…`, `notAfter=Nov 23 10:00:00 2028 GMT`, `token`. */
function certificateIn(line: string): Pick<FoundCredential, "subject" | "notAfter" | "token"> {
  if (line === "token") return { token: true };
  const [, subject] = /^subject=\s*([^=].{0,300})$/.exec(line) ?? [];
  if (subject !== undefined) return { subject: escapeControls(subject).slice(0, 200) };
  const at = endOf(line);
  return at === undefined ? {} : { notAfter: new Date(at * 1000).toISOString() };
}
