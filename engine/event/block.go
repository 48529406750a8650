package event

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/nactl/nactl/virt"
)

// row is one line of a result: what is concerned, and what is said of it.
type row struct {
	sign   string // + ~ - ▶ !, or empty
	object string
	detail string
	more   []string // further lines below, as of a difference; clean
}

// change is one intent and what became of it.
type change struct {
	intent  Intent
	outcome *Outcome // nil while it is in flight
}

// detail says how much of the changes is shown.
type detail struct {
	all     bool // also what changed nothing, and nactl's own book-keeping
	outputs bool // what actions gave
	diff    bool
}

// rows describes the changes of one result, those to one object together.
func rows(changes []change, d detail) []row {
	var out []row
	var order []virt.Ref
	byObject := map[virt.Ref][]change{}
	for _, c := range changes {
		if c.outcome == nil || !d.all && (!c.outcome.Changed || isHousekeeping(c)) {
			continue
		}
		k := c.intent.Object.Key()
		if byObject[k] == nil {
			order = append(order, k)
		}
		byObject[k] = append(byObject[k], c)
	}
	for _, k := range order {
		out = append(out, objectRows(k, byObject[k], d)...)
	}
	return out
}

// isHousekeeping tells whether a change only serves nactl's own book-keeping.
func isHousekeeping(c change) bool { return c.intent.Kind == "finish_vm" }

func objectRows(ref virt.Ref, changes []change, d detail) []row {
	var out []row
	first := changes[0]
	if sign(first.intent) == "+" {
		r := row{sign: "+", detail: first.outcome.describe(made(*first.outcome))}
		if d.diff {
			r.more = differences(*first.outcome, "+")
		}
		// A start right after the making is part of the making.
		if len(changes) > 1 && changes[1].intent.Kind == "start" {
			r.detail = strings.TrimPrefix(r.detail+", running", ", ")
			changes = changes[1:]
		}
		out, changes = append(append(out, r), waiting(*first.outcome)...), changes[1:]
	}
	for _, c := range changes {
		out = append(out, changeRows(c, d)...)
	}
	// The object stands once, at its first line.
	if len(out) > 0 {
		out[0].object = oneLine(ref.String())
	}
	for i := 1; i < len(out); i++ {
		if out[i].sign == out[0].sign {
			out[i].sign = ""
		}
	}
	return out
}

// describe prefers the platform's own summary.
func (o Outcome) describe(fallback string) string {
	if o.Summary != "" {
		return oneLine(o.Summary)
	}
	return fallback
}

func changeRows(c change, d detail) []row {
	out := *c.outcome
	s := sign(c.intent)
	var list []row
	switch {
	case !out.Changed:
		return []row{{detail: words(out.Kind) + ": nothing to do"}}
	case s == "▶":
		list = []row{{sign: s, detail: acted(c.intent, out)}}
	case s == "-":
		r := row{sign: s, detail: out.describe("")}
		if d.diff {
			r.more = differences(out, "-")
		}
		list = []row{r}
	case len(out.Fields) == 0:
		list = []row{{sign: s, detail: out.describe(words(out.Kind))}}
	default:
		for _, f := range out.Fields {
			r := row{sign: s, detail: edit(f)}
			if d.diff && isText(f) {
				r.more = unified(f)
			}
			list = append(list, r)
		}
		extra := out.describe(moved(out))
		if extra != "" {
			list[0].detail += "   " + extra
		}
	}
	list = append(list, waiting(out)...)
	if d.outputs {
		list[len(list)-1].more = append(list[len(list)-1].more, output(out.Result)...)
	}
	return list
}

// waiting describes what is pending and not said by a field.
func waiting(o Outcome) []row {
	var list []row
	for _, p := range o.Pending {
		if !slices.ContainsFunc(o.Fields, func(f virt.FieldChange) bool {
			return f.Path == p.Field && strings.HasPrefix(f.Note, "pending")
		}) {
			list = append(list, row{sign: "!", detail: waits(p)})
		}
	}
	return list
}

// sign gives the mark of a change: + makes, - removes, ~ edits, ▶ happens each
// time.
func sign(i Intent) string {
	switch {
	case i.Nature == virt.Action:
		return "▶"
	case strings.HasPrefix(i.Kind, "create_"):
		return "+"
	case strings.HasPrefix(i.Kind, "delete_"):
		return "-"
	default:
		return "~"
	}
}

// differences lists the fields of what is made or removed.
func differences(o Outcome, s string) []string {
	var out []string
	for _, f := range o.Fields {
		v := f.After
		if s == "-" {
			v = f.Before
		}
		line := fmt.Sprintf("%s %s %s", s, oneLine(f.Path), value(v, f.Unit))
		if f.Note != "" {
			line += "  " + oneLine(f.Note)
		}
		out = append(out, line)
		if isText(f) {
			out = append(out, unified(f)...)
		}
	}
	return out
}

// unified gives the difference of two texts by lines, without its first line,
// which only repeats the names.
func unified(f virt.FieldChange) []string {
	a, _ := f.Before.(string)
	b, _ := f.After.(string)
	all := lines(string(diff.Diff("before", []byte(a), "after", []byte(b))))
	if len(all) > 0 {
		all = all[1:]
	}
	return all
}

// output shows what an action or a step gave: the output of a command as it
// came, anything else by its fields.
func output(v any) []string {
	m, ok := v.(map[string]any)
	if !ok {
		if v == nil {
			return nil
		}
		return lines(fmt.Sprint(plain(v)))
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s, isText := m[k].(string)
		switch {
		case isText && s == "":
		case isText && strings.Contains(strings.TrimRight(s, "\n"), "\n"):
			out = append(out, oneLine(k)+":")
			for _, l := range lines(s) {
				out = append(out, "  "+l)
			}
		case isText:
			out = append(out, oneLine(k)+": "+oneLine(s))
		default:
			out = append(out, oneLine(k)+": "+oneLine(fmt.Sprint(plain(m[k]))))
		}
	}
	return out
}

// plain gives a value as text, structures as JSON.
func plain(v any) any {
	switch v := v.(type) {
	case string, json.Number, bool:
		return v
	default:
		b, err := encode(v)
		if err != nil {
			return v
		}
		return string(b)
	}
}
