#!/bin/sh
# setup.sh - bring what a fresh Debian 12 lacks for building nactl and running its lab.
#
#   sh setup.sh                everything: build, tests, the lab of two libvirt nodes
#   sh setup.sh --quickstart   only what `make quickstart` needs: Go, a C compiler, make, libvirt's client library
#   sh setup.sh --conformance  everything, and what `make conformance` needs
#   sh setup.sh --check        install nothing, say what is missing
#
# Installs only what is missing; a second run takes well under a second. No service is started, and services that the
# packages would enable for the next boot (libvirtd, sshd) stay disabled: the lab runs its own.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

# cgo needs a compiler; libvirt0 is loaded when nactl runs; Go may fetch the toolchain that go.mod names
QUICKSTART="make gcc libc6-dev libvirt0 ca-certificates"
BUILD="git"
# the nodes
LAB="libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils
openssh-server openssh-client dnsmasq-base iproute2 iptables bindfs systemd util-linux"
# the guests' images
LAB="$LAB e2fsprogs cpio debootstrap"
# an independent client of engines, for the tests
CLIENTS="gir1.2-govirt-1.0 python3-gi"
# the shells that completions are for, and what reads the manual
READERS="bash zsh fish man-db"
# further clients come from PyPI; one is built with these
CONFORMANCE="python3-venv python3-dev libxml2-dev"

GO_MINIMUM=21 # Go 1.21 and later fetch a newer toolchain by themselves
BACKPORTS=/etc/apt/sources.list.d/nactl-backports.list

say() { echo "setup: $*" >&2; }
die() {
	say "$*"
	exit 1
}

want="$QUICKSTART $BUILD $LAB $CLIENTS $READERS"
install=yes
for option in "$@"; do
	case $option in
	--quickstart) want=$QUICKSTART ;;
	--conformance) want="$want $CONFORMANCE" ;;
	--check) install=no ;;
	-h | --help)
		sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	*) die "unknown option $option (sh setup.sh --help)" ;;
	esac
done

# missing_packages PACKAGE...: those that are not installed.
missing_packages() {
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p')
	for package in "$@"; do
		echo "$installed" | grep -qx "$package" || printf '%s ' "$package"
	done
}

# find_go: the first Go that is new enough; the others do not matter.
find_go() {
	for go in "$(command -v go || :)" /usr/local/go/bin/go /usr/lib/go/bin/go /usr/lib/go-1.*/bin/go; do
		[ -x "$go" ] || continue
		minor=$(cd / && GOTOOLCHAIN=local "$go" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
		if [ "${minor:-0}" -ge $GO_MINIMUM ]; then
			echo "$go"
			return
		fi
	done
	return 1
}

# apt_update: fetch the package lists once, and only when something has to be installed.
updated=no
apt_update() {
	[ $updated = no ] || return 0
	say "fetching package lists"
	apt-get update -qq
	updated=yes
}

apt_install() {
	apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

# Debian 12 itself has Go 1.19; its backports have a newer one. They come from the mirror that this machine already
# uses, and apt takes from them only what is asked for by name.
install_go() {
	apt_update
	if ! apt-cache policy | grep -q bookworm-backports; then
		[ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = bookworm ] ||
			die "needs Go 1.$GO_MINIMUM or newer (https://go.dev/dl)"
		mirror=$(apt-get indextargets --format '$(SITE)' 'Codename: bookworm' | head -n 1)
		[ -n "$mirror" ] || die "apt has no source of Debian 12 to take Go from; install Go 1.$GO_MINIMUM or newer (https://go.dev/dl)"
		say "adding Debian's backports for Go: $BACKPORTS"
		echo "deb $mirror bookworm-backports main" >$BACKPORTS
		apt-get update -qq || {
			rm -f $BACKPORTS
			die "cannot fetch Debian's backports; install Go 1.$GO_MINIMUM or newer yourself (https://go.dev/dl)"
		}
	fi
	say "installing Go from Debian's backports"
	apt_install -t bookworm-backports golang-go
}

# Units that packages have enabled for the next boot.
enabled_units() { find /etc/systemd/system -type l -path '*.wants/*' 2>/dev/null | sed 's#.*/##' | sort -u; }

# quietly CMD...: install without starting any service.
quietly() {
	before=$(enabled_units)
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
		trap 'rm -f $policy' EXIT
		trap 'exit 130' INT TERM
	fi
	"$@"
	for unit in $(enabled_units | grep -E '^(libvirt|virt|ssh|qemu)' || :); do
		if ! echo "$before" | grep -qxF "$unit" && systemctl disable --quiet "$unit" 2>/dev/null; then
			disabled="${disabled:-}${disabled:+ }$unit"
		fi
	done
	[ -z "${disabled:-}" ] || say "left disabled: $disabled (enable with: systemctl enable --now UNIT)"
}

command -v dpkg-query >/dev/null || die "this is not Debian. It needs the like of: $want, and Go 1.$GO_MINIMUM or newer"
# shellcheck disable=SC2086 # a list of words
missing=$(missing_packages $want)
go=$(find_go) || go=

if [ -z "$missing" ] && [ -n "$go" ]; then
	say "everything is there (Go: $go)"
	exit 0
fi
if [ $install = no ] || [ "$(id -u)" != 0 ]; then
	[ -z "$missing" ] || say "missing packages: $missing"
	[ -n "$go" ] || say "missing: Go 1.$GO_MINIMUM or newer"
	[ $install = yes ] || exit 1
	[ -z "$missing" ] || say "as root: apt-get install --no-install-recommends $missing"
	die "installing needs root; for 'make quickstart' alone only these must be there: $QUICKSTART, and Go 1.$GO_MINIMUM or newer"
fi

if [ -n "$missing" ]; then
	# shellcheck disable=SC2086 # a list of words
	install_missing() {
		say "installing: $missing"
		# lists that are there may be old: fetch them only when they do not do
		apt-cache show $missing >/dev/null 2>&1 || apt_update
		apt_install $missing || {
			apt_update
			apt_install $missing
		}
	}
	quietly install_missing
fi
if [ -z "$go" ]; then
	quietly install_go
	go=$(find_go) || die "Debian's backports have no Go 1.$GO_MINIMUM or newer; install it yourself (https://go.dev/dl)"
fi
case $(command -v go) in
"$go") ;;
*) say "put Go into PATH: export PATH=${go%/go}:\$PATH" ;;
esac
say "done (Go: $go)"
