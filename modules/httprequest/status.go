package httprequest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Statuses are the statuses that are expected of an answer; none: 200 to 299.
type Statuses []virt.StatusRange

var rangePattern = regexp.MustCompile(`^([1-5][0-9]{2})(?:\s*-\s*([1-5][0-9]{2}))?$`)

// Decode reads a status, a range of them, or a list of these.
func (s *Statuses) Decode(n *source.Node) error {
	items := []*source.Node{n}
	if n.Kind == source.List {
		items = n.Items
	}
	*s = nil
	for _, item := range items {
		text, _ := step.Text(item)
		m := rangePattern.FindStringSubmatch(text)
		if m == nil {
			return fmt.Errorf("wanted a status such as 200, or a range such as 200-299, found %s", found(item, text))
		}
		from, _ := strconv.Atoi(m[1]) // digits, by the pattern
		to := from
		if m[2] != "" {
			to, _ = strconv.Atoi(m[2])
		}
		if to < from {
			return fmt.Errorf("the range %s goes backwards", text)
		}
		*s = append(*s, virt.StatusRange{From: from, To: to})
	}
	if len(*s) == 0 {
		return fmt.Errorf("the list of statuses is empty")
	}
	return nil
}

func found(n *source.Node, text string) string {
	if text == "" {
		return n.Kind.String()
	}
	return strconv.Quote(text)
}

// Shape describes them.
func (*Statuses) Shape() step.Shape {
	one := step.Shape{Word: "status or range", Text: true, Integer: true, Pattern: `^[1-5][0-9]{2}(\s*-\s*[1-5][0-9]{2})?$`}
	all := one
	all.Word, all.List, all.Least = "status, range, or list of these", &one, 1
	return all
}

// String gives them as they are written.
func (s Statuses) String() string {
	if len(s) == 0 {
		return "200-299"
	}
	var out []string
	for _, r := range s {
		text := strconv.Itoa(r.From)
		if r.To != r.From {
			text += "-" + strconv.Itoa(r.To)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
