#!/bin/bash
# The file tree of each host, put into its image before its first start: what openshift-ansible 3.11 leaves behind.
# usage: hosts.sh TARGET PKI HOST=ADDRESS…
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=$1 pki=$2
shift 2
rm -rf --one-file-system "$target"
umask 022
declare -A ip
hosts=() masters=()
for pair in "$@"; do
  ip[${pair%%=*}]=${pair#*=}
  hosts+=("${pair%%=*}")
  case $pair in master-*) masters+=("${pair%%=*}") ;; esac
done
domain=example.com grace=${LAB_GRACE:-30}

enable() { mkdir -p "$1/etc/systemd/system/multi-user.target.wants"; ln -s "$2" "$1/etc/systemd/system/multi-user.target.wants/"; }
common() {
  local h=$1 d=$target/$1 n
  mkdir -p "$d"/{etc/ssh/sshd_config.d,root/.ssh,etc/pki/ca-trust/source/anchors,etc/sysconfig}
  chmod 700 "$d/root/.ssh" "$d/root"
  cp "$pki/hostkey-$h" "$d/etc/ssh/ssh_host_ed25519_key"
  cp "$pki/hostkey-$h.pub" "$d/etc/ssh/ssh_host_ed25519_key.pub"
  cp "$pki/id_ed25519.pub" "$d/root/.ssh/authorized_keys"
  # root's own file would do for root; the unprivileged user ops gets in by this one, which needs no owner of its own
  cp "$pki/id_ed25519.pub" "$d/etc/ssh/lab-authorized-keys"
  echo "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/lab-authorized-keys" >"$d/etc/ssh/sshd_config.d/lab-keys.conf"
  # an unprivileged container cannot kill a user's manager: a login while it ends would wait for two minutes
  mkdir -p "$d/etc/systemd/system" && ln -s /dev/null "$d/etc/systemd/system/user@.service"
  chmod 600 "$d/etc/ssh/ssh_host_ed25519_key" "$d/root/.ssh/authorized_keys"
  echo "$h$domain" | md5sum | cut -d' ' -f1 >"$d/etc/machine-id"
  cp "$pki/ca.crt" "$d/etc/pki/ca-trust/source/anchors/openshift-ca.crt"
  { echo "127.0.0.1 localhost"; for n in "${hosts[@]}"; do echo "${ip[$n]} $n.$domain $n"; done; } >"$d/etc/hosts"
}
list() { local m sep=; for m in "${masters[@]}"; do printf "$1" "$sep" "$m.$domain" "${ip[$m]}"; sep=,; done; }
flannel() {
  local d=$target/$1
  mkdir -p "$d/usr/local/bin" "$d/etc/systemd/system" "$d/etc/sysconfig"
  install -m 755 "$here/files/flanneld" "$d/usr/local/bin/flanneld"
  cat >"$d/etc/sysconfig/flanneld" <<X
# Flanneld configuration options

# etcd url location.  Point this to the server where etcd runs
FLANNEL_ETCD_ENDPOINTS=$(list '%shttps://%s:2379%.0s')

# etcd config key.  This is the configuration key that flannel queries
# For address range assignment
FLANNEL_ETCD_PREFIX="/openshift.com/network"
FLANNEL_ETCD_KEY="/openshift.com/network"

# Any additional options that you want to pass
FLANNEL_OPTIONS="-iface=eth0 --etcd-cafile=/etc/origin/node/flannel.etcd-ca.crt"
X
  cat >"$d/etc/systemd/system/flanneld.service" <<'X'
[Unit]
Description=Flanneld overlay address etcd agent
After=network.target
[Service]
EnvironmentFile=/etc/sysconfig/flanneld
ExecStart=/usr/local/bin/flanneld
Restart=on-failure
[Install]
WantedBy=multi-user.target
X
  enable "$d" /etc/systemd/system/flanneld.service
}
balancer() {
  local h=$1 d=$target/$1 m n=0
  mkdir -p "$d/etc/systemd/system/haproxy.service.d" "$d/etc/haproxy"
  # the container has no right to the bind mounts of Debian's unit
  printf '[Service]\nBindReadOnlyPaths=\n' >"$d/etc/systemd/system/haproxy.service.d/lab.conf"
  enable "$d" /lib/systemd/system/haproxy.service
  {
    cat <<X
# Global settings
#---------------------------------------------------------------------
global
    maxconn     2000
    log         /dev/log local0 info
    chroot      /var/lib/haproxy
    pidfile     /var/run/haproxy.pid
    user        haproxy
    group       haproxy
    daemon

    # turn on stats unix socket
    stats socket /var/lib/haproxy/stats$([ "$h" = lb-1 ] && echo ' mode 600 level admin expose-fd listeners')

#---------------------------------------------------------------------
# common defaults that all the 'listen' and 'backend' sections will
# use if not designated in their block
#---------------------------------------------------------------------
defaults
    mode                    http
    log                     global
    option                  httplog
    option                  dontlognull
#    option http-server-close
    option forwardfor       except 127.0.0.0/8
    option                  redispatch
    retries                 3
    timeout http-request    10s
    timeout queue           1m
    timeout connect         10s
    timeout client          300s
    timeout server          300s
    timeout http-keep-alive 10s
    timeout check           10s
    maxconn                 2000

listen stats
    bind :9000
    mode http
    stats enable
    stats uri /

frontend  atomic-openshift-api
    bind *:8443
    default_backend atomic-openshift-api
    mode tcp
    option tcplog

backend atomic-openshift-api
    balance source
    mode tcp
X
    for m in "${masters[@]}"; do echo "    server      master$n ${ip[$m]}:8443 check"; n=$((n + 1)); done
  } >"$d/etc/haproxy/haproxy.cfg"
}

