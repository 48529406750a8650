package event

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

// docs/events.md has every event and every field, and no others.
func TestEventsPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|")
	said := map[string][]string{}
	for _, part := range strings.Split("\n"+string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		said[title] = []string{}
		for _, m := range row.FindAllStringSubmatch(body, -1) {
			said[title] = append(said[title], m[1])
		}
	}
	want := map[string]reflect.Type{
		"header": reflect.TypeFor[Header](), "at": reflect.TypeFor[At](), "item": reflect.TypeFor[Item](), "position": reflect.TypeFor[Position](),
		"target": reflect.TypeFor[Target](), "target recap": reflect.TypeFor[TargetRecap](), "plan totals": reflect.TypeFor[PlanTotals](),
		"failure": reflect.TypeFor[Failure](), "object": reflect.TypeFor[virt.Ref](), "field": reflect.TypeFor[virt.FieldChange](), "pending": reflect.TypeFor[virt.Pending](),
	}
	for name, e := range types {
		want[string(name)] = e
	}
	for title, typ := range want {
		got, ok := said[title]
		if fields := wireFields(typ); !ok || !slices.Equal(got, fields) {
			t.Errorf("%s: the page has %v, the code %v", title, got, fields)
		}
		delete(said, title)
	}
	for title := range said {
		t.Errorf("there is no %s", title)
	}
}

// wireFields gives the names of a struct's own fields as they stand in JSON.
func wireFields(t reflect.Type) []string {
	out := []string{}
	for i := range t.NumField() {
		if f := t.Field(i); !f.Anonymous {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			out = append(out, name)
		}
	}
	return out
}
