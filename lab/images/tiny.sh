# tiny: a guest that boots in seconds without KVM, made only of Debian 12 packages.
# Debian's cloud kernel, busybox init, the real qemu-ga, ext4 tools, ACPI power button, hot-plug of CPUs, memory, disks
# and NICs, DHCP, and a reader for the NoCloud seed (host name and runcmd). Its files are in tiny/.
# Gives tiny.qcow2, and vmlinuz + initrd.img for direct kernel boot.
# shellcheck shell=bash

# kernel_package: the name of the current cloud kernel, for example linux-image-6.1.0-40-cloud-amd64
kernel_package() { apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }'; }

image_packages() {
	kernel_package
	# programs, then the libraries that they need
	echo qemu-guest-agent busybox-static e2fsprogs kmod extlinux syslinux-common
	echo libc6 libglib2.0-0 libudev1 libnuma1 liburing2 libpcre2-8-0
	echo libext2fs2 libcom-err2 libblkid1 libuuid1 libss2 libkmod2 liblzma5 libzstd1 libssl3
}

# Drivers for the initramfs: what it needs to find the disk.
INITRAMFS_MODULES="virtio_pci virtio_blk virtio_scsi sd_mod"
# Drivers for the running guest. The cloud kernel has no AHCI and no e1000: use virtio, or IDE for a CD drive.
MODULES="virtio_console virtio_net virtio_balloon virtio_mem button evdev acpi_cpufreq ata_piix sr_mod isofs 8021q"

# copy_modules POOL VERSION ROOT MODULE...: copy modules with all they depend on; prints them in the order of loading.
copy_modules() {
	local pool=$1 version=$2 root=$3 name file
	shift 3
	for name in "$@"; do
		# "a.ko: b.ko c.ko" in modules.dep: load from right to left
		sed -n "s#^\(.*/$name\.ko\): *#\1 #p" "$pool/lib/modules/$version/modules.dep" | tr ' ' '\n' | tac
	done | awk '$0 != "" && !seen[$0]++' | while read -r file; do
		install -D -m 644 "$pool/lib/modules/$version/$file" "$root/lib/modules/$version/$file"
		echo "/lib/modules/$version/$file"
	done
}

# copy_libraries POOL ROOT PROGRAM...: the shared libraries of the programs; all must come from POOL.
copy_libraries() {
	local pool=$1 root=$2 program library
	shift 2
	for program in "$@"; do
		"$pool/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$(pool_path "$pool")" --list "$pool/$program"
	done | awk '/=> / { print $3 }' | sort -u | while read -r library; do
		case $library in
		"$pool"/*) cp -L "$library" "$root/lib/x86_64-linux-gnu/" ;;
		*/ld-linux-x86-64.so.2) ;;
		*) die "$library is needed in the guest, but no listed package has it" ;;
		esac
	done
	cp -L "$pool/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" "$root/lib64/"
}

make_initramfs() { # POOL VERSION DIR OUT
	local pool=$1 version=$2 dir=$3 out=$4 applet
	mkdir -p "$dir"/{bin,proc,sys,dev,new,etc}
	cp "$pool/bin/busybox" "$dir/bin/"
	for applet in sh mount insmod switch_root sleep cat poweroff; do ln -s busybox "$dir/bin/$applet"; done
	# shellcheck disable=SC2086 # a list of words
	copy_modules "$pool" "$version" "$dir" $INITRAMFS_MODULES >"$dir/etc/modules"
	install -m 755 "$BUILDERS/tiny/initramfs-init" "$dir/init"
	(cd "$dir" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$out"
}

make_root() { # POOL VERSION DIR
	local pool=$1 version=$2 dir=$3 name
	mkdir -p "$dir"/{bin,sbin,usr/bin,usr/sbin,lib/x86_64-linux-gnu,lib64,proc,sys,dev,run,tmp,mnt,root,home,boot,var/log,var/lib}
	chmod 1777 "$dir/tmp"
	ln -s /run "$dir/var/run"
	cp -r --preserve=mode "$BUILDERS/tiny/root/." "$dir/"

	cp "$pool/bin/busybox" "$dir/bin/"
	ln -s /bin/busybox "$dir/sbin/init"
	for name in $("$pool/bin/busybox" --list); do
		[ -e "$dir/sbin/$name" ] || [ "$name" = busybox ] || ln -s /bin/busybox "$dir/bin/$name"
	done
	cp "$pool/usr/sbin/qemu-ga" "$dir/usr/sbin/"
	cp "$pool/sbin/mke2fs" "$pool/sbin/resize2fs" "$dir/sbin/"
	for name in ext2 ext3 ext4; do ln -s mke2fs "$dir/sbin/mkfs.$name"; done
	cp "$pool/etc/mke2fs.conf" "$dir/etc/"
	copy_libraries "$pool" "$dir" usr/sbin/qemu-ga sbin/mke2fs sbin/resize2fs
	# the initramfs has loaded its own modules already
	# shellcheck disable=SC2086 # a list of words
	copy_modules "$pool" "$version" "$dir" $MODULES | grep -vxFf "$4" >"$dir/etc/modules"
}

image_make() {
	local out=$1 work=$2 pool=$2/pool kernel version
	# shellcheck disable=SC2046 # a list of words
	debs_unpack "$pool" $(image_packages)
	kernel=$(kernel_package)
	version=${kernel#linux-image-}
	ln -sf kmod "$pool/bin/depmod"
	# kmod acts by the name it is called with, which the loader would hide
	LD_LIBRARY_PATH=$(pool_path "$pool") "$pool/bin/depmod" -b "$pool" "$version"

	make_initramfs "$pool" "$version" "$work/initramfs" "$out/initrd.img"
	cp "$pool/boot/vmlinuz-$version" "$out/vmlinuz"
	make_root "$pool" "$version" "$work/root" "$work/initramfs/etc/modules"
	cp "$out/vmlinuz" "$out/initrd.img" "$BUILDERS/tiny/extlinux.conf" "$work/root/boot/"
	chmod 644 "$out"/*
	disk_from_root "$work/root" 96M tiny "$pool" "$out/tiny.qcow2"
}
