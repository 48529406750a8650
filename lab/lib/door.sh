# Doors: how a process in the machine's own network reaches a node. A listener on loopback, 127.0.X.I port 22, hands each
# connection to an sshd inside node I. So no address, route or forwarding has to be added to the machine.
# shellcheck shell=bash

DOOR_NET=$DEFAULT_DOOR_NET
[ ! -f "$RUN/door-net" ] || DOOR_NET=$(cat "$RUN/door-net")

door_address() { echo "$DOOR_NET.$1"; }
door_listens() { [ -n "$(ss -Htln "src $(door_address "$1"):22" 2>/dev/null)" ]; }

# door_choose_net: fix X for this lab, free of other labs' doors. Call it under the machine's lock.
door_choose_net() {
	local number=77
	if [ "$LAB_NAME" != lab ]; then
		number=78
		while [ -n "$(ss -Htln "src 127.0.$number.0/24 and sport = :22")" ]; do
			number=$((number + 1))
			[ $number -lt 255 ] || die "no free loopback addresses for another lab"
		done
	fi
	DOOR_NET=127.0.$number
	echo "$DOOR_NET" >"$RUN/door-net"
}

# door_open NODE: the listener itself runs outside of the node, but in its control group: who ends one ends both.
door_open() {
	local node=$1
	(
		cgroup_enter "$node"
		exec setsid systemd-socket-activate --inetd --accept --listen "$(door_address "$node"):22" -- \
			nsenter --target "$(node_pid "$node")" --mount --uts --ipc --net --pid --cgroup -- \
			/usr/sbin/sshd -i -f "$RUN/n$node/sshd_config" -E "$RUN/n$node/log/sshd.log"
	) >"$RUN/n$node/log/door.log" 2>&1 </dev/null 9>&- &
	echo $! >"$RUN/n$node/door.pid"
	wait_for 5 door_listens "$node" || die "n$node: no listener on $(door_address "$node"):22; see $RUN/n$node/log/door.log"
}

# door_close NODE: end the listener, if the recorded process is still it.
door_close() {
	local pid
	pid=$(cat "$RUN/n$1/door.pid" 2>/dev/null) || return 0
	if grep -qazF "$(door_address "$1"):22" "/proc/$pid/cmdline" 2>/dev/null; then kill "$pid"; fi
}
