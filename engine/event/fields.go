package event

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nactl/nactl/virt"
)

// value writes one side of a field for people. v has the form that it has in
// JSON.
func value(v any, unit string) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case string:
		switch {
		case v == "":
			return `""`
		case strings.Contains(v, "\n"):
			return fmt.Sprintf("(%d lines)", len(lines(v)))
		case strings.Contains(v, " "):
			return `"` + oneLine(v) + `"`
		default:
			return oneLine(v)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil && unit == "bytes" {
			return virt.FormatSize(n)
		}
		return v.String()
	case []any:
		if len(v) == 0 {
			return "none"
		}
		var parts []string
		for _, x := range v {
			parts = append(parts, value(x, unit))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		if isUnknown(v) {
			return virt.UnknownValue.String()
		}
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, oneLine(k)+" "+value(v[k], ""))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return oneLine(fmt.Sprint(v))
	}
}

// isUnknown tells whether v is the JSON form of virt.UnknownValue.
func isUnknown(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 1 && m["unknown"] == true
}

// arrow writes a field before and after; a unit that both sides share stands
// once, as in 256 → 512 MiB.
func arrow(before, after any, unit string) string {
	a, b := value(before, unit), value(after, unit)
	if unit == "bytes" {
		na, ua, _ := strings.Cut(a, " ")
		if _, ub, ok := strings.Cut(b, " "); ok && ua == ub && before != nil && after != nil {
			a = na
		}
	}
	return a + " → " + b
}

// edit writes a field that changes: "cpu.count 2 → 3  live and configured".
func edit(f virt.FieldChange) string {
	s := oneLine(f.Path) + " "
	if isText(f) {
		s += "changed, " + arrow(f.Before, f.After, "")
	} else {
		s += arrow(f.Before, f.After, f.Unit)
	}
	switch {
	case f.Note == "":
		return s
	case strings.HasPrefix(f.Note, "pending"):
		return s + ", " + oneLine(f.Note)
	default:
		return s + "  " + oneLine(f.Note)
	}
}

// isText tells whether a field is text of several lines, of which a difference
// by lines says more than both sides.
func isText(f virt.FieldChange) bool {
	a, okA := f.Before.(string)
	b, okB := f.After.(string)
	return (okA || f.Before == nil) && (okB || f.After == nil) && (strings.Contains(a, "\n") || strings.Contains(b, "\n"))
}

// waits writes what is right in the configuration and not yet live.
func waits(p virt.Pending) string {
	unit := ""
	if strings.HasPrefix(p.Field, "memory.") || strings.HasSuffix(p.Field, ".size") {
		unit = "bytes"
	}
	return fmt.Sprintf("%s %s live, %s configured, pending: %s",
		oneLine(p.Field), value(p.Live, unit), value(p.Configured, unit), oneLine(p.Reason))
}

// made describes a new object by its fields: "2 CPU, 256 MiB, disk 2 GiB, on n1".
func made(o Outcome) string {
	var parts []string
	disks := 0
	for _, f := range o.Fields {
		if strings.HasPrefix(f.Path, "disks.") {
			disks++
		}
	}
	for _, f := range o.Fields {
		if f.After == nil || isUnknown(f.After) {
			continue
		}
		v := value(f.After, f.Unit)
		word := strings.Split(f.Path, ".")
		switch {
		case f.Path == string(o.Object.Kind), word[0] == "nics", f.Path == "unfinished":
			continue // said already, or too much for one line
		case f.Path == "cpu.count":
			parts = append(parts, v+" CPU")
		case f.Path == "memory.current":
			parts = append(parts, v)
		case word[0] == "disks" && len(word) == 3 && disks == 1:
			parts = append(parts, "disk "+v)
		case word[0] == "disks" && len(word) == 3:
			parts = append(parts, "disk "+oneLine(word[1])+" "+v)
		case f.Path == "host" || f.Path == "hosts":
			parts = append(parts, "on "+v)
		default:
			parts = append(parts, oneLine(f.Path)+" "+v)
		}
	}
	return strings.Join(parts, ", ")
}

// words turns the name of a change into words: guest_exec into "guest exec".
func words(kind string) string { return strings.ReplaceAll(oneLine(kind), "_", " ") }

// acted describes an action by what it runs and how that ended.
func acted(i Intent, o Outcome) string {
	var parts []string
	if o.Summary != "" {
		parts = append(parts, oneLine(o.Summary))
	} else if c := commandLine(i); c != "" {
		parts = append(parts, c)
	} else {
		parts = append(parts, words(o.Kind))
	}
	if rc, ok := resultField(o, "rc"); ok && rc != "0" {
		parts = append(parts, "rc "+rc)
	}
	return strings.Join(parts, "  ")
}

// commandLine gives the command that an intent runs, as one could type it.
func commandLine(i Intent) string {
	var c struct {
		Command virt.Command `json:"command"`
	}
	if len(i.Change) == 0 || json.Unmarshal(i.Change, &c) != nil {
		return ""
	}
	if c.Command.Shell != "" {
		first, _, more := strings.Cut(strings.TrimSpace(c.Command.Shell), "\n")
		if more {
			first += " …"
		}
		return cut(oneLine(first), 60)
	}
	var parts []string
	for _, a := range c.Command.Argv {
		if a == "" || strings.ContainsAny(a, " \t\n'\"$`\\|&;<>()*?[]{}~#!") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		parts = append(parts, a)
	}
	return cut(oneLine(strings.Join(parts, " ")), 60)
}

func resultField(o Outcome, name string) (string, bool) {
	m, ok := o.Result.(map[string]any)
	if !ok {
		return "", false
	}
	n, ok := m[name].(json.Number)
	return n.String(), ok
}

// moved describes what a migration cost: "256 MiB in 1.2 s, down 84 ms".
func moved(o Outcome) string {
	m, ok := o.Result.(map[string]any)
	if !ok || o.Kind != "migrate" {
		return ""
	}
	number := func(name string) int64 {
		n, _ := m[name].(json.Number)
		i, _ := n.Int64()
		return i
	}
	s := fmt.Sprintf("in %.1f s", time.Duration(number("elapsed")).Seconds())
	if n := number("bytes"); n > 0 { // an engine does not tell how much it moved
		s = virt.FormatSize(n) + " " + s
	}
	if d := time.Duration(number("downtime")); d > 0 {
		s += fmt.Sprintf(", down %d ms", d.Milliseconds())
	}
	return s
}

// seconds writes a duration for the right edge: 0.4s, 2m 5s, 1h 2m.
func seconds(d time.Duration) string {
	switch {
	case d < time.Minute-50*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour-500*time.Millisecond:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	}
}