pod() { # NAME COMPONENT
  cat <<X
apiVersion: v1
kind: Pod
metadata:
  name: $1
  namespace: kube-system
  labels:
    openshift.io/control-plane: "true"
    openshift.io/component: $2
  annotations:
    scheduler.alpha.kubernetes.io/critical-pod: ''
spec:
  restartPolicy: Always
  hostNetwork: true
  priorityClassName: system-node-critical
  terminationGracePeriodSeconds: $grace
X
}
volumes() { local v; echo "  volumes:"; for v in "$@"; do printf '  - name: %s\n    hostPath:\n      path: %s\n' "${v%%=*}" "${v#*=}"; done; }
component() { # the command of a 3.11 API or controllers pod
  cat <<X
    image: localhost/lab/pod:v1
    imagePullPolicy: Never
    command: ["/bin/bash", "-c"]
    args:
    - |
      #!/bin/bash
      set -euo pipefail
      if [[ -f /etc/origin/master/master.env ]]; then
        set -o allexport
        source /etc/origin/master/master.env
      fi
      exec openshift start master $1 --config=/etc/origin/master/master-config.yaml $2--loglevel=\${DEBUG_LOGLEVEL:-1}
    securityContext:
      privileged: true
X
}
mounts() {
  cat <<'X'
    volumeMounts:
    - mountPath: /etc/origin/master/
      name: master-config
      readOnly: true
    - mountPath: /opt/lab/bin
      name: lab-bin
      readOnly: true
    - mountPath: /etc/hosts
      name: lab-hosts
      readOnly: true
X
}

