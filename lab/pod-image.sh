#!/bin/bash
# The one small image of the static pods: busybox, libc for Debian's etcd, pause, and the `openshift` wrapper. The large
# binaries come in by hostPath. It is also imported once into a containerd folder that every master starts with.
# usage: pod-image.sh TARGET ROOTFS HOST_IMAGE   (TARGET appears whole or not at all)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=$1 rootfs=$2 host_image=$3 part=$1.part
rm -rf --one-file-system "$part"
fs=$part/fs
mkdir -p "$fs"/{bin,usr/bin,lib64,lib/x86_64-linux-gnu,etc,tmp,var,proc,sys,dev} "$part/containerd"
cp "$rootfs/bin/busybox" "$fs/bin/"
cp "$rootfs/bin/bash" "$fs/bin/"
for applet in sh sleep cat ls ps kill env wget nc pidof awk sed tr dirname date mkdir rm tar; do ln -sf busybox "$fs/bin/$applet"; done
cp -L "$rootfs/lib64/ld-linux-x86-64.so.2" "$fs/lib64/"
cp -L "$rootfs"/lib/x86_64-linux-gnu/{libc,libpthread,libresolv,libdl,libtinfo}.so.* "$fs/lib/x86_64-linux-gnu/"
install -m 755 "$here/files/openshift" "$fs/usr/bin/openshift"
gcc -Os -static -s -o "$fs/pause" "$here/files/pause.c"
tar -C "$fs" -c . | podman import -c 'ENTRYPOINT ["/pause"]' -c 'ENV PATH=/usr/bin:/bin:/usr/host/bin' - localhost/lab/pod:v1 >/dev/null 2>&1
podman save --format docker-archive -o "$part/pod.tar" localhost/lab/pod:v1 >/dev/null 2>&1
podman --runtime runc run --rm --privileged --network none --ulimit nofile=1024:4096 --ulimit nproc=4096:4096 \
  -v "$part/containerd:/var/lib/containerd" -v "$part/pod.tar:/pod.tar:ro" "$host_image" sh -ec '
    containerd >/dev/null 2>&1 & pid=$!
    for i in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
    ctr -n k8s.io images import /pod.tar >/dev/null
    kill $pid; wait $pid || true'
rm -rf --one-file-system "$fs"
mv -T "$part" "$target"
