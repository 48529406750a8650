#!/bin/bash
# check.sh DEB - does the package do on a fresh Debian 12 what it is for? Installs it into a clean system of its own,
# plays there, reads its pages, changes its configuration, installs it again, and purges it. Needs root.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
deb=$(readlink -e "${1:?name the package}")
# mounts and processes end with this script
[ -n "${NACTL_CHECK:-}" ] || NACTL_CHECK=1 exec unshare --mount --pid --fork --kill-child --propagation private -- "$0" "$deb"

LAB_HOME=$here/../../lab
for part in common debs; do
	# shellcheck source=/dev/null
	. "$LAB_HOME/lib/$part.sh"
done
# shellcheck source=/dev/null
. "$LAB_HOME/images/debian-12.sh" # for its smallest Debian system
say() { printf 'package: %s\n' "$*" >&2; }

work=$(mktemp -d)
TMPDIR=$work
export TMPDIR
root=$work/root
trap 'umount "$root/proc" "$root/debs" 2>/dev/null || :; rm -rf "$work"' EXIT
mkdir -p "$DEBS"

inside() { in_guest "$root" env HOME=/root LIBVIRT_DEFAULT_URI=test:///default "$@"; }

# wants TEXT CMD...: the command has to end well and say TEXT.
wants() {
	local text=$1 said
	shift
	said=$(inside "$@" 2>&1) || die "'$*' ended with $?: $said"
	grep -q -- "$text" <<<"$said" || die "'$*' does not say '$text' but: $said"
	say "ok: $*"
}

bookworm_base "$root" >/dev/null
cp "$deb" "$root/nactl.deb"
cp -r "$here/../../playbooks" "$root/root/playbooks"
guest_apt "$root" -o Dir::Cache::archives="$DEBS/debian-12/" install --download-only libvirt0 >/dev/null
files=$(guest_apt "$root" -o Dir::Cache::archives="$work/" install --print-uris libvirt0 | awk '{ print "./" $2 }')
mkdir "$root/debs"
mount --bind "$DEBS/debian-12" "$root/debs"
mount -t proc proc "$root/proc"

# without libvirt0 it says what is missing, and does the rest
inside dpkg -i /nactl.deb >/dev/null
wants 'set_cpu' nactl doc
! said=$(inside nactl play /root/playbooks/quickstart.yml 2>&1) || die "nodes without libvirt0: $said"
grep -q libvirt0 <<<"$said" || die "does not say that libvirt0 is missing: $said"
say "ok: says that libvirt0 is missing"

# shellcheck disable=SC2086 # a list of words
inside sh -c 'cd /debs && apt-get install -y -qq --no-install-recommends -o APT::Sandbox::User=root -o Dpkg::Options::=--force-unsafe-io "$@"' sh $files >/dev/null 2>&1
wants 'failed=0' nactl play /root/playbooks/quickstart.yml
wants 'set_cpu' nactl doc
wants 'test' na-vmctl list --all
wants 'complete -F' nactl completion bash
for page in nactl.1 nactl-play.1 nactl-playbook.5 nactl-steps.7; do
	MANPAGER=cat man -l "$root/usr/share/man/man${page##*.}/$page.gz" | grep -q '^NAME' || die "no page $page"
done
say "ok: manual pages"

echo '# mine' >>"$root/etc/nactl/config.yaml"
inside dpkg -i /nactl.deb >/dev/null
grep -q '^# mine' "$root/etc/nactl/config.yaml" || die "a changed configuration was overwritten"
say "ok: a changed configuration is kept"
inside dpkg --purge nactl >/dev/null
left=$(cd "$root" && find usr etc -name '*nactl*' -o -name 'na-v*')
[ -z "$left" ] || die "left behind: $left"
say "ok: purged without a trace"