etcd() {
  local m=$1 d=$target/$1 i=${ip[$1]} f=$1.$domain g=$pki/generated_certs/etcd-$1.$domain t
  mkdir -p "$d/etc/etcd" "$d/var/lib/etcd"
  chmod 700 "$d/etc/etcd" "$d/var/lib/etcd"
  cp "$pki/etcd-ca/ca.crt" "$d/etc/etcd/ca.crt"
  for t in peer server; do cp "$g/$t.crt" "$d/etc/etcd/$t.crt"; cp "$g/$t.key" "$d/etc/etcd/$t.key"; chmod 600 "$d/etc/etcd/$t.key"; done
  if [ "$m" = master-0 ]; then # the CA host: the first of [etcd]
    cp -a "$pki/etcd-ca" "$d/etc/etcd/ca"
    cp -a "$pki/generated_certs" "$d/etc/etcd/generated_certs"
    chmod -R go= "$d/etc/etcd/ca" "$d/etc/etcd/generated_certs"
  fi
  cat >"$d/etc/etcd/etcd.conf" <<X
ETCD_NAME=$f
ETCD_LISTEN_PEER_URLS=https://$i:2380
ETCD_DATA_DIR=/var/lib/etcd/
#ETCD_WAL_DIR=""
#ETCD_SNAPSHOT_COUNT=10000
ETCD_HEARTBEAT_INTERVAL=500
ETCD_ELECTION_TIMEOUT=2500
ETCD_LISTEN_CLIENT_URLS=https://$i:2379
#ETCD_MAX_SNAPSHOTS=5
#ETCD_MAX_WALS=5
#ETCD_CORS=


#[cluster]
ETCD_INITIAL_ADVERTISE_PEER_URLS=https://$i:2380
ETCD_INITIAL_CLUSTER=$(list '%s%s=https://%s:2380')
ETCD_INITIAL_CLUSTER_STATE=new
ETCD_INITIAL_CLUSTER_TOKEN=etcd-cluster-1
#ETCD_DISCOVERY=
#ETCD_DISCOVERY_SRV=
#ETCD_DISCOVERY_FALLBACK=proxy
#ETCD_DISCOVERY_PROXY=
ETCD_ADVERTISE_CLIENT_URLS=https://$i:2379
ETCD_STRICT_RECONFIG_CHECK=true
ETCD_AUTO_COMPACTION_RETENTION=0
ETCD_ENABLE_V2=true
ETCD_QUOTA_BACKEND_BYTES=4294967296

#[proxy]
#ETCD_PROXY=off

#[security]
ETCD_TRUSTED_CA_FILE=/etc/etcd/ca.crt
ETCD_CLIENT_CERT_AUTH="true"
ETCD_CERT_FILE=/etc/etcd/server.crt
ETCD_KEY_FILE=/etc/etcd/server.key
#ETCD_AUTO_TLS=false
ETCD_PEER_TRUSTED_CA_FILE=/etc/etcd/ca.crt
ETCD_PEER_CLIENT_CERT_AUTH="true"
ETCD_PEER_CERT_FILE=/etc/etcd/peer.crt
ETCD_PEER_KEY_FILE=/etc/etcd/peer.key
#ETCD_PEER_AUTO_TLS=false

#[logging]
ETCD_LOG_LEVEL=warn
X
  {
    pod master-etcd etcd
    cat <<X
  containers:
  - name: etcd
    image: localhost/lab/pod:v1
    imagePullPolicy: Never
    workingDir: /var/lib/etcd
    command: ["/bin/sh", "-c"]
    args:
    - |
      #!/bin/sh
      set -o allexport
      source /etc/etcd/etcd.conf
      exec etcd
    securityContext:
      privileged: true
    livenessProbe:
      exec:
        command:
        - env
        - ETCDCTL_API=2
        - etcdctl
        - --cert-file
        - /etc/etcd/peer.crt
        - --key-file
        - /etc/etcd/peer.key
        - --ca-file
        - /etc/etcd/ca.crt
        - --endpoints
        - https://$i:2379
        - cluster-health
      initialDelaySeconds: 45
      periodSeconds: 60
      timeoutSeconds: 15
    volumeMounts:
    - mountPath: /etc/etcd/
      name: master-config
      readOnly: true
    - mountPath: /var/lib/etcd/
      name: master-data
    - mountPath: /usr/host/bin
      name: lab-bin
      readOnly: true
X
    volumes master-config=/etc/etcd/ master-data=/var/lib/etcd lab-bin=/usr/bin
  } >"$d/etc/origin/node/pods/etcd.yaml"
}

