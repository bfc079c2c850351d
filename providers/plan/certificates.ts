/** When etcd's certificates on a master end: how that is asked, and what the answer says. */

export interface CertificateFacts {
  readonly path: string;
  /** Seconds since the epoch; of a bundle of authorities its last end; undefined when openssl could not tell. */
  readonly ends: number | undefined;
}

/** Of etcd, as openshift-ansible lays them down. */
export const etcdCertificates = ["peer", "server", "ca"].map((name) => `/etc/etcd/${name}.crt`);

/** Certificates of one file that are looked at. */
const most = 20;

/** A shell function that prints `path notAfter=…` for each; nothing where openssl is not there. Of a member's own file the first one counts. */
export const ends = String.raw`told() { printf '%s %.200s\n' "$1" "$(timeout 5 openssl x509 -noout -enddate 2>/dev/null)"; }
ends() { command -v openssl >/dev/null 2>&1 || return 0
  for f in ${etcdCertificates.join(" ")}; do [ -f "$f" ] || continue
    told "$f" <"$f"
    i=2; n=1; case $f in */ca.crt) n=$(grep -ac 'BEGIN CERTIFICATE' "$f") ;; esac
    while [ $i -le "$n" ] && [ $i -le ${most} ]; do
      awk -v n=$i '/-----BEGIN CERTIFICATE-----/ { k++ } k == n { print } k == n && /-----END CERTIFICATE-----/ { exit }' "$f" | told "$f"
      i=$((i + 1)); done; done; }`;

/** `notAfter=Nov 23 10:00:00 2028 GMT` in seconds since the epoch; undefined for anything else. */
export function endOf(line: string): number | undefined {
  const [, end = ""] = /^notAfter=([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT)$/.exec(line) ?? [];
  const at = Date.parse(end);
  return Number.isNaN(at) ? undefined : at / 1000;
}

/** What a host said of `ends`; what is not of its form is left out. */
export function certificateFacts(lines: readonly string[]): CertificateFacts[] {
  return etcdCertificates.flatMap((path) => {
    const own = lines.filter((line) => line.startsWith(`${path} `)).slice(0, most);
    if (own.length === 0) return [];
    const known = own.flatMap((line) => endOf(line.slice(path.length + 1)) ?? []);
    return [{ path, ends: known.length === 0 ? undefined : Math.max(...known) }];
  });
}
