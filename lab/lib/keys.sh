# SSH keys of the lab: one pair to log in with, one host key that all nodes share, and the files that trust exactly these.
# shellcheck shell=bash

KEYS=$RUN/keys

keys_make() { # COUNT
	local node
	mkdir -p "$KEYS"
	chmod 700 "$KEYS"
	ssh-keygen -q -t ed25519 -N '' -C "$PREFIX" -f "$KEYS/id"
	ssh-keygen -q -t ed25519 -N '' -C "$PREFIX-host" -f "$KEYS/host"
	for node in $(seq 1 "$1"); do
		echo "n$node,$NET.$node,$(door_address "$node") $(cut -d ' ' -f 1,2 "$KEYS/host.pub")"
	done >"$KEYS/known_hosts"
	keys_ssh_config "$1" door_address "$KEYS" >"$KEYS/config"
	# for libvirt's qemu+ssh URIs, which cannot name a known_hosts file: ...?command=$KEYS/ssh
	printf '#!/bin/sh\nexec ssh -F %q "$@"\n' "$KEYS/config" >"$KEYS/ssh"
	chmod 755 "$KEYS/ssh"
}

lan_address() { echo "$NET.$1"; }

# keys_ssh_config COUNT ADDRESS_FUNCTION DIR: an ssh client configuration for n1..nCOUNT with the keys in DIR.
keys_ssh_config() {
	local node
	for node in $(seq 1 "$1"); do
		printf 'Host n%s\n  HostName %s\n' "$node" "$("$2" "$node")"
	done
	cat <<-EOF
		Host n* $NET.* ${DOOR_NET:-$DEFAULT_DOOR_NET}.*
		  User root
		  IdentityFile $3/id
		  IdentitiesOnly yes
		  UserKnownHostsFile $3/known_hosts
		  StrictHostKeyChecking yes
	EOF
}
