//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/beevik/etree"

	"github.com/nactl/nactl/virt"
)

// checkCreateVM looks for everything that keeps a VM from being made: its image,
// pools and their space, networks, volumes in the way, addresses that are taken.
func (n *Node) checkCreateVM(ctx context.Context, view virt.Reader, c virt.CreateVM) error {
	before, err := virt.Read(ctx, view, c.Ref)
	if err != nil {
		return err
	}
	after, _, err := n.Predict(before, c)
	if err != nil {
		return err
	}
	vm := after.(*virt.VM)
	old, _ := before.(*virt.VM)
	k := &creationCheck{n: n, ctx: ctx, view: view, c: c, vm: vm, old: old, pools: map[string]*virt.Storage{}, need: map[string]int64{}}
	k.text()
	k.networks()
	k.variables()
	for _, d := range vm.Disks {
		k.disk(d)
	}
	k.space()
	return errors.Join(k.errs...)
}

// creationCheck gathers reasons against making a VM.
type creationCheck struct {
	n     *Node
	ctx   context.Context
	view  virt.Reader
	c     virt.CreateVM
	vm    *virt.VM
	old   *virt.VM // left by an interrupted run; else nil
	pools map[string]*virt.Storage
	need  map[string]int64 // bytes wanted at once, by pool
	errs  []error
}

func (k *creationCheck) add(err error) {
	if err != nil {
		k.errs = append(k.errs, err)
	}
}

func (k *creationCheck) invalid(format string, args ...any) {
	k.add(&virt.Error{Kind: virt.ErrInvalid, Object: k.vm.Ref(), Summary: fmt.Sprintf(format, args...)})
}

// text checks what needs no look at the node.
func (k *creationCheck) text() {
	if k.vm.Name == "" || strings.ContainsAny(k.vm.Name, "/\n") {
		k.invalid("%q cannot be a VM's name: it is empty, or has a slash or a line break in it", k.vm.Name)
	}
	if strings.Contains(k.vm.Title, "\n") {
		k.invalid("a title is one line")
	}
	names := map[string]bool{}
	for _, d := range k.vm.Disks {
		if names[d.Name] {
			k.invalid("two disks are called %q", d.Name)
		}
		names[d.Name] = true
		if !aliasPattern.MatchString(d.Name) {
			k.invalid("a disk cannot be called %q: use letters, digits, hyphens and underscores", d.Name)
		}
		if d.Size == 0 && d.Device == "disk" && specOf(k.c.Disks, d.Name).Volume == "" {
			k.invalid("disk %q has no size", d.Name)
		}
	}
	for _, nic := range k.vm.NICs {
		if names["nic "+nic.Name] {
			k.invalid("two NICs are called %q", nic.Name)
		}
		names["nic "+nic.Name] = true
		if !aliasPattern.MatchString(nic.Name) {
			k.invalid("a NIC cannot be called %q: use letters, digits, hyphens and underscores", nic.Name)
		}
	}
	if k.c.LibvirtXML != "" {
		if _, err := parseOverlay(k.c.LibvirtXML); err != nil {
			k.add(overlayError(k.vm.Ref(), err))
		}
	}
	if needsSeed(k.c) {
		// With stand-ins for the addresses that the VM is yet to get.
		trial := k.vm.Clone().(*virt.VM)
		for i := range trial.NICs {
			trial.NICs[i].MAC = virt.Some(trial.NICs[i].MAC.Or("52:54:00:00:00:00"))
		}
		_, err := makeSeed(k.c, trial, "")
		k.add(err)
	}
}

func (k *creationCheck) networks() {
	for _, nic := range k.vm.NICs {
		k.add(checkNetwork(k.ctx, k.view, k.vm.Ref(), nic.Name, nic.Network))
	}
	macs := map[string]string{}
	for _, nic := range k.vm.NICs {
		mac, ok := nic.MAC.Get()
		if !ok {
			continue
		}
		macs[strings.ToLower(mac)] = nic.Name
	}
	if len(macs) == 0 {
		return
	}
	vms, err := k.view.VMs(k.ctx)
	if err != nil {
		k.add(err)
		return
	}
	for _, other := range vms {
		for _, nic := range other.NICs {
			if name, taken := macs[strings.ToLower(nic.MAC.Or(""))]; taken && other.Name != k.vm.Name {
				k.add(&virt.Error{Kind: virt.ErrConflict, Object: k.vm.Ref(), Summary: fmt.Sprintf("NIC %q cannot have an address that another VM has", name),
					Wanted: nic.MAC.Or(""), Found: fmt.Sprintf("vm %s, NIC %s", other.Name, nic.Name), Hint: "choose another mac, or leave it out"})
			}
		}
	}
}

