package inventory

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

// Image is one name for what VMs are made from, and what it means where.
type Image struct {
	Name    string
	Range   diag.Range
	Engines *virt.ImageSource
	Nodes   *virt.ImageSource // nodes and clusters
	// Targets holds what differs for a target or a group, in the order of the file.
	Targets []ImageFor
}

// ImageFor is what an image means for one target or group.
type ImageFor struct {
	Name   string
	Source virt.ImageSource
	Range  diag.Range
}

func (l *loader) image(name, v *source.Node, dir string) {
	if other, taken := l.inv.Images[name.Str]; taken {
		l.list.Errorf(name.Range, "duplicate-key", "image %q stands at %s already", name.Str, other.Range.Pos)
		return
	}
	f, ok := newFields(&l.list, v, "image "+name.Str, dir, imageKeys)
	if !ok {
		return
	}
	im := &Image{Name: name.Str, Range: name.Range}
	l.inv.Images[name.Str] = im
	if n := f.get("engines"); n != nil {
		im.Engines = l.imageSource(im, n, dir, engineImageKeys)
	}
	if n := f.get("nodes"); n != nil {
		im.Nodes = l.imageSource(im, n, dir, volumeKeys)
	}
	if n := f.mapping("targets"); n != nil {
		for _, e := range n.Entries {
			if src := l.imageSource(im, e.Value, dir, append([]Key{templateKey}, volumeKeys...)); src != nil {
				im.Targets = append(im.Targets, ImageFor{Name: e.Key.Str, Source: *src, Range: e.Key.Range})
			}
		}
	}
	if im.Engines == nil && im.Nodes == nil && len(im.Targets) == 0 && !l.list.HasErrors() {
		l.list.Errorf(name.Range, "missing-key", "image %s says nothing: write engines: {template: …} or nodes: {volume: POOL/NAME}", name.Str)
	}
}

var sumPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// imageSource reads exactly one of some keys, and what may stand beside it.
func (l *loader) imageSource(im *Image, n *source.Node, dir string, keys []Key) *virt.ImageSource {
	what := "image " + im.Name
	f, ok := newFields(&l.list, n, what, dir, append(slices.Clone(keys), beside...))
	if !ok {
		return nil
	}
	given := slices.DeleteFunc(keyNames(keys), func(k string) bool { return f.get(k) == nil })
	if len(given) != 1 {
		l.list.Errorf(n.Range, "missing-key", "%s needs one of: %s", what, strings.Join(keyNames(keys), ", "))
		return nil
	}
	src := &virt.ImageSource{Name: im.Name}
	at := f.get(given[0])
	if sum := f.get("sha256"); sum != nil {
		src.SHA256 = strings.ToLower(f.str("sha256"))
		switch {
		case given[0] != "url":
			l.list.Errorf(sum.Range, "value", "sha256 of %s stands beside url alone", what)
		case !sumPattern.MatchString(src.SHA256):
			l.list.Errorf(sum.Range, "value", "sha256 of %s must be 64 hexadecimal digits", what)
		}
	}
	switch given[0] {
	case "template":
		src.Template = f.str("template")
	case "volume":
		pool, volume, ok := strings.Cut(f.str("volume"), "/")
		if !ok || pool == "" || volume == "" {
			l.list.Errorf(at.Range, "value", "volume of %s must be POOL/NAME, as default/debian-12.qcow2", what)
			return nil
		}
		src.Storage, src.Volume = pool, volume
	case "url":
		src.URL = f.str("url")
		if u, err := url.Parse(src.URL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			l.list.Errorf(at.Range, "value", "url of %s must start with https:// or http://", what)
			return nil
		}
	case "file":
		src.File = f.path("file")
	}
	return src
}

// finishImages makes sure that what images say of targets is about some.
func (l *loader) finishImages() {
	for _, im := range l.inv.Images {
		for _, t := range im.Targets {
			e, group := l.inv.byName[t.Name], l.inv.groups[t.Name]
			if e == nil && group == nil {
				l.list.Errorf(t.Range, "unknown-target", "image %s: there is no target or group %q%s", im.Name, t.Name,
					diag.DidYouMean(t.Name, append(l.inv.Names(), l.inv.groupNames()...)))
			}
			if e != nil && !suits(t.Source, e.kind) {
				l.list.Errorf(t.Range, "value", "image %s: %s %s takes %s", im.Name, e.kind, e.name, imageWord(e.kind))
			}
		}
	}
}

// suits tells whether an image can be had on a kind of target: engines have no
// volumes to make VMs from, and nodes no templates.
func suits(src virt.ImageSource, k Kind) bool {
	if k == KindEngine {
		return src.Volume == ""
	}
	return src.Template == ""
}

func imageWord(k Kind) string {
	if k == KindEngine {
		return "a template, url or file"
	}
	return "a volume, url or file"
}

// Image gives what an image means for a target: what is said of the target
// itself, else of its groups (the deepest first, then by name), else of its
// kind. The error names what is missing.
func (inv *Inventory) Image(name, target string) (virt.ImageSource, error) {
	im, e := inv.Images[name], inv.byName[target]
	if im == nil {
		names := make([]string, 0, len(inv.Images))
		for n := range inv.Images {
			names = append(names, n)
		}
		slices.Sort(names)
		return virt.ImageSource{}, fmt.Errorf("the inventory has no image %q%s", name, orList(name, names))
	}
	if e == nil {
		return virt.ImageSource{}, fmt.Errorf("the inventory has no target %q%s", target, diag.DidYouMean(target, inv.Names()))
	}
	order := []string{e.name}
	if e.member != nil {
		order = append(order, e.member.Name)
	}
	for i := len(e.groups) - 1; i >= 0; i-- {
		order = append(order, e.groups[i].Name)
	}
	for _, n := range order {
		for _, t := range im.Targets {
			if t.Name == n && suits(t.Source, e.kind) {
				return t.Source, nil
			}
		}
	}
	src, section := im.Nodes, "nodes"
	if e.kind == KindEngine {
		src, section = im.Engines, "engines"
	}
	if src == nil {
		return virt.ImageSource{}, fmt.Errorf("image %q (%s) has nothing for %s %s: add %s: with %s",
			name, im.Range.Pos, e.kind, e.name, section, imageWord(e.kind))
	}
	return *src, nil
}
