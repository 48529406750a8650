package ovirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// blankTemplate is the one that every engine has, with nothing in it.
const blankTemplate = "00000000-0000-0000-0000-000000000000"

// makings is what a new VM is made of.
type makings struct {
	cluster  clusterInfo
	template *templateInfo // nil: none
	host     string        // id of where it shall start; empty: anywhere
}

// createVM makes a VM, or completes what an interrupted run left of one. The
// request that makes it carries the unfinished mark, so that whoever finds it can
// tell whose it is; a failure leaves the mark.
func (e *Engine) createVM(ctx context.Context, c virt.CreateVM, d *edit) error {
	k, err := e.makings(ctx, c)
	if err != nil {
		return err
	}
	want, before := d.want(), d.vm()
	var id string
	switch {
	case before == nil:
		id, err = e.bear(ctx, c, want, k)
	case before.State.IsLive() || before.State == virt.Suspended:
		return &virt.Error{Kind: virt.ErrConflict, Object: want.Ref(), Summary: "is unfinished, and " + string(before.State) + " already",
			Wanted: "a stopped VM", Hint: "stop it and run this again, or delete it with delete_vm"}
	default:
		id, err = e.rebear(ctx, c, want, d.m)
	}
	if err != nil {
		return err
	}
	if err := e.furnish(ctx, c, want, k, id); err != nil {
		return fmt.Errorf("%s is left marked as unfinished, and running the step again completes it: %w", want.Ref(), e.failed(ctx, c, err))
	}
	return nil
}

// makings looks up what a VM is made of.
func (e *Engine) makings(ctx context.Context, c virt.CreateVM) (*makings, error) {
	k := &makings{}
	in := c.DataCentre
	if centre, _ := qualified(c.Ref.Name); centre != "" {
		in = centre
	}
	var err error
	if k.cluster, err = e.findCluster(ctx, c.Ref, c.Cluster, in); err != nil {
		return nil, err
	}
	if c.Image != nil {
		ref := virt.Ref{Kind: virt.KindImage, Name: c.Image.Source.Name}
		t, err := e.template(ctx, ref, c.Image.Source.Template, k.cluster.centre)
		if err != nil {
			return nil, err
		}
		k.template = &t
	}
	if name, ok := c.Host.Get(); ok && name != "" {
		h, err := e.findHost(ctx, name)
		if err != nil {
			return nil, err
		}
		if h.cluster != k.cluster.id {
			return nil, &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("cannot be on host %s, which is not in cluster %s", name, k.cluster.name)}
		}
		k.host = h.id
	}
	return k, nil
}

// settings are those of a new VM that are its own, and not its disks' or NICs'.
func settings(c virt.CreateVM, want *virt.VM, k *makings) vmXML {
	body := vmXML{
		Description: textOf(withMark(c.Description, c.Run)), Comment: textOf(c.Title),
		Memory: &want.Memory.Current, MemoryPolicy: &memoryPolicyXML{Max: &want.Memory.Max, Guaranteed: &want.Memory.Guaranteed},
		CPU: topologyOf(want.CPU),
	}
	o := cmp.Or(c.Ovirt, &virt.OvirtVM{})
	affinity, priority := o.Affinity.Or(""), o.HAPriority
	if len(c.Boot) > 0 {
		body.OS = bootOrder(c.Boot)
	}
	switch {
	case o.BIOSType != "":
		body.BIOS = &biosXML{Type: Text(o.BIOSType)}
	case c.Firmware == "efi":
		body.BIOS = &biosXML{Type: "q35_ovmf"}
	case c.Firmware == "bios":
		body.BIOS = &biosXML{Type: "q35_sea_bios"}
	}
	if c.Autostart || priority.IsSet() {
		body.HighAvailability = &haXML{Enabled: c.Autostart}
		if n, ok := priority.Get(); ok {
			body.HighAvailability.Priority = &n
		}
	}
	if protected, ok := o.DeleteProtected.Get(); ok {
		body.DeleteProtected = &protected
	}
	if k.host != "" || affinity != "" {
		body.PlacementPolicy = &placementXML{Affinity: textOf(cmp.Or(affinity, "migratable"))}
		if k.host != "" {
			body.PlacementPolicy.Hosts = &[]refXML{*byID(k.host)}
		}
	}
	if len(o.CustomProperties) > 0 {
		body.CustomProperties = customProperties(o.CustomProperties)
	}
	if o.Type != "" {
		body.Type = textOf(o.Type)
	}
	if o.InstanceType != "" {
		body.InstanceType = withName(o.InstanceType)
	}
	return body
}

