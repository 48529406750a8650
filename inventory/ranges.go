package inventory

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/nactl/nactl/engine/source"
)

// maxRange is how many names one range may stand for.
const maxRange = 10000

// rangePattern is a range in a name: [01:20] or [a:f].
var rangePattern = regexp.MustCompile(`\[(?:([0-9]+):([0-9]+)|([a-z]):([a-z])|([A-Z]):([A-Z]))\]`)

// hasRange tells whether a text holds a range.
func hasRange(s string) bool { return rangePattern.MatchString(s) }

// expand gives what a text with ranges stands for: node[01:03] is node01,
// node02, node03. Zeros in front are kept. With several ranges the last one
// runs fastest. A text without ranges stands for itself.
func expand(s string) ([]string, error) {
	out := []string{""}
	rest := s
	for {
		m := rangePattern.FindStringSubmatchIndex(rest)
		if m == nil {
			break
		}
		words, err := rangeWords(rest[m[0]:m[1]])
		if err != nil {
			return nil, err
		}
		if len(out)*len(words) > maxRange {
			return nil, fmt.Errorf("%q stands for more than %d names", s, maxRange)
		}
		var next []string
		for _, head := range out {
			for _, w := range words {
				next = append(next, head+rest[:m[0]]+w)
			}
		}
		out, rest = next, rest[m[1]:]
	}
	for i := range out {
		out[i] += rest
	}
	return out, nil
}

// rangeWords gives the words of one range, brackets included.
func rangeWords(s string) ([]string, error) {
	from, to, _ := strings.Cut(s[1:len(s)-1], ":")
	if from[0] > '9' {
		if from > to {
			return nil, fmt.Errorf("the range %s runs backwards", s)
		}
		var out []string
		for c := from[0]; c <= to[0]; c++ {
			out = append(out, string(c))
		}
		return out, nil
	}
	a, errA := strconv.Atoi(from)
	b, errB := strconv.Atoi(to)
	switch {
	case errA != nil || errB != nil || b-a >= maxRange:
		return nil, fmt.Errorf("the range %s stands for more than %d names", s, maxRange)
	case a > b:
		return nil, fmt.Errorf("the range %s runs backwards", s)
	case from[0] == '0' && len(from) > 1 && len(from) != len(to):
		return nil, fmt.Errorf("both ends of the range %s need the same number of digits", s)
	}
	width := 0
	if from[0] == '0' && len(from) > 1 {
		width = len(from)
	}
	out := make([]string, 0, b-a+1)
	for i := a; i <= b; i++ {
		out = append(out, fmt.Sprintf("%0*d", width, i))
	}
	return out, nil
}

// stepper makes the copies of an entry whose name is a range: each text with a
// range in it stands for as many words, one for each copy. Variables are left
// alone, for there brackets may mean anything.
type stepper struct {
	copies  int
	problem func(at *source.Node, err error) // hears of each text once
	words   map[*source.Node][]string        // what the texts stand for; nil where that is wrong
}

// copy gives the i-th copy of a value.
func (s *stepper) copy(v *source.Node, i int) *source.Node {
	switch v.Kind {
	case source.String:
		words := s.wordsOf(v)
		if words == nil {
			return v
		}
		out := *v
		out.Str = words[i]
		return &out
	case source.Map:
		out := *v
		out.Entries = make([]source.Entry, len(v.Entries))
		for j, e := range v.Entries {
			out.Entries[j] = e
			if e.Key.Str != "vars" {
				out.Entries[j].Value = s.copy(e.Value, i)
			}
		}
		return &out
	case source.List:
		out := *v
		out.Items = make([]*source.Node, len(v.Items))
		for j, item := range v.Items {
			out.Items[j] = s.copy(item, i)
		}
		return &out
	default:
		return v
	}
}

func (s *stepper) wordsOf(v *source.Node) []string {
	words, known := s.words[v]
	if known || !hasRange(v.Str) {
		return words
	}
	words, err := expand(v.Str)
	if err == nil && len(words) != s.copies {
		err = fmt.Errorf("%q stands for %d words, the name of the entry for %d: they must go in step", v.Str, len(words), s.copies)
	}
	if err != nil {
		s.problem(v, err)
		words = nil
	}
	s.words[v] = words
	return words
}
