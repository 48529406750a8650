# debian-node: the guest debian-12 as a hypervisor of its own, as far as its networks go: libvirtd without QEMU, and the
# three programs that configure a Debian host's network: systemd-networkd, which runs, ifupdown and NetworkManager, which
# do not until a test says so. What a node's own kernel can do and this machine's may not, as VLANs, is proven in it.
# shellcheck shell=bash

NODE_PACKAGES="libvirt-daemon-system ifupdown network-manager"

# image_sources: what this builder is made of, beside itself.
image_sources() { echo "$BUILDERS/debian-12.sh" "$BUILDERS/debian-12"; }

# as_debian_12 FUNCTION ARGS...: a function of the builder debian-12, with more packages.
as_debian_12() (
	# shellcheck source=/dev/null
	. "$BUILDERS/debian-12.sh"
	GUEST_PACKAGES="$GUEST_PACKAGES $NODE_PACKAGES"
	"$@"
)

image_packages() { as_debian_12 image_packages; }

image_make() {
	as_debian_12 make_node "$@"
	mv "$1/debian-12.qcow2" "$1/debian-node.qcow2"
}

make_node() {
	local configure_debian
	configure_debian=$(declare -f configure)
	eval "${configure_debian/configure/configure_debian_12}"
	configure() {
		configure_debian_12 "$1"
		in_guest "$1" systemctl disable -q NetworkManager networking ModemManager wpa_supplicant 2>/dev/null || :
		in_guest "$1" systemctl mask -q NetworkManager-wait-online.service libvirt-guests.service
		# all that NetworkManager finds it leaves alone, until a test takes this away
		printf '[keyfile]\nunmanaged-devices=*\n' >"$1/etc/NetworkManager/conf.d/lab.conf"
	}
	image_make "$@"
}
