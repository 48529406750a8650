#!/bin/bash
# check.sh - does the lab do what it promises? Starts a lab of its own beside any other, and prints one line a check.
# Takes about a minute; ends with a status other than 0 at the first check that fails.
set -euo pipefail
HERE=$(dirname "$(readlink -f "$0")")
export LAB_NAME=${LAB_NAME:-check}
lab() { "$HERE/lab" "$@"; }
virsh_on() { lab node "$1" virsh -q -c qemu:///system "${@:2}"; }
now() { date +%s%N; }
ms_since() { echo $((($(now) - $1) / 1000000)); }
ok() { printf 'ok    %s\n' "$*"; }
fail() {
	printf 'FAIL  %s\n' "$*"
	exit 1
}

# domain NAME VLAN: XML of a tiny guest whose disk is in the shared pool
domain() {
	cat <<-EOF
		<domain type='$([ "$LAB_KVM" = 1 ] && echo kvm || echo qemu)'>
		  <name>$1</name>
		  <memory unit='MiB'>128</memory>
		  <vcpu>1</vcpu>
		  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
		  <features><acpi/><apic/></features>
		  <devices>
		    <disk type='file' device='disk'>
		      <driver name='qemu' type='qcow2' cache='none' discard='unmap'/>
		      <source file='/var/lib/libvirt/shared/$1.qcow2'/>
		      <target dev='vda' bus='virtio'/>
		    </disk>
		    <interface type='bridge'>
		      <source bridge='ovsbr0'/>
		      <virtualport type='openvswitch'/>
		      <vlan><tag id='$2'/></vlan>
		      <model type='virtio'/>
		    </interface>
		    <interface type='network'><source network='lan'/><model type='virtio'/></interface>
		    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
		    <serial type='pty'/>
		  </devices>
		</domain>
	EOF
}

# start NODE NAME VLAN
start() {
	virsh_on "$1" vol-clone --pool shared tiny.qcow2 "$2.qcow2" >/dev/null
	domain "$2" "$3" | lab node "$1" sh -c "cat >/run/$2.xml; virsh -q define /run/$2.xml >/dev/null; virsh -q start $2 >/dev/null"
}

agent() { virsh_on "$1" qemu-agent-command --timeout 5 "$2" "$3" 2>/dev/null; }
wait_agent() {
	local tries=0
	until agent "$1" "$2" '{"execute":"guest-ping"}' >/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || fail "no agent in guest $2"
		sleep 0.3
	done
}

# guest NODE NAME COMMAND: run a shell command in a guest and return its status
guest() {
	local reply pid
	reply=$(agent "$1" "$2" "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/sh\",\"arg\":[\"-c\",\"$3\"]}}")
	pid=$(tr -dc 0-9 <<<"$reply")
	until [[ $reply == *'"exited":true'* ]]; do
		sleep 0.2
		reply=$(agent "$1" "$2" "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":$pid}}")
	done
	[[ $reply == *'"exitcode":0'* ]]
}

trap 'lab down' EXIT
started=$(now)
lab up 2 >/dev/null
ok "two nodes are up after $(ms_since "$started") ms"
eval "$(lab env)"
virsh -q -c "$LAB_N1_URI" list >/dev/null || fail "qemu+ssh from this machine"
ok "qemu+ssh through the loopback door, with a strict known_hosts"

started=$(now)
start 1 a 5
start 2 b 5
start 2 c 6
wait_agent 1 a
ok "the first guest's agent answers after $(ms_since "$started") ms (three guests boot at once)"
wait_agent 2 b
wait_agent 2 c
guest 1 a 'ip addr add 10.5.0.1/24 dev eth0'
guest 2 b 'ip addr add 10.5.0.2/24 dev eth0; nc -l -p 7 </etc/passwd >/dev/null 2>&1 &'
guest 2 c 'ip addr add 10.5.0.3/24 dev eth0'
guest 1 a 'ping -c 1 -W 5 10.5.0.2' || fail "ping from n1 to n2 inside VLAN 5"
guest 1 a 'nc -w 5 10.5.0.2 7 </dev/null | grep -q root' || fail "TCP from n1 to n2 inside VLAN 5"
ok "VLAN 5 spans both nodes (ping, TCP)"
! guest 1 a 'ping -c 1 -W 2 10.5.0.3' || fail "VLAN 6 can be reached from VLAN 5"
ok "VLAN 6 is apart from it"

# p2p migration over sockets that SSH forwards, both ends seen from this machine only
tunnel=/run/libvirt/check.sock
ssh -F "$LAB_SSH_CONFIG" -o ExitOnForwardFailure=yes -N -R "$tunnel:$HOME/.check-$$.sock" n1 &
back=$!
ssh -F "$LAB_SSH_CONFIG" -o ExitOnForwardFailure=yes -N -L "$HOME/.check-$$.sock:/run/libvirt/libvirt-sock" n2 &
forth=$!
trap 'kill $back $forth 2>/dev/null; rm -f "$HOME/.check-$$.sock"; lab down' EXIT
for _ in $(seq 50); do lab node 1 test -S $tunnel && [ -S "$HOME/.check-$$.sock" ] && break || sleep 0.1; done
started=$(now)
virsh_on 1 migrate --live --p2p --persistent --undefinesource a "qemu+unix:///system?socket=$tunnel" >/dev/null || fail "live migration"
ok "live migration without --unsafe, libvirt to libvirt through a forwarded socket: $(ms_since "$started") ms"
started=$(now)
wait_agent 2 a
ok "its agent answers on the other node after $(ms_since "$started") ms"
guest 2 a 'ping -c 1 -W 5 10.5.0.2' || fail "ping after migration"
ok "its VLAN works there"

trap - EXIT
kill $back $forth
rm -f "$HOME/.check-$$.sock"
started=$(now)
lab down 2>/dev/null
ok "down after $(ms_since "$started") ms"
left=$(
	ip netns list | grep "nactl-$LAB_NAME-" || :
	grep "nactl/lab/run/$LAB_NAME/" /proc/mounts || :
	find /sys/fs/cgroup -maxdepth 2 -name "nactl-$LAB_NAME-*"
	ss -Htln "src ${LAB_N1_ADDRESS%.*}.0/24"
	ls -d "$LAB_DIR/run/$LAB_NAME" 2>/dev/null || :
)
[ -z "$left" ] || fail "down has left: $left"
ok "nothing is left"
