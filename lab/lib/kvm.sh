# Does KVM really run guests here? /dev/kvm alone says little: under some hypervisors it exists but cannot run a stock
# kernel, and libvirt would offer and prefer it all the same. So a stock kernel is booted with it, once.
# shellcheck shell=bash

KVM_PROBE_SECONDS=20 # a working KVM needs about one

# kvm_works: LAB_KVM=0|1 decides; else the probe, whose answer is kept for this kernel and this QEMU.
kvm_works() {
	case ${LAB_KVM:-} in
	0) return 1 ;;
	1) return 0 ;;
	'') ;;
	*) die "LAB_KVM '$LAB_KVM': wanted 0 or 1" ;;
	esac
	[ -c /dev/kvm ] || return 1

	local key answer
	key=$({ uname -rv; qemu-system-x86_64 --version; grep -m 1 'model name' /proc/cpuinfo; } | hash_of -)
	answer=$LAB_DIR/kvm-$key
	if [ ! -f "$answer" ]; then
		say "asking whether KVM runs guests here (up to $KVM_PROBE_SECONDS s, only once)"
		if kvm_probe; then echo yes; else echo no; fi >"$answer.$$"
		mv "$answer.$$" "$answer"
	fi
	[ "$(cat "$answer")" = yes ]
}

# kvm_probe boots the tiny guest's kernel, which says so when it has reached user space (images/tiny/initramfs-init).
kvm_probe() {
	local dir
	dir=$(image_dir tiny) || die "the KVM probe needs the image tiny"
	timeout -s KILL $KVM_PROBE_SECONDS qemu-system-x86_64 -accel kvm -m 128 -nodefaults -no-user-config -no-reboot \
		-display none -serial stdio -kernel "$dir/vmlinuz" -initrd "$dir/initrd.img" \
		-append 'console=ttyS0 quiet panic=-1 lab.probe' </dev/null 2>/dev/null | grep -q 'lab.probe: user space runs'
}
