//go:build cgo && lab

package libvirt

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

// TestLabExternalSnapshots lays images over a running guest's disk and merges them
// again, in the middle and at the top, running and not: what the guest wrote stays,
// and no image is left over.
func TestLabExternalSnapshots(t *testing.T) {
	n := labNode(t, "n1")
	const name = "l4-layers"
	labGuest(t, name, "images", n)
	ref := virt.VMRef(name)
	vm := func() *virt.VM {
		t.Helper()
		n.Forget(ref)
		vm, err := n.VM(t.Context(), name)
		if err != nil {
			t.Fatal(full(err))
		}
		return vm
	}
	snapshot := func(of string) virt.On {
		t.Helper()
		o, err := virt.Read(t.Context(), n, virt.SnapshotRef(name, of))
		if err != nil {
			t.Fatal(full(err))
		}
		return virt.On{Ref: virt.SnapshotRef(name, of), Before: o}
	}
	apply := func(c virt.Change) virt.Outcome {
		t.Helper()
		out, err := n.Apply(t.Context(), c)
		if err != nil {
			t.Fatal(full(err))
		}
		return out
	}
	guest := func(line string) string {
		t.Helper()
		r, err := n.GuestProbe(t.Context(), name, virt.Command{Shell: line})
		if err != nil || r.RC != 0 {
			t.Fatalf("%s: %+v, %s", line, r, full(err))
		}
		return r.Stdout
	}
	images := func() []string {
		t.Helper()
		n.Forget()
		all, err := n.Volumes(t.Context(), "images")
		if err != nil {
			t.Fatal(full(err))
		}
		var out []string
		for _, v := range all {
			if strings.HasPrefix(v.Name, name+"-disk") { // not the image that the test has put under it
				out = append(out, v.Name)
			}
		}
		return out
	}
	disk := vm().Disks[0]
	waitAgent(t, n, name)

	for _, s := range []string{"first one", "second", "third"} {
		if out := apply(virt.CreateSnapshot{On: snapshot(s), External: true, Quiesce: virt.Some(true)}); len(out.Warnings) > 0 {
			t.Errorf("%q", out.Warnings)
		}
		guest("echo '" + s + "' >>/root/notes; dd if=/dev/urandom of='/root/" + s + "' bs=64k count=64; sync")
	}
	now := vm()
	if k := now.Disk(disk.Name); k == nil || k.Path.Or("") == disk.Path.Or("") || len(k.Chain) < 3 || k.Chain[2] != disk.Path.Or("") {
		t.Errorf("over the disk there are not three images: %+v", now.Disks)
	}
	sums := guest("cd /root; sha256sum notes first* second third")

	_, err := n.Apply(t.Context(), virt.RevertSnapshot{On: virt.OnVM(now), Snapshot: "second"})
	if !errors.Is(err, virt.ErrUnsupported) || !strings.Contains(full(err), "attach_disk") {
		t.Errorf("going back: %s", full(err))
	}
	apply(virt.DeleteSnapshot{On: snapshot("second")})
	if all, err := n.Snapshots(t.Context(), name); err != nil || len(all) != 2 || !all[0].External || all[1].Name != "third" {
		t.Errorf("%+v, %v", all, err)
	}

	// A merge that nobody wants any more ends, and is taken up again.
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	_, err = n.Apply(virt.WithProgress(ctx, func(p virt.Progress) {
		if strings.HasPrefix(p.What, "merging") {
			cancel()
		}
	}), virt.DeleteSnapshot{On: snapshot("third")})
	cancel()
	if err != nil && !errors.Is(err, context.Canceled) || time.Since(began) > abortGrace+cutGrace {
		t.Errorf("after %s: %s", time.Since(began), full(err))
	}
	apply(virt.DeleteSnapshot{On: snapshot("third")})
	if got := guest("cd /root; sha256sum notes first* second third"); got != sums {
		t.Errorf("the guest has\n%s, had\n%s", got, sums)
	}
	apply(virt.PowerOff{On: virt.OnVM(vm())})
	apply(virt.DeleteSnapshot{On: snapshot("first one")})
	if now = vm(); now.State != virt.Stopped || now.Disks[0].Path != disk.Path || now.Disks[0].Name != disk.Name {
		t.Errorf("it became %s, %+v; was %+v", now.State, now.Disks, disk)
	}
	if got := images(); !slices.Equal(got, []string{disk.Volume}) {
		t.Errorf("left over: %q", got)
	}
	apply(virt.Start{On: virt.OnVM(vm())})
	waitAgent(t, n, name)
	if got := guest("cd /root; sha256sum notes first* second third"); got != sums {
		t.Errorf("after a start the guest has\n%s, had\n%s", got, sums)
	}

	// A VM goes with all of its images.
	apply(virt.CreateSnapshot{On: snapshot("a"), External: true})
	apply(virt.CreateSnapshot{On: snapshot("b"), External: true})
	if got := images(); len(got) != 3 {
		t.Errorf("images %q", got)
	}
	apply(virt.DeleteVM{On: virt.OnVM(vm()), Volumes: true})
	if got := images(); len(got) != 0 {
		t.Errorf("left over: %q", got)
	}
}