master() {
  local m=$1 d=$target/$1 i=${ip[$1]} f=$1.$domain o=$target/$1/etc/origin/master file t
  mkdir -p "$o/named_certificates" "$d"/etc/origin/{node/pods,cloudprovider,generated-configs} "$d"/etc/containerd "$d"/etc/systemd/system \
    "$d"/root/.kube "$d"/etc/dnsmasq.d "$d"/etc/cni/net.d "$d"/usr/local/{bin,lib,sbin} "$d"/etc/profile.d
  chmod 700 "$o"
  etcd "$m"
  cp "$pki/ca.crt" "$o/ca.crt"; cp "$pki/ca.crt" "$o/ca-bundle.crt"; cp "$pki/front-proxy-ca.crt" "$o/front-proxy-ca.crt"
  cp "$pki/ca.key" "$o/ca.key" # openshift-ansible hands the CA's key to every master; only the serial is the first one's
  [ "$m" != master-0 ] || printf '%s' "$(cat "$pki/ca.srl")" >"$o/ca.serial.txt"
  cp "$pki/sa.key" "$o/serviceaccounts.private.key"; cp "$pki/sa.pub" "$o/serviceaccounts.public.key"
  cp "$pki/front-proxy.crt" "$o/master.proxy-client.crt"; cp "$pki/front-proxy.key" "$o/master.proxy-client.key"
  cp "$pki/kubelet-client.crt" "$o/master.kubelet-client.crt"; cp "$pki/kubelet-client.key" "$o/master.kubelet-client.key"
  cp "$pki/openshift-master.crt" "$o/openshift-master.crt"; cp "$pki/openshift-master.key" "$o/openshift-master.key"
  cp "$pki/admin.crt" "$o/admin.crt"; cp "$pki/admin.key" "$o/admin.key"
  for file in master.server.crt master.server.key master.etcd-client.crt master.etcd-client.key master.etcd-client.csr openshift-master.kubeconfig; do cp "$pki/$m/$file" "$o/"; done
  cp "$pki/etcd-ca/ca.crt" "$o/master.etcd-ca.crt"
  cp "$pki/admin.kubeconfig" "$o/admin.kubeconfig"; cp "$pki/admin.kubeconfig" "$d/root/.kube/config"
  # what the vendor's list names and the lab's components do not read
  for t in service-signer etcd.server openshift-router registry; do cp "$pki/admin.crt" "$o/$t.crt"; cp "$pki/admin.key" "$o/$t.key"; done
  echo '{"kind":"Policy","apiVersion":"v1"}' | tee "$o/policy.json" >"$o/scheduler.json"
  echo 'developer:$apr1$lab$Zm9vYmFyYmF6cXV4cXV1eA' >"$o/htpasswd"
  printf 'apiVersion: v1\nkind: SessionSecrets\nsecrets:\n- authentication: LABCANARYsessionauth\n  encryption: LABCANARYsessionenc\n' >"$o/session-secrets.yaml"
  find "$o" \( -name '*.key' -o -name '*.kubeconfig' -o -name htpasswd -o -name session-secrets.yaml \) -exec chmod 600 {} +
  cat >"$o/master.env" <<X
# Proxy and logging of the master's static pods
DEBUG_LOGLEVEL=1
NO_PROXY=.cluster.local,.svc,localhost,$(list '%s%s%.0s'),172.30.0.1
X
  cat >"$o/master-config.yaml" <<X
admissionConfig:
  pluginConfig:
    BuildDefaults:
      configuration:
        apiVersion: v1
        env: []
        kind: BuildDefaultsConfig
        resources:
          limits: {}
          requests: {}
    PodPreset:
      configuration:
        apiVersion: v1
        disable: false
        kind: DefaultAdmissionConfig
apiLevels:
- v1
apiVersion: v1
# the API's own etcd clients
controllerConfig:
  election:
    lockName: openshift-master-controllers
  serviceServingCert:
    signer:
      certFile: service-signer.crt
      keyFile: service-signer.key
controllers: '*'
corsAllowedOrigins:
- (?i)//127\.0\.0\.1(:|\z)
dnsConfig:
  bindAddress: 0.0.0.0:8053
  bindNetwork: tcp4
etcdClientInfo:
  ca: master.etcd-ca.crt
  certFile: master.etcd-client.crt
  keyFile: master.etcd-client.key
  urls:
$(for t in "${masters[@]}"; do echo "  - https://$t.$domain:2379"; done)
etcdStorageConfig:
  kubernetesStoragePrefix: kubernetes.io
  kubernetesStorageVersion: v1
  openShiftStoragePrefix: openshift.io
  openShiftStorageVersion: v1
imageConfig:
  format: registry.example.com/openshift3/ose-\${component}:\${version}
  latest: false
kind: MasterConfig
kubernetesMasterConfig:
  apiServerArguments:
    storage-backend:
    - etcd3
    storage-media-type:
    - application/vnd.kubernetes.protobuf
  controllerArguments:
    cluster-signing-cert-file:
    - /etc/origin/master/ca.crt
  masterCount: ${#masters[@]}
  masterIP: $i
  podEvictionTimeout: null
  proxyClientInfo:
    certFile: master.proxy-client.crt
    keyFile: master.proxy-client.key
  schedulerConfigFile: /etc/origin/master/scheduler.json
  servicesNodePortRange: ""
  servicesSubnet: 172.30.0.0/16
masterClients:
  openShiftLoopbackKubeConfig: openshift-master.kubeconfig
masterPublicURL: https://lb-0.$domain:8443
networkConfig:
  clusterNetworkCIDR: 10.128.0.0/14
  networkPluginName: redhat/openshift-ovs-subnet
  serviceNetworkCIDR: 172.30.0.0/16
oauthConfig:
  identityProviders:
  - challenge: true
    login: true
    mappingMethod: claim
    name: ldap
    provider:
      apiVersion: v1
      bindDN: uid=openshift,dc=example,dc=com
      bindPassword: LABCANARYbindpassword
      kind: LDAPPasswordIdentityProvider
      url: ldap://192.168.55.31/dc=example,dc=com?uid
servingInfo:
  bindAddress: 0.0.0.0:8443
  certFile: master.server.crt
  clientCA: ca.crt
  keyFile: master.server.key
  maxRequestsInFlight: 500
X
  {
    pod master-api api
    printf '  containers:\n  - name: api\n'
    component api ''
    cat <<X
    livenessProbe:
      httpGet:
        scheme: HTTPS
        port: 8443
        path: healthz
        host: $i
      initialDelaySeconds: 45
      timeoutSeconds: 10
      failureThreshold: 8 # 3.11 has the default of 3; two shared cores need more
    readinessProbe:
      httpGet:
        scheme: HTTPS
        port: 8443
        path: readyz
        host: $i
      initialDelaySeconds: 5
      timeoutSeconds: 10
X
    mounts
    volumes master-config=/etc/origin/master/ lab-bin=/opt/lab/bin lab-hosts=/etc/hosts
  } >"$d/etc/origin/node/pods/apiserver.yaml"
  {
    pod master-controllers controllers
    printf '  containers:\n  - name: controllers\n'
    component controllers '--listen=https://0.0.0.0:8444 '
    cat <<'X'
    livenessProbe:
      httpGet:
        scheme: HTTPS
        port: 8444
        path: healthz
        host: 127.0.0.1
      initialDelaySeconds: 45
      timeoutSeconds: 10
      failureThreshold: 8
X
    mounts
    volumes master-config=/etc/origin/master/ lab-bin=/opt/lab/bin lab-hosts=/etc/hosts
  } >"$d/etc/origin/node/pods/controller.yaml"
  node "$m"
  flannel "$m"
  for file in oc master-exec master-restart; do install -m 755 "$here/files/$file" "$d/usr/local/bin/$file"; done
  install -m 644 "$here/files/lab-container" "$d/usr/local/lib/lab-container"
  [ "$grace" = 30 ] || echo "$grace" >"$d/etc/sysconfig/lab-grace"
  cat >"$d/etc/profile.d/etcdctl.sh" <<X
#!/bin/bash
# Sets up handy aliases for etcd, need etcdctl2 and etcdctl3 because
# command flags are different between the two.
etcdctl2() { ETCDCTL_API=2 /usr/bin/etcdctl --cert-file /etc/etcd/peer.crt --key-file /etc/etcd/peer.key --ca-file /etc/etcd/ca.crt -C https://$f:2379 "\${@}"; }
etcdctl3() { ETCDCTL_API=3 /usr/bin/etcdctl --cert /etc/etcd/peer.crt --key /etc/etcd/peer.key --cacert /etc/etcd/ca.crt --endpoints https://$f:2379 "\${@}"; }
X
}

node() { # the kubelet of a master, under the node service's name
  local d=$target/$1 i=${ip[$1]} f=$1.$domain n=$target/$1/etc/origin/node
  cp "$pki/$1/node.kubeconfig" "$n/node.kubeconfig"; cp "$pki/ca.crt" "$n/client-ca.crt"; cp "$pki/ca.crt" "$n/ca.crt"
  cp "$pki/$1/node.crt" "$n/server.crt"; cp "$pki/$1/node.key" "$n/server.key"
  cp "$pki/etcd-ca/ca.crt" "$n/flannel.etcd-ca.crt"; cp "$pki/$1/master.etcd-client.crt" "$n/flannel.etcd-client.crt"; cp "$pki/$1/master.etcd-client.key" "$n/flannel.etcd-client.key"
  cp "$pki/$1/node.crt" "$n/system:node:$f.crt"; cp "$pki/$1/node.key" "$n/system:node:$f.key"
  chmod 600 "$n"/*.key "$n/node.kubeconfig"
  printf 'server=/cluster.local/172.30.0.1\n' | tee "$d/etc/dnsmasq.d/origin-dns.conf" >"$n/node-dnsmasq.conf"
  printf 'server=192.168.55.1\n' >"$d/etc/dnsmasq.d/origin-upstream-dns.conf"
  printf 'conf-dir=/etc/dnsmasq.d\n' >"$d/etc/dnsmasq.conf"
  printf 'nameserver 192.168.55.1\n' >"$n/resolv.conf"
  printf '*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n' >"$d/etc/sysconfig/iptables"
  printf 'OPTIONS="--selinux-enabled --signature-verification=False"\n' >"$d/etc/sysconfig/docker"
  printf 'DOCKER_NETWORK_OPTIONS=" --mtu=1450"\n' >"$d/etc/sysconfig/docker-network"
  printf 'DOCKER_STORAGE_OPTIONS="--storage-driver overlay2"\n' >"$d/etc/sysconfig/docker-storage"
  printf 'STORAGE_DRIVER=overlay2\n' | tee "$d/etc/sysconfig/docker-storage-setup" >"$d/etc/sysconfig/docker-storage-setup.rpmnew"
  cat >"$n/node-config.yaml" <<'X'
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: /etc/origin/node/pods
authentication: {anonymous: {enabled: false}, x509: {clientCAFile: /etc/origin/node/client-ca.crt}, webhook: {enabled: true}}
authorization: {mode: Webhook}
tlsCertFile: /etc/origin/node/server.crt
tlsPrivateKeyFile: /etc/origin/node/server.key
cgroupDriver: cgroupfs
failSwapOn: false
makeIPTablesUtilChains: false
clusterDomain: cluster.local
clusterDNS: [172.30.0.10]
evictionHard: {nodefs.available: "1%", imagefs.available: "1%", memory.available: 50Mi}
imageGCHighThresholdPercent: 100
registerWithTaints: []
fileCheckFrequency: 5s
X
  cat >"$d/etc/containerd/config.toml" <<'X'
version = 2
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/lab/pod:v1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
X
  cat >"$d/etc/cni/net.d/10-lab.conflist" <<X
{"cniVersion":"0.4.0","name":"lab","plugins":[{"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":false,
 "ipam":{"type":"host-local","ranges":[[{"subnet":"10.128.${i##*.}.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}
X
  install -m 755 "$here/files/lab-node-pre" "$d/usr/local/sbin/lab-node-pre"
  cat >"$d/etc/systemd/system/origin-node.service" <<X
[Unit]
Description=OpenShift Node
After=containerd.service network.target
Wants=containerd.service
[Service]
ExecStartPre=/usr/local/sbin/lab-node-pre
ExecStart=/opt/lab/bin/kubelet --config=/etc/origin/node/node-config.yaml --kubeconfig=/etc/origin/node/node.kubeconfig --hostname-override=$f --node-ip=$i --root-dir=/var/lib/origin/openshift.local.volumes --container-runtime=remote --container-runtime-endpoint=unix:///run/containerd/containerd.sock --node-labels=openshift.io/role=master --v=1
KillMode=process
Restart=always
RestartSec=5s
[Install]
WantedBy=multi-user.target
X
  enable "$d" /etc/systemd/system/origin-node.service
  enable "$d" /lib/systemd/system/containerd.service
}

for h in "${hosts[@]}"; do
  common "$h"
  case $h in
    master-*) master "$h" ;;
    lb-*) balancer "$h" ;;
    node-*) flannel "$h" ;;
  esac
done
