package expr

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// foreignNames are names that people bring from Ansible, Jinja and Python.
var foreignNames = map[string]string{
	"True": "Write true.", "False": "Write false.", "None": "Write nil.", "null": "Write nil.", "none": "Write nil.",
	"yes": "Write true.", "no": "Write false.",
	"omit":                     "A key whose value is nothing is left alone: write default(x, nil) as the whole value.",
	"inventory_hostname":       "Write target.name.",
	"inventory_hostname_short": `Write split(target.name, ".")[0].`,
	"ansible_host":             "Write target.name for the target's name.",
	"hostvars":                 "Write targets: targets[\"name\"].variable.",
	"group_names":              "Write target.groups.",
	"ansible_check_mode":       "Write run.check.",
	"ansible_play_hosts":       "Write keys(targets).",
	"ansible_loop":             "Write loop: loop.index, loop.first, loop.last.",
	"ansible_failed_task":      "Write failed_step.", "ansible_failed_result": "Write failed_result.",
	"ansible_facts": "Register the output of vm_facts, and read that.",
	"playbook_dir":  "Paths in file() start at the project's directory: leave it out.",
	"now":           "A plan and its run must read the same values: take the time from a step's output.",
}

// foreignFunctions are Jinja's and Ansible's filters and functions, with the
// words of expr-lang for them.
var foreignFunctions = map[string]string{
	"length":         "Write len(x).",
	"to_nice_json":   "Write to_json(x), or toJSON(x) for indented lines.",
	"to_nice_yaml":   "Write to_yaml(x).",
	"regex_search":   "Write regex_find(x, pattern), or regex_match(x, pattern) to ask whether it is found.",
	"regex_findall":  "Write regex_find(x, pattern) for the first match.",
	"selectattr":     `Write filter(list, .name == "value").`,
	"rejectattr":     `Write filter(list, .name != "value").`,
	"select":         "Write filter(list, # > 1).",
	"reject":         "Write filter(list, not (# > 1)).",
	"dict2items":     "Write toPairs(x).",
	"items":          "Write toPairs(x).",
	"items2dict":     "Write fromPairs(x).",
	"dict":           "Write {key: value}, or fromPairs(list).",
	"list":           "Leave it out: lists need no conversion; write values(x) for those of a mapping.",
	"str":            "Write string(x).",
	"bool":           `Write x == "yes", or x == true.`,
	"unique":         "Write uniq(x).",
	"title":          "There is no title case: use upper or lower.",
	"capitalize":     "There is no title case: use upper or lower.",
	"strip":          "Write trim(x).",
	"startswith":     `Write x startsWith "a".`,
	"endswith":       `Write x endsWith "a".`,
	"format":         "Write the values into the text: \"{{ a }}-{{ b }}\", or a + b.",
	"range":          "Write 0..9; both ends are included.",
	"zip":            "Write map(0..len(a) - 1, {a: a[#], b: b[#]}).",
	"d":              "Write default(x, value).",
	"mandatory":      "Leave it out: a missing value is an error by itself.",
	"ipaddr":         "Write network(x), address(x), prefix(x), netmask(x) or nth_host(x, n).",
	"to_uuid":        `Write uuid5("dns", x).`,
	"hash":           "Write sha256(x).",
	"expanduser":     "Leave it out: file() understands ~.",
	"realpath":       "Leave it out: file() resolves paths.",
	"human_readable": "Write human_size(x).",
	"human_to_bytes": "Write size(x).",
	"difference":     "Write filter(a, not (# in b)).",
	"intersect":      "Write filter(a, # in b).",
	"union":          "Write uniq(concat(a, b)).",
	"attr":           "Write x.name.",
	"from_yaml_all":  "Write from_yaml(x) for one document.",
	"groupby":        "Write groupBy(list, .name).",
	"random":         "A plan and its run must read the same values: choose by index.",
	"json_query":     "Write filter(list, …) and map(list, …).",
	"to_datetime":    "Write date(x).",
	"strftime":       `Write date(x).Format("2006-01-02").`,
	"splitlines":     `Write split(x, "\n").`,
	"product":        "Write flatten(map(a, {let x = #; map(b, [x, #])})).",
	"checksum":       "Write sha256(x).",
	"urlencode":      "Give the parts to the step that makes the URL.",
	"base64":         "Write b64encode(x).",
	"tojson":         "Write to_json(x).",
	"join_path":      `Write a + "/" + b.`,
	"path_join":      `Write a + "/" + b.`,
	"escape":         "Text is not escaped for HTML here: leave it out.",
	"safe":           "Text is not escaped for HTML here: leave it out.",
	"indent":         "Put the value into a YAML mapping instead of into text.",
	"subset":         "Write all(a, # in b).",
	"superset":       "Write all(b, # in a).",
	"coalesce":       "Write a ?? b.",
	"getenv":         `Write env("NAME").`,
	"read_file":      `Write file("path").`,
	"jsonencode":     "Write to_json(x).",
	"jsondecode":     "Write from_json(x).",
	"yamlencode":     "Write to_yaml(x).",
	"yamldecode":     "Write from_yaml(x).",
	"cidrhost":       "Write nth_host(cidr, n).",
	"cidrnetmask":    "Write netmask(cidr).",
	"base64encode":   "Write b64encode(x).",
	"base64decode":   "Write b64decode(x).",
	"merge":          "Write combine(a, b).",
	"update":         "Write combine(a, b).",
	"cidr_host":      "Write nth_host(cidr, n).",
	"cidr_network":   "Write network(cidr).",
	"cidr_netmask":   "Write netmask(cidr).",
	"cidr_prefix":    "Write prefix(cidr).",
	"shell_quote":    "Write quote(x).",
	"shlex_quote":    "Write quote(x).",
	"parse_duration": "Write seconds(x).",
	"to_seconds":     "Write seconds(x).",
	"parse_size":     "Write size(x).",
	"uuid":           `Write uuid5("dns", x): the same name gives the same UUID.`,
	"uuid4":          `Write uuid5("dns", x): the same name gives the same UUID.`,
}

