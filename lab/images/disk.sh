# What the builders share: a bootable disk from a directory.
# shellcheck shell=bash

# disk_from_root ROOT SIZE LABEL POOL OUT.qcow2 [qemu-img convert option...]
# One ext4 file system on the whole disk, without partitions, so that growing a disk is `resize2fs /dev/vda` and nothing
# else; booted by extlinux, which POOL holds unpacked. ROOT/boot has vmlinuz, initrd.img and extlinux.conf.
disk_from_root() {
	local root=$1 size=$2 label=$3 pool=$4 out=$5 raw
	shift 5
	raw=$(mktemp -d)/disk
	mkdir "$raw.mnt"
	truncate -s "$size" "$raw"
	# resize=: room in the block group table for growing to 64 GiB; the features left out are what extlinux cannot read
	mke2fs -q -t ext4 -L "$label" -O ^64bit,^metadata_csum,resize_inode -E resize=$((64 * 1024 * 1024 * 1024 / 4096)) \
		-b 4096 -m 0 -J size=4 -d "$root" "$raw"
	mount -o loop "$raw" "$raw.mnt"
	"$pool/usr/bin/extlinux" --install "$raw.mnt/boot"
	umount "$raw.mnt"
	qemu-img convert -O qcow2 -o compat=1.1,lazy_refcounts=on "$@" "$raw" "$out"
	chmod 644 "$out"
	rm -r "${raw%/*}"
}

# pool_path POOL: library path of packages unpacked in POOL.
pool_path() { echo "$1/lib/x86_64-linux-gnu:$1/usr/lib/x86_64-linux-gnu"; }
# pool_run POOL PROGRAM ARGS...: run a program of POOL with POOL's own C library.
pool_run() {
	local pool=$1 program=$2
	shift 2
	"$pool/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$(pool_path "$pool")" "$pool/$program" "$@"
}
