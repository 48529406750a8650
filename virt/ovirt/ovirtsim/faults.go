package ovirtsim

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// fault is a refusal on its way to the client.
type fault struct {
	status         int
	reason, detail string
	empty          bool   // no body: an object of the path that does not exist
	html           string // the title of an HTML page instead of a fault
}

func (f *fault) Error() string { return fmt.Sprintf("%d %s: %s", f.status, f.reason, f.detail) }

var notFound = &fault{status: 404, empty: true}

//go:embed faults.tsv
var faultTable string

type message struct {
	status int
	text   string
}

var messages = parseMessages(faultTable)

func parseMessages(table string) map[string]message {
	m := map[string]message{}
	for line := range strings.Lines(table) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.SplitN(line, "\t", 4)
		status, err := strconv.Atoi(f[0])
		if err != nil || len(f) != 4 {
			panic("ovirtsim: fault table: " + line)
		}
		m[f[2]] = message{status, strings.NewReplacer(`\n`, "\n", `\:`, ":", `\=`, "=").Replace(f[3])}
	}
	return m
}

// command is what a validation message says that was tried: its ${action} and
// ${type}.
type command struct{ action, kind string }

// refuse makes the fault of a failed validation from message keys of the
// engine; args are pairs of a placeholder and its text.
func (c command) refuse(key string, args ...string) *fault {
	m, ok := messages[key]
	if !ok {
		panic("ovirtsim: no fault text " + key)
	}
	pairs := []string{"${action}", c.action, "${type}", c.kind}
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, "${"+args[i]+"}", args[i+1])
	}
	return &fault{status: m.status, reason: "Operation Failed", detail: "[" + strings.NewReplacer(pairs...).Replace(m.text) + "]"}
}

// plain is a fault whose detail has no brackets: one backend message, or one of
// the API's own.
func plain(status int, reason, detail string) *fault {
	return &fault{status: status, reason: reason, detail: detail}
}

// failed is a command that passed validation and failed on the host.
func failed(text string) *fault {
	return &fault{status: 400, reason: "Operation Failed", detail: "[" + text + "]"}
}

// entity is the fault of an object that a body refers to and that is not there.
func entity(kind string, x *elem) *fault {
	detail := "Entity not found: " + kind
	if x.id != "" {
		detail += ": id=" + x.id
	} else {
		detail += ": name=" + x.get("name")
	}
	return plain(404, "Operation Failed", detail)
}

// require is the API's own check for mandatory elements. A field is a path with
// dots, whose last part may be several names of which one must be there; id
// means the attribute.
func require(x *elem, method string, fields ...string) error {
	var missing []string
	for _, f := range fields {
		if !given(x, f) {
			missing = append(missing, lowerCamel(f))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return plain(400, "Incomplete parameters",
		fmt.Sprintf("%s [%s] required for %s", camel(x.name), strings.Join(missing, ", "), method))
}

func given(x *elem, field string) bool {
	segs := strings.Split(field, ".")
	for _, s := range segs[:len(segs)-1] {
		x = x.kid(s)
	}
	if x == nil {
		return false
	}
	return slices.ContainsFunc(strings.Split(segs[len(segs)-1], "|"), func(n string) bool {
		return (n == "id" && x.id != "") || x.has(n)
	})
}

// lowerCamel turns data_center.name|id into dataCenter.name|id.
func lowerCamel(s string) string {
	var b strings.Builder
	up := false
	for _, r := range s {
		switch {
		case r == '_':
			up = true
			continue
		case up:
			b.WriteString(strings.ToUpper(string(r)))
		default:
			b.WriteRune(r)
		}
		up = false
	}
	return b.String()
}
