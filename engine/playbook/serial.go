package playbook

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Share is a number of targets: so many, or so many in a hundred of all.
type Share struct {
	Count   int
	Percent bool
}

// Of gives the number for n targets; it is at least one.
func (s Share) Of(n int) int {
	if s.Percent {
		return max(1, n*s.Count/100)
	}
	return max(1, s.Count)
}

// Serial reads how many targets a play takes at a time: 2, 25% or a list of them,
// whose last holds for all that are left.
func Serial(n *source.Node) ([]Share, error) {
	items := []*source.Node{n}
	if n.Kind == source.List {
		items = n.Items
	}
	var out []Share
	for _, item := range items {
		text, _ := step.Text(item)
		number, percent := strings.CutSuffix(text, "%")
		count, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil || count < 1 || percent && count > 100 {
			return nil, diag.Diagnostic{Range: item.Range, Rule: "serial",
				Summary: fmt.Sprintf("serial: wanted a number of targets, a percentage as 25%%, or a list of them, found %q", text)}
		}
		out = append(out, Share{count, percent})
	}
	if len(out) == 0 {
		return nil, diag.Diagnostic{Range: n.Range, Rule: "serial", Summary: "serial: the list is empty"}
	}
	return out, nil
}

// Batches cuts n targets into groups that follow each other, and gives their
// sizes. Without shares there is one group.
func Batches(shares []Share, n int) []int {
	if len(shares) == 0 || n == 0 {
		return []int{n}
	}
	var out []int
	for i := 0; n > 0; i++ {
		size := min(shares[min(i, len(shares)-1)].Of(total(out)+n), n)
		out = append(out, size)
		n -= size
	}
	return out
}

func total(list []int) int {
	sum := 0
	for _, n := range list {
		sum += n
	}
	return sum
}

func (l *loader) serial(p *Play, e source.Entry) {
	p.Serial = e.Value
	if IsDynamic(e.Value) {
		return // read once it is evaluated
	}
	if _, err := Serial(e.Value); err != nil {
		l.list.Add(diag.FromError(err, e.Value.Range)...)
	}
}

func (l *loader) strategy(p *Play, e source.Entry) {
	p.Strategy = Strategy(l.text(e))
	if p.Strategy != Linear && p.Strategy != Free {
		l.errorf(e.Value.Range, "type", "strategy is linear or free, found %q%s", p.Strategy, diag.DidYouMean(string(p.Strategy), []string{string(Linear), string(Free)}))
	}
}

func (l *loader) percentage(e source.Entry) virt.Opt[int] {
	if e.Value.Kind != source.Int || e.Value.Int < 0 || e.Value.Int > 100 {
		l.errorf(e.Value.Range, "type", "%s: wanted a percentage from 0 to 100", e.Key.Str)
	}
	return virt.Some(int(e.Value.Int))
}
