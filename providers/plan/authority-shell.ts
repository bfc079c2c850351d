/** Pure: what the probe and the hand-over ask of a certificate authority in the same words of shell. */

/** Bytes of `ca` and `generated_certs` together that are handed over, and files in them: openshift-ansible makes a few dozen. */
export const largestTree = 64 * 1024 * 1024;
const mostFiles = 5000;

/**
 * `sum FILE` prints a file's sha256. `tree FOLDER` prints the digest of `ca` and `generated_certs` in it: sha256 over a line
 * `<sha256>  <path>` for each regular file, sorted bytewise by path (LC_ALL=C); `links` when anything but files and folders is in
 * them, `large` when they are larger than is handed over. Where a
 * name has a newline or a backslash, which sha256sum would write in another way, each file is given to it by its standard input.
 */
export const digesting = String.raw`sum() { h=$(sha256sum <"$1") && printf %s "${"$"}{h%% *}"; }
tree() { ( cd "$1" || exit 1; set --
  for d in ca generated_certs; do if [ -L "$d" ]; then echo links; exit; fi; if [ -d "$d" ]; then set -- "$@" "$d"; fi; done
  [ $# -gt 0 ] || exit 1
  if [ -n "$(find "$@" ! -type f ! -type d -print | head -c 1)" ]; then echo links; exit; fi
  if [ "$(find "$@" -type f -printf x | head -c ${mostFiles + 1} | wc -c)" -gt ${mostFiles} ] || [ "$(du -skc -- "$@" | tail -n 1 | cut -f 1)" -gt ${largestTree / 1024} ]; then echo large; exit; fi
  if [ -z "$(find "$@" -name '*[\\
]*' -print | head -c 1)" ]; then find "$@" -type f -print0 | sort -z | xargs -0 -r sha256sum | sha256sum | cut -c 1-64; exit; fi
  find "$@" -type f -print0 | sort -z | xargs -0 -r sh -c 'for f; do h=$(sha256sum <"$f") || exit 255; printf "%s  %s\n" "${"$"}{h%% *}" "$f"; done' sh | sha256sum | cut -c 1-64 ) }`;

/**
 * `authority` prints a line for each place of a CA: path and text of its serial, sha256 of its ca.crt and of the first certificate in that, whether its key is
 * there, and the digest of what a hand-over copies; `-` where there is none. `trust` prints the hashes of what the cluster trusts: of the whole file, and of each certificate in it.
 */
export const asking = String.raw`${digesting}
pem() { h=$(awk -v n="$2" '/-----BEGIN CERTIFICATE-----/ { k++ } k == n { sub(/\r$/, ""); print } k == n && /-----END CERTIFICATE-----/ { exit }' "$1" | sha256sum); p=${"$"}{h%% *}; }
place() { [ -f "$1" ] || return 0
  s=$(head -c 200 "$1" | tr -d '[:space:]'); c=- p=- k=-
  if [ -f "$2/ca.crt" ]; then c=$(sum "$2/ca.crt"); pem "$2/ca.crt" 1; fi
  if [ -s "$2/ca.key" ]; then k=key; fi
  printf '%s %s %s %s %s %s\n' "$1" "${"$"}{s:--}" "${"$"}{c:--}" "$p" "$k" "$3"; }
authority() { m=/etc/origin/master
  if [ -f $m/ca.serial.txt ]; then place $m/ca.serial.txt $m "$(sum $m/ca.serial.txt)"; fi
  for e in /etc/etcd $m/etc/etcd; do if [ -f $e/ca/serial ]; then place $e/ca/serial $e/ca "$(tree $e)"; fi; done; }
trust() { for f in /etc/origin/master/ca.crt /etc/etcd/ca.crt; do [ -f "$f" ] || continue
  printf '%s %s\n' "$f" "$(sum "$f")"; i=1; n=$(grep -c 'BEGIN CERTIFICATE' "$f")
  while [ $i -le "$n" ] && [ $i -le 50 ]; do pem "$f" $i; printf '%s %s\n' "$f" "$p"; i=$((i + 1)); done; done; }`;
