/**
 * Pure: the scripts that hand a certificate authority over. On its source: what packs it. On its target: what unpacks it beside its
 * place, compares it with what was read, proves it by signing a throw-away certificate, and only then puts it in place; where that
 * says no, its last line on stderr says why, and everything is as it was. Keys stay in 0700 folders and out of every argument.
 */
import { digesting } from "./authority-shell.ts";
import { attributes } from "./backup-shell.ts";
import { sh } from "./quote.ts";

/** Prints a tar archive of those of the names that are in the folder; hard links become files, because openshift-ansible links ca.crt into generated_certs. */
export function packAuthority(folder: string, names: readonly string[]): string {
  return [
    sh`set -u; cd ${folder} || exit 1
set --
for name in ${names}; do`,
    String.raw`  if [ -e "$name" ] || [ -L "$name" ]; then set -- "$@" "$name"; fi
done
[ $# -gt 0 ] || { echo "nothing of it is there any more" >&2; exit 1; }`,
    attributes,
    `tar $kept --numeric-owner --hard-dereference -cf - "$@"`,
  ].join("\n");
}

/** What comes by standard input: a tar archive, of which only `members` are unpacked. */
export interface Delivered {
  readonly members: readonly string[];
  /** Folder in the archive, without slashes around it, that holds `ca` and `generated_certs`, or ca.serial.txt; "." for its top. */
  readonly root: string;
  readonly gzip: boolean;
  /** See AuthorityFacts: what was read is what must arrive. */
  readonly digest: string;
  /** Names what is kept: `ca.before-<run>`. */
  readonly run: string;
}

/**
 * Puts `ca` and `generated_certs` into a folder; prints the digest of what is there then. The one with the serial comes last: what a
 * kill leaves behind shows no serial or an older one, so that the next run does it again.
 * @param o.folder /etc/etcd; the ca.crt in it is what the cluster trusts
 */
export function takeEtcdAuthority(o: Delivered & { folder: string }): string {
  return [
    opening(o),
    digesting,
    unpacking(o),
    sh`new=$scratch/unpacked/${o.root}
[ "$(tree "$new")" = ${o.digest} ] || die "what arrived is not what was read: did the authority change meanwhile?"`,
    request,
    provingEtcd,
    sh`sync_all
keep generated_certs
[ ! -d "$new/generated_certs" ] || mv -T -- "$new/generated_certs" "$folder/generated_certs" || die "generated_certs cannot be put into $folder"
sync_folder
keep ca
mv -T -- "$new/ca" "$folder/ca" || die "ca cannot be put into $folder"
sync_folder
printf 'digest %s\n' "$(tree "$folder")"`,
  ].join("\n");
}

/**
 * Puts ca.serial.txt into a folder, and prints its sha256 then.
 * @param o.folder /etc/origin/master, with the CA's ca.crt and ca.key
 */
export function takeSerial(o: Delivered & { folder: string }): string {
  return [
    opening(o),
    digesting,
    unpacking(o),
    sh`new=$scratch/unpacked/${o.root}/ca.serial.txt
[ -f "$new" ] && [ "$(sum "$new")" = ${o.digest} ] || die "what arrived is not what was read: did the serial change meanwhile?"`,
    request,
    provingOpenShift,
    sh`sync_all
keep ca.serial.txt
mv -T -- "$new" "$folder/ca.serial.txt" || die "ca.serial.txt cannot be put into $folder"
sync_folder
printf 'digest %s\n' "$(sum "$folder/ca.serial.txt")"`,
  ].join("\n");
}

/** A scratch folder of ours in the target's own, so that a rename is one; what a killed run has left there goes first. */
function opening(o: Delivered & { folder: string }): string {
  return [
    sh`set -u; umask 077
folder=${o.folder}; run=${o.run}; scratch=$folder/.openshift-masters-authority.${o.run}`,
    String.raw`die() { printf '%s\n' "$*" >&2; exit 1; }
clean() { rm -rf -- "$folder"/.openshift-masters-authority.*; }
[ -d "$folder" ] || die "$folder is not there"
command -v openssl >/dev/null 2>&1 || die "openssl is not there"
[ -s "$folder/ca.crt" ] || die "$folder/ca.crt, which the cluster trusts, is not there"
trap clean EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 141' PIPE; trap 'exit 143' TERM
clean && mkdir -- "$scratch" "$scratch/unpacked" "$scratch/proof" || die "$folder cannot be written"
sync_all() { find "$scratch/unpacked" -type f -exec sync -- {} + 2>/dev/null || sync; }
sync_folder() { sync -- "$folder" 2>/dev/null || sync; }
keep() { if [ -e "$folder/$1" ] || [ -L "$folder/$1" ]; then
    k=$folder/$1.before-$run; n=0
    while [ -e "$k" ] || [ -L "$k" ]; do n=$((n + 1)); k=$folder/$1.before-$run.$n; done
    mv -T -- "$folder/$1" "$k" || die "the old $1 cannot be kept"
  fi; }`,
    attributes,
  ].join("\n");
}

