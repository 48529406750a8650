package step

import (
	"fmt"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

// Size is an argument in bytes, written with its unit: 4GiB.
type Size int64

// Decode reads a size.
func (s *Size) Decode(n *source.Node) error {
	switch n.Kind {
	case source.Int:
		return fmt.Errorf("%d has no unit: write %dMiB or %dGiB", n.Int, n.Int, n.Int)
	case source.String:
		v, err := virt.ParseSize(n.Str)
		*s = Size(v)
		return err
	default:
		return fmt.Errorf("wanted a size such as 4GiB, found %s", n.Kind)
	}
}

// Duration is an argument that is a length of time, written as 90s or 10m.
type Duration time.Duration

// Decode reads a duration.
func (d *Duration) Decode(n *source.Node) error {
	switch n.Kind {
	case source.Int:
		return fmt.Errorf("%d has no unit: write %ds or %dm", n.Int, n.Int, n.Int)
	case source.String:
		v, err := time.ParseDuration(n.Str)
		if err != nil || v < 0 {
			return fmt.Errorf("%q is not a duration; write for example 90s or 10m", n.Str)
		}
		*d = Duration(v)
		return nil
	default:
		return fmt.Errorf("wanted a duration such as 90s, found %s", n.Kind)
	}
}

// Argv is a command as a list of arguments.
type Argv []string

// Decode reads a list of scalars; text is refused, for nobody knows how to split
// it.
func (a *Argv) Decode(n *source.Node) error {
	if n.Kind == source.String {
		return fmt.Errorf("wanted a list of arguments, as [%s]; for a command line use shell", strings.Join(strings.Fields(n.Str), ", "))
	}
	if n.Kind != source.List {
		return fmt.Errorf("wanted a list of arguments, found %s", n.Kind)
	}
	*a = nil
	for _, item := range n.Items {
		text, ok := Text(item)
		if !ok {
			return fmt.Errorf("wanted a list of texts, found %s in it", item.Kind)
		}
		*a = append(*a, text)
	}
	if len(*a) == 0 {
		return fmt.Errorf("the list of arguments is empty")
	}
	return nil
}

// Text gives a scalar as it was written; ok is false for other values.
func Text(n *source.Node) (text string, ok bool) {
	if n == nil {
		return "", false
	}
	switch n.Kind {
	case source.String:
		return n.Str, true
	case source.Int, source.Float, source.Bool:
		if n.Raw != "" {
			return n.Raw, true
		}
		return fmt.Sprint(n.Any()), true
	default:
		return "", false
	}
}