// bootSpec gives the disk that is the image's own; nil when none is described.
func bootSpec(c virt.CreateVM) *virt.DiskSpec {
	for i := range c.Disks {
		if c.Disks[i].Boot && c.Disks[i].Volume == "" && c.Image != nil {
			return &c.Disks[i]
		}
	}
	return nil
}

// bear makes the VM, with copies of its template's disks, and gives its id.
func (e *Engine) bear(ctx context.Context, c virt.CreateVM, want *virt.VM, k *makings) (string, error) {
	name := plainName(c.Ref.Name)
	body := settings(c, want, k)
	body.Name, body.Cluster, body.Template = textOf(name), byID(k.cluster.id), byID(blankTemplate)
	q := url.Values{}
	if k.template != nil {
		body.Template = byID(k.template.id)
		spec := bootSpec(c)
		clone := spec == nil || !spec.Backed
		q.Set("clone", fmt.Sprint(clone))
		if b := k.template.boot(); b != nil && spec != nil {
			copied, err := e.copyOf(ctx, b, *spec, want, k, clone)
			if err != nil {
				return "", err
			}
			body.DiskAttachments = &[]diskAttachmentXML{*copied}
		}
	}
	var id string
	err := e.whileBusy(ctx, func(ctx context.Context) (err error) {
		id, err = create(ctx, e.Client, kindVM, "/vms", q, body, func(v *ovirtsdk.Vm) (string, error) { return value(v.Id()), nil })
		return err
	})
	if !errors.Is(err, virt.ErrOutcomeUnknown) && !errors.Is(err, virt.ErrConflict) {
		return id, err
	}
	// The answer was lost, or somebody has made one of that name. Its mark says who.
	type born struct{ id, run, cluster string }
	found, lookErr := byName(ctx, e.Client, kindVM, "/vms", name, "", query{}, func(v *ovirtsdk.Vm) (born, error) {
		_, run := splitMark(value(v.Description()))
		return born{value(v.Id()), run, idIn(v.Cluster())}, nil
	})
	if lookErr != nil {
		return "", errors.Join(err, lookErr)
	}
	for _, b := range found {
		if b.cluster == k.cluster.id && b.run == c.Run && c.Run != "" {
			return b.id, nil
		}
	}
	return "", err
}

// copyOf says how the template's boot disk is copied. A thin VM's disk lies over
// the template's, so that only its name can be chosen.
func (e *Engine) copyOf(ctx context.Context, b *attachment, spec virt.DiskSpec, want *virt.VM, k *makings, clone bool) (*diskAttachmentXML, error) {
	disk := &diskXML{ID: Text(b.id), Name: textOf(diskAlias(plainName(want.Name), spec.Name))}
	if !clone {
		return &diskAttachmentXML{Disk: disk}, nil
	}
	format, sparse := cmp.Or(spec.Format, b.disk.Format), spec.Sparse
	if format == "qcow2" && !sparse {
		format = "raw"
	}
	disk.Format, disk.Sparse = textOf(formats.theirs(format)), &sparse
	domain := b.domain
	if spec.Storage != "" {
		d, err := e.domain(ctx, spec.Storage, k.cluster.centre)
		if err != nil {
			return nil, err
		}
		domain = d.id
	}
	disk.StorageDomains = &[]refXML{*byID(domain)}
	return &diskAttachmentXML{Disk: disk}, nil
}

// rebear gives a VM that an interrupted run left the settings that it is to have,
// and gives its id. One whose disks could not be copied is made anew.
func (e *Engine) rebear(ctx context.Context, c virt.CreateVM, want *virt.VM, m *machine) (string, error) {
	if err := e.waitVM(ctx, m.id, diskTime, goalVMUnlocked()); err != nil {
		return "", err
	}
	k, err := e.makings(ctx, c)
	if err != nil {
		return "", err
	}
	if k.cluster.id != m.cluster {
		return "", &virt.Error{Kind: virt.ErrConflict, Object: want.Ref(), Summary: "was begun in another cluster", Wanted: k.cluster.name, Found: m.vm.Cluster,
			Hint: "delete it with delete_vm, or finish it there"}
	}
	// A copy fails before anything else is attached, so that there is nothing to lose.
	if m, err = e.settled(ctx, m.id); err != nil {
		return "", err
	}
	if len(m.disks) > 0 && !slices.ContainsFunc(m.disks, func(a attachment) bool { return a.status != ovirtsdk.DISKSTATUS_ILLEGAL }) {
		if err := e.drop(ctx, m.id, nil); err != nil {
			return "", err
		}
		return e.bear(ctx, c, want, k)
	}
	return m.id, e.put(ctx, m.id, nil, settings(c, want, k))
}

