# debian-12: a full Debian 12 guest as a cloud image is one: systemd, cloud-init (NoCloud), qemu-guest-agent, sshd, sudo.
# It differs from Debian's own cloud image in that its root file system has the whole disk, without a partition table,
# and that it starts with the kernel and initramfs of the image tiny. Its files are in debian-12/.
# shellcheck shell=bash

# What cloud-init's modules call is here too: partitioning (fdisk, gdisk), file systems, DNS through resolved.
GUEST_PACKAGES="cloud-init qemu-guest-agent openssh-server systemd-sysv systemd-resolved dbus udev kmod iproute2
iputils-ping e2fsprogs xfsprogs fdisk gdisk sudo ca-certificates"

image_packages() {
	# shellcheck disable=SC2086 # a list of words
	echo $GUEST_PACKAGES linux-image-cloud-amd64 extlinux libc6
}

# bookworm_base ROOT: the smallest Debian system. Made once, kept for later builds: it is the slow part.
bookworm_base() {
	local root=$1 base=$DEBS/bookworm-base.tar mirror
	if [ ! -f "$base" ]; then
		mirror=$(apt-get indextargets --format '$(SITE)' 'Codename: bookworm' | head -n 1)
		[ -n "$mirror" ] || die "apt has no source of Debian 12"
		eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
		export http_proxy https_proxy
		debootstrap --variant=minbase bookworm "$root" "$mirror"
		tar -C "$root" --one-file-system -cf "$base.new" .
		mv "$base.new" "$base"
		rm -rf "$root"
	fi
	mkdir -p "$root"
	tar -C "$root" -xf "$base"
}

# guest_apt ROOT CMD...: this machine's apt, with its sources, keys and network, deciding for the system in ROOT.
# So nothing of this machine's configuration has to be copied into the guest.
guest_apt() {
	local root=$1
	shift
	mkdir -p "$DEBS/debian-12/partial"
	apt-get -y -qq --no-install-recommends -o APT::Sandbox::User=root -o Dir::State::status="$root/var/lib/dpkg/status" \
		-o Dir::State::extended_states="$TMPDIR/extended_states" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		-o Dir::Cache::archives="$DEBS/debian-12/" -o Debug::NoLocking=1 "$@"
}

install_packages() {
	local root=$1 files
	# shellcheck disable=SC2086 # a list of words
	guest_apt "$root" install --download-only $GUEST_PACKAGES
	# what is in the cache has no address to print: ask with an empty one
	# shellcheck disable=SC2086
	files=$(guest_apt "$root" -o Dir::Cache::archives="$TMPDIR/" install --print-uris $GUEST_PACKAGES | awk '{ print "./" $2 }')
	mkdir "$root/debs"
	mount --bind "$DEBS/debian-12" "$root/debs"
	mount -t proc proc "$root/proc"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	# shellcheck disable=SC2086
	# the guest's own apt knows the right order, and needs nothing but these files
	in_guest "$root" sh -c 'cd /debs && apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
		-o APT::Sandbox::User=root "$@"' sh $files
	rm "$root/usr/sbin/policy-rc.d"
	umount "$root/proc" "$root/debs"
	rmdir "$root/debs"
}

in_guest() {
	local root=$1
	shift
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}

configure() {
	local root=$1
	cp -r --preserve=mode "$BUILDERS/debian-12/root/." "$root/"
	in_guest "$root" systemctl enable -q systemd-networkd systemd-resolved
	# what only costs time at the start of a guest that lives for minutes
	in_guest "$root" systemctl mask -q apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
		fstrim.timer e2scrub_reap.service systemd-networkd-wait-online.service getty@tty1.service
	# each guest makes its own identity; sources and logs of the build machine stay out
	: >"$root/etc/machine-id"
	: >"$root/etc/apt/sources.list"
	rm -rf "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* \
		"$root"/var/log/{bootstrap.log,dpkg.log,alternatives.log,apt} "$root"/usr/share/{doc,man,locale,info}/*
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
	ln -sf /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
}

image_make() {
	local out=$1 work=$2 tiny pool=$2/pool root=$2/root version
	image_build tiny
	tiny=$(image_dir tiny)
	bookworm_base "$root"
	install_packages "$root"
	configure "$root"

	local kernel
	kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
	debs_unpack "$pool" "$kernel" extlinux syslinux-common libc6
	version=${kernel#linux-image-}
	cp -r "$pool/lib/modules" "$root/lib/"
	in_guest "$root" depmod "$version"
	cp "$tiny/vmlinuz" "$tiny/initrd.img" "$root/boot/"
	disk_from_root "$root" 2G debian "$pool" "$out/debian-12.qcow2"
	qemu-img resize -q "$out/debian-12.qcow2" 4G
}