// methodHints are Python's methods of strings, lists and dictionaries; %s is
// the variable.
var methodHints = map[string]string{
	"items": "toPairs(%s)", "keys": "keys(%s)", "values": "values(%s)", "get": `lookup(%s, "key", default)`,
	"startswith": `%s startsWith "a"`, "endswith": `%s endsWith "a"`, "strip": "trim(%s)",
	"format": `the values into the text, or %s + "…"`, "append": "concat(%s, […])", "index": "indexOf(%s, …)", "find": `indexOf(%s, "a")`,
	"count": "count(%s, # == …)", "splitlines": `split(%s, "\n")`, "update": "combine(%s, {…})",
}

// foreignCall recognises calls of known functions in Ansible's manner.
func (w *rewriter) foreignCall(x *ast.CallNode, name string) *problem {
	if name != "lookup" && name != "query" || len(x.Arguments) < 1 {
		return nil
	}
	kind, ok := x.Arguments[0].(*ast.StringNode)
	if !ok {
		return nil
	}
	p := &problem{rule: "jinja", from: x.Location().From, width: utf8.RuneCountInString(name),
		summary: "lookup reads a member of a mapping here: lookup(map, key, default)"}
	arg := "…"
	if len(x.Arguments) > 1 {
		if s, ok := x.Arguments[1].(*ast.StringNode); ok {
			arg = fmt.Sprintf("%q", s.Value)
		}
	}
	switch kind.Value {
	case "env":
		p.detail = fmt.Sprintf("Write env(%s).", arg)
	case "file":
		p.detail = fmt.Sprintf("Write file(%s).", arg)
	case "vars":
		p.detail = fmt.Sprintf("Write vars[%s].", arg)
	case "pipe":
		p.detail = "Run it in a step, local_exec, and register what it gives."
	case "url":
		p.detail = "Read it in a step, http, and register what it gives."
	case "template":
		p.detail = "Give the file to guest_file or local_file as template."
	default:
		p.detail = "There are no lookup plugins: env(…) and file(…) read what is outside, vars[…] a variable."
	}
	return p
}

// habit is a way of writing that expr-lang does not parse, and what to write.
type habit struct {
	pattern *regexp.Regexp
	summary string
	detail  func(m []string) string
}

const operand = `([A-Za-z_][\w.\[\]'"]*)`

