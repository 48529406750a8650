package expr

import (
	"maps"
	"slices"
)

// LanguageFunctions lists the functions of expr-lang that playbooks may call, by
// what they are for.
func LanguageFunctions() []Function {
	return []Function{
		{"all", "all(list, condition)", "whether the condition holds for every element, which it reads as `#`; `.name` is a member of it", `all([1, 2], # > 0)`, `true`},
		{"any", "any(list, condition)", "whether it holds for one at least", `any([1, 2], # > 1)`, `true`},
		{"one", "one(list, condition)", "whether it holds for exactly one", `one([1, 2], # > 1)`, `true`},
		{"none", "none(list, condition)", "whether it holds for none", `none([1, 2], # > 2)`, `true`},
		{"filter", "filter(list, condition)", "the elements for which it holds", `filter([{name: "a", up: true}, {name: "b", up: false}], .up)`, `[{name: "a", up: true}]`},
		{"map", "map(list, expression)", "what the expression makes of each element", `map([{name: "a"}, {name: "b"}], .name)`, `["a", "b"]`},
		{"count", "count(list, condition)", "for how many it holds", `count([1, 2, 3], # > 1)`, `2`},
		{"find", "find(list, condition)", "the first element for which it holds, or nothing", `find([1, 2, 3], # > 1)`, `2`},
		{"findIndex", "findIndex(list, condition)", "the place of that element, from 0", `findIndex([1, 2, 3], # > 1)`, `1`},
		{"findLast", "findLast(list, condition)", "the last element for which it holds, or nothing", `findLast([1, 2, 3], # > 1)`, `3`},
		{"findLastIndex", "findLastIndex(list, condition)", "the place of that element, from 0", `findLastIndex([1, 2, 3], # > 1)`, `2`},
		{"groupBy", "groupBy(list, key)", "a map of lists: the elements by what the key gives", `groupBy([{on: "n1", vm: "a"}, {on: "n2", vm: "b"}], .on)["n2"]`, `[{on: "n2", vm: "b"}]`},
		{"sortBy", "sortBy(list, key)", "the elements in the order of their keys; a third argument `\"desc\"` turns it round", `sortBy([{n: 2}, {n: 1}], .n)`, `[{n: 1}, {n: 2}]`},
		{"sum", "sum(list)", "the sum of numbers; `sum(list, .cpu)` that of a member", `sum([1, 2, 3])`, `6`},

		{"first", "first(list)", "the first element, or nothing", `first(["a", "b"])`, `"a"`},
		{"last", "last(list)", "the last element, or nothing", `last(["a", "b"])`, `"b"`},
		{"take", "take(list, n)", "the first n elements", `take([1, 2, 3], 2)`, `[1, 2]`},
		{"get", "get(x, key)", "an element of a list or a member of a map, or nothing", `get({a: 1}, "b") ?? 0`, `0`},
		{"len", "len(x)", "the number of elements, members or characters", `len("näht")`, `4`},
		{"sort", "sort(list)", "in ascending order; `sort(list, \"desc\")` in descending", `sort([3, 1, 2])`, `[1, 2, 3]`},
		{"reverse", "reverse(list)", "from the last to the first", `reverse([1, 2])`, `[2, 1]`},
		{"uniq", "uniq(list)", "each element once, in the order in which they come first", `uniq([1, 2, 1])`, `[1, 2]`},
		{"concat", "concat(a, b, …)", "lists as one", `concat([1], [2])`, `[1, 2]`},
		{"flatten", "flatten(list)", "lists within it become its elements", `flatten([[1], [2, [3]]])`, `[1, 2, 3]`},
		{"keys", "keys(map)", "its keys", `keys({a: 1})`, `["a"]`},
		{"values", "values(map)", "its values", `values({a: 1})`, `[1]`},
		{"toPairs", "toPairs(map)", "a list of `[key, value]`", `toPairs({a: 1})`, `[["a", 1]]`},
		{"fromPairs", "fromPairs(list)", "a map of such a list", `fromPairs([["a", 1]])`, `{a: 1}`},

		{"upper", "upper(text)", "in capital letters", `upper("web")`, `"WEB"`},
		{"lower", "lower(text)", "in small letters", `lower("WEB")`, `"web"`},
		{"trim", "trim(text)", "without white space at both ends, or without the characters of a second argument", `trim(" a ")`, `"a"`},
		{"trimPrefix", "trimPrefix(text, prefix)", "without that beginning", `trimPrefix("vm-web", "vm-")`, `"web"`},
		{"trimSuffix", "trimSuffix(text, suffix)", "without that end", `trimSuffix("web.lan", ".lan")`, `"web"`},
		{"hasPrefix", "hasPrefix(text, prefix)", "whether it begins so; the same as `text startsWith prefix`", `hasPrefix("web-1", "web")`, `true`},
		{"hasSuffix", "hasSuffix(text, suffix)", "whether it ends so; the same as `text endsWith suffix`", `hasSuffix("web-1", "-1")`, `true`},
		{"split", "split(text, by)", "the parts between the separators", `split("a,b", ",")`, `["a", "b"]`},
		{"splitAfter", "splitAfter(text, by)", "the parts with their separators", `splitAfter("a,b", ",")`, `["a,", "b"]`},
		{"join", "join(list, by)", "texts as one; by may be left out", `join(["a", "b"], ", ")`, `"a, b"`},
		{"replace", "replace(text, from, to)", "every occurrence replaced", `replace("a.b.c", ".", "-")`, `"a-b-c"`},
		{"repeat", "repeat(text, n)", "n times", `repeat("ab", 2)`, `"abab"`},
		{"indexOf", "indexOf(text, part)", "where the part stands first, from 0; -1 when nowhere", `indexOf("abab", "b")`, `1`},
		{"lastIndexOf", "lastIndexOf(text, part)", "where it stands last", `lastIndexOf("abab", "b")`, `3`},

		{"string", "string(x)", "any value as text", `string(8080)`, `"8080"`},
		{"int", "int(x)", "the integer that a text or a number holds", `int("8080") + 1`, `8081`},
		{"float", "float(x)", "the number that a text or an integer holds", `float("0.5")`, `0.5`},
		{"type", "type(x)", "what x is: string, int, float, bool, array, map, nil", `type([1])`, `"array"`},
		{"toJSON", "toJSON(x)", "x as JSON of indented lines", `toJSON([1])`, `"[\n  1\n]"`},
		{"fromJSON", "fromJSON(text)", "the same as from_json", `fromJSON("[1]")`, `[1]`},
		{"toBase64", "toBase64(text)", "the same as b64encode", `toBase64("abc")`, `"YWJj"`},
		{"fromBase64", "fromBase64(text)", "the same as b64decode", `fromBase64("YWJj")`, `"abc"`},

		{"abs", "abs(n)", "without its sign", `abs(-2)`, `2`},
		{"ceil", "ceil(n)", "rounded up", `ceil(1.2)`, `2.0`},
		{"floor", "floor(n)", "rounded down", `floor(1.8)`, `1.0`},
		{"round", "round(n)", "rounded to the nearest integer", `round(1.5)`, `2.0`},
		{"max", "max(list)", "the greatest; also of several arguments", `max([1, 3, 2])`, `3`},
		{"min", "min(list)", "the least; also of several arguments", `min(4, 2)`, `2`},
		{"mean", "mean(list)", "the average", `mean([1, 2])`, `1.5`},
		{"median", "median(list)", "the middle one", `median([1, 5, 3])`, `3.0`},
		{"bitand", "bitand(a, b)", "bits that both have", `bitand(6, 3)`, `2`},
		{"bitor", "bitor(a, b)", "bits that one has", `bitor(6, 3)`, `7`},
		{"bitxor", "bitxor(a, b)", "bits that only one has", `bitxor(6, 3)`, `5`},
		{"bitnand", "bitnand(a, b)", "bits that a has and b has not", `bitnand(6, 3)`, `4`},
		{"bitnot", "bitnot(a)", "all bits turned", `bitnot(0)`, `-1`},
		{"bitshl", "bitshl(a, n)", "shifted to the left", `bitshl(1, 4)`, `16`},
		{"bitshr", "bitshr(a, n)", "shifted to the right", `bitshr(16, 4)`, `1`},
		{"bitushr", "bitushr(a, n)", "shifted to the right without its sign", `bitushr(16, 4)`, `1`},

		{"duration", "duration(text)", "a length of time to calculate with; seconds() makes a number of it", `seconds(duration("1h") + duration("30m"))`, `5400.0`},
		{"date", "date(text)", "a point in time to calculate with", `date("2026-03-02").Format("02.01.2006")`, `"02.03.2026"`},
		{"timezone", "timezone(name)", "a time zone, for a date", `date("2026-03-02T12:00:00Z").In(timezone("UTC")).Hour()`, `12`},
	}
}

