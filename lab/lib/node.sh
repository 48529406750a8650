# A node: a libvirt host with its own network, host name, processes, mounts, IPC and control groups. Its first process is
# lib/node-init.sh; when that ends, the kernel ends everything in the node.
# shellcheck shell=bash

# node_pid NODE: the pid of the node's first process as the machine sees it; fails when it is not (or no longer) a node.
node_pid() {
	local pid
	pid=$(cat "$RUN/n$1/pid" 2>/dev/null) || return
	[ "/proc/$pid/ns/net" -ef "/run/netns/$PREFIX-n$1" ] && echo "$pid"
}

# node_run NODE CMD...: run a command inside the node.
node_run() (
	local node=$1 pid
	shift
	pid=$(node_pid "$node") || die "node n$node does not run (lab/lab up)"
	cgroup_enter "$node"
	export PATH=$NODE_PATH
	exec nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup -- "$@"
)

node_libvirt_answers() { timeout 20 "$LAB_HOME/lab" node "$1" virsh -q -c qemu:///system uri >/dev/null 2>&1; }
node_healthy() { node_pid "$1" >/dev/null && door_listens "$1" && node_libvirt_answers "$1"; }

# node_prepare NODE COUNT: directories and configuration files, in $RUN/nNODE.
node_prepare() {
	local node=$1 count=$2 dir=$RUN/n$1 other
	mkdir -p "$dir"/{log,libvirt,libvirt-log,libvirt-cache,bin,ssh} "$dir"/libvirt-etc/{qemu/networks/autostart,storage/autostart,hooks,secrets,nwfilter} \
		"$dir"/libvirt/{images,qemu,boot}
	chmod 711 "$dir" "$dir/libvirt" "$dir/libvirt/images"

	echo "n$node" >"$dir/hostname"
	printf '%032x\n' $((0xa0000000 + node)) >"$dir/machine-id"
	# sshd refuses a locked account, and many machines lock root's
	sed 's/^root:[^:]*/root:*/' /etc/shadow >"$dir/shadow"
	chmod 600 "$dir/shadow"
	{
		echo "127.0.0.1 localhost"
		for other in $(seq 1 "$count"); do echo "$(lan_address "$other") n$other"; done
	} >"$dir/hosts"

	cp "$KEYS/id" "$KEYS/known_hosts" "$dir/ssh/"
	keys_ssh_config "$count" lan_address /root/.ssh >"$dir/ssh/config"
	chmod 700 "$dir/ssh"
	ovs_programs "$dir/bin"
	node_sshd_config "$node" >"$dir/sshd_config"
	node_libvirt_config "$node" "$dir/libvirt-etc"
}

node_sshd_config() {
	cat <<-EOF
		ListenAddress $(lan_address "$1")
		HostKey $KEYS/host
		AuthorizedKeysFile $KEYS/id.pub
		StrictModes no
		PermitRootLogin prohibit-password
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		UsePAM no
		UseDNS no
		PidFile none
		AllowTcpForwarding yes
		AllowStreamLocalForwarding yes
		StreamLocalBindUnlink yes
		MaxStartups 500
		MaxSessions 500
		Subsystem sftp internal-sftp
	EOF
}

# node_libvirt_config NODE DIR: /etc/libvirt of the node. Networks and pools are there from the start, as on a node that
# has been running for years: libvirtd reads and starts them itself.
node_libvirt_config() {
	local node=$1 etc=$2 kind
	cp -r /etc/libvirt/nwfilter "$etc/" 2>/dev/null || :
	cat >"$etc/libvirtd.conf" <<-EOF
		host_uuid = "00000000-aaaa-4000-8000-00000000000$node"
		auth_unix_ro = "none"
		auth_unix_rw = "none"
		max_clients = 5000
		max_workers = 40
		max_client_requests = 20
		max_anonymous_clients = 200
		log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
	EOF
	# Guests run as root because the lab's directory may be in a home that nobody else may enter.
	cat >"$etc/qemu.conf" <<-EOF
		security_driver = "none"
		user = "root"
		group = "root"
		migration_host = "$(lan_address "$node")"
		migration_address = "0.0.0.0"
		${LAB_QEMU_CONF:-}
	EOF
	# without what makes a new guest wait for its address: spanning tree, and dnsmasq's ping before each offer
	cat >"$etc/qemu/networks/default.xml" <<-EOF
		<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
		  <name>default</name>
		  <uuid>00000000-dddd-4000-8000-00000000000$node</uuid>
		  <forward mode='nat'/>
		  <bridge name='virbr0' stp='off' delay='0'/>
		  <ip address='192.168.122.1' netmask='255.255.255.0'>
		    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
		  </ip>
		  <dnsmasq:options><dnsmasq:option value='no-ping'/></dnsmasq:options>
		</network>
	EOF
	cat >"$etc/qemu/networks/lan.xml" <<-EOF
		<network>
		  <name>lan</name>
		  <uuid>00000000-eeee-4000-8000-00000000000$node</uuid>
		  <forward mode='bridge'/>
		  <bridge name='br0'/>
		</network>
	EOF
	for kind in images shared; do
		cat >"$etc/storage/$kind.xml" <<-EOF
			<pool type='dir'>
			  <name>$kind</name>
			  <uuid>00000000-$([ $kind = images ] && echo bbbb || echo cccc)-4000-8000-00000000000$node</uuid>
			  <target><path>/var/lib/libvirt/$kind</path></target>
			</pool>
		EOF
		ln -s "../$kind.xml" "$etc/storage/autostart/$kind.xml"
	done
	for kind in default lan; do ln -s "../$kind.xml" "$etc/qemu/networks/autostart/$kind.xml"; done
}

# node_start NODE: start the node's first process and return when the node's file systems and network are there.
node_start() {
	local node=$1
	cgroup_make "$node"
	(
		cgroup_enter "$node"
		exec setsid nsenter --net="/run/netns/$PREFIX-n$node" \
			unshare --mount --uts --ipc --pid --cgroup --fork --kill-child --propagation private -- \
			bash "$LAB_HOME/lib/node-init.sh" "$node"
	) >"$RUN/n$node/log/init.log" 2>&1 </dev/null 9>&- &
	wait_for 15 node_pid "$node" >/dev/null || node_failed "$node" "did not start"
}

node_failed() {
	tail -n 10 "$RUN/n$1"/log/*.log "$RUN/n$1"/libvirt-log/libvirtd.log >&2 2>/dev/null || :
	die "n$1 $2; see $RUN/n$1/log and $RUN/n$1/libvirt-log"
}

# node_stop NODE: end all processes of the node and remove its namespace and groups.
node_stop() {
	local node=$1 pid
	door_close "$node"
	if pid=$(node_pid "$node"); then kill -KILL "$pid"; fi
	wait_for 5 node_empty "$node" || say "n$node: processes are left: $(node_processes "$node" | tr '\n' ' ')"
	[ ! -e "/run/netns/$PREFIX-n$node" ] || ip netns del "$PREFIX-n$node"
	wait_for 5 cgroup_remove "$node" || say "n$node: a control group is left"
}

node_processes() {
	{
		cgroup_processes "$1"
		ip netns pids "$PREFIX-n$1" 2>/dev/null || :
	} | sort -un
}

# node_empty NODE: is no process left? Those that are get killed: the remains of a lab whose first process was lost.
node_empty() {
	local pids
	pids=$(node_processes "$1")
	[ -n "$pids" ] || return 0
	# shellcheck disable=SC2086 # a list of words
	kill -KILL $pids 2>/dev/null || :
	return 1
}