// checkNetwork looks for a network that a NIC can be attached to.
func checkNetwork(ctx context.Context, view virt.Reader, vm virt.Ref, nic, network string) error {
	network, group, _ := strings.Cut(network, "/")
	n, err := view.Network(ctx, network)
	switch {
	case isMissing(err, virt.NetworkRef(network)):
		known := ""
		if all, err := view.Networks(ctx); err == nil {
			var names []string
			for _, other := range all {
				names = append(names, other.Name)
			}
			known = strings.Join(names, ", ")
		}
		return &virt.Error{Kind: virt.ErrNotFound, Object: virt.NetworkRef(network), Summary: "is not there, and NIC " + nic + " of " + vm.String() + " is to be on it",
			Found: known, Hint: "make it with create_vlan, or check its name"}
	case err != nil:
		return err
	case !n.Active:
		return &virt.Error{Kind: virt.ErrConflict, Object: n.Ref(), Summary: "is not active", Hint: "start it: virsh net-start " + network}
	case group != "" && n.Native != "":
		return hasPortgroup(n, group)
	}
	return nil
}

// disk checks one disk's pool, image and volume.
func (k *creationCheck) disk(d virt.Disk) {
	spec := specOf(k.c.Disks, d.Name)
	pool := k.pool(d.Storage)
	if pool == nil {
		return
	}
	if spec.Volume != "" {
		k.add(checkAdopted(k.ctx, k.view, k.vm.Name, d.Storage, spec.Volume, spec.ReadOnly))
		return
	}
	k.add(checkFormat(pool, d.Name, d.Format))
	begun := hasVolume(k.old, d.Storage, d.Volume)
	if !begun {
		k.add(checkFree(k.ctx, k.view, k.vm.Name, d.Storage, d.Volume))
	}
	switch fromImage := d.Boot && k.c.Image != nil; {
	case fromImage:
		k.image(d, spec)
	case !begun && d.Device == "disk" && (!spec.Sparse || slices.Contains(blockPools, pool.Type)):
		k.need[d.Storage] += d.Size
	}
}

// checkFree looks whether a volume of that name can be made: that there is none,
// or a half-made one that no other VM names.
func checkFree(ctx context.Context, view virt.Reader, vm, pool, name string) error {
	v, err := view.Volume(ctx, pool, name)
	switch {
	case errors.Is(err, virt.ErrNotFound):
		return nil
	case err != nil:
		return err
	case !v.Unfinished:
		return leftover(v.Ref())
	}
	return checkUnused(ctx, view, vm, v)
}

// checkAdopted looks whether a VM can have an existing volume. One that is only
// read may be several VMs'.
func checkAdopted(ctx context.Context, view virt.Reader, vm, pool, name string, readOnly bool) error {
	v, err := view.Volume(ctx, pool, name)
	switch {
	case err != nil:
		return err
	case v.Unfinished:
		return &virt.Error{Kind: virt.ErrConflict, Object: v.Ref(), Summary: "is half made: the run that was making it did not end",
			Hint: "let the step that makes it run again, or delete it"}
	case readOnly:
		return nil
	}
	return checkUnused(ctx, view, vm, v)
}

// checkUnused refuses a volume that another VM has, or lies over.
func checkUnused(ctx context.Context, view virt.Reader, vm string, v *virt.Volume) error {
	vms, err := view.VMs(ctx)
	if err != nil {
		return err
	}
	for _, other := range vms {
		for _, k := range other.Disks {
			if other.Name != vm && isOver(k, v) {
				return &virt.Error{Kind: virt.ErrConflict, Object: v.Ref(), Summary: "cannot be a disk of vm " + vm + ": another VM uses it",
					Found: other.Ref().String() + ", disk " + k.Name, Hint: "detach it there first, or name another volume"}
			}
		}
	}
	return nil
}

