# The switch: a network namespace PREFIX-sw with two Linux bridges that connect the nodes.
#   lan    untagged; the nodes' br0 and guests on libvirt network "lan"; DHCP for these guests; has SWITCH_ADDRESS
#   trunk  carries tagged frames between the Open vSwitch bridges of the nodes (a Linux bridge passes tags unseen)
# Nothing of it is visible in the machine's own network: no address, no route, no firewall rule.
# shellcheck shell=bash

SWITCH=$PREFIX-sw

switch_start() {
	ip netns add "$SWITCH"
	ip -n "$SWITCH" link set lo up
	ip -n "$SWITCH" link add lan type bridge
	ip -n "$SWITCH" link add trunk type bridge
	ip -n "$SWITCH" link set lan up
	ip -n "$SWITCH" link set trunk up
	ip -n "$SWITCH" addr add "$SWITCH_ADDRESS/24" dev lan
	ip netns exec "$SWITCH" dnsmasq --conf-file=/dev/null --port=0 --no-resolv --no-hosts --no-ping --user=root \
		--interface=lan --bind-interfaces --dhcp-range="$NET.100,$NET.240,10m" --dhcp-authoritative \
		--dhcp-leasefile="$RUN/leases" --pid-file="$RUN/dnsmasq.pid"
}

# switch_connect NODE: two cables from the node's namespace, eth0 to lan and eth1 to trunk.
switch_connect() {
	local node=$1 netns=$PREFIX-n$1
	ip netns add "$netns"
	ip link add "n$node" netns "$SWITCH" type veth peer name eth0 netns "$netns"
	ip link add "t$node" netns "$SWITCH" type veth peer name eth1 netns "$netns"
	ip -n "$SWITCH" link set "n$node" master lan up
	ip -n "$SWITCH" link set "t$node" master trunk up
}
