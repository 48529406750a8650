package virt

import (
	"context"
	"errors"
	"strings"
)

// renameVM predicts another name. That another VM has it is not to be seen here: see
// CheckRename.
func renameVM(vm, after *VM, c RenameVM, d *diff) error {
	if c.To == "" || strings.ContainsAny(c.To, "/\n") {
		return &Error{Kind: ErrInvalid, Object: c.Ref, Summary: "cannot be called so: a name is not empty, and has no slash and no line break in it",
			Found: c.To, Hint: "write the new name alone, without a data centre"}
	}
	after.Name = c.Renamed().Name
	d.set("name", vm.Name, after.Name, "")
	return nil
}

// CheckRename looks whether another VM has the name already that a VM is to be given,
// and whether an interrupted run left the VM half made.
func CheckRename(ctx context.Context, view Reader, c RenameVM) error {
	vm, err := view.VM(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	if vm.Unfinished != "" {
		return &Error{Kind: ErrConflict, Object: c.Ref, Summary: "is unfinished, and keeps its name until it is whole",
			Wanted: "a whole VM", Found: "run " + vm.Unfinished + " was interrupted while making it", Hint: "finish it by running its create_vm again, or delete it with delete_vm"}
	}
	switch _, err := view.VM(ctx, c.Renamed().Name); {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return &Error{Kind: ErrConflict, Object: c.Ref, Summary: "cannot be renamed: another VM has that name",
		Wanted: "no " + c.Renamed().String(), Found: "both " + c.Ref.String() + " and " + c.Renamed().String(), Hint: "choose another name, or rename or delete the other VM before"}
}
