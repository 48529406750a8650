package inventory

import (
	"testing"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/engine/source/sourcetest"
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
	for _, text := range sourcetest.Texts(f, 8192) {
		f.Add(text)
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

// FuzzExpand: a range of names gives a bounded number of names, or says why not.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"n[01:20]", "n[a:z]", "n[1:2][a:b]", "n[9:1]", "n[1:99999999]", "n[1:10:2]", "[", "n[:]", "n[-1:2]", "ü[1:2]", "n[A:z]", "n[18446744073709551614:18446744073709551616]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !hasRange(s) {
			return
		}
		names, err := expand(s)
		switch {
		case err == nil && (len(names) == 0 || len(names) > maxRange):
			t.Fatalf("%d names", len(names))
		case err != nil && err.Error() == "":
			t.Fatal("an error without a word")
		}
		for _, name := range names {
			if name == s {
				t.Fatalf("%q stands for itself", s)
			}
		}
	})
}
