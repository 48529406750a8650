package ovirt

import (
	"context"

	"github.com/nactl/nactl/virt"
)

// renameVM gives a VM another name, at once even where it runs. Its disks keep
// theirs, and so does its guest's host name.
func (e *Engine) renameVM(ctx context.Context, c virt.RenameVM, d *edit) error {
	return e.put(ctx, d.m.id, d.m.atOnce(), vmXML{Name: textOf(c.To)})
}
