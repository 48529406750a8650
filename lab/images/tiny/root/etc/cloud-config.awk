# cloud-config.awk - reads one top-level key of a cloud-config document (the subset of YAML that is written below).
#   awk -v key=hostname -f cloud-config.awk FILE   prints the scalar
#   awk -v key=runcmd   -f cloud-config.awk FILE   prints a shell script: a string item is a line of it, a list item
#                                                  a command with quoted arguments, as cloud-init does
# Understood: plain, 'single' and "double" quoted scalars, block scalars (| and >), flow lists on one line, nested block lists.

{ line[NR] = $0 }

END {
	for (n = 1; n <= NR; n++) {
		if (index(line[n], key ":") != 1) continue
		rest = substr(line[n], length(key) + 2)
		sub(/^[ \t]+/, "", rest)
		sub(/^#.*/, "", rest)
		if (rest ~ /^\[/) flow_items(rest)
		else if (rest != "") print value(rest, 0)
		else items()
		exit
	}
}

function indent(text) { match(text, /^ */); return RLENGTH }
function blank(text) { return text ~ /^ *(#.*)?$/ }
function quote(text) { gsub(/'/, "'\\''", text); return "'" text "'" }

# items prints the block list that follows line n; the list may stand at the indent of its key.
function items(   at, text, depth) {
	for (n++; n <= NR && blank(line[n]); n++);
	at = indent(line[n])
	while (n <= NR && line[n] ~ /^ *-( |$)/ && indent(line[n]) == at) {
		text = substr(line[n], at + 2)
		depth = at + 1 + indent(text)
		sub(/^ +/, "", text)
		if (text ~ /^- /) print arguments(depth)
		else if (text ~ /^\[/) { T = text; P = 1; print flow_list() }
		else print value(text, at)
		for (n++; n <= NR && blank(line[n]); n++);
	}
}

# arguments joins the nested list whose first item begins at column `at` of line n.
function arguments(at,   joined, text) {
	text = substr(line[n], at + 1)
	for (;;) {
		sub(/^- */, "", text)
		joined = joined (joined == "" ? "" : " ") quote(value(text, at))
		if (n == NR || indent(line[n + 1]) != at || line[n + 1] !~ /^ *- /) return joined
		text = substr(line[++n], at + 1)
	}
}

# value is a scalar whose text begins on line n; a block scalar takes the following lines deeper than `at`.
function value(text, at,   joined, depth, glue) {
	if (text ~ /^["']/) { T = text; P = 1; return quoted() }
	if (text !~ /^[|>]/) { sub(/[ \t]+(#.*)?$/, "", text); return text }
	glue = text ~ /^>/ ? " " : "\n"
	for (depth = 0; n < NR && (line[n + 1] ~ /^ *$/ || indent(line[n + 1]) > at); ) {
		n++
		if (!depth) depth = indent(line[n])
		joined = joined (joined == "" ? "" : glue) substr(line[n], depth + 1)
	}
	return joined
}

# The flow parsers read text T from position P on.
function skip() { while (substr(T, P, 1) ~ /[ \t]/ && P <= length(T)) P++ }
function more() { skip(); return P <= length(T) && substr(T, P, 1) != "]" }
function quoted(   mark, c, text) {
	mark = substr(T, P++, 1)
	while (P <= length(T)) {
		c = substr(T, P++, 1)
		if (c == mark && mark == "'" && substr(T, P, 1) == mark) P++
		else if (c == mark) break
		else if (c == "\\" && mark == "\"") c = escape()
		text = text c
	}
	return text
}
function escape(   c, code, i) {
	c = substr(T, P++, 1)
	if (c == "n") return "\n"
	if (c == "t") return "\t"
	if (c != "u") return c
	for (i = 0; i < 4; i++) code = code * 16 + index("123456789abcdef", tolower(substr(T, P++, 1)))
	return sprintf("%c", code)
}
function flow_scalar(   text) {
	if (substr(T, P, 1) ~ /["']/) return quoted()
	while (P <= length(T) && substr(T, P, 1) !~ /[],]/) text = text substr(T, P++, 1)
	sub(/[ \t]+$/, "", text)
	return text
}
function flow_list(   joined) {
	P++
	while (more()) {
		joined = joined (joined == "" ? "" : " ") quote(flow_scalar())
		skip()
		if (substr(T, P, 1) == ",") P++
	}
	P++
	return joined
}
function flow_items(text) {
	T = text; P = 2
	while (more()) {
		print substr(T, P, 1) == "[" ? flow_list() : flow_scalar()
		skip()
		if (substr(T, P, 1) == ",") P++
	}
}
