package ovirtsim

import (
	"fmt"
	"regexp"
	"strings"
)

const nicType = "Interface"

var macForm = regexp.MustCompile(`^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$`)

// newNIC makes a VM's or template's NIC.
func (e *Engine) newNIC(vm *object, in *elem) *object {
	x := el("nic", tx("name", in.get("name")), ref(vm.kind.name, vm.id), tx("interface", "virtio"), boolean("linked", true))
	if vm.kind == kindVM && !in.has("mac") {
		e.macs++
		in = in.put(el("mac", tx("address", fmt.Sprintf("56:6f:1a:%02x:%02x:%02x", e.macs>>16&255, e.macs>>8&255, e.macs&255))))
	}
	x = x.merge(in.only("description", "interface", "linked", "mac"))
	x = x.put(boolean("plugged", in.bool("plugged") || !in.has("plugged")))
	if p := in.kid("vnic_profile"); p != nil && p.id != "" {
		x = x.put(ref("vnic_profile", p.id))
	}
	return vm.adopt("nics", e.newObject(kindNIC, x))
}

// profileFor finds the profile that a NIC's body means; nil is a NIC without.
func (e *Engine) profileFor(vm *object, in *elem, cmd command) (*object, error) {
	cluster := e.col("clusters").ids[vm.refID("cluster")]
	if n := in.kid("network"); n != nil && !in.has("vnic_profile") {
		for _, net := range e.col("networks").match(n) {
			if net.refID("data_center") != cluster.refID("data_center") {
				continue
			}
			for _, p := range e.filter("vnicprofiles", "network", net.id) {
				return p, nil
			}
		}
		return nil, cmd.refuse("ACTION_TYPE_FAILED_CANNOT_FIND_VNIC_PROFILE_FOR_NETWORK")
	}
	want := in.kid("vnic_profile")
	if want == nil || (want.id == "" && !want.has("name")) {
		return nil, nil
	}
	var p *object
	for _, found := range e.col("vnicprofiles").match(want) {
		net := e.col("networks").ids[found.refID("network")]
		if want.id != "" || (net != nil && net.refID("data_center") == cluster.refID("data_center")) {
			p = found
			break
		}
	}
	if p == nil {
		return nil, cmd.refuse("ACTION_TYPE_FAILED_VNIC_PROFILE_NOT_EXISTS")
	}
	if cluster.find("networks", p.refID("network")) == nil {
		return nil, cmd.refuse("NETWORK_NOT_EXISTS_IN_CURRENT_CLUSTER")
	}
	return p, nil
}

// checkMAC refuses an address that is malformed or taken.
func (e *Engine) checkMAC(in *elem, self *object, cmd command) error {
	mac := in.get("mac/address")
	if mac == "" {
		return nil
	}
	if !macForm.MatchString(mac) {
		return cmd.refuse("ACTION_TYPE_FAILED_NETWORK_INTERFACE_MAC_INVALID", "IfaceName", in.get("name"), "MacAddress", mac)
	}
	for _, vm := range e.vms() {
		for _, n := range vm.sub("nics") {
			if n != self && strings.EqualFold(n.get("mac/address"), mac) {
				return cmd.refuse("NETWORK_MAC_ADDRESS_IN_USE", "MacAddress", mac, "VmName", vm.name())
			}
		}
	}
	return nil
}

// nicState is the check of the VM that a NIC command is about.
func nicState(cmd command, vm *object, locked bool) error {
	if vm.lock != nil {
		return cmd.refuse(vm.lock.key, vm.lock.args...)
	}
	switch s := vm.status(); {
	case s == "down", s == "up", s == "image_locked" && locked:
		return nil
	}
	return cmd.refuse("NETWORK_CANNOT_ADD_INTERFACE_WHEN_VM_STATUS_NOT_UP_DOWN_LOCKED")
}

