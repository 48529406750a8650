package ovirt

import (
	"context"
	"errors"
	"fmt"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// nicID is all that is wanted of the answer to a change of a NIC.
func nicID(n *ovirtsdk.Nic) (string, error) { return value(n.Id()), nil }

// attachNIC gives a VM a NIC, or plugs the one that it has in.
func (e *Engine) attachNIC(ctx context.Context, c virt.AttachNIC, d *edit) error {
	want := d.want().NIC(c.NIC.Name)
	if c.NIC.Name == "" {
		want = &d.want().NICs[len(d.want().NICs)-1]
	}
	if want == nil {
		return fmt.Errorf("NIC %q was decided upon and is not there", c.NIC.Name)
	}
	if n := d.m.nic(want.Name); n != nil {
		yes := true
		return e.putNIC(ctx, d.m.id, n.id, nicXML{Plugged: &yes})
	}
	return e.addNIC(ctx, d.vm().Ref(), d.m.id, d.m.centre, *want)
}

// addNIC makes a NIC on a network. After a lost answer the VM's NICs tell whether
// it was made.
func (e *Engine) addNIC(ctx context.Context, ref virt.Ref, vm, centre string, want virt.NIC) error {
	p, err := e.profileFor(ctx, ref, centre, want.Network)
	if err != nil {
		return err
	}
	yes := true
	body := nicXML{Name: textOf(want.Name), Interface: textOf(want.Model), Linked: &want.LinkUp, Plugged: &yes, VNICProfile: byID(p.id)}
	if mac, ok := want.MAC.Get(); ok {
		body.MAC = &macXML{Address: Text(mac)}
	}
	err = e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := create(ctx, e.Client, kindNIC, path("vms", vm, "nics"), nil, body, nicID)
		return err
	})
	if !errors.Is(err, virt.ErrOutcomeUnknown) {
		return err
	}
	names, lookErr := list(ctx, e.Client, kindNIC, path("vms", vm, "nics"), query{}, func(n *ovirtsdk.Nic) (string, error) { return value(n.Name()), nil })
	if lookErr != nil {
		return errors.Join(err, lookErr)
	}
	for _, name := range names {
		if name == want.Name {
			return nil
		}
	}
	return err
}

func (e *Engine) putNIC(ctx context.Context, vm, nic string, body nicXML) error {
	return e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := update(ctx, e.Client, kindNIC, path("vms", vm, "nics", nic), nil, body, nicID)
		return err
	})
}

// detachNIC takes a NIC away; of a running VM it is unplugged first.
func (e *Engine) detachNIC(ctx context.Context, c virt.DetachNIC, d *edit) error {
	n := d.m.nic(c.NIC)
	if n == nil {
		return fmt.Errorf("NIC %q was decided upon and is not there", c.NIC)
	}
	if n.nic.In.Live {
		no := false
		if err := e.putNIC(ctx, d.m.id, n.id, nicXML{Plugged: &no}); err != nil {
			return err
		}
	}
	err := e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := remove(ctx, e.Client, path("vms", d.m.id, "nics", n.id), nil)
		return err
	})
	if isGone(err) {
		return nil
	}
	return err
}

// changeNIC moves a NIC to another network, or changes its link or its model. Of a
// running VM's NIC the engine changes no model: it is unplugged for a moment.
func (e *Engine) changeNIC(ctx context.Context, c virt.ChangeNIC, d *edit) error {
	n := d.m.nic(c.NIC)
	if n == nil {
		return fmt.Errorf("NIC %q was decided upon and is not there", c.NIC)
	}
	var body nicXML
	if network, ok := c.Network.Get(); ok && d.changes("nics."+n.nic.Name+".network") {
		p, err := e.profileFor(ctx, d.vm().Ref(), d.m.centre, network)
		if err != nil {
			return err
		}
		body.VNICProfile = byID(p.id)
	}
	if up, ok := c.LinkUp.Get(); ok {
		body.Linked = &up
	}
	if model, ok := c.Model.Get(); ok && d.changes("nics."+n.nic.Name+".model") {
		body.Interface = textOf(model)
		if d.changes("nics." + n.nic.Name + ".plugged") {
			yes := true
			body.Plugged = &yes
		}
		if n.nic.In.Live {
			return e.replugNIC(ctx, d.m.id, n.id, body)
		}
	}
	return e.putNIC(ctx, d.m.id, n.id, body)
}

// plugsAgain predicts that a running VM's NIC is plugged in along with another model:
// a run that was interrupted while it changed the model left it unplugged.
func plugsAgain(before, after virt.Object, c virt.ChangeNIC, out *virt.Outcome) {
	was, _ := before.(*virt.VM)
	vm, _ := after.(*virt.VM)
	if was == nil || vm == nil || !was.State.IsLive() || !c.Model.IsSet() {
		return
	}
	old, n := was.NIC(c.NIC), vm.NIC(c.NIC)
	if old == nil || n == nil || old.In.Config || old.Model == n.Model {
		return
	}
	n.In = virt.Presence{Config: true, Live: true}
	out.Fields = append(out.Fields, virt.FieldChange{Path: "nics." + n.Name + ".plugged", Before: false, After: true, Note: "left so by an interrupted run"})
}

// replugNIC changes a running VM's NIC while it is unplugged. It is plugged in again
// as it was where the change fails.
func (e *Engine) replugNIC(ctx context.Context, vm, nic string, body nicXML) error {
	no, yes := false, true
	if err := e.putNIC(ctx, vm, nic, nicXML{Plugged: &no}); err != nil {
		return err
	}
	body.Plugged = &yes
	err := e.putNIC(ctx, vm, nic, body)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	if back := e.putNIC(ctx, vm, nic, nicXML{Plugged: &yes}); back != nil {
		return fmt.Errorf("%w; the NIC is unplugged, plug it in on the engine: %w", err, back)
	}
	return err
}

// checkNIC looks whether a VM can have a NIC on a network. One that only a dry run
// has made has no profile yet.
func (e *Engine) checkNIC(ctx context.Context, view virt.Reader, ref virt.Ref, network string) error {
	m, err := e.machine(ctx, ref.Name)
	if errors.Is(err, virt.ErrNotFound) {
		return nil // only the dry run has it
	}
	if err != nil {
		return err
	}
	_, err = e.profileFor(ctx, ref, m.centre, network)
	if !errors.Is(err, virt.ErrNotFound) {
		return err
	}
	if n, viewErr := view.Network(ctx, network); viewErr == nil && (n.DataCentre == "" || n.DataCentre == m.vm.DataCentre) {
		return nil
	}
	return err
}
