# Open vSwitch for the nodes: run in user space (datapath "netdev"), so that no kernel module is needed, from unpacked
# packages, so that the machine's own network stays alone.
# shellcheck shell=bash

OVS=$LAB_DIR/openvswitch

# ovs_unpack: make sure that $OVS/usr holds Open vSwitch and the libraries that a fresh Debian lacks.
ovs_unpack() (
	mkdir -p "$LAB_DIR"
	exec 8>"$OVS.lock"
	flock 8
	[ ! -x "$OVS/usr/bin/ovs-vsctl" ] || return 0
	say "unpacking Open vSwitch"
	rm -rf "$OVS.new"
	debs_unpack "$OVS.new" openvswitch-switch openvswitch-common libxdp1 libbpf1 libunbound8 libevent-2.1-7 || {
		rm -rf "$OVS.new"
		die "cannot get the packages of Open vSwitch (run: apt-get update)"
	}
	mv -T "$OVS.new" "$OVS"
)

# ovs_programs DIR: write into DIR the commands as a Debian node has them.
ovs_programs() {
	local program
	for program in "$OVS"/usr/bin/ovs-* "$OVS"/usr/bin/ovsdb-* "$OVS"/usr/sbin/ovsdb-server "$OVS"/usr/lib/openvswitch-switch/ovs-vswitchd; do
		[ -x "$program" ] || continue
		cat >"$1/${program##*/}" <<-EOF
			#!/bin/sh
			LD_LIBRARY_PATH=$OVS/usr/lib/x86_64-linux-gnu exec $program "\$@"
		EOF
		chmod 755 "$1/${program##*/}"
	done
}

# ovs_start: inside a node: database, switch, and the bridge ovsbr0 whose port eth1 is the trunk to the other nodes.
ovs_start() {
	local database=/run/openvswitch/conf.db
	mkdir -p /run/openvswitch
	ovsdb-tool create $database "$OVS/usr/share/openvswitch/vswitch.ovsschema"
	ovsdb-server $database --remote=punix:/run/openvswitch/db.sock --detach --monitor --no-chdir --pidfile=/run/openvswitch/ovsdb-server.pid \
		--log-file=/run/openvswitch/ovsdb-server.log
	ovs-vsctl --no-wait init
	# guests leave checksums to the device; with this option the user-space switch fills them in, else TCP would not pass
	ovs-vsctl --no-wait set Open_vSwitch . other_config:userspace-tso-enable=true
	ovs-vswitchd unix:/run/openvswitch/db.sock --detach --monitor --no-chdir --pidfile=/run/openvswitch/ovs-vswitchd.pid \
		--log-file=/run/openvswitch/ovs-vswitchd.log
	ovs-vsctl add-br ovsbr0 -- set bridge ovsbr0 datapath_type=netdev -- add-port ovsbr0 eth1
	ip link set eth1 up
	ip link set ovsbr0 up
}