// examples shows nactl's own functions at work, each with what it gives.
var examples = map[string][2]string{
	"default":        {`default(missing, 8080)`, `8080`},
	"defined":        {`defined(missing)`, `false`},
	"ternary":        {`ternary(1 < 2, "yes", "no")`, `"yes"`},
	"to_json":        {`to_json({b: [1, 2], a: true})`, `'{"a":true,"b":[1,2]}'`},
	"from_json":      {`from_json('{"a": [1, 2]}').a`, `[1, 2]`},
	"to_yaml":        {`to_yaml({a: [1, 2]})`, `"a:\n- 1\n- 2\n"`},
	"from_yaml":      {`from_yaml("a: 4").a`, `4`},
	"combine":        {`combine({a: {x: 1}}, {a: {y: 2}})`, `{a: {x: 1, y: 2}}`},
	"lookup":         {`lookup({a: 1}, "b", 0)`, `0`},
	"regex_match":    {`regex_match("web-12", "^web-[0-9]+$")`, `true`},
	"regex_find":     {`regex_find("rpm 4.18.2", "[0-9.]+")`, `"4.18.2"`},
	"regex_replace":  {`regex_replace("web-1", "^([a-z]+)-", "${1}_")`, `"web_1"`},
	"b64encode":      {`b64encode("abc")`, `"YWJj"`},
	"b64decode":      {`b64decode("YWJj")`, `"abc"`},
	"sha256":         {`sha256("abc")`, `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`},
	"password_hash":  {`password_hash("s3cret!", "saltsalt")`, `"$6$saltsalt$uaQDPpNNmpqQqJ6NPTrhPhecelxJnfkYy3xGzbwpPmNcWNMBXnFVaqXW01bxhKcx6FdLrrY9EcKr6IS/gAfGN."`},
	"quote":          {`quote("it is")`, `"'it is'"`},
	"basename":       {`basename("/srv/images/debian.qcow2")`, `"debian.qcow2"`},
	"dirname":        {`dirname("/srv/images/debian.qcow2")`, `"/srv/images"`},
	"uuid5":          {`uuid5("dns", "web-1.example")`, `"dd75ce28-c236-5dfc-919c-e23a68632d80"`},
	"network":        {`network("10.0.0.7/24")`, `"10.0.0.0"`},
	"address":        {`address("10.0.0.7/24")`, `"10.0.0.7"`},
	"prefix":         {`prefix("10.0.0.7/24")`, `24`},
	"netmask":        {`netmask("10.0.0.7/24")`, `"255.255.255.0"`},
	"broadcast":      {`broadcast("10.0.0.7/24")`, `"10.0.0.255"`},
	"nth_host":       {`nth_host("10.0.0.0/24", 1)`, `"10.0.0.1"`},
	"in_network":     {`in_network("10.0.0.7", "10.0.0.0/24")`, `true`},
	"size":           {`size("4GiB")`, `4294967296`},
	"human_size":     {`human_size(1610612736)`, `"1.5GiB"`},
	"seconds":        {`seconds("10m")`, `600.0`},
	"human_duration": {`human_duration(5400)`, `"1h30m"`},
	"env":            {`env("USER") ?? "nobody"`, `"root"`},
	"file":           {`file("key.pub")`, `"ssh-ed25519 AAAA me"`},
}

// Habit is a name or a function that people bring from Ansible, Jinja and other
// languages of templates, and what to write here.
type Habit struct {
	Name string
	Says string // a sentence
}

// HabitNames lists the names, HabitFunctions the filters and functions.
func HabitNames() []Habit { return habitList(foreignNames) }

// HabitFunctions lists filters and functions of others; see HabitNames.
func HabitFunctions() []Habit { return habitList(foreignFunctions) }

func habitList(m map[string]string) []Habit {
	var out []Habit
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, Habit{name, m[name]})
	}
	return out
}
