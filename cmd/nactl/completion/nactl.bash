# bash completion for nactl; nactl itself knows the words.

_nactl() {
	local kind line word cur=${COMP_WORDS[COMP_CWORD]} IFS=$'\n'
	COMPREPLY=()
	[ "$cur" != = ] || cur=
	{
		read -r kind
		while read -r line; do
			word=${line%%$'\t'*}
			# bash has cut --name=value at the =: only what is behind it is replaced
			case ${COMP_WORDS[COMP_CWORD]}:${COMP_WORDS[COMP_CWORD - 1]} in
			=:* | *:=) word=${word#*=} ;;
			esac
			COMPREPLY+=("$(printf '%q' "$word")")
		done
	} < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	case $kind in
	files) COMPREPLY+=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null ;;
	dirs) COMPREPLY+=($(compgen -d -- "$cur")); compopt -o filenames 2>/dev/null ;;
	esac
	return 0
}

complete -F _nactl nactl
