package event

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nactl/nactl/virt"
)

// objectW is the width of the column that names what is concerned.
const objectW = 23

// worthTelling is the least time that is shown; 0.0s would say nothing.
const worthTelling = 50 * time.Millisecond

// indent stands before what belongs to a line above.
const indent = "        "

// result writes how a step ended on a target, with all that it changed there.
func (t *Terminal) result(b *strings.Builder, r Result) {
	a := t.activity(r.At)
	t.active = slices.DeleteFunc(t.active, func(b *activity) bool { return a == b })
	s := t.steps[r.Step]
	if s == nil {
		s = &stepState{StepStarted: StepStarted{Step: r.Step, Word: r.Step}, printed: map[string]bool{}}
		t.steps[r.Step] = s
	}
	if r.Item != nil {
		s.printed[r.Target] = true
	}
	// A loop's own result only repeats what its items said.
	if r.Items > 0 && s.printed[r.Target] {
		return
	}
	if t.quiet && r.Status != Failed && r.Status != Unreachable {
		return
	}
	t.header(b, s)
	t.block(b, s, r, t.resultRows(r, a))
}

// resultRows gives the lines of a result; there is always one.
func (t *Terminal) resultRows(r Result, a *activity) []row {
	var list []row
	if !t.quiet {
		// What a step registers holds what its actions gave.
		list = rows(a.told(r, t.o.Verbose), detail{all: t.o.Verbose >= 2, outputs: t.o.Verbose >= 1 && r.Output == nil, diff: t.o.Diff})
	}
	if r.Error != nil {
		list = append([]row{t.failed(r, a)}, list...)
	}
	told := map[string]bool{}
	for _, c := range a.changes {
		if c.outcome != nil {
			for _, p := range c.outcome.Pending {
				told[p.Field] = true
			}
		}
	}
	for _, p := range r.PendingFields {
		if told[p.Field] {
			continue
		}
		w := row{sign: "!", detail: waits(p)}
		if len(list) == 0 && r.Object != nil {
			w.object = oneLine(r.Object.String())
		}
		list = append(list, w)
	}
	for _, text := range append(a.messages, r.Message) {
		if all := lines(text); len(all) > 0 {
			list = append(list, row{detail: all[0], more: all[1:]})
		}
	}
	switch {
	case r.Status == Undecided:
		w := row{detail: "decided at run time"}
		if r.Reason != "" {
			w.detail += ": " + oneLine(r.Reason)
		}
		list = append([]row{w}, list...)
	case r.Reason != "":
		list = append(list, row{detail: oneLine(r.Reason)})
	}
	if r.Maybe && r.Status != Undecided && len(list) > 0 {
		list[0].detail += "  (maybe: decided at run time)"
	}
	if len(list) == 0 {
		list = []row{{}}
	}
	if r.Item != nil && r.Item.Label != "" {
		label := oneLine(r.Item.Label)
		switch {
		case strings.HasSuffix(" "+list[0].object, " "+label), strings.HasSuffix(list[0].object, "/"+label):
		case list[0].object == "" && list[0].sign == "":
			list[0].object = label
		default:
			list[0].detail = strings.TrimSpace(list[0].detail + "  (" + label + ")")
		}
	}
	if r.Delegated != "" && r.Delegated != r.Target {
		list[0].detail = strings.TrimSpace(list[0].detail + "  (on " + oneLine(r.Delegated) + ")")
	}
	if r.Attempt > 1 {
		list[0].detail = strings.TrimSpace(fmt.Sprintf("%s  (attempt %d)", list[0].detail, r.Attempt))
	}
	if t.o.Verbose >= 1 && r.Output != nil {
		last := &list[len(list)-1]
		last.more = append(last.more, output(r.Output)...)
	}
	return list
}

// told gives the changes that a result shows. Of what was tried several times,
// the last attempt speaks; commands of a step that its author calls unchanged
// are looks, not changes.
func (a *activity) told(r Result, verbose int) []change {
	var out []change
	for _, c := range a.changes {
		if c.intent.Nature == virt.Action && verbose < 2 && (c.intent.Attempt != a.at.Attempt || r.Status == OK && verbose < 1) {
			continue
		}
		out = append(out, c)
	}
	return out
}

// failed gives the line of a failure, and below it what was wanted, what was
// found, what to do, where and how to go on.
func (t *Terminal) failed(r Result, a *activity) row {
	f := r.Error
	all := lines(f.Summary)
	if len(all) == 0 {
		all = []string{"failed"}
	}
	w := row{detail: all[0], more: all[1:]}
	if f.Object != nil {
		w.object = oneLine(f.Object.String())
	}
	w.more = append(w.more, t.facts(*f)...)
	if f.Found == "" && t.o.Verbose < 1 {
		w.more = append(w.more, t.lastWords(a)...)
	}
	for _, m := range f.More {
		also := oneLine(m.Summary)
		if m.Object != nil {
			also = oneLine(m.Object.String()) + ": " + also
		}
		w.more = append(w.more, t.fact("also", also)...)
		w.more = append(w.more, t.facts(m)...)
	}
	return w
}

