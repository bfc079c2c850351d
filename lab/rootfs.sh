#!/bin/bash
# Build the file system that every host of the lab starts from: Debian bookworm with systemd, sshd, haproxy, etcd and containerd.
# usage: rootfs.sh FOLDER   (FOLDER must not exist; it appears whole or not at all)
set -euo pipefail
target=$1 part=$1.part
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,haproxy,etcd-server,etcd-client,procps,ca-certificates,curl,openssl,iptables,kmod,python3-minimal,less,libpam-systemd,socat
rm -rf --one-file-system "$part"
mkdir -p "$(dirname "$target")"
nice debootstrap --variant=minbase --include=$packages bookworm "$part"
# containerd and CNI come without their recommended packages, and no service may start while they are unpacked
printf '#!/bin/sh\nexit 101\n' >"$part/usr/sbin/policy-rc.d"
chmod +x "$part/usr/sbin/policy-rc.d"
chroot "$part" sh -ec 'export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends containerd busybox-static containernetworking-plugins
  useradd --create-home --shell /bin/bash ops
  for unit in haproxy etcd containerd; do systemctl disable "$unit"; done
  systemctl mask e2scrub_reap.timer apt-daily.timer apt-daily-upgrade.timer getty.target console-getty fstrim.timer dpkg-db-backup.timer
  apt-get clean; rm -rf /var/lib/apt/lists/*' >/dev/null
printf 'ops ALL=(ALL) NOPASSWD: ALL\n' >"$part/etc/sudoers.d/ops"
chmod 440 "$part/etc/sudoers.d/ops"
rm -f "$part"/usr/sbin/policy-rc.d "$part"/var/cache/apt/archives/*.deb "$part"/etc/ssh/ssh_host_* # host keys are made per host
# real hosts allow a few unauthenticated connections at once; the lab's tests open many in the same second
printf 'MaxStartups 100\nUseDNS no\n' >"$part/etc/ssh/sshd_config.d/lab.conf"
install -d -m 700 "$part/root/.ssh"
mv -T "$part" "$target"
