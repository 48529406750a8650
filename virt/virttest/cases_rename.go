package virttest

import (
	"errors"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
)

// another is the name that the VM of a case gets.
func another(vm string) string { return vm + "-renamed" }

var rename = on(func(o virt.On) virt.RenameVM { return virt.RenameVM{On: o, To: another(o.Ref.Name)} })

func renames() []testCase {
	return []testCase{{kind: "rename_vm", name: "stopped", becomes: another, change: rename, shows: gone}}
}

// renamed compares the VM of a new name with what an overlay predicts of it, and with
// what it was.
func (r *runner) renamed(t *testing.T, dry *dryrun.Platform, name string, before virt.Object) {
	t.Helper()
	predicted, err := dry.VM(t.Context(), name)
	if err == nil {
		err = dry.DiskSizes(t.Context(), predicted)
	}
	if err != nil {
		t.Fatalf("dry run: %v", err)
	}
	o := r.look(t, virt.VMRef(name))
	if o == nil {
		t.Fatalf("there is no VM %s", name)
	}
	for _, d := range r.differ(told(predicted), told(o)) {
		t.Errorf("predicted and seen differ: %s", d)
	}
	after, was := o.(*virt.VM), before.(*virt.VM)
	if after.Name != name || after.ID != was.ID || len(after.Disks) != len(was.Disks) || len(after.NICs) != len(was.NICs) {
		t.Errorf("it was %+v, and is %+v", was, after)
	}
	if r.Kept != nil {
		if err := r.Kept(after); err != nil {
			t.Errorf("not kept: %v", err)
		}
	}
	if snapshots, err := dry.Snapshots(t.Context(), name); err != nil || len(snapshots) != 0 {
		t.Errorf("dry run: its snapshots are %v, %v", snapshots, err)
	}
}

// names tries what must not become of names: two VMs of one name, a VM that loses its
// name while it runs where the platform cannot do that.
func (r *runner) names(t *testing.T) {
	if r.Unsupported["rename_vm"] != "" {
		return
	}
	one, _ := r.prepare(t, testCase{})
	two, _ := r.prepare(t, testCase{})
	was := r.look(t, virt.VMRef(one))
	clash := virt.RenameVM{On: virt.On{Ref: virt.VMRef(one), Before: was}, To: two}
	var e *virt.Error
	for _, a := range []virt.Applier{r.p, dryrun.New(r.p)} {
		_, err := a.Apply(t.Context(), clash)
		if !errors.As(err, &e) || !errors.Is(err, virt.ErrConflict) || e.Found == "" || e.Hint == "" {
			t.Errorf("renamed to a name that another VM has: %v, want ErrConflict that says which", err)
		}
	}
	for _, bad := range []string{"", "a/b", "a\nb"} {
		c := clash
		c.To = bad
		if _, err := r.p.Apply(t.Context(), c); !errors.Is(err, virt.ErrInvalid) {
			t.Errorf("renamed to %q: %v, want ErrInvalid", bad, err)
		}
	}
	for _, d := range r.differ(was, r.look(t, virt.VMRef(one))) {
		t.Errorf("it was refused, and something changed: %s", d)
	}

	// What a plan says of a VM once it is renamed is what the play will find.
	dry := dryrun.New(r.p)
	third := another(one)
	for _, c := range []virt.Change{
		virt.RenameVM{On: virt.On{Ref: virt.VMRef(one), Before: was}, To: third},
		virt.RenameVM{On: virt.On{Ref: virt.VMRef(two), Before: r.look(t, virt.VMRef(two))}, To: one},
	} {
		if _, err := dry.Apply(t.Context(), c); err != nil {
			t.Fatalf("dry run: %v", err)
		}
	}
	vms, err := dry.VMs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, vm := range vms {
		seen[vm.Name]++
	}
	if seen[one] != 1 || seen[third] != 1 || seen[two] != 0 {
		t.Errorf("a plan that passes a name on has %v", seen)
	}
	if vm, err := dry.VM(t.Context(), one); err != nil || vm.ID != r.look(t, virt.VMRef(two)).(*virt.VM).ID {
		t.Errorf("who got the name of the first is %+v, %v", vm, err)
	}
}