// addNIC is POST /vms/{id}/nics.
func (e *Engine) addNIC(c *call, vm *object) (*object, error) {
	cmd, in := command{"add", nicType}, c.body
	if err := require(in, "add", "name"); err != nil {
		return nil, err
	}
	if err := nicState(cmd, vm, true); err != nil {
		return nil, err
	}
	if named(vm.sub("nics"), in.get("name")) != nil {
		return nil, cmd.refuse("NETWORK_INTERFACE_NAME_ALREADY_IN_USE")
	}
	if err := e.checkMAC(in, nil, cmd); err != nil {
		return nil, err
	}
	p, err := e.profileFor(vm, in, cmd)
	if err != nil {
		return nil, err
	}
	in = in.without("vnic_profile", "network")
	if p != nil {
		in = in.put(ref("vnic_profile", p.id))
	}
	e.job(c, "Adding Network Interface "+in.get("name")+" to VM "+vm.name())
	n := e.newNIC(vm, in)
	if vm.status() == "up" && n.body.bool("plugged") && e.rules["hotplug "+vm.name()] {
		n.set("plugged", "false")
		e.event(c.corr, evHotPlugFailed, "error", "Failed to plug Network Interface "+n.name()+" to "+vm.name()+".", vm)
	}
	return n, nil
}

// updateNIC is PUT /vms/{id}/nics/{id}.
func (e *Engine) updateNIC(c *call, n *object) error {
	cmd, in, vm := command{"edit", nicType}, c.body, n.parent
	if vm.kind != kindVM {
		return notFound
	}
	if err := nicState(cmd, vm, false); err != nil {
		return err
	}
	if o := named(vm.sub("nics"), in.get("name")); o != nil && o != n {
		return cmd.refuse("NETWORK_INTERFACE_NAME_ALREADY_IN_USE")
	}
	if err := e.checkMAC(in, n, cmd); err != nil {
		return err
	}
	p, err := e.profileFor(vm, in, cmd)
	if err != nil {
		return err
	}
	if plugged := n.body.bool("plugged"); vm.status() == "up" && plugged && (!in.has("plugged") || in.bool("plugged")) {
		for _, f := range []string{"mac/address", "interface"} {
			if v := in.get(f); v != "" && !strings.EqualFold(v, n.get(f)) {
				return cmd.refuse("CANNOT_PERFORM_HOT_UPDATE")
			}
		}
	}
	e.job(c, "Updating Network Interface "+n.name()+" of VM "+vm.name())
	n.body = n.body.merge(in.only("name", "description", "interface", "linked", "mac", "plugged"))
	switch {
	case p != nil:
		n.put(ref("vnic_profile", p.id))
	case in.has("vnic_profile"):
		n.drop("vnic_profile")
	}
	return nil
}

func (e *Engine) removeNIC(c *call, n *object) error {
	cmd, vm := command{"remove", nicType}, n.parent
	if vm.kind != kindVM {
		return notFound
	}
	if err := nicState(cmd, vm, false); err != nil {
		return err
	}
	if vm.status() == "up" && n.body.bool("plugged") {
		return cmd.refuse("ACTION_TYPE_FAILED_CANNOT_REMOVE_ACTIVE_DEVICE")
	}
	e.job(c, "Removing Network Interface "+n.name()+" from VM "+vm.name())
	vm.disown(n)
	delete(vm.addrs, n.get("mac/address"))
	return nil
}

func (e *Engine) plugNIC(c *call, n *object) error   { return e.setPlugged(c, n, true, "hot plug") }
func (e *Engine) unplugNIC(c *call, n *object) error { return e.setPlugged(c, n, false, "hot unplug") }

func (e *Engine) setPlugged(_ *call, n *object, plugged bool, what string) error {
	vm := n.parent
	if err := nicState(command{what, nicType}, vm, false); err != nil {
		return err
	}
	if vm.status() == "up" && e.rules["hotplug "+vm.name()] {
		return failed("Failed to " + strings.Replace(what, " ", "-", 1) + " network interface")
	}
	n.set("plugged", boolean("", plugged).text)
	return nil
}