func (t *Terminal) facts(f Failure) []string {
	var out []string
	for _, x := range []struct{ name, text string }{
		{"wanted", f.Wanted}, {"found", f.Found}, {"cause", f.Cause}, {"do", f.Do}, {"at", f.At.String()}, {"go on", f.GoOn},
	} {
		out = append(out, t.fact(x.name, x.text)...)
	}
	return out
}

// fact writes a name and its text, which may have several lines.
func (t *Terminal) fact(name, text string) []string {
	const nameW = 10
	var out []string
	for _, l := range lines(text) {
		room := 0
		if w := t.width(); w > 0 {
			room = max(20, w-1-len(indent)-nameW)
		}
		for _, part := range wrap(l, room) {
			out = append(out, pad(name, nameW)+part)
			name = ""
		}
	}
	return out
}

// lastWords gives the end of what the command said that failed.
func (t *Terminal) lastWords(a *activity) []string {
	if len(a.changes) == 0 {
		return nil
	}
	o := a.changes[len(a.changes)-1].outcome
	if o == nil {
		return nil
	}
	m, _ := o.Result.(map[string]any)
	for _, name := range []string{"stderr", "stdout"} {
		s, _ := m[name].(string)
		if all := lines(s); len(all) > 0 {
			const most = 10
			cutOff := max(0, len(all)-most)
			text := strings.Join(all[cutOff:], "\n")
			if cutOff > 0 {
				text = "…\n" + text
			}
			return t.fact(name, text)
		}
	}
	return nil
}

// block writes the lines of one result in columns.
func (t *Terminal) block(b *strings.Builder, s *stepState, r Result, list []row) {
	mark := "  "
	if t.free {
		mark = t.mark(s) + " "
	}
	word, color := t.status(r)
	statusW := width("changed") + 3
	if t.check {
		statusW = width("would change") + 3
	}
	target := atLeast(oneLine(r.Target), t.targetW+3)
	padded := atLeast(word, statusW)
	headW := width(mark) + width(target) + width(padded)
	columns := false
	for _, w := range list {
		columns = columns || w.object != "" || w.sign != ""
	}
	for i, w := range list {
		head := strings.Repeat(" ", headW)
		shown := head
		if i == 0 {
			head = mark + t.paint(bold, target) + t.paint(color, padded)
		}
		object := w.object
		if w.sign != "" {
			object = w.sign + " " + object
		}
		var painted string
		// Without an object, the first line speaks of the step itself.
		if columns && (i > 0 || object != "") {
			object = atLeast(object, objectW)
			painted = t.paint(signColor(w.sign), object)
		}
		right := ""
		if d := time.Duration(r.Elapsed); i == 0 && d >= worthTelling {
			right = seconds(d)
		}
		t.columns(b, head+painted, width(shown)+width(object), w.detail, right)
		for _, l := range w.more {
			b.WriteString(indent + t.paint(lineColor(l), l) + "\n")
		}
	}
	t.blank = false
}

// atLeast pads to n columns and keeps two spaces to what follows.
func atLeast(s string, n int) string {
	return pad(s, max(n, width(s)+2))
}

// columns writes a line whose head takes headW columns, wrapping the detail
// under itself where the terminal is narrow.
func (t *Terminal) columns(b *strings.Builder, head string, headW int, detail, right string) {
	const least = 24
	room := 0
	if w := t.width(); w > 0 {
		room = w - 1 - headW - width(right) - 2
		if room < least {
			room = 0
		}
	}
	for i, part := range wrap(detail, room) {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", headW) + part + "\n")
			continue
		}
		if right == "" {
			b.WriteString(strings.TrimRight(head+part, " ") + "\n")
			continue
		}
		gap := max(2, t.edge()-headW-width(part)-width(right))
		if part == "" {
			gap = max(0, t.edge()-headW-width(right))
		}
		b.WriteString(head + part + strings.Repeat(" ", gap) + t.paint(dim, right) + "\n")
	}
}

// status gives the word for a result, and its colour.
func (t *Terminal) status(r Result) (word, color string) {
	switch {
	case r.Status == Changed && r.Predicted && r.WouldRun:
		return "would run", cyan
	case r.Status == Changed && r.Predicted:
		return "would change", yellow
	}
	word = oneLine(string(r.Status))
	switch r.Status {
	case OK:
		color = green
	case Changed:
		color = yellow
	case Failed, Unreachable:
		color = red
	case Skipped, Ignored, Rescued, Undecided:
		color = cyan
	}
	return word, color
}

func signColor(s string) string {
	switch s {
	case "+":
		return green
	case "-":
		return red
	case "~":
		return yellow
	case "▶":
		return cyan
	case "!":
		return magenta
	default:
		return ""
	}
}

// lineColor colours the lines of a difference.
func lineColor(l string) string {
	switch {
	case strings.HasPrefix(l, "@@"):
		return cyan
	case strings.HasPrefix(l, "+"):
		return green
	case strings.HasPrefix(l, "-"):
		return red
	default:
		return ""
	}
}
