# Settings and small helpers; every other file of the lab builds on this one.
# shellcheck shell=bash

# A lab has a name, so that several can run side by side; it is the prefix of everything the machine can see of it.
LAB_NAME=${LAB_NAME:-lab}
# What survives a lab: downloaded packages, finished images, the answer of the KVM probe.
LAB_DIR=${LAB_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nactl/lab}
# What lives and dies with a lab.
RUN=$LAB_DIR/run/$LAB_NAME
# Network namespaces and cgroups are called PREFIX-sw, PREFIX-n1, PREFIX-n2, ...
PREFIX=nactl-$LAB_NAME
# The nodes' network. It exists only inside the lab's namespaces, so all labs use the same.
NET=10.77.0
SWITCH_ADDRESS=$NET.254
# The default lab's doors are 127.0.77.I; other labs get a free number of their own (see lib/door.sh).
DEFAULT_DOOR_NET=127.0.77
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# What root's PATH is on a Debian machine; a node has Open vSwitch in /usr/local/bin.
NODE_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# The lab's tools parse the output of programs.
export LAB_NAME LAB_DIR PATH LC_ALL=C
umask 022

if [ "$LAB_NAME" = lab ]; then
	INVENTORY=$LAB_DIR/inventory.yml
else
	INVENTORY=$LAB_DIR/inventory-$LAB_NAME.yml
fi

say() { printf 'lab: %s\n' "$*" >&2; }
die() {
	say "$*"
	exit 1
}

# wait_for SECONDS CMD...: run CMD twenty times a second until it succeeds or the time is over.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -le $deadline ] || return 1
		sleep 0.05
	done
}

# The numbers of the nodes that this lab was started with.
node_numbers() { [ ! -f "$RUN/nodes" ] || seq 1 "$(cat "$RUN/nodes")"; }

need_commands() {
	local missing=() command
	for command in "$@"; do
		command -v "$command" >/dev/null || missing+=("$command")
	done
	[ ${#missing[@]} = 0 ] || die "missing: ${missing[*]} (run: sh setup.sh)"
}

# check_machine says what of the machine does not suffice, before anything is started.
check_machine() {
	[ "$(id -u)" = 0 ] || die "needs root: it makes namespaces, mounts and virtual machines"
	[[ $LAB_NAME =~ ^[a-z][a-z0-9]{0,15}$ ]] || die "LAB_NAME '$LAB_NAME': wanted up to 16 small letters and digits"
	[ "$(uname -m)" = x86_64 ] || die "needs an x86_64 machine, this is $(uname -m)"
	need_commands ip unshare nsenter flock ss systemd-socket-activate ssh-keygen sshd virtlogd libvirtd virsh \
		qemu-system-x86_64 qemu-img dnsmasq iptables bindfs mke2fs cpio apt-get dpkg
	[ -c /dev/net/tun ] || die "no /dev/net/tun: guests could not have network cards"
	[ -c /dev/fuse ] || die "no /dev/fuse: the shared pool is mounted through FUSE"
}