// settled reads a VM that is being made, once its disks are ready or have failed.
func (e *Engine) settled(ctx context.Context, id string) (*machine, error) {
	m, err := e.part(ctx, id)
	if err != nil {
		return nil, err
	}
	waited := false
	for _, a := range m.disks {
		if a.status == ovirtsdk.DISKSTATUS_OK {
			continue
		}
		waited = true
		if err := e.waitDisk(ctx, a.id, &goal{want: []string{string(ovirtsdk.DISKSTATUS_OK), string(ovirtsdk.DISKSTATUS_ILLEGAL)}}); err != nil {
			return nil, err
		}
	}
	if !waited {
		return m, nil
	}
	return e.part(ctx, id)
}

// furnish gives a VM that was made its disks and NICs, and then what its guest is
// told: only now the disks have ids.
func (e *Engine) furnish(ctx context.Context, c virt.CreateVM, want *virt.VM, k *makings, id string) error {
	if err := e.waitVM(ctx, id, diskTime, &goal{want: []string{"down"}}); err != nil {
		return err
	}
	m, err := e.settled(ctx, id)
	if err != nil {
		return err
	}
	if err := e.clear(ctx, c, m); err != nil {
		return err
	}
	if err := e.makeDisks(ctx, c, want, k, m); err != nil {
		return err
	}
	if err := e.makeNICs(ctx, want, m); err != nil {
		return err
	}
	if err := e.setTags(ctx, m, want.Tags); err != nil {
		return err
	}
	if m, err = e.part(ctx, id); err != nil {
		return err
	}
	init, err := initialization(c, m)
	if err != nil || init == nil {
		return err
	}
	promiseHostKey(init, m)
	return e.put(ctx, id, nil, vmXML{Initialization: init})
}

// part reads a VM that is being made.
func (e *Engine) part(ctx context.Context, id string) (*machine, error) {
	m, err := get(ctx, e.Client, kindVM, path("vms", id), query{Follow: e.vmFollow()}, e.convVM)
	if err != nil {
		return nil, err
	}
	return m, e.name(ctx, m)
}

// clear takes away disks that an earlier run began to make, and that failed. What
// failed of the template's, or of a volume that was there, is not ours to replace.
func (e *Engine) clear(ctx context.Context, c virt.CreateVM, m *machine) error {
	for i, a := range m.disks {
		if a.status != ovirtsdk.DISKSTATUS_ILLEGAL {
			continue
		}
		mine := slices.ContainsFunc(c.Disks, func(spec virt.DiskSpec) bool {
			return !spec.Boot && spec.Volume == "" && a.disk.Name == diskName(plainName(c.Ref.Name), spec.Name)
		})
		if !mine {
			return &stateError{status: string(a.status), why: "the disk cannot be used: its copy or creation failed"}
		}
		if err := e.removeDisk(ctx, m.id, a.id, true); err != nil {
			return err
		}
		m.disks = slices.Delete(slices.Clone(m.disks), i, i+1)
		return e.clear(ctx, c, m)
	}
	return nil
}

func (e *Engine) makeDisks(ctx context.Context, c virt.CreateVM, want *virt.VM, k *makings, m *machine) error {
	storage := ""
	if boot := m.vm.BootDisk(); boot != nil {
		storage = boot.Storage
	}
	for _, spec := range c.Disks {
		name := diskName(plainName(c.Ref.Name), spec.Name)
		disk := want.Disk(name)
		if disk == nil {
			return fmt.Errorf("disk %q was decided upon and is not there", name)
		}
		have := m.disk(name)
		if have == nil && bootSpec(c) != nil && spec.Boot {
			have = m.boot()
		}
		if have == nil {
			add := *disk
			add.Storage = cmp.Or(add.Storage, storage)
			if err := e.addDisk(ctx, m.id, k.cluster.centre, spec, add); err != nil {
				return err
			}
			continue
		}
		if have.disk.Size < disk.Size {
			if err := e.grow(ctx, m.id, have.id, disk.Size); err != nil {
				return err
			}
		}
	}
	return nil
}

