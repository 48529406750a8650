package inventory

import (
	"testing"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// FuzzInventory looks for inventories that crash the loader, or whose parts do
// not fit together although nothing was said.
func FuzzInventory(f *testing.F) {
	for _, seed := range []string{
		everyKey, patternInventory, "nodes:", "nodes: {n[1:3]: {address: x[1:3]}}", "groups: {a: {children: [b]}, b: {children: [a]}}",
		"groups: {all: {vars: {x: {secret: {env: A}}}}}", "images: {d: {targets: {x: {template: y}}}}", "clusters: {c: {nodes: [c]}}", "nodes: {a: {uri: 'qemu+ssh://'}}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, list := source.Parse("i.yml", []byte(text))
		if n == nil || list.HasErrors() {
			return
		}
		l := &loader{inv: &Inventory{Images: map[string]*Image{}, byName: map[string]*entity{}, groups: map[string]*Group{}}}
		l.document(n, "")
		l.finish()
		if l.list.HasErrors() {
			return
		}
		for _, target := range l.inv.All() {
			target.Vars.Nodes()
			at := source.FromAny(target.Name, diag.Range{})
			if got, list := l.inv.Select(at); len(got) != 1 || list.HasErrors() {
				t.Fatalf("%q selects %d targets: %v", target.Name, len(got), list)
			}
			for image := range l.inv.Images {
				_, _ = l.inv.Image(image, target.Name)
			}
		}
	})
}
