package ovirt

import (
	"context"
	"errors"
	"slices"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// tagsOf gives the ids of a VM's tags by their names. A VM whose tags were not
// sent along does not have none.
func tagsOf(v *ovirtsdk.Vm) (map[string]string, error) {
	c, ok := v.Tags()
	if !ok || c == nil {
		return nil, nil
	}
	list, sent := items(c, true)
	if !sent {
		return nil, errNotSent
	}
	tags := make(map[string]string, len(list))
	for _, t := range list {
		tags[value(t.Name())] = value(t.Id())
	}
	return tags, nil
}

// tagMap gives the ids of all tags by their names.
func (e *Engine) tagMap(ctx context.Context, need string) (map[string]string, error) {
	return e.dir.tags.get(ctx, need, func(ctx context.Context) (map[string]string, error) {
		type tag struct{ id, name string }
		all, err := list(ctx, e.Client, kindTag, "/tags", query{}, func(t *ovirtsdk.Tag) (tag, error) {
			return tag{value(t.Id()), value(t.Name())}, nil
		})
		if err != nil {
			return nil, explain("read its tags", e.Ref(), err)
		}
		tags := make(map[string]string, len(all))
		for _, t := range all {
			tags[t.name] = t.id
		}
		return tags, nil
	})
}

// setTags gives a VM the tags that it lacks, and takes those from it that it is
// not to have.
func (e *Engine) setTags(ctx context.Context, m *machine, want []string) error {
	for _, name := range m.vm.Tags {
		if slices.Contains(want, name) {
			continue
		}
		err := e.whileBusy(ctx, func(ctx context.Context) error {
			_, err := remove(ctx, e.Client, path("vms", m.id, "tags", m.tags[name]), nil)
			return err
		})
		if err != nil && !isGone(err) {
			return err
		}
	}
	for _, name := range want {
		if m.tags[name] != "" {
			continue
		}
		id, err := e.tag(ctx, name)
		if err != nil {
			return err
		}
		if err := e.assign(ctx, m.id, id); err != nil {
			return err
		}
	}
	return nil
}

// tag gives the id of a tag, which is made where it is missing. Others may make
// it at the same time: which of them made it is no matter.
func (e *Engine) tag(ctx context.Context, name string) (string, error) {
	tags, err := e.tagMap(ctx, name)
	if err != nil {
		return "", err
	}
	if id := tags[name]; id != "" {
		return id, nil
	}
	var id string
	err = e.whileBusy(ctx, func(ctx context.Context) (err error) {
		id, err = create(ctx, e.Client, kindTag, "/tags", nil, tagXML{Name: textOf(name)}, tagID)
		return err
	})
	e.dir.tags.drop()
	if !errors.Is(err, virt.ErrOutcomeUnknown) && !errors.Is(err, virt.ErrConflict) {
		return id, err
	}
	tags, lookErr := e.tagMap(ctx, "")
	if lookErr != nil {
		return "", errors.Join(err, lookErr)
	}
	if id = tags[name]; id != "" {
		return id, nil
	}
	return "", err
}

// assign gives a VM a tag. After a lost answer the VM's tags tell whether it has
// it.
func (e *Engine) assign(ctx context.Context, vm, tag string) error {
	err := e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := create(ctx, e.Client, kindTag, path("vms", vm, "tags"), nil, tagXML{ID: Text(tag)}, tagID)
		return err
	})
	if !errors.Is(err, virt.ErrOutcomeUnknown) {
		return err
	}
	has, lookErr := list(ctx, e.Client, kindTag, path("vms", vm, "tags"), query{}, tagID)
	switch {
	case lookErr != nil:
		return errors.Join(err, lookErr)
	case slices.Contains(has, tag):
		return nil
	}
	return err
}

func tagID(t *ovirtsdk.Tag) (string, error) { return value(t.Id()), nil }

// mayTag refuses tags where the user is shown none.
func (e *Engine) mayTag(c virt.Change) error {
	asked := false
	switch c := c.(type) {
	case virt.CreateVM:
		asked = c.Ovirt != nil && len(c.Ovirt.Tags) > 0
	case virt.SetVM:
		asked = !c.Tags.IsZero()
	}
	if !asked || !e.cfg.Filter {
		return nil
	}
	return &virt.Error{Kind: virt.ErrUnsupported, Object: c.Object(), Summary: "has tags that its engine does not show to a user without rights",
		Hint: "leave tags out, or let an administrator set them"}
}