// habits are tried in this order on text that does not parse, with the insides
// of string literals blanked but for those of the doubled quote.
var habits = []habit{
	{regexp.MustCompile(operand + `\s+is\s+not\s+defined\b`), "there are no tests with is",
		func(m []string) string { return fmt.Sprintf("Write not defined(%s).", m[1]) }},
	{regexp.MustCompile(operand + `\s+is\s+(?:undefined)\b`), "there are no tests with is",
		func(m []string) string { return fmt.Sprintf("Write not defined(%s).", m[1]) }},
	{regexp.MustCompile(operand + `\s+is\s+defined\b`), "there are no tests with is",
		func(m []string) string { return fmt.Sprintf("Write defined(%s).", m[1]) }},
	{regexp.MustCompile(operand + `\s+is\s+not\s+(?:none|None|null)\b`), "there are no tests with is",
		func(m []string) string { return fmt.Sprintf("Write %s != nil.", m[1]) }},
	{regexp.MustCompile(operand + `\s+is\s+(?:none|None|null)\b`), "there are no tests with is",
		func(m []string) string { return fmt.Sprintf("Write %s == nil.", m[1]) }},
	{regexp.MustCompile(operand + `\s+is\s+(not\s+)?(?:changed|failed|skipped|succeeded|success)\b`), "there are no tests with is",
		func(m []string) string {
			return fmt.Sprintf("Read the registered field: %s.changed, %s.failed.", m[1], m[1])
		}},
	{regexp.MustCompile(operand + `\s+is\s+(?:not\s+)?(?:match|search|regex)\b`), "there are no tests with is",
		func(m []string) string { return fmt.Sprintf("Write %s matches \"pattern\".", m[1]) }},
	{regexp.MustCompile(operand + `\s+is\s+\w+`), "there are no tests with is",
		func(m []string) string {
			return fmt.Sprintf("Compare instead: %s == …, type(%s) == \"string\".", m[1], m[1])
		}},
	{regexp.MustCompile(`\|\s*([A-Za-z_]\w*)\s*(?:$|[^\w\s(.]|\s[^(])`), "a function after | needs its brackets",
		func(m []string) string {
			if better := foreignFunctions[m[1]]; better != "" {
				return better
			}
			return fmt.Sprintf("Write x | %s(), or %s(x).", m[1], m[1])
		}},
	{regexp.MustCompile(`(?:^|[^=!<>])=(?:[^=]|$)`), "= assigns nothing here",
		func([]string) string { return "Compare with ==." }},
	{regexp.MustCompile(`\s~\s`), "~ does not join text",
		func([]string) string { return "Write a + b; string(x) makes text of a number." }},
	{regexp.MustCompile(`\S\s+if\s.+\selse\s`), "a choice is written with ? and :",
		func([]string) string { return "Write cond ? a : b." }},
	{regexp.MustCompile(`\bfor\s+\w+\s+in\b`), "there are no comprehensions",
		func([]string) string { return "Write map(list, #.name) or filter(list, #.ready)." }},
	{regexp.MustCompile(`\|\s*contains\b|\bcontains\s*\(`), "contains stands between two texts",
		func([]string) string { return "Write x contains \"a\"." }},
	{regexp.MustCompile(`\bf["']`), "there are no format strings",
		func([]string) string { return "Write a + b; string(x) makes text of a number." }},
}

// doubledQuote is YAML's and SQL's way of a quote inside quotes.
var doubledQuote = regexp.MustCompile(`'[^']*''[^']*'|"[^"]*""[^"]*"`)

// syntaxProblem gives the parser's finding, and the expr word for a habit that
// explains it.
func syntaxProblem(text string, err error) *problem {
	p := &problem{rule: "expression-syntax", width: 1, summary: strings.TrimSpace(err.Error())}
	var fe *file.Error
	if errors.As(err, &fe) {
		p.from, p.summary = fe.From, strings.TrimSpace(fe.Message)
	}
	p.summary = plainToken(p.summary)
	if m := doubledQuote.FindStringIndex(text); m != nil {
		quote := text[m[0] : m[0]+1]
		other := map[string]string{"'": `"`, `"`: "'"}[quote]
		p.rule, p.from, p.width = "jinja", utf8.RuneCountInString(text[:m[0]]), utf8.RuneCountInString(text[m[0]:m[1]])
		p.summary = "a quote is not doubled inside a string"
		p.detail = fmt.Sprintf(`Write \%s, or use %s around the text.`, quote, other)
		return p
	}
	code := blankStrings(text)
	for _, h := range habits {
		m := h.pattern.FindStringSubmatchIndex(code)
		if m == nil {
			continue
		}
		groups := make([]string, len(m)/2)
		for i := range groups {
			if m[2*i] >= 0 {
				groups[i] = text[m[2*i]:m[2*i+1]]
			}
		}
		p.rule, p.from = "jinja", utf8.RuneCountInString(text[:m[0]])
		p.width = utf8.RuneCountInString(strings.TrimRight(text[m[0]:m[1]], " "))
		p.summary, p.detail = h.summary, h.detail(groups)
		return p
	}
	return p
}

// token reads the parser's words for a token.
var token = regexp.MustCompile(`unexpected token (\w+)(?:\("(.*)"\))?`)

func plainToken(s string) string {
	m := token.FindStringSubmatch(s)
	switch {
	case m == nil:
		return s
	case m[1] == "EOF":
		return strings.Replace(s, m[0], "the expression ends too early", 1)
	default:
		return strings.Replace(s, m[0], fmt.Sprintf("%s is not expected here", m[2]), 1)
	}
}

// blankStrings puts spaces in the place of what stands inside string literals,
// byte for byte.
func blankStrings(text string) string {
	b := []byte(text)
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"', '\'', '`':
			end := skipString(text, i)
			for j := i + 1; j < end; j++ {
				b[j] = ' '
			}
			i = end
		}
	}
	return string(b)
}
