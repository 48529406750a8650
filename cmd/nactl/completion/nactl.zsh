#compdef nactl
# zsh completion for nactl; nactl itself knows the words.

_nactl() {
	local kind line word prefix=
	local -a lines found
	lines=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	kind=${lines[1]}
	for line in "${(@)lines[2,-1]}"; do
		[[ -n $line ]] || continue
		word=${line%%$'\t'*}
		found+=("${word//:/\\:}:${line#*$'\t'}")
	done
	if [[ ${words[CURRENT]} == --*=* ]]; then
		prefix=${words[CURRENT]%%=*}=
		found=("${(@)found#$prefix}")
		compset -P '*='
	fi
	(( ${#found} )) && _describe -V nactl found
	case $kind in
	files) _files ;;
	dirs) _files -/ ;;
	esac
}

if [[ ${funcstack[1]} == _nactl ]]; then
	_nactl "$@"
else
	compdef _nactl nactl
fi
