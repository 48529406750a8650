package lint

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// marker begins a comment that silences rules: "# nolint: RULE, RULE".
const marker = "nolint"

// Silence takes out the warnings that comments of their files silence. Errors stay:
// what stops a run cannot be talked away.
func Silence(list diag.List, sources *source.Sources) diag.List {
	return silence(list, sources, map[string]*silencer{})
}

// SilenceAll is Silence, and says which comments do not do what they seem to.
func SilenceAll(list diag.List, sources *source.Sources) diag.List {
	files := map[string]*silencer{}
	out := silence(list, sources, files)
	for _, file := range sources.Files() {
		out.Add(silencerOf(files, file, sources).problems()...)
	}
	out.Sort()
	return out
}

// silence notes in files which comments were of use.
func silence(list diag.List, sources *source.Sources, files map[string]*silencer) diag.List {
	return slices.DeleteFunc(slices.Clone(list), func(d diag.Diagnostic) bool {
		return d.Severity == diag.Warning && silencerOf(files, d.Range.File, sources).silences(d)
	})
}

func silencerOf(files map[string]*silencer, file string, sources *source.Sources) *silencer {
	s := files[file]
	if s == nil {
		s = newSilencer(file, sources.Text(file))
		files[file] = s
	}
	return s
}

// silencer holds the comments of one file that silence rules.
type silencer struct{ comments []*directive }

// directive is one comment.
type directive struct {
	at         diag.Range
	rules      []string
	first, end int // the lines that it is about, both included
	used       map[string]bool
}

func newSilencer(file string, text []byte) *silencer {
	s := &silencer{}
	if !bytes.Contains(text, []byte(marker)) {
		return s // nearly all files
	}
	var extents map[int]int
	comments := source.Comments(file, text)
	for i, c := range comments {
		rest, ok := strings.CutPrefix(strings.TrimSpace(c.Text), marker)
		if !ok || rest != "" && rest[0] != ':' && rest[0] != ' ' {
			continue
		}
		if extents == nil {
			root, _ := source.Parse(file, text)
			extents = map[int]int{}
			measure(root, math.MaxInt, extents)
		}
		d := &directive{at: diag.Range{Pos: c.Pos, Width: len([]rune(c.Text)) + 1}, rules: named(rest), first: c.Pos.Line, used: map[string]bool{}}
		if c.Alone { // it is about what follows
			d.first++
			for _, next := range comments[i+1:] {
				if next.Alone && next.Pos.Line == d.first {
					d.first++
				}
			}
		}
		d.end = max(d.first, extents[d.first])
		s.comments = append(s.comments, d)
	}
	return s
}

// named gives the rules that a comment names. What follows them behind a blank is
// for people.
func named(text string) []string {
	text, ok := strings.CutPrefix(strings.TrimSpace(text), ":")
	if !ok {
		return nil
	}
	var out []string
	for _, part := range strings.Split(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		out = append(out, words[0])
		if len(words) > 1 {
			break
		}
	}
	return out
}

// measure notes for every line on which an element of a list begins the line on
// which it ends; end is the last line of the node itself.
func measure(n *source.Node, end int, extents map[int]int) {
	if n == nil {
		return
	}
	for i, e := range n.Entries {
		last := end
		if i+1 < len(n.Entries) {
			last = max(e.Key.Range.Line, n.Entries[i+1].Key.Range.Line-1)
		}
		measure(e.Value, last, extents)
	}
	for i, item := range n.Items {
		last := end
		if i+1 < len(n.Items) {
			last = max(start(item), start(n.Items[i+1])-1)
		}
		if line := start(item); line > 0 {
			extents[line] = max(extents[line], last)
		}
		measure(item, last, extents)
	}
}

// start gives the line on which a node begins.
func start(n *source.Node) int {
	if n.Kind == source.Map && len(n.Entries) > 0 {
		return n.Entries[0].Key.Range.Line
	}
	return n.Range.Line
}

func (s *silencer) silences(w diag.Diagnostic) bool {
	found := false
	for _, d := range s.comments {
		if d.first <= w.Range.Line && w.Range.Line <= d.end && slices.Contains(d.rules, w.Rule) {
			d.used[w.Rule], found = true, true
		}
	}
	return found
}

// problems says which comments name no rule, none that exists, an error, or one
// that found nothing here.
func (s *silencer) problems() diag.List {
	var list diag.List
	for _, d := range s.comments {
		if len(d.rules) == 0 {
			list.Warnf(d.at, "nolint", "this silences nothing: write # nolint: RULE")
		}
		for _, id := range d.rules {
			rule, known := Find(id)
			switch {
			case !known:
				list.Warnf(d.at, "nolint", "there is no rule %q%s", id, diag.DidYouMean(id, ids()))
			case !rule.Warning:
				list.Warnf(d.at, "nolint", "%s is an error and cannot be silenced", id)
			case !d.used[id]:
				list.Warnf(d.at, "unused-nolint", "there is nothing here for %s to find; delete the comment", id)
			}
		}
	}
	return list
}
