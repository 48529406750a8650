# Debian packages that are unpacked for the lab, not installed: guests are made of them, and Open vSwitch runs from them.
# shellcheck shell=bash

DEBS=$LAB_DIR/debs

# debs_list PACKAGE...: "FILE CHECKSUM" of the candidate version of each package, from apt's index (no network).
# apt also tells the address of a mirror here; only file name and checksum go on.
debs_list() {
	local list
	list=$(apt-get download --print-uris -qq -o APT::Sandbox::User=root "$@") || return
	awk '{ print $2, $4 }' <<<"$list" | sort
}

# debs_update: fetch apt's lists, which are missing on a fresh machine and name files that are gone on an old one.
debs_update() {
	say "fetching apt's package lists"
	apt-get update -qq
}

# debs_unpack DIR PACKAGE...: unpack the candidate version of each package into DIR; download what the cache lacks.
debs_unpack() { debs_unpack_listed "$@" || { debs_update && debs_unpack_listed "$@"; }; }

debs_unpack_listed() {
	local dir=$1 list file missing=()
	shift
	list=$(debs_list "$@") || return
	while read -r file _; do
		[ -f "$DEBS/$file" ] || missing+=("${file%%_*}")
	done <<<"$list"
	[ ${#missing[@]} = 0 ] || debs_download "${missing[@]}" || return
	while read -r file _; do
		dpkg -x "$DEBS/$file" "$dir" || return
	done <<<"$list"
}

# debs_download PACKAGE...: into the cache, where files appear complete or not at all.
debs_download() (
	say "downloading $# Debian packages"
	mkdir -p "$DEBS"
	new=$(mktemp -d "$DEBS/.new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	cd "$new" && apt-get download -qq -o APT::Sandbox::User=root "$@" && mv -f -- *.deb "$DEBS/"
)

# hash_of FILE...: one short key for the contents and modes of files and directories; "-" is standard input.
hash_of() {
	local path
	for path in "$@"; do
		if [ "$path" = - ]; then
			cat
		else
			find "$path" -type f -printf '%P %m\n' | sort
			find "$path" -type f | sort | xargs cat
		fi
	done | sha256sum | cut -c 1-16
}
