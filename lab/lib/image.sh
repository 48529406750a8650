# The guests' images: built when their builder or its packages have changed, else taken from the cache.
# shellcheck shell=bash

IMAGES=$LAB_DIR/images
BUILDERS=$LAB_HOME/images

# image_dir NAME: directory of the newest finished build of an image; fails when there is none.
image_dir() {
	local dir
	dir=$(readlink -e "$IMAGES/$1") && [ -f "$dir/$1.qcow2" ] && echo "$dir"
}

# image_build NAME [force]: make sure that image NAME is built. Its builder images/NAME.sh defines
#   image_packages   prints the packages that the image is made of
#   image_sources    prints what else the builder is made of; it may be left out
#   image_make DIR   fills DIR with NAME.qcow2 and what belongs to it
# A build goes to a directory of its own; the link $IMAGES/NAME is replaced when it is complete.
image_build() (
	local name=$1 force=${2:-} list key dir new start=$SECONDS
	[ -f "$BUILDERS/$name.sh" ] || die "no image '$name'; there are: $(cd "$BUILDERS" && echo *.sh | sed 's/\.sh//g')"
	mkdir -p "$IMAGES"
	exec 8>"$IMAGES/$name.lock"
	if ! flock -n 8; then
		say "waiting for another build of image $name"
		flock 8
	fi
	# shellcheck source=/dev/null
	. "$BUILDERS/$name.sh"

	local sources=("$BUILDERS/$name.sh" "$BUILDERS/disk.sh") checked
	[ ! -d "$BUILDERS/$name" ] || sources+=("$BUILDERS/$name")
	# shellcheck disable=SC2207 # names without spaces
	! declare -F image_sources >/dev/null || sources+=($(image_sources))
	# asking apt takes a second: ask only when its lists or the builder have changed
	checked=$(stat -c %Y /var/lib/apt/lists | hash_of - "${sources[@]}")
	if [ -z "$force" ] && image_dir "$name" >/dev/null && [ "$(cat "$IMAGES/$name.checked" 2>/dev/null)" = "$checked" ]; then
		return 0
	fi
	apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || debs_update || :
	# shellcheck disable=SC2046 # a list of words
	if ! list=$(debs_list $(image_packages)); then
		image_dir "$name" >/dev/null || die "apt does not know the packages of image $name (run: apt-get update)"
		say "apt does not know the packages of image $name; using the image that is there"
		return 0
	fi
	key=$(echo "$list" | hash_of - "${sources[@]}")
	dir=$IMAGES/$name-$key
	if [ -z "$force" ] && [ "$(image_dir "$name")" = "$(readlink -m "$dir")" ]; then
		echo "$checked" >"$IMAGES/$name.checked"
		return 0
	fi

	say "building image $name"
	rm -rf "$IMAGES/.$name."*
	new=$(mktemp -d "$IMAGES/.$name.XXXXXX")
	mkdir "$new/out" "$new/work"
	chmod 755 "$new/out"
	# the builder runs in mount and process namespaces of its own, so that nothing of it can stay behind
	if ! unshare --mount --propagation private -- bash -euo pipefail "$BUILDERS/run.sh" "$name" "$new/out" "$new/work" \
		>"$IMAGES/$name.log" 2>&1; then
		tail -n 20 "$IMAGES/$name.log" >&2
		rm -rf "$new"
		die "image $name could not be built; see $IMAGES/$name.log"
	fi
	rm -rf "$dir"
	mv "$new/out" "$dir"
	rm -rf "$new"
	ln -s "${dir##*/}" "$IMAGES/.$name.link"
	mv -T "$IMAGES/.$name.link" "$IMAGES/$name"
	echo "$checked" >"$IMAGES/$name.checked"
	# keep the build before this one for whoever is still copying it
	find "$IMAGES" -maxdepth 1 -type d -name "$name-*" ! -newer "$dir" ! -path "$dir" -printf '%T@ %p\n' |
		sort -rn | tail -n +2 | cut -d ' ' -f 2- | xargs -r rm -rf
	say "image $name: $(du -h "$dir/$name.qcow2" | cut -f 1) in $((SECONDS - start)) s"
)
