#!/bin/bash
# build.sh [DIR] - the Debian package nactl, made of this tree: DIR/nactl_VERSION_ARCH.deb (default bin/).
#
# The same tree gives the same package, byte for byte: times are those of the last commit.
set -euo pipefail
export LC_ALL=C CGO_ENABLED=1
umask 022
here=$(dirname "$(readlink -f "$0")")
tree=$(readlink -f "$here/../..")
out=$(readlink -m "${1:-$tree/bin}")
cd "$tree"

# A tag v1.2.3 is version 1.2.3; commits behind it are 1.2.3+N.gHASH; before the first tag, 0~N.gHASH.
version() {
	local described
	if described=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
		described=${described#v}
		echo "${described/-/+}" | tr - .
	else
		echo "0~$(git rev-list --count HEAD).g$(git rev-parse --short HEAD)"
	fi
}

VERSION=$(version)
ARCH=$(dpkg --print-architecture)
# The programs that nactl takes the place of: it goes by their names, too.
OLD_NAMES="na-vmctl na-vmexec na-volctl"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

put() { # FILE PATH [MODE]
	install -D -m "${3:-644}" "$1" "$root$2"
}

program() {
	mkdir -p "$root/usr/bin"
	go build -trimpath -tags libvirt_dlopen -ldflags "-s -w -X main.version=$VERSION" -o "$root/usr/bin/nactl" ./cmd/nactl
	local name
	for name in $OLD_NAMES; do
		ln -s nactl "$root/usr/bin/$name"
	done
}

# The manual pages and a configuration that sets nothing, both from the program itself.
written() {
	local pages page
	pages=$(mktemp -d "$root/man.XXXXXX")
	"$root/usr/bin/nactl" write-package docs "$pages"
	put "$pages/config.yaml" /etc/nactl/config.yaml
	for page in "$pages"/*.[157]; do
		gzip -9n "$page"
		put "$page.gz" "/usr/share/man/man${page##*.}/${page##*/}.gz"
	done
	rm -rf "$pages"
	local name
	for name in $OLD_NAMES; do
		ln -s nactl.1.gz "$root/usr/share/man/man1/$name.1.gz"
	done
}

completions() {
	put cmd/nactl/completion/nactl.bash /usr/share/bash-completion/completions/nactl
	put cmd/nactl/completion/nactl.zsh /usr/share/zsh/vendor-completions/_nactl
	put cmd/nactl/completion/nactl.fish /usr/share/fish/vendor_completions.d/nactl.fish
}

documents() {
	local doc=/usr/share/doc/nactl file
	put README.md $doc/README.md
	put "$here/copyright" $doc/copyright
	git ls-files docs playbooks | while read -r file; do
		case $file in
		docs/*) put "$file" "$doc/${file#docs/}" ;;
		*) put "$file" "$doc/examples/${file#playbooks/}" ;;
		esac
	done
	{
		printf 'nactl (%s) unstable; urgency=medium\n\n' "$VERSION"
		git log -20 --format='  * %s'
		printf '\n -- nactl <nactl@localhost>  %s\n' "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
	} | gzip -9n >"$root$doc/changelog.gz"
	chmod 644 "$root$doc/changelog.gz"
}

# The oldest C library that has all that the program asks for.
libc() { objdump -T "$root/usr/bin/nactl" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1 | cut -d _ -f 2; }

control() {
	mkdir "$root/DEBIAN"
	(cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$root/DEBIAN/conffiles"
	(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
	cat >"$root/DEBIAN/control" <<-EOF
		Package: nactl
		Version: $VERSION
		Architecture: $ARCH
		Maintainer: nactl <nactl@localhost>
		Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
		Depends: libc6 (>= $(libc))
		Recommends: libvirt0, openssh-client, ca-certificates
		Section: admin
		Priority: optional
		Homepage: https://github.com/nactl/nactl
		Description: playbooks for virtual machines
		 nactl plays YAML playbooks on oVirt engines and on libvirt nodes over SSH:
		 networks, VMs with their disks, CPUs and memory, what runs inside them, where
		 they run. It looks at what is there, changes only what differs, proves that the
		 change took, and says so. Played again, it changes nothing.
		 .
		 Nodes need libvirtd and sshd, nothing else. libvirt0 is needed for nodes only,
		 and not for oVirt engines.
	EOF
}

program
written
completions
documents
control
find "$root" -depth -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/nactl_${VERSION}_$ARCH.deb" >/dev/null
echo "$out/nactl_${VERSION}_$ARCH.deb"