// isOver tells whether a disk is a volume, or lies over it.
func isOver(k virt.Disk, v *virt.Volume) bool {
	if path, ok := v.Path.Get(); ok && path != "" {
		return k.Path.Or("") == path || k.Backing == path
	}
	return k.Storage == v.Storage && k.Volume == v.Name // one that only a plan has
}

// image checks that the image is still there and can become the disk.
func (k *creationCheck) image(d virt.Disk, spec virt.DiskSpec) {
	img, err := k.view.Image(k.ctx, k.c.Image.Source)
	if err != nil {
		k.add(err)
		return
	}
	if spec.Backed && img.Path == "" {
		k.invalid("disk %q cannot lie over its image, which is not on the node", d.Name)
	}
	if spec.Backed && d.Format != "qcow2" {
		k.invalid("disk %q is to lie over its image, which only qcow2 can; it is %s", d.Name, d.Format)
	}
	if img.Source.File != "" && d.Format != img.Format {
		k.invalid("disk %q cannot be %s: its image is a %s file, which is uploaded as it is", d.Name, d.Format, img.Format)
	}
	if d.Size < img.Size {
		k.invalid("disk %q is to have %s, and its image has %s", d.Name, virt.FormatSize(d.Size), virt.FormatSize(img.Size))
	}
	if hasVolume(k.old, d.Storage, d.Volume) || spec.Backed {
		return
	}
	if !spec.Sparse {
		k.need[d.Storage] += d.Size
		return
	}
	if img.Source.File != "" {
		if info, err := os.Stat(img.Source.File); err == nil {
			k.need[d.Storage] += info.Size()
		} else {
			k.need[d.Storage] += img.Source.Length // to be fetched
		}
	}
	if img.Source.Volume != "" {
		if v, err := k.view.Volume(k.ctx, img.Source.Storage, img.Source.Volume); err == nil {
			k.need[d.Storage] += v.ActualSize
		}
	}
}

// checkFormat refuses a format that a pool's volumes cannot have.
func checkFormat(pool *virt.Storage, disk, format string) error {
	if slices.Contains(blockPools, pool.Type) && format != "raw" {
		return &virt.Error{Kind: virt.ErrInvalid, Object: pool.Ref(), Summary: fmt.Sprintf("disk %q cannot be %s there: logical volumes are raw", disk, format),
			Hint: "write format: raw"}
	}
	return nil
}

// pool looks a pool up, once; nil when volumes cannot be made in it.
func (k *creationCheck) pool(name string) *virt.Storage {
	if p, known := k.pools[name]; known {
		return p
	}
	p, err := checkPool(k.ctx, k.view, name)
	k.add(err)
	k.pools[name] = p
	return p
}

// checkPool looks for a pool that volumes can be made in.
func checkPool(ctx context.Context, view virt.Reader, name string) (*virt.Storage, error) {
	p, err := view.Storage(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case !p.Active:
		return nil, &virt.Error{Kind: virt.ErrConflict, Object: p.Ref(), Summary: "is not active", Hint: "start it: virsh pool-start " + name}
	}
	return p, nil
}

// space compares what is wanted at once with what the pools have left.
func (k *creationCheck) space() {
	for name, need := range k.need {
		if p := k.pools[name]; p != nil {
			k.add(checkSpace(p, need))
		}
	}
}

func checkSpace(p *virt.Storage, need int64) error {
	if need <= p.Available {
		return nil
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: p.Ref(), Summary: "is too full",
		Wanted: virt.FormatSize(need), Found: virt.FormatSize(p.Available) + " free", Hint: "free space in the pool and let libvirt look again (virsh pool-refresh " + p.Name + "), or name another with storage"}
}

// hasPortgroup looks for a portgroup of a libvirt network.
func hasPortgroup(n *virt.Network, group string) error {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(n.Native); err != nil {
		return fmt.Errorf("the definition of %s: %w", n.Ref(), err)
	}
	var names []string
	for _, g := range doc.FindElements("./network/portgroup") {
		names = append(names, g.SelectAttrValue("name", ""))
	}
	if slices.Contains(names, group) {
		return nil
	}
	return &virt.Error{Kind: virt.ErrNotFound, Object: n.Ref(), Summary: fmt.Sprintf("has no portgroup %q", group), Found: strings.Join(names, ", "),
		Hint: "write NETWORK/PORTGROUP with one of them, or NETWORK alone"}
}
