# A control group per node. Two libvirtds in one tree would fight over the same names (qemu-1-NAME), and the group is
# also how a node is found again when all else about it is lost.
# shellcheck shell=bash

CGROUPS=/sys/fs/cgroup
# Against the rest of the machine a node with all its guests counts as one task; on a busy machine they would starve.
CPU_SHARES=${LAB_CPU_SHARES:-8192}

# cgroup_mode: v2 (one tree), v1 (a tree per controller) or none.
cgroup_mode() {
	if [ "$(stat -f -c %T $CGROUPS 2>/dev/null)" = cgroup2fs ]; then
		echo v2
	elif [ -f $CGROUPS/memory/cgroup.procs ]; then
		echo v1
	else
		echo none
	fi
}

# cgroup_dirs NODE: the directories of the node's group in each mounted tree, whether they exist or not.
cgroup_dirs() {
	local tree
	for tree in "$CGROUPS" "$CGROUPS"/*; do
		[ ! -f "$tree/cgroup.procs" ] || [ "${tree##*/}" = systemd ] || echo "$tree/$PREFIX-n$1"
	done | case $(cgroup_mode) in
	v2) head -n 1 ;;
	v1) cat ;;
	none) cat >/dev/null ;;
	esac
}

cgroup_make() {
	local dir tree controller
	for dir in $(cgroup_dirs "$1"); do
		tree=${dir%/*}
		mkdir -p "$dir"
		case ${tree##*/} in
		cpuset) # v1: an empty group takes no process
			cat "$tree/cpuset.cpus" >"$dir/cpuset.cpus"
			cat "$tree/cpuset.mems" >"$dir/cpuset.mems"
			echo 1 >"$dir/cgroup.clone_children"
			;;
		cpu) echo "$CPU_SHARES" >"$dir/cpu.shares" ;;
		cgroup) # v2: hand down what the machine gives; in a container that may be nothing
			xargs -r -n 1 <"$tree/cgroup.controllers" | while read -r controller; do
				echo "+$controller" >"$tree/cgroup.subtree_control" || :
			done 2>/dev/null
			[ ! -f "$dir/cpu.weight" ] || echo 800 >"$dir/cpu.weight"
			;;
		esac
	done
}

# cgroup_enter NODE: move the calling process into the node's groups.
cgroup_enter() {
	local dir
	for dir in $(cgroup_dirs "$1"); do
		# v2: only leaves may hold processes; a running node has made one (lib/node-init.sh)
		[ ! -d "$dir/lab" ] || dir=$dir/lab
		echo $BASHPID >"$dir/cgroup.procs"
	done
}

# cgroup_processes NODE: pids of all that is left in the node's groups.
cgroup_processes() {
	local dir
	for dir in $(cgroup_dirs "$1"); do
		[ ! -d "$dir" ] || find "$dir" -name cgroup.procs -exec cat {} +
	done 2>/dev/null | sort -un
}

# cgroup_remove NODE: succeeds when no group is left. The kernel may need a moment after the last process has gone.
cgroup_remove() {
	local dir left=0
	for dir in $(cgroup_dirs "$1"); do
		[ ! -d "$dir" ] || find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || left=1
	done
	return $left
}