// boot gives the disk that a VM starts from; nil without one.
func (m *machine) boot() *attachment {
	for i := range m.disks {
		if m.disks[i].boot {
			return &m.disks[i]
		}
	}
	return nil
}

// makeNICs gives a VM its NICs. Those of its template are there already, perhaps
// on other networks.
func (e *Engine) makeNICs(ctx context.Context, want *virt.VM, m *machine) error {
	for _, nic := range want.NICs {
		have := m.nic(nic.Name)
		if have == nil {
			if err := e.addNIC(ctx, want.Ref(), m.id, m.centre, nic); err != nil {
				return err
			}
			continue
		}
		var body nicXML
		if !have.nic.IsOn(nic.Network) {
			p, err := e.profileFor(ctx, want.Ref(), m.centre, nic.Network)
			if err != nil {
				return err
			}
			body.VNICProfile = byID(p.id)
		}
		if mac, ok := nic.MAC.Get(); ok && mac != have.nic.MAC.Or("") {
			body.MAC = &macXML{Address: Text(mac)}
		}
		if nic.Model != have.nic.Model {
			body.Interface = textOf(nic.Model)
		}
		yes := true
		if !have.nic.LinkUp {
			body.Linked = &yes
		}
		if !have.nic.In.Config {
			body.Plugged = &yes
		}
		if body == (nicXML{}) {
			continue
		}
		if err := e.putNIC(ctx, m.id, have.id, body); err != nil {
			return err
		}
	}
	return nil
}

// checkCreateVM looks for everything that stands in the way of a VM.
func (e *Engine) checkCreateVM(ctx context.Context, view virt.Reader, c virt.CreateVM) error {
	k, err := e.makings(ctx, c)
	if err != nil {
		return err
	}
	var errs []error
	add := func(err error) { errs = append(errs, err) }
	invalid := func(format string, args ...any) {
		add(&virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf(format, args...)})
	}
	var root *attachment
	if k.template != nil {
		root = k.template.boot()
	}
	inherited := ""
	if root != nil {
		domains, err := e.domainMap(ctx, root.domain)
		if err != nil {
			return err
		}
		inherited = domains[root.domain].storage.Name
	}
	if s := bootSpec(c); s != nil && s.Storage != "" && !s.Backed {
		inherited = s.Storage
	}
	for _, spec := range c.Disks {
		spec.Storage = cmp.Or(spec.Storage, inherited)
		switch {
		case spec.Volume != "":
			_, err := view.Volume(ctx, spec.Storage, spec.Volume)
			add(err)
			continue
		case spec.Boot && root != nil:
			if spec.Size != 0 && spec.Size < root.disk.Size {
				add(&virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("disk %q is to be smaller than its template's", spec.Name),
					Wanted: "at least " + virt.FormatSize(root.disk.Size), Found: virt.FormatSize(spec.Size), Hint: "write a larger size, or leave it out to take the template's"})
			}
			spec.Format = cmp.Or(spec.Format, root.disk.Format)
			if spec.Format == "qcow2" && !spec.Sparse {
				spec.Format = "raw"
			}
		case spec.Size == 0:
			invalid("disk %q has no size", spec.Name)
		}
		add(e.checkStorage(ctx, c.Ref, k.cluster.centre, spec))
	}
	for _, nic := range c.NICs {
		add(e.checkProfile(ctx, view, c.Ref, k.cluster, nic.Network))
		if nicSaysGuest(nic) && nic.GuestName == "" {
			add(&virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("NIC %q has an address, and no guest_name", nic.Name),
				Hint: "write what the guest calls it, as guest_name: eth0: an engine's cloud-init cannot tell NICs apart otherwise"})
		}
	}
	if _, err := initialization(c, nil); err != nil {
		add(err)
	}
	return errors.Join(errs...)
}

// checkProfile looks whether a VM of a cluster can have a NIC on a network, which
// an earlier step of a dry run may have made.
func (e *Engine) checkProfile(ctx context.Context, view virt.Reader, vm virt.Ref, cluster clusterInfo, network string) error {
	_, err := e.profileFor(ctx, vm, cluster.centre, network)
	if !errors.Is(err, virt.ErrNotFound) {
		return err
	}
	if n, viewErr := view.Network(ctx, network); viewErr == nil && (n.DataCentre == "" || n.DataCentre == cluster.centreName) {
		return nil
	}
	return err
}