/**
 * Symbolic links could lead out of the folder, now or later. Hard links cannot: tar takes their targets for names below where it unpacks;
 * those within what was unpacked are files like any other.
 */
const unpacking = (o: Delivered): string =>
  [
    sh`tar --xattrs --xattrs-include='*' -cf /dev/null -T /dev/null 2>/dev/null && kept="$kept --xattrs-include=*"
( set -f; exec tar -C "$scratch/unpacked" $kept --numeric-owner -p ${o.gzip ? "-xzf" : "-xf"} - ${o.members} 2>"$scratch/said" ) || { tail -n 4 "$scratch/said" >&2; die "the archive cannot be unpacked"; }`,
    String.raw`odd=$(find "$scratch/unpacked" -mindepth 1 ! -type f ! -type d -print | head -n 1)
[ -z "$odd" ] || die "the archive holds something that is no file and no folder: $(printf %s "$odd" | cut -c $((${"$"}{#scratch} + 11))-)"`,
  ].join("\n");

/** A key that nobody keeps, and a request for a name that says so. openssl's own configuration may be missing, or ask. */
const request = String.raw`cd "$scratch/proof" || die "$scratch is gone"
HOME=$scratch/proof; SAN=DNS:openshift-masters.invalid; export HOME SAN
name=openshift-masters-proof-$run
said() { tail -n 4 said | cut -c 1-300 >&2; die "$*"; }
printf '[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=%s\n' "$name" >request.cnf
openssl req -new -newkey rsa:2048 -nodes -config request.cnf -keyout key -out request </dev/null >said 2>&1 || said "a throw-away request cannot be made"
prove() { openssl verify -CAfile "$folder/ca.crt" certificate >said 2>&1 </dev/null && [ "$(cat said)" = "certificate: OK" ] || said "a certificate that it signed is not one of the cluster's (openssl verify -CAfile $folder/ca.crt)"
  openssl x509 -in certificate -noout -subject 2>/dev/null | grep -qF -- "$name" && [ "$(openssl x509 -in certificate -noout -pubkey)" = "$(openssl req -in request -noout -pubkey)" ] || die "what it signed is not what was asked for"; }`;

/**
 * As openshift-ansible signs: `openssl ca` with the authority's own openssl.cnf, but on copies of index and serial. A section that comes again
 * adds to the first one and its values win, so that no path in the file counts.
 */
const provingEtcd = String.raw`[ -s "$new/ca/ca.key" ] && [ -s "$new/ca/ca.crt" ] || die "its ca.key or ca.crt is missing"
if [ -f "$new/ca/openssl.cnf" ]; then
  section=$(sed -n 's/^[[:space:]]*\[[[:space:]]*\(etcd_ca\)[[:space:]]*\].*/\1/p' "$new/ca/openssl.cnf" | head -n 1)
  [ -n "$section" ] || section=$(sed -n 's/^[[:space:]]*default_ca[[:space:]]*=[[:space:]]*\([A-Za-z0-9_.-]*\).*/\1/p' "$new/ca/openssl.cnf" | tail -n 1)
  [ -n "$section" ] || die "its openssl.cnf has neither a section etcd_ca nor a default_ca"
  mkdir signed && cp -- "$new/ca/serial" serial && cp -- "$new/ca/index.txt" index.txt || die "its serial or index.txt is missing"
  [ ! -f "$new/ca/index.txt.attr" ] || cp -- "$new/ca/index.txt.attr" index.txt.attr
  { cat -- "$new/ca/openssl.cnf"; printf '\n[ %s ]\ndir = .\ndatabase = index.txt\nserial = serial\nnew_certs_dir = signed\ncertificate = %s\nprivate_key = %s\nRANDFILE = random\n' "$section" ca.crt ca.key; } >signing.cnf
  ln -s -- "$new/ca/ca.crt" ca.crt && ln -s -- "$new/ca/ca.key" ca.key || die "$scratch cannot be written"
  openssl ca -batch -notext -config signing.cnf -name "$section" -days 1 -in request -out certificate </dev/null >said 2>&1 || said "it cannot sign (openssl ca)"
else
  serial=$(tr -d '[:space:]' <"$new/ca/serial")
  openssl x509 -req -sha256 -in request -CA "$new/ca/ca.crt" -CAkey "$new/ca/ca.key" -set_serial "0x$serial" -days 1 -out certificate </dev/null >said 2>&1 || said "it cannot sign (openssl x509 -req)"
fi
prove`;

/** The CA's certificate and key are on every master; what was handed over is its serial. */
const provingOpenShift = String.raw`[ -s "$folder/ca.key" ] || die "$folder/ca.key is not there"
serial=$(tr -d '[:space:]' <"$new")
openssl x509 -req -sha256 -in request -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -set_serial "0x$serial" -days 1 -out certificate </dev/null >said 2>&1 || said "it cannot sign (openssl x509 -req)"
prove`;
