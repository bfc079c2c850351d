#!/bin/bash
# Keys and certificates of the lab, made once a machine for every host it may have: OpenShift's CA and etcd's CA, both with the
# serial files that openshift-ansible keeps, certificates a master needs, kubeconfigs, an ssh key and host keys.
# usage: pki.sh FOLDER HOST=ADDRESS…   (FOLDER appears whole or not at all)
set -euo pipefail
target=$1 part=$1.part
shift
rm -rf --one-file-system "$part"
mkdir -p "$part"
cd "$part"
declare -A ip
hosts=() masters=() balancers=()
for pair in "$@"; do
  name=${pair%%=*} ip[${pair%%=*}]=${pair#*=}
  hosts+=("$name")
  case $name in master-*) masters+=("$name") ;; lb-*) balancers+=("$name") ;; esac
done
domain=example.com

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1" 2>/dev/null; }
ca() { key "$1.key"; openssl req -x509 -new -key "$1.key" -days 1825 -out "$1.crt" -subj "/CN=$2" 2>/dev/null; }
# cert FILE CA SUBJECT EKU [SAN]
cert() {
  key "$1.key"
  openssl req -new -key "$1.key" -out "$1.csr" -subj "$3" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAserial "$2.srl" -CAcreateserial -days 730 -out "$1.crt" \
    -extfile <(printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=%s\n%s\n' "$4" "${5:+subjectAltName=$5}") 2>/dev/null
}
# kubeconfig FILE CERT SERVER
kubeconfig() {
  cat >"$1" <<X
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "$3", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: u, user: {client-certificate-data: $(base64 -w0 "$2.crt"), client-key-data: $(base64 -w0 "$2.key")}}]
contexts: [{name: c, context: {cluster: lab, user: u}}]
current-context: c
X
}

ca ca openshift-signer
ca front-proxy-ca front-proxy-signer
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null

# etcd's CA in openshift-ansible's layout: openssl ca with index.txt and serial, and what it signed in generated_certs
mkdir -p etcd-ca/{certs,crl,fragments} generated_certs
ca etcd-ca/ca etcd-signer
touch etcd-ca/index.txt
echo 01 >etcd-ca/serial
cat >etcd-ca/openssl.cnf <<'X'
# /etc/etcd/ca/openssl.cnf
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
X
# etcd_cert FILE SUBJECT EKU [SAN]
etcd_cert() {
  key "$1.key"
  openssl req -new -key "$1.key" -out "$1.csr" -subj "$2" 2>/dev/null
  sed "s#/etc/etcd/ca#$PWD/etcd-ca#" etcd-ca/openssl.cnf >signing.cnf
  openssl ca -batch -notext -config signing.cnf -name etcd_ca -in "$1.csr" -out "$1.crt" \
    -extfile <(printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=%s\n%s\n' "$3" "${4:+subjectAltName=$4}") 2>/dev/null
  rm signing.cnf
}

cert admin ca "/O=system:masters/CN=system:admin" clientAuth
cert openshift-master ca "/O=system:masters/CN=system:openshift-master" clientAuth
cert kubelet-client ca "/O=system:masters/CN=system:openshift-node-admin" clientAuth
cert front-proxy front-proxy-ca "/CN=aggregator-front-proxy" clientAuth
balancer_ips=$(for b in "${balancers[@]}"; do printf 'IP:%s,DNS:%s.%s,' "${ip[$b]}" "$b" $domain; done)
kubeconfig admin.kubeconfig admin "https://lb-0.$domain:8443"
for m in "${masters[@]}"; do
  i=${ip[$m]} f=$m.$domain g=generated_certs/etcd-$m.$domain
  mkdir -p "$g"
  etcd_cert "$g/server" "/CN=$f" serverAuth "IP:$i,DNS:$f"
  etcd_cert "$g/peer" "/CN=$f" serverAuth,clientAuth "IP:$i,DNS:$f"
  cp etcd-ca/ca.crt "$g/"
  mkdir -p "$m"
  etcd_cert "$m/master.etcd-client" "/CN=$f" clientAuth "IP:$i,DNS:$f"
  cert "$m/master.server" ca "/CN=$f" serverAuth "IP:$i,IP:127.0.0.1,${balancer_ips}IP:172.30.0.1,DNS:$f,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  cert "$m/node" ca "/O=system:nodes/CN=system:node:$f" serverAuth,clientAuth "IP:$i,DNS:$f"
  kubeconfig "$m/openshift-master.kubeconfig" openshift-master "https://$f:8443"
  kubeconfig "$m/node.kubeconfig" "$m/node" "https://lb-0.$domain:8443"
done
ssh-keygen -q -t ed25519 -N '' -C lab -f id_ed25519
for h in "${hosts[@]}"; do ssh-keygen -q -t ed25519 -N '' -C "root@$h" -f "hostkey-$h"; done
find . -name '*.csr' -not -name 'master.etcd-client.csr' -delete
mv -T "$part" "$target"
