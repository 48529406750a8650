package expr

import (
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// problem is a finding about an expression before it is known at which place of
// which file the expression stands. from counts runes.
type problem struct {
	rule    string
	from    int
	width   int
	summary string
	detail  string
}

// at turns p into a diagnostic, for an expression that starts at the given rune
// of n's string.
func (p *problem) at(n *source.Node, offset int) diag.Diagnostic {
	return diag.Diagnostic{
		Severity: diag.Error,
		Rule:     p.rule,
		Summary:  p.summary,
		Detail:   p.detail,
		Range:    diag.Range{Pos: n.PosAt(offset + p.from), Width: p.width},
	}
}
