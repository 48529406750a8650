#!/bin/bash
# node-init.sh NODE: the first process of a node. It gives the node its own view of the machine's files, its network and
# its servers, and then only collects ended processes. Started by node_start in fresh namespaces.
set -euo pipefail
LAB_HOME=$(dirname "$(dirname "$(readlink -f "$0")")")
for part in common ovs; do
	# shellcheck source=/dev/null
	. "$LAB_HOME/lib/$part.sh"
done
NODE=$1
DIR=$RUN/n$NODE
export PATH=$NODE_PATH

# Control groups, as the node sees them: its own group is the root. Called while /sys is still the machine's.
mount_sys() {
	local trees version=none options name
	trees=$(awk '$3 == "cgroup" { print $4 }' /proc/mounts)
	[ -z "$trees" ] || version=1
	[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || version=2
	umount --lazy --recursive /sys 2>/dev/null || umount --lazy /sys
	mount -t sysfs sysfs /sys
	case $version in
	1)
		mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
		for options in $trees; do
			# of "rw,relatime,cpu,cpuacct" the controllers; named trees have none
			name=$(tr ',' '\n' <<<"$options" | grep -xE 'cpu|cpuacct|cpuset|memory|devices|freezer|blkio|pids|net_cls|net_prio|perf_event|hugetlb' | paste -sd ,) || continue
			mkdir -p "/sys/fs/cgroup/$name"
			mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name"
		done
		;;
	2)
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		# only leaves may hold processes; libvirt makes its groups beside this one
		mkdir /sys/fs/cgroup/lab
		echo 0 >/sys/fs/cgroup/lab/cgroup.procs
		xargs -r -n 1 </sys/fs/cgroup/cgroup.controllers | while read -r name; do
			echo "+$name" >/sys/fs/cgroup/cgroup.subtree_control || :
		done
		;;
	esac
}

# A private /dev. It lacks kvm when KVM does not really work, else libvirt would offer it; covering /dev/kvm with a mount
# instead makes libvirt's own namespaces for QEMU fail, and so do mounts that are hidden below others.
mount_dev() {
	local new=/run/dev device link
	mkdir $new
	mount -t tmpfs -o mode=755 dev $new
	mkdir $new/pts $new/shm $new/net $new/mapper
	for device in null zero full random urandom tty fuse net/tun $([ "$LAB_KVM" = 0 ] || echo kvm); do
		cp -a "/dev/$device" "$new/$device"
	done
	ln -s pts/ptmx $new/ptmx
	ln -s /proc/self/fd $new/fd
	for link in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${link%:*}" "$new/${link#*:}"; done
	tac /proc/mounts | while read -r _ path _; do
		case $path in /dev | /dev/*) umount --lazy "$path" ;; esac
	done
	mount --move $new /dev
	rmdir $new
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts /dev/pts
	mount -t tmpfs -o mode=1777 shm /dev/shm
}

mount_node_files() {
	local file
	mount -t tmpfs -o mode=755 run /run
	mkdir /run/libvirt /run/sshd /run/lock /run/netns
	mount --bind "$DIR/libvirt-etc" /etc/libvirt
	mount --bind "$DIR/libvirt" /var/lib/libvirt
	mount --bind "$DIR/libvirt-log" /var/log/libvirt
	mount --bind "$DIR/libvirt-cache" /var/cache/libvirt
	mount --bind "$DIR/bin" /usr/local/bin
	[ -d /root/.ssh ] || mkdir -m 700 /root/.ssh
	mount --bind "$DIR/ssh" /root/.ssh
	for file in hostname hosts machine-id shadow; do
		[ ! -f "/etc/$file" ] || mount --bind "$DIR/$file" "/etc/$file"
	done
	rm -f /run/resolv.conf
}

# The shared pool's directory, the same on every node. libvirt permits live migration with disks on a file system that it
# knows as a shared one; the kernel's name for this FUSE mount makes it take it for GlusterFS. No caching of names and
# sizes, because the other nodes change them.
mount_shared() {
	mkdir -p /var/lib/libvirt/shared
	bindfs -o subtype=glusterfs,fsname=lab:/shared,allow_other,default_permissions,attr_timeout=0,entry_timeout=0,negative_timeout=0 \
		"$RUN/shared" /var/lib/libvirt/shared
}

start_network() {
	hostname "n$NODE"
	ip link set lo up
	ip link add br0 type bridge
	ip link set eth0 master br0 up
	ip addr add "$NET.$NODE/24" dev br0
	ip link set br0 up
	ip route add default via "$SWITCH_ADDRESS"
	echo 1 >/proc/sys/net/ipv4/ip_forward
}

# keep NAME CMD...: run a server and start it again when it ends, as systemd would.
keep() {
	local name=$1
	shift
	while :; do
		"$@" || :
		echo "$(date +%T) $name has ended and is started again"
		sleep 0.3
	done >>"$DIR/log/$name.log" 2>&1 &
}

main() {
	# /proc is still the machine's: it tells this process's pid there
	local host_pid
	read -r host_pid _ </proc/self/stat
	mount_sys
	mount -t proc proc /proc
	mount_node_files
	mount_dev
	mount_shared
	start_network
	ovs_start
	keep virtlogd virtlogd
	keep libvirtd libvirtd
	keep sshd "$(command -v sshd)" -D -e -f "$DIR/sshd_config"
	echo "$host_pid" >"$DIR/pid.new"
	mv "$DIR/pid.new" "$DIR/pid"
	trap 'exit 0' TERM
	while :; do wait -n 2>/dev/null || sleep 1; done
}

# One line, read before it runs: the file may change under a running node.
main; exit
