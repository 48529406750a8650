# Changes a host's network, and sees to it that the host takes the change back by
# itself, unless somebody confirms it in time over a connection made afterwards.
# $1 names the change, $2 is the time in seconds. What belongs to the change comes
# in front of this: nactl_do and nactl_undo, functions, and nactl_files, a list of
# quoted paths for eval. It is one text for /bin/sh, read whole before it is run.
nactl_main() {
	LC_ALL=C; export LC_ALL
	token=$1 seconds=$2 dir=/run/nactl/net-$1
	mkdir -p -m 700 /run/nactl || exit 90
	for other in /run/nactl/net-*; do
		[ -d "$other" ] || continue
		# one that was decided and left behind is in nobody's way
		[ -d "$other/decided" ] && [ ! -d "$other/busy" ] && { rm -rf "$other"; continue; }
		echo "$other" >&2
		exit 97
	done
	mkdir -m 700 "$dir" "$dir/files" || exit 90

	# what is there now
	ip address save >"$dir/addresses" 2>/dev/null || :
	ip -4 route save table main >"$dir/routes4" 2>/dev/null || :
	ip -6 route save table main >"$dir/routes6" 2>/dev/null || :
	eval "set -- $nactl_files"
	n=0
	for f in "$@"; do
		n=$((n + 1))
		[ ! -e "$f" ] || cp -p "$f" "$dir/files/$n" || exit 90
	done
	{
		printf 'nactl_files=%s\n' "$nactl_files_quoted"
		printf '%s\n' "$nactl_undo_text"
		cat <<'UNDO'
dir=$1
mkdir "$dir/decided" 2>/dev/null || exit 0
mkdir "$dir/busy"
eval "set -- $nactl_files"
n=0
for f in "$@"; do
	n=$((n + 1))
	if [ -e "$dir/files/$n" ]; then mkdir -p "${f%/*}"; cp -p "$dir/files/$n" "$f.nactl-new" && mv -f "$f.nactl-new" "$f"; else rm -f "$f"; fi
done
nactl_undo </dev/null >"$dir/log" 2>&1
# who was up is up, and has the addresses and routes that it had
ip address restore <"$dir/addresses" >>"$dir/log" 2>&1
ip -4 route restore <"$dir/routes4" >>"$dir/log" 2>&1
ip -6 route restore <"$dir/routes6" >>"$dir/log" 2>&1
: >"$dir/undone"
rmdir "$dir/busy"
UNDO
	} >"$dir/undo" || exit 90

	# the host's own watch, which outlives this connection and all that logind ends with it
	watch="sleep $seconds; exec /bin/sh $dir/undo $dir"
	if [ ! -d /run/systemd/system ] || ! systemd-run --quiet --collect --unit="nactl-net-$token" /bin/sh -c "$watch" </dev/null >/dev/null 2>&1; then
		command -v setsid >/dev/null || exit 90
		setsid /bin/sh -c "$watch" </dev/null >/dev/null 2>&1 &
	fi
	# from here on the change is taken back, whatever becomes of us
	if (set -e; nactl_do) </dev/null >"$dir/done" 2>&1; then
		: >"$dir/finished"
		exit 0
	fi
	cat "$dir/done" >&2
	/bin/sh "$dir/undo" "$dir"
	exit 91
}
nactl_main "$@"
