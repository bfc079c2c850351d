/** Certificate authorities of the real kind in throw-away folders: as the lab lays them down, and as openshift-ansible does. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { digesting } from "../../providers/plan/authority-shell.ts";
import { sh } from "../../providers/plan/quote.ts";

const openssl = (...words: string[]) => execFileSync("openssl", words, { stdio: ["ignore", "pipe", "ignore"] });

/** The lab's openssl.cnf (lab/pki.sh). */
export const labConfiguration = `# /etc/etcd/ca/openssl.cnf
[ ca ]
default_ca = etcd_ca
[ etcd_ca ]
dir = /etc/etcd/ca
database = $dir/index.txt
new_certs_dir = $dir/certs
certificate = $dir/ca.crt
private_key = $dir/ca.key
serial = $dir/serial
default_md = sha256
default_days = 1825
policy = policy_any
copy_extensions = copy
unique_subject = no
[ policy_any ]
organizationName = optional
commonName = supplied
[ req ]
distinguished_name = dn
[ dn ]
`;

/** openshift-ansible's: the distribution's file, and behind it its own sections with whole paths. No newline at the end. */
export const ansibleConfiguration = `HOME			= .
RANDFILE		= $ENV::HOME/.rnd
[ ca ]
default_ca	= CA_default		# The default ca section
[ CA_default ]
dir		= /etc/pki/CA
database	= $dir/index.txt
serial		= $dir/serial
private_key	= $dir/private/cakey.pem
policy		= policy_match
[ policy_match ]
countryName		= match
[ policy_anything ]
countryName		= optional
organizationName	= optional
commonName		= supplied
[ req ]
distinguished_name	= req_distinguished_name
[ req_distinguished_name ]
commonName			= Common Name

[ etcd_v3_req ]
basicConstraints = critical,CA:FALSE
keyUsage         = digitalSignature,keyEncipherment
subjectAltName   = \${ENV::SAN}

[ etcd_ca ]
dir             = /etc/etcd/ca
crl_dir         = /etc/etcd/ca/crl
database        = /etc/etcd/ca/index.txt
new_certs_dir   = /etc/etcd/ca/certs
certificate     = /etc/etcd/ca/ca.crt
serial          = /etc/etcd/ca/serial
private_key     = /etc/etcd/ca/ca.key
crl_number      = /etc/etcd/ca/crlnumber
x509_extensions = etcd_v3_ca_client
default_days    = 1825
default_md      = sha256
preserve        = no
name_opt        = ca_default
cert_opt        = ca_default
policy          = policy_anything
unique_subject  = no
copy_extensions = copy

[ etcd_v3_ca_client ]
authorityKeyIdentifier = keyid,issuer:always
basicConstraints       = critical,CA:FALSE
extendedKeyUsage       = clientAuth
keyUsage               = digitalSignature,keyEncipherment
subjectKeyIdentifier   = hash`;

/** A key and the certificate of a CA. */
export function authorityIn(folder: string, subject: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const [key, certificate] = [join(folder, "ca.key"), join(folder, "ca.crt")];
  openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    key,
    "-out",
    certificate,
    "-subj",
    `/CN=${subject}`,
    "-days",
    "30",
  );
}

/** `ca` and `generated_certs` in a folder, `ca` copied from where `authorityIn` made it; ca.crt is hard-linked as openshift-ansible does. */
export function etcdTree(folder: string, made: string, serial: string, configuration: string | undefined): void {
  const ca = join(folder, "ca");
  for (const name of ["certs", "crl", "fragments"]) mkdirSync(join(ca, name), { recursive: true, mode: 0o700 });
  cpSync(made, ca, { recursive: true });
  writeFileSync(join(ca, "serial"), serial);
  writeFileSync(join(ca, "index.txt"), "V\t330101000000Z\t\t01\tunknown\t/CN=master-0.example.com\n");
  writeFileSync(join(ca, "index.txt.attr"), "unique_subject = no\n");
  if (configuration !== undefined) writeFileSync(join(ca, "openssl.cnf"), configuration);
  const generated = join(folder, "generated_certs", "etcd-master-1.example.com");
  mkdirSync(generated, { recursive: true, mode: 0o700 });
  linkSync(join(ca, "ca.crt"), join(generated, "ca.crt"));
  writeFileSync(
    join(generated, "server.key"),
    "-----BEGIN PRIVATE KEY-----\nLABCANARYserver\n-----END PRIVATE KEY-----\n",
    { mode: 0o600 },
  );
  writeFileSync(
    Buffer.concat([Buffer.from(`${generated}/it's \\a "name"\nof `), Buffer.from([0xff]), Buffer.from(" bytes")]),
    "odd",
  );
}

/** The digest as the host tells it. */
export const treeDigest = (folder: string): string =>
  execFileSync("sh", ["-c", `${digesting}\n${sh`tree ${folder}`}`], {
    env: { ...process.env, LC_ALL: "C" },
    encoding: "utf8",
  }).trim();
export const fileDigest = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

/** Everything below a folder: kind, mode, owner and content by name. */
export function inventoryOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "latin1" }).toSorted();
  return Object.fromEntries(
    names.map((name) => {
      const path = Buffer.from(`${folder}/${name}`, "latin1");
      const seen = lstatSync(path);
      const what = seen.isFile()
        ? createHash("sha256").update(readFileSync(path)).digest("hex")
        : seen.isDirectory()
          ? "folder"
          : `link to ${readlinkSync(path)}`;
      return [name, `${(seen.mode & 0o7777).toString(8)} ${seen.uid}:${seen.gid} ${what}`];
    }),
  );
}
