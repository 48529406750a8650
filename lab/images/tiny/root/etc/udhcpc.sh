#!/bin/sh
# Called by udhcpc with the lease in the environment.
case $1 in
bound | renew)
	ip addr flush dev "$interface"
	ip addr add "$ip/${mask:-24}" dev "$interface"
	[ -n "$router" ] && ip route replace default via "${router%% *}"
	for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
	;;
esac
