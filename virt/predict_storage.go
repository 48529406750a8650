package virt

import (
	"fmt"
	"slices"
)

// newVolume gives a volume that is to be made where before is not there, or half
// made. made is false where a whole one is there.
func newVolume(before Object, ref Ref, size int64, format string, d *diff) (v *Volume, made bool) {
	old, _ := before.(*Volume)
	if old != nil && !old.Unfinished {
		return old, false
	}
	if old != nil {
		d.set("unfinished", true, nil, "made anew: the run that was making it did not end")
	}
	d.field(FieldChange{Path: "size", After: size, Unit: "bytes"})
	d.set("format", nil, format, "")
	return &Volume{Storage: ref.Scope, Name: ref.Name, Format: format, Size: size, Path: Unknown[string]()}, true
}

func createVolume(before Object, c CreateVolume) (Object, Outcome, error) {
	var d diff
	if c.Size <= 0 {
		return nil, Outcome{}, &Error{Kind: ErrInvalid, Object: c.Ref, Summary: "has no size", Hint: "write size, as 10GiB"}
	}
	v, _ := newVolume(before, c.Ref, c.Size, c.Format, &d)
	return v, d.out, nil
}

func cloneVolume(before Object, c CloneVolume) (Object, Outcome, error) {
	var d diff
	if c.Ref.Same(c.From) {
		return nil, Outcome{}, &Error{Kind: ErrInvalid, Object: c.Ref, Summary: "cannot be a copy of itself"}
	}
	v, made := newVolume(before, c.Ref, c.Size, c.Format, &d)
	if made {
		d.set("from", nil, c.From.Scope+"/"+c.From.Name, "")
	}
	return v, d.out, nil
}

func resizeVolume(before Object, c ResizeVolume) (Object, Outcome, error) {
	v, _ := before.(*Volume)
	if v == nil {
		return nil, Outcome{}, NotFound(c.Ref, "make it with create_volume, or check its name")
	}
	if v.Unfinished {
		return nil, Outcome{}, unfinishedVolume(c.Ref)
	}
	if c.Size < v.Size {
		return nil, Outcome{}, &Error{Kind: ErrInvalid, Object: c.Ref, Summary: "volumes never shrink: what is at its end would be lost",
			Wanted: FormatSize(c.Size), Found: FormatSize(v.Size), Hint: "write its size or more; for a smaller one, make another volume"}
	}
	var d diff
	d.bytes("size", v.Size, c.Size, "")
	after := v.Clone().(*Volume)
	after.Size = c.Size
	return after, d.out, nil
}

func unfinishedVolume(ref Ref) error {
	return &Error{Kind: ErrConflict, Object: ref, Summary: "is half made: the run that was making it did not end",
		Hint: "let the step that makes it run again, or delete it with delete_volume"}
}

func uploadVolume(before Object, c UploadVolume) (Object, Outcome, error) {
	var d diff
	sum := "sha256:" + short(c.Source.SHA256)
	v, made := newVolume(before, c.Ref, c.Source.Size, c.Source.Format, &d)
	switch {
	case made:
		d.set("content", nil, sum, "")
	case v.Holds(c.Source):
		return v, d.out, nil
	default:
		have := "other content"
		if v.SHA256 != "" {
			have = "sha256:" + short(v.SHA256)
		}
		after := v.Clone().(*Volume)
		d.bytes("size", v.Size, c.Source.Size, "")
		d.set("format", v.Format, c.Source.Format, "")
		d.set("content", have, sum, "")
		after.Size, after.Format, after.Backing = c.Source.Size, c.Source.Format, ""
		v = after
	}
	v.SHA256, v.Summed, v.Stored = c.Source.SHA256, c.Source.Length, c.Source.Length
	return v, d.out, nil
}

func createPool(before Object, c CreatePool) (Object, Outcome, error) {
	var d diff
	p, _ := before.(*Storage)
	if p == nil {
		p = &Storage{Name: c.Ref.Name, Type: c.Type, Active: true, Autostart: c.Autostart, Path: c.Path, Source: c.Source.String(),
			Hosts: slices.Sorted(slices.Values(c.Hosts))}
		d.set("type", nil, c.Type, "")
		if p.Path != "" {
			d.set("path", nil, p.Path, "")
		}
		if p.Source != "" {
			d.set("source", nil, p.Source, "")
		}
		d.set("autostart", nil, c.Autostart, "")
		d.set("hosts", nil, p.Hosts, "")
		return p, d.out, nil
	}
	other := func(want, have string) bool { return want != "" && have != "" && want != have }
	if p.Type != c.Type || other(c.Path, p.Path) || other(c.Source.String(), p.Source) {
		return nil, Outcome{}, &Error{Kind: ErrConflict, Object: c.Ref, Summary: "is there, and is another pool",
			Wanted: describePool(c.Type, c.Path, c.Source.String()), Found: describePool(p.Type, p.Path, p.Source),
			Hint: "choose another name, or delete that pool with delete_pool"}
	}
	after := p.Clone().(*Storage)
	d.set("active", p.Active, true, "")
	d.set("autostart", p.Autostart, c.Autostart, "")
	after.Active, after.Autostart = true, c.Autostart
	hosts := slices.Compact(slices.Sorted(slices.Values(slices.Concat(p.Hosts, c.Hosts))))
	d.set("hosts", p.Hosts, hosts, "")
	after.Hosts = hosts
	return after, d.out, nil
}

func describePool(typ, path, source string) string {
	s := typ
	if path != "" {
		s += " at " + path
	}
	if source != "" {
		s += " of " + source
	}
	return s
}

// changePool predicts what becomes of a pool that is there.
func changePool(before Object, c Change, active bool, autostart Opt[bool]) (Object, Outcome, error) {
	p, _ := before.(*Storage)
	if p == nil {
		return nil, Outcome{}, NotFound(c.Object(), "make it with create_pool, or check its name")
	}
	var d diff
	after := p.Clone().(*Storage)
	d.set("active", p.Active, active, "")
	after.Active = active
	if v, ok := autostart.Get(); ok {
		d.set("autostart", p.Autostart, v, "")
		after.Autostart = v
	}
	return after, d.out, nil
}

func deletePool(before Object, c DeletePool) (Object, Outcome, error) {
	p, _ := before.(*Storage)
	if p == nil {
		return nil, Outcome{}, nil
	}
	var d diff
	left := slices.DeleteFunc(slices.Clone(p.Hosts), func(h string) bool { return slices.Contains(c.Hosts, h) })
	if len(c.Hosts) == 0 || len(left) == 0 {
		d.set("pool", p.Name, nil, "")
		return nil, d.out, nil
	}
	after := p.Clone().(*Storage)
	d.set("hosts", p.Hosts, left, "")
	after.Hosts = left
	return after, d.out, nil
}

// String gives the source as a pool tells it.
func (s PoolSource) String() string {
	switch {
	case s.Host != "":
		return fmt.Sprintf("%s:%s", s.Host, s.Dir)
	case s.Dir != "":
		return s.Dir
	}
	return s.Name
}
