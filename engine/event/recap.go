package event

import (
	"fmt"
	"strings"
	"time"
)

// recapLines writes one line per target, in Ansible's form and order.
func (t *Terminal) recapLines(b *strings.Builder, e Recap) {
	type cell struct{ text, color string }
	var table [][]cell
	nameW, undecided := 0, false
	for _, r := range e.Targets {
		nameW = max(nameW, width(oneLine(r.Target)))
		undecided = undecided || r.Undecided > 0
	}
	var widths [9]int
	for _, r := range e.Targets {
		var line []cell
		for _, c := range []struct {
			name  string
			n     int
			color string
		}{
			{"ok", r.OK, green}, {"changed", r.Changed, yellow}, {"unreachable", r.Unreachable, red},
			{"failed", r.Failed, red}, {"skipped", r.Skipped, cyan}, {"rescued", r.Rescued, yellow},
			{"ignored", r.Ignored, cyan}, {"pending", r.Pending, magenta}, {"undecided", r.Undecided, cyan},
		} {
			if c.name == "undecided" && !undecided {
				continue
			}
			if c.n == 0 {
				c.color = ""
			}
			text := fmt.Sprintf("%s=%d", c.name, c.n)
			widths[len(line)] = max(widths[len(line)], len(text))
			line = append(line, cell{text, c.color})
		}
		table = append(table, line)
	}
	for i, r := range e.Targets {
		name := pad(oneLine(r.Target), nameW)
		color := green
		switch {
		case r.Failed > 0 || r.Unreachable > 0:
			color = red
		case r.Changed > 0:
			color = yellow
		}
		b.WriteString(t.paint(color, name) + " : ")
		for j, c := range table[i] {
			text := c.text
			if j < len(table[i])-1 {
				text = pad(text, widths[j]+2)
			}
			b.WriteString(t.paint(c.color, text))
		}
		if end := cost(r); end != "" {
			last := table[i][len(table[i])-1].text
			b.WriteString(strings.Repeat(" ", widths[len(table[i])-1]-len(last)+5) + t.paint(dim, end))
		}
		b.WriteByte('\n')
	}
}

// cost tells what a target cost: "11.2s, 61 calls".
func cost(r TargetRecap) string {
	var parts []string
	if r.Elapsed > 0 {
		parts = append(parts, seconds(time.Duration(r.Elapsed)))
	}
	if r.Calls > 0 {
		parts = append(parts, count(r.Calls, "call"))
	}
	return strings.Join(parts, ", ")
}

// planLine sums up a plan. One that stopped on some targets has not seen all.
func planLine(p PlanTotals, targets []TargetRecap) string {
	var parts []string
	stopped := 0
	for _, t := range targets {
		if t.Failed+t.Unreachable > 0 {
			stopped++
		}
	}
	if p.Change > 0 {
		parts = append(parts, fmt.Sprintf("%d to change", p.Change))
	}
	if p.Run > 0 {
		parts = append(parts, fmt.Sprintf("%d would run", p.Run))
	}
	if p.Undecided > 0 {
		parts = append(parts, fmt.Sprintf("%d decided at run time", p.Undecided))
	}
	if stopped > 0 {
		parts = append(parts, "incomplete: it stopped on "+count(stopped, "target"))
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}
