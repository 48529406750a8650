# Becomes the command "$5"… inside a guest, so that whoever started this waits for
# the very process and sees its exit status or signal. Before that it
#  - reads the environment to add from the first $1 lines of standard input, where
#    no list of processes shows it, and leaves the rest to the command;
#  - changes to directory $2, unless that is empty.
# For the guest agent, which is what $3 tells, it also
#  - puts a keeper between each output and the agent: libvirt drops replies over
#    4 MiB and loses the agent over 10 MiB, so the agent gets one MiB of each
#    output and a file takes the next 15;
#  - makes the command the leader of a session, so that it can be ended with all
#    that it started. sshd does so by itself, and setsid would have to fork there.
# $3 names the directory of the files; it is empty over SSH. $4 is a file that
# standard input was put into, or empty. Any POSIX shell will do, busybox included.
nactl_lines=$1 nactl_dir=$2 nactl_token=$3 nactl_input=$4
shift 4

if [ -n "$nactl_input" ]; then
	exec <"$nactl_input"
	rm -f "$nactl_input"
fi

nactl_env=
while [ "$nactl_lines" -gt 0 ]; do
	IFS= read -r nactl_line
	nactl_env="$nactl_env$nactl_line
"
	nactl_lines=$((nactl_lines - 1))
done

nactl_keep() {
	if dd iflag=fullblock count=0 </dev/null 2>/dev/null; then
		dd bs=65536 count=16 iflag=fullblock 2>/dev/null
		head -c 15728641 >"$1" 2>/dev/null || : >"$1.short"
	else
		head -c 1048577
	fi
	cat >/dev/null
	[ -s "$1" ] || rm -f "$1"
	rmdir "${1%/*}" 2>/dev/null
}

for nactl_spool in /tmp /var/tmp /run /dev/shm; do
	[ -n "$nactl_token" ] || break
	nactl_spool=$nactl_spool/.nactl-$nactl_token
	mkdir -m 700 "$nactl_spool" 2>/dev/null || continue
	if mkfifo "$nactl_spool/1" "$nactl_spool/2" 2>/dev/null; then
		# Both files first: the keeper that ends first removes an empty directory.
		: >"$nactl_spool/stdout"
		: >"$nactl_spool/stderr"
		# Twice removed, the keepers are no children of the command, which may wait
		# for its own.
		(nactl_keep "$nactl_spool/stdout" <"$nactl_spool/1" &)
		(nactl_keep "$nactl_spool/stderr" <"$nactl_spool/2" >&2 &)
		exec >"$nactl_spool/1" 2>"$nactl_spool/2"
		rm -f "$nactl_spool/1" "$nactl_spool/2"
		break
	fi
	rmdir "$nactl_spool" 2>/dev/null
done

nactl_session=
[ -z "$nactl_token" ] || nactl_session=$(command -v setsid) || nactl_session=
if [ -n "$nactl_dir" ] && ! cd "$nactl_dir" 2>/dev/null; then
	echo "nactl: cannot change to this directory" >&2
	exit 125
fi
eval "$nactl_env"
[ -z "$nactl_session" ] || exec "$nactl_session" "$@"
exec "$@"
