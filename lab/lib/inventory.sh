# The inventory that nactl uses to reach the lab: nodes, the cluster of them, and the images in its shared pool.
# shellcheck shell=bash

inventory_write() { # COUNT
	local node names='' image
	for node in $(seq 1 "$1"); do names="$names${names:+, }n$node"; done
	{
		echo "# Written by lab/lab up; describes the running lab '$LAB_NAME'."
		echo "nodes:"
		for node in $(seq 1 "$1"); do
			cat <<-EOF
				  n$node:
				    address: $(door_address "$node")
				    user: root
				    identity_file: $KEYS/id
				    known_hosts: $KEYS/known_hosts
			EOF
		done
		cat <<-EOF
			clusters:
			  lab:
			    nodes: [$names]
			    placement: most_free_memory
			    shared_pools: [shared]
			images:
		EOF
		for image in $(placed_images); do
			printf '  %s: {nodes: {volume: shared/%s.qcow2}}\n' "$image" "$image"
		done
	} >"$INVENTORY.$$"
	mv "$INVENTORY.$$" "$INVENTORY"
}

# The images that are finished: each is a volume of the shared pool.
placed_images() {
	local image
	for image in tiny debian-12 debian-node; do
		[ ! -f "$RUN/shared/$image.qcow2" ] || echo "$image"
	done
}

# place_image NAME: copy a finished image into the shared pool of the lab.
place_image() {
	local dir
	dir=$(image_dir "$1") || return 0
	cp --reflink=auto "$dir/$1.qcow2" "$RUN/shared/.$1.new"
	mv "$RUN/shared/.$1.new" "$RUN/shared/$1.qcow2"
}
